/**
 * The steps of schema.ts for PostgreSQL. Each is a transaction of its own, although the server could do them
 * all in one: it then goes on with a large table when the tracker has given up waiting, and the next start
 * finds it done.
 */
import { SQL } from 'bun'
import { KEY_CHARACTERS } from '../bittorrent.ts'
import { changedByAnother, narrow, type SchemaDialect } from './migrate.ts'
import { HASH_DIGITS, NAME_CHARACTERS } from './schema.ts'

/** Compared and ordered by bytes, whatever language the database is set to. */
const TEXT = (length: number) => `VARCHAR(${length}) COLLATE "C" NOT NULL UNIQUE`

/** `track` in ASCII: a number that no other program uses for its lock. */
export const LOCK = 0x74_72_61_63_6bn
const LOCK_TIMEOUT = '55P03'

export const postgresSchema: SchemaDialect = {
  types: {
    id: 'SERIAL PRIMARY KEY',
    hash: TEXT(HASH_DIGITS),
    count: 'BIGINT DEFAULT 0 NOT NULL',
    key: TEXT(KEY_CHARACTERS),
    second: 'BIGINT',
    name: TEXT(NAME_CHARACTERS),
  },
  // Of the table that the search path finds. A new one is made in the first schema of the path.
  columns: `SELECT attname::text, format_type(atttypid, NULL), NOT attnotnull FROM pg_attribute
    WHERE attrelid = to_regclass(?) AND attnum > 0 AND NOT attisdropped`,
  uniqueColumns: `SELECT attname::text FROM pg_index JOIN pg_attribute
      ON attrelid = indrelid AND attnum = indkey[0]
    WHERE indrelid = to_regclass(?) AND indisunique AND indnkeyatts = 1
      AND indpred IS NULL AND indexprs IS NULL AND indisvalid`,

  async lock(session) {
    try {
      await session.rows('SELECT pg_advisory_lock(?)', [LOCK])
    } catch (error) {
      if (error instanceof SQL.PostgresError && error.errno === LOCK_TIMEOUT)
        throw changedByAnother()
      throw error
    }
  },

  async update(session, table, columns) {
    for (const { name, kind, isWide, isNullable } of narrow(table, columns)) {
      const alter = `ALTER TABLE "${table}" ALTER COLUMN ${name}`
      if (!isWide) await session.write(`${alter} TYPE BIGINT`)
      if (kind === 'second' && !isNullable) await session.write(`${alter} DROP NOT NULL`)
    }
  },
}
