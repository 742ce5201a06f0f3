/**
 * The SQLite driver (bun:sqlite). Everything it does holds up its thread, so it must never be opened on a
 * serving thread (remote.ts). What it has answered is on the disk: WAL, and a sync at every commit. It waits
 * for locks of other processes without holding up the calls behind.
 */
import { Database as Connection, type SQLQueryBindings, type Statement } from 'bun:sqlite'
import { type BigIntStats, closeSync, mkdirSync, openSync, statSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import type { DatabaseConfig } from '../config/model.ts'
import { Deadline } from '../time/deadline.ts'
import { SQLITE_ACCOUNTING } from './accounting-sql.ts'
import {
  CALL_MILLISECONDS,
  cannotOpen,
  closed,
  type Database,
  DatabaseError,
  notBegun,
  placeOf,
  queryFailed,
} from './contract.ts'
import { SQLITE } from './dialects.ts'
import { type Failure, failureFrom, type Meaning } from './failure.ts'
import { migrate } from './migrate.ts'
import type { Session, Sessions, Work } from './session.ts'
import { SqlDatabase } from './sql-database.ts'
import { sqliteSchema } from './sqlite-schema.ts'

/** How long another process may hold a lock that is needed, if the deadline is not earlier. */
const LOCK_MILLISECONDS = 3_000
const RETRY_MILLISECONDS = 10

/** Opens the file, or creates it and its directory, and brings its tables up to date (schema.ts). */
export async function openSqlite(
  config: DatabaseConfig & { driver: 'sqlite3' },
): Promise<Database> {
  let file: SqliteFile | undefined
  try {
    const path = resolve(config.path)
    makeFile(path)
    file = new SqliteFile(path, placeOf(config))
    await file.prepare()
    return new SqlDatabase(file, SQLITE, SQLITE_ACCOUNTING)
  } catch (error) {
    await file?.close()
    if (error instanceof DatabaseError) throw cannotOpen(config, error.fault, error.message)
    const { fault, reason } = failureOf(error, OPENING)
    throw cannotOpen(
      config,
      fault,
      reason.replace('PATH', () => config.path),
    )
  }
}

/**
 * Creates the file if it is missing, and its directories. SQLite would make it readable by everyone, but the keys
 * in it are for its owner alone; `-wal` and `-shm` get the rights of the file. An existing file is never opened here:
 * closing it would drop the locks that SQLite holds.
 */
function makeFile(path: string): void {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 })
  const there = statSync(path, { throwIfNoEntry: false })
  if (there?.isDirectory())
    throw new DatabaseError('invalid', 'it is a directory: name a file in it')
  if (there !== undefined) return
  try {
    closeSync(openSync(path, 'a', 0o600))
  } catch {
    // SQLite cannot create it either, and reports why.
  }
}

/** One connection for all calls. Calls that wait for a lock of another process let the others pass. */
class SqliteFile implements Sessions {
  readonly about: string
  readonly #path: string
  readonly #connection: Connection
  /** The file that the connection has open. */
  readonly #opened: BigIntStats | undefined
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
    this.#path = path
    this.#connection = new Connection(path, { create: true, safeIntegers: true, strict: true })
    this.#opened = fileAt(path)
  }

  async prepare(): Promise<void> {
    // `#whenFree` waits for locks: SQLite's own wait would hold up the thread.
    this.#connection.run('PRAGMA busy_timeout = 0')
    await this.#whenFree(async () => {
      this.#connection.run('PRAGMA synchronous = FULL')
      // A statement of many rows keeps what it may have to undo in a file otherwise, and must not fail for want of one.
      this.#connection.run('PRAGMA temp_store = MEMORY')
      // First: a file that turns out to be another program's must stay as it is.
      await this.#all((session) => migrate(session, SQLITE, sqliteSchema))
      this.#connection.run('PRAGMA journal_mode = WAL')
      // The log of a burst must not stay on the disk for ever.
      this.#connection.run('PRAGMA journal_size_limit = 67108864')
    }, Deadline.in(LOCK_MILLISECONDS))
  }

  run<T>(work: Work<T>, deadline = Deadline.in(CALL_MILLISECONDS)): Promise<T> {
    const read = () => {
      // It may have been closed while this waited for a lock.
      if (this.#isClosed) throw closed(this.about)
      return work(this.#session)
    }
    return this.#call(() => this.#whenFree(read, deadline.within(LOCK_MILLISECONDS)))
  }

  transact<T>(work: Work<T>, deadline = Deadline.in(CALL_MILLISECONDS)): Promise<T> {
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
      this.#assertStillThere()
      const result = await work(this.#session)
      this.#connection.run('COMMIT')
      return result
    } catch (error) {
      // Some errors, such as a full disk, have ended the transaction already.
      if (this.#connection.inTransaction) this.#connection.run('ROLLBACK')
      throw error
    }
  }

  /**
   * SQLite goes on with a deleted or replaced file and reports nothing: what is written then is gone at the next
   * start. While the file is open, no other file can have its inode number.
   */
  #assertStillThere(): void {
    const [opened, now] = [this.#opened, fileAt(this.#path)]
    if (opened && now && now.ino === opened.ino && now.dev === opened.dev) return
    throw new DatabaseError(
      'invalid',
      `the database ${this.about}: the file was removed or replaced while in use: restart the tracker`,
    )
  }

  #prepared(sql: string): Statement<unknown, SQLQueryBindings[]> {
    const known = this.#statements.get(sql)
    if (known !== undefined) return known
    const statement = this.#connection.prepare<unknown, SQLQueryBindings[]>(sql)
    this.#statements.set(sql, statement)
    return statement
  }
}

const fileAt = (path: string): BigIntStats | undefined =>
  statSync(path, { bigint: true, throwIfNoEntry: false })

/** Another connection holds a lock: the same may succeed a moment later. */
const BUSY = /^SQLITE_(BUSY|LOCKED)/
const isBusy = (error: unknown): boolean => BUSY.test(codeOf(error))

/** By SQLite's names. Its messages name tables and columns, never a bound value; all our values are bound. */
const MEANINGS: readonly Meaning[] = [
  [/^SQLITE_(CORRUPT|NOTADB)/, 'invalid'],
  // After a disk error it is unknown how much of the transaction is on the disk.
  [/^SQLITE_(IOERR|CANTOPEN)/, 'unreachable'],
  [/^SQLITE_CONSTRAINT.* keys\.key$/, 'duplicate'],
]

/** The same when the file is opened, with the remedy. By the system's names when a directory cannot be made. */
const OPENING: readonly Meaning[] = [
  [
    /^SQLITE_NOTADB/,
    'invalid',
    'PATH is no SQLite database: name another file in core.database.path, or move this one away',
  ],
  [/^SQLITE_CORRUPT\S* (.*)/, 'invalid', '$1: restore PATH from a backup, or move it away'],
  [BUSY, 'refused', 'another program holds it locked: stop that one, or wait for it'],
  [/^(ENOTDIR|EEXIST)/, 'invalid', 'a part of its path is a file: name another directory'],
  [
    /^(?:SQLITE_(?:CANTOPEN|READONLY|PERM|AUTH)|EACCES|EPERM|EROFS|ENOENT)\S* (.*)/,
    'refused',
    '$1: let the tracker write the file and its directory, or name another file in core.database.path',
  ],
  ...MEANINGS,
]

const codeOf = (error: unknown): string =>
  error instanceof Error && 'code' in error ? String(error.code) : ''

const failureOf = (error: unknown, meanings: readonly Meaning[] = MEANINGS): Failure =>
  failureFrom(codeOf(error), error instanceof Error ? error.message : String(error), meanings)
