/** The figures of the stats route, from rows that several threads wrote. */
import { expect, test } from 'bun:test'
import { WEB } from '../../src/bittorrent.ts'
import {
  AT,
  addTime,
  type Counter,
  ListenerCounters,
  OFFERS_DROPPED,
} from '../../src/memory/counters.ts'
import {
  FIGURES,
  readStatistics,
  type StatisticsSources,
  WEB_FIGURES,
} from '../../src/view/statistics.ts'

const TOTALS = {
  byFamily: [{ family: 4, seeders: 5, leechers: 7 }],
  torrents: 3,
  seeders: 5,
  leechers: 7,
  downloads: 11,
  completions: 13,
  refusals: 19,
}
const [UDP_A, UDP_B, HTTP_A, HTTP_B] = [0, 1, 2, 3] as const

/** Two threads, four listeners; every counter of every row differs from every other. */
function busy(): ListenerCounters[] {
  const listeners = Array.from({ length: 4 }, () => new ListenerCounters(2))
  for (const [listener, { rows }] of listeners.entries())
    for (const [thread, row] of rows.entries()) {
      for (const [name, at] of Object.entries(AT)) {
        row[at] = countOf(thread, listener, name as Counter)
        row[at + 1] = countOf(thread, listener, name as Counter) * 1_000
      }
    }
  return listeners
}
const countOf = (thread: number, listener: number, name: Counter): number =>
  (thread + 1) * 3 ** listener * (Object.keys(AT).indexOf(name) + 1)

const BUSY = busy()

const sources = (changes: Partial<StatisticsSources> = {}): StatisticsSources => ({
  udp: [BUSY[UDP_A]!, BUSY[UDP_B]!],
  http: [BUSY[HTTP_A]!, BUSY[HTTP_B]!],
  webSocket: undefined,
  totals: TOTALS,
  bannedIps: 17,
  persistedDownloads: undefined,
  ...changes,
})

/** Over both threads and the two listeners. */
const sum = (listeners: readonly [number, number], name: Counter): number =>
  listeners.reduce((all, l) => all + countOf(0, l, name) + countOf(1, l, name), 0)

test('threads and listeners are summed, families and transports are not', () => {
  const stats = readStatistics(sources())
  const udp = [UDP_A, UDP_B] as const
  const http = [HTTP_A, HTTP_B] as const
  expect(stats).toMatchObject({
    torrents: 3,
    seeders: 5,
    leechers: 7,
    tcp4_announces_handled: sum(http, 'announces'),
    tcp4_scrapes_handled: sum(http, 'scrapes'),
    tcp4_connections_handled: sum(http, 'announces') + sum(http, 'scrapes'),
    tcp6_announces_handled: sum(http, 'announces') * 1_000,
    tcp6_connections_handled: (sum(http, 'announces') + sum(http, 'scrapes')) * 1_000,
    udp_requests_discarded: sum(udp, 'discarded') * 1_001,
    udp_requests_aborted: sum(udp, 'aborted') * 1_001,
    udp_requests_banned: sum(udp, 'banned') * 1_001,
    udp_banned_ips_total: 17,
    udp4_requests: sum(udp, 'received'),
    udp4_connections_handled: sum(udp, 'connects'),
    udp4_announces_handled: sum(udp, 'announces'),
    udp4_scrapes_handled: sum(udp, 'scrapes'),
    udp4_responses: sum(udp, 'responses'),
    udp4_errors_handled: sum(udp, 'errors'),
    udp6_requests: sum(udp, 'received') * 1_000,
    udp6_connections_handled: sum(udp, 'connects') * 1_000,
    udp6_errors_handled: sum(udp, 'errors') * 1_000,
    announces_refused_full: 19,
  })
})

