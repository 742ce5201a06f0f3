/**
 * The steps of schema.ts for PostgreSQL. Each is a transaction of its own, although the server could do
 * them all in one: it then goes on with a large table when the tracker has given up waiting, and the next
 * start finds it done. A lock keeps two starts apart.
 */
import { SQL } from 'bun'
import { failureOf } from './postgres-failure.ts'
import { SUMMING_MILLISECONDS, TOTAL } from './schema.ts'
import { changedByAnother, refuseForeign, type Table } from './server-schema.ts'
import type { Session } from './session.ts'

/** Bytes count, in order as well, whatever language the database is set to. */
const TEXT = (length: number) => `VARCHAR(${length}) COLLATE "C" NOT NULL UNIQUE`

/** Columns of each table in their order, as the reference names them. */
const TABLES = {
  whitelist: { id: 'SERIAL PRIMARY KEY', info_hash: TEXT(40) },
  torrents: {
    id: 'SERIAL PRIMARY KEY',
    info_hash: TEXT(40),
    completed: 'BIGINT DEFAULT 0 NOT NULL',
  },
  keys: { id: 'SERIAL PRIMARY KEY', key: TEXT(32), valid_until: 'BIGINT' },
  torrent_aggregate_metrics: {
    id: 'SERIAL PRIMARY KEY',
    metric_name: TEXT(50),
    value: 'BIGINT DEFAULT 0 NOT NULL',
  },
} as const satisfies Record<Table, Record<string, string>>

/** Any number that nobody else uses: `track` in ASCII. */
const LOCK = 0x74_72_61_63_6bn
const LOCK_TIMEOUT = '55P03'

export async function migrate(session: Session): Promise<void> {
  await lock(session)
  const tables = Object.keys(TABLES) as Table[]
  // Nothing is made in a database that turns out to be another program's.
  for (const table of tables) {
    const columns = await columnsOf(session, table)
    if (columns.size > 0) refuseForeign(table, columns, await uniqueColumns(session, table))
  }
  for (const table of tables) {
    await createTable(session, table)
    const columns = await columnsOf(session, table)
    for (const name of ['completed', 'value', 'valid_until'])
      await widen(session, table, name, columns.get(name))
    if (table === 'keys' && columns.get('valid_until')!.notNull)
      await session.write('ALTER TABLE "keys" ALTER COLUMN valid_until DROP NOT NULL')
  }
  await seedTotal(session)
}

/** It ends with the session. */
async function lock(session: Session): Promise<void> {
  try {
    await session.rows('SELECT pg_advisory_lock(?)', [LOCK])
  } catch (error) {
    if (error instanceof SQL.PostgresError && error.errno === LOCK_TIMEOUT) throw changedByAnother()
    throw error
  }
}

/** In the first schema of the search path, unless there is one in any of them. */
async function createTable(session: Session, table: Table): Promise<void> {
  const [row] = await session.rows('SELECT to_regclass(?)::text', [table])
  if (row?.[0] !== null) return
  const columns = Object.entries(TABLES[table]).map(([column, type]) => `"${column}" ${type}`)
  await session.write(`CREATE TABLE "${table}" (${columns.join(', ')})`)
}

type Column = { readonly type: string; readonly notNull: boolean }

async function columnsOf(session: Session, table: Table): Promise<Map<string, Column>> {
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
}

async function widen(
  session: Session,
  table: Table,
  name: string,
  column: Column | undefined,
): Promise<void> {
  if (column && column.type !== 'bigint' && name in TABLES[table])
    await session.write(`ALTER TABLE "${table}" ALTER COLUMN ${name} TYPE BIGINT`)
}

/** Those that have a unique index of their own. */
async function uniqueColumns(session: Session, table: Table): Promise<Set<string>> {
  const rows = await session.rows(
    `SELECT attname::text FROM pg_index JOIN pg_attribute ON attrelid = indrelid AND attnum = indkey[0]
      WHERE indrelid = to_regclass(?) AND indisunique AND indnkeyatts = 1
        AND indpred IS NULL AND indexprs IS NULL AND indisvalid`,
    [table],
  )
  return new Set(rows.map(([name]) => String(name)))
}

async function seedTotal(session: Session): Promise<void> {
  const [row] = await session.rows(
    'SELECT 1 FROM torrent_aggregate_metrics WHERE metric_name = ?',
    [TOTAL],
  )
  if (row) return
  await session.write(
    `INSERT INTO torrent_aggregate_metrics (metric_name, value) VALUES (?, ?)
      ON CONFLICT DO NOTHING`,
    [TOTAL, await sumOfCompleted(session)],
  )
}

/** 0 when summing takes too long, see schema.ts. */
async function sumOfCompleted(session: Session): Promise<bigint> {
  await session.write(`SET statement_timeout = ${SUMMING_MILLISECONDS}`)
  try {
    const [row] = await session.rows(
      `SELECT LEAST(COALESCE(SUM(GREATEST(completed, 0)), 0), ${Number.MAX_SAFE_INTEGER})::text
        FROM torrents`,
    )
    return BigInt(String(row?.[0]))
  } catch (error) {
    if (failureOf(error).fault === 'late') return 0n
    throw error
  } finally {
    await session.write('SET statement_timeout = 0')
  }
}
