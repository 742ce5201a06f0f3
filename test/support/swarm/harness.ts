/** Small swarms and readable announces for the tests of this folder. */
import {
  Announce,
  type AnnounceEvent,
  Answer,
  EVENT,
  endpointBytes,
  type Family,
  PeerList,
  WANT_DEFAULT,
} from '../../../src/bittorrent.ts'
import { Carver, carvePeers, carveTorrents, type ShardMemory } from '../../../src/swarm/layout.ts'
import type { Outcome } from '../../../src/swarm/shard.ts'
import { createSwarmMemory, Swarm, type SwarmMemory } from '../../../src/swarm/swarm.ts'
import { type InspectedTorrent, peersOf } from '../../../src/view/torrents.ts'
import type { NaiveAnnounce } from '../naive/swarm.ts'

export const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex')

/** Info hash number `n` as five words. */
export const hashWords = (n: number): Int32Array =>
  Int32Array.from({ length: 5 }, (_, i) => Math.imul(n + 1, 0x9e37_79b1 + 2 * i) ^ (n << i))
export const hashHex = (words: Int32Array): string =>
  hex(new Uint8Array(words.buffer, words.byteOffset, 20))

/** `count` info hashes of one shard, so that its structures grow with few torrents. */
export function hashesOfShard(swarm: Swarm, shard: number, count: number): Int32Array[] {
  const found: Int32Array[] = []
  for (let n = 0; found.length < count; n++)
    if (swarm.shardOf(swarm.key(hashWords(n))) === swarm.shards[shard]) found.push(hashWords(n))
  return found
}

/** Peer number `n` of a family: the same number, the same endpoint. */
export function endpointOf(family: Family, n: number): Uint8Array {
  const bytes = new Uint8Array(endpointBytes(family))
  bytes.set(family === 4 ? [10] : [0x20, 0x01, 0x0d, 0xb8])
  const view = new DataView(bytes.buffer)
  // Few ports and few addresses, so that peers differ in one or the other.
  view.setUint16(bytes.length - 4, n >>> 2)
  view.setUint16(bytes.length - 2, 6881 + (n & 3))
  return bytes
}

export type Wish = {
  family?: Family
  peer?: number
  event?: AnnounceEvent
  left?: bigint
  uploaded?: bigint
  downloaded?: bigint
  id?: number
  want?: number
  /** Family the client asks over, when it is not the one it is known by. */
  asked?: Family
}

/** Fills `announce` and returns the same for the twin. */
export function write(announce: Announce, hash: Int32Array, wish: Wish): NaiveAnnounce {
  const { family = 4, peer = 0, event = EVENT.none, left = 0n, uploaded = 0n } = wish
  const { downloaded = 0n, id = peer, want = WANT_DEFAULT } = wish
  announce.words.set(hash)
  announce.peerId.set(Buffer.from(`-XX0001-${String(id).padStart(12, '0')}`))
  announce.family = family
  // What a shorter endpoint leaves behind must not matter.
  announce.endpoint.fill(0xee).set(endpointOf(family, peer))
  for (const [i, count] of [uploaded, downloaded, left].entries()) {
    announce.counts[i * 2] = Number(count >> 32n)
    announce.counts[i * 2 + 1] = Number(count & 0xffff_ffffn)
  }
  announce.event = event
  announce.want = want
  const endpoint = hex(endpointOf(family, peer))
  return { family, endpoint, id: hex(announce.peerId), uploaded, downloaded, left, event }
}

export type Told = { family: Family; endpoint: string; id: string }

/** An answer with room for `max` peers between halves that must stay as they are. */
export class Reply {
  readonly answer: Answer
  readonly #max: number

  constructor(max: number, bothFamilies: boolean) {
    this.#max = max
    const list = (width: number) => {
      const made = new PeerList(new Uint16Array(max * width + 14).fill(0xabcd))
      made.ids = new Int32Array(max * 5 + 1).fill(0xabcd)
      made.at = 7
      return made
    }
    this.answer = new Answer(list(3), list(9), bothFamilies)
  }

