/**
 * Which peers an announce is answered with: random runs, so that every member of a large swarm is reachable
 * while answering stays copying. A seeder gets leechers, and seeders only to fill up; a leecher gets both,
 * half and half where there are enough. The caller holds the shard's lock.
 */
import type { PeerList } from '../bittorrent.ts'
import { CHUNK, DETAIL, MOST, NIL } from './layout.ts'
import type { Peers } from './peers.ts'

/** Expired peers of a large swarm that one run steps over before it gives up. */
const MOST_STEPS = 64

/** Random numbers for choosing peers: xorshift32, one per thread, seeded by its owner. Not a secret. */
export class Dice {
  #state: number

  constructor(seed: number) {
    this.#state = seed | 1
  }

  /** A lot for one announce, which `step` makes two numbers of. */
  draw(): number {
    const lot = this.#state
    this.#state = step(step(lot))
    return lot
  }
}

/** The number that follows. */
export function step(state: number): number {
  state ^= state << 13
  state ^= state >>> 17
  return state ^ (state << 5)
}

/** 0 … below−1. */
export const roll = (number: number, below: number): number => (number & 0x7fff_ffff) % below

/** The terms on which one announce is answered. Each thread has one and fills it again for every announce. */
export class Terms {
  readonly dice: Dice
  /** Second of the announce, counted from `EPOCH` like every second of a shard. */
  now = 0
  /** A peer last seen at this second or before counts as gone: one with an address, and one with a seat. */
  cutoff = 0
  seatCutoff = 0
  /** See `Dice.draw`. */
  lot = 0
  /** Where torrent and asker were when the announce was expected; NIL = unknown. */
  torrent: number = NIL
  slot: number = NIL
  /** Most peers that are listed; and how many are still wanted. */
  most = 0
  want = 0
  /** Whether the asker is a seeder, and its position in the swarm that is looked at. */
  isSeeder = false
  position = 0

  constructor(seed: number) {
    this.dice = new Dice(seed)
  }
}

/**
 * Fills `list` with up to `terms.want` peers of one family of `torrent`, never the one at slot `self` (NIL: the
 * asker is not here), never one that is gone.
 */
export function select(
  terms: Terms,
  list: PeerList,
  peers: Peers,
  torrent: number,
  self: number,
): void {
  const { want } = terms
  const count = peers.count(torrent)
  const position = self === NIL ? MOST : peers.slots.positionOf(torrent, self)
  terms.position = position
  if (count <= want) {
    // Most swarms are small: all of it, in one run.
    run(terms, list, peers, torrent, 0, count, want, 0)
    return
  }
  const leechers = peers.leechers(torrent)
  const seeders = count - leechers
  const others = leechers - (position < leechers ? 1 : 0)
  const fromSeeders = terms.isSeeder
    ? Math.min(seeders, Math.max(0, want - others))
    : Math.min(seeders, Math.max((want + 1) >>> 1, want - others))
  const number = step(terms.lot)
  run(terms, list, peers, torrent, 0, leechers, want - fromSeeders, number)
  run(terms, list, peers, torrent, leechers, seeders, fromSeeders, step(number))
}

/** Up to `take` of the `length` peers from position `start` on, as a circle entered anywhere. */
function run(
  terms: Terms,
  list: PeerList,
  peers: Peers,
  torrent: number,
  start: number,
  length: number,
  take: number,
  number: number,
): void {
  if (take <= 0 || length === 0) return
  const { hot, stride, details } = peers.arrays
  const { slots, width } = peers
  const { position: self } = terms
  const cutoff = peers.isBeside ? terms.seatCutoff : terms.cutoff
  const { halves, ids } = list
  const stop = start + length
  let count = list.count
  let to = list.at + count * width
  const end = count + Math.min(take, length)
  let position = take < length ? start + roll(number, length) : start
  for (let looks = Math.min(length, take + MOST_STEPS); looks > 0 && count < end; ) {
    // Positions up to the end of a chunk have slots that follow one another.
    let slot = slots.slotAt(torrent, position)
    const stretch = slots.isLarge(torrent) ? CHUNK - (position & (CHUNK - 1)) : length
    const last = Math.min(position + Math.min(stretch, looks), stop)
    looks -= last - position
    for (; position < last && count < end; position++, slot++) {
      const from = slot * stride
      const seen = hot[from + width]! | (hot[from + width + 1]! << 16)
      if (position === self || seen <= cutoff) continue
      halves[to] = hot[from]!
      halves[to + 1] = hot[from + 1]!
      for (let half = 2; half < width; half++) halves[to + half] = hot[from + half]!
      to += width
      if (ids !== undefined)
        for (let word = 0; word < DETAIL.idWords; word++)
          ids[count * DETAIL.idWords + word] = details[slot * DETAIL.words + word]!
      count++
    }
    if (position === stop) position = start
  }
  list.count = count
}