test('a listener without statistics counts unseen; without any, all is zero but the swarm and the wrong ids, which belong to no listener', () => {
  const some = readStatistics(sources({ udp: [BUSY[UDP_B]!], http: [] }))
  expect(some.udp4_announces_handled).toBe(
    countOf(0, UDP_B, 'announces') + countOf(1, UDP_B, 'announces'),
  )
  expect(some.tcp4_announces_handled).toBe(0)
  const {
    torrents,
    seeders,
    completed,
    completed_in_session,
    leechers,
    udp_banned_ips_total,
    announces_refused_full,
    ...none
  } = readStatistics(sources({ udp: [], http: [] }))
  expect([udp_banned_ips_total, announces_refused_full]).toEqual([17, 19])
  expect([torrents, seeders, completed, completed_in_session, leechers]).toEqual([3, 5, 13, 13, 7])
  expect(new Set(Object.values(none))).toEqual(new Set([0, false]))
})

test('completions are those since the start, or of all time where they are stored', () => {
  expect(readStatistics(sources())).toMatchObject({
    completed: 13,
    completed_in_session: 13,
    completed_persisted: 0,
    completed_persisted_enabled: false,
  })
  expect(readStatistics(sources({ persistedDownloads: 1_000 }))).toMatchObject({
    completed: 1_000,
    completed_in_session: 13,
    completed_persisted: 1_000,
    completed_persisted_enabled: true,
  })
})

test('a mean time is the mean of the listeners that have one', () => {
  const udp = Array.from({ length: 3 }, () => new ListenerCounters(2))
  const times = (thread: number, listener: number, nanoseconds: number) =>
    addTime(udp[listener]!.row(thread), 'announce', nanoseconds)
  for (const thread of [0, 0, 1, 1]) times(thread, 0, 500 + 1_000 * thread)
  for (const nanoseconds of [2_000, 3_000, 4_000]) times(0, 1, nanoseconds)
  const stats = readStatistics(sources({ udp, http: [] }))
  expect(stats.udp_avg_announce_processing_time_ns).toBe(2_000)
  expect(stats.udp_avg_connect_processing_time_ns).toBe(0)
})

test('W51: figures of WebSocket listeners stand behind the others, and only where there is one', () => {
  expect(Object.keys(readStatistics(sources()))).toEqual([...FIGURES])
  const hidden = readStatistics(sources({ webSocket: [] }))
  expect(Object.keys(hidden)).toEqual([...FIGURES, ...WEB_FIGURES])
  expect(new Set(WEB_FIGURES.map((name) => hidden[name]))).toEqual(new Set([0]))

  const listeners = [0, 1] as const
  const webSocket = listeners.map((listener) => BUSY[listener]!)
  // More were opened than closed.
  for (const { rows } of webSocket) for (const row of rows) row[AT.opened]! += 1_000
  const byFamily = [...TOTALS.byFamily, { family: WEB, seeders: 30, leechers: 40 }]
  const stats = readStatistics(sources({ webSocket, totals: { ...TOTALS, byFamily } }))
  const of = (name: Counter) => sum(listeners, name)
  const open = webSocket.reduce((all, one) => all + one.open.ipv4 + one.open.ipv6, 0)
  expect(open).toBeGreaterThan(0)
  expect(Object.entries(stats).slice(FIGURES.length)).toEqual([
    ['ws4_connections_handled', of('opened') + 4_000],
    ['ws4_announces_handled', of('announces')],
    ['ws4_scrapes_handled', of('scrapes')],
    ['ws4_offers_relayed', of('relayedOffers')],
    ['ws4_answers_relayed', of('relayedAnswers')],
    ['ws4_errors_handled', of('errors')],
    ['ws4_requests', of('received')],
    ['ws4_responses', of('responses')],
    ['ws6_connections_handled', of('opened') * 1_000],
    ['ws6_announces_handled', of('announces') * 1_000],
    ['ws6_scrapes_handled', of('scrapes') * 1_000],
    ['ws6_offers_relayed', of('relayedOffers') * 1_000],
    ['ws6_answers_relayed', of('relayedAnswers') * 1_000],
    ['ws6_errors_handled', of('errors') * 1_000],
    ['ws6_requests', of('received') * 1_000],
    ['ws6_responses', of('responses') * 1_000],
    ['ws_connections_open', open],
    ['ws_offers_dropped', OFFERS_DROPPED.reduce((all, reason) => all + of(reason) * 1_001, 0)],
    ['ws_answers_refused', of('strayAnswers') * 1_001],
    ['ws_peers', 70],
  ])
})
