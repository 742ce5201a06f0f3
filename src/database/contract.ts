/**
 * What the tracker asks of a database, whichever it is (spec/torrust-rest-api §9, spec/torrust-newest §5).
 * Every driver signs the same suite (test/database/suite.ts). Info hashes are packed, 20 bytes each; in
 * the tables they stand as 40 lower-case hex digits. A row that others wrote in upper case is of the same
 * torrent; where there are both, their counts are added up, and more is added to the lower-case one.
 *
 * Every method rejects with a `DatabaseError` and with nothing else, within `PATIENCE_MILLISECONDS`
 * whatever the server does; what it was asked to write is then either written whole or not at all. Many
 * may be called at once. Rows that others wrote and that mean nothing are skipped wherever they are read (rows.ts).
 */

/** Longest time a call may take: less than the management API gives a request (5 s). */
export const PATIENCE_MILLISECONDS = 4_000
/** Longest time opening may take: connecting, creating and migrating what is there. */
export const OPENING_MILLISECONDS = 9_000

/** Keys that one `removeKeysExpiredBefore` removes at most: any server is done with them in time. */
export const MOST_EXPIRED_KEYS = 10_000

/** How people call the drivers, in messages. */
export const DRIVER_NAMES = {
  sqlite3: 'Sqlite3',
  mysql: 'MySQL',
  postgresql: 'PostgreSQL',
} as const
export type Driver = keyof typeof DRIVER_NAMES

export type KeyRow = {
  /** 32 letters and digits. */
  readonly key: string
  /** Unix second until which it is good; null = for ever. */
  readonly validUntil: bigint | null
}

/** Instead of a count: the torrent was never stored. */
export const NO_ROW = -1

/** A part of a long table, and where the next part begins; undefined = this was the last. */
export type Part<T> = { readonly rows: T; readonly next: bigint | undefined }

export interface Database {
  /** Driver and place, for people: `sqlite3:./tracker.db`, `mysql://127.0.0.1:3306/tracker`. No secrets. */
  readonly about: string

  /** Resolves when it answers; a file only when it could be written to and is still the one that was opened. */
  ping(): Promise<void>

  /** Some thousands of whitelisted info hashes in an order of the driver's own; begin with 0. */
  readWhitelist(from: bigint): Promise<Part<Uint8Array>>
  /** `limit` of them behind the first `offset`, ascending. */
  listWhitelist(offset: number, limit: number): Promise<Uint8Array>
  /** Those that are there already stay. In one transaction. */
  addToWhitelist(hashes: Uint8Array): Promise<void>
  removeFromWhitelist(hashes: Uint8Array): Promise<void>

  readKeys(from: bigint): Promise<Part<readonly KeyRow[]>>
  /** Ascending by key. */
  listKeys(offset: number, limit: number): Promise<readonly KeyRow[]>
  /** All or none: rejects with fault `duplicate` when one is there already or stands there twice. */
  addKeys(rows: readonly KeyRow[]): Promise<void>
  /** In one transaction. How many there were. */
  removeKeys(keys: readonly string[]): Promise<number>
  /**
   * Removes keys whose `validUntil` is smaller, `MOST_EXPIRED_KEYS` at most. How many it removed: if that
   * many, there may be more.
   */
  removeKeysExpiredBefore(second: bigint): Promise<number>

  /** Stored completions of the torrents, in their order; `NO_ROW` = it has none. At most some hundreds. */
  downloadsOf(hashes: Uint8Array): Promise<Float64Array>
  /** Completions of all torrents since the database exists (`torrents_downloads_total`). */
  downloadsTotal(): Promise<number>
  /**
   * Adds `counts[i]` completions (whole, not negative) to torrent i and their sum to the total, in one
   * transaction. Resolves with the total after it. When the outcome of an earlier try is unknown, `provenBy` is the total
   * that it would have left: if the total is that already, nothing is added again.
   */
  addDownloads(hashes: Uint8Array, counts: Float64Array, provenBy?: number): Promise<number>

  /** Does what was asked before, then ends connections. Later calls reject with `unreachable`. */
  close(): Promise<void>
}

/**
 * `unreachable`: no connection, or it was lost; `late`: no answer in time. In both cases a write may have
 * been done or still be done; but a call that waited in vain for its turn is never begun (errand.ts).
 * `duplicate`: an `addKeys` found one of its keys. `refused`: the database said no (locked, full, no
 * such table, no permission). `invalid`: it is not what it should be.
 */
export type Fault = 'unreachable' | 'late' | 'duplicate' | 'refused' | 'invalid'

/** Its message is shown to operators and API clients: it holds no key, token or password. */
export class DatabaseError extends Error {
  readonly fault: Fault

  constructor(fault: Fault, message: string) {
    super(message)
    this.name = 'DatabaseError'
    this.fault = fault
  }
}
