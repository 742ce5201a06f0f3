/**
 * Reads ahead for a batch of announces. In a large swarm an announce spends most of its time waiting for memory,
 * one cache line after the other; for many announces at once the same waits overlap. What was found on the way
 * (hash, torrent, slot) is kept for the announces, so that they need not search again. It reads without locks:
 * what it finds may be stale or torn, so it changes nothing, and each announce looks whether it is still so.
 *
 * A processor looks a few hundred instructions ahead of a load that waits. So there is a loop for each load, with
 * as little as possible between two, and loops between them find out where the next one reads.
 */
import { Expected, type PeerFamily } from '../bittorrent.ts'
import { LIMITS } from '../limits.ts'
import { bucketOf, hashInfoHash } from '../memory/hash.ts'
import {
  CHUNK,
  CHUNK_ORDER,
  DETAIL,
  DIRECTORY_UNIT,
  HEADER,
  largeBit,
  NIL,
  PART,
  SIZE_MASK,
  shardOf,
  TORRENT,
} from './layout.ts'
import type { PeerIndex } from './peer-index.ts'
import type { Peers } from './peers.ts'
import { type Dice, roll, step } from './selection.ts'
import type { Shard } from './shard.ts'

/** Halves in a cache line. */
const LINE = 32
/** Peers of an answer that are read ahead. A seeder is answered with leechers alone when there are more. */
const ENOUGH = 30
/** Links of a chain that are followed. */
const MOST_LINKS = 8
/** Announces in a batch, and lines that are read in one go. */
const MOST = LIMITS.udpBatch
const MOST_LINES = 1024

export class Prefetch {
  readonly #secrets: Int32Array
  readonly #dice: Dice
  /** By shard. */
  readonly #headers: readonly Int32Array[]
  readonly #buckets: readonly Int32Array[]
  readonly #records: readonly Int32Array[]
  readonly #families: readonly Family[]
  /** By announce: the info hash, five words; its seeded hash; the lot drawn for it. */
  readonly #words = new Int32Array(MOST * 5)
  readonly hashes = new Int32Array(MOST)
  readonly lots = new Int32Array(MOST)
  /** By announce: torrent and slot of the asker; NIL = not found. */
  readonly torrents = new Int32Array(MOST)
  readonly slots = new Int32Array(MOST)
  /** By announce: bucket to be read; slots from which peers of a large swarm will be listed. */
  readonly #places = new Int32Array(MOST)
  readonly #leechers = new Int32Array(MOST)
  readonly #seeders = new Int32Array(MOST)
  /** Numbers of the announces of one family, for small swarms and for large ones. */
  readonly #small = new Int32Array(MOST)
  readonly #large = new Int32Array(MOST)
  readonly #lines = new Lines()
  /** The expected announce that is next, and how many there are. */
  #at = 0
  #count = 0
  /** Keeps the loads from being dropped as useless. */
  sink = 0

