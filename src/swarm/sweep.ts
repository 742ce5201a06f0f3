/**
 * A slice of a sweep through one shard: removes peers that fell silent and torrents without peers, moves the
 * rest down into what became free, and at last gives back, to the budget and to the system, the memory that
 * nothing is kept in. The caller holds the shard's lock.
 */
import { type CounterRow, THREAD_AT } from '../memory/counters.ts'
import type { Account } from './budget.ts'
import { HEADER, MOST, NIL } from './layout.ts'
import type { Cutoffs, Peers } from './peers.ts'
import type { Torrents } from './torrents.ts'

/** Swarms of at least half as many peers as this class has share the last class. */
const CLASSES = 24

/** What a sweep saw, over all shards. */
export class Census {
  /** Torrents by number of peers: none, 1, 2–3, 4–7 and so on; class `i` ends at 2^i − 1. */
  readonly sizes: number[] = Array(CLASSES).fill(0)
  /** Peers that stayed, and those that had expired. */
  peers = 0
  expired = 0

  torrent(peers: number): void {
    this.sizes[Math.min(32 - Math.clz32(peers), CLASSES - 1)]!++
    this.peers += peers
  }
}

/** Where a sweep of a shard stands. A new one starts at the first torrent. */
export class SweepCursor {
  readonly census: Census
  torrent = 0
  /** Index of the family, in the order of the rows. */
  family = 0
  /** End of the positions still to look at; MOST = the family was not begun. */
  position: number = MOST

  constructor(census = new Census()) {
    this.census = census
  }
}

/** Whether a sweep removes torrents that have no peers and owe the database nothing. */
export type Retention = { readonly removePeerless: boolean }

type Swept = {
  readonly account: Account
  readonly torrents: Torrents
  readonly families: readonly Peers[]
  readonly counts: CounterRow
}

/**
 * The largest swarms whose torrent is still moved: all of their peers stand in the index under its number. A
 * larger one keeps its place, and with it 5 KiB that are little beside its peers.
 */
const MOST_RENUMBERED = 1024

/** Looks at about `units` peers, torrents or pieces of memory. `now` since `EPOCH`. true = it is through. */
export function sweep(
  shard: Swept,
  cursor: SweepCursor,
  cutoffs: Cutoffs,
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
      left -= sweepFamily(shard, cursor, cutoffs, now, left)
      if (cursor.family === shard.families.length) left -= leave(shard, cursor, retention)
      header[HEADER.busy] = NIL
    } else cursor.torrent++
  }
  return left > 0 && trim(shard, left)
}

/** One stretch of one family of the torrent at the cursor, from the end down. Peers looked at. */
function sweepFamily(
  { families }: Swept,
  cursor: SweepCursor,
  cutoffs: Cutoffs,
  now: number,
  units: number,
): number {
  const { torrent } = cursor
  const peers = families[cursor.family]!
  const to = Math.min(cursor.position, peers.count(torrent))
  const from = Math.max(0, to - units)
  const before = peers.count(torrent)
  const seen = peers.expire(torrent, from, to, cutoffs.of(peers.row), now)
  cursor.census.expired += before - peers.count(torrent)
  // Only announces raise it, which look at all peers of a swarm; these are a part of them.
  peers.lowerOldest(torrent, seen)
  peers.slots.compact(torrent, from, Math.min(to, peers.count(torrent)))
  if (from > 0) cursor.position = from
  else {
    cursor.position = MOST
    cursor.family++
  }
  return to - from
}

/**
 * All families of the torrent at the cursor are through: goes on to the next, after removing this one if it is
 * idle, else after moving it down. Peers looked at once more.
 */
function leave(shard: Swept, cursor: SweepCursor, { removePeerless }: Retention): number {
  const { torrents, families } = shard
  const torrent = cursor.torrent++
  cursor.family = 0
  let count = 0
  for (const peers of families) count += peers.count(torrent)
  cursor.census.torrent(count)
  if (!removePeerless || count > 0 || torrents.ledger.holds(torrent)) return lower(shard, torrent)
  torrents.remove(torrent)
  shard.counts[THREAD_AT.torrentsRemoved]!++
  return 0
}

/** Moves a torrent to a lower record, if there is one it should have. Peers that this took. */
function lower({ torrents, families }: Swept, torrent: number): number {
  let renumbered = 0
  for (const peers of families) if (peers.slots.isLarge(torrent)) renumbered += peers.count(torrent)
  if (renumbered > MOST_RENUMBERED) return 0
  const to = torrents.lower(torrent)
  if (to === NIL) return 0
  for (const peers of families) peers.slots.renumber(torrent, to)
  torrents.clear(torrent)
  return renumbered
}

function trim({ torrents, families, account }: Swept, most: number): boolean {
  let steps = torrents.trim(most)
  for (const peers of families) steps += peers.slots.trim(most - steps)
  account.settle()
  return steps < most
}
