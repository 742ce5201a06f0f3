/**
 * The steps of schema.ts for SQLite, and what a file must look like before they are taken. The caller
 * holds the transaction: when this throws, nothing of it may stay.
 */
import type { Database as Connection } from 'bun:sqlite'
import { SUMMING_MILLISECONDS, TOTAL } from './schema.ts'

/** Columns of each table in their order, as the reference creates them. */
const TABLES = {
  whitelist: {
    id: 'INTEGER PRIMARY KEY AUTOINCREMENT',
    info_hash: 'TEXT NOT NULL UNIQUE',
  },
  keys: {
    id: 'INTEGER PRIMARY KEY AUTOINCREMENT',
    key: 'TEXT NOT NULL UNIQUE',
    valid_until: 'INTEGER',
  },
  torrents: {
    id: 'INTEGER PRIMARY KEY AUTOINCREMENT',
    info_hash: 'TEXT NOT NULL UNIQUE',
    completed: 'INTEGER DEFAULT 0 NOT NULL',
  },
  torrent_aggregate_metrics: {
    id: 'INTEGER PRIMARY KEY AUTOINCREMENT',
    metric_name: 'TEXT NOT NULL UNIQUE',
    value: 'INTEGER DEFAULT 0 NOT NULL',
  },
} as const
type Table = keyof typeof TABLES

/** Torrents that are summed between two looks at the time. */
const SUMMED_AT_ONCE = 100_000

/** Columns that tell the rows of each table apart. */
const UNIQUE = {
  whitelist: 'info_hash',
  keys: 'key',
  torrents: 'info_hash',
  torrent_aggregate_metrics: 'metric_name',
} as const satisfies Record<Table, string>

/** What is there is not ours to use; the message says why and what to do. */
export class ForeignFile extends Error {}

export function migrate(connection: Connection): void {
  for (const table of Object.keys(TABLES) as Table[]) {
    createTable(connection, table, table)
    refuseForeign(connection, table)
  }
  allowPermanentKeys(connection)
  seedTotal(connection)
}

function createTable(connection: Connection, table: Table, name: string): void {
  const columns = Object.entries(TABLES[table]).map(([column, type]) => `"${column}" ${type}`)
  connection.run(`CREATE TABLE IF NOT EXISTS "${name}" (${columns.join(', ')})`)
}

type Column = { readonly name: string; readonly notNull: boolean }

const columnsOf = (connection: Connection, table: Table): Column[] =>
  connection
    .query<{ name: string; notnull: bigint }, []>(`PRAGMA table_info("${table}")`)
    .all()
    .map(({ name, notnull }) => ({ name, notNull: notnull !== 0n }))

/** Other programs call their tables `torrents` and `keys` as well. */
function refuseForeign(connection: Connection, table: Table): void {
  const foreign = (what: string) =>
    new ForeignFile(`its table "${table}" ${what}, so another program made it: name another file`)
  const there = new Set(columnsOf(connection, table).map(({ name }) => name))
  for (const column of Object.keys(TABLES[table]))
    if (!there.has(column)) throw foreign(`has no column "${column}"`)
  if (!isUnique(connection, table, UNIQUE[table]))
    throw foreign(`allows the same "${UNIQUE[table]}" twice`)
}

function isUnique(connection: Connection, table: Table, column: string): boolean {
  const alone = connection
    .query<{ columns: string | null }, [string]>(
      `SELECT (SELECT group_concat(name) FROM pragma_index_info(list.name)) AS columns
         FROM pragma_index_list(?1) AS list WHERE list."unique" AND NOT list.partial`,
    )
    .all(table)
  return alone.some(({ columns }) => columns === column)
}

/** SQLite cannot take a NOT NULL away: the rows move to a new table, ids included. */
function allowPermanentKeys(connection: Connection): void {
  const columns = columnsOf(connection, 'keys')
  if (!columns.some(({ name, notNull }) => name === 'valid_until' && notNull)) return
  const unknown = columns.find(({ name }) => !(name in TABLES.keys))
  if (unknown)
    throw new ForeignFile(
      `its table "keys" must be made anew to allow permanent keys, and its column "${unknown.name}" would be lost: remove that column`,
    )
  createTable(connection, 'keys', 'keys_with_permanent')
  connection.run(
    'INSERT INTO keys_with_permanent (id, key, valid_until) SELECT id, key, valid_until FROM keys',
  )
  connection.run('DROP TABLE keys')
  connection.run('ALTER TABLE keys_with_permanent RENAME TO keys')
}

function seedTotal(connection: Connection): void {
  const row = connection
    .query('SELECT 1 FROM torrent_aggregate_metrics WHERE metric_name = ?1')
    .get(TOTAL)
  if (row !== null) return
  connection
    .query('INSERT INTO torrent_aggregate_metrics (metric_name, value) VALUES (?1, ?2)')
    .run(TOTAL, BigInt(sumOfCompleted(connection)))
}

/** 0 when summing takes too long, see schema.ts. */
function sumOfCompleted(connection: Connection): number {
  const end = performance.now() + SUMMING_MILLISECONDS
  // `total` adds floating point: exact as far as the tracker counts, and no overflow ends it.
  const next = connection.query<{ last: bigint | null; sum: number }, [bigint]>(
    `SELECT max(id) AS last, total(max(completed, 0)) AS sum FROM
       (SELECT id, completed FROM torrents WHERE id > ?1 ORDER BY id LIMIT ${SUMMED_AT_ONCE})`,
  )
  let sum = 0
  for (let from: bigint | null = -(2n ** 63n); ; ) {
    const { last, sum: part }: { last: bigint | null; sum: number } = next.get(from)!
    if (last === null) return Math.min(sum, Number.MAX_SAFE_INTEGER)
    if (performance.now() > end) return 0
    sum += part
    from = last
  }
}
