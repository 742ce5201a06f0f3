/**
 * Makes a shard whole again after a thread threw or died in the middle of changing it. Chains, free
 * lists, runs and totals may be half written, so none of them is believed: every torrent and peer that
 * can be read is copied out, the shard is emptied, and they are put back. The peers of the one
 * torrent that was being changed are given up; they announce again within minutes. The caller holds
 * the lock.
 */
import { Announce, type AnnounceEvent, type Family } from '../bittorrent.ts'
import {
  CHUNK,
  CHUNK_ORDER,
  COUNTED,
  DETAIL,
  DIRECTORY_UNIT,
  EVENT_MASK,
  FAMILY_HEADER,
  flagsAt,
  HEADER,
  LARGE,
  LEECHED,
  NIL,
  ORDER_MASK,
  ORDER_SHIFT,
  SWARM,
  seenAt,
  TORRENT,
} from './layout.ts'
import type { Peers } from './peers.ts'
import type { Shard } from './shard.ts'

type SavedPeer = {
  family: Family
  endpoint: Uint16Array
  details: Int32Array
  seen: number
  flags: number
}
type SavedTorrent = {
  hash: Int32Array
  key: number
  downloaded: number
  owed: number
  isWanted: boolean
  peers: SavedPeer[]
}

export function salvage(shard: Shard): void {
  const { header, records, ledger } = shard.torrents
  const busy = header[HEADER.busy]!
  const saved: SavedTorrent[] = []
  const claimed4 = claims(header, HEADER.v4)
  const claimed6 = claims(header, HEADER.v6)
  for (let torrent = 0; torrent < header[HEADER.torrentHigh]!; torrent++) {
    if (!shard.torrents.isUsed(torrent)) continue
    const at = torrent * TORRENT.words
    const peers: SavedPeer[] = []
    if (torrent !== busy) {
      collect(shard.peers4, 4, records, torrent, claimed4, peers)
      collect(shard.peers6, 6, records, torrent, claimed6, peers)
    }
    const hash = records.slice(at, at + 5)
    saved.push({
      hash,
      key: records[at + TORRENT.key]!,
      downloaded: Math.max(0, shard.torrents.downloaded(torrent)),
      owed: ledger.owed(torrent),
      isWanted: ledger.isWanted(torrent),
      peers,
    })
  }
  shard.reset()
  // Whoever looks without the lock must not take the torrents that are missing now for gone.
  header[HEADER.rescues]! |= 1
  for (const torrent of saved) restore(shard, torrent)
  header[HEADER.rescues]!++
  shard.account.settle()
}

/** One byte for each slot ever handed out: 1 = a torrent has it, so no other can. */
const claims = (header: Int32Array, family: number): Uint8Array =>
  new Uint8Array(header[family + FAMILY_HEADER.slotHigh]!)

function collect(
  peers: Peers,
  family: Family,
  records: Int32Array,
  torrent: number,
  claimed: Uint8Array,
  into: SavedPeer[],
): void {
  const { hot, stride, details } = peers.arrays
  for (const slot of slotsOf(peers, family, records, torrent, claimed.length)) {
    if (claimed[slot] === 1) continue
    claimed[slot] = 1
    into.push({
      family,
      endpoint: hot.slice(slot * stride, slot * stride + peers.width),
      details: details.slice(slot * DETAIL.words, (slot + 1) * DETAIL.words),
      seen: seenAt(peers.arrays, slot),
      flags: flagsAt(peers.arrays, slot),
    })
  }
}

/** The slots of a torrent as its record says, as far as that is possible at all. */
function* slotsOf(
  peers: Peers,
  family: Family,
  records: Int32Array,
  torrent: number,
  slots: number,
): Generator<number> {
  const at = torrent * TORRENT.words
  const part = at + (family === 4 ? TORRENT.v4 : TORRENT.v6)
  const flags = records[at + TORRENT.flags]!
  const order = (flags >>> ORDER_SHIFT[family]) & ORDER_MASK
  const base = records[part + SWARM.base]!
  // Garbage may look negative: as much as it can be, then.
  const count = records[part + SWARM.count]! >>> 0
  if (base === NIL) return
  if ((flags & LARGE[family]) === 0) {
    const end = Math.min(base + Math.min(count, 1 << Math.min(order, CHUNK_ORDER)), slots)
    for (let slot = base; slot < end; slot++) yield slot
    return
  }
  const { directory, chunkTorrent } = peers.arrays
  const chunks = Math.min((count + CHUNK - 1) >>> CHUNK_ORDER, DIRECTORY_UNIT << order)
  for (let ordinal = 0; ordinal < chunks; ordinal++) {
    const chunk = directory[base * DIRECTORY_UNIT + ordinal]
    if (chunk === undefined || (chunk + 1) * CHUNK > slots || chunkTorrent[chunk] !== torrent)
      continue
    const filled = Math.min(CHUNK, count - ordinal * CHUNK)
    for (let i = 0; i < filled; i++) yield chunk * CHUNK + i
  }
}

function restore(shard: Shard, saved: SavedTorrent): void {
  const { records, ledger } = shard.torrents
  if (shard.torrents.find(saved.hash, saved.key) !== NIL) return
  const torrent = shard.torrents.create(saved.hash, saved.key)
  if (torrent === NIL) return
  shard.peers4.begin(torrent)
  shard.peers6.begin(torrent)
  const at = torrent * TORRENT.words
  shard.torrents.addDownloads(torrent, saved.downloaded)
  ledger.restore(torrent, saved.owed, saved.isWanted)
  const announce = new Announce()
  for (const peer of saved.peers) {
    const peers = peer.family === 4 ? shard.peers4 : shard.peers6
    announce.family = peer.family
    announce.endpointHalves.set(peer.endpoint)
    announce.words.set(peer.details.subarray(0, DETAIL.idWords), 5)
    announce.counts.set(peer.details.subarray(DETAIL.counts))
    announce.event = (peer.flags & EVENT_MASK) as AnnounceEvent
    if (peers.find(torrent, announce.endpointHalves) !== NIL) continue
    const slot = peers.insert(torrent, announce, peer.seen)
    if (slot === NIL) return
    const past = peer.flags & (LEECHED | COUNTED)
    peers.setFlags(slot, flagsAt(peers.arrays, slot) | past)
    records[at + TORRENT.oldest] = Math.min(records[at + TORRENT.oldest]!, peer.seen)
  }
}
