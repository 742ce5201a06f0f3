/** The monitor counts losses and latencies, over trackers that lose what a test tells them to (docs/behaviours.md T7). */
import { expect, test } from 'bun:test'
import {
  monitor,
  newSeries,
  type Probe,
  probesOf,
  record,
  seriesOf,
  type Times,
} from '../../src/check/monitor.ts'
import { latenciesOf, monitorDocument, monitorText, probeText } from '../../src/check/report.ts'
import { httpServer, OPTIONS, target, udpTracker } from '../support/check/targets.ts'
import { fakeHttpServer, respond } from '../support/client/fake-http.ts'
import { actionOf, answerTo } from '../support/client/fake-udp.ts'
import { answering, fakeWebSocketTracker } from '../support/client/fake-websocket.ts'
import { until } from '../support/until.ts'

const IMPATIENT = { ...OPTIONS, milliseconds: 1_500 }
const forever = new AbortController().signal

/** Watches until it ends by itself. */
async function watch(urls: readonly string[], times: Times, options = OPTIONS) {
  const series = await seriesOf(urls.map(target), options)
  const probes: Probe[] = []
  await monitor(series, options, times, forever, (probe) => void probes.push(probe))
  return { series, probes }
}

test('every lost datagram is counted, since none is sent twice', async () => {
  let asked = 0
  using tracker = await udpTracker((request) => actionOf(request) === 0 && asked++ % 2 === 1)
  const url = `udp://127.0.0.1:${tracker.port}`
  const times = { interval: 1_600, duration: 4_000 }
  const { series, probes } = await watch([url], times, IMPATIENT)
  // A busy machine may skip turns, hence only the requests that arrived count.
  expect(asked).toBeWithin(2, 7)
  expect(probes.map(({ status }) => status)).toEqual(
    Array.from({ length: asked }, (_, i) => (i % 2 === 1 ? 'timeout' : 'ok')),
  )
  expect(probes.map(({ sequence }) => sequence)).toEqual(probes.map((_, i) => i + 1))
  const lost = Math.floor(asked / 2)
  const percent = Math.round((lost / asked) * 100_000) / 1000
  const document = monitorDocument(series, false)
  // The lists of the reference, and no others.
  expect(Object.keys(document)).toEqual(['udp_trackers', 'http_trackers', 'health_checks'])
  expect(document).toMatchObject({
    udp_trackers: [
      {
        url,
        remote_addr: `127.0.0.1:${tracker.port}`,
        status: {
          code: 'error',
          message: 'monitor completed',
          stats: {
            total: asked,
            timeouts: lost,
            timeout_percent: percent,
            errors: 0,
            loss_percent: percent,
            last_failure: 'no answer within 1.5 s',
          },
        },
      },
    ],
    http_trackers: [],
    health_checks: [],
  })
  expect(probeText(probes[1]!)).toMatch(/ #2: timeout, [\d.]+ ms: no answer within 1\.5 s$/)
})

test('no peer is announced, and every target is asked on its own', async () => {
  const actions = new Set<number>()
  using udp = await udpTracker((request) => {
    actions.add(actionOf(request))
    return false
  })
  using http = await httpServer(respond('d5:filesdee'))
  using web = fakeWebSocketTracker(answering)
  using sick = await httpServer(respond('{"status":"None"}'))
  const { series } = await watch(
    [
      `http://127.0.0.1:${sick.port}/health_check`,
      `udp://127.0.0.1:${udp.port}`,
      `http://127.0.0.1:${http.port}/announce/KEY`,
      `ws://127.0.0.1:${web.port}/announce`,
    ],
    { interval: 40, duration: 100 },
  )
  expect([...actions]).toEqual([0])
  expect(http.requests.length).toBeWithin(1, 4)
  expect(new Set(web.messages.map(({ action }) => action))).toEqual(new Set(['scrape']))
  for (const request of http.requests) expect(request).toStartWith('GET /scrape/KEY?info_hash=')
  const figures = { total: http.requests.length, errors: 0, loss_percent: 0, last_failure: null }
  expect(monitorDocument(series, true)).toMatchObject({
    udp_trackers: [{ status: { code: 'ok', message: 'monitor interrupted' } }],
    http_trackers: [{ status: { code: 'ok', stats: figures } }],
    websocket_trackers: [{ status: { code: 'ok', stats: { loss_percent: 0 } } }],
    health_checks: [
      {
        status: {
          code: 'error',
          stats: {
            total: sick.requests.length,
            errors: sick.requests.length,
            timeouts: 0,
            loss_percent: 100,
            min_ms: null,
            p99_ms: null,
            last_failure: 'no service is running: none is configured',
          },
        },
      },
    ],
  })
})

test('stops at once on demand, and does not count requests in flight', async () => {
  using silent = await fakeHttpServer(() => {})
  const stop = new AbortController()
  const series = await seriesOf([target(`http://127.0.0.1:${silent.port}`)], OPTIONS)
  const watching = monitor(series, OPTIONS, { interval: 10, duration: 1e9 }, stop.signal, () => {})
  await until('it is asked', () => silent.requests.length === 1)
  stop.abort()
  await watching
  expect(probesOf(series[0]!)).toBe(0)
  expect(monitorText(series)).toMatch(/ +0 +0\.0 %( +-){7}\n$/)
})

test('stops while it waits for its next turn', async () => {
  using tracker = await udpTracker()
  const stop = new AbortController()
  const series = await seriesOf([target(`127.0.0.1:${tracker.port}`)], OPTIONS)
  await monitor(series, OPTIONS, { interval: 1e9, duration: 1e10 }, stop.signal, () => stop.abort())
  expect(probesOf(series[0]!)).toBe(1)
})

test('a name without an address is looked up again each time', async () => {
  const { series, probes } = await watch(['tracker.invalid:6969'], { interval: 30, duration: 70 })
  expect(probes.length).toBeWithin(1, 4)
  expect(probes[0]).toMatchObject({ status: 'error', message: 'no such host: tracker.invalid' })
  expect(series[0]!.remote).toBe('tracker.invalid:6969')
})

test('unusable answers are errors, not timeouts', async () => {
  using tracker = await udpTracker((request, answer) => {
    answer(answerTo(request, 3))
    return true
  })
  const { probes } = await watch([`127.0.0.1:${tracker.port}`], { interval: 1e6, duration: 1e6 })
  expect(probes).toMatchObject([
    { status: 'error', message: 'refused by the tracker: no reason given' },
  ])
})

test('percentiles of a thousand latencies are right to 1 %', () => {
  const series = newSeries(target('a:1'), undefined, 'a:1')
  for (let i = 1; i <= 1_000; i++)
    record(series, { status: 'ok', milliseconds: i / 10, message: undefined })
  const found = Object.fromEntries(latenciesOf(series))
  expect([found.min, found.max, found.last]).toEqual([0.1, 100, 100])
  expect(found.average).toBeCloseTo(50.05)
  for (const [name, value] of [
    ['p50', 50],
    ['p90', 90],
    ['p99', 99],
  ] as const)
    expect(Math.abs(found[name]! / value - 1)).toBeLessThan(0.01)
})
