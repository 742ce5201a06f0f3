/**
 * The steps of schema.ts for MySQL and MariaDB. Their statements on tables cannot be undone, so each
 * leaves a state that the next start goes on from, and a lock keeps two starts apart.
 */
import { failureOf } from './mysql-failure.ts'
import { statementLimit } from './mysql-settings.ts'
import { SUMMING_MILLISECONDS, TOTAL } from './schema.ts'
import { changedByAnother, refuseForeign, type Table } from './server-schema.ts'
import type { Session } from './session.ts'

/**
 * For keys: case counts, in MySQL and MariaDB alike. Not a `…_bin` one: the newest reference takes such a
 * column for bytes, and then reads no key at all.
 */
const CASE_COUNTS = 'CHARACTER SET latin1 COLLATE latin1_general_cs'
/** Where what is stored does not fit that; the reference does not start with such keys anyway. */
const BYTES_COUNT = 'CHARACTER SET utf8mb4 COLLATE utf8mb4_bin'

const ID = 'INT NOT NULL AUTO_INCREMENT PRIMARY KEY'
const HASH = 'VARCHAR(40) CHARACTER SET ascii COLLATE ascii_general_ci NOT NULL UNIQUE'

/** Columns of each table in their order, as the reference names them. */
const TABLES = {
  whitelist: { id: ID, info_hash: HASH },
  torrents: { id: ID, info_hash: HASH, completed: 'BIGINT NOT NULL DEFAULT 0' },
  keys: { id: ID, key: `VARCHAR(32) ${CASE_COUNTS} NOT NULL UNIQUE`, valid_until: 'BIGINT NULL' },
  torrent_aggregate_metrics: {
    id: ID,
    metric_name: 'VARCHAR(50) NOT NULL UNIQUE',
    value: 'BIGINT NOT NULL DEFAULT 0',
  },
} as const satisfies Record<Table, Record<string, string>>

/** Engines that cannot undo half of a batch, and that were once the default. */
const WITHOUT_TRANSACTIONS = /^(MyISAM|Aria)$/i

const LOCK_SECONDS = 8
const INCORRECT_STRING = 1366

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
    await useTransactions(session, table)
    const columns = await columnsOf(session, table)
    for (const column of ['completed', 'value', 'valid_until'])
      await widen(session, table, column, columns.get(column))
    if (table === 'keys') await letCaseCount(session, columns.get('key')!)
  }
  await seedTotal(session)
}

/** It ends with the session. */
async function lock(session: Session): Promise<void> {
  const [row] = await session.rows(
    `SELECT GET_LOCK(MD5(CONCAT('tracker tables in ', DATABASE())), ${LOCK_SECONDS})`,
  )
  if (String(row?.[0]) !== '1') throw changedByAnother()
}

async function createTable(session: Session, table: Table): Promise<void> {
  const columns = Object.entries(TABLES[table]).map(([column, type]) => `"${column}" ${type}`)
  await session.write(
    `CREATE TABLE IF NOT EXISTS "${table}" (${columns.join(', ')}) ENGINE = InnoDB`,
  )
}

type Column = {
  /** `int`, `varchar` … */
  readonly kind: string
  /** With its length. */
  readonly type: string
  readonly nullable: boolean
  /** '' for what is no text. */
  readonly collation: string
}

async function columnsOf(session: Session, table: Table): Promise<Map<string, Column>> {
  const rows = await session.rows(
    `SELECT COLUMN_NAME, DATA_TYPE, COLUMN_TYPE, IS_NULLABLE, COLLATION_NAME
      FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = ?`,
    [table],
  )
  return new Map(
    rows.map((row) => {
      const [name, kind, type, nullable, collation] = row.map((text) => String(text ?? ''))
      const column = { kind: kind!.toLowerCase(), type: type!, collation: collation! }
      return [name!.toLowerCase(), { ...column, nullable: nullable === 'YES' }]
    }),
  )
}

/** Those that have a unique index of their own. */
async function uniqueColumns(session: Session, table: Table): Promise<Set<string>> {
  const rows = await session.rows(
    `SELECT MIN(COLUMN_NAME) FROM information_schema.STATISTICS
      WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = ? GROUP BY INDEX_NAME
      HAVING COUNT(*) = 1 AND MAX(NON_UNIQUE) = 0 AND MAX(COALESCE(SUB_PART, 0)) = 0`,
    [table],
  )
  return new Set(rows.map(([name]) => String(name).toLowerCase()))
}

async function useTransactions(session: Session, table: Table): Promise<void> {
  const [row] = await session.rows(
    'SELECT ENGINE FROM information_schema.TABLES WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = ?',
    [table],
  )
  if (WITHOUT_TRANSACTIONS.test(String(row?.[0])))
    await session.write(`ALTER TABLE "${table}" ENGINE = InnoDB`)
}

async function widen(
  session: Session,
  table: Table,
  name: string,
  column: Column | undefined,
): Promise<void> {
  if (!column || !(name in TABLES[table])) return
  if (column.kind === 'bigint' && (name !== 'valid_until' || column.nullable)) return
  const type = (TABLES[table] as Record<string, string>)[name]
  await session.write(`ALTER TABLE "${table}" MODIFY "${name}" ${type}`)
}

async function letCaseCount(session: Session, { type, collation }: Column): Promise<void> {
  if (!collation.endsWith('_ci')) return
  const modify = (how: string) =>
    session.write(`ALTER TABLE "keys" MODIFY "key" ${type} ${how} NOT NULL`)
  try {
    await modify(CASE_COUNTS)
  } catch (error) {
    if (!(error instanceof Error && 'errno' in error && error.errno === INCORRECT_STRING))
      throw error
    await modify(BYTES_COUNT)
  }
}

async function seedTotal(session: Session): Promise<void> {
  const [row] = await session.rows(
    'SELECT 1 FROM torrent_aggregate_metrics WHERE metric_name = ?',
    [TOTAL],
  )
  if (row) return
  await session.write(
    `INSERT INTO torrent_aggregate_metrics (metric_name, value) VALUES (?, ?)
      ON DUPLICATE KEY UPDATE id = id`,
    [TOTAL, await sumOfCompleted(session)],
  )
}

/** 0 when summing takes too long, see schema.ts. */
async function sumOfCompleted(session: Session): Promise<bigint> {
  const limit = (milliseconds: number) =>
    session.write(`SET SESSION autocommit = 1 ${statementLimit(milliseconds)}`)
  await limit(SUMMING_MILLISECONDS)
  try {
    const [row] = await session.rows(
      `SELECT CAST(LEAST(COALESCE(SUM(GREATEST(completed, 0)), 0), ${Number.MAX_SAFE_INTEGER}) AS CHAR)
        FROM torrents`,
    )
    return BigInt(String(row?.[0]))
  } catch (error) {
    if (failureOf(error).fault === 'late') return 0n
    throw error
  } finally {
    await limit(0)
  }
}
