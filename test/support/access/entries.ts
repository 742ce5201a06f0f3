/** Info hashes and keys by number, for the tests of this folder: the same number, the same bytes. */
import type { Keys } from '../../../src/access/keys.ts'
import type { Whitelist } from '../../../src/access/whitelist.ts'
import { Key } from '../../../src/bittorrent.ts'

/** Five words; neighbours differ in every one of them. */
export const hashWords = (n: number): Int32Array =>
  Int32Array.from({ length: 5 }, (_, i) => Math.imul(n + 1, 0x9e37_79b1 + 2 * i) ^ (n << i))

/** `count` info hashes from number `first` on, packed. */
export function packed(first: number, count: number): Uint8Array {
  const words = new Int32Array(count * 5)
  for (let i = 0; i < count; i++) words.set(hashWords(first + i), i * 5)
  return new Uint8Array(words.buffer)
}

export const keyText = (n: number): string => `Key${`${n}`.padStart(29, '0')}`
export function keyOf(text: string): Key {
  const key = new Key()
  if (!key.read(text)) throw new Error(`not a key: ${text}`)
  return key
}
export const keyWords = (n: number): Int32Array => keyOf(keyText(n)).words

/** All of a job that is done in slices; how many slices there were. */
export function run<T>(slices: Generator<void, T, void>): { value: T; slices: number } {
  for (let count = 0; ; count++) {
    const step = slices.next()
    if (step.done === true) return { value: step.value, slices: count }
  }
}

/** false: the table is full. */
export const addHash = (table: Whitelist, words: Int32Array): boolean =>
  table.put({ words, values: new Int32Array() })
export const addKey = (table: Keys, words: Int32Array, validUntil: number): boolean =>
  table.put({ words, values: new Int32Array(Float64Array.of(validUntil, 0).buffer) })
