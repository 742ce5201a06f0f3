/**
 * The info hashes that a listed tracker serves, in shared memory: five words each, 36 bytes with their share of
 * the buckets.
 */
import { INFO_HASH_BYTES } from '../bittorrent.ts'
import { hashInfoHash, infoHashSecrets, type Seed } from '../memory/hash.ts'
import type { Release } from '../memory/reserve.ts'
import { createTable, type Entries, emptyTable, Table } from '../memory/table.ts'

const SHAPE = { key: INFO_HASH_BYTES / 4, value: 0 } as const
/** More than any tracker lists. Only address space is reserved: untouched pages cost nothing. */
const WHITELIST_CAPACITY = 2 ** 24

export const createWhitelist = (seed: Seed, capacity = WHITELIST_CAPACITY): SharedArrayBuffer =>
  createTable(SHAPE, capacity, seed)

export const emptyWhitelist = (memory: SharedArrayBuffer, release: Release): void =>
  emptyTable(SHAPE, memory, release)

/** Info hashes as the table takes them; `hashes` are packed. */
export function packHashes(hashes: Uint8Array): Entries {
  const { buffer, byteOffset, byteLength } = hashes.byteOffset % 4 === 0 ? hashes : hashes.slice()
  return { words: new Int32Array(buffer, byteOffset, byteLength / 4), values: new Int32Array() }
}

export class Whitelist extends Table {
  readonly #secrets: Int32Array

  constructor(memory: SharedArrayBuffer, alone: boolean) {
    super(SHAPE, memory, alone)
    this.#secrets = infoHashSecrets(this.seed)
  }

  protected hashOf(words: Int32Array, at: number): number {
    return hashInfoHash(this.#secrets, words, at)
  }
}
