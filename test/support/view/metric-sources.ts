/** What metrics are read from, with figures of which each differs from every other. */
import { ListenerCounters, Stopwatch, ThreadCounters } from '../../../src/memory/counters.ts'
import { Census } from '../../../src/swarm/sweep.ts'
import type {
  MeteredAccounting,
  MeteredListener,
  MetricSources,
} from '../../../src/view/metrics.ts'

const TYPES = {
  udp: 'udp_tracker',
  http: 'http_tracker',
  https: 'http_tracker',
  ws: 'websocket_tracker',
  wss: 'websocket_tracker',
} as const

/** A listener on two threads whose counters are `first`, `first` + 1 and so on, and as many again. */
export function meteredListener(
  first: number,
  changes: Partial<MeteredListener> = {},
): MeteredListener {
  const counters = new ListenerCounters(2)
  for (const row of counters.rows) for (const index of row.keys()) row[index] = first + index
  return {
    type: TYPES[changes.scheme ?? 'udp'],
    scheme: 'udp',
    address: { ip: '0.0.0.0', port: 6969 },
    publicUrl: null,
    counters,
    isCounted: true,
    drops: undefined,
    certificateEnds: undefined,
    ...changes,
  }
}

/** Of a tracker that accounts, on two serving threads. */
export const METERED_ACCOUNTING: MeteredAccounting = {
  level: 'users',
  events: { none: 501, completed: 502, started: 503, stopped: 504 },
  eventsLost: 505,
  rings: [0.25, 0.5],
  sessions: 506,
  owedRecords: 507,
  owedBytes: 508,
  lagSeconds: 509,
  batches: { written: 510, failed: 511 },
  uploaded: 512,
  downloaded: 513,
  flags: { speed: 514, no_leechers: 515, shared_id: 516 },
  limited: { slots: 517, clients: 518, no_download: 519 },
}

export function metricSources(changes: Partial<MetricSources> = {}): MetricSources {
  const threads = new ThreadCounters(1)
  for (const index of threads.row(0).keys()) threads.row(0)[index] = 300 + index
  const census = new Census()
  for (const peers of [0, 1, 1, 2, 3, 4, 1_000]) census.torrent(peers)
  census.expired = 9
  const calls = new Stopwatch()
  calls.add(2_000_000)
  return {
    milliseconds: 1_800_000_000_123,
    version: '1.2.3',
    commit: undefined,
    degraded: undefined,
    isCounted: true,
    listeners: [],
    api: undefined,
    totals: {
      torrents: 3,
      seeders: 25,
      leechers: 47,
      byFamily: [
        { family: 4, seeders: 20, leechers: 40 },
        { family: 6, seeders: 5, leechers: 7 },
      ],
      downloads: 11,
      completions: 13,
      refusals: 19,
    },
    count: (counter) => threads.total(counter),
    memory: { used: 1_024, limit: 4_096 },
    sweep: { seconds: 1.5, longestHold: 0.0005, census },
    sweeps: 4,
    threads: [
      { name: '1', busy: { ran: 12.5, waited: 0.25 }, delay: 0.001 },
      { name: 'control', busy: undefined, delay: 0.002 },
    ],
    threadDeaths: 2,
    process: {
      startTime: 1_799_999_000.5,
      cpuSeconds: 14.5,
      residentBytes: 50_000_000,
      openFiles: 31,
      mostFiles: 1_024,
    },
    database: { isUp: true, calls: calls.read(), failures: 6, owed: 8 },
    persistedDownloads: 100,
    keys: 5,
    listed: 21,
    bans: 17,
    accounting: undefined,
    ...changes,
  }
}
