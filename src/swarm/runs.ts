/**
 * Hands out runs of 2^order numbered units, aligned to their length up to a batch of 64; what a unit is it
 * does not know. Units are paid for by the batch, and a batch that is free can be given back. A unit that is
 * free is a bit in words of its own, so free units need no memory. A take gets the lowest of the smallest
 * free runs that will do, so free units gather at the end.
 */
import {
  BATCH,
  BATCH_ORDER,
  NIL,
  RUN_GROUP_WORDS,
  RUN_MAPS,
  RUNS_HEADER,
  runTopWords,
} from './layout.ts'

const { whole: WHOLE, unpaid: UNPAID, count: MAPS } = RUN_MAPS

type RunsOptions = {
  readonly header: Int32Array
  /** Where RUNS_HEADER begins in it. */
  readonly at: number
  /** Zeroes to begin with: `carveRuns` of layout.ts. */
  readonly words: Int32Array
  /** Most batches there can be. */
  readonly batches: number
  /** Asks for what a batch costs. */
  readonly pay: () => boolean
  readonly repay: () => void
  /** Called for batches `from` to `to`−1 once nothing is kept there; perhaps more than once. */
  readonly unused: (from: number, to: number) => void
}

/** Batches that are released together when all of them are unused: whole pages of most arrays. */
const REGION = 16

export class Runs {
  readonly #header: Int32Array
  readonly #high: number
  readonly #taken: number
  readonly #maps: number
  readonly #words: Int32Array
  readonly #groups: number
  readonly #batches: number
  readonly #pay: () => boolean
  readonly #repay: () => void
  readonly #unused: (from: number, to: number) => void

  constructor(options: RunsOptions) {
    this.#header = options.header
    this.#high = options.at + RUNS_HEADER.high
    this.#taken = options.at + RUNS_HEADER.taken
    this.#maps = options.at + RUNS_HEADER.maps
    this.#words = options.words
    this.#groups = runTopWords(options.batches)
    this.#batches = options.batches
    this.#pay = options.pay
    this.#repay = options.repay
    this.#unused = options.unused
  }

  /** All units are free. The caller takes back what was paid for them. */
  reset(): void {
    const batches = this.#header[this.#high]! >>> BATCH_ORDER
    this.#words.fill(0, 0, runTopWords(batches))
    const groups = Math.ceil(batches / 32) * RUN_GROUP_WORDS
    this.#words.fill(0, this.#groups, this.#groups + groups)
    this.#header[this.#taken] = 0
    this.#header[this.#maps] = 0
    for (let batch = 0; batch < batches; batch++) this.#add(UNPAID, batch)
  }

  /** First unit of a run of 2^order units; NIL = memory or budget is spent. */
  take(order: number): number {
    if (order > BATCH_ORDER) return this.#takeBatches(order, this.#fit(order, this.#batches))
    const found = this.#leastFrom(order)
    if (found <= WHOLE) return this.#cut(this.#lowest(found), found, order)
    const batch = this.#lowestUnpaid()
    return this.#open(batch) ? this.#cut(batch, WHOLE, order) : NIL
  }

  /** Gives back what `take(order)` returned, or an aligned part of it. */
  give(base: number, order: number): void {
    this.#header[this.#taken]! -= 1 << order
    if (order < BATCH_ORDER) this.#join(base, order)
    else
      for (let at = base; at < base + (1 << order); at += BATCH)
        this.#setWhole(at >>> BATCH_ORDER, true)
  }

  /** Whether the run at `base` lies beyond the end that all runs would have without gaps. */
  isBeyond(base: number): boolean {
    return base - (base % BATCH) >= this.#header[this.#taken]!
  }

  /**
   * Takes a run to replace the one at `base`, always in a lower batch; NIL = that one stands well. A run that
   * is not beyond (`isBeyond`) is only moved if a neighbour of it is free, so that two gaps become a larger
   * one, and only to where no larger gap is cut.
   */
  takeBetter(base: number, order: number): number {
    const batch = base >>> BATCH_ORDER
    const isBeyond = this.isBeyond(base)
    if (order > BATCH_ORDER)
      return isBeyond ? this.#takeBatches(order, this.#fit(order, batch)) : NIL
    const widest = isBeyond ? WHOLE : this.#freeNeighbour(base, order)
    for (let found = this.#leastFrom(order); found <= widest; found = this.#leastFrom(found + 1)) {
      const place = this.#lowest(found)
      if (place < batch) return this.#cut(place, found, order)
    }
    if (!isBeyond) return NIL
    const unpaid = this.#lowestUnpaid()
    return unpaid < batch && this.#open(unpaid) ? this.#cut(unpaid, WHOLE, order) : NIL
  }

