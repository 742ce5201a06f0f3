/**
 * Addresses that showed wrong connection ids (docs/behaviours.md U5), in a fixed table of shared memory: all
 * listeners of all threads see one count. Bounded: where eight addresses compete for one bucket, the one with
 * the fewest errors makes room. IPv6 counts by /64, which one host can fill.
 */
import type { Address, Family } from '../bittorrent.ts'
import { LIMITS } from '../limits.ts'
import { hashWords, type Seed, secretsOf } from '../memory/hash.ts'
import type { Rules } from '../rules.ts'

/** Words of the header: a lock for writers, addresses in the table. */
const HEADER = { lock: 0, entries: 1, words: 16 } as const
/** An entry: two words of address (IPv4: the second is 0), family, count. */
const ENTRY = { first: 0, second: 1, family: 2, count: 3, words: 4 } as const
const WAYS = 8
/** Words of an address that count. */
const SIGNIFICANT: Readonly<Record<Family, number>> = { 4: 1, 6: 2 }

export class Bans {
  readonly memory: SharedArrayBuffer
  readonly #rules: Pick<Rules, 'banLimit'>
  readonly #header: Int32Array
  readonly #entries: Int32Array
  readonly #secrets: Int32Array

  /** `seed` and `memory` must be the same on every thread. */
  constructor(rules: Pick<Rules, 'banLimit'>, seed: Seed, memory?: SharedArrayBuffer) {
    const bytes = HEADER.words * 4 + LIMITS.banTable * ENTRY.words * 4
    this.memory = memory ?? new SharedArrayBuffer(bytes)
    this.#rules = rules
    this.#header = new Int32Array(this.memory, 0, HEADER.words)
    this.#entries = new Int32Array(this.memory, HEADER.words * 4)
    this.#secrets = secretsOf(seed, 2, 'address')
  }

  /** Addresses with at least one error since the last reset. */
  get size(): number {
    return Atomics.load(this.#header, HEADER.entries)
  }

  /** Whether more errors of `address` were counted than the rules allow. */
  has(address: Address): boolean {
    if (this.#header[HEADER.entries] === 0) return false
    const at = this.#find(address)
    return at >= 0 && this.#entries[at + ENTRY.count]! > this.#rules.banLimit
  }

  /** Counts an error of `address`. */
  add(address: Address): void {
    // Another thread is writing: losing one count is better than making a request wait.
    if (Atomics.compareExchange(this.#header, HEADER.lock, 0, 1) !== 0) return
    const entries = this.#entries
    let at = this.#find(address)
    if (at < 0) {
      at = this.#leastGuilty(address)
      if (entries[at + ENTRY.count] === 0) this.#header[HEADER.entries]!++
      entries[at + ENTRY.count] = 0
      entries[at + ENTRY.first] = address.words[0]!
      entries[at + ENTRY.second] = second(address)
      entries[at + ENTRY.family] = address.family
    }
    entries[at + ENTRY.count]!++
    Atomics.store(this.#header, HEADER.lock, 0)
  }

  /** Forgets all errors, and frees the table from a writer that died. Only the control thread calls it. */
  reset(): void {
    this.#entries.fill(0)
    this.#header.fill(0)
  }

  /** Frees the table from a writer that died. */
  unlock(): void {
    Atomics.store(this.#header, HEADER.lock, 0)
  }

  #bucket({ family, words }: Address): number {
    const hash = hashWords(this.#secrets, words, 0, SIGNIFICANT[family])
    return ((hash >>> 0) % (LIMITS.banTable / WAYS)) * WAYS * ENTRY.words
  }

  /** Index of the entry of `address`, or -1. */
  #find(address: Address): number {
    const entries = this.#entries
    const bucket = this.#bucket(address)
    for (let at = bucket; at < bucket + WAYS * ENTRY.words; at += ENTRY.words)
      if (
        entries[at + ENTRY.first] === address.words[0] &&
        entries[at + ENTRY.second] === second(address) &&
        entries[at + ENTRY.family] === address.family
      )
        return at
    return -1
  }

  #leastGuilty(address: Address): number {
    const bucket = this.#bucket(address)
    let least = bucket
    for (let at = bucket; at < bucket + WAYS * ENTRY.words; at += ENTRY.words)
      if (this.#entries[at + ENTRY.count]! < this.#entries[least + ENTRY.count]!) least = at
    return least
  }
}

const second = ({ family, words }: Address): number => (SIGNIFICANT[family] > 1 ? words[1]! : 0)
