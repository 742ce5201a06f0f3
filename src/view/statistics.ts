/**
 * The figures of `GET /api/v1/stats`, summed from the counters of the serving threads and the totals of the
 * swarm (docs/behaviours.md M1, M2). The family of a client is that of its own address, an IPv4-mapped one
 * being IPv4, whatever the family of the socket it reached.
 */
import { WEB } from '../bittorrent.ts'
import {
  type Counter,
  type Kind,
  type ListenerCounters,
  OFFERS_DROPPED,
} from '../memory/counters.ts'
import type { Totals } from '../swarm/swarm.ts'

export type StatisticsSources = {
  /** Of the listeners whose requests are shown. */
  readonly udp: readonly ListenerCounters[]
  readonly http: readonly ListenerCounters[]
  /** undefined = there is no WebSocket listener, shown or not. */
  readonly webSocket: readonly ListenerCounters[] | undefined
  readonly totals: Pick<
    Totals,
    'byFamily' | 'torrents' | 'seeders' | 'leechers' | 'completions' | 'refusals'
  >
  readonly bannedIps: number
  /** Completions in the database; undefined = the database does not keep them. */
  readonly persistedDownloads: number | undefined
}

/** What a figure is read from. */
class Source {
  readonly totals: StatisticsSources['totals']
  readonly persisted: number | undefined
  readonly banned: number
  readonly #sources: StatisticsSources

  constructor(sources: StatisticsSources) {
    this.totals = sources.totals
    this.persisted = sources.persistedDownloads
    this.banned = sources.bannedIps
    this.#sources = sources
  }
  tcp4 = (counter: Counter): number => this.#sum(this.#sources.http, counter).ipv4
  tcp6 = (counter: Counter): number => this.#sum(this.#sources.http, counter).ipv6
  udp4 = (counter: Counter): number => this.#sum(this.#sources.udp, counter).ipv4
  udp6 = (counter: Counter): number => this.#sum(this.#sources.udp, counter).ipv6

  ws4 = (counter: Counter): number => this.#sum(this.#sources.webSocket ?? [], counter).ipv4
  ws6 = (counter: Counter): number => this.#sum(this.#sources.webSocket ?? [], counter).ipv6
  ws = (counter: Counter): number => this.ws4(counter) + this.ws6(counter)

  get open(): number {
    return (this.#sources.webSocket ?? []).reduce(
      (sum, { open: { ipv4, ipv6 } }) => sum + ipv4 + ipv6,
      0,
    )
  }

  /** Mean of the means of the listeners that have samples, as in the reference. */
  mean(kind: Kind): number {
    const means = this.#sources.udp
      .map((listener) => listener.times(kind))
      .filter(({ samples }) => samples > 0)
      .map(({ nanoseconds, samples }) => nanoseconds / samples)
    return Math.round(means.reduce((sum, mean) => sum + mean, 0) / (means.length || 1))
  }

  #sum(listeners: readonly ListenerCounters[], counter: Counter): { ipv4: number; ipv6: number } {
    const sum = { ipv4: 0, ipv6: 0 }
    for (const listener of listeners) {
      const { ipv4, ipv6 } = listener.read(counter)
      sum.ipv4 += ipv4
      sum.ipv6 += ipv6
    }
    return sum
  }
}