  /** Gives back free batches; `most` steps. How many it took: fewer = it is done. */
  trim(most: number): number {
    const header = this.#header
    let left = most
    for (; left > 0 && this.#leastFrom(WHOLE) === WHOLE; left--) this.#close(this.#lowest(WHOLE))
    const high = header[this.#high]! >>> BATCH_ORDER
    let end = high
    for (; left > 0 && end > 0 && this.#isUnpaid(end - 1); left--) this.#drop(UNPAID, --end)
    if (end < high) {
      header[this.#high] = end * BATCH
      // A little more, because of the page in which the last release ended.
      this.#unused(end, Math.min(high + REGION, this.#batches))
    }
    return most - left
  }

  #open(batch: number): boolean {
    if (batch === this.#batches || !this.#pay()) return false
    if (batch * BATCH === this.#header[this.#high]) this.#header[this.#high]! += BATCH
    else this.#drop(UNPAID, batch)
    this.#setWhole(batch, true)
    return true
  }

  #close(batch: number): void {
    this.#setWhole(batch, false)
    this.#add(UNPAID, batch)
    this.#repay()
    const region = this.#words[this.#group(batch) + UNPAID]! >>> (batch & (32 - REGION))
    const first = batch - (batch % REGION)
    if ((region & 0xffff) === 0xffff) this.#unused(first, first + REGION)
  }

  /** A run of 2^order ≤ 64 units from the first free run of just 2^found in `batch`. */
  #cut(batch: number, found: number, order: number): number {
    const words = this.#words
    const at = this.#unitsAt(batch)
    const low = words[at]!
    const high = words[at + 1]!
    let unit = 0
    let isLast = true
    if (found < WHOLE) {
      const lows = exactly(low, found)
      const highs = (lows & (lows - 1)) === 0 ? exactly(high, found) : 0
      unit = lows === 0 ? 32 + lowestBit(highs) : lowestBit(lows)
      isLast = lows === 0 ? (highs & (highs - 1)) === 0 : (lows & (lows - 1)) === 0 && highs === 0
    }
    if (order === BATCH_ORDER) words[at] = words[at + 1] = 0
    else if (unit < 32) words[at] = low & ~bitsOf(unit, order)
    else words[at + 1] = high & ~bitsOf(unit, order)
    if (isLast) this.#drop(found, batch)
    // What is left of it is one run of each order in between.
    for (let rest = order; rest < found; rest++) this.#add(rest, batch)
    this.#header[this.#taken]! += 1 << order
    return batch * BATCH + unit
  }

  /** Frees a run of 2^order < 64 units and joins it with its free neighbours. */
  #join(base: number, order: number): void {
    const words = this.#words
    const batch = base >>> BATCH_ORDER
    const at = this.#unitsAt(batch)
    const unit = base & (BATCH - 1)
    if (unit < 32) words[at]! |= bitsOf(unit, order)
    else words[at + 1]! |= bitsOf(unit, order)
    const low = words[at]!
    const high = words[at + 1]!
    for (; order < BATCH_ORDER; order++) {
      const neighbour = (unit & -(1 << order)) ^ (1 << order)
      const bits = bitsOf(neighbour, order)
      if (((neighbour < 32 ? low : high) & bits) !== bits) break
      const isLast = order === 5 || (exactly(low, order) | exactly(high, order)) === 0
      if (isLast) this.#drop(order, batch)
    }
    this.#add(order, batch)
  }

  /** First of as many free batches side by side, all before `end`, as 2^order units need; NIL = none. */
  #fit(order: number, end: number): number {
    const need = 1 << (order - BATCH_ORDER)
    const high = this.#header[this.#high]! >>> BATCH_ORDER
    for (let batch = 0, free = 0; batch < end; batch++) {
      free = batch >= high || this.#isUnpaid(batch) || this.#isWhole(batch) ? free + 1 : 0
      if (free === need) return batch + 1 - need
    }
    return NIL
  }

  #takeBatches(order: number, first: number): number {
    if (first === NIL) return NIL
    const end = first + (1 << (order - BATCH_ORDER))
    // If one cannot be paid for, those before it stay, free.
    for (let batch = first; batch < end; batch++)
      if (!this.#isWhole(batch) && !this.#open(batch)) return NIL
    for (let batch = first; batch < end; batch++) this.#setWhole(batch, false)
    this.#header[this.#taken]! += 1 << order
    return first * BATCH
  }

  /** The least order, from `order` on, at which the run around `base` has a free neighbour; or −1. */
  #freeNeighbour(base: number, order: number): number {
    const at = this.#unitsAt(base >>> BATCH_ORDER)
    const low = this.#words[at]!
    const high = this.#words[at + 1]!
    const unit = base & (BATCH - 1)
    for (; order < BATCH_ORDER; order++) {
      const size = 1 << order
      const neighbour = (unit & -size) ^ size
      const bits = bitsOf(neighbour, order)
      if (((neighbour < 32 ? low : high) & bits) === bits) return order
    }
    return -1
  }

