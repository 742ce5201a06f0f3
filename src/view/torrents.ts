/**
 * The swarm as the management API shows it: one torrent with its peers, which are copied here, and lists of
 * torrents (listing.ts). It only reads, allocates freely, and holds a lock for copying alone.
 */
import { type AnnounceEvent, COUNT, PEER_ID_BYTES, type PeerFamily } from '../bittorrent.ts'
import { DETAIL, EPOCH, EVENT_MASK, flagsAt, MOST, NIL, seenAt } from '../swarm/layout.ts'
import type { Peers } from '../swarm/peers.ts'
import type { Swarm } from '../swarm/swarm.ts'
import { finish } from '../time/turns.ts'
import { Listing, type TorrentSummary } from './listing.ts'

/** Peers copied under one hold of the lock: well below a millisecond. */
const SLICE = 512

export type InspectedPeer = {
  readonly family: PeerFamily
  /** Compact: of an IP version address and port, big endian. */
  readonly endpoint: Uint8Array
  readonly peerId: Uint8Array
  /** Second of the last announce. */
  readonly seen: number
  readonly uploaded: bigint
  readonly downloaded: bigint
  readonly left: bigint
  readonly event: AnnounceEvent
}

export type InspectedTorrent = {
  /** Counts of the peers listed here. */
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
  /** Those that are known, in the order asked, repetitions repeated. */
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
 * The torrent with the info hash `words` (five, in memory order) and its peers last seen after `cutoff`, family
 * by family, IPv4 first; undefined = unknown. In steps, so that others have their turns between them: a step
 * that yields false found the lock busy and is made again.
 *
 * A family of at most 512 peers is one moment. A larger one is read in slices with the lock free between them:
 * a peer that arrives, leaves or changes sides meanwhile may be listed or not, and so may a seeder that made
 * room for it. No peer is listed twice, and none that never was there.
 */
export function* peersOf(
  swarm: Swarm,
  words: Int32Array,
  cutoff: number,
): Generator<boolean, InspectedTorrent | undefined, void> {
  const hash = swarm.hash(words)
  const shard = swarm.shardOf(hash)
  const found: InspectedPeer[] = []
  let isKnown = false
  let downloaded = 0
  for (const peers of shard.families) {
    const slice = new Slice(peers)
    const listed = new Set<string>()
    // Downwards: a peer that fills a hole comes from above, and a repetition can be struck out where an
    // omission could not.
    for (let to: number = MOST; to > 0; ) {
      const rest = shard.tryRead(0, () => {
        const torrent = shard.torrents.find(words, hash)
        // It may be removed between two slices: what was read is still an answer.
        if (torrent === NIL) return 0
        isKnown = true
        downloaded = shard.torrents.downloaded(torrent)
        return slice.copy(torrent, to)
      })
      // Its holder may be dead, and the control thread, which notices that, must not wait for it.
      if (rest === undefined) {
        yield false
        continue
      }
      if (!isKnown) return undefined
      to = rest
      for (const peer of slice.peers(cutoff - EPOCH)) {
        const endpoint = `${peer.endpoint}`
        if (!listed.has(endpoint)) found.push(peer)
        listed.add(endpoint)
      }
      yield true
    }
  }
  const seeders = found.filter((peer) => peer.left === 0n).length
  return { seeders, leechers: found.length - seeders, downloaded, peers: found }
}

/** A copy of some peers of one family as they lie in the shard, made before the lock is taken. */
class Slice {
  readonly #peers: Peers
  readonly #width: number
  readonly #endpoints: Uint16Array
  readonly #details = new Int32Array(SLICE * DETAIL.words)
  readonly #seen = new Int32Array(SLICE)
  readonly #flags = new Uint8Array(SLICE)
  #length = 0

  constructor(peers: Peers) {
    this.#peers = peers
    this.#width = peers.width
    this.#endpoints = new Uint16Array(SLICE * this.#width)
  }

  /** Copies the peers at positions below `to`, the highest first. Where to go on; 0 = all done. */
  copy(torrent: number, to: number): number {
    const { slots } = this.#peers
    const end = Math.min(to, this.#peers.count(torrent))
    const from = Math.max(0, end - SLICE)
    this.#length = end - from
    for (let i = 0; i < this.#length; i++) this.#copyPeer(slots.slotAt(torrent, end - 1 - i), i)
    return from
  }

  #copyPeer(slot: number, i: number): void {
    const { arrays } = this.#peers
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
      yield {
        family: this.#peers.row.family,
        endpoint: new Uint8Array(this.#endpoints.buffer, i * bytes, bytes).slice(),
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
