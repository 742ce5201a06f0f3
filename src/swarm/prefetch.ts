/**
 * Brings what a batch of announces is about to read into the processor's cache. In a large swarm an announce
 * spends most of its time waiting for memory, one cache line after the other; for many announces at once the
 * same waits overlap, the more of them the fewer instructions stand between two. It reads without locks: what
 * it sees may be stale or torn, so it is used for nothing, and nothing is changed.
 */
import { bucketOf } from '../memory/hash.ts'
import {
  DETAIL,
  type FamilyRow,
  HEADER,
  largeBit,
  NIL,
  PART,
  SIZE_MASK,
  TORRENT,
} from './layout.ts'
import type { Shard } from './shard.ts'
import type { Swarm } from './swarm.ts'

export class Prefetch {
  readonly #swarm: Swarm
  /** By announce. */
  readonly #shards: Shard[]
  readonly #torrents: Int32Array
  /** Those with a part in the torrent record; peers of the others are not read ahead. */
  readonly #families: readonly FamilyRow[]
  /** Keeps the loads from being dropped as useless. */
  sink = 0

  /** For batches of at most `most` announces. */
  constructor(swarm: Swarm, most: number) {
    const shard = swarm.shards[0]!
    this.#swarm = swarm
    this.#shards = new Array<Shard>(most).fill(shard)
    this.#torrents = new Int32Array(most)
    this.#families = shard.families.map(({ row }) => row).filter(({ part }) => part !== undefined)
  }

  /** `words`: the info hashes, five words each in memory order. */
  load(words: Int32Array, count: number): void {
    // Each pass reads, for all of them, what the next pass needs to know where to read.
    for (let i = 0; i < count; i++) this.#bucket(words, i)
    let flags = 0
    for (let i = 0; i < count; i++) flags |= this.#record(words, i)
    for (let family = 0; family < this.#families.length; family++)
      this.#peers(family, this.#families[family]!, count, flags)
  }

  #bucket(words: Int32Array, i: number): void {
    const hash = this.#swarm.hash(words, i * 5)
    const shard = this.#swarm.shardOf(hash)
    const { header, buckets } = shard.torrents
    this.#shards[i] = shard
    this.#torrents[i] = buckets[bucketOf(hash, header[HEADER.torrentBuckets]!)]!
  }

  /** Flags of the torrent; 0 = unknown. */
  #record(words: Int32Array, i: number): number {
    const { records } = this.#shards[i]!.torrents
    let torrent = this.#torrents[i]!
    if (torrent === NIL) return 0
    if (records[torrent * TORRENT.words] !== words[i * 5]) {
      torrent = records[torrent * TORRENT.words + TORRENT.next]!
      this.#torrents[i] = torrent
    }
    return torrent === NIL ? 0 : records[torrent * TORRENT.words + TORRENT.flags]!
  }

  /** The first peer of each small swarm of one family. `flags`: those of all torrents. */
  #peers(family: number, row: FamilyRow, count: number, flags: number): void {
    const large = largeBit(row)
    const size = (SIZE_MASK << row.bits) | large
    if ((flags & size) === 0) return
    const shards = this.#shards
    const torrents = this.#torrents
    const part = (row.part ?? 0) + PART.base
    let sink = 0
    for (let i = 0; i < count; i++) {
      const torrent = torrents[i]!
      if (torrent === NIL) continue
      const shard = shards[i]!
      const { records } = shard.torrents
      const at = torrent * TORRENT.words
      const bits = records[at + TORRENT.flags]! & size
      if (bits === 0 || bits >= large) continue
      const { hot, stride, details } = shard.families[family]!.arrays
      const base = records[at + part]!
      sink ^= hot[base * stride]! ^ details[base * DETAIL.words]!
    }
    this.sink ^= sink
  }
}