  /** All of a batch is free from now on; false: it was, and none of it is from now on. */
  #setWhole(batch: number, isFree: boolean): void {
    const at = this.#unitsAt(batch)
    this.#words[at] = this.#words[at + 1] = isFree ? -1 : 0
    if (isFree) this.#add(WHOLE, batch)
    else this.#drop(WHOLE, batch)
  }

  #add(map: number, batch: number): void {
    const words = this.#words
    const at = this.#group(batch) + map
    const word = words[at]!
    words[at] = word | (1 << (batch & 31))
    if (word !== 0) return
    words[(batch >>> 10) * MAPS + map]! |= 1 << ((batch >>> 5) & 31)
    this.#header[this.#maps]! |= 1 << map
  }

  #drop(map: number, batch: number): void {
    const words = this.#words
    const at = this.#group(batch) + map
    const rest = words[at]! & ~(1 << (batch & 31))
    words[at] = rest
    if (rest !== 0) return
    words[(batch >>> 10) * MAPS + map]! &= ~(1 << ((batch >>> 5) & 31))
    const tops = runTopWords(this.#header[this.#high]! >>> BATCH_ORDER)
    for (let top = map; top < tops; top += MAPS) if (words[top] !== 0) return
    this.#header[this.#maps]! &= ~(1 << map)
  }

  /** The first map, from this one on, that is not empty; `MAPS` or more = none. */
  #leastFrom(map: number): number {
    const maps = this.#header[this.#maps]! >>> map
    return maps === 0 ? MAPS : map + lowestBit(maps)
  }

  /** Lowest batch of a map that is not empty. */
  #lowest(map: number): number {
    const words = this.#words
    let top = 0
    while (words[top * MAPS + map] === 0) top++
    const group = top * 32 + lowestBit(words[top * MAPS + map]!)
    return group * 32 + lowestBit(words[this.#groups + group * RUN_GROUP_WORDS + map]!)
  }

  /** Lowest batch that is not paid for; one more than there can be when all are. */
  #lowestUnpaid(): number {
    if (this.#leastFrom(UNPAID) === UNPAID) return this.#lowest(UNPAID)
    return this.#header[this.#high]! >>> BATCH_ORDER
  }

  #isUnpaid(batch: number): boolean {
    return ((this.#words[this.#group(batch) + UNPAID]! >>> (batch & 31)) & 1) === 1
  }
  #isWhole(batch: number): boolean {
    const at = this.#unitsAt(batch)
    return (this.#words[at]! & this.#words[at + 1]!) === -1
  }

  #group(batch: number): number {
    return this.#groups + (batch >>> 5) * RUN_GROUP_WORDS
  }
  #unitsAt(batch: number): number {
    return this.#group(batch) + MAPS + (batch & 31) * 2
  }
}

// Free units of half a batch are a word of bits. A free unit belongs to the longest aligned run of 2^order
// units that are all free.

/** Position of the lowest bit of a word that is not zero. */
const lowestBit = (word: number): number => 31 - Math.clz32(word & -word)

/** Bits of a run of 2^order ≤ 32 units within its half of the batch. */
const bitsOf = (unit: number, order: number): number =>
  order === 5 ? -1 : ((1 << (1 << order)) - 1) << (unit & 31)

/** First bits of the free runs of just 2^order ≤ 32 units; the other half is not all free. */
function exactly(ones: number, order: number): number {
  if (ones === 0) return 0
  const twos = ones & (ones >>> 1) & 0x5555_5555
  if (order === 0) return ones & ~(twos | (twos << 1))
  const fours = twos & (twos >>> 2) & 0x1111_1111
  if (order === 1) return twos & ~(fours | (fours << 2))
  const eights = fours & (fours >>> 4) & 0x0101_0101
  if (order === 2) return fours & ~(eights | (eights << 4))
  const sixteens = eights & (eights >>> 8) & 0x0001_0001
  if (order === 3) return eights & ~(sixteens | (sixteens << 8))
  const all = sixteens & (sixteens >>> 16)
  return order === 4 ? sixteens & ~(all | (all << 16)) : all
}
