/**
 * The SQLite driver (bun:sqlite). Everything it does holds up its thread, so it must never be opened on a
 * serving thread (remote.ts). What it has answered is on the disk: WAL, and a sync at every commit. It waits
 * for locks of other processes without holding up the calls behind.
 */
import { Database as Connection, type SQLQueryBindings, type Statement } from 'bun:sqlite'
import { statSync } from 'node:fs'
import { resolve } from 'node:path'
import type { DatabaseConfig } from '../config/model.ts'
import { Deadline } from '../time/deadline.ts'
import {
  cannotOpen,
  closed,
  type Database,
  DatabaseError,
  driverDeadline,
  notBegun,
  placeOf,
  queryFailed,
} from './contract.ts'
import { SQLITE } from './dialects.ts'
import { migrate } from './migrate.ts'
import { makeFile, OpenFile } from './open-file.ts'
import type { Session, Sessions, Work } from './session.ts'
import { SqlDatabase } from './sql-database.ts'
import { failureOf, isBusy, openingReason } from './sqlite-failure.ts'
import { sqliteSchema } from './sqlite-schema.ts'

/** How long another process may hold a lock that is needed, if the deadline is not earlier. */
const LOCK_MILLISECONDS = 3_000
const RETRY_MILLISECONDS = 10

/** Opens the file, or creates it and its directory, and brings its tables up to date (schema.ts). */
export async function openSqlite(
  config: DatabaseConfig & { driver: 'sqlite3' },
): Promise<Database> {
  const path = resolve(config.path)
  let file: SqliteFile | undefined
  try {
    if (isDirectory(path))
      throw new DatabaseError('invalid', 'it is a directory: name a file in it')
    makeFile(path)
    file = new SqliteFile(path, placeOf(config))
    await file.prepare()
    return new SqlDatabase(file, SQLITE)
  } catch (error) {
    await file?.close()
    if (error instanceof DatabaseError) throw cannotOpen(config, error.fault, error.message)
    throw cannotOpen(config, failureOf(error).fault, openingReason(error, config.path))
  }
}

function isDirectory(path: string): boolean {
  try {
    return statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOTDIR')
      throw new DatabaseError('invalid', 'a part of its path is a file: name another directory')
    throw error
  }
}

/** One connection for all calls. Calls that wait for a lock of another process let the others pass. */
class SqliteFile implements Sessions {
  readonly about: string
  readonly #connection: Connection
  readonly #file: OpenFile
  /** By their texts, of which there are few (dialects.ts). */
  readonly #statements = new Map<string, Statement<unknown, SQLQueryBindings[]>>()
  /** What uses the connection. */
  #using: Promise<unknown> = Promise.resolve()
  /** Transactions are done in the order of their calls. */
  #lastWrite: Promise<unknown> = Promise.resolve()
  #isClosed = false
  readonly #session: Session = {
    rows: async (sql, values = []) => this.#prepared(sql).values(...values) as unknown[][],
    write: async (sql, values = []) => this.#prepared(sql).run(...values).changes,
  }

  constructor(path: string, about: string) {
    this.about = about
    this.#connection = new Connection(path, { create: true, safeIntegers: true, strict: true })
    this.#file = new OpenFile(path, about)
  }

  async prepare(): Promise<void> {
    // `#whenFree` waits for locks: SQLite's own wait would hold up the thread.
    this.#connection.run('PRAGMA busy_timeout = 0')
    await this.#whenFree(async () => {
      this.#connection.run('PRAGMA synchronous = FULL')
      // First: a file that turns out to be another program's must stay as it is.
      await this.#all((session) => migrate(session, SQLITE, sqliteSchema))
      this.#connection.run('PRAGMA journal_mode = WAL')
      // The log of a burst must not stay on the disk for ever.
      this.#connection.run('PRAGMA journal_size_limit = 67108864')
    }, Deadline.in(LOCK_MILLISECONDS))
  }

  run<T>(work: Work<T>, deadline = driverDeadline()): Promise<T> {
    const read = () => {
      // It may have been closed while this waited for a lock.
      if (this.#isClosed) throw closed(this.about)
      return work(this.#session)
    }
    return this.#call(() => this.#whenFree(read, deadline.within(LOCK_MILLISECONDS)))
  }

  transact<T>(work: Work<T>, deadline = driverDeadline()): Promise<T> {
    return this.#call(async () => {
      const before = this.#lastWrite
      const free = deadline.within(LOCK_MILLISECONDS)
      const write = (async () => {
        if (!(await deadline.waitFor(before)) || deadline.isOver) throw notBegun(this.about)
        return await this.#whenFree(() => this.#all(work), free)
      })()
      // Without the results: each would keep the one before it alive, back to the first.
      this.#lastWrite = Promise.allSettled([before, write]).then(() => undefined)
      return await write
    })
  }

  async close(): Promise<void> {
    if (this.#isClosed) return
    this.#isClosed = true
    await this.#lastWrite
    await this.#using
    for (const statement of this.#statements.values()) statement.finalize()
    this.#connection.close()
  }

  async #call<T>(work: () => Promise<T>): Promise<T> {
    if (this.#isClosed) throw closed(this.about)
    try {
      return await work()
    } catch (error) {
      if (error instanceof DatabaseError) throw error
      const { fault, reason } = failureOf(error)
      throw queryFailed('sqlite3', fault, reason)
    }
  }

  /**
   * Does the work with the connection to itself. It is done again until no other process holds a lock that it needs.
   * Rejects with its error at the deadline.
   */
  async #whenFree<T>(work: () => Promise<T>, deadline: Deadline): Promise<T> {
    for (;;) {
      try {
        const done = this.#using.then(work)
        // Statements wait for nothing, so this takes no longer than they do.
        this.#using = done.then(
          () => undefined,
          () => undefined,
        )
        return await done
      } catch (error) {
        if (!isBusy(error)) throw error
        await Bun.sleep(Math.min(RETRY_MILLISECONDS, deadline.left))
        if (deadline.isOver) throw error
      }
    }
  }

  /** All of the work or, if it throws, nothing of it. */
  async #all<T>(work: Work<T>): Promise<T> {
    this.#connection.run('BEGIN IMMEDIATE')
    try {
      // Never into a file that the next start would not find.
      this.#file.assertStillThere()
      const result = await work(this.#session)
      this.#connection.run('COMMIT')
      return result
    } catch (error) {
      // Some errors, such as a full disk, have ended the transaction already.
      if (this.#connection.inTransaction) this.#connection.run('ROLLBACK')
      throw error
    }
  }

  #prepared(sql: string): Statement<unknown, SQLQueryBindings[]> {
    const known = this.#statements.get(sql)
    if (known !== undefined) return known
    const statement = this.#connection.prepare<unknown, SQLQueryBindings[]>(sql)
    this.#statements.set(sql, statement)
    return statement
  }
}
