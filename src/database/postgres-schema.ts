/**
 * The steps of schema.ts for PostgreSQL. Each is a transaction of its own, although the server could do them
 * all in one: it then goes on with a large table when the tracker has given up waiting, and the next start
 * finds it done.
 */
import { SQL } from 'bun'
import { KEY_CHARACTERS } from '../bittorrent.ts'
import { definitionOf, HASH_DIGITS, NAME_CHARACTERS, TABLES } from './schema.ts'
import { changedByAnother, type ServerSchema } from './server-schema.ts'

/** Compared and ordered by bytes, whatever language the database is set to. */
const TEXT = (length: number) => `VARCHAR(${length}) COLLATE "C" NOT NULL UNIQUE`

/** `track` in ASCII: a number that no other program uses for its lock. */
const LOCK = 0x74_72_61_63_6bn
const LOCK_TIMEOUT = '55P03'

type Column = { readonly type: string; readonly notNull: boolean }

export const postgresSchema: ServerSchema<Column> = {
  types: {
    id: 'SERIAL PRIMARY KEY',
    hash: TEXT(HASH_DIGITS),
    count: 'BIGINT DEFAULT 0 NOT NULL',
    key: TEXT(KEY_CHARACTERS),
    second: 'BIGINT',
    name: TEXT(NAME_CHARACTERS),
  },

  async lock(session) {
    try {
      await session.rows('SELECT pg_advisory_lock(?)', [LOCK])
    } catch (error) {
      if (error instanceof SQL.PostgresError && error.errno === LOCK_TIMEOUT)
        throw changedByAnother()
      throw error
    }
  },

  async columnsOf(session, table) {
    const rows = await session.rows(
      `SELECT attname::text, format_type(atttypid, NULL), attnotnull FROM pg_attribute
      WHERE attrelid = to_regclass(?) AND attnum > 0 AND NOT attisdropped`,
      [table],
    )
    return new Map(
      rows.map(([name, type, notNull]) => [
        String(name),
        { type: String(type), notNull: notNull === true },
      ]),
    )
  },

  async uniqueColumns(session, table) {
    const rows = await session.rows(
      `SELECT attname::text FROM pg_index JOIN pg_attribute ON attrelid = indrelid AND attnum = indkey[0]
      WHERE indrelid = to_regclass(?) AND indisunique AND indnkeyatts = 1
        AND indpred IS NULL AND indexprs IS NULL AND indisvalid`,
      [table],
    )
    return new Set(rows.map(([name]) => String(name)))
  },

  /** In the first schema of the search path, unless another schema of the path has it. */
  async createTable(session, table) {
    const [row] = await session.rows('SELECT to_regclass(?)::text', [table])
    if (row?.[0] !== null) return
    await session.write(`CREATE TABLE "${table}" (${definitionOf(table, this.types)})`)
  },

  async update(session, table, columns) {
    for (const [name, kind] of Object.entries(TABLES[table])) {
      if (kind !== 'count' && kind !== 'second') continue
      const { type, notNull } = columns.get(name)!
      if (type !== 'bigint')
        await session.write(`ALTER TABLE "${table}" ALTER COLUMN ${name} TYPE BIGINT`)
      if (kind === 'second' && notNull)
        await session.write(`ALTER TABLE "${table}" ALTER COLUMN ${name} DROP NOT NULL`)
    }
  },
}