  /** The peers told, in order. Throws when anything outside the list was written. */
  told(): Told[] {
    const { peers4, peers6 } = this.answer
    return [...this.#read(4, peers4), ...this.#read(6, peers6)]
  }

  #read(family: Family, list: PeerList): Told[] {
    const { halves, at, count } = list
    const ids = list.ids!
    const width = family === 4 ? 3 : 9
    const end = at + this.#max * width
    if (count > this.#max || [...halves.subarray(0, at), ...halves.subarray(end)].some(isDirty))
      throw new Error('wrote past the list')
    if (isDirty(ids[this.#max * 5]!)) throw new Error('wrote past the peer ids')
    return Array.from({ length: count }, (_, i) => {
      const from = (at + i * width) * 2
      const endpoint = hex(new Uint8Array(halves.buffer, from, width * 2))
      return { family, endpoint, id: hex(new Uint8Array(ids.buffer, i * 20, 20)) }
    })
  }
}
const isDirty = (half: number): boolean => half !== 0xabcd

/** One thread's view of a swarm with everything an announce needs. */
export class World {
  readonly memory: SwarmMemory
  readonly swarm: Swarm
  readonly announce = new Announce()
  readonly udp = new Reply(MAX, false)
  readonly http = new Reply(MAX, true)
  now = 1_000_000
  lifetime = 100

  constructor(options: {
    bytes?: number
    seed?: number
    persistent?: boolean
    memory?: SwarmMemory
    thread?: number
  }) {
    const { bytes = 1024 * 1024, seed = 1, persistent = false, thread = 1 } = options
    this.memory = options.memory ?? createSwarmMemory(bytes, Int32Array.of(seed), persistent)
    this.swarm = new Swarm(this.memory, thread, seed)
  }
  get cutoff(): number {
    return this.now - this.lifetime
  }

  /** Announces over UDP, or over HTTP when `both`; what was told is in `udp` or `http`. */
  tell(hash: Int32Array, wish: Wish = {}, both = false): Outcome {
    write(this.announce, hash, wish)
    const { answer } = both ? this.http : this.udp
    answer.family = wish.asked ?? this.announce.family
    return this.swarm.announce(this.announce, this.now, this.cutoff, MAX, answer)
  }

  scrape(hash: Int32Array): { seeders: number; leechers: number; downloaded: number } {
    const entry = { seeders: -1, leechers: -1, downloaded: -1 }
    this.swarm.scrape(hash, this.cutoff, entry)
    return entry
  }
}

/** A torrent as the inspector shows it, peers in order of their endpoints. */
export function listed(world: World, hash: Int32Array, cutoff = -1) {
  const torrent = inspect(world.swarm, hash, cutoff, 5_000)
  if (torrent === 'busy') throw new Error('the shard is locked')
  if (torrent === undefined) return undefined
  const peers = torrent.peers.map((peer) => {
    const { address, port, peerId, ...shown } = peer
    const endpoint = hex(address) + port.toString(16).padStart(4, '0')
    return { ...shown, endpoint, id: hex(peerId) }
  })
  return { ...torrent, peers: peers.sort(byEndpoint) }
}

export const byEndpoint = (a: { endpoint: string }, b: { endpoint: string }): number =>
  a.endpoint < b.endpoint ? -1 : 1

/** Most peers told in these tests. */
export const MAX = 74

/** The arrays of a shard, read without its classes. */
export const arraysOf = (memory: SwarmMemory, shard: ShardMemory) => ({
  torrents: carveTorrents(new Carver(shard.torrents), memory.capacity),
  peers4: carvePeers(new Carver(shard.peers4), 4, memory.capacity.slots4),
  peers6: carvePeers(new Carver(shard.peers6), 6, memory.capacity.slots6),
})

/** All the steps of an inspection at once; 'busy': a lock was not to be had for `patience` ms. */
export function inspect(
  swarm: Swarm,
  hash: Int32Array,
  cutoff: number,
  patience = 0,
): InspectedTorrent | undefined | 'busy' {
  const steps = peersOf(swarm, hash, cutoff)
  for (let since = performance.now(); ; ) {
    const step = steps.next()
    if (step.done) return step.value
    if (step.value) since = performance.now()
    else if (performance.now() - since >= patience) return 'busy'
  }
}
