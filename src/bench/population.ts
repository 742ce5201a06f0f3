/**
 * Who announces what: made-up peers in made-up torrents, drawn from a seed, so that a run can be repeated. Every
 * torrent has at least one peer; the others follow popularity (Zipf), as in the field.
 */
import { type AnnounceEvent, EVENT, INFO_HASH_BYTES, PEER_ID_BYTES } from '../bittorrent.ts'

/** Ports of five digits, so that all HTTP requests have one length. */
const FIRST_PORT = 10_000
const PORTS = 2 ** 16 - FIRST_PORT

/** The peer id begins with this; the number of the peer follows. */
export const CLIENT = '-TB0100-'
const DIGITS = PEER_ID_BYTES - CLIENT.length

/** Bytes left of a leecher. */
const LEFT = 1024 * 1024

export interface PopulationOptions {
  readonly seed: number
  readonly torrents: number
  /** At least as many as torrents. */
  readonly peers: number
  /** Percent. */
  readonly seeders: number
}

export class Population {
  readonly peers: number
  readonly #torrentOf: Uint32Array
  readonly #portOf: Uint16Array
  readonly #seeds: Uint8Array
  /** The info hashes of all torrents, one behind another. Those of a seed do not depend on how many they are. */
  readonly hashes: Uint8Array
  #next = 0

  constructor({ seed, torrents, peers, seeders }: PopulationOptions) {
    const random = new Random(seed)
    this.peers = peers
    this.hashes = new Uint8Array(torrents * INFO_HASH_BYTES)
    const words = new Uint32Array(this.hashes.buffer)
    for (let i = 0; i < words.length; i++) words[i] = random.word()
    this.#torrentOf = gather(torrents, peers, random)
    // A tracker knows a peer by address and port. All have one address, so ports must differ within a torrent.
    const members = new Uint32Array(torrents)
    this.#portOf = new Uint16Array(peers)
    this.#seeds = new Uint8Array(peers)
    for (let peer = 0; peer < peers; peer++) {
      const torrent = this.#torrentOf[peer]!
      this.#portOf[peer] = FIRST_PORT + ((torrent + members[torrent]!++) % PORTS)
      this.#seeds[peer] = random.share() * 100 < seeders ? 1 : 0
    }
  }

  /** Peers announce in turn. */
  nextPeer(): number {
    return this.#next++ % this.peers
  }

  /** Whether every peer has announced before, so that announces no longer carry `started`. */
  get allStarted(): boolean {
    return this.#next > this.peers
  }

  portOf(peer: number): number {
    return this.#portOf[peer]!
  }

  /** Bytes left. */
  leftOf(peer: number): number {
    return this.#seeds[peer] === 1 ? 0 : LEFT
  }

  /** The event of an announce: `started` in the first turn of each peer. */
  eventOf(_peer: number): AnnounceEvent {
    return this.allStarted ? EVENT.none : EVENT.started
  }

  copyInfoHash(peer: number, into: Uint8Array): void {
    const from = this.#torrentOf[peer]! * INFO_HASH_BYTES
    for (let i = 0; i < INFO_HASH_BYTES; i++) into[i] = this.hashes[from + i]!
  }

  /** Writes the digits of the peer id that ends at `end`, behind `CLIENT`. */
  writeNumber(peer: number, into: Uint8Array, end: number): void {
    let rest = peer
    for (let i = 1; i <= DIGITS; i++) {
      into[end - i] = 0x30 + (rest % 10)
      rest = (rest / 10) | 0
    }
  }
}

/** Draws the torrent of each peer. */
function gather(torrents: number, peers: number, random: Random): Uint32Array {
  // A power that is drawn evenly falls on rank k about as often as 1/k (Zipf).
  const popular = () => Math.floor(torrents ** random.share()) - 1
  const torrentOf = Uint32Array.from({ length: peers }, (_, peer) =>
    peer < torrents ? peer : popular(),
  )
  for (let peer = peers - 1; peer > 0; peer--) {
    const other = Math.floor(random.share() * (peer + 1))
    const kept = torrentOf[peer]!
    torrentOf[peer] = torrentOf[other]!
    torrentOf[other] = kept
  }
  return torrentOf
}

/** The generator sfc32: good statistics, not for secrets. */
export class Random {
  #a: number
  #b: number
  #c = 0x9e37_79b9
  #counter = 1

  constructor(seed: number) {
    this.#a = seed | 0
    this.#b = Math.floor(seed / 2 ** 32) | 0
    for (let i = 0; i < 15; i++) this.word()
  }

  /** 32 bits. */
  word(): number {
    const word = (this.#a + this.#b + this.#counter) | 0
    this.#counter = (this.#counter + 1) | 0
    this.#a = this.#b ^ (this.#b >>> 9)
    this.#b = (this.#c + (this.#c << 3)) | 0
    this.#c = (((this.#c << 21) | (this.#c >>> 11)) + word) | 0
    return word >>> 0
  }

  /** 0 ≤ share < 1. */
  share(): number {
    return this.word() / 2 ** 32
  }
}
