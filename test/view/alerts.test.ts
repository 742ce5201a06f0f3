/** What an operator is told, when, and for how long. */
import { expect, test } from 'bun:test'
import { AT, ListenerCounters } from '../../src/memory/counters.ts'
import { Alerts } from '../../src/view/alerts.ts'
import type { MetricSources } from '../../src/view/metrics.ts'
import {
  METERED_ACCOUNTING,
  meteredListener,
  metricSources,
} from '../support/view/metric-sources.ts'

const DAY_SECONDS = 86_400
const CALM: Partial<MetricSources> = { threadDeaths: 0, database: undefined }

/** Alerts of a tracker that was looked at every second. */
function watched() {
  const alerts = new Alerts()
  let milliseconds = 1_800_000_000_000
  return {
    pass(seconds: number, changes: (second: number) => Partial<MetricSources> = () => ({})) {
      let told: ReturnType<Alerts['of']> = []
      for (let second = 0; second < seconds; second++) {
        milliseconds += 1_000
        told = alerts.of(metricSources({ ...CALM, ...changes(second), milliseconds }))
      }
      return told.map(({ level, name }) => `${level} ${name}`)
    },
    texts: (changes: Partial<MetricSources>) =>
      alerts.of(metricSources({ ...CALM, ...changes, milliseconds })).map(({ text }) => text),
    now: () => milliseconds / 1000,
  }
}

test('a tracker that is well has none', () => {
  expect(watched().pass(10)).toEqual([])
})

test('memory: nearly full, and full', () => {
  const { pass, texts } = watched()
  const nearly = { memory: { used: 900, limit: 1_000 } }
  expect(pass(1, () => ({ memory: { used: 899, limit: 1_000 } }))).toEqual([])
  expect(pass(1, () => nearly)).toEqual(['warning nearly_full'])
  expect(texts({ ...nearly, degraded: 'memory is full: new torrents are refused' })).toEqual([
    'Memory is full: new torrents are refused.',
  ])
})

test('what the system dropped is told for five minutes', () => {
  const { pass, texts } = watched()
  const dropped = (drops: number) => () => ({ listeners: [meteredListener(0, { drops })] })
  expect(pass(60, dropped(7))).toEqual([])
  expect(pass(1, dropped(10))).toEqual(['warning drops'])
  expect(texts(dropped(10)())[0]).toStartWith(
    'The system dropped 3 datagrams in the last five minutes',
  )
  expect(pass(290, dropped(10))).toEqual(['warning drops'])
  expect(pass(20, dropped(10))).toEqual([])
  // A thread was replaced: its socket is a new one.
  expect(pass(1, dropped(2))).toEqual([])
})

test('a thread that died is told for an hour', () => {
  const { pass, texts } = watched()
  pass(1)
  expect(pass(1, () => ({ threadDeaths: 1 }))).toEqual(['warning thread_died'])
  expect(texts({ threadDeaths: 1 })[0]).toStartWith(
    '1 serving thread died in the last hour and was ',
  )
  expect(pass(3_500, () => ({ threadDeaths: 1 }))).toEqual(['warning thread_died'])
  expect(pass(200, () => ({ threadDeaths: 1 }))).toEqual([])
})

test('silence is told after an hour with announces, not of a tracker without clients', () => {
  const { pass } = watched()
  const counters = new ListenerCounters(1)
  const listeners = [meteredListener(0, { counters })]
  const quiet = () => ({ listeners })
  expect(pass(4_000, quiet)).toEqual([])
  const busy = () => {
    counters.row(0)[AT.announces]! += 2
    return { listeners }
  }
  expect(pass(3_600, busy)).toEqual([])
  expect(pass(290, quiet)).toEqual([])
  expect(pass(20, quiet)).toEqual(['critical no_announces'])
  expect(pass(1, busy)).toEqual([])
  // An hour later none is expected any more.
  expect(pass(310, quiet)).toEqual(['critical no_announces'])
  expect(pass(3_600, quiet)).toEqual([])
})

test('a database that is away, with what it is owed', () => {
  const database = {
    isUp: false,
    calls: { nanoseconds: 0, samples: 0, buckets: [] },
    failures: 1,
    owed: 1,
  }
  expect(watched().texts({ database })).toEqual([
    'The database does not work; announces are served all the same. 1 completed download waits in memory. The log says why.',
  ])
  expect(watched().texts({ database: { ...database, owed: 0 } })[0]).not.toContain('memory')
  expect(watched().texts({ database: { ...database, isUp: true } })).toEqual([])
})

test.each([
  [14.5, undefined, ''],
  [13.5, 'warning', 'ends in 13 days'],
  [1.5, 'critical', 'ends in 1 day'],
  [0.5, 'critical', 'ends today'],
  [-0.5, 'critical', 'has ended'],
])('a certificate that ends in %d days', (days, level, words) => {
  const { pass, texts, now } = watched()
  const listeners = [
    meteredListener(0, { scheme: 'https', certificateEnds: now() + days * DAY_SECONDS + 2 }),
  ]
  expect(pass(1, () => ({ listeners }))).toEqual(
    level === undefined ? [] : [`${level} certificate`],
  )
  if (level !== undefined) expect(texts({ listeners })[0]).toContain(words)
})

test('files and late threads', () => {
  const { pass, texts } = watched()
  const { process } = metricSources()
  const many = { process: { ...process, openFiles: 950, mostFiles: 1_000 } }
  expect(pass(1, () => many)).toEqual(['warning files'])
  expect(texts(many)[0]).toStartWith('950 of 1,000 files are open (95 %)')
  const threads = [
    { name: '1', busy: undefined, delay: 0.1 },
    { name: 'control', busy: undefined, delay: 1.25 },
  ]
  expect(texts({ threads })).toEqual([
    'Thread control was late by 1.3 s: the machine is overloaded.',
  ])
})

test('the worst come first', () => {
  const { process } = metricSources()
  const changes = {
    process: { ...process, openFiles: 950, mostFiles: 1_000 },
    memory: { used: 950, limit: 1_000 },
    database: {
      isUp: false,
      calls: { nanoseconds: 0, samples: 0, buckets: [] },
      failures: 1,
      owed: 0,
    },
  }
  expect(watched().pass(1, () => changes)).toEqual([
    'critical database',
    'warning nearly_full',
    'warning files',
  ])
})

test('figures that wait for a database that works, and announces that were not accounted', () => {
  const { pass, texts } = watched()
  const database = metricSources().database!
  const calm = { ...METERED_ACCOUNTING, lagSeconds: 60, eventsLost: 7 }
  const behind = { database, accounting: { ...calm, lagSeconds: 125 } }
  expect(pass(2, () => ({ database, accounting: calm }))).toEqual([])
  expect(pass(1, () => behind)).toEqual(['warning accounting_behind'])
  expect(texts(behind)[0]).toStartWith('What users moved has waited 2 min 5 s for the database')
  const away = { ...behind, database: { ...database, isUp: false } }
  expect(pass(1, () => away)).toEqual(['critical database'])
  const lost = { accounting: { ...calm, eventsLost: 8 } }
  expect(pass(1, () => lost)).toEqual(['warning accounting_lost'])
  expect(texts(lost)[0]).toStartWith('1 announce of the last quarter of an hour was not accounted')
  expect(pass(890, () => lost)).toEqual(['warning accounting_lost'])
  expect(pass(60, () => lost)).toEqual([])
})
