/**
 * Removes the peers whose seats a dead thread held, as if each had stopped: no message can reach them any more. In
 * slices, between which others have the lock of the shard.
 */
import { SEAT, WEB } from '../bittorrent.ts'
import { FAMILY_HEADER, HEADER, MOST, NIL, SIZE_MASK, TORRENT } from './layout.ts'
import type { Peers } from './peers.ts'
import type { Shard } from './shard.ts'
import type { Torrents } from './torrents.ts'

/** Peers or torrents that are looked at while the lock is held: well under a millisecond. */
const UNITS = 250
/** Rounds through one torrent: what the last one misses stays until its time-out. */
const MOST_ROUNDS = 4

type Place = {
  torrent: number
  /** End of the positions still to look at; MOST = the torrent was not begun. */
  position: number
  /** Whether peers were removed in this round through the torrent, and how many rounds there were before. */
  found: boolean
  rounds: number
}

/** Each step is a slice; it yields false when the lock was busy, and is made again. */
export function* forgetSeats(shard: Shard, thread: number): Generator<boolean, void, void> {
  const peers = shard.families.find(({ row }) => row.family === WEB)
  if (peers === undefined) return
  // Downwards, because a sweep meanwhile moves torrents down and never up.
  const place: Place = { torrent: MOST, position: MOST, found: false, rounds: 0 }
  for (let done: boolean | undefined = false; done !== true; ) {
    done = shard.tryHold(() => forgetSome(shard.torrents, peers, place, thread))
    yield done !== undefined
  }
}

/** One slice; the caller holds the lock. true = the shard is through. */
function forgetSome(torrents: Torrents, peers: Peers, place: Place, thread: number): boolean {
  const { header, records } = torrents
  const { bits, header: totals } = peers.row
  if (header[totals + FAMILY_HEADER.seeders]! + header[totals + FAMILY_HEADER.leechers]! === 0)
    return true
  const last = header[HEADER.torrentHigh]! - 1
  if (place.torrent > last) begin(place, last)
  for (let left = UNITS; left > 0 && place.torrent >= 0; left--) {
    const { torrent } = place
    // The parts beside the records are not read of torrents without such peers.
    if (((records[torrent * TORRENT.words + TORRENT.flags]! >>> bits) & SIZE_MASK) === 0) {
      begin(place, torrent - 1)
      continue
    }
    header[HEADER.busy] = torrent
    left -= forgetStretch(peers, place, thread, left)
    header[HEADER.busy] = NIL
  }
  return place.torrent < 0
}

/** One stretch of the torrent at hand, from the end down. Peers looked at. */
function forgetStretch(peers: Peers, place: Place, thread: number, units: number): number {
  const { torrent } = place
  const { hot, stride } = peers.arrays
  const to = Math.min(place.position, peers.count(torrent))
  const from = Math.max(0, to - units)
  for (let position = to - 1; position >= from; position--) {
    const slot = peers.slots.slotAt(torrent, position)
    if (hot[slot * stride + SEAT.thread] !== thread) continue
    // The peer that moves into the hole stood higher: it was looked at already.
    peers.remove(torrent, slot)
    place.found = true
  }
  if (from > 0) place.position = from
  else if (place.found && ++place.rounds < MOST_ROUNDS) {
    // Between two slices a seeder may have moved up to make room for a leecher.
    place.position = MOST
    place.found = false
  } else begin(place, torrent - 1)
  return to - from
}

function begin(place: Place, torrent: number): void {
  place.torrent = torrent
  place.position = MOST
  place.found = false
  place.rounds = 0
}
