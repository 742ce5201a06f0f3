/** Small swarms and readable announces for the tests of the swarm. */
import {
  type AnnounceEvent,
  Answer,
  EVENT,
  Expected,
  type PeerFamily,
  PeerList,
  SEAT,
  WANT_DEFAULT,
  WEB,
} from '../../../src/bittorrent.ts'
import { readHead } from '../../../src/swarm/head.ts'
import {
  Carver,
  carvePeers,
  carveTorrents,
  FAMILIES,
  type FamilyRow,
  type PeerArrays,
  type ShardMemory,
  type TorrentArrays,
  WEB_ROW,
} from '../../../src/swarm/layout.ts'
import { Cutoffs } from '../../../src/swarm/peers.ts'
import type { Outcome } from '../../../src/swarm/shard.ts'
import { createSwarmMemory, Swarm, type SwarmMemory } from '../../../src/swarm/swarm.ts'
import { type InspectedTorrent, peersOf } from '../../../src/view/torrents.ts'
import type { NaiveAnnounce } from '../naive/swarm.ts'

export const THREE_FAMILIES: readonly FamilyRow[] = [...FAMILIES, WEB_ROW]

export const rowOf = (family: PeerFamily): FamilyRow =>
  THREE_FAMILIES.find((row) => row.family === family)!

/** An announce of any family: `Announce` and `SeatAnnounce` in one, with room for the longest endpoint. */
export class AnyAnnounce {
  readonly words: Int32Array = new Int32Array(16)
  readonly peerId: Uint8Array = new Uint8Array(this.words.buffer, 20, 20)
  readonly endpoint: Uint8Array = new Uint8Array(this.words.buffer, 40)
  readonly endpointHalves: Uint16Array = new Uint16Array(this.words.buffer, 40)
  readonly counts: Int32Array = new Int32Array(6)
  family: PeerFamily = 4
  event: AnnounceEvent = EVENT.none
  want: number = WANT_DEFAULT
}

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
    if (swarm.shardOf(swarm.hash(hashWords(n))) === swarm.shards[shard]) found.push(hashWords(n))
  return found
}

/** Which thread has the seat of peer number `n`. */
export const threadOf = (n: number): number => 1 + (n % 3)

/** Peer number `n` of a family: the same number, the same endpoint. */
export function endpointOf(family: PeerFamily, n: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(rowOf(family).halves * 2)
  if (family === 4) bytes.set([10])
  if (family === 6) bytes.set([0x20, 0x01, 0x0d, 0xb8])
  if (family === WEB) {
    bytes.set([0xff, 0xff, 192, 0, 2, n, n >>> 8, n], 10)
    new Uint16Array(bytes.buffer)[SEAT.thread] = threadOf(n)
  }
  const view = new DataView(bytes.buffer)
  // Few ports and few addresses, or numbers of seats, so that peers differ in one or the other.
  view.setUint16(bytes.length - 4, n >>> 2)
  view.setUint16(bytes.length - 2, 6881 + (n & 3))
  return bytes
}

/** The number of a peer with this endpoint in hex. */
export const numberOf = (endpoint: string): number =>
  Number.parseInt(endpoint.slice(-8, -4), 16) * 4 + Number.parseInt(endpoint.slice(-4), 16) - 6881

export type Wish = {
  family?: PeerFamily
  peer?: number
  event?: AnnounceEvent
  left?: bigint
  uploaded?: bigint
  downloaded?: bigint
  id?: number
  want?: number
  /** Family the client asks over, when it is not the one it is known by. */
  asked?: PeerFamily
}

