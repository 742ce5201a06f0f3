/**
 * Which peers an announce is told: random runs, so that every member of a large swarm is reachable
 * while answering stays copying. A seeder gets leechers and seeders only to fill up; a leecher gets
 * both, half and half where there are enough. The caller holds the shard's lock.
 */
import type { PeerList } from '../bittorrent.ts'
import type { Dice } from './dice.ts'
import { CHUNK, DETAIL, MOST, NIL } from './layout.ts'
import type { Peers } from './peers.ts'

/** How many expired peers of a large swarm one run may step over before it gives up. */
const PATIENCE = 64

/**
 * Fills `list` with up to `want` peers of one family of `torrent`, never the one at slot `self` (NIL:
 * the asker is not here), never one last seen at `cutoff` or before.
 */
export function select(
  peers: Peers,
  torrent: number,
  want: number,
  seeder: boolean,
  self: number,
  cutoff: number,
  dice: Dice,
  list: PeerList,
): void {
  const leechers = peers.leechers(torrent)
  const seeders = peers.count(torrent) - leechers
  const position = self === NIL ? MOST : peers.storage.positionOf(torrent, self)
  const others = leechers - (position < leechers ? 1 : 0)
  const fromSeeders = seeder
    ? Math.min(seeders, Math.max(0, want - others))
    : Math.min(seeders, Math.max((want + 1) >>> 1, want - others))
  run(peers, torrent, 0, leechers, want - fromSeeders, position, cutoff, dice, list)
  run(peers, torrent, leechers, seeders, fromSeeders, position, cutoff, dice, list)
}

/** Up to `take` of the `length` peers from position `start` on, as a circle entered anywhere. */
function run(
  peers: Peers,
  torrent: number,
  start: number,
  length: number,
  take: number,
  skip: number,
  cutoff: number,
  dice: Dice,
  list: PeerList,
): void {
  if (take <= 0 || length === 0) return
  const { hot, stride, details } = peers.arrays
  const { storage, width } = peers
  const { halves, ids } = list
  const stop = start + length
  let count = list.count
  let to = list.at + count * width
  const end = count + Math.min(take, length)
  let position = take < length ? start + dice.roll(length) : start
  for (let looks = Math.min(length, take + PATIENCE); looks > 0 && count < end; ) {
    // Positions up to the end of a chunk have slots that follow one another.
    let slot = storage.slotAt(torrent, position)
    const stretch = storage.isLarge(torrent) ? CHUNK - (position & (CHUNK - 1)) : length
    const last = Math.min(position + Math.min(stretch, looks), stop)
    looks -= last - position
    for (; position < last && count < end; position++, slot++) {
      const from = slot * stride
      const seen = hot[from + width]! | (hot[from + width + 1]! << 16)
      if (position === skip || seen <= cutoff) continue
      halves[to] = hot[from]!
      halves[to + 1] = hot[from + 1]!
      halves[to + 2] = hot[from + 2]!
      for (let half = 3; half < width; half++) halves[to + half] = hot[from + half]!
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
