/**
 * The swarm of the whole tracker: shards in shared memory that any thread may use. Picks the shard of an info
 * hash, keeps the memory budget, sums the totals. Knows no protocol, no policy and no clock.
 */
import {
  type Answer,
  type Expected,
  type PeerFamily,
  type ScrapeEntry,
  WEB,
} from '../bittorrent.ts'
import { Bell, createBell } from '../memory/bell.ts'
import { type CounterRow, ThreadCounters } from '../memory/counters.ts'
import { hashInfoHash, infoHashSecrets, type Seed } from '../memory/hash.ts'
import { type Release, reserve, type Settle } from '../memory/reserve.ts'
import { BUDGET_WORDS, Budget } from './budget.ts'
import { forgetSeats } from './forget.ts'
import { writeHead } from './head.ts'
import {
  BATCH,
  CHUNK,
  carvePeers,
  carveTorrents,
  EPOCH,
  FAMILIES,
  FAMILY_HEADER,
  type FamilyRow,
  HEAD,
  HEADER,
  LIMB,
  largeBit,
  MOST,
  NIL,
  SHARDS,
  type ShardMemory,
  seedIn,
  shardOf,
  sizeOf,
  slotBytes,
  TORRENT,
} from './layout.ts'
import type { Cutoffs, PeerAnnounce } from './peers.ts'
import { Prefetch } from './prefetch.ts'
import { Terms } from './selection.ts'
import { type Outcome, Shard } from './shard.ts'

/** Most bytes reserved for one buffer: what is not touched costs only addresses. */
const LARGEST_BUFFER = 2 ** 31

/** What the threads share; sent to a worker as it is. */
export type SwarmMemory = {
  readonly families: readonly FamilyRow[]
  readonly shards: readonly ShardMemory[]
  /** See `Budget`. */
  readonly budget: SharedArrayBuffer
  /** Rung when a scrape asks for a stored count. */
  readonly asked: SharedArrayBuffer
}

/** Whether WebTorrent peers can announce. */
export const hasWebPeers = ({ families }: SwarmMemory): boolean =>
  families.some(({ family }) => family === WEB)

export type SwarmOptions = {
  /** No other thread uses the memory. */
  readonly alone?: boolean | undefined
  /** Gives pages back to the system; without it only the budget has them back. */
  readonly release?: Release | undefined
  /** Lets the system use huge pages. */
  readonly settle?: Settle | undefined
  /** The row of the thread in `ThreadCounters`. */
  readonly counts?: CounterRow | undefined
}

type FamilyTotals = {
  readonly family: PeerFamily
  readonly seeders: number
  readonly leechers: number
}

export type Totals = {
  readonly torrents: number
  readonly seeders: number
  readonly leechers: number
  readonly byFamily: readonly FamilyTotals[]
  /** Completions of the torrents that are here; and of all since the start. */
  readonly downloads: number
  readonly completions: number
  /** Announces refused, and peers not remembered, because memory is spent. */
  readonly refusals: number
}

/**
 * Reserves a swarm of at most `maxBytes`; `persistent`: its completions are kept in a database; `families`: those
 * whose peers can announce while it lasts. One thread must have opened it before others do. Throws RangeError when the
 * system gives no address space.
 */
export function createSwarmMemory(
  maxBytes: number,
  seed: Seed,
  persistent = false,
  families: readonly FamilyRow[] = FAMILIES,
): SwarmMemory {
  assertRows(families)
  // Each shard could hold the whole budget, because a huge swarm fills one shard alone.
  const bytes = Math.min(maxBytes, LARGEST_BUFFER)
  const torrents = Math.ceil(bytes / (TORRENT.words * 4 + 4) / BATCH) * BATCH
  const slots = families.map((row) => Math.ceil(bytes / slotBytes(row) / CHUNK) * CHUNK)
  const capacity = { torrents, ledger: persistent ? torrents : 0, slots }
  const torrentBytes = sizeOf((carver) => carveTorrents(carver, capacity, families))
  const peerBytes = families.map((row, i) => sizeOf((carver) => carvePeers(carver, row, slots[i]!)))
  const shards = Array.from({ length: SHARDS }, (_, number) => {
    const memory = { torrents: reserve(torrentBytes), peers: peerBytes.map(reserve) }
    writeHead(memory, families, capacity, number, seed)
    return memory
  })
  const budget = new SharedArrayBuffer(BUDGET_WORDS * 4)
  new Int32Array(budget)[0] = Math.min(Math.floor(maxBytes / 1024), MOST)
  return { families, shards, budget, asked: createBell() }
}

/** What the rest relies on without looking: see `FamilyRow` and `FAMILIES`. */
function assertRows(families: readonly FamilyRow[]): void {
  const firstBeside = families.findIndex(({ part }) => part === undefined)
  const isOrdered =
    firstBeside < 0 || families.slice(firstBeside).every((row) => row.part === undefined)
  const isWide = families.every((row) => largeBit(row) > 0)
  if (!isOrdered || !isWide || families.length > HEAD.mostFamilies)
    throw new Error(`these families do not fit the layout: ${JSON.stringify(families)}`)
}

export class Swarm {
  /** What the threads share. */
  readonly shared: SwarmMemory
  readonly shards: readonly Shard[]
  /** Rings when a scrape asks for a stored count. */
  readonly asked: Bell
  readonly #budget: Budget
  readonly #secrets: Int32Array
  readonly #terms: Terms
  readonly #prefetch: Prefetch
  readonly #families: readonly FamilyRow[]

