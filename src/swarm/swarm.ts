/**
 * The swarm of the whole tracker: shards in shared memory that any thread may use. Picks the shard of
 * an info hash, keeps the memory budget, sums the totals. Knows no protocol, no policy and no clock.
 */
import type { Announce, Answer, ScrapeEntry } from '../bittorrent.ts'
import { Bell, createBell } from '../memory/bell.ts'
import { infoHashKey, infoHashSecrets, type Seed } from '../memory/hash.ts'
import { type Release, reserve } from '../memory/reserve.ts'
import { Budget } from './budget.ts'
import { Dice } from './dice.ts'
import {
  BATCH,
  type Capacity,
  Carver,
  CHUNK,
  carvePeers,
  carveTorrents,
  FAMILY_HEADER,
  HEADER,
  LIMB,
  MOST,
  type ShardMemory,
  seedIn,
  slotBytes,
  TORRENT,
} from './layout.ts'
import { salvage } from './records.ts'
import { type Outcome, Shard } from './shard.ts'

/** A power of two: the high bits of an info hash's key name its shard. */
const SHARD_BITS = 5
export const SHARDS = 1 << SHARD_BITS

/** Most bytes reserved for one buffer: what is not touched costs only addresses. */
const LARGEST_BUFFER = 2 ** 31

/** What the threads share; sent to a worker as it is. */
export type SwarmMemory = {
  readonly capacity: Capacity
  readonly shards: readonly ShardMemory[]
  /** Two words: KiB that may be used, KiB in use. */
  readonly budget: SharedArrayBuffer
  /** Rung when a scrape asks for a stored count. */
  readonly asked: SharedArrayBuffer
}

export type Totals = {
  readonly torrents: number
  readonly seeders: number
  readonly leechers: number
  /** Completions of the torrents that are here; and of all since the start. */
  readonly downloads: number
  readonly completions: number
  /** Announces refused, and peers not remembered, because memory is spent. */
  readonly refusals: number
}

/**
 * Reserves a swarm of at most `maxBytes`; `persistent`: its completions are for a database. Throws
 * RangeError when the system gives no address space.
 */
export function createSwarmMemory(maxBytes: number, seed: Seed, persistent = false): SwarmMemory {
  // One shard may fill up alone (a huge swarm lives in one), so each could hold the whole budget.
  const bytes = Math.min(maxBytes, LARGEST_BUFFER)
  const chunks = (family: 4 | 6) => Math.ceil(bytes / slotBytes(family) / CHUNK) * CHUNK
  const most = Math.ceil(bytes / (TORRENT.words * 4 + 4) / BATCH) * BATCH
  const capacity = {
    torrents: most,
    ledger: persistent ? most : 0,
    slots4: chunks(4),
    slots6: chunks(6),
  }
  const size = (carve: (carver: Carver) => void) => {
    const carver = new Carver()
    carve(carver)
    return carver.bytes
  }
  const torrents = size((carver) => carveTorrents(carver, capacity))
  const peers4 = size((carver) => carvePeers(carver, 4, capacity.slots4))
  const peers6 = size((carver) => carvePeers(carver, 6, capacity.slots6))
  const shards = Array.from({ length: SHARDS }, () => ({
    torrents: reserve(torrents),
    peers4: reserve(peers4),
    peers6: reserve(peers6),
  }))
  const budget = new SharedArrayBuffer(8)
  new Int32Array(budget)[0] = Math.min(Math.floor(maxBytes / 1024), MOST)
  for (const memory of shards) {
    new Int32Array(memory.torrents).set(seed, HEADER.seed)
    new Shard(memory, capacity, 1, new Budget(budget)).reset()
  }
  return { capacity, shards, budget, asked: createBell() }
}

export class Swarm {
  readonly shards: readonly Shard[]
  /** Rings when a scrape asks for a stored count. */
  readonly asked: Bell
  readonly #budget: Budget
  readonly #secrets: Int32Array
  readonly #dice: Dice

