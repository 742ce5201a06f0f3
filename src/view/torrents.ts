/**
 * The swarm as the management API shows it: one torrent with its peers, which are copied here, and lists of
 * torrents (listing.ts). It only reads, allocates freely, and holds a lock for copying alone.
 */
import { type AnnounceEvent, COUNT, type PeerFamily } from '../bittorrent.ts'
import {
  CHUNK,
  DETAIL,
  EPOCH,
  EVENT_MASK,
  type FamilyRow,
  flagsAt,
  MOST,
  NIL,
  type PeerArrays,
  seenAt,
} from '../swarm/layout.ts'
import type { Cutoffs, Peers } from '../swarm/peers.ts'
import type { Swarm } from '../swarm/swarm.ts'
import { finish } from '../time/turns.ts'
import { Listing, type TorrentSummary } from './listing.ts'
import type { Sort } from './order.ts'

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
  /** Those that are known, in the order asked, repetitions repeated. `hashes`: such words, one behind the other. */
  some(hashes: Int32Array): Promise<readonly TorrentSummary[]>
  /**
   * `limit` torrents behind the first `offset`, some thousands at a time: ascending by info hash, or of the 100,000 with
   * the largest figure, that one first.
   */
  page(offset: number, limit: number, sortBy?: Sort): AsyncIterable<readonly TorrentSummary[]>
}

/**
 * `cutoffs`: which peers count as gone. Every method rejects when a part of the swarm stays locked for
 * `longestWaitMilliseconds`; without it, as long as time/turns.ts says.
 */
export function torrentView(
  swarm: Swarm,
  cutoffs: () => Cutoffs,
  longestWaitMilliseconds?: number,
): TorrentView & Disposable {
  const listing = new Listing(swarm, { longestWaitMilliseconds })
  return {
    one: (words) => finish(peersOf(swarm, words, cutoffs()), longestWaitMilliseconds),
    some: (hashes) => listing.summaries(cutoffs(), hashes),
    page: (offset, limit, sortBy) => listing.list(cutoffs(), offset, limit, sortBy),
    [Symbol.dispose]: () => listing[Symbol.dispose](),
  }
}

/**
 * The torrent with the info hash `words` (five, in memory order) and its peers last seen after `cutoffs`, family
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
  cutoffs: Cutoffs,
): Generator<boolean, InspectedTorrent | undefined, void> {
  const hash = swarm.hash(words)
  const shard = swarm.shardOf(hash)
  const found: InspectedPeer[] = []
  let isKnown = false
  let downloaded = 0
  for (const peers of shard.families) {
    const listed = new Set<string>()
    // Downwards: a peer that fills a hole comes from above, and a repetition can be struck out where an
    // omission could not.
    for (let to: number = MOST; to > 0; ) {
      const runs = shard.tryRead(() => {
        const torrent = shard.torrents.find(words, hash)
        // It may be removed between two slices: what was read is still an answer.
        if (torrent === NIL) {
          to = 0
          return []
        }
        isKnown = true
        downloaded = shard.torrents.downloaded(torrent)
        const end = Math.min(to, peers.count(torrent))
        to = Math.max(0, end - SLICE)
        return copyRuns(peers, torrent, to, end)
      })
      // Its holder may be dead, and the control thread, which notices that, must not wait for it.
      if (runs === undefined) {
        yield false
        continue
      }
      if (!isKnown) return undefined
      for (const run of runs)
        for (const peer of peersIn(run, peers.row, cutoffs.of(peers.row))) {
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

/** Peers whose slots follow one another, as they lie in the shard. */
type Run = Pick<PeerArrays, 'hot' | 'stride' | 'details'>

/** Copies the peers at positions `from` to `to`−1, the highest run first. The caller holds the shard's lock. */
function copyRuns({ arrays, slots }: Peers, torrent: number, from: number, to: number): Run[] {
  const { hot, stride, details } = arrays
  const runs: Run[] = []
  for (let end = to; end > from; ) {
    // Positions of a chunk have slots that follow one another.
    const start = Math.max(from, (end - 1) & -CHUNK)
    const slot = slots.slotAt(torrent, start)
    const stop = slot + end - start
    runs.push({
      hot: hot.slice(slot * stride, stop * stride),
      stride,
      details: details.slice(slot * DETAIL.words, stop * DETAIL.words),
    })
    end = start
  }
  return runs
}

/** The peers of a run that were seen after `cutoff`, which is counted from `EPOCH`. */
function* peersIn(
  run: Run,
  { family, halves }: FamilyRow,
  cutoff: number,
): Generator<InspectedPeer> {
  const { hot, stride, details } = run
  // Copies of views: an array that is asked for its own buffer costs far more than its bytes.
  const copy = (
    { buffer, BYTES_PER_ELEMENT }: typeof hot | typeof details,
    at: number,
    length: number,
  ) => new Uint8Array(buffer, at * BYTES_PER_ELEMENT, length * BYTES_PER_ELEMENT).slice()
  for (let i = 0; i * stride < hot.length; i++) {
    const seen = seenAt(run, i)
    if (seen <= cutoff) continue
    const words = i * DETAIL.words
    const count = (at: number): bigint => {
      const high = BigInt(details[words + DETAIL.counts + at]! >>> 0)
      return (high << 32n) | BigInt(details[words + DETAIL.counts + at + 1]! >>> 0)
    }
    yield {
      family,
      endpoint: copy(hot, i * stride, halves),
      peerId: copy(details, words, DETAIL.idWords),
      seen: seen + EPOCH,
      uploaded: count(COUNT.uploaded),
      downloaded: count(COUNT.downloaded),
      left: count(COUNT.left),
      event: (flagsAt(run, i) & EVENT_MASK) as AnnounceEvent,
    }
  }
}
