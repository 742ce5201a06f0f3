/**
 * Addresses that showed wrong connection ids (docs/behaviours.md U5), in a fixed table of shared memory: all
 * listeners of all threads see one count. Bounded: where eight addresses compete for one bucket, the one with
 * the fewest errors makes room. IPv6 counts by /64, which one host can fill.
 */
import { Address, type Family } from '../bittorrent.ts'
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
/** A count stops where its address is banned, and no word holds a greater one. */
const MOST_ERRORS = 0x7fff_ffff
/** Entries that are looked at in one step of a list: some tens of microseconds. */
const SLICE = 4_096

/** An address with errors. */
export type Counted = {
  readonly family: Family
  /** 4 or 16 bytes, of an IPv6 address the /64 it lies in. */
  readonly bytes: Uint8Array
  readonly errors: number
  readonly banned: boolean
}

export class Bans {
  readonly memory: SharedArrayBuffer
  readonly #rules: Pick<Rules, 'banLimit'>
  readonly #header: Int32Array
  readonly #entries: Int32Array
  readonly #secrets: Int32Array
  /** Called on the thread that counts the error which is one too many for `address`. Must neither throw nor wait. */
  onLimit: ((address: Address) => void) | undefined

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
    const isOneTooMany = entries[at + ENTRY.count]!++ === this.#rules.banLimit
    Atomics.store(this.#header, HEADER.lock, 0)
    if (isOneTooMany) this.onLimit?.(address)
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

  /**
   * Forgets the errors of `address`, and with them those of its /64: how many addresses that were, 0 or 1. undefined:
   * another thread is writing, try again. A writer holds the table for less than a microsecond; the control thread
   * frees it from one that died.
   */
  lift(address: Address): number | undefined {
    return this.#write(() => {
      const at = this.#find(address)
      if (at < 0) return 0
      this.#entries.fill(0, at, at + ENTRY.words)
      this.#header[HEADER.entries]!--
      return 1
    })
  }

  /** Forgets all errors: of how many addresses. undefined: as `lift`. */
  liftAll(): number | undefined {
    return this.#write(() => {
      const count = this.size
      this.#entries.fill(0)
      this.#header[HEADER.entries] = 0
      return count
    })
  }

  /** What `change` returns; undefined: another thread is writing. */
  #write(change: () => number): number | undefined {
    if (Atomics.compareExchange(this.#header, HEADER.lock, 0, 1) !== 0) return undefined
    try {
      return change()
    } finally {
      this.unlock()
    }
  }

  /**
   * `limit` addresses behind the first `offset`, those with the most errors first. Reads without the lock, in steps
   * between which others have their turns: counts are those of the moment in which each was read.
   */
  *list(offset: number, limit: number): Generator<void, readonly Counted[], void> {
    // The count and where it stands as one number, which the engine sorts many times as fast as objects.
    const ranks = new BigUint64Array(LIMITS.banTable)
    let found = 0
    for (let at = 0; at < this.#entries.length; at += ENTRY.words) {
      const errors = this.#entries[at + ENTRY.count]!
      if (errors > 0) ranks[found++] = (BigInt(MOST_ERRORS - errors) << 32n) | BigInt(at)
      if (at % (SLICE * ENTRY.words) === 0) yield
    }
    const page = ranks
      .subarray(0, found)
      .sort()
      .subarray(offset, offset + limit)
    const listed: Counted[] = []
    for (const [n, rank] of page.entries()) {
      const counted = this.#read(Number(rank & 0xffff_ffffn))
      if (counted !== undefined) listed.push(counted)
      if (n % SLICE === 0) yield
    }
    return listed
  }

  /** undefined: the entry was forgotten, or given to another address while it was read. */
  #read(at: number): Counted | undefined {
    const entries = this.#entries
    const errors = entries[at + ENTRY.count]!
    const family = entries[at + ENTRY.family]!
    if (errors === 0 || (family !== 4 && family !== 6)) return undefined
    const address = new Address()
    address.family = family
    address.words[0] = entries[at + ENTRY.first]!
    address.words[1] = entries[at + ENTRY.second]!
    // The halves of two addresses would stand in another bucket.
    if (this.#find(address) !== at) return undefined
    const bytes = address.bytes.slice(0, family === 4 ? 4 : 16)
    return { family, bytes, errors, banned: errors > this.#rules.banLimit }
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