/** Fills `announce` and returns the same for the twin. */
export function write(announce: AnyAnnounce, hash: Int32Array, wish: Wish): NaiveAnnounce {
  const { family = 4, peer = 0, event = EVENT.none, left = 0n, uploaded = 0n } = wish
  const { downloaded = 0n, id = peer, want = WANT_DEFAULT } = wish
  announce.words.set(hash)
  announce.peerId.set(Buffer.from(`-XX0001-${String(id).padStart(12, '0')}`))
  announce.family = family
  // Bytes behind a shorter endpoint must not matter.
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

export type Told = { family: PeerFamily; endpoint: string; id: string }

/** An answer with room for `max` peers of each family between halves that must stay as they are. */
export class Reply {
  readonly #max: number
  readonly #lists: readonly PeerList[]
  answer: Answer

  constructor(max: number, families: readonly FamilyRow[]) {
    this.#max = max
    this.#lists = families.map(({ family, halves }) => {
      const list = new PeerList(family, new Uint16Array(max * halves + 14).fill(0xabcd))
      list.ids = new Int32Array(max * 5 + 1).fill(0xabcd)
      list.at = 7
      return list
    })
    this.answer = new Answer(this.#lists)
  }

  /** The answer to be filled: peers of `first`, and of the others in their order if they are wanted, too. */
  prepare(first: PeerFamily, others: boolean): Answer {
    const own = this.#lists.filter(({ family }) => family === first)
    const rest = this.#lists.filter(({ family }) => family !== first)
    this.answer = new Answer(others ? [...own, ...rest] : own)
    return this.answer
  }

  /** The peers of the answer, in order. Throws when anything outside the lists was written. */
  told(): Told[] {
    return this.answer.lists.flatMap((list) => this.#read(list))
  }

  #read({ family, halves, at, count, ids }: PeerList): Told[] {
    const width = rowOf(family).halves
    const end = at + this.#max * width
    if (count > this.#max || [...halves.subarray(0, at), ...halves.subarray(end)].some(isDirty))
      throw new Error('wrote past the list')
    if (isDirty(ids![this.#max * 5]!)) throw new Error('wrote past the peer ids')
    return Array.from({ length: count }, (_, i) => {
      const from = (at + i * width) * 2
      const endpoint = hex(new Uint8Array(halves.buffer, from, width * 2))
      return { family, endpoint, id: hex(new Uint8Array(ids!.buffer, i * 20, 20)) }
    })
  }
}
const isDirty = (half: number): boolean => half !== 0xabcd

/** One thread's view of a swarm with everything an announce needs. */
export class World {
  readonly memory: SwarmMemory
  readonly swarm: Swarm
  readonly announce = new AnyAnnounce()
  readonly udp: Reply
  readonly http: Reply
  now = 1_000_000
  lifetime = 100
  /** That of WebTorrent peers. */
  seatLifetime = 100

  constructor(options: {
    bytes?: number
    seed?: number
    persistent?: boolean
    families?: readonly FamilyRow[]
    memory?: SwarmMemory
    thread?: number
  }) {
    const { bytes = 1024 * 1024, seed = 1, persistent = false, thread = 1 } = options
    this.memory =
      options.memory ?? createSwarmMemory(bytes, Int32Array.of(seed), persistent, options.families)
    this.udp = new Reply(MAX, this.memory.families)
    this.http = new Reply(MAX, this.memory.families)
    this.swarm = new Swarm(this.memory, thread, seed)
  }
  get families(): PeerFamily[] {
    return this.memory.families.map(({ family }) => family)
  }
  get cutoffs(): Cutoffs {
    return new Cutoffs(this.now - this.lifetime, this.now - this.seatLifetime)
  }

  /** Announces as UDP does, or as HTTP does when `all` families are told; what was told is in `udp` or `http`. */
  tell(hash: Int32Array, wish: Wish = {}, all = false): Outcome {
    write(this.announce, hash, wish)
    const answer = (all ? this.http : this.udp).prepare(wish.asked ?? this.announce.family, all)
    return this.swarm.announce(this.announce, this.now, this.cutoffs, MAX, answer)
  }

  /** Reads ahead for announces of these peers, as UDP does for a batch; those without an address have no place there. */
  expect(all: readonly (readonly [Int32Array, PeerFamily, number])[]): void {
    const announces = all.filter(([, family]) => family !== WEB)
    const expected = new Expected(announces.length)
    for (const [i, [hash, family, peer]] of announces.entries()) {
      expected.hashes.set(hash, i * 5)
      const { buffer } = endpointOf(family, peer)
      expected.peers.set(new Uint16Array(buffer), i * Expected.halves)
      expected.peers[i * Expected.halves + Expected.family] = family
    }
    expected.count = announces.length
    this.swarm.expect(expected)
  }

  scrape(hash: Int32Array): { seeders: number; leechers: number; downloaded: number } {
    const entry = { seeders: -1, leechers: -1, downloaded: -1 }
    this.swarm.scrape(hash, this.cutoffs, entry)
    return entry
  }
}

/** A torrent as the inspector shows it, peers in order of their endpoints. */
export function listed(world: World, hash: Int32Array) {
  const torrent = inspect(world.swarm, hash, new Cutoffs(-1, -1), 5_000)
  if (torrent === 'busy') throw new Error('the shard is locked')
  if (torrent === undefined) return undefined
  const peers = torrent.peers.map((peer) => {
    const { endpoint, peerId, ...shown } = peer
    return { ...shown, endpoint: hex(endpoint), id: hex(peerId) }
  })
  return { ...torrent, peers: peers.sort(byEndpoint) }
}

export const byEndpoint = (a: { endpoint: string }, b: { endpoint: string }): number =>
  a.endpoint < b.endpoint ? -1 : 1

/** Most peers in one answer of these tests. */
export const MAX = 74

/** The arrays of a shard, read without its classes; those of peers in the order of the families. */
export function arraysOf(
  { families, shards }: Pick<SwarmMemory, 'families' | 'shards'>,
  shard: ShardMemory,
): { torrents: TorrentArrays; peers: PeerArrays[] } {
  const capacity = readHead(shard, families, shards.indexOf(shard))
  return {
    torrents: carveTorrents(new Carver(shard.torrents), capacity, families),
    peers: families.map((row, i) =>
      carvePeers(new Carver(shard.peers[i]), row, capacity.slots[i]!),
    ),
  }
}

/** All the steps of an inspection at once; 'busy': a lock stayed busy for `milliseconds`. */
export function inspect(
  swarm: Swarm,
  hash: Int32Array,
  cutoffs = new Cutoffs(),
  milliseconds = 0,
): InspectedTorrent | undefined | 'busy' {
  const steps = peersOf(swarm, hash, cutoffs)
  for (let since = performance.now(); ; ) {
    const step = steps.next()
    if (step.done) return step.value
    if (step.value) since = performance.now()
    else if (performance.now() - since >= milliseconds) return 'busy'
  }
}