  constructor(shards: readonly Shard[], secrets: Int32Array, dice: Dice) {
    this.#secrets = secrets
    this.#dice = dice
    this.#headers = shards.map(({ torrents }) => torrents.header)
    this.#buckets = shards.map(({ torrents }) => torrents.buckets)
    this.#records = shards.map(({ torrents }) => torrents.records)
    // Only peers with addresses come in batches.
    this.#families = shards[0]!.families.flatMap(({ isBeside }, i) =>
      isBeside ? [] : [new Family(shards.map(({ families }) => families[i]!))],
    )
  }

  /** Number of the announce that is expected with this info hash; NIL = it is not expected. */
  next(words: Int32Array): number {
    const expected = this.#words
    const count = this.#count
    for (let i = this.#at; i < count; i++) {
      const at = i * 5
      if (
        expected[at] === words[0] &&
        expected[at + 1] === words[1] &&
        expected[at + 2] === words[2] &&
        expected[at + 3] === words[3] &&
        expected[at + 4] === words[4]
      ) {
        this.#at = i + 1
        return i
      }
    }
    return NIL
  }

  load({ hashes, peers, count }: Expected): void {
    const words = this.#words
    const all = Math.min(count, MOST)
    for (let at = 0; at < all * 5; at++) words[at] = hashes[at]!
    this.#at = 0
    this.#count = all
    this.#torrents(all)
    for (const family of this.#families) {
      let some = 0
      for (let i = 0; i < all; i++)
        if (peers[i * Expected.halves + Expected.family] === family.number) this.#small[some++] = i
      if (some > 0) this.#peers(family, peers, some)
    }
  }

  #torrents(count: number): void {
    const words = this.#words
    const { hashes, torrents, slots, lots } = this
    const secrets = this.#secrets
    const dice = this.#dice
    const buckets = this.#buckets
    const headers = this.#headers
    const places = this.#places
    for (let i = 0; i < count; i++) {
      const hash = hashInfoHash(secrets, words, i * 5)
      hashes[i] = hash
      lots[i] = dice.draw()
      slots[i] = NIL
      places[i] = bucketOf(hash, headers[shardOf(hash)]![HEADER.torrentBuckets]!)
    }
    for (let i = 0; i < count; i++) torrents[i] = buckets[shardOf(hashes[i]!)]![places[i]!]!
    const all = this.#records
    let sink = 0
    for (let i = 0; i < count; i++) {
      const torrent = torrents[i]!
      if (torrent !== NIL) sink ^= all[shardOf(hashes[i]!)]![torrent * TORRENT.words]!
    }
    for (let i = 0; i < count; i++) {
      const torrent = torrents[i]!
      if (torrent === NIL) continue
      const records = all[shardOf(hashes[i]!)]!
      const at = torrent * TORRENT.words
      if (records[at] !== words[i * 5]) torrents[i] = records[at + TORRENT.next]!
    }
    for (let i = 0; i < count; i++) {
      const torrent = torrents[i]!
      if (torrent !== NIL) sink ^= all[shardOf(hashes[i]!)]![torrent * TORRENT.words]!
    }
    for (let i = 0; i < count; i++) {
      let torrent = torrents[i]!
      if (torrent === NIL) continue
      const records = all[shardOf(hashes[i]!)]!
      const word = words[i * 5]!
      for (let links = 0; records[torrent * TORRENT.words] !== word; links++) {
        torrent =
          links < MOST_LINKS ? (records[torrent * TORRENT.words + TORRENT.next] ?? NIL) : NIL
        if (torrent === NIL) break
      }
      torrents[i] = torrent
    }
    this.sink ^= sink
  }

  /** Those `count` announces whose numbers are in `#small`. */
  #peers(family: Family, peers: Uint16Array, count: number): void {
    const { hashes, torrents, slots } = this
    const small = this.#small
    const lines = this.#lines
    const all = this.#records
    const { stride, width, bits, large, parts } = family
    let smalls = 0
    let larges = 0
    for (let n = 0; n < count; n++) {
      const i = small[n]!
      const torrent = torrents[i]!
      if (torrent === NIL) continue
      const shard = shardOf(hashes[i]!)
      const flags = all[shard]![torrent * TORRENT.words + TORRENT.flags]!
      if (((flags >>> bits) & SIZE_MASK) === 0) continue
      if ((flags & large) !== 0) {
        this.#large[larges++] = i
        continue
      }
      // Not before `n`.
      small[smalls++] = i
      const part = torrent * TORRENT.words
      const from = parts[shard]![part + PART.base]! * stride
      lines.add(shard, from, from + Math.min(parts[shard]![part + PART.count]!, CHUNK) * stride)
    }
    this.sink ^= lines.read(family.hot)
    if (larges > 0) this.#ofLarge(family, peers, larges)
    const last = width - 1
    for (let n = 0; n < smalls; n++) {
      const i = small[n]!
      const shard = shardOf(hashes[i]!)
      const part = torrents[i]! * TORRENT.words
      const hot = family.hot[shard]!
      const base = parts[shard]![part + PART.base]!
      const end = base + Math.min(parts[shard]![part + PART.count]!, CHUNK)
      const at = i * Expected.halves
      const port = peers[at + last]!
      const first = peers[at]!
      for (let slot = base; slot < end; slot++) {
        const from = slot * stride
        if (hot[from + last] !== port || hot[from] !== first) continue
        slots[i] = slot
        break
      }
    }
    let sink = 0
    for (let n = 0; n < smalls; n++) {
      const i = small[n]!
      const slot = slots[i]!
      if (slot === NIL) continue
      const details = family.details[shardOf(hashes[i]!)]!
      sink ^= details[slot * DETAIL.words]! ^ details[(slot + 1) * DETAIL.words - 1]!
    }
    this.sink ^= sink
  }

  /** Those `count` announces whose numbers are in `#large`. */
  #ofLarge(family: Family, peers: Uint16Array, count: number): void {
    const { hashes, torrents, slots } = this
    const numbers = this.#large
    const lines = this.#lines
    const { stride, indexes, parts } = family
    const places = this.#places
    let sink = 0
    for (let n = 0; n < count; n++) {
      const i = numbers[n]!
      places[i] = indexes[shardOf(hashes[i]!)]!.bucket(torrents[i]!, peers, i * Expected.halves)
    }
    for (let n = 0; n < count; n++) {
      const i = numbers[n]!
      slots[i] = family.buckets[shardOf(hashes[i]!)]![places[i]!]!
    }
    for (let n = 0; n < count; n++) {
      const i = numbers[n]!
      const shard = shardOf(hashes[i]!)
      const part = torrents[i]! * TORRENT.words
      const base = parts[shard]![part + PART.base]! * DIRECTORY_UNIT
      const leechers = parts[shard]![part + PART.leechers]!
      const seeders = parts[shard]![part + PART.count]! - leechers
      const lot = step(this.lots[i]!)
      const one = leechers > 0 ? roll(lot, leechers) : 0
      const other = leechers + (seeders > 0 ? roll(step(lot), seeders) : 0)
      const directory = family.directory[shard]!
      this.#leechers[i] = directory[base + (one >>> CHUNK_ORDER)]! * CHUNK + (one & (CHUNK - 1))
      this.#seeders[i] = directory[base + (other >>> CHUNK_ORDER)]! * CHUNK + (other & (CHUNK - 1))
    }
    this.#follow(family, peers, count)
    for (let n = 0; n < count; n++) {
      const i = numbers[n]!
      const slot = slots[i]!
      if (slot === NIL) continue
      const shard = shardOf(hashes[i]!)
      const { details, chunkOrdinal } = family
      sink ^=
        details[shard]![slot * DETAIL.words]! ^
        details[shard]![(slot + 1) * DETAIL.words - 1]! ^
        chunkOrdinal[shard]![slot >>> CHUNK_ORDER]!
    }
    for (let n = 0; n < count; n++) {
      const i = numbers[n]!
      const shard = shardOf(hashes[i]!)
      const slot = slots[i]!
      const torrent = torrents[i]!
      const leechers = parts[shard]![torrent * TORRENT.words + PART.leechers]!
      const one = this.#leechers[i]! * stride
      lines.add(shard, one, one + 2 * LINE)
      if (
        slot !== NIL &&
        leechers > ENOUGH &&
        family.chunkOrdinal[shard]![slot >>> CHUNK_ORDER]! * CHUNK + (slot & (CHUNK - 1)) >=
          leechers
      )
        continue
      const other = this.#seeders[i]! * stride
      lines.add(shard, other, other + 2 * LINE)
    }
    this.sink ^= sink ^ lines.read(family.hot)
  }

  /** From the first slots of their chains to the askers', NIL where there is none. */
  #follow(family: Family, peers: Uint16Array, count: number): void {
    const { hashes, torrents, slots } = this
    const { stride, hot, next, chunkTorrent } = family
    const rest = this.#places
    rest.set(this.#large)
    let left = count
    let sink = 0
    for (let links = 0; left > 0 && links < MOST_LINKS; links++) {
      let there = 0
      for (let n = 0; n < left; n++) if (slots[rest[n]!] !== NIL) rest[there++] = rest[n]!
      for (let n = 0; n < there; n++) {
        const i = rest[n]!
        const slot = slots[i]!
        const shard = shardOf(hashes[i]!)
        sink ^=
          hot[shard]![slot * stride]! ^
          next[shard]![slot]! ^
          chunkTorrent[shard]![slot >>> CHUNK_ORDER]!
      }
      left = 0
      for (let n = 0; n < there; n++) {
        const i = rest[n]!
        const slot = slots[i]!
        const shard = shardOf(hashes[i]!)
        if (family.isAt(shard, torrents[i]!, slot, peers, i * Expected.halves)) continue
        slots[i] = next[shard]![slot] ?? NIL
        rest[left++] = i
      }
    }
    for (let n = 0; n < left; n++) slots[rest[n]!] = NIL
    this.sink ^= sink
  }
}

