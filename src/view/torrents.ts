/**
 * The swarm as the management API shows it: one torrent with its peers, which are copied here, and lists of
 * torrents (listing.ts). It only reads, allocates freely, and holds a lock for copying alone.
 */
import { type AnnounceEvent, COUNT, type Family, PEER_ID_BYTES } from '../bittorrent.ts'
import {
  DETAIL,
  EPOCH,
  EVENT_MASK,
  endpointHalves,
  flagsAt,
  MOST,
  NIL,
  seenAt,
} from '../swarm/layout.ts'
import type { Peers } from '../swarm/peers.ts'
import type { Shard } from '../swarm/shard.ts'
import type { Swarm } from '../swarm/swarm.ts'
import { finish } from '../time/turns.ts'
import { Listing, type TorrentSummary } from './listing.ts'

/** Peers copied under one hold of the lock: well below a millisecond. */
const SLICE = 512

export type InspectedPeer = {
  readonly family: Family
  /** 4 or 16 bytes. */
  readonly address: Uint8Array
  readonly port: number
  readonly peerId: Uint8Array
  /** Second of the last announce. */
  readonly seen: number
  readonly uploaded: bigint
  readonly downloaded: bigint
  readonly left: bigint
  readonly event: AnnounceEvent
}

export type InspectedTorrent = {
  /** Of the peers listed here. */
  readonly seeders: number
  readonly leechers: number
  /** Times the torrent was completed. */
  readonly downloaded: number
  readonly peers: readonly InspectedPeer[]
}

/** All of it may be asked while the swarm is busy. */
export interface TorrentView {
  /** `words`: the info hash, five words in memory order. undefined = unknown. */
  one(words: Int32Array): Promise<InspectedTorrent | undefined>
  /** Of each that is known, in the order asked, repetitions repeated. */
  some(hashes: readonly Int32Array[]): Promise<readonly TorrentSummary[]>
  /** `limit` torrents behind the first `offset`, ascending by info hash, some thousands at a time. */
  page(offset: number, limit: number): AsyncIterable<readonly TorrentSummary[]>
}

/**
 * `cutoff`: second at or before which a peer was last seen that counts as gone. Every method rejects when a
 * part of the swarm stays locked for `longestWaitMilliseconds`; without it, as long as time/turns.ts says.
 */
export function torrentView(
  swarm: Swarm,
  cutoff: () => number,
  longestWaitMilliseconds?: number,
): TorrentView {
  const listing = new Listing(swarm, longestWaitMilliseconds)
  return {
    one: (words) => finish(peersOf(swarm, words, cutoff()), longestWaitMilliseconds),
    some: (hashes) => listing.summaries(cutoff(), hashes),
    page: (offset, limit) => listing.list(cutoff(), offset, limit),
  }
}

/**
 * The torrent with the info hash `words` (five, in memory order) and its peers last seen after
 * `cutoff`, IPv4 first; undefined = unknown. In steps, between which everybody else may have a turn: each yields
 * false when the lock was not to be had, and is then made again.
 *
 * A family of at most 512 peers is one moment. A larger one is read in slices with the lock free
 * between them: a peer that arrives, leaves or changes sides meanwhile may be there or not, and so
 * may a seeder that made room for it. No peer is listed twice, and none that never was.
 */
export function* peersOf(
  swarm: Swarm,
  words: Int32Array,
  cutoff: number,
): Generator<boolean, InspectedTorrent | undefined, void> {
  const key = swarm.key(words)
  const shard = swarm.shardOf(key)
  const peers: InspectedPeer[] = []
  let downloaded = 0
  for (const family of [4, 6] as const) {
    const slice = new Slice(family)
    const listed = new Set<string>()
    // Downwards, because a peer that moves into the hole of another moves down, and a repetition can
    // be struck out where an omission could not.
    for (let to: number = MOST; to > 0; ) {
      // Its holder may be dead, and the control thread must not wait for itself to notice.
      if (!shard.lock.tryAcquire(0)) {
        yield false
        continue
      }
      try {
        const torrent = shard.torrents.find(words, key)
        // Between two slices the torrent may be removed: what was read is still an answer.
        if (torrent === NIL && to === MOST && family === 4) return undefined
        to = torrent === NIL ? 0 : slice.copy(shard, torrent, to)
        if (torrent !== NIL) downloaded = shard.torrents.downloaded(torrent)
      } finally {
        shard.lock.release()
      }
      for (const peer of slice.peers(cutoff - EPOCH)) {
        const endpoint = `${peer.address} ${peer.port}`
        if (!listed.has(endpoint)) peers.push(peer)
        listed.add(endpoint)
      }
      yield true
    }
  }
  const seeders = peers.filter((peer) => peer.left === 0n).length
  return { seeders, leechers: peers.length - seeders, downloaded, peers }
}

/** A copy of some peers of one family as they lie in the shard, made before the lock is taken. */
class Slice {
  readonly #family: Family
  readonly #width: number
  readonly #endpoints: Uint16Array
  readonly #details = new Int32Array(SLICE * DETAIL.words)
  readonly #seen = new Int32Array(SLICE)
  readonly #flags = new Uint8Array(SLICE)
  #length = 0

  constructor(family: Family) {
    this.#family = family
    this.#width = endpointHalves(family)
    this.#endpoints = new Uint16Array(SLICE * this.#width)
  }

  /** Copies the peers at positions below `to`, the highest first. Where to go on; 0 = all done. */
  copy(shard: Shard, torrent: number, to: number): number {
    const peers = this.#family === 4 ? shard.peers4 : shard.peers6
    const end = Math.min(to, peers.count(torrent))
    const from = Math.max(0, end - SLICE)
    this.#length = end - from
    for (let i = 0; i < this.#length; i++)
      this.#copyPeer(peers, peers.storage.slotAt(torrent, end - 1 - i), i)
    return from
  }

  #copyPeer({ arrays }: Peers, slot: number, i: number): void {
    const width = this.#width
    for (let half = 0; half < width; half++)
      this.#endpoints[i * width + half] = arrays.hot[slot * arrays.stride + half]!
    for (let word = 0; word < DETAIL.words; word++)
      this.#details[i * DETAIL.words + word] = arrays.details[slot * DETAIL.words + word]!
    this.#seen[i] = seenAt(arrays, slot)
    this.#flags[i] = flagsAt(arrays, slot)
  }

  *peers(cutoff: number): Generator<InspectedPeer> {
    const bytes = this.#width * 2
    for (let i = 0; i < this.#length; i++) {
      if (this.#seen[i]! <= cutoff) continue
      const endpoint = new Uint8Array(this.#endpoints.buffer, i * bytes, bytes)
      yield {
        family: this.#family,
        address: endpoint.slice(0, -2),
        port: (endpoint[bytes - 2]! << 8) | endpoint[bytes - 1]!,
        peerId: new Uint8Array(this.#details.buffer, i * DETAIL.words * 4, PEER_ID_BYTES).slice(),
        seen: this.#seen[i]! + EPOCH,
        uploaded: this.#count(i, COUNT.uploaded),
        downloaded: this.#count(i, COUNT.downloaded),
        left: this.#count(i, COUNT.left),
        event: (this.#flags[i]! & EVENT_MASK) as AnnounceEvent,
      }
    }
  }

  #count(i: number, at: number): bigint {
    const word = i * DETAIL.words + DETAIL.counts + at
    return (BigInt(this.#details[word]! >>> 0) << 32n) | BigInt(this.#details[word + 1]! >>> 0)
  }
}
