/** The tracker at a glance: what the dashboard and `tracker status` show first. */
import {
  type Counter,
  DROPPED,
  KINDS,
  OFFERS_DROPPED,
  REFUSED_KINDS,
  SERVED,
} from '../memory/counters.ts'
import { outcomeName, REFUSALS } from '../refusal.ts'
import type { Alert } from './alerts.ts'
import type { Moment } from './history.ts'
import type { MeteredListener, MetricSources } from './metrics.ts'

/** As JSON; times in seconds since the epoch, sizes in bytes. */
export type Overview = ReturnType<typeof overviewOf>

export type ShownListener = MeteredListener & {
  readonly url: string
  readonly announceUrl: string
}

/** `moment`: the last second; undefined: the tracker has just started. */
export function overviewOf(
  sources: MetricSources,
  listeners: readonly ShownListener[],
  moment: Moment | undefined,
  alerts: readonly Alert[],
) {
  const { totals, process, database, threads, accounting } = sources
  return {
    version: sources.version,
    commit: sources.commit ?? null,
    now: sources.milliseconds / 1000,
    started: process.startTime,
    alerts,
    moment: moment ?? null,
    listeners: listeners.map((listener) => ({
      url: listener.url,
      announce_url: listener.announceUrl,
      certificate_ends: listener.certificateEnds ?? null,
      served: KINDS.reduce((sum, kind) => sum + total(listener.counters.read(SERVED[kind])), 0),
      refused: total(listener.counters.read('errors')),
      dropped: DROPPED.reduce((sum, name) => sum + total(listener.counters.read(name)), 0),
      buffer_drops: listener.drops ?? null,
      ...(listener.type === 'websocket_tracker' && { web: webFigures(listener) }),
    })),
    /** Since the start, the most frequent first; reasons that never happened are absent. */
    refusals: REFUSED_KINDS.flatMap((kind) =>
      REFUSALS.map((reason) => ({
        kind,
        reason: outcomeName(reason),
        count: listeners.reduce(
          (sum, { counters }) => sum + total(counters.refused(kind, reason)),
          0,
        ),
      })),
    )
      .filter(({ count }) => count > 0)
      .sort((a, b) => b.count - a.count),
    torrents: totals.torrents,
    seeders: totals.seeders,
    leechers: totals.leechers,
    families: totals.byFamily,
    downloads: totals.completions,
    downloads_stored: sources.persistedDownloads ?? null,
    refused_full: totals.refusals,
    /** Torrents by number of peers at the last sweep: none, 1, 2–3, 4–7 and so on. */
    sizes: sources.sweep?.census.sizes ?? null,
    memory: sources.memory,
    process: {
      resident: process.residentBytes,
      open_files: process.openFiles ?? null,
      most_files: process.mostFiles ?? null,
    },
    threads: threads.map(({ name, busy, delay }) => ({ name, ran: busy?.ran ?? null, delay })),
    thread_deaths: sources.threadDeaths,
    database: database && {
      works: database.isUp,
      calls: database.calls.samples,
      seconds: database.calls.nanoseconds / 1e9,
      failures: database.failures,
      owed: database.owed,
    },
    keys: sources.keys ?? null,
    listed: sources.listed ?? null,
    bans: sources.bans,
    /** Absent while it is off. */
    ...(accounting && { accounting: { level: accounting.level, lag: accounting.lagSeconds } }),
  }
}

/** Of a WebSocket listener alone. */
function webFigures({ counters }: ShownListener) {
  const of = (counter: Counter) => total(counters.read(counter))
  return {
    open: total(counters.open),
    announces: of('announces'),
    offers_relayed: of('relayedOffers'),
    answers_relayed: of('relayedAnswers'),
    offers_dropped: OFFERS_DROPPED.reduce((sum, name) => sum + of(name), 0),
  }
}

const total = ({ ipv4, ipv6 }: { ipv4: number; ipv6: number }): number => ipv4 + ipv6
