/**
 * A slice of a sweep through one shard: forgets peers that fell silent and torrents without peers, moves the rest
 * down into what became free, and at last gives back to the budget, and to the system, what nothing is
 * kept in. The caller holds the shard's lock.
 */
import { HEADER, MOST, NIL, TORRENT } from './layout.ts'
import type { Peers } from './peers.ts'
import type { Retention, Shard, SweepCursor } from './shard.ts'

/**
 * Peers of large swarms whose torrent is moved still: all of them stand in the index under its number. A
 * larger one keeps its place, and with it 5 KiB that are little beside its peers.
 */
const MOST_RENUMBERED = 1024

/** Looks at about `units` peers, torrents or pieces of memory. Seconds since `EPOCH`. true = it is through. */
export function sweep(
  shard: Shard,
  cursor: SweepCursor,
  cutoff: number,
  now: number,
  retention: Retention,
  units: number,
): boolean {
  const { torrents } = shard
  const { header } = torrents
  let left = units
  for (; left > 0 && cursor.torrent < header[HEADER.torrentHigh]!; left--) {
    if (torrents.isUsed(cursor.torrent)) {
      header[HEADER.busy] = cursor.torrent
      left -= sweepFamily(shard, cursor, cutoff, now, left)
      if (cursor.position === MOST && cursor.family === 4) left -= leave(shard, cursor, retention)
      header[HEADER.busy] = NIL
    } else cursor.torrent++
  }
  return left > 0 && trim(shard, left)
}

/** One stretch of one family of the torrent at the cursor, from the end down. Peers looked at. */
function sweepFamily(
  { peers4, peers6, torrents: { records } }: Shard,
  cursor: SweepCursor,
  cutoff: number,
  now: number,
  units: number,
): number {
  const { torrent } = cursor
  const peers = cursor.family === 4 ? peers4 : peers6
  const to = Math.min(cursor.position, peers.count(torrent))
  const from = Math.max(0, to - units)
  const oldest = torrent * TORRENT.words + TORRENT.oldest
  const seen = peers.expire(torrent, from, to, cutoff, now)
  // It grows with announces alone, which look at all the peers of a swarm; here it is a part of them.
  if (seen < records[oldest]!) records[oldest] = seen
  peers.storage.compact(torrent, from, Math.min(to, peers.count(torrent)))
  if (from > 0) cursor.position = from
  else {
    cursor.position = MOST
    cursor.family = cursor.family === 4 ? 6 : 4
  }
  return to - from
}

/**
 * Both families of the torrent at the cursor are through: on to the next, without this one if it is idle,
 * else with this one moved down. Peers looked at once more.
 */
function leave(shard: Shard, cursor: SweepCursor, { removePeerless }: Retention): number {
  const { torrents, peers4, peers6 } = shard
  const torrent = cursor.torrent++
  const peers = peers4.count(torrent) + peers6.count(torrent)
  if (!removePeerless || peers > 0 || torrents.ledger.holds(torrent)) return lower(shard, torrent)
  torrents.remove(torrent)
  return 0
}

/** Moves a torrent to a lower record, if there is one it should have. Peers that this took. */
function lower({ torrents, peers4, peers6 }: Shard, torrent: number): number {
  const renumbered = inIndex(peers4, torrent) + inIndex(peers6, torrent)
  if (renumbered > MOST_RENUMBERED) return 0
  const to = torrents.lower(torrent)
  if (to === NIL) return 0
  peers4.storage.renumber(torrent, to)
  peers6.storage.renumber(torrent, to)
  torrents.clear(torrent)
  return renumbered
}

const inIndex = (peers: Peers, torrent: number): number =>
  peers.storage.isLarge(torrent) ? peers.count(torrent) : 0

function trim({ torrents, peers4, peers6, account }: Shard, most: number): boolean {
  let steps = torrents.trim(most)
  steps += peers4.storage.trim(most - steps)
  steps += peers6.storage.trim(most - steps)
  account.settle()
  return steps < most
}
