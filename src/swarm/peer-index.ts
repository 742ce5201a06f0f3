/**
 * Finds a peer of a large swarm by its endpoint without looking at the others: one linear hash table
 * per shard and family, chained through `next`. Peers of small swarms are not in it; a scan
 * of at most 64 endpoints that lie side by side is faster than a look-up.
 */
import type { Family } from '../bittorrent.ts'
import { bucketOf, hashWords, parentOf, secretsOf } from '../memory/hash.ts'
import type { Release } from '../memory/reserve.ts'
import {
  CHUNK_ORDER,
  endpointHalves,
  FAMILY_HEADER,
  HEADER,
  NIL,
  type PeerArrays,
  seedIn,
} from './layout.ts'

/** Buckets behind the end that may lie in one page with those given back before. */
const TAIL = 1024

export class PeerIndex {
  readonly #header: Int32Array
  readonly #family: number
  readonly #width: number
  readonly #arrays: PeerArrays
  /** A torrent and an endpoint, two halves a word. */
  readonly #words: Int32Array
  readonly #secrets: Int32Array
  readonly #release: Release

  constructor(header: Int32Array, family: Family, arrays: PeerArrays, release: Release) {
    this.#release = release
    this.#header = header
    this.#family = family === 4 ? HEADER.v4 : HEADER.v6
    this.#width = endpointHalves(family)
    this.#arrays = arrays
    this.#words = new Int32Array(1 + Math.ceil(this.#width / 2))
    this.#secrets = secretsOf(seedIn(header), this.#words.length, `endpoint ${family}`)
  }

  reset(): void {
    this.#header[this.#family + FAMILY_HEADER.indexed] = 0
    this.#header[this.#family + FAMILY_HEADER.indexBuckets] = 1
    this.#arrays.buckets[0] = NIL
  }

  /** Slot of the peer of `torrent` with the endpoint at `halves[0…]`; NIL = none. */
  find(torrent: number, halves: Uint16Array): number {
    const { hot, stride, next, buckets, chunkTorrent } = this.#arrays
    const width = this.#width
    let slot = buckets[this.#bucket(this.#hash(torrent, halves, 0))]!
    for (; slot !== NIL; slot = next[slot]!) {
      const at = slot * stride
      let half = 0
      while (half < width && hot[at + half] === halves[half]) half++
      if (half === width && chunkTorrent[slot >>> CHUNK_ORDER] === torrent) return slot
    }
    return NIL
  }

  /** The endpoint of `slot` and the torrent of its chunk must have been written. */
  add(slot: number): void {
    const { next, buckets } = this.#arrays
    const bucket = this.#bucket(this.#hashOf(slot))
    next[slot] = buckets[bucket]!
    buckets[bucket] = slot
    const entries = ++this.#header[this.#family + FAMILY_HEADER.indexed]!
    if (entries > this.#header[this.#family + FAMILY_HEADER.indexBuckets]!) this.#split()
  }

  /** The endpoint of `slot` must still be the one it was added with. */
  remove(slot: number): void {
    const { next, buckets } = this.#arrays
    const bucket = this.#bucket(this.#hashOf(slot))
    let at = buckets[bucket]!
    if (at === slot) buckets[bucket] = next[slot]!
    else {
      while (next[at] !== slot) at = next[at]!
      next[at] = next[slot]!
    }
    this.#header[this.#family + FAMILY_HEADER.indexed]!--
  }

  /** Joins up to `most` buckets of a table that is much too wide. How many it joined. */
  trim(most: number): number {
    const { next, buckets } = this.#arrays
    const wide = this.#header[this.#family + FAMILY_HEADER.indexBuckets]!
    const enough = Math.max(1, this.#header[this.#family + FAMILY_HEADER.indexed]! * 2)
    let count = wide
    for (; count > enough && wide - count < most; count--) {
      const parent = parentOf(count - 1)
      let last = buckets[count - 1]!
      if (last !== NIL) {
        const first = last
        while (next[last] !== NIL) last = next[last]!
        next[last] = buckets[parent]!
        buckets[parent] = first
      }
      this.#header[this.#family + FAMILY_HEADER.indexBuckets] = count - 1
    }
    if (count < wide) this.#release(buckets, count, wide + TAIL)
    return wide - count
  }

  #split(): void {
    const { next, buckets } = this.#arrays
    const fresh = this.#header[this.#family + FAMILY_HEADER.indexBuckets]!
    if (fresh === buckets.length) return
    const parent = parentOf(fresh)
    let slot = buckets[parent]!
    buckets[parent] = NIL
    buckets[fresh] = NIL
    this.#header[this.#family + FAMILY_HEADER.indexBuckets] = fresh + 1
    while (slot !== NIL) {
      const following = next[slot]!
      const bucket = this.#bucket(this.#hashOf(slot))
      next[slot] = buckets[bucket]!
      buckets[bucket] = slot
      slot = following
    }
  }

  #bucket(hash: number): number {
    return bucketOf(hash, this.#header[this.#family + FAMILY_HEADER.indexBuckets]!)
  }

  #hashOf(slot: number): number {
    const { hot, stride, chunkTorrent } = this.#arrays
    return this.#hash(chunkTorrent[slot >>> CHUNK_ORDER]!, hot, slot * stride)
  }

  #hash(torrent: number, halves: Uint16Array, at: number): number {
    const words = this.#words
    const last = words.length - 1
    words[0] = torrent
    for (let word = 1; word < last; word++, at += 2)
      words[word] = halves[at]! | (halves[at + 1]! << 16)
    words[last] = halves[at]!
    return hashWords(this.#secrets, words, 0, words.length)
  }
}
