/**
 * The tables, how those of either reference generation become ours in place (docs/behaviours.md D2, D3), and
 * what their rows mean (D4). Nothing here may lose a row, change an id, or leave a database that the
 * reference no longer opens. Each driver follows it in its own dialect.
 *
 *   step  when                                       what
 *   1     a table is absent                          create it
 *   2     `valid_until` is NOT NULL or too narrow    nullable, 64-bit; every row and id kept
 *   3     a counter is too narrow                    64-bit
 *   4     keys that differ by case collide           a collation that tells them apart
 *   5     the row `TOTAL` is absent                  create it with the sum of `torrents.completed`
 *   6     a writer was not seen for 30 days          remove it
 *
 * All of it happens in one transaction where the database can; elsewhere each step leaves a state from which the
 * next start continues. Two trackers that start at once must both succeed.
 *
 * Step 5: neither generation writes that row before it needs it, and the newest counts from nothing when it
 * is absent. The sum of the stored counts is the better first value. Trackers with 1.9 billion stored
 * torrents exist: a table that cannot be summed within some seconds counts from 0, because no start may hang
 * on it. An existing row is never touched, whatever the sum is.
 *
 * `_sqlx_migrations`, the history of the newest generation, is neither created nor written. Where it is
 * absent, that generation adopts a database with a nullable `valid_until` and the aggregate table, which
 * these steps leave. Where it is present, each migration that is still to come finds its work done
 * (`IF NOT EXISTS`) or does it again.
 */
import { INFO_HASH_BYTES, isAuthKey } from '../bittorrent.ts'
import type { KeyRow } from './contract.ts'
import { type Row, wholeNumber } from './session.ts'

/**
 * The columns of each table in their order, under the reference's names, and what they hold. The last table is ours
 * alone: a row for each process that wrote, with the number of its last write and the second of it (writers.ts).
 */
export const TABLES = {
  whitelist: { id: 'id', info_hash: 'hash' },
  torrents: { id: 'id', info_hash: 'hash', completed: 'count' },
  keys: { id: 'id', key: 'key', valid_until: 'second' },
  torrent_aggregate_metrics: { id: 'id', metric_name: 'name', value: 'count' },
  tracker_writers: { id: 'id', writer: 'key', batch: 'count', seen: 'second' },
} as const
export type Table = keyof typeof TABLES
export const TABLE_NAMES = Object.keys(TABLES) as Table[]

export const HASH_DIGITS = INFO_HASH_BYTES * 2
export const NAME_CHARACTERS = 50

/** Metric name of the row that counts the completions of all torrents. */
export const TOTAL = 'torrents_downloads_total'

/** The least possible id; `Part.next` counts from it, so that 0 is the beginning. */
export const LEAST_ID = -(2n ** 63n)
/** The largest count, second and id that 64 bits hold. */
export const LARGEST = 2n ** 63n - 1n
export const limited = (count: bigint): bigint => (count < LARGEST ? count : LARGEST)

/** A row with digits of both cases means nothing: it is neither of the forms that are looked for. */
const HASH = new RegExp(`^(?:[0-9a-f]{${HASH_DIGITS}}|[0-9A-F]{${HASH_DIGITS}})$`)

/** Packed info hashes as the tables hold them. */
export function hashTexts(hashes: Uint8Array): string[] {
  const texts: string[] = new Array(hashes.byteLength / INFO_HASH_BYTES)
  const digits = hashes.toHex()
  for (let i = 0; i < texts.length; i++)
    texts[i] = digits.slice(i * HASH_DIGITS, (i + 1) * HASH_DIGITS)
  return texts
}

/** Both forms in which a table may hold an info hash. */
export const formsOf = (text: string): [string, string] => [text, text.toUpperCase()]

/**
 * Info hashes from a column, packed. Operators add rows by hand with upper-case digits and the reference
 * reads them, so both forms count, and removing a hash removes both.
 */
export function packHashes(column: readonly unknown[]): Uint8Array {
  const known = column.filter((text): text is string => typeof text === 'string' && HASH.test(text))
  return Uint8Array.fromHex(known.join(''))
}

/** Keys from rows of key and `valid_until`. */
export function readKeyRows(rows: readonly Row[]): KeyRow[] {
  const keys: KeyRow[] = []
  for (const [key, validUntil] of rows) {
    if (typeof key !== 'string' || !isAuthKey(key)) continue
    const second = wholeNumber(validUntil)
    // The reference ignores the sign.
    if (second !== null) keys.push({ key, validUntil: second < 0n ? -second : second })
    else if (validUntil === null) keys.push({ key, validUntil })
  }
  return keys
}
