/**
 * Addresses that showed wrong connection ids (spec/torrust-newest §3.2), in a fixed table of
 * shared memory: all UDP listeners of all threads see one count. Bounded: where eight addresses
 * compete for one bucket the least guilty makes room. IPv6 counts by /64, which one host can fill.
 */
import type { Announce } from '../bittorrent.ts'
import { LIMITS } from '../limits.ts'
import { hashWords, type Seed, secretsOf } from '../memory/hash.ts'

/** Words of the header: a lock for writers, addresses in the table. */
const HEADER = { lock: 0, entries: 1, words: 16 } as const
/** An entry: two words of address (IPv4: the second is 0), family, count. */
const ENTRY = { first: 0, second: 1, family: 2, count: 3, words: 4 } as const
const WAYS = 8

export class Bans {
  readonly memory: SharedArrayBuffer
  readonly #header: Int32Array
  readonly #entries: Int32Array
  readonly #secrets: Int32Array
  readonly #limit: number

  /** `has` ⇔ more than `limit` errors. `seed` must be the same on every thread. */
  constructor(limit: number, seed: Seed, memory?: SharedArrayBuffer) {
    const bytes = HEADER.words * 4 + LIMITS.banTable * ENTRY.words * 4
    this.memory = memory ?? new SharedArrayBuffer(bytes)
    this.#header = new Int32Array(this.memory, 0, HEADER.words)
    this.#entries = new Int32Array(this.memory, HEADER.words * 4)
    this.#secrets = secretsOf(seed, 2, 'address')
    this.#limit = limit
  }

  /** Addresses with at least one error since the last reset. */
  get size(): number {
    return Atomics.load(this.#header, HEADER.entries)
  }

  /** Whether the sender in `announce` showed more wrong ids than the limit. */
  has(announce: Announce): boolean {
    if (this.#header[HEADER.entries] === 0) return false
    const at = this.#find(announce)
    return at >= 0 && this.#entries[at + ENTRY.count]! > this.#limit
  }

  /** Counts an error of the sender in `announce`. */
  add(announce: Announce): void {
    // Somebody else is writing: losing one count is better than making a datagram wait.
    if (Atomics.compareExchange(this.#header, HEADER.lock, 0, 1) !== 0) return
    const entries = this.#entries
    let at = this.#find(announce)
    if (at < 0) {
      at = this.#leastGuilty(announce)
      if (entries[at + ENTRY.count] === 0) this.#header[HEADER.entries]!++
      entries[at + ENTRY.count] = 0
      entries[at + ENTRY.first] = first(announce)
      entries[at + ENTRY.second] = second(announce)
      entries[at + ENTRY.family] = announce.family
    }
    entries[at + ENTRY.count]!++
    Atomics.store(this.#header, HEADER.lock, 0)
  }

  /** Forgets all. Also frees the table from a writer that died. Only the control thread calls it. */
  reset(): void {
    this.#entries.fill(0)
    this.#header.fill(0)
  }

  /** Frees the table from a writer that died. */
  unlock(): void {
    Atomics.store(this.#header, HEADER.lock, 0)
  }

  #bucket(announce: Announce): number {
    const hash = hashWords(this.#secrets, announce.words, 10, announce.family === 4 ? 1 : 2)
    return ((hash >>> 0) % (LIMITS.banTable / WAYS)) * WAYS * ENTRY.words
  }

  /** Index of the sender's entry, or -1. */
  #find(announce: Announce): number {
    const entries = this.#entries
    const bucket = this.#bucket(announce)
    for (let at = bucket; at < bucket + WAYS * ENTRY.words; at += ENTRY.words)
      if (
        entries[at + ENTRY.first] === first(announce) &&
        entries[at + ENTRY.second] === second(announce) &&
        entries[at + ENTRY.family] === announce.family
      )
        return at
    return -1
  }

  #leastGuilty(announce: Announce): number {
    const bucket = this.#bucket(announce)
    let least = bucket
    for (let at = bucket; at < bucket + WAYS * ENTRY.words; at += ENTRY.words)
      if (this.#entries[at + ENTRY.count]! < this.#entries[least + ENTRY.count]!) least = at
    return least
  }
}

/** The address begins at word 10 of an announce (bittorrent.ts). */
const first = (announce: Announce): number => announce.words[10]!
const second = (announce: Announce): number => (announce.family === 4 ? 0 : announce.words[11]!)
