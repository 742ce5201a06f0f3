/** A slow twin of the swarm: maps and objects, without a memory limit. */
import { type AnnounceEvent, EVENT, type PeerFamily, SEAT, WEB } from '../../../src/bittorrent.ts'
import type { Cutoffs } from '../../../src/swarm/peers.ts'

export type NaivePeer = {
  readonly family: PeerFamily
  /** Address and port in hex: the identity of the peer. */
  readonly endpoint: string
  readonly id: string
  readonly uploaded: bigint
  readonly downloaded: bigint
  readonly left: bigint
  readonly event: AnnounceEvent
  readonly seen: number
  leeched: boolean
  counted: boolean
}

export type NaiveAnnounce = Omit<NaivePeer, 'seen' | 'leeched' | 'counted'>
/** Whether the time-out of its kind has passed for the peer. */
export const isGone = (
  { family, seen }: Pick<NaivePeer, 'family' | 'seen'>,
  { addresses, seats }: Cutoffs,
): boolean => seen <= (family === WEB ? seats : addresses)

export type Counts = { seeders: number; leechers: number; downloaded: number }

export class NaiveTorrent {
  downloaded = 0
  readonly peers = new Map<string, NaivePeer>()
  /** Families that are large: a family becomes large with its 65th peer and small again when it falls to 32. */
  readonly large = new Set<PeerFamily>()

  of(family: PeerFamily): NaivePeer[] {
    return [...this.peers.values()].filter((peer) => peer.family === family)
  }
  set(peer: NaivePeer): void {
    this.peers.set(peer.endpoint, peer)
    if (this.of(peer.family).length > 64) this.large.add(peer.family)
  }
  delete(endpoint: string): void {
    const peer = this.peers.get(endpoint)
    if (!peer) return
    this.peers.delete(endpoint)
    if (this.of(peer.family).length === 32) this.large.delete(peer.family)
  }
  /** Small families drop expired peers at once, large ones in a sweep. */
  touch(cutoffs: Cutoffs): void {
    const large = new Set(this.large)
    for (const peer of [...this.peers.values()])
      if (isGone(peer, cutoffs) && !large.has(peer.family)) this.delete(peer.endpoint)
  }
  counts(): Counts {
    const seeders = [...this.peers.values()].filter((peer) => peer.left === 0n).length
    return { seeders, leechers: this.peers.size - seeders, downloaded: this.downloaded }
  }
}

export class NaiveSwarm {
  readonly torrents = new Map<string, NaiveTorrent>()
  completions = 0

  /** `memory`: what the real swarm had left: enough, none for another peer, or none for the torrent. */
  announce(
    hash: string,
    announce: NaiveAnnounce,
    now: number,
    cutoffs: Cutoffs,
    memory: 'enough' | 'no peer' | 'no torrent' = 'enough',
  ): Counts {
    const known = this.torrents.get(hash)
    const stopped = announce.event === EVENT.stopped
    if (!known && (stopped || memory === 'no torrent'))
      return { seeders: 0, leechers: 0, downloaded: 0 }
    const torrent = known ?? new NaiveTorrent()
    this.torrents.set(hash, torrent)
    torrent.touch(cutoffs)
    const before = torrent.peers.get(announce.endpoint)
    if (stopped) torrent.delete(announce.endpoint)
    else if (before || memory === 'enough') {
      const leeched = announce.left > 0n || (before?.leeched ?? false)
      const completes =
        before !== undefined && announce.event === EVENT.completed && leeched && !before.counted
      if (completes) {
        torrent.downloaded++
        this.completions++
      }
      const counted = completes || (before?.counted ?? false)
      torrent.set({ ...announce, seen: now, leeched, counted })
    }
    return torrent.counts()
  }

  scrape(hash: string, cutoffs: Cutoffs): Counts {
    const torrent = this.torrents.get(hash)
    torrent?.touch(cutoffs)
    return torrent?.counts() ?? { seeders: 0, leechers: 0, downloaded: 0 }
  }

  /** A complete sweep: removes all expired peers, and torrents without peers if told so. */
  sweep(cutoffs: Cutoffs, removePeerless: boolean): void {
    for (const [hash, torrent] of this.torrents) {
      for (const peer of [...torrent.peers.values()])
        if (isGone(peer, cutoffs)) torrent.delete(peer.endpoint)
      if (removePeerless && torrent.peers.size === 0) this.torrents.delete(hash)
    }
  }

  /** A salvage between two changes loses nothing, and makes small what need not be large. */
  salvage(): void {
    for (const torrent of this.torrents.values())
      for (const family of torrent.large)
        if (torrent.of(family).length <= 64) torrent.large.delete(family)
  }

  /** Every WebTorrent peer whose seat that thread had stops. */
  forgetThread(thread: number): void {
    for (const torrent of this.torrents.values())
      for (const { family, endpoint } of [...torrent.peers.values()])
        if (family === WEB && threadIn(endpoint) === thread) torrent.delete(endpoint)
  }
}

const threadIn = (endpoint: string): number =>
  new Uint16Array(Uint8Array.fromHex(endpoint).buffer)[SEAT.thread]!
