/**
 * The steps of schema.ts for SQLite, and the check that a file is ours before they are taken. The caller holds
 * the transaction: when this throws, nothing of it may stay.
 */
import type { Database as Connection } from 'bun:sqlite'
import {
  type ColumnTypes,
  definitionOf,
  foreignBecause,
  LEAST_ID,
  SUMMING_MILLISECONDS,
  TABLE_NAMES,
  TABLES,
  type Table,
  TOTAL,
} from './schema.ts'

const TYPES: ColumnTypes = {
  id: 'INTEGER PRIMARY KEY AUTOINCREMENT',
  hash: 'TEXT NOT NULL UNIQUE',
  count: 'INTEGER DEFAULT 0 NOT NULL',
  key: 'TEXT NOT NULL UNIQUE',
  second: 'INTEGER',
  name: 'TEXT NOT NULL UNIQUE',
}

/** Torrents that are summed between two looks at the time. */
const SUMMED_AT_ONCE = 100_000

/** The file is not ours to use; the message says why and what to do. */
export class ForeignFile extends Error {}

export function migrate(connection: Connection): void {
  for (const table of TABLE_NAMES) {
    createTable(connection, table, table)
    const why = foreignBecause(
      table,
      new Set(columnsOf(connection, table).map(({ name }) => name)),
      uniqueColumns(connection, table),
    )
    if (why !== undefined) throw new ForeignFile(`${why}: name another file`)
  }
  allowPermanentKeys(connection)
  seedTotal(connection)
}

function createTable(connection: Connection, table: Table, name: string): void {
  connection.run(`CREATE TABLE IF NOT EXISTS "${name}" (${definitionOf(table, TYPES)})`)
}

type Column = { readonly name: string; readonly notNull: boolean }

const columnsOf = (connection: Connection, table: Table): Column[] =>
  connection
    .query<{ name: string; notnull: bigint }, []>(`PRAGMA table_info("${table}")`)
    .all()
    .map(({ name, notnull }) => ({ name, notNull: notnull !== 0n }))

/** Columns with a unique index of their own. */
function uniqueColumns(connection: Connection, table: Table): Set<string | null> {
  const indexes = connection
    .query<{ columns: string | null }, [string]>(
      `SELECT (SELECT group_concat(name) FROM pragma_index_info(list.name)) AS columns
         FROM pragma_index_list(?1) AS list WHERE list."unique" AND NOT list.partial`,
    )
    .all(table)
  return new Set(indexes.map(({ columns }) => columns))
}

/** SQLite cannot drop a NOT NULL: the rows move to a new table, ids included. */
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
  // `total` adds floating-point numbers: exact as far as the tracker counts, and it cannot overflow.
  const next = connection.query<{ last: bigint | null; sum: number }, [bigint]>(
    `SELECT max(id) AS last, total(max(completed, 0)) AS sum FROM
       (SELECT id, completed FROM torrents WHERE id > ?1 ORDER BY id LIMIT ${SUMMED_AT_ONCE})`,
  )
  let sum = 0
  for (let from: bigint | null = LEAST_ID; ; ) {
    const { last, sum: part }: { last: bigint | null; sum: number } = next.get(from)!
    if (last === null) return Math.min(sum, Number.MAX_SAFE_INTEGER)
    if (performance.now() > end) return 0
    sum += part
    from = last
  }
}
