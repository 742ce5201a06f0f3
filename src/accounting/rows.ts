/**
 * Rows of equal size in a large reservation that is filled from its front, so that only those that were used cost
 * memory. One thread uses them. Row 0 does not exist: it ends chains, and stands for "not there".
 */
import { bucketOf, parentOf } from '../memory/hash.ts'

export const NONE = 0

/** Asks for so many KiB of the tracker's memory; false: it is spent. Rows are used again, and never given back. */
export type Charge = (kib: number) => boolean

export type Place = {
  readonly memory: SharedArrayBuffer
  /** Byte at which they begin. */
  readonly from: number
  readonly capacity: number
  readonly charge: Charge
}

/** Rows that are paid for at a time, so that whole KiB are. */
const PAID = 512

export class Rows {
  readonly cells: Int32Array
  /** The same, two words a number. */
  readonly numbers: Float64Array
  readonly words: number
  readonly #link: number
  readonly #capacity: number
  readonly #charge: Charge
  readonly #kib: number
  #paid = 1
  #free = NONE
  /** The last row that was ever used. */
  high = 0
  size = 0

  /** Bytes that rows of `words` words take. A multiple of 64. */
  static bytes(words: number, capacity: number): number {
    return Math.ceil(((capacity + 1) * words) / 16) * 64
  }

  /** `link`: the word of a row in which it names the one behind it; `beside`: words that each has elsewhere. */
  constructor({ memory, from, capacity, charge }: Place, words: number, link: number, beside = 0) {
    this.cells = new Int32Array(memory, from, (capacity + 1) * words)
    this.numbers = new Float64Array(memory, from, this.cells.length >>> 1)
    this.words = words
    this.#link = link
    this.#capacity = capacity
    this.#charge = charge
    this.#kib = ((words + beside) * 4 * PAID) / 1024
  }

  /** A row of zeroes; `NONE`: there is no memory for it. */
  take(): number {
    let row = this.#free
    if (row !== NONE) {
      const link = row * this.words + this.#link
      this.#free = this.cells[link]!
      this.cells[link] = NONE
    } else {
      if (this.high === this.#capacity) return NONE
      if (this.high + 1 >= this.#paid) {
        if (!this.#charge(this.#kib)) return NONE
        this.#paid += PAID
      }
      row = ++this.high
    }
    this.size++
    return row
  }

  giveBack(row: number): void {
    this.cells.fill(0, row * this.words, (row + 1) * this.words)
    this.cells[row * this.words + this.#link] = this.#free
    this.#free = row
    this.size--
  }
}

/** A table begins with so many buckets. */
const FIRST_BUCKETS = 1_024

/** Rows that are found by a hash of what stands in them: linear hashing, one bucket more for each row more. */
export abstract class HashedRows extends Rows {
  readonly #link: number
  readonly #buckets: Int32Array
  #count = FIRST_BUCKETS
  /** Keeps loads that only bring rows into the cache from being dropped as useless. */
  sink = 0

  static override bytes(words: number, capacity: number): number {
    return Rows.bytes(words, capacity) + Math.ceil(Math.max(capacity, FIRST_BUCKETS) / 16) * 64
  }

  constructor(place: Place, words: number, link: number) {
    super(place, words, link, 1)
    this.#link = link
    const from = place.from + Rows.bytes(words, place.capacity)
    this.#buckets = new Int32Array(place.memory, from, Math.max(place.capacity, FIRST_BUCKETS))
  }

  protected abstract hashOf(row: number): number

  bucket(hash: number): number {
    return bucketOf(hash, this.#count)
  }
  /** First row of a bucket. */
  first(bucket: number): number {
    return this.#buckets[bucket]!
  }
  next(row: number): number {
    return this.cells[row * this.words + this.#link]!
  }
  /** Brings a row into the cache: it may lie in three lines. */
  touch(row: number): void {
    const { cells, words } = this
    const at = row * words
    this.sink ^= cells[at]! ^ cells[at + (words >>> 1)]! ^ cells[at + words - 1]!
  }

  /** Lets a row that was taken be found. */
  link(row: number, hash: number): void {
    const bucket = this.bucket(hash)
    this.cells[row * this.words + this.#link] = this.#buckets[bucket]!
    this.#buckets[bucket] = row
    if (this.size > this.#count && this.#count < this.#buckets.length) this.#divide()
  }

  unlink(row: number, hash: number): void {
    const cells = this.cells
    const bucket = this.bucket(hash)
    const next = this.next(row)
    let before = this.#buckets[bucket]!
    if (before === row) {
      this.#buckets[bucket] = next
      return
    }
    for (let after = this.next(before); after !== row; after = this.next(before)) before = after
    cells[before * this.words + this.#link] = next
  }

  /** Adds a bucket and moves those rows of its parent there that belong to it. */
  #divide(): void {
    const fresh = this.#count++
    const parent = parentOf(fresh)
    const buckets = this.#buckets
    let row = buckets[parent]!
    buckets[parent] = NONE
    while (row !== NONE) {
      const next = this.next(row)
      const bucket = bucketOf(this.hashOf(row), this.#count)
      this.cells[row * this.words + this.#link] = buckets[bucket]!
      buckets[bucket] = row
      row = next
    }
  }
}

/** A hash of two words that strangers do not choose, or that are hashes themselves. */
export const mix = (one: number, other: number): number => {
  let hash = (Math.imul(one, 0x9e37_79b1) + other) | 0
  hash = Math.imul(hash ^ (hash >>> 16), 0x85eb_ca6b)
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2_ae35)
  return hash ^ (hash >>> 16)
}
