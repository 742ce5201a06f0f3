/** How a table of `table.ts` lies in its memory: all in words, called cells here. */
import { SEED_WORDS, type Seed } from '../memory/hash.ts'
import { reserve } from '../memory/reserve.ts'

/**
 * Cells of the front: how many entries, buckets and records there are, and what only the writer
 * uses.
 */
export const HEADER = {
  /** As many cells as a seed has words. */
  seed: 0,
  capacity: 4,
  size: 5,
  buckets: 6,
  /** Number of the last record that was handed out for the first time. */
  high: 7,
  /** First record that was given back, `END` = none; the next one stands in its stamp. */
  free: 8,
  generation: 9,
  cells: 16,
} as const

export const seedIn = (cells: Int32Array): Seed =>
  cells.slice(HEADER.seed, HEADER.seed + SEED_WORDS)

/** Versions; a table begins with as many buckets, so that dividing one concerns one stripe. */
export const STRIPES = 1024
export const VERSIONS_AT = HEADER.cells
export const BUCKETS_AT = VERSIONS_AT + STRIPES
/** Records beyond the capacity, for entries that stand in two places while they move. */
export const SPARE = 64
/** End of a chain; record 0 does not exist, so that memory nobody touched is an empty table. */
export const END = 0

/** Cells of an entry's key and of what belongs to it. Behind them: next record, stamp, hash. */
export type Shape = { readonly key: number; readonly value: number }

/** Entries side by side: their keys, and in the same order what belongs to each. */
export type Entries = { readonly words: Int32Array; readonly values: Int32Array }

/** Cells of a record: a power of two, so that none lies in more cache lines than it must. */
export const strideOf = ({ key, value }: Shape): number => 1 << (32 - Math.clz32(key + value + 2))
/** Where the records begin. */
export const recordsAt = (capacity: number): number => BUCKETS_AT + Math.max(capacity, STRIPES)

/** Memory of an empty table for `capacity` entries. Untouched pages cost nothing. */
export function createTable(shape: Shape, capacity: number, seed: Seed): SharedArrayBuffer {
  const cells = recordsAt(capacity) + (capacity + SPARE + 1) * strideOf(shape)
  const memory = reserve(cells * 4)
  const header = new Int32Array(memory, 0, HEADER.cells)
  header.set(seed, HEADER.seed)
  header[HEADER.capacity] = capacity
  header[HEADER.buckets] = STRIPES
  return memory
}
