/** Why the tables in the database of a server cannot be brought up to date (schema.ts). */
import { DatabaseError } from './contract.ts'

/** Columns that must be there, and the one that must not hold the same twice. */
const TABLES = {
  whitelist: { columns: ['id', 'info_hash'], unique: 'info_hash' },
  torrents: { columns: ['id', 'info_hash', 'completed'], unique: 'info_hash' },
  keys: { columns: ['id', 'key', 'valid_until'], unique: 'key' },
  torrent_aggregate_metrics: { columns: ['id', 'metric_name', 'value'], unique: 'metric_name' },
} as const

export type Table = keyof typeof TABLES

/** Other programs call their tables `torrents` and `keys` as well. */
export function refuseForeign(
  table: Table,
  there: { has(column: string): boolean },
  unique: { has(column: string): boolean },
): void {
  const foreign = (what: string) =>
    new DatabaseError(
      'invalid',
      `its table "${table}" ${what}, so another program made it: name another database`,
    )
  const wanted = TABLES[table]
  for (const column of wanted.columns)
    if (!there.has(column)) throw foreign(`has no column "${column}"`)
  if (!unique.has(wanted.unique)) throw foreign(`allows the same "${wanted.unique}" twice`)
}

/** A start that waits for the lock of another. */
export const changedByAnother = (): DatabaseError =>
  new DatabaseError(
    'late',
    'another tracker has been bringing its tables up to date for a while: start again when that is done',
  )
