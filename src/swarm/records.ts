/**
 * Torrents and peers as records, apart from where they stand: what a salvage keeps of a shard whose structures
 * may be half written. The reader believes no chain, free list, run or total; the writer uses the functions
 * that announces use, so what it leaves is whole. The caller holds the shard's lock.
 */
import { type AnnounceEvent, type PeerFamily, WANT_DEFAULT } from '../bittorrent.ts'
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
  LEECHED,
  largeBit,
  NIL,
  PART,
  SIZE_MASK,
  seenAt,
  TORRENT,
} from './layout.ts'
import type { PeerAnnounce, Peers } from './peers.ts'
import type { Torrents } from './torrents.ts'

type PeerRecord = {
  readonly family: PeerFamily
  /** Compact, in halves. */
  readonly endpoint: Uint16Array
  /** Peer id and counters: see DETAIL. */
  readonly details: Int32Array
  /** Second of the last announce, counted from `EPOCH`. */
  readonly seen: number
  /** See EVENT_MASK, LEECHED and COUNTED. */
  readonly flags: number
}

type TorrentRecord = {
  /** Five words. */
  readonly infoHash: Int32Array
  readonly downloaded: number
  /** Completions that the database does not have yet. */
  readonly owed: number
  /** Whether its stored count has not arrived. */
  readonly isWanted: boolean
  readonly peers: readonly PeerRecord[]
}

type Parts = { readonly torrents: Torrents; readonly families: readonly Peers[] }

/**
 * Every torrent of the shard with its peers, as far as they can be made out. A slot that two torrents claim is
 * the first one's. The peers of a torrent that was being changed are left out: they announce again within
 * minutes.
 */
export function* readRecords({ torrents, families }: Parts): Generator<TorrentRecord, void, void> {
  const { header, records, ledger } = torrents
  const busy = header[HEADER.busy]!
  /** By family one byte for each slot that was ever handed out: 1 = claimed. */
  const claimed = families.map(
    ({ row }) => new Uint8Array(header[row.header + FAMILY_HEADER.slotHigh]!),
  )
  for (let torrent = 0; torrent < header[HEADER.torrentHigh]!; torrent++) {
    if (!torrents.isUsed(torrent)) continue
    const at = torrent * TORRENT.words
    const peers: PeerRecord[] = []
    if (torrent !== busy)
      for (const [i, family] of families.entries())
        readPeers(family, records, torrent, claimed[i]!, peers)
    yield {
      infoHash: records.slice(at, at + 5),
      downloaded: Math.max(0, torrents.downloaded(torrent)),
      owed: ledger.owed(torrent),
      isWanted: ledger.isWanted(torrent),
      peers,
    }
  }
}

function readPeers(
  peers: Peers,
  records: Int32Array,
  torrent: number,
  claimed: Uint8Array,
  into: PeerRecord[],
): void {
  const { hot, stride, details } = peers.arrays
  for (const slot of slotsOf(peers, records, torrent, claimed.length)) {
    if (claimed[slot] === 1) continue
    claimed[slot] = 1
    into.push({
      family: peers.row.family,
      endpoint: hot.slice(slot * stride, slot * stride + peers.row.halves),
      details: details.slice(slot * DETAIL.words, (slot + 1) * DETAIL.words),
      seen: seenAt(peers.arrays, slot),
      flags: flagsAt(peers.arrays, slot),
    })
  }
}

/** The slots of a torrent as its words say, as far as that is possible at all: all below `slots`. */
function* slotsOf(
  peers: Peers,
  records: Int32Array,
  torrent: number,
  slots: number,
): Generator<number> {
  const { row, parts } = peers
  const flags = records[torrent * TORRENT.words + TORRENT.flags]!
  const size = (flags >>> row.bits) & SIZE_MASK
  const part = peers.partAt(torrent)
  const base = parts[part + PART.base]!
  // A count that makes no sense may be negative: it is as much as the run can hold, then.
  const count = parts[part + PART.count]! >>> 0
  if (size === 0 || base < 0) return
  const order = size - 1
  if ((flags & largeBit(row)) === 0) {
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

/** Puts a torrent into the shard, unless it is there or memory is spent. `hash`: seeded, of its info hash. */
export function writeRecord(
  { torrents, families }: Parts,
  hash: number,
  record: TorrentRecord,
): void {
  const { ledger } = torrents
  if (torrents.find(record.infoHash, hash) !== NIL) return
  const torrent = torrents.create(record.infoHash, hash)
  if (torrent === NIL) return
  torrents.addDownloads(torrent, record.downloaded)
  ledger.restore(torrent, record.owed, record.isWanted)
  const words = new Int32Array(DETAIL.idWords * 2)
  for (const { family, endpoint, details, seen, flags } of record.peers) {
    const peers = families.find(({ row }) => row.family === family)
    if (peers === undefined) continue
    if (peers.find(torrent, endpoint) !== NIL) continue
    words.set(details.subarray(0, DETAIL.idWords), 5)
    const announce: PeerAnnounce = {
      words,
      family,
      endpointHalves: endpoint,
      counts: details.subarray(DETAIL.counts),
      event: (flags & EVENT_MASK) as AnnounceEvent,
      want: WANT_DEFAULT,
    }
    const slot = peers.insert(torrent, announce, seen)
    if (slot === NIL) return
    peers.setFlags(slot, flagsAt(peers.arrays, slot) | (flags & (LEECHED | COUNTED)))
    peers.lowerOldest(torrent, seen)
  }
}
