/**
 * The order of info hashes: how many torrents of the swarm begin with each 16 bits, which lie in a stretch, and
 * sorting. Torrents are looked at without locks: what is found may be out of date, so it is checked again with
 * the lock held.
 */
import { HEADER, TORRENT, USED } from '../swarm/layout.ts'
import type { Shard } from '../swarm/shard.ts'
import type { Swarm } from '../swarm/swarm.ts'
import type { Turns } from '../time/turns.ts'

/** An info hash is ten digits of 16 bits, the first one first. */
export const DIGITS = 10
export const DIGIT_VALUES = 1 << 16

/** Torrents between two looks at the clock. */
const STRIDE = 4096

/** The info hashes that begin with `prefix`, go on with `low` to `high`, and come behind all that begin with `after`. */
export type Stretch = {
  readonly prefix: readonly number[]
  readonly low: number
  readonly high: number
  readonly after: readonly number[]
}

/** Digit `n` of the info hash at `words[at…]`. Words lie in memory order, which is not that of the digits. */
function digitAt(words: Int32Array, at: number, n: number): number {
  const word = words[at + (n >>> 1)]!
  const half = (n & 1) === 0 ? word & 0xffff : word >>> 16
  return ((half & 0xff) << 8) | (half >>> 8)
}

/** Whether the info hash at `words[at…]` lies in the stretch. */
export function isWithin(words: Int32Array, at: number, stretch: Stretch): boolean {
  const { prefix, low, high, after } = stretch
  const digit = digitAt(words, at, prefix.length)
  if (digit < low || digit > high) return false
  for (let n = 0; n < prefix.length; n++) if (digitAt(words, at, n) !== prefix[n]) return false
  return after.length === 0 || isBehind(words, at, after)
}

function isBehind(words: Int32Array, at: number, after: readonly number[]): boolean {
  for (let n = 0; n < after.length; n++) {
    const digit = digitAt(words, at, n)
    if (digit !== after[n]) return digit > after[n]!
  }
  return false
}

/**
 * Salvages of the shard so far; undefined while one is under way, when torrents seem to be missing. What was seen
 * between two that differ is not to be believed.
 */
export function salvagesOf({ torrents: { header } }: Shard): number | undefined {
  const salvages = Atomics.load(header, HEADER.salvages)
  return (salvages & 1) === 0 ? salvages : undefined
}

/** Times that torrents of the shard were renumbered, by salvages or by the sweep; undefined as above. */
export function movesOf(shard: Shard): number | undefined {
  const salvages = salvagesOf(shard)
  return salvages === undefined ? undefined : salvages + shard.torrents.header[HEADER.moves]!
}

/** How many torrents begin with `prefix`, by the digit that follows, of those behind `after`. */
export async function countByDigit(
  swarm: Swarm,
  prefix: readonly number[],
  after: readonly number[],
  turns: Turns,
): Promise<Uint32Array> {
  const counts = new Uint32Array(DIGIT_VALUES)
  const all = { prefix, low: 0, high: DIGIT_VALUES - 1, after }
  for (const shard of swarm.shards)
    for (let from = 0; from < highOf(shard); from += STRIDE) {
      const to = Math.min(from + STRIDE, highOf(shard))
      count(shard.torrents.records, from, to, all, counts)
      if (turns.isOver) await turns.next()
    }
  return counts
}

/** Numbers of the torrents of a shard in a stretch. */
export async function torrentsWithin(
  shard: Shard,
  stretch: Stretch,
  turns: Turns,
): Promise<number[]> {
  const found: number[] = []
  const { records } = shard.torrents
  for (let from = 0; from < highOf(shard); from += STRIDE) {
    const to = Math.min(from + STRIDE, highOf(shard))
    find(records, from, to, stretch, found)
    if (turns.isOver) await turns.next()
  }
  return found
}

const highOf = (shard: Shard): number => shard.torrents.header[HEADER.torrentHigh]!

function count(
  records: Int32Array,
  from: number,
  to: number,
  stretch: Stretch,
  counts: Uint32Array,
): void {
  const { length } = stretch.prefix
  const isAny = length === 0 && stretch.after.length === 0
  for (let at = from * TORRENT.words; at < to * TORRENT.words; at += TORRENT.words)
    if ((records[at + TORRENT.flags]! & USED) !== 0 && (isAny || isWithin(records, at, stretch)))
      counts[digitAt(records, at, length)]!++
}

function find(
  records: Int32Array,
  from: number,
  to: number,
  stretch: Stretch,
  found: number[],
): void {
  const { low } = stretch
  const span = stretch.high - low
  const { length } = stretch.prefix
  for (let torrent = from; torrent < to; torrent++) {
    const at = torrent * TORRENT.words
    // One digit rules out almost all of them, in one comparison that the processor predicts well.
    if ((digitAt(records, at, length) - low) >>> 0 > span) continue
    if ((records[at + TORRENT.flags]! & USED) !== 0 && isWithin(records, at, stretch))
      found.push(torrent)
  }
}

/** Rows that a sort key has room for beside its 32 bits: both are exact in 53 bits. */
const MOST_ROWS = 2 ** 21

/**
 * Numbers of the rows (`words` words each, the info hash first) in ascending order, of equal ones only one. Many
 * times as fast as a comparing sort: four bytes at a time become numbers that the engine sorts by itself, and
 * the next four are looked at only where those are equal.
 */
export function inOrder(rows: Int32Array, words: number): Uint32Array {
  const order = Uint32Array.from({ length: rows.length / words }, (_, row) => row)
  if (order.length > MOST_ROWS) throw new RangeError(`${order.length} rows are too many to sort`)
  sort(rows, words, order, 0)
  let count = 0
  for (let i = 0; i < order.length; i++)
    if (i === 0 || !areSame(rows, order[i]! * words, order[i - 1]! * words))
      order[count++] = order[i]!
  return order.subarray(0, count)
}

/** Sorts `order`, whose rows do not differ before `digit`. */
function sort(rows: Int32Array, words: number, order: Uint32Array, digit: number): void {
  const keys = new Float64Array(order.length)
  for (let i = 0; i < order.length; i++) {
    const at = order[i]! * words
    const value = digitAt(rows, at, digit) * DIGIT_VALUES + digitAt(rows, at, digit + 1)
    keys[i] = value * MOST_ROWS + order[i]!
  }
  keys.sort()
  for (let i = 0; i < keys.length; i++) order[i] = keys[i]! % MOST_ROWS
  if (digit + 2 >= DIGITS) return
  for (let from = 0, to = 0; from < keys.length; from = to) {
    const value = Math.floor(keys[from]! / MOST_ROWS)
    while (to < keys.length && Math.floor(keys[to]! / MOST_ROWS) === value) to++
    if (to - from > 1) sort(rows, words, order.subarray(from, to), digit + 2)
  }
}

function areSame(rows: Int32Array, one: number, other: number): boolean {
  let i = 0
  while (i < DIGITS / 2 && rows[one + i] === rows[other + i]) i++
  return i === DIGITS / 2
}
