/**
 * The SQLite driver (bun:sqlite). Everything it does holds up its thread, so it must never be opened on a
 * serving thread (remote.ts). What it has answered is on the disk: WAL, and a sync at every commit. It waits
 * for locks of other processes without holding up the calls behind.
 */
import { Database as Connection, type SQLQueryBindings, type Statement } from 'bun:sqlite'
import { statSync } from 'node:fs'
import { resolve } from 'node:path'
import { INFO_HASH_BYTES, KEY_CHARACTERS } from '../bittorrent.ts'
import type { DatabaseConfig } from '../config/model.ts'
import { Deadline } from '../time/deadline.ts'
import {
  closed,
  type Database,
  driverDeadline,
  type KeyRow,
  MOST_EXPIRED_KEYS,
  NO_ROW,
  notBegun,
  type Part,
  placeOf,
} from './contract.ts'
import { makeFile, OpenFile } from './open-file.ts'
import { formsOf, hashTexts, LARGEST, LEAST_ID, packHashes, readKeyRows, TOTAL } from './schema.ts'
import { isBusy, openingFailure, queryFailure } from './sqlite-failure.ts'
import { ForeignFile, migrate } from './sqlite-schema.ts'

/** How long another process may hold a lock that is needed, if the deadline is not earlier. */
const LOCK_MILLISECONDS = 3_000
const RETRY_MILLISECONDS = 10

/** Rows of a part: ten milliseconds at most in which no other call is answered. */
const PART_ROWS = 10_000

// The rules of schema.ts, and fast: a listing passes over every row that it skips.
const IS_HASH = `typeof(info_hash) = 'text' AND length(unhex(info_hash)) = ${INFO_HASH_BYTES}
  AND info_hash IN (lower(info_hash), upper(info_hash))`
/** Where both forms of a hash exist, the upper-case one is not listed. */
const IS_ONLY_FORM = `(info_hash = lower(info_hash) OR NOT EXISTS
  (SELECT 1 FROM whitelist AS twin WHERE twin.info_hash = lower(whitelist.info_hash)))`
const IS_KEY = `typeof(key) = 'text' AND length(key) = ${KEY_CHARACTERS} AND key NOT GLOB '*[^0-9A-Za-z]*'
  AND typeof(valid_until) IN ('integer', 'null')`

const SQL = {
  readWhitelist: `SELECT id, info_hash FROM whitelist WHERE id >= ?1 ORDER BY id LIMIT ${PART_ROWS}`,
  listWhitelist: `SELECT info_hash FROM whitelist WHERE ${IS_HASH} AND ${IS_ONLY_FORM} ORDER BY info_hash LIMIT ?2 OFFSET ?1`,
  addHash: `INSERT INTO whitelist (info_hash)
    SELECT ?1 WHERE NOT EXISTS (SELECT 1 FROM whitelist WHERE info_hash IN (?1, ?2))`,
  removeHash: 'DELETE FROM whitelist WHERE info_hash IN (?1, ?2)',
  readKeys: `SELECT id, key, valid_until FROM keys WHERE id >= ?1 ORDER BY id LIMIT ${PART_ROWS}`,
  listKeys: `SELECT key, valid_until FROM keys WHERE ${IS_KEY} ORDER BY key LIMIT ?2 OFFSET ?1`,
  addKey: 'INSERT INTO keys (key, valid_until) VALUES (?1, ?2)',
  removeKey: 'DELETE FROM keys WHERE key = ?1',
  // The sign is ignored, and the least number has no absolute value.
  removeExpired: `DELETE FROM keys WHERE id IN
    (SELECT id FROM keys WHERE typeof(valid_until) = 'integer'
      AND valid_until < ?1 AND valid_until > -?1 LIMIT ${MOST_EXPIRED_KEYS})`,
  completed: 'SELECT completed FROM torrents WHERE info_hash IN (?1, ?2)',
  // Beyond 64 bits the sum is a floating-point number, larger than the largest integer, and cut to that.
  addCompleted: `INSERT INTO torrents (info_hash, completed) VALUES (
      iif(EXISTS (SELECT 1 FROM torrents WHERE info_hash = ?2)
        AND NOT EXISTS (SELECT 1 FROM torrents WHERE info_hash = ?1), ?2, ?1), ?3)
    ON CONFLICT (info_hash) DO UPDATE SET completed = min(max(completed, 0) + ?3, ${LARGEST})`,
  total: 'SELECT value FROM torrent_aggregate_metrics WHERE metric_name = ?1',
  addTotal: `INSERT INTO torrent_aggregate_metrics (metric_name, value) VALUES (?1, ?2)
    ON CONFLICT (metric_name) DO UPDATE SET value = min(max(value, 0) + ?2, ${LARGEST})`,
} as const
type Statements = { readonly [S in keyof typeof SQL]: Statement<unknown, SQLQueryBindings[]> }
type Row = readonly unknown[]