  /**
   * `thread` ≥ 1, different for every thread; `seed` feeds the choice of peers. Throws an Error that says why when the
   * memory is not of this layout.
   */
  constructor(memory: SwarmMemory, thread: number, seed: number, options: SwarmOptions = {}) {
    const { alone, release, settle, counts = new ThreadCounters(1).row(0) } = options
    const { families } = memory
    if (settle !== undefined)
      for (const { torrents, peers } of memory.shards)
        for (const buffer of [torrents, ...peers]) settle(new Uint16Array(buffer), 0)
    this.shared = memory
    const budget = new Budget(memory.budget)
    this.#budget = budget
    this.#families = families
    this.asked = new Bell(memory.asked)
    this.shards = memory.shards.map(
      (shard, number) =>
        new Shard(shard, families, number, { thread, budget, counts, alone, release, settle }),
    )
    this.#secrets = infoHashSecrets(seedIn(this.shards[0]!.torrents.header))
    this.#terms = new Terms(seed)
    this.#prefetch = new Prefetch(this.shards, this.#secrets, this.#terms.dice)
  }

  /** Reads ahead for the announces that follow; see prefetch.ts. At most `LIMITS.udpBatch`. */
  expect(expected: Expected): void {
    this.#prefetch.load(expected)
  }

  /** At most `most` peers are listed. */
  announce(
    announce: PeerAnnounce,
    now: number,
    cutoffs: Cutoffs,
    most: number,
    answer: Answer,
  ): Outcome {
    const terms = this.#terms
    terms.now = now - EPOCH
    terms.cutoff = cutoffs.addresses - EPOCH
    terms.seatCutoff = cutoffs.seats - EPOCH
    terms.most = most
    const ahead = this.#prefetch
    const i = ahead.next(announce.words)
    const hash = i === NIL ? this.hash(announce.words) : ahead.hashes[i]!
    terms.lot = i === NIL ? terms.dice.draw() : ahead.lots[i]!
    terms.torrent = i === NIL ? NIL : ahead.torrents[i]!
    terms.slot = i === NIL ? NIL : ahead.slots[i]!
    return this.shardOf(hash).announce(announce, hash, terms, answer)
  }

  /**
   * `words` is the info hash, five words in memory order. true: a count that is stored of it was asked for and
   * may come in a moment; a caller that can wait asks again.
   */
  scrape(words: Int32Array, cutoffs: Cutoffs, entry: ScrapeEntry): boolean {
    const hash = this.hash(words)
    const isAwaited = this.shardOf(hash).scrape(words, hash, cutoffs, entry)
    if (isAwaited) this.asked.ring()
    return isAwaited
  }

  /** Seeded hash of the info hash at `words[at…]`. */
  hash(words: Int32Array, at = 0): number {
    return hashInfoHash(this.#secrets, words, at)
  }

  /** `hash`: seeded, of the info hash. */
  shardOf(hash: number): Shard {
    return this.shards[shardOf(hash)]!
  }

  /** Salvages and frees the shards that a dead thread held. How many there were. */
  salvage(dead: number): number {
    let salvaged = 0
    for (const shard of this.shards) {
      if (!shard.lock.seize(dead)) continue
      try {
        shard.salvage()
      } finally {
        shard.lock.release()
      }
      salvaged++
    }
    this.audit()
    return salvaged
  }

  /**
   * Removes the peers whose seats thread `dead` held, as if each had stopped; after its locks were salvaged, and
   * before another thread of that number gives out seats. In slices: each step holds one lock for less than a
   * millisecond, and yields false when the lock was busy.
   */
  *forgetThread(dead: number): Generator<boolean, void, void> {
    for (const shard of this.shards) yield* forgetSeats(shard, dead)
  }

  /**
   * Makes the budget's sum what the shards hold: a thread that died while it paid may have left it too high.
   * false = a lock was busy, and nothing was done.
   */
  audit(): boolean {
    const locked: Shard[] = []
    try {
      for (const shard of this.shards) {
        if (!shard.lock.tryAcquire()) return false
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
    const byFamily = this.#families.map(({ family }) => ({ family, seeders: 0, leechers: 0 }))
    for (const { torrents } of this.shards) {
      const { header } = torrents
      sum.torrents += header[HEADER.torrents]!
      sum.downloads += header[HEADER.downloads]! + header[HEADER.downloadsHigh]! * LIMB
      sum.completions += header[HEADER.completions]!
      sum.refusals += header[HEADER.refusals]!
      for (const [i, row] of this.#families.entries()) {
        byFamily[i]!.seeders += header[row.header + FAMILY_HEADER.seeders]!
        byFamily[i]!.leechers += header[row.header + FAMILY_HEADER.leechers]!
      }
    }
    for (const { seeders, leechers } of byFamily) {
      sum.seeders += seeders
      sum.leechers += leechers
    }
    return { ...sum, byFamily }
  }

  /** Whether completions are kept in a database. */
  get persistent(): boolean {
    return this.shards[0]!.torrents.ledger.on
  }

  /** Completions that the database does not have yet. Read without locks, like the totals. */
  owed(): number {
    return this.shards.reduce((sum, { torrents }) => sum + torrents.header[HEADER.owed]!, 0)
  }

  /**
   * Adds `kib` to the memory in use, for something beside the swarm that shares its limit; false: that would be more than
   * allowed, and nothing was added. Negative: always. Only the control thread calls it.
   */
  charge(kib: number): boolean {
    return this.#budget.chargeOther(kib)
  }

  /** Bytes in use and allowed. What is free is in use until a sweep has given it back. */
  memory(): { used: number; limit: number } {
    return { used: this.#budget.used * 1024, limit: this.#budget.limit * 1024 }
  }
}
