/** An SQLite database in a directory of its own, and a way to look at it behind the driver's back. */
import { Database as Connection } from 'bun:sqlite'
import type { Database } from '../../../src/database/contract.ts'
import { openSqlite } from '../../../src/database/sqlite.ts'
import { temporaryDirectory } from '../temporary-directory.ts'
import type { Place } from './suite.ts'

export class SqliteFile implements AsyncDisposable {
  readonly #room = temporaryDirectory()
  readonly directory: string = this.#room.path
  readonly path: string = this.#room.at('tracker.db')

  /** One of a test's own, opened with `open`. */
  static place(open: (config: SqliteFile['config']) => Promise<Database> = openSqlite): Place {
    const file = new SqliteFile()
    return {
      open: () => open(file.config),
      sql: async (statement) => file.sql(statement),
      [Symbol.asyncDispose]: () => file[Symbol.asyncDispose](),
    }
  }

  get config() {
    return { driver: 'sqlite3', path: this.path } as const
  }

  /** One statement or several; the rows of the first. */
  sql(statements: string): unknown[][] {
    const connection = new Connection(this.path, { create: true, safeIntegers: true })
    try {
      connection.run('PRAGMA busy_timeout = 5000')
      if (/^\s*(SELECT|PRAGMA|EXPLAIN)/i.test(statements))
        return connection.query(statements).values()
      connection.run(statements)
      return []
    } finally {
      connection.close()
    }
  }

  /** Locks the file against writes until it is disposed of. */
  locked(): Disposable {
    const connection = new Connection(this.path)
    connection.run('PRAGMA busy_timeout = 5000')
    connection.run('BEGIN IMMEDIATE')
    return { [Symbol.dispose]: () => connection.close() }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#room[Symbol.dispose]()
  }
}