/** Opens the file, or creates it and its directory, and brings its tables up to date (schema.ts). */
export async function openSqlite(
  config: DatabaseConfig & { driver: 'sqlite3' },
): Promise<Database> {
  let connection: Connection | undefined
  try {
    const path = resolve(config.path)
    if (isDirectory(path)) throw new ForeignFile('it is a directory: name a file in it')
    makeFile(path)
    connection = new Connection(path, { create: true, safeIntegers: true, strict: true })
    const file = new OpenFile(path, placeOf(config))
    const opened = connection
    await untilFree(() => prepareFile(opened), Deadline.in(LOCK_MILLISECONDS))
    const statements = Object.fromEntries(
      Object.entries(SQL).map(([name, sql]) => [name, opened.prepare(sql)]),
    ) as Statements
    return new SqliteDatabase(file, opened, statements)
  } catch (error) {
    connection?.close()
    throw openingFailure(config, error)
  }
}

function isDirectory(path: string): boolean {
  try {
    return statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOTDIR')
      throw new ForeignFile('a part of its path is a file: name another directory')
    throw error
  }
}

function prepareFile(connection: Connection): void {
  // `untilFree` waits for locks: SQLite's own wait would hold up the thread.
  connection.run('PRAGMA busy_timeout = 0')
  connection.run('PRAGMA synchronous = FULL')
  // First: a file that turns out to be another program's must stay as it is.
  transact(connection, () => migrate(connection))
  connection.run('PRAGMA journal_mode = WAL')
  // The log of a burst must not stay on the disk for ever.
  connection.run('PRAGMA journal_size_limit = 67108864')
}

/** All of the work or, if it throws, nothing of it. */
function transact<T>(connection: Connection, work: () => T): T {
  connection.run('BEGIN IMMEDIATE')
  try {
    const result = work()
    connection.run('COMMIT')
    return result
  } catch (error) {
    // Some errors, such as a full disk, have ended the transaction already.
    if (connection.inTransaction) connection.run('ROLLBACK')
    throw error
  }
}

/** Repeats the work until no other process holds a lock that it needs. Rejects with its error at the deadline. */
async function untilFree<T>(work: () => T, deadline: Deadline): Promise<T> {
  for (;;) {
    try {
      return work()
    } catch (error) {
      if (!isBusy(error)) throw error
      await Bun.sleep(Math.min(RETRY_MILLISECONDS, deadline.left))
      if (deadline.isOver) throw error
    }
  }
}

class SqliteDatabase implements Database {
  readonly about: string
  readonly #file: OpenFile
  readonly #connection: Connection
  readonly #statements: Statements
  #closed = false
  /** Writes are done in the order of their calls. */
  #lastWrite: Promise<unknown> = Promise.resolve()

  constructor(file: OpenFile, connection: Connection, statements: Statements) {
    this.about = file.about
    this.#file = file
    this.#connection = connection
    this.#statements = statements
  }

  /** An empty write: reads succeed while another process locks the file, and after the file is gone. */
  ping(deadline?: Deadline): Promise<void> {
    return this.#write(deadline, () => undefined)
  }

