/**
 * Announces for measurements of the swarm without sockets, drawn from a seed and prepared in batches, so that preparing
 * them is not measured.
 */
import { Address, type Announce, type Expected, type Key } from '../src/bittorrent.ts'

export const SEED = 1
/** Announces that are prepared and timed together. */
export const BATCH = 10_000

/** A well-mixed number from 0 to 2³²−1, always the same for the same `value`. */
export function mix(value: number): number {
  value = Math.imul(value ^ (value >>> 16), 0x21f0aaad)
  value = Math.imul(value ^ (value >>> 15), 0x735a2d97)
  return (value ^ (value >>> 15)) >>> 0
}

const KEY_WORDS = 8

export function writeHash(torrent: number, words: Int32Array, at: number): void {
  for (let word = 0; word < 5; word++)
    words[at + word] = mix(torrent * 5 + word + SEED * 0x9e3779b1)
}

/** Writes an auth key of random words. Not of letters and digits, but the tables do not mind. */
export function writeKey(number: number, words: Int32Array, at: number): void {
  for (let word = 0; word < KEY_WORDS; word++)
    words[at + word] = mix(number * KEY_WORDS + word + SEED * 0x85ebca6b)
}

/** Every torrent has one peer; the others follow popularity (Zipf). */
export class Population {
  readonly peers: number
  readonly #torrents: number
  /** Nine words for each announce of a batch: info hash (5), address, port, bytes left, peer id. */
  readonly #prepared = new Int32Array(BATCH * 9)
  readonly #sender = new Address()
  readonly #keys: number
  readonly #preparedKeys: Int32Array

  /** The peers use `keys` auth keys in turn. */
  constructor(peers: number, torrents: number, keys = 0) {
    this.peers = peers
    this.#torrents = torrents
    this.#keys = keys
    this.#preparedKeys = new Int32Array(keys > 0 ? BATCH * KEY_WORDS : 0)
  }

  /** Prepares announces from number `from` on; each peer has one turn in `peers` announces. */
  prepare(from: number, count: number): void {
    for (let i = 0; i < count; i++) {
      // The stride has no factor in common with `peers`, so the order is scattered and complete.
      const peer = ((from + i) * 7_368_787) % this.peers
      const torrent = this.#torrentOf(peer)
      const at = i * 9
      writeHash(torrent, this.#prepared, at)
      this.#prepared[at + 5] = mix(peer)
      this.#prepared[at + 6] = 1024 + (peer % 64_000)
      this.#prepared[at + 7] = mix(peer + 1) % 4 === 0 ? 1 << 20 : 0
      this.#prepared[at + 8] = peer
      if (this.#keys > 0) writeKey(peer % this.#keys, this.#preparedKeys, i * KEY_WORDS)
    }
  }

  read(i: number, announce: Announce): void {
    const { words, endpointHalves } = announce
    const prepared = this.#prepared
    const at = i * 9
    for (let word = 0; word < 5; word++) words[word] = prepared[at + word]!
    words[5] = prepared[at + 8]!
    words[10] = prepared[at + 5]!
    endpointHalves[2] = prepared[at + 6]!
    announce.counts[5] = prepared[at + 7]!
  }

  expect(i: number, expected: Expected): void {
    const prepared = this.#prepared
    const at = i * 9
    for (let word = 0; word < 5; word++)
      expected.hashes[expected.count * 5 + word] = prepared[at + word]!
    this.#sender.words[0] = prepared[at + 5]!
    expected.add(this.#sender, prepared[at + 6]!)
  }

  readKey(i: number, { words }: Key): void {
    for (let word = 0; word < KEY_WORDS; word++)
      words[word] = this.#preparedKeys[i * KEY_WORDS + word]!
  }

  #torrentOf(peer: number): number {
    if (peer < this.#torrents) return peer
    return Math.floor(this.#torrents ** (mix(peer + 2) / 2 ** 32))
  }
}
