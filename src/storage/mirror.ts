/** Tables that serving threads read, as copies of tables of the database. */
import { DatabaseError, type Part } from '../database/contract.ts'
import type { Entries, Table } from '../memory/table.ts'

/** A table that serving threads read, and what fills it. */
export type Mirror = {
  readonly name: 'whitelist' | 'keys'
  readonly entries: string
  /** undefined: nothing reads it, and the database has everything. */
  table: Table | undefined
  /** All that the database holds, part by part. */
  parts(): AsyncGenerator<Entries, void, void>
}

/** A long table of the database, part by part, as `pack` returns it. */
export async function* parts<T>(
  read: (from: bigint) => Promise<Part<T>>,
  pack: (rows: T) => Entries,
): AsyncGenerator<Entries, void, void> {
  for (let from: bigint | undefined = 0n; from !== undefined; ) {
    const { rows, next }: Part<T> = await read(from)
    yield pack(rows)
    from = next
  }
}

/** Before the database is changed: what it holds must fit in memory. */
export function assertRoom(mirror: Mirror, count: number): void {
  const { table, entries } = mirror
  if (table?.hasRoom(count) === false) throw full(entries, table)
}

export const full = (entries: string, { capacity }: Table): DatabaseError =>
  new DatabaseError('refused', `the memory has room for ${capacity} ${entries} and no more`)