  /**
   * `thread` ≥ 1, different for every thread; `seed` feeds the choice of peers. `alone`: no other thread
   * uses the memory. `release` gives pages back to the system; without it only the budget has them back.
   */
  constructor(memory: SwarmMemory, thread: number, seed: number, alone = false, release?: Release) {
    const budget = new Budget(memory.budget)
    this.#budget = budget
    this.asked = new Bell(memory.asked)
    this.shards = memory.shards.map(
      (shard) => new Shard(shard, memory.capacity, thread, budget, alone, release),
    )
    this.#secrets = infoHashSecrets(seedIn(this.shards[0]!.torrents.header))
    this.#dice = new Dice(seed)
  }

  announce(announce: Announce, now: number, cutoff: number, max: number, answer: Answer): Outcome {
    const key = this.key(announce.words)
    return this.shardOf(key).announce(announce, key, now, cutoff, max, this.#dice, answer)
  }

  /**
   * `words` is the info hash, five words in memory order. true: a count that is stored of it was asked
   * for and may come in a moment; who can wait asks again.
   */
  scrape(words: Int32Array, cutoff: number, entry: ScrapeEntry): boolean {
    const key = this.key(words)
    const isAwaited = this.shardOf(key).scrape(words, key, cutoff, entry)
    if (isAwaited) this.asked.ring()
    return isAwaited
  }

  /** Seeded hash of the info hash at `words[at…]`. */
  key(words: Int32Array, at = 0): number {
    return infoHashKey(this.#secrets, words, at)
  }

  shardOf(key: number): Shard {
    return this.shards[key >>> (32 - SHARD_BITS)]!
  }

  /** Frees and mends the shards a dead thread held. How many there were. */
  recover(dead: number): number {
    let mended = 0
    for (const shard of this.shards) {
      if (!shard.lock.seize(dead)) continue
      try {
        salvage(shard)
      } catch (error) {
        // Empty is whole, too: its peers announce again within minutes.
        shard.reset()
        shard.account.settle()
        throw error
      } finally {
        shard.lock.release()
      }
      mended++
    }
    this.audit()
    return mended
  }

  /**
   * Makes the budget's sum what the shards hold: a thread that died while it paid may have left it too high.
   * false = a lock was not to be had, and nothing was done.
   */
  audit(): boolean {
    const locked: Shard[] = []
    try {
      for (const shard of this.shards) {
        if (!shard.lock.tryAcquire(0)) return false
        locked.push(shard)
      }
      this.#budget.correct(locked.reduce((sum, { account }) => sum + account.paid, 0))
      return true
    } finally {
      for (const { lock } of locked) lock.release()
    }
  }

  /** Read without locks: a sum of moments a few microseconds apart. */
  totals(): Totals {
    const sum = { torrents: 0, seeders: 0, leechers: 0, downloads: 0, completions: 0, refusals: 0 }
    for (const { torrents } of this.shards) {
      const { header } = torrents
      sum.torrents += header[HEADER.torrents]!
      sum.downloads += header[HEADER.downloads]! + header[HEADER.downloadsHigh]! * LIMB
      sum.completions += header[HEADER.completions]!
      sum.refusals += header[HEADER.refusals]!
      for (const family of [HEADER.v4, HEADER.v6]) {
        sum.seeders += header[family + FAMILY_HEADER.seeders]!
        sum.leechers += header[family + FAMILY_HEADER.leechers]!
      }
    }
    return sum
  }

  /** Whether completions are for a database. */
  get persistent(): boolean {
    return this.shards[0]!.torrents.ledger.on
  }

  /** Completions that wait for the database. Read without locks, like the totals. */
  owed(): number {
    return this.shards.reduce((sum, { torrents }) => sum + torrents.header[HEADER.owed]!, 0)
  }

  /** Bytes in use and allowed. What is free is in use until a sweep has given it back. */
  memory(): { used: number; limit: number } {
    return { used: this.#budget.used * 1024, limit: this.#budget.limit * 1024 }
  }
}
