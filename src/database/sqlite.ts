/**
 * The SQLite driver (bun:sqlite). Whatever it does, it does at once on its thread, so it must never be
 * opened on a thread that serves (remote.ts). What was answered is on the disk: WAL and a sync at every
 * commit. Locks of other processes are waited for without holding up the calls behind.
 */
import { Database as Connection, type SQLQueryBindings, type Statement } from 'bun:sqlite'
import { statSync } from 'node:fs'
import { resolve } from 'node:path'
import type { DatabaseConfig } from '../config/model.ts'
import { type Database, type KeyRow, MOST_EXPIRED_KEYS, NO_ROW, type Part } from './contract.ts'
import { closed, placeOf } from './faults.ts'
import { makeFile, OpenFile } from './open-file.ts'
import { formsOf, hashTexts, packHashes, readKeyRows } from './rows.ts'
import { TOTAL } from './schema.ts'
import { isBusy, openingFailure, queryFailure } from './sqlite-failure.ts'
import { ForeignFile, migrate } from './sqlite-schema.ts'

/** How long another process may hold a lock that is needed: less than the patience of any call. */
const LOCK_MILLISECONDS = 3_000
const LOOK_AGAIN_MILLISECONDS = 10

/** Rows of a part: ten milliseconds at most in which no other call is answered. */
const PART_ROWS = 10_000

/** Ids begin here, whoever gave them; `Part.next` counts from it, so that 0 is the beginning. */
const LEAST_ID = -(2n ** 63n)
const LARGEST = 2n ** 63n - 1n

// As rows.ts, and quick: a listing passes over every row that it leaves out.
const IS_HASH = `typeof(info_hash) = 'text' AND length(unhex(info_hash)) = 20
  AND info_hash IN (lower(info_hash), upper(info_hash))`
/** Where there are both forms of a hash, the one in capitals is not listed. */
const IS_ONLY_FORM = `(info_hash = lower(info_hash) OR NOT EXISTS
  (SELECT 1 FROM whitelist AS twin WHERE twin.info_hash = lower(whitelist.info_hash)))`
