/**
 * The figures of `GET /api/v1/stats`, summed from the counters of the serving threads and the totals of the
 * swarm (docs/behaviours.md M1, M2). The family of a client is that of its own address, an IPv4-mapped one
 * being IPv4, whatever the family of the socket it reached.
 */
import type { Counter, Kind, Metrics } from '../memory/counters.ts'
import type { Totals } from '../swarm/swarm.ts'

/** Names of the figures, in the order of the answer. */
export const FIGURES = [
  'torrents',
  'seeders',
  'completed',
  'completed_in_session',
  'completed_persisted',
  'completed_persisted_enabled',
  'leechers',
  'tcp4_connections_handled',
  'tcp4_announces_handled',
  'tcp4_scrapes_handled',
  'tcp6_connections_handled',
  'tcp6_announces_handled',
  'tcp6_scrapes_handled',
  'udp_requests_discarded',
  'udp_requests_aborted',
  'udp_requests_banned',
  'udp_banned_ips_total',
  'udp_avg_connect_processing_time_ns',
  'udp_avg_announce_processing_time_ns',
  'udp_avg_scrape_processing_time_ns',
  'udp4_requests',
  'udp4_connections_handled',
  'udp4_announces_handled',
  'udp4_scrapes_handled',
  'udp4_responses',
  'udp4_errors_handled',
  'udp6_requests',
  'udp6_connections_handled',
  'udp6_announces_handled',
  'udp6_scrapes_handled',
  'udp6_responses',
  'udp6_errors_handled',
] as const

export type Stats = {
  readonly [Name in (typeof FIGURES)[number]]: Name extends 'completed_persisted_enabled'
    ? boolean
    : number
}

export type StatisticsSources = {
  readonly metrics: Metrics
  /** Rows of the listeners whose requests are shown. */
  readonly udp: readonly number[]
  readonly http: readonly number[]
  readonly totals: () => Totals
  readonly bannedIps: () => number
  /** Completions in the database; undefined = the database does not keep them. */
  readonly persistedDownloads: (() => number) | undefined
}

const FAMILIES = ['ipv4', 'ipv6'] as const
type Family = (typeof FAMILIES)[number]

export function readStatistics(sources: StatisticsSources): Stats {
  const { metrics, udp, http } = sources
  const totals = sources.totals()
  const sum = (listeners: readonly number[], counter: Counter, family: Family): number =>
    listeners.reduce((all, listener) => all + metrics.read(listener, counter)[family], 0)
  const both = (counter: Counter): number =>
    FAMILIES.reduce((all, family) => all + sum(udp, counter, family), 0)
  const persisted = sources.persistedDownloads?.()
  const tcp = (family: Family) => {
    const announces = sum(http, 'announces', family)
    const scrapes = sum(http, 'scrapes', family)
    return { connections: announces + scrapes, announces, scrapes }
  }
  const [tcp4, tcp6] = [tcp('ipv4'), tcp('ipv6')]
  return {
    torrents: totals.torrents,
    seeders: totals.seeders,
    // As the newest generation: the total of all runs if the database keeps it, else of this run.
    completed: persisted ?? totals.completions,
    completed_in_session: totals.completions,
    completed_persisted: persisted ?? 0,
    completed_persisted_enabled: persisted !== undefined,
    leechers: totals.leechers,
    tcp4_connections_handled: tcp4.connections,
    tcp4_announces_handled: tcp4.announces,
    tcp4_scrapes_handled: tcp4.scrapes,
    tcp6_connections_handled: tcp6.connections,
    tcp6_announces_handled: tcp6.announces,
    tcp6_scrapes_handled: tcp6.scrapes,
    udp_requests_discarded: both('discarded'),
    udp_requests_aborted: both('aborted'),
    udp_requests_banned: both('banned'),
    udp_banned_ips_total: sources.bannedIps(),
    udp_avg_connect_processing_time_ns: mean(metrics, udp, 'connect'),
    udp_avg_announce_processing_time_ns: mean(metrics, udp, 'announce'),
    udp_avg_scrape_processing_time_ns: mean(metrics, udp, 'scrape'),
    udp4_requests: sum(udp, 'received', 'ipv4'),
    udp4_connections_handled: sum(udp, 'connects', 'ipv4'),
    udp4_announces_handled: sum(udp, 'announces', 'ipv4'),
    udp4_scrapes_handled: sum(udp, 'scrapes', 'ipv4'),
    udp4_responses: sum(udp, 'responses', 'ipv4'),
    udp4_errors_handled: sum(udp, 'errors', 'ipv4'),
    udp6_requests: sum(udp, 'received', 'ipv6'),
    udp6_connections_handled: sum(udp, 'connects', 'ipv6'),
    udp6_announces_handled: sum(udp, 'announces', 'ipv6'),
    udp6_scrapes_handled: sum(udp, 'scrapes', 'ipv6'),
    udp6_responses: sum(udp, 'responses', 'ipv6'),
    udp6_errors_handled: sum(udp, 'errors', 'ipv6'),
  }
}

/** Mean of the means of the listeners that have samples, as in the reference. */
function mean(metrics: Metrics, listeners: readonly number[], kind: Kind): number {
  const means = listeners
    .map((listener) => metrics.processing(listener, kind))
    .filter(({ samples }) => samples > 0)
    .map(({ nanoseconds, samples }) => nanoseconds / samples)
  const all = means.reduce((sum, one) => sum + one, 0)
  return means.length === 0 ? 0 : Math.round(all / means.length)
}
