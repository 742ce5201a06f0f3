/** Figures over time, from counters that grow. */
import { describe, expect, test } from 'bun:test'
import { AT, addTime, ListenerCounters } from '../../src/memory/counters.ts'
import { History, quantile, RANGES, SERIES } from '../../src/view/history.ts'
import { meteredListener, metricSources } from '../support/view/metric-sources.ts'

/** A tracker whose counters the test moves, and its history. */
function watched(schemes: readonly ('udp' | 'http' | 'ws')[] = ['udp', 'http']) {
  const listeners = schemes.map((scheme) =>
    meteredListener(0, { scheme, counters: new ListenerCounters(1) }),
  )
  const [udp, http, web] = listeners.map(({ counters }) => counters.row(0))
  const history = new History()
  let milliseconds = 1_800_000_000_000
  let ran = 5
  return {
    history,
    udp: udp!,
    http: http!,
    web: web!,
    /** `more` happens in each of so many seconds. */
    pass(seconds: number, more = () => {}, busy = 0.25) {
      let moment: ReturnType<History['add']>
      for (let second = 0; second < seconds; second++) {
        milliseconds += 1_000
        ran += busy
        more()
        const threads = [{ name: '1', busy: { ran, waited: 0 }, delay: 0.002 }]
        moment = history.add(metricSources({ milliseconds, listeners, threads }))
      }
      return moment
    },
    setClock: (to: number) => {
      milliseconds = to
    },
  }
}

test('the last second has rates, and what there is', () => {
  const { pass, udp, http } = watched()
  expect(pass(1)).toBeUndefined()
  const moment = pass(3, () => {
    udp[AT.announces]! += 90
    udp[AT.connects + 1]! += 10
    udp[AT.errors]! += 7
    udp[AT.banned]! += 2
    udp[AT.aborted + 1]! += 1
    http[AT.scrapes]! += 4
    http[AT.malformed]! += 3
    udp[AT.bytesReceived]! += 1_000
    http[AT.bytesSent + 1]! += 500
    addTime(udp, 'announce', 400)
  })
  expect(moment).toEqual({
    udpServed: 100,
    udpRefused: 7,
    udpDropped: 3,
    httpServed: 4,
    httpRefused: 3,
    webServed: null,
    webRefused: null,
    webRelayed: null,
    webOpen: null,
    bytesReceived: 1_000,
    bytesSent: 500,
    udpMedian: 3.84e-7,
    udpSlowest: 5.094e-7,
    httpMedian: null,
    httpSlowest: null,
    webMedian: null,
    webSlowest: null,
    torrents: 3,
    seeders: 25,
    leechers: 47,
    memoryUsed: 1_024,
    residentBytes: 50_000_000,
    busiest: 0.25,
    delay: 0.002,
    owed: 8,
  })
})

test('W51: figures of a WebSocket listener are its own', () => {
  const { pass, http, web } = watched(['udp', 'http', 'ws'])
  web[AT.opened] = 8
  web[AT.closedIdle] = 3
  pass(1)
  const moment = pass(2, () => {
    http[AT.announces]! += 1
    web[AT.announces]! += 20
    web[AT.scrapes + 1]! += 2
    web[AT.answers]! += 5
    web[AT.errors]! += 1
    web[AT.malformed]! += 2
    web[AT.strayAnswers]! += 4
    web[AT.relayedOffers]! += 30
    web[AT.relayedAnswers + 1]! += 6
    web[AT.bytesSent]! += 700
    addTime(web, 'announce', 400)
  })
  expect(moment).toMatchObject({
    udpServed: 0,
    httpServed: 1,
    httpRefused: 0,
    httpMedian: null,
    webServed: 27,
    webRefused: 7,
    webRelayed: 36,
    webOpen: 5,
    webMedian: 3.84e-7,
    bytesSent: 700,
  })
})

test('a counter that begins anew counts as nothing, and a busy thread is never busier than wholly', () => {
  const { pass, udp } = watched()
  udp[AT.announces] = 1_000
  pass(2)
  expect(pass(1, () => udp.fill(5), 9)).toMatchObject({ udpServed: 0, busiest: 1 })
  // A thread in place of one that died has run for less.
  expect(pass(1, () => {}, -5)).toMatchObject({ busiest: 0 })
})

describe.each(['hour', 'day'] as const)('the last %s', (range) => {
  const { stepSeconds, steps } = RANGES[range]

  test('begins empty, grows by a moment for each step, and forgets the oldest', () => {
    const { pass, history, udp } = watched()
    pass(1)
    const empty = history.read(range)
    expect([empty.stepSeconds, empty.times, empty.series.torrents]).toEqual([stepSeconds, [], []])
    pass(stepSeconds * 3, () => {
      udp[AT.announces]! += 2
    })
    const three = history.read(range)
    expect(three.series.udpServed).toEqual([2, 2, 2])
    expect(three.times.map((time) => time - three.times[0]!)).toEqual([
      0,
      stepSeconds,
      2 * stepSeconds,
    ])
    for (const name of SERIES) expect(three.series[name]).toHaveLength(3)
    pass(stepSeconds * steps, () => {
      udp[AT.announces]! += 4
    })
    const full = history.read(range)
    expect(full.times).toHaveLength(steps)
    expect(new Set(full.series.udpServed)).toEqual(new Set([4]))
    const spans = full.times.slice(1).map((time, i) => time - full.times[i]!)
    expect(new Set(spans)).toEqual(new Set([stepSeconds]))
  })

  test('goes on after the clock was set, forwards or back', () => {
    const { pass, history, setClock, udp } = watched()
    const serve = () => {
      udp[AT.announces]! += 3
    }
    pass(stepSeconds * 2 + 1, serve)
    for (const to of [1_700_000_000_000, 1_900_000_000_000]) {
      setClock(to)
      pass(stepSeconds * 2 + 1, serve)
      const { times, series } = history.read(range)
      expect(times.at(-1)).toBeGreaterThan(to / 1000 + stepSeconds)
      expect(series.udpServed.at(-1)).toBe(3)
    }
  })
})

test('quantiles lie between the bounds of their bucket', () => {
  const counters = new ListenerCounters(1)
  const none = counters.times('announce').buckets
  for (let i = 0; i < 99; i++) addTime(counters.row(0), 'announce', 1_000)
  addTime(counters.row(0), 'announce', 1_000_000)
  const all = counters.times('announce').buckets
  expect(quantile(none, none, 0.5)).toBeNaN()
  expect(quantile(all, all, 0.5)).toBeNaN()
  const median = quantile(none, all, 0.5)
  expect(median).toBeGreaterThan(512e-9)
  expect(median).toBeLessThan(1_024e-9)
  expect(quantile(none, all, 0.99)).toBe(1_024e-9)
  const slowest = quantile(none, all, 1)
  expect(slowest).toBeGreaterThan(524_288e-9)
  expect(slowest).toBeLessThanOrEqual(1_048_576e-9)
  addTime(counters.row(0), 'announce', 2 ** 31)
  // What took longer than the longest bound took at least that.
  expect(quantile(all, counters.times('announce').buckets, 0.5)).toBe(2 ** 30 / 1e9)
})
