/**
 * What the management API is given by the composition root: it opens neither swarm nor database. Types
 * only; who implements them is said at each.
 */
import type { SchemaVersion } from '../config/model.ts'
import type { Fault } from '../database/contract.ts'
import type { InspectedTorrent } from '../view/inspect.ts'
import type { TorrentSummary } from '../view/listing.ts'

/** A key as the API shows it. */
export type AuthKey = {
  readonly key: string
  /** Millisecond since the epoch until which it is good, fractions of a second included; null = for ever. */
  readonly expires: bigint | null
}

/** One key to add: `key` null = make one up; `secondsValid` null = for ever, else up to `LAST_EXPIRY_SECOND`. */
export type NewKey = { readonly key: string | null; readonly secondsValid: bigint | null }

/**
 * Keys and whitelist (`permissions.ts`). Each method changes the database first, then what every thread
 * reads, and rejects with an error whose `fault` is a `Fault` when the database fails: then nothing was
 * changed, unless its message says that this is not known. They are done one after the other, in the order of the calls.
 */
export interface PermissionBook {
  /** Packed info hashes, 20 bytes each. */
  addToWhitelist(hashes: Uint8Array): Promise<void>
  removeFromWhitelist(hashes: Uint8Array): Promise<void>
  reloadWhitelist(): Promise<void>
  listWhitelist(offset: number, limit: number): Promise<Uint8Array>
  /** In the order of `keys`. `duplicate` when a name is taken or given twice: nothing was added. */
  addKeys(keys: readonly NewKey[]): Promise<readonly AuthKey[]>
  /** How many there were. */
  removeKeys(keys: readonly string[]): Promise<number>
  reloadKeys(): Promise<void>
  listKeys(offset: number, limit: number): Promise<readonly AuthKey[]>
}
export type PermissionFault = Error & { readonly fault: Fault }

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
  readonly permissions: PermissionBook | undefined
  /** `core.database` is configured as this, for error texts (`Sqlite3`, `MySQL`, `PostgreSQL`). */
  readonly databaseName: string
  /** Told of an error nobody foresaw. */
  report(what: string, error: unknown): void
}

/** Beyond this (year 262142) a reference tracker on the same database could not print the expiry. */
export const LAST_EXPIRY_SECOND = 8_210_266_876_799n