/** In the order of the answer. */
const TABLE = {
  torrents: ({ totals }: Source) => totals.torrents,
  seeders: ({ totals }: Source) => totals.seeders,
  // As the newest generation: the total of all runs if the database keeps it, else of this run.
  completed: ({ persisted, totals }: Source) => persisted ?? totals.completions,
  completed_in_session: ({ totals }: Source) => totals.completions,
  completed_persisted: ({ persisted }: Source) => persisted ?? 0,
  completed_persisted_enabled: ({ persisted }: Source) => persisted !== undefined,
  leechers: ({ totals }: Source) => totals.leechers,
  tcp4_connections_handled: ({ tcp4 }: Source) => tcp4('announces') + tcp4('scrapes'),
  tcp4_announces_handled: ({ tcp4 }: Source) => tcp4('announces'),
  tcp4_scrapes_handled: ({ tcp4 }: Source) => tcp4('scrapes'),
  tcp6_connections_handled: ({ tcp6 }: Source) => tcp6('announces') + tcp6('scrapes'),
  tcp6_announces_handled: ({ tcp6 }: Source) => tcp6('announces'),
  tcp6_scrapes_handled: ({ tcp6 }: Source) => tcp6('scrapes'),
  udp_requests_discarded: ({ udp4, udp6 }: Source) => udp4('discarded') + udp6('discarded'),
  udp_requests_aborted: ({ udp4, udp6 }: Source) => udp4('aborted') + udp6('aborted'),
  udp_requests_banned: ({ udp4, udp6 }: Source) => udp4('banned') + udp6('banned'),
  udp_banned_ips_total: ({ banned }: Source) => banned,
  udp_avg_connect_processing_time_ns: (source: Source) => source.mean('connect'),
  udp_avg_announce_processing_time_ns: (source: Source) => source.mean('announce'),
  udp_avg_scrape_processing_time_ns: (source: Source) => source.mean('scrape'),
  udp4_requests: ({ udp4 }: Source) => udp4('received'),
  udp4_connections_handled: ({ udp4 }: Source) => udp4('connects'),
  udp4_announces_handled: ({ udp4 }: Source) => udp4('announces'),
  udp4_scrapes_handled: ({ udp4 }: Source) => udp4('scrapes'),
  udp4_responses: ({ udp4 }: Source) => udp4('responses'),
  udp4_errors_handled: ({ udp4 }: Source) => udp4('errors'),
  udp6_requests: ({ udp6 }: Source) => udp6('received'),
  udp6_connections_handled: ({ udp6 }: Source) => udp6('connects'),
  udp6_announces_handled: ({ udp6 }: Source) => udp6('announces'),
  udp6_scrapes_handled: ({ udp6 }: Source) => udp6('scrapes'),
  udp6_responses: ({ udp6 }: Source) => udp6('responses'),
  udp6_errors_handled: ({ udp6 }: Source) => udp6('errors'),
  announces_refused_full: ({ totals }: Source) => totals.refusals,
}

/** Behind them, where there is a WebSocket listener. */
const WEB_TABLE = {
  ws4_connections_handled: ({ ws4 }: Source) => ws4('opened'),
  ws4_announces_handled: ({ ws4 }: Source) => ws4('announces'),
  ws4_scrapes_handled: ({ ws4 }: Source) => ws4('scrapes'),
  ws4_offers_relayed: ({ ws4 }: Source) => ws4('relayedOffers'),
  ws4_answers_relayed: ({ ws4 }: Source) => ws4('relayedAnswers'),
  ws4_errors_handled: ({ ws4 }: Source) => ws4('errors'),
  ws4_requests: ({ ws4 }: Source) => ws4('received'),
  ws4_responses: ({ ws4 }: Source) => ws4('responses'),
  ws6_connections_handled: ({ ws6 }: Source) => ws6('opened'),
  ws6_announces_handled: ({ ws6 }: Source) => ws6('announces'),
  ws6_scrapes_handled: ({ ws6 }: Source) => ws6('scrapes'),
  ws6_offers_relayed: ({ ws6 }: Source) => ws6('relayedOffers'),
  ws6_answers_relayed: ({ ws6 }: Source) => ws6('relayedAnswers'),
  ws6_errors_handled: ({ ws6 }: Source) => ws6('errors'),
  ws6_requests: ({ ws6 }: Source) => ws6('received'),
  ws6_responses: ({ ws6 }: Source) => ws6('responses'),
  ws_connections_open: ({ open }: Source) => open,
  ws_offers_dropped: ({ ws }: Source) => OFFERS_DROPPED.reduce((sum, name) => sum + ws(name), 0),
  ws_answers_refused: ({ ws }: Source) => ws('strayAnswers'),
  ws_peers: ({ totals }: Source) =>
    totals.byFamily.reduce(
      (n, one) => n + (one.family === WEB ? one.seeders + one.leechers : 0),
      0,
    ),
}

type Figures<Table extends Readonly<Record<string, (source: Source) => unknown>>> = {
  readonly [Name in keyof Table]: ReturnType<Table[Name]>
}
export type Stats = Figures<typeof TABLE> & Partial<Figures<typeof WEB_TABLE>>

/** Names of the figures, in the order of the answer. */
export const FIGURES = Object.keys(TABLE) as readonly (keyof typeof TABLE)[]
export const WEB_FIGURES = Object.keys(WEB_TABLE) as readonly (keyof typeof WEB_TABLE)[]

export function readStatistics(sources: StatisticsSources): Stats {
  const source = new Source(sources)
  const table = sources.webSocket === undefined ? TABLE : { ...TABLE, ...WEB_TABLE }
  return Object.fromEntries(
    Object.entries(table).map(([name, read]) => [name, read(source)]),
  ) as Stats
}
