/**
 * What the tracker asks of a database, whichever it is (docs/behaviours.md D1). Every driver passes the same
 * suite (test/support/database/suite.ts). Info hashes are packed, 20 bytes each; in the tables they are
 * 40 lower-case hex digits. A row that another program wrote in upper case belongs to the same torrent: where
 * both rows exist their counts are added up, and further counts are added to the lower-case one.
 *
 * Calls may overlap. A call rejects with a `DatabaseError` and with nothing else, before its deadline and
 * within `CALL_MILLISECONDS` whatever the server does. A write is done completely or not at all. A call that
 * has not begun by its deadline is never done. Rows of other programs that mean nothing are skipped by
 * every read (schema.ts).
 */
import type { BatchName } from '../accounting/batch.ts'
import type { DatabaseConfig } from '../config/model.ts'
import type { Deadline } from '../time/deadline.ts'
import type { AccountingDatabase } from './accounting-contract.ts'
import type { KeyRow, Part } from './rows.ts'

export type { KeyRow, Part } from './rows.ts'

/** The longest that a call takes: less than the management API gives a request (5 s). */
export const CALL_MILLISECONDS = 4_000
/**
 * A driver ends this long before the deadline of the call, so that the caller still hears its reason, which
 * is better than hearing nothing.
 */
export const RETURN_MILLISECONDS = 250
/** The longest that opening takes: connecting, creating and migrating the tables. */
export const OPENING_MILLISECONDS = 9_000

/** The most keys that one `removeKeysExpiredBefore` removes: every server does that in time. */
export const MOST_EXPIRED_KEYS = 10_000

/** Display names of the drivers. */
export const DRIVER_NAMES = {
  sqlite3: 'Sqlite3',
  mysql: 'MySQL',
  postgresql: 'PostgreSQL',
} as const
export type Driver = keyof typeof DRIVER_NAMES

/** In place of a count: the torrent was never stored. */
export const NO_ROW = -1

export interface Database {
  /** Driver and place for messages: `sqlite3:./tracker.db`, `mysql://127.0.0.1:3306/tracker`. No secrets. */
  readonly about: string
  /** Its tables exist once it was opened. */
  readonly accounting: AccountingDatabase

  /**
   * Resolves when the database answers. A file answers only if it can be written and is still the one that was
   * opened.
   */
  ping(deadline?: Deadline): Promise<void>

  /** Some thousands of whitelisted info hashes in an order of the driver's own; begin with 0. */
  readWhitelist(from: bigint, deadline?: Deadline): Promise<Part<Uint8Array>>
  /** At most `limit` hashes after the first `offset`, ascending. */
  listWhitelist(offset: number, limit: number, deadline?: Deadline): Promise<Uint8Array>
  /** Hashes that are listed already stay. In one transaction. */
  addToWhitelist(hashes: Uint8Array, deadline?: Deadline): Promise<void>
  removeFromWhitelist(hashes: Uint8Array, deadline?: Deadline): Promise<void>

  readKeys(from: bigint, deadline?: Deadline): Promise<Part<readonly KeyRow[]>>
  /** Ascending by key. */
  listKeys(offset: number, limit: number, deadline?: Deadline): Promise<readonly KeyRow[]>
  /** All or none: rejects with fault `duplicate` when a key exists already or is given twice. */
  addKeys(rows: readonly KeyRow[], deadline?: Deadline): Promise<void>
  /** In one transaction. The number of keys that existed. */
  removeKeys(keys: readonly string[], deadline?: Deadline): Promise<number>
  /**
   * Removes keys with a smaller `validUntil`, at most `MOST_EXPIRED_KEYS`. The number of keys removed: if it is
   * the most, there may be more.
   */
  removeKeysExpiredBefore(second: bigint, deadline?: Deadline): Promise<number>

  /** Stored completions of the torrents, in their order; `NO_ROW` = never stored. At most some hundreds. */
  downloadsOf(hashes: Uint8Array, deadline?: Deadline): Promise<Float64Array>
  /** Completions of all torrents over the life of the database (`torrents_downloads_total`). */
  downloadsTotal(deadline?: Deadline): Promise<number>
  /**
   * Adds `counts[i]` completions (whole, not negative) to torrent i and their sum to the total, in one
   * transaction. Resolves with the new total. What was added under this name, or under a later one of the same
   * writer, is not added again: so a write may be repeated when its outcome is unknown.
   */
  addDownloads(
    hashes: Uint8Array,
    counts: Float64Array,
    name: BatchName,
    deadline?: Deadline,
  ): Promise<number>

  /** Finishes the calls that were made, then disconnects. Later calls reject with `unreachable`. */
  close(): Promise<void>
}

/**
 * `unreachable`: no connection, or it was lost. `late`: no answer by the deadline. A write may have been done
 * or may still be done in both cases (`isInDoubt`). `unbegun`: it had to wait until the deadline, and is never done.
 * `duplicate`: an `addKeys` found one of its keys. `refused`: the database refused (locked, full, no such
 * table, no permission). `invalid`: the data or the request is not what it should be.
 */
export type Fault = 'unreachable' | 'late' | 'unbegun' | 'duplicate' | 'refused' | 'invalid'

/** Its message is shown to operators and API clients: it holds no key, token or password. */
export class DatabaseError extends Error {
  readonly fault: Fault

  constructor(fault: Fault, message: string) {
    super(message)
    this.name = 'DatabaseError'
    this.fault = fault
  }
}

/** Whether a write that failed like this may have been done all the same. Bugs prove nothing. */
export const isInDoubt = (error: unknown): boolean =>
  !(error instanceof DatabaseError) || error.fault === 'unreachable' || error.fault === 'late'

// The messages that all drivers share (D6). They quote what a server or a library said: the caller
// must know that it holds no secret.

/** Driver and place, as in `Database.about`. */
export function placeOf(config: DatabaseConfig): string {
  if (config.driver === 'sqlite3') return `sqlite3:${config.path}`
  const host = config.host.includes(':') ? `[${config.host}]` : config.host
  return `${config.driver}://${host}:${config.port}/${config.database}`
}

/** The database does not open. `reason` is one line: the cause and, if there is one, the remedy. */
export const cannotOpen = (config: DatabaseConfig, fault: Fault, reason: string): DatabaseError =>
  new DatabaseError(fault, `cannot open the database ${placeOf(config)}: ${reason}`)

/** A statement failed, in the words that clients of the management API know. */
export const queryFailed = (driver: Driver, fault: Fault, reason: string): DatabaseError =>
  new DatabaseError(fault, `The ${DRIVER_NAMES[driver]} query was malformed: ${reason}`)

/** A call after `close`. */
export const closed = (place: string): DatabaseError =>
  new DatabaseError('unreachable', `the database ${place} is closed`)

/** A call that did not answer in time. */
export const late = (place: string): DatabaseError =>
  new DatabaseError(
    'late',
    // A caller with a shorter deadline that waits until then has a message of its own.
    `the database ${place} has not answered within ${CALL_MILLISECONDS / 1_000} s`,
  )

/** A call that waited too long for its turn. */
export const notBegun = (place: string): DatabaseError =>
  new DatabaseError('unbegun', `${late(place).message}; nothing was changed`)
