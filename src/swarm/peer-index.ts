/**
 * Finds a peer of a large swarm by its endpoint without looking at the others: one linear hash table per
 * shard and family. Peers of small swarms are not in it; a scan of at most 64 endpoints that lie side by side
 * is faster than a look-up.
 */
import { hashWords, secretsOf } from '../memory/hash.ts'
import type { Release } from '../memory/reserve.ts'
import { Chains } from './chains.ts'
import {
  CHUNK_ORDER,
  FAMILY_HEADER,
  type FamilyRow,
  NIL,
  type PeerArrays,
  seedIn,
} from './layout.ts'

export class PeerIndex {
  readonly #halves: number
  readonly #arrays: PeerArrays
  readonly #chains: Chains
  /** A torrent and an endpoint, two halves a word. */
  readonly #words: Int32Array
  readonly #secrets: Int32Array

  constructor(header: Int32Array, row: FamilyRow, arrays: PeerArrays, release: Release) {
    this.#halves = row.halves
    this.#arrays = arrays
    this.#words = new Int32Array(1 + Math.ceil(row.halves / 2))
    this.#secrets = secretsOf(seedIn(header), this.#words.length, `endpoint ${row.family}`)
    this.#chains = new Chains({
      header,
      entries: row.header + FAMILY_HEADER.indexed,
      width: row.header + FAMILY_HEADER.indexBuckets,
      buckets: arrays.buckets,
      links: arrays.next,
      stride: 1,
      link: 0,
      hashOf: (slot) => this.#hashOf(slot),
      release,
    })
  }

  reset(): void {
    this.#chains.reset()
  }

  /** Slot of the peer of `torrent` with the endpoint at `halves[0…]`; NIL = none. */
  find(torrent: number, halves: Uint16Array): number {
    const { hot, stride, next, chunkTorrent } = this.#arrays
    const width = this.#halves
    let slot = this.#chains.first(this.#hash(torrent, halves, 0))
    for (; slot !== NIL; slot = next[slot]!) {
      const at = slot * stride
      let half = 0
      while (half < width && hot[at + half] === halves[half]) half++
      if (half === width && chunkTorrent[slot >>> CHUNK_ORDER] === torrent) return slot
    }
    return NIL
  }

  /** The bucket whose chain the peer of `torrent` with the endpoint at `halves[at…]` is in, if it is here. */
  bucket(torrent: number, halves: Uint16Array, at: number): number {
    return this.#chains.bucket(this.#hash(torrent, halves, at))
  }

  /** The endpoint of `slot` and the torrent of its chunk must have been written. */
  add(slot: number): void {
    this.#chains.add(slot, this.#hashOf(slot))
  }

  /** The endpoint of `slot` must still be the one it was added with. */
  remove(slot: number): void {
    this.#chains.remove(slot, this.#hashOf(slot))
  }

  /** Joins up to `most` buckets of a table that is much too wide. How many it joined. */
  trim(most: number): number {
    return this.#chains.trim(most)
  }

  #hashOf(slot: number): number {
    const { hot, stride, chunkTorrent } = this.#arrays
    return this.#hash(chunkTorrent[slot >>> CHUNK_ORDER]!, hot, slot * stride)
  }

  #hash(torrent: number, halves: Uint16Array, at: number): number {
    const words = this.#words
    const width = this.#halves
    words[0] = torrent
    let word = 1
    for (let half = 1; half < width; half += 2)
      words[word++] = halves[at + half - 1]! | (halves[at + half]! << 16)
    if ((width & 1) === 1) words[word] = halves[at + width - 1]!
    return hashWords(this.#secrets, words, 0, words.length)
  }
}
