/**
 * What the management API is given by the composition root: it opens neither swarm nor database. Types
 * only; who implements them is said at each.
 */
import type { SchemaVersion } from '../config/model.ts'
import type { PermissionStore } from '../storage/permissions.ts'
import type { InspectedTorrent } from '../view/inspect.ts'
import type { TorrentSummary } from '../view/listing.ts'

/** The swarm as the API shows it (`cli/torrent-view.ts`). All may be asked while it is busy. */
export interface TorrentView {
  /** `words`: the info hash, five words in memory order. undefined = unknown. */
  one(words: Int32Array): Promise<InspectedTorrent | undefined>
  /** Of each that is known, in the order asked, repetitions repeated. */
  some(hashes: readonly Int32Array[]): Promise<readonly TorrentSummary[]>
  /** `limit` torrents behind the first `offset`, ascending by info hash, some thousands at a time. */
  page(offset: number, limit: number): AsyncIterable<readonly TorrentSummary[]>
}

/** Figures of `GET /api/v1/stats` (`statistics.ts`), named as there; spec/torrust-newest §2.2. */
export type Stats = {
  readonly torrents: number
  readonly seeders: number
  readonly completed: number
  readonly completed_in_session: number
  readonly completed_persisted: number
  readonly completed_persisted_enabled: boolean
  readonly leechers: number
  readonly tcp4_connections_handled: number
  readonly tcp4_announces_handled: number
  readonly tcp4_scrapes_handled: number
  readonly tcp6_connections_handled: number
  readonly tcp6_announces_handled: number
  readonly tcp6_scrapes_handled: number
  readonly udp_requests_discarded: number
  readonly udp_requests_aborted: number
  readonly udp_requests_banned: number
  readonly udp_banned_ips_total: number
  readonly udp_avg_connect_processing_time_ns: number
  readonly udp_avg_announce_processing_time_ns: number
  readonly udp_avg_scrape_processing_time_ns: number
  readonly udp4_requests: number
  readonly udp4_connections_handled: number
  readonly udp4_announces_handled: number
  readonly udp4_scrapes_handled: number
  readonly udp4_responses: number
  readonly udp4_errors_handled: number
  readonly udp6_requests: number
  readonly udp6_connections_handled: number
  readonly udp6_announces_handled: number
  readonly udp6_scrapes_handled: number
  readonly udp6_responses: number
  readonly udp6_errors_handled: number
}

export interface ApiParts {
  /** Texts that the generations of the reference word differently are those of this one. */
  readonly schema: SchemaVersion
  /** Any of them opens every route. */
  readonly tokens: readonly string[]
  stats(): Stats
  readonly torrents: TorrentView
  /** undefined: there is no database, so their routes answer 409. */
  readonly permissions: PermissionStore | undefined
  /** `core.database` is configured as this, for error texts (`Sqlite3`, `MySQL`, `PostgreSQL`). */
  readonly databaseName: string
  /** Told of an error nobody foresaw. */
  report(what: string, error: unknown): void
}