  readWhitelist(from: bigint, deadline?: Deadline): Promise<Part<Uint8Array>> {
    return this.#readPart(deadline, this.#statements.readWhitelist, from, (rows) =>
      packHashes(rows.map((row) => row[1])),
    )
  }

  async listWhitelist(offset: number, limit: number, deadline?: Deadline): Promise<Uint8Array> {
    const { listWhitelist } = this.#statements
    const rows = await this.#read(deadline, () => listWhitelist.values(offset, limit))
    return packHashes(rows.map(([text]) => text))
  }

  addToWhitelist(hashes: Uint8Array, deadline?: Deadline): Promise<void> {
    return this.#write(deadline, () => {
      for (const text of hashTexts(hashes)) this.#statements.addHash.run(...formsOf(text))
    })
  }

  removeFromWhitelist(hashes: Uint8Array, deadline?: Deadline): Promise<void> {
    return this.#write(deadline, () => {
      for (const text of hashTexts(hashes)) this.#statements.removeHash.run(...formsOf(text))
    })
  }

  readKeys(from: bigint, deadline?: Deadline): Promise<Part<readonly KeyRow[]>> {
    return this.#readPart(deadline, this.#statements.readKeys, from, (rows) =>
      readKeyRows(rows.map(([, key, validUntil]) => [key, validUntil])),
    )
  }

  async listKeys(offset: number, limit: number, deadline?: Deadline): Promise<readonly KeyRow[]> {
    const { listKeys } = this.#statements
    return readKeyRows(await this.#read(deadline, () => listKeys.values(offset, limit)))
  }

  addKeys(rows: readonly KeyRow[], deadline?: Deadline): Promise<void> {
    return this.#write(deadline, () => {
      for (const row of rows) this.#statements.addKey.run(row.key, row.validUntil)
    })
  }

  removeKeys(keys: readonly string[], deadline?: Deadline): Promise<number> {
    return this.#write(deadline, () =>
      keys.reduce((sum, key) => sum + this.#statements.removeKey.run(key).changes, 0),
    )
  }

  removeKeysExpiredBefore(second: bigint, deadline?: Deadline): Promise<number> {
    return this.#write(deadline, () => this.#statements.removeExpired.run(second).changes)
  }

  downloadsOf(hashes: Uint8Array, deadline?: Deadline): Promise<Float64Array> {
    return this.#read(deadline, () =>
      Float64Array.from(hashTexts(hashes), (text) => {
        const rows = this.#statements.completed.values(...formsOf(text))
        return rows.length === 0 ? NO_ROW : rows.reduce((sum, row) => sum + countIn(row), 0)
      }),
    )
  }

  downloadsTotal(deadline?: Deadline): Promise<number> {
    return this.#read(deadline, () => countIn(this.#statements.total.values(TOTAL)[0]))
  }

  addDownloads(
    hashes: Uint8Array,
    counts: Float64Array,
    provenBy?: number,
    deadline?: Deadline,
  ): Promise<number> {
    const { addCompleted, addTotal, total } = this.#statements
    return this.#write(deadline, () => {
      const before = countIn(total.values(TOTAL)[0])
      if (before === provenBy) return before
      let sum = 0n
      for (const [i, text] of hashTexts(hashes).entries()) {
        const count = BigInt(counts[i]!)
        addCompleted.run(...formsOf(text), count)
        sum += count
      }
      addTotal.run(TOTAL, sum)
      return countIn(total.values(TOTAL)[0])
    })
  }

  /** Finishes the writes that were called before. */
  async close(): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    await this.#lastWrite
    for (const statement of Object.values(this.#statements)) statement.finalize()
    this.#connection.close()
  }

  async #readPart<T>(
    deadline: Deadline | undefined,
    statement: Statements[keyof Statements],
    from: bigint,
    read: (rows: Row[]) => T,
  ): Promise<Part<T>> {
    const rows = await this.#read(deadline, () => statement.values(LEAST_ID + from) as Row[])
    const last = rows.length < PART_ROWS ? LARGEST : (rows.at(-1)![0] as bigint)
    return { rows: read(rows), next: last === LARGEST ? undefined : last - LEAST_ID + 1n }
  }

  async #read<T>(deadline = driverDeadline(), work: () => T): Promise<T> {
    if (this.#closed) throw closed(this.about)
    try {
      return await untilFree(() => {
        // It may have been closed while this waited for a lock.
        if (this.#closed) throw closed(this.about)
        return work()
      }, deadline.within(LOCK_MILLISECONDS))
    } catch (error) {
      throw queryFailure(error)
    }
  }

  async #write<T>(deadline = driverDeadline(), work: () => T): Promise<T> {
    if (this.#closed) throw closed(this.about)
    const before = this.#lastWrite
    const free = deadline.within(LOCK_MILLISECONDS)
    const write = (async () => {
      if (!(await deadline.waitFor(before)) || deadline.isOver) throw notBegun(this.about)
      return await untilFree(() => transact(this.#connection, () => this.#inPlace(work)), free)
    })()
    // Without the results: each would keep the one before it alive, back to the first.
    this.#lastWrite = Promise.allSettled([before, write]).then(() => undefined)
    try {
      return await write
    } catch (error) {
      throw queryFailure(error)
    }
  }

  /** Never writes to a file that the next start would not find. */
  #inPlace<T>(work: () => T): T {
    this.#file.assertStillThere()
    return work()
  }
}

/** The count in the first column of a row; 0 if there is no row or no count in it. */
function countIn(row: Row | undefined): number {
  const value = row?.[0]
  return typeof value === 'bigint' && value > 0n ? Number(value) : 0
}
