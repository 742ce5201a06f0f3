/**
 * The chains of a linear hash table: it grows by one bucket per entry, so that no announce ever waits for a
 * rehash. Entries are numbers; each has a word that links it to the next of its bucket. What an entry is, and
 * when two are equal, is for the owner to know, who walks the chains by himself. The caller holds the
 * shard's lock.
 */
import { bucketOf, parentOf } from '../memory/hash.ts'
import type { Release } from '../memory/reserve.ts'
import { NIL } from './layout.ts'

/** Buckets beyond the end that may share a page with those given back before. */
const TAIL = 1024

type ChainsOptions = {
  readonly header: Int32Array
  /** Words of the header: number of entries, and of buckets in use. */
  readonly entries: number
  readonly width: number
  /** Each the first entry of a chain; NIL = none. */
  readonly buckets: Int32Array
  /** The link of `entry` stands at `links[entry * stride + link]`. */
  readonly links: Int32Array
  readonly stride: number
  readonly link: number
  readonly hashOf: (entry: number) => number
  readonly release: Release
}

export class Chains {
  readonly #header: Int32Array
  readonly #entries: number
  readonly #width: number
  readonly #buckets: Int32Array
  readonly #links: Int32Array
  readonly #stride: number
  readonly #link: number
  readonly #hashOf: (entry: number) => number
  readonly #release: Release

  constructor(options: ChainsOptions) {
    this.#header = options.header
    this.#entries = options.entries
    this.#width = options.width
    this.#buckets = options.buckets
    this.#links = options.links
    this.#stride = options.stride
    this.#link = options.link
    this.#hashOf = options.hashOf
    this.#release = options.release
  }

  /** No entries. A table that was never used goes on without a bucket, and so without memory. */
  reset(): void {
    this.#header[this.#entries] = 0
    if (this.#header[this.#width] !== 0) this.begin()
  }

  /** Only the first bucket: without it there is nothing to look up. */
  begin(): void {
    this.#buckets[0] = NIL
    this.#header[this.#width] = 1
  }

  /** First entry of the chain in which all with this hash are; NIL = none. */
  first(hash: number): number {
    return this.#buckets[bucketOf(hash, this.#header[this.#width]!)]!
  }

  /** Number of the bucket in which all with this hash are. 0 where there is none. */
  bucket(hash: number): number {
    return bucketOf(hash, this.#header[this.#width]! || 1)
  }

  add(entry: number, hash: number): void {
    const header = this.#header
    if (header[this.#width] === 0) this.begin()
    this.#prepend(entry, bucketOf(hash, header[this.#width]!))
    if (++header[this.#entries]! > header[this.#width]!) this.#split()
  }

  remove(entry: number, hash: number): void {
    this.replace(entry, hash, this.#links[entry * this.#stride + this.#link]!)
    this.#header[this.#entries]!--
  }

  /** What leads to `entry` leads to `by` from now on. */
  replace(entry: number, hash: number, by: number): void {
    const links = this.#links
    const buckets = this.#buckets
    const bucket = bucketOf(hash, this.#header[this.#width]!)
    let before = buckets[bucket]!
    if (before === entry) {
      buckets[bucket] = by
      return
    }
    const stride = this.#stride
    const link = this.#link
    for (;;) {
      const at = before * stride + link
      before = links[at]!
      if (before !== entry) continue
      links[at] = by
      return
    }
  }

  /** Joins up to `most` buckets of a table that is much too wide. How many it joined. */
  trim(most: number): number {
    const header = this.#header
    const buckets = this.#buckets
    const wide = header[this.#width]!
    const enough = Math.max(1, header[this.#entries]! * 2)
    let count = wide
    for (; count > enough && wide - count < most; count--) {
      const first = buckets[count - 1]!
      if (first !== NIL) {
        const parent = parentOf(count - 1)
        let last = first * this.#stride + this.#link
        while (this.#links[last] !== NIL) last = this.#links[last]! * this.#stride + this.#link
        this.#links[last] = buckets[parent]!
        buckets[parent] = first
      }
      header[this.#width] = count - 1
    }
    if (count < wide) this.#release(buckets, count, wide + TAIL)
    return wide - count
  }

  #split(): void {
    const buckets = this.#buckets
    const fresh = this.#header[this.#width]!
    if (fresh === buckets.length) return
    const parent = parentOf(fresh)
    let entry = buckets[parent]!
    buckets[parent] = NIL
    buckets[fresh] = NIL
    this.#header[this.#width] = fresh + 1
    while (entry !== NIL) {
      const following = this.#links[entry * this.#stride + this.#link]!
      this.#prepend(entry, bucketOf(this.#hashOf(entry), fresh + 1))
      entry = following
    }
  }

  #prepend(entry: number, bucket: number): void {
    this.#links[entry * this.#stride + this.#link] = this.#buckets[bucket]!
    this.#buckets[bucket] = entry
  }
}
