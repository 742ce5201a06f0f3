/** The steps of schema.ts on a database server; what its dialect must word itself is a `ServerSchema`. */
import { DatabaseError } from './contract.ts'
import {
  type ColumnTypes,
  foreignBecause,
  SUMMING_MILLISECONDS,
  TABLE_NAMES,
  type Table,
  TOTAL,
} from './schema.ts'
import type { Dialect } from './server-sql.ts'
import type { Server, Session } from './session.ts'

export interface ServerSchema<Column> {
  readonly types: ColumnTypes
  /** Keeps two starts apart. Ends with the session. Rejects with `changedByAnother` when it takes too long. */
  lock(session: Session): Promise<void>
  /** By name; empty: the table does not exist. */
  columnsOf(session: Session, table: Table): Promise<Map<string, Column>>
  /** Columns with a unique index of their own. */
  uniqueColumns(session: Session, table: Table): Promise<Set<string>>
  /** Creates the table unless it exists. */
  createTable(session: Session, table: Table): Promise<void>
  /** Steps 2 to 4. */
  update(session: Session, table: Table, columns: Map<string, Column>): Promise<void>
}

export async function migrate<Column>(
  session: Session,
  server: Server,
  sql: Dialect,
  schema: ServerSchema<Column>,
): Promise<void> {
  await schema.lock(session)
  // Nothing is made in a database that turns out to be another program's.
  for (const table of TABLE_NAMES) {
    const columns = await schema.columnsOf(session, table)
    if (columns.size === 0) continue
    const why = foreignBecause(table, columns, await schema.uniqueColumns(session, table))
    if (why !== undefined) throw new DatabaseError('invalid', `${why}: name another database`)
  }
  for (const table of TABLE_NAMES) {
    await schema.createTable(session, table)
    await schema.update(session, table, await schema.columnsOf(session, table))
  }
  const [total] = await session.rows(sql.hasTotal, [TOTAL])
  if (!total) await session.write(sql.addTotal, [TOTAL, await sumOfCompleted(session, server, sql)])
}

/** 0 when summing takes too long, see schema.ts. */
async function sumOfCompleted(session: Session, server: Server, sql: Dialect): Promise<bigint> {
  await session.write(sql.limitStatements(SUMMING_MILLISECONDS))
  try {
    const [row] = await session.rows(sql.sumOfCompleted)
    return BigInt(String(row?.[0]))
  } catch (error) {
    if (server.failureOf(error).fault === 'late') return 0n
    throw error
  } finally {
    await session.write(sql.limitStatements(0))
  }
}

/** Another start holds the lock. */
export const changedByAnother = (): DatabaseError =>
  new DatabaseError(
    'late',
    'another tracker has been bringing its tables up to date for a while: start again when that is done',
  )
