/**
 * The auth keys of a private tracker, in shared memory: until when each is good, and whose it is. What follows from that
 * is not decided here.
 */
import { KEY_CHARACTERS, Key } from '../bittorrent.ts'
import { hashWords, type Seed, secretsOf } from '../memory/hash.ts'
import type { Release } from '../memory/reserve.ts'
import { createTable, type Entries, emptyTable, type Slices, Table } from '../memory/table.ts'

/** A value: a 64-bit float, the last millisecond at which the key is good; the account; one word that is spare. */
const SHAPE = { key: KEY_CHARACTERS / 4, value: 4 } as const
const ACCOUNT = 2
/** More than any community has. Only address space is reserved: untouched pages cost nothing. */
const KEY_CAPACITY = 2 ** 22

/** Less than any millisecond until which a key can be good. */
export const UNKNOWN = -1

export const createKeys = (seed: Seed, capacity = KEY_CAPACITY): SharedArrayBuffer =>
  createTable(SHAPE, capacity, seed)

export const emptyKeys = (memory: SharedArrayBuffer, release: Release): void =>
  emptyTable(SHAPE, memory, release)

/** A key as text, the last millisecond at which it is good (Infinity = for ever), and its account, if it has one. */
type PlainKey = {
  readonly key: string
  readonly validUntil: number
  readonly account?: number | undefined
}

/** Keys as the table takes them. Invalid keys are skipped. */
export function packKeys(keys: readonly PlainKey[]): Entries {
  const words = new Int32Array(keys.length * SHAPE.key)
  const values = new Int32Array(keys.length * SHAPE.value)
  const milliseconds = new Float64Array(values.buffer)
  const packed = new Key()
  let count = 0
  for (const { key, validUntil, account = 0 } of keys) {
    if (!packed.read(key)) continue
    for (let i = 0; i < SHAPE.key; i++) words[count * SHAPE.key + i] = packed.words[i]!
    milliseconds[(count * SHAPE.value) / 2] = validUntil
    values[count++ * SHAPE.value + ACCOUNT] = account
  }
  return {
    words: words.subarray(0, count * SHAPE.key),
    values: values.subarray(0, count * SHAPE.value),
  }
}

export class Keys extends Table {
  readonly #value = new Int32Array(SHAPE.value)
  readonly #milliseconds = new Float64Array(this.#value.buffer)
  readonly #secrets: Int32Array

  constructor(memory: SharedArrayBuffer, alone: boolean) {
    super(SHAPE, memory, alone)
    this.#secrets = secretsOf(this.seed, SHAPE.key, 'key')
  }

  /**
   * Last millisecond at which the key at `words[at…]` is good; Infinity = for ever; or `UNKNOWN`.
   */
  validUntil(words: Int32Array, at = 0): number {
    return this.read(words, at, this.#value) ? this.#milliseconds[0]! : UNKNOWN
  }

  /** The account of the key that `validUntil` found last; 0: it has none. */
  get account(): number {
    return this.#value[ACCOUNT]!
  }

  /** Removes the keys that were no longer good at `milliseconds`, a few in each step. */
  removeExpired(milliseconds: number): Slices<void> {
    return this.removeWhere(() => this.#milliseconds[0]! < milliseconds, this.#value)
  }

  protected hashOf(words: Int32Array, at: number): number {
    return hashWords(this.#secrets, words, at, SHAPE.key)
  }
}

const CHARACTERS = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'
/** Bytes from here on would make the first characters likelier than the last. */
const UNBIASED = 256 - (256 % CHARACTERS.length)

/** A key that cannot be guessed: every character is equally likely. */
export function randomKey(): string {
  let key = ''
  while (key.length < KEY_CHARACTERS)
    for (const byte of crypto.getRandomValues(new Uint8Array(KEY_CHARACTERS)))
      if (byte < UNBIASED && key.length < KEY_CHARACTERS)
        key += CHARACTERS[byte % CHARACTERS.length]
  return key
}