const IS_KEY = `typeof(key) = 'text' AND length(key) = 32 AND key NOT GLOB '*[^0-9A-Za-z]*'
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
  // The sign means nothing, and the absolute value of the least number does not exist.
  removeExpired: `DELETE FROM keys WHERE id IN
    (SELECT id FROM keys WHERE typeof(valid_until) = 'integer'
      AND valid_until < ?1 AND valid_until > -?1 LIMIT ${MOST_EXPIRED_KEYS})`,
  completed: 'SELECT completed FROM torrents WHERE info_hash IN (?1, ?2)',
  // Beyond 64 bits the sum becomes a floating point number: larger than the largest, and cut to it.
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

/** Opens the file, or creates it and its directory, and brings its tables to the form of schema.ts. */
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
    await patiently(() => prepareFile(opened))
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
  // Locks are waited for in `patiently`: SQLite's own way would hold the thread.
  connection.run('PRAGMA busy_timeout = 0')
  connection.run('PRAGMA synchronous = FULL')
  // First of all: a file that turns out to be another program's must stay as it is.
  transact(connection, () => migrate(connection))
  connection.run('PRAGMA journal_mode = WAL')
  // A burst must not leave its log on the disk for ever.
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
    // A full disk and the like have ended the transaction already.
    if (connection.inTransaction) connection.run('ROLLBACK')
    throw error
  }
}

/** Does the work again and again until nobody else holds what it needs, or `since` is too long ago. */
async function patiently<T>(work: () => T, since = performance.now()): Promise<T> {
  for (;;) {
    try {
      return work()
    } catch (error) {
      if (!isBusy(error) || performance.now() > since + LOCK_MILLISECONDS) throw error
    }
    await Bun.sleep(LOOK_AGAIN_MILLISECONDS)
  }
}

class SqliteDatabase implements Database {
  readonly about: string
  readonly #file: OpenFile
  readonly #connection: Connection
  readonly #statements: Statements
  #closed = false
  /** The write that was asked for last: they are done in the order in which they were asked for. */
  #lastWrite: Promise<unknown> = Promise.resolve()

  constructor(file: OpenFile, connection: Connection, statements: Statements) {
    this.about = file.about
    this.#file = file
    this.#connection = connection
    this.#statements = statements
  }

  /** A write of nothing: a read is answered while others lock the file, and after it is gone. */
  ping(): Promise<void> {
    return this.#write(() => undefined)
  }

  readWhitelist(from: bigint): Promise<Part<Uint8Array>> {
    return this.#readPart(this.#statements.readWhitelist, from, (rows) =>
      packHashes(rows.map((row) => row[1])),
    )
  }

  async listWhitelist(offset: number, limit: number): Promise<Uint8Array> {
    const rows = await this.#read(() => this.#statements.listWhitelist.values(offset, limit))
    return packHashes(rows.map(([text]) => text))
  }

  async addToWhitelist(hashes: Uint8Array): Promise<void> {
    await this.#write(() => {
      for (const text of hashTexts(hashes)) this.#statements.addHash.run(...formsOf(text))
    })
  }

  async removeFromWhitelist(hashes: Uint8Array): Promise<void> {
    await this.#write(() => {
      for (const text of hashTexts(hashes)) this.#statements.removeHash.run(...formsOf(text))
    })
  }

  readKeys(from: bigint): Promise<Part<readonly KeyRow[]>> {
    return this.#readPart(this.#statements.readKeys, from, (rows) =>
      readKeyRows(rows.map(([, key, validUntil]) => [key, validUntil])),
    )
  }

  async listKeys(offset: number, limit: number): Promise<readonly KeyRow[]> {
    return readKeyRows(await this.#read(() => this.#statements.listKeys.values(offset, limit)))
  }

  async addKeys(rows: readonly KeyRow[]): Promise<void> {
    await this.#write(() => {
      for (const row of rows) this.#statements.addKey.run(row.key, row.validUntil)
    })
  }

  removeKeys(keys: readonly string[]): Promise<number> {
    return this.#write(() =>
      keys.reduce((sum, key) => sum + this.#statements.removeKey.run(key).changes, 0),
    )
  }

  removeKeysExpiredBefore(second: bigint): Promise<number> {
    return this.#write(() => this.#statements.removeExpired.run(second).changes)
  }

  downloadsOf(hashes: Uint8Array): Promise<Float64Array> {
    return this.#read(() =>
      Float64Array.from(hashTexts(hashes), (text) => {
        const rows = this.#statements.completed.values(...formsOf(text))
        return rows.length === 0 ? NO_ROW : rows.reduce((sum, row) => sum + countIn(row), 0)
      }),
    )
  }

  downloadsTotal(): Promise<number> {
    return this.#read(() => countIn(this.#statements.total.values(TOTAL)[0]))
  }

  addDownloads(hashes: Uint8Array, counts: Float64Array, provenBy?: number): Promise<number> {
    const { addCompleted, addTotal, total } = this.#statements
    return this.#write(() => {
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

  /** What was asked for before is done before. */
  async close(): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    await this.#lastWrite
    for (const statement of Object.values(this.#statements)) statement.finalize()
    this.#connection.close()
  }

  async #readPart<T>(
    statement: Statements[keyof Statements],
    from: bigint,
    read: (rows: Row[]) => T,
  ): Promise<Part<T>> {
    const rows = await this.#read(() => statement.values(LEAST_ID + from) as Row[])
    const last = rows.length < PART_ROWS ? LARGEST : (rows.at(-1)![0] as bigint)
    return { rows: read(rows), next: last === LARGEST ? undefined : last - LEAST_ID + 1n }
  }

  async #read<T>(work: () => T): Promise<T> {
    if (this.#closed) throw closed(this.about)
    try {
      return await patiently(() => {
        // It may have been closed while this waited for a lock.
        if (this.#closed) throw closed(this.about)
        return work()
      })
    } catch (error) {
      throw queryFailure(error)
    }
  }

  /** Nothing is written to a file that nobody will find again. */
  #inPlace<T>(work: () => T): T {
    this.#file.assertStillThere()
    return work()
  }

  async #write<T>(work: () => T): Promise<T> {
    if (this.#closed) throw closed(this.about)
    const asked = performance.now()
    const write = this.#lastWrite.then(() =>
      patiently(() => transact(this.#connection, () => this.#inPlace(work)), asked),
    )
    this.#lastWrite = write.catch(() => undefined)
    try {
      return await write
    } catch (error) {
      throw queryFailure(error)
    }
  }
}

/** The count in the first column of a row; 0 without one, or when it is not a count. */
function countIn(row: Row | undefined): number {
  const value = row?.[0]
  return typeof value === 'bigint' && value > 0n ? Number(value) : 0
}
