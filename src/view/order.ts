/**
 * The info hashes of all torrents in ascending order. They are read without locks, so that millions of them hold
 * up no announce; the seeded hash in each record tells an info hash from the halves of two.
 */
import { INFO_HASH_BYTES } from '../bittorrent.ts'
import { HEADER, TORRENT, USED } from '../swarm/layout.ts'
import type { Shard } from '../swarm/shard.ts'
import type { Swarm } from '../swarm/swarm.ts'

export const WORDS = INFO_HASH_BYTES / 4

/** 24 bytes a torrent. */
export type Order = {
  /** The info hashes in no order, five words each in memory order. */
  readonly hashes: Int32Array<ArrayBuffer>
  /** Where they stand among `hashes`, in ascending order; none twice. */
  readonly places: Uint32Array<ArrayBuffer>
}

/** Records that have to be looked at for an order. */
export const recordsIn = ({ shards }: Swarm): number => sum(shards.map(highOf))

/**
 * All torrents that are there from beginning to end; of those that come or go meanwhile some. undefined: a shard was
 * salvaged meanwhile, and torrents seemed to be missing.
 */
export function orderOf(swarm: Swarm): Order | undefined {
  const highs = swarm.shards.map(highOf)
  const hashes = new Int32Array(sum(highs) * WORDS)
  let end = 0
  for (const [i, shard] of swarm.shards.entries()) {
    const { header } = shard.torrents
    const salvages = Atomics.load(header, HEADER.salvages)
    end = readHashes(swarm, shard, highs[i]!, hashes, end)
    if ((salvages & 1) === 1 || Atomics.load(header, HEADER.salvages) !== salvages) return undefined
  }
  const places = new Uint32Array(end / WORDS)
  for (let place = 0; place < places.length; place++) places[place] = place
  return { hashes, places: places.subarray(0, sort(hashes, places, 0)) }
}

/** End of the records that may be in use. */
const highOf = ({ torrents }: Shard): number => torrents.header[HEADER.torrentHigh]!
const sum = (numbers: readonly number[]): number => numbers.reduce((all, one) => all + one, 0)

/** Copies the info hashes in the records below `high` of a shard to `into[end…]`. The new end. */
function readHashes(
  swarm: Swarm,
  shard: Shard,
  high: number,
  into: Int32Array,
  end: number,
): number {
  const { records } = shard.torrents
  // Downwards, as the sweep moves torrents: one that it moves may be read twice, but never missed.
  for (let torrent = high - 1; torrent >= 0; torrent--) {
    const at = torrent * TORRENT.words
    if ((records[at + TORRENT.flags]! & USED) === 0) continue
    for (let i = 0; i < WORDS; i++) into[end + i] = records[at + i]!
    // Otherwise the record was given to another torrent while it was read.
    if (swarm.hash(into, end) === records[at + TORRENT.hash]) end += WORDS
  }
  return end
}

/**
 * Sorts places of info hashes that do not differ before `word`, and moves those without repetitions to the front. How
 * many these are. Many times as fast as a comparing sort: a word and its place become one number that the engine sorts
 * by itself, and the next word is looked at only where two are equal.
 */
function sort(hashes: Int32Array, places: Uint32Array, word: number): number {
  const keys = new BigUint64Array(places.length)
  // The low half of a key, then the high one.
  const halves = new Uint32Array(keys.buffer)
  const bytes = new DataView(hashes.buffer)
  for (let i = 0; i < places.length; i++) {
    halves[i * 2] = places[i]!
    halves[i * 2 + 1] = bytes.getUint32((places[i]! * WORDS + word) * 4)
  }
  keys.sort()
  for (let i = 0; i < places.length; i++) places[i] = halves[i * 2]!
  let count = 0
  for (let from = 0, to = 0; from < places.length; from = to) {
    while (to < places.length && halves[to * 2 + 1] === halves[from * 2 + 1]) to++
    const isAlone = to === from + 1 || word === WORDS - 1
    const kept = isAlone ? 1 : sort(hashes, places.subarray(from, to), word + 1)
    places.copyWithin(count, from, from + kept)
    count += kept
  }
  return count
}

/** A copy of at most `count` info hashes from position `from` on, one behind the other. */
export function hashesFrom({ hashes, places }: Order, from: number, count: number): Int32Array {
  const found = places.subarray(from, from + count)
  const copy = new Int32Array(found.length * WORDS)
  for (let n = 0; n < found.length; n++)
    for (let i = 0; i < WORDS; i++) copy[n * WORDS + i] = hashes[found[n]! * WORDS + i]!
  return copy
}

/** Position of the first info hash that comes behind `hash`. */
export function positionBehind({ hashes, places }: Order, hash: Int32Array): number {
  const bytes = Buffer.from(hashes.buffer)
  const key = Buffer.from(hash.buffer, hash.byteOffset, INFO_HASH_BYTES)
  let low = 0
  for (let high = places.length; low < high; ) {
    const middle = (low + high) >>> 1
    const at = places[middle]! * INFO_HASH_BYTES
    if (key.compare(bytes, at, at + INFO_HASH_BYTES) < 0) high = middle
    else low = middle + 1
  }
  return low
}