/** What is read of the peers of one family, whose parts are in the records: arrays by shard. */
class Family {
  readonly number: PeerFamily
  readonly indexes: readonly PeerIndex[]
  readonly stride: number
  readonly width: number
  readonly bits: number
  readonly large: number
  readonly parts: readonly Int32Array[]
  readonly hot: readonly Uint16Array[]
  readonly details: readonly Int32Array[]
  readonly buckets: readonly Int32Array[]
  readonly next: readonly Int32Array[]
  readonly directory: readonly Int32Array[]
  readonly chunkTorrent: readonly Int32Array[]
  readonly chunkOrdinal: readonly Int32Array[]

  constructor(families: readonly Peers[]) {
    const { row, arrays } = families[0]!
    this.number = row.family
    this.indexes = families.map(({ slots }) => slots.index)
    this.stride = arrays.stride
    this.width = row.halves
    this.bits = row.bits
    this.large = largeBit(row)
    this.parts = families.map(({ parts }) => parts)
    this.hot = families.map(({ arrays }) => arrays.hot)
    this.details = families.map(({ arrays }) => arrays.details)
    this.buckets = families.map(({ arrays }) => arrays.buckets)
    this.next = families.map(({ arrays }) => arrays.next)
    this.directory = families.map(({ arrays }) => arrays.directory)
    this.chunkTorrent = families.map(({ arrays }) => arrays.chunkTorrent)
    this.chunkOrdinal = families.map(({ arrays }) => arrays.chunkOrdinal)
  }

