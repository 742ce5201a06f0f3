/**
 * Brings what a batch of announces is about to read into the processor's cache. In a large swarm an
 * announce waits for memory most of its time, one cache line after the other; for many announces at once
 * the same waits overlap. Reads without locks: what it sees may be stale or torn, so it is used for
 * nothing, and it changes nothing.
 */
import { bucketOf } from '../memory/hash.ts'
import { DETAIL, HEADER, LARGE, NIL, SWARM, TORRENT } from './layout.ts'
import type { Shard } from './shard.ts'
import type { Swarm } from './swarm.ts'

export class Prefetch {
  readonly #swarm: Swarm
  readonly #shards: Shard[] = []
  readonly #torrents: Int32Array
  readonly #bases: Int32Array
  /** Keeps the loads from being dropped as useless. */
  sink = 0

  /** For batches of at most `most` announces. */
  constructor(swarm: Swarm, most: number) {
    this.#swarm = swarm
    this.#torrents = new Int32Array(most)
    this.#bases = new Int32Array(most * 2)
    for (let i = 0; i < most; i++) this.#shards.push(swarm.shards[0]!)
  }

  /** `words`: the info hashes, five words each in memory order. */
  load(words: Int32Array, count: number): void {
    // Each pass reads, for all of them, what the next pass needs to know where to read.
    for (let i = 0; i < count; i++) this.#bucket(words, i)
    for (let i = 0; i < count; i++) this.#record(words, i)
    for (let i = 0; i < count; i++) this.#peers(i)
  }

  #bucket(words: Int32Array, i: number): void {
    const key = this.#swarm.key(words, i * 5)
    const shard = this.#swarm.shardOf(key)
    const { header, buckets } = shard.torrents
    this.#shards[i] = shard
    this.#torrents[i] = buckets[bucketOf(key, header[HEADER.torrentBuckets]!)]!
  }

  #record(words: Int32Array, i: number): void {
    const { records } = this.#shards[i]!.torrents
    let torrent = this.#torrents[i]!
    if (torrent !== NIL && records[torrent * TORRENT.words] !== words[i * 5])
      torrent = records[torrent * TORRENT.words + TORRENT.next]!
    const at = torrent * TORRENT.words
    const known = torrent !== NIL && (records[at + TORRENT.flags]! & (LARGE[4] | LARGE[6])) === 0
    this.#bases[i * 2] = known ? records[at + TORRENT.v4 + SWARM.base]! : NIL
    this.#bases[i * 2 + 1] = known ? records[at + TORRENT.v6 + SWARM.base]! : NIL
  }

  #peers(i: number): void {
    const shard = this.#shards[i]!
    this.#touch(shard, this.#bases[i * 2]!)
    const base6 = this.#bases[i * 2 + 1]!
    if (base6 !== NIL) this.sink ^= shard.peers6.arrays.hot[base6 * shard.peers6.arrays.stride]!
  }

  #touch(shard: Shard, base: number): void {
    if (base === NIL) return
    const { hot, stride, details } = shard.peers4.arrays
    this.sink ^= hot[base * stride]! ^ details[base * DETAIL.words]!
  }
}
