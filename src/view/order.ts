/**
 * The info hashes of all torrents in ascending order, or of the first ones by one of their figures. They are read
 * without locks, so that millions of them hold up no announce; the seeded hash in each record tells an info hash from
 * the halves of two.
 */
import { INFO_HASH_BYTES } from '../bittorrent.ts'
import { HEADER, TORRENT, USED } from '../swarm/layout.ts'
import type { Shard } from '../swarm/shard.ts'
import type { Swarm } from '../swarm/swarm.ts'

export const WORDS = INFO_HASH_BYTES / 4

/** By what torrents are put in order: info hashes ascending, figures descending. */
export const SORTS = ['info_hash', 'seeders', 'leechers', 'completed', 'peers'] as const
export type Sort = (typeof SORTS)[number]

/** Torrents of an order by a figure: people look at the largest, and so many take no memory that counts. */
const MOST_BY_FIGURE = 100_000
/** Figures beyond it are not told apart. */
const MOST_FIGURE = 2 ** 32 - 1

/** 24 bytes a torrent. */
export type Order = {
  /** The info hashes in no order, five words each in memory order. */
  readonly hashes: Int32Array<ArrayBuffer>
  /** Where they stand among `hashes`, in order; none twice. */
  readonly places: Uint32Array<ArrayBuffer>
}

/** Records that have to be looked at for an order. */
export const recordsIn = ({ shards }: Swarm): number => sum(shards.map(highOf))

/**
 * All torrents that are there from beginning to end; of those that come or go meanwhile some. By a figure the first
 * 100,000 of them, equal ones ascending by info hash; a figure counts expired peers until the sweep. undefined: a shard
 * was salvaged meanwhile, and torrents seemed to be missing.
 */
export function orderOf(swarm: Swarm, sortBy: Sort): Order | undefined {
  const highs = swarm.shards.map(highOf)
  const hashes = new Int32Array(sum(highs) * WORDS)
  const figures = sortBy === 'info_hash' ? undefined : new Uint32Array(sum(highs))
  const figureOf = FIGURES[sortBy]
  let end = 0
  for (const [i, shard] of swarm.shards.entries()) {
    const { header } = shard.torrents
    const salvages = Atomics.load(header, HEADER.salvages)
    const read = (torrent: number, place: number) => {
      if (figures) figures[place] = Math.min(figureOf(shard, torrent), MOST_FIGURE)
    }
    end = readHashes(swarm, shard, highs[i]!, hashes, end, read)
    if ((salvages & 1) === 1 || Atomics.load(header, HEADER.salvages) !== salvages) return undefined
  }
  const places = new Uint32Array(end / WORDS)
  for (let place = 0; place < places.length; place++) places[place] = place
  const ascending = places.subarray(0, sort(hashes, places, 0))
  return figures === undefined
    ? { hashes, places: ascending }
    : firstBy(figures, { hashes, places: ascending })
}

const FIGURES: Readonly<Record<Sort, (shard: Shard, torrent: number) => number>> = {
  info_hash: () => 0,
  seeders: ({ families }, torrent) =>
    sum(families.map((peers) => peers.count(torrent) - peers.leechers(torrent))),
  leechers: ({ families }, torrent) => sum(families.map((peers) => peers.leechers(torrent))),
  completed: ({ torrents }, torrent) => torrents.downloaded(torrent),
  peers: ({ families }, torrent) => sum(families.map((peers) => peers.count(torrent))),
}

/** The first of an order by their figures, which stand at the same places as their hashes. */
function firstBy(figures: Uint32Array, order: Order): Order {
  const { places } = order
  const keys = new BigUint64Array(places.length)
  // The low half of a key, then the high one.
  const halves = new Uint32Array(keys.buffer)
  for (let i = 0; i < places.length; i++) {
    halves[i * 2] = i
    halves[i * 2 + 1] = MOST_FIGURE - figures[places[i]!]!
  }
  keys.sort()
  const count = Math.min(places.length, MOST_BY_FIGURE)
  const first = {
    ...order,
    places: Uint32Array.from({ length: count }, (_, i) => places[halves[i * 2]!]!),
  }
  // Copies, so that the memory of all others is given back.
  return {
    hashes: hashesFrom(first, 0, count),
    places: Uint32Array.from({ length: count }, (_, i) => i),
  }
}

/** End of the records that may be in use. */
const highOf = ({ torrents }: Shard): number => torrents.header[HEADER.torrentHigh]!
const sum = (numbers: readonly number[]): number => numbers.reduce((all, one) => all + one, 0)

/**
 * Copies the info hashes in the records below `high` of a shard to `into[end…]`, and says of each in which record it
 * was and which it is among those in `into`. The new end.
 */
function readHashes(
  swarm: Swarm,
  shard: Shard,
  high: number,
  into: Int32Array,
  end: number,
  read: (torrent: number, place: number) => void,
): number {
  const { records } = shard.torrents
  // Downwards, as the sweep moves torrents: one that it moves may be read twice, but never missed.
  for (let torrent = high - 1; torrent >= 0; torrent--) {
    const at = torrent * TORRENT.words
    if ((records[at + TORRENT.flags]! & USED) === 0) continue
    for (let i = 0; i < WORDS; i++) into[end + i] = records[at + i]!
    // Otherwise the record was given to another torrent while it was read.
    if (swarm.hash(into, end) !== records[at + TORRENT.hash]) continue
    read(torrent, end / WORDS)
    end += WORDS
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
export function hashesFrom(
  { hashes, places }: Order,
  from: number,
  count: number,
): Int32Array<ArrayBuffer> {
  const found = places.subarray(from, from + count)
  const copy = new Int32Array(found.length * WORDS)
  for (let n = 0; n < found.length; n++)
    for (let i = 0; i < WORDS; i++) copy[n * WORDS + i] = hashes[found[n]! * WORDS + i]!
  return copy
}

/** In an ascending order, the position of the first info hash that comes behind `hash`. */
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