  /** Whether the peer of a large swarm with the endpoint at `halves[at…]` stands at `slot`. */
  isAt(shard: number, torrent: number, slot: number, halves: Uint16Array, at: number): boolean {
    const hot = this.hot[shard]!
    const { width } = this
    const from = slot * this.stride
    let half = 0
    while (half < width && hot[from + half] === halves[at + half]) half++
    return half === width && this.chunkTorrent[shard]![slot >>> CHUNK_ORDER] === torrent
  }
}

/** Cache lines that are read in one go, with little between two: the processor looks only so far ahead. */
class Lines {
  readonly #shards = new Int32Array(MOST_LINES)
  readonly #places = new Int32Array(MOST_LINES)
  #count = 0

  /** Those with halves `from` to `end`−1 of an array. */
  add(shard: number, from: number, end: number): void {
    const shards = this.#shards
    const places = this.#places
    let count = this.#count
    for (; from < end && count < MOST_LINES; from += LINE) {
      shards[count] = shard
      places[count++] = Math.min(from, end - 1)
    }
    if (count < MOST_LINES) {
      shards[count] = shard
      places[count++] = end - 1
    }
    this.#count = count
  }

  /** Reads them, and forgets them. */
  read(arrays: readonly Uint16Array[]): number {
    const shards = this.#shards
    const places = this.#places
    const count = this.#count
    this.#count = 0
    let sink = 0
    for (let n = 0; n < count; n++) sink ^= arrays[shards[n]!]![places[n]!]!
    return sink
  }
}
