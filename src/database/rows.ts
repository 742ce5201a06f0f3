/**
 * What the rows of the tables mean (spec/torrust-rest-api §9.1), the same for every driver. Other
 * programs write these tables, too: a row that means nothing is skipped, never an error.
 */
import { INFO_HASH_BYTES } from '../bittorrent.ts'
import type { KeyRow } from './contract.ts'

const HASH = /^(?:[0-9a-f]{40}|[0-9A-F]{40})$/
const KEY = /^[0-9A-Za-z]{32}$/

/** Packed info hashes as they stand in the tables. */
export function hashTexts(hashes: Uint8Array): string[] {
  const texts: string[] = new Array(hashes.byteLength / INFO_HASH_BYTES)
  const digits = hashes.toHex()
  for (let i = 0; i < texts.length; i++) texts[i] = digits.slice(i * 40, i * 40 + 40)
  return texts
}

/** Both forms in which an info hash may stand in a table. */
export const formsOf = (text: string): [string, string] => [text, text.toUpperCase()]

/**
 * Info hashes from a column, packed. Upper-case digits are how people add a row by hand, and the
 * reference reads them: they count, and whoever removes a hash must remove that form as well.
 */
export function packHashes(column: readonly unknown[]): Uint8Array {
  const known = column.filter((text): text is string => typeof text === 'string' && HASH.test(text))
  return Uint8Array.fromHex(known.join(''))
}

/** Keys from rows of key and `valid_until`. */
export function readKeyRows(rows: readonly (readonly unknown[])[]): KeyRow[] {
  const keys: KeyRow[] = []
  for (const [key, validUntil] of rows) {
    if (typeof key !== 'string' || !KEY.test(key)) continue
    if (validUntil === null) keys.push({ key, validUntil })
    // The sign means nothing: that is how the reference reads it.
    else if (typeof validUntil === 'bigint')
      keys.push({ key, validUntil: validUntil < 0n ? -validUntil : validUntil })
  }
  return keys
}
