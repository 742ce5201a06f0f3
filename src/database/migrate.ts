/** The steps of schema.ts; what a dialect must word itself is a `SchemaDialect`. */
import { Deadline } from '../time/deadline.ts'
import { DatabaseError } from './contract.ts'
import type { Dialect } from './dialects.ts'
import { LEAST_ID, TABLE_NAMES, TABLES, type Table, TOTAL } from './schema.ts'
import { type Session, wholeNumber } from './session.ts'
import { removeEndedWriters } from './writers.ts'

/** A column of a table that exists. */
export type Column = {
  /** With its length, in lower case. */
  readonly type: string
  readonly isNullable: boolean
  /** '' if there is none. */
  readonly collation: string
}

export interface SchemaDialect {
  /**
   * The type of each kind of column (`TABLES`). Unique: `hash` (40 hex digits; other programs may have written
   * upper case), `key` (32 characters, case counts) and `name` (50 characters). `count` has 64 bits, is not null
   * and 0 by default; `second` has 64 bits, null = for ever.
   */
  readonly types: Readonly<Record<'id' | 'hash' | 'count' | 'key' | 'second' | 'name', string>>
  /** Selects name, type, whether it is nullable, and collation of the columns of the table `?`. */
  readonly columns: string
  /** Selects the columns of the table `?` with a unique index of their own. */
  readonly uniqueColumns: string
  /** Keeps two starts apart, until the session or its transaction ends. */
  lock?(session: Session): Promise<void>
  /** Steps 2 to 4 on a table that existed. */
  update(session: Session, table: Table, columns: ReadonlyMap<string, Column>): Promise<void>
}

/** A table that is summed for longer counts from 0. */
const SUMMING_MILLISECONDS = 4_000

export async function migrate(
  session: Session,
  sql: Dialect,
  schema: SchemaDialect,
): Promise<void> {
  await schema.lock?.(session)
  const existing = new Map<Table, ReadonlyMap<string, Column>>()
  // Nothing is made in a database that turns out to be another program's.
  for (const table of TABLE_NAMES) {
    const columns = await columnsOf(session, schema, table)
    if (columns.size === 0) continue
    const unique = await session.rows(schema.uniqueColumns, [table])
    assertOurs(table, columns, new Set(unique.map(([name]) => lower(name))))
    existing.set(table, columns)
  }
  for (const table of TABLE_NAMES) {
    const columns = existing.get(table)
    if (columns) await schema.update(session, table, columns)
    else await createTable(session, schema, table)
  }
  const [total] = await session.rows(sql.total, [TOTAL])
  if (!total) await session.write(sql.addTotal, [TOTAL, await sumOfCompleted(session, sql)])
  await removeEndedWriters(session, sql)
}

export async function createTable(
  session: Session,
  { types }: SchemaDialect,
  table: Table,
  name: string = table,
): Promise<void> {
  const columns = Object.entries(TABLES[table]).map(
    ([column, kind]) => `"${column}" ${types[kind]}`,
  )
  await session.write(`CREATE TABLE "${name}" (${columns.join(', ')})`)
}

/** Columns of the table that must become 64-bit (steps 2 and 3), or nullable. */
export const narrow = (table: Table, columns: ReadonlyMap<string, Column>) =>
  Object.entries(TABLES[table]).flatMap(([name, kind]) => {
    if (kind !== 'count' && kind !== 'second') return []
    const { type, isNullable } = columns.get(name)!
    const isWide = type.startsWith('bigint')
    return isWide && (kind === 'count' || isNullable) ? [] : [{ name, kind, isWide, isNullable }]
  })

async function columnsOf(session: Session, schema: SchemaDialect, table: Table) {
  const rows = await session.rows(schema.columns, [table])
  return new Map(
    rows.map(([name, type, isNullable, collation]): [string, Column] => [
      lower(name),
      {
        type: lower(type),
        isNullable: /^(1|yes|true)$/i.test(String(isNullable)),
        collation: String(collation ?? ''),
      },
    ]),
  )
}

const lower = (text: unknown): string => String(text).toLowerCase()

/** Others call their tables `torrents` and `keys`, too. */
function assertOurs(
  table: Table,
  columns: ReadonlyMap<string, Column>,
  unique: ReadonlySet<string>,
): void {
  const wanted = Object.keys(TABLES[table])
  const missing = wanted.find((column) => !columns.has(column))
  const what =
    missing !== undefined
      ? `has no column "${missing}"`
      : unique.has(wanted[1]!)
        ? undefined
        : `allows the same "${wanted[1]}" twice`
  if (what !== undefined)
    throw new DatabaseError(
      'invalid',
      `its table "${table}" ${what}, so another program made it: name another database`,
    )
}

/** 0 when summing takes too long, see schema.ts. */
async function sumOfCompleted(session: Session, sql: Dialect): Promise<bigint> {
  const deadline = Deadline.in(SUMMING_MILLISECONDS)
  let sum = 0
  for (let from = LEAST_ID; ; ) {
    const [[last, part] = []] = await session.rows(sql.sumOfPart, [from])
    const id = wholeNumber(last)
    if (id === null) return BigInt(Math.min(sum, Number.MAX_SAFE_INTEGER))
    if (deadline.isOver) return 0n
    sum += Number(part)
    from = id
  }
}

/** Another start holds the lock. */
export const changedByAnother = (): DatabaseError =>
  new DatabaseError(
    'late',
    'another tracker has been bringing its tables up to date for a while: start again when that is done',
  )
