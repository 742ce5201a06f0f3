/**
 * One shard: a lock, torrents, and their peers by family. Everything public takes the lock for one announce,
 * one scrape entry or one slice of a sweep, and leaves the shard whole even when it throws. Times are Unix
 * seconds.
 */
import { type Answer, EVENT, type PeerList, type ScrapeEntry } from '../bittorrent.ts'
import { type CounterRow, THREAD_AT } from '../memory/counters.ts'
import { hashInfoHash, infoHashSecrets } from '../memory/hash.ts'
import { Lock } from '../memory/lock.ts'
import type { Release, Settle } from '../memory/reserve.ts'
import { Account, type Budget } from './budget.ts'
import { readHead } from './head.ts'
import {
  Carver,
  carvePeers,
  carveTorrents,
  DETAIL,
  EPOCH,
  FAMILY_HEADER,
  type FamilyRow,
  HEADER,
  MOST,
  NIL,
  PART,
  type ShardMemory,
  SIZE_MASK,
  SKEW,
  seedIn,
  TORRENT,
} from './layout.ts'
import { type Cutoffs, isSeeder, type PeerAnnounce, Peers } from './peers.ts'
import { readRecords, writeRecord } from './records.ts'
import { select, type Terms } from './selection.ts'
import { AWAITED } from './stored.ts'
import { type Retention, type SweepCursor, sweep } from './sweep.ts'
import { Torrents } from './torrents.ts'

/** How an announce ended: done; answered but not remembered; refused. The latter two: memory is spent. */
export const OUTCOME = { done: 0, unremembered: 1, refused: 2 } as const
export type Outcome = (typeof OUTCOME)[keyof typeof OUTCOME]

type ShardOptions = {
  readonly thread: number
  readonly budget: Budget
  readonly counts: CounterRow
  readonly alone?: boolean | undefined
  readonly release?: Release | undefined
  readonly settle?: Settle | undefined
}

type Settled = {
  readonly array: Int32Array | Uint16Array
  readonly count: number
  readonly stride: number
  used: number
}

export class Shard {
  readonly lock: Lock
  readonly account: Account
  readonly torrents: Torrents
  /** The row of this thread in `ThreadCounters`. */
  readonly counts: CounterRow
  /** In the order of the rows. */
  readonly families: readonly Peers[]
  /** The same by number of the family. */
  readonly #byNumber: (Peers | undefined)[]
  /** Where the parts in the torrent record begin, and the flags of torrents that have others. */
  readonly #parts: Int32Array
  readonly #others: number
  readonly #header: Int32Array
  readonly #records: Int32Array
  readonly #settle: Settle
  /**
   * The arrays that are read at random and that are full up to a word of the header times the stride; and how many
   * elements that was when it was last looked at.
   */
  readonly #settled: Settled[]

  /**
   * Attaches to the memory of shard `number`, which the first to do so makes an empty shard. Throws an Error that
   * says why when its head is not this.
   */
  constructor(
    memory: ShardMemory,
    families: readonly FamilyRow[],
    number: number,
    { thread, budget, counts, alone, release = () => {}, settle = () => {} }: ShardOptions,
  ) {
    const capacity = readHead(memory, families, number)
    const arrays = carveTorrents(new Carver(memory.torrents), capacity, families)
    const { header, records, parts, buckets } = arrays
    this.lock = new Lock(memory.torrents, HEADER.lock, thread, alone)
    const account = new Account(header, budget)
    this.account = account
    this.torrents = new Torrents(arrays, families, account, release)
    this.counts = counts
    this.families = families.map(
      (row, i) =>
        new Peers({
          row,
          header,
          records,
          parts: parts[i]!,
          arrays: carvePeers(new Carver(memory.peers[i]), row, capacity.slots[i]!),
          account,
          release,
          counts,
        }),
    )
    const most = Math.max(...families.map(({ family }) => family))
    this.#byNumber = Array.from({ length: most + 1 }, (_, number) =>
      this.families.find(({ row }) => row.family === number),
    )
    this.#parts = Int32Array.from(families.flatMap(({ part }) => part ?? []))
    this.#others = families
      .filter(({ part }) => part === undefined)
      .reduce((flags, row) => flags | (SIZE_MASK << row.bits), 0)
    this.#header = header
    this.#records = records
    this.#settle = settle
    this.#settled = [
      { array: buckets, count: HEADER.torrentBuckets, stride: 1 },
      { array: records, count: HEADER.torrentHigh, stride: TORRENT.words },
      ...this.families.flatMap(({ row, arrays }) => {
        const count = row.header + FAMILY_HEADER.slotHigh
        return [
          { array: arrays.buckets, count: row.header + FAMILY_HEADER.indexBuckets, stride: 1 },
          { array: arrays.hot, count, stride: arrays.stride },
          { array: arrays.details, count, stride: DETAIL.words },
        ]
      }),
    ].map((array) => ({ ...array, used: 0 }))
    // Never again: a reset goes from many buckets to one.
    if (header[HEADER.torrentBuckets] === 0) this.reset()
  }

  /** An empty shard. No other thread may use it yet, or the caller holds the lock. */
  reset(): void {
    this.torrents.reset()
    for (const peers of this.families) peers.reset()
    this.account.reset()
  }

  /** `hash` is the seeded hash of the info hash. */
  announce(announce: PeerAnnounce, hash: number, terms: Terms, answer: Answer): Outcome {
    // Before the lock: a mistake of the caller must not salvage a shard that is whole.
    const own = this.#byNumber[announce.family]
    if (own === undefined) throw new RangeError(`no family ${announce.family} in this swarm`)
    this.lock.acquire()
    try {
      return this.#announce(announce, hash, terms, answer, own)
    } catch (error) {
      this.salvage()
      throw error
    } finally {
      this.lock.release()
    }
  }

  /** Whether a count that is stored of the torrent was asked for and may come: ask again then. */
  scrape(words: Int32Array, hash: number, cutoffs: Cutoffs, entry: ScrapeEntry): boolean {
    this.lock.acquire()
    try {
      const torrent = this.torrents.find(words, hash)
      if (torrent !== NIL) {
        this.#header[HEADER.busy] = torrent
        this.#expire(torrent, cutoffs.addresses - EPOCH, cutoffs.seats - EPOCH, MOST - SKEW)
        this.#header[HEADER.busy] = NIL
      }
      this.#count(torrent, entry)
      const stored = this.torrents.storedCount(torrent, words, hash)
      if (stored > 0) entry.downloaded = stored
      return stored === AWAITED
    } catch (error) {
      this.salvage()
      throw error
    } finally {
      this.lock.release()
    }
  }

  /**
   * Looks at about `units` peers or torrents from where `cursor` stands: removes those that expired, moves the
   * rest together, and moves the cursor on; at last gives back the memory that nothing is kept in. A peer seen
   * well after `now` counts as seen now. true = the shard is through; undefined = its lock is busy, and nothing was
   * done.
   */
  sweep(
    cursor: SweepCursor,
    cutoffs: Cutoffs,
    retention: Retention,
    units: number,
    now: number = MOST,
  ): boolean | undefined {
    const done = this.tryHold(() => sweep(this, cursor, cutoffs, now - EPOCH, retention, units))
    if (done) this.#settleAll()
    return done
  }

  /**
   * What `work` returns, run with the lock; undefined = the lock is busy, and it was not run. Announces and scrapes do
   * the same without a closure.
   */
  tryHold<T>(work: () => T): T | undefined {
    return this.tryRead(() => {
      try {
        return work()
      } catch (error) {
        this.salvage()
        throw error
      }
    })
  }

  /** The same for work that only reads: an error of its own leaves the shard as it is. */
  tryRead<T>(work: () => T): T | undefined {
    if (!this.lock.tryAcquire()) return undefined
    try {
      return work()
    } finally {
      this.lock.release()
    }
  }

  /**
   * Makes the shard whole after a thread threw or died in the middle of changing it: copies out what can be read,
   * empties the shard and puts it back. The caller holds the lock.
   */
  salvage(): void {
    const { header } = this.torrents
    try {
      const records = [...readRecords(this)]
      const secrets = infoHashSecrets(seedIn(header))
      this.reset()
      // Threads that look without the lock must not take the torrents that are missing now for gone.
      header[HEADER.salvages]! |= 1
      for (const record of records)
        writeRecord(this, hashInfoHash(secrets, record.infoHash, 0), record)
      header[HEADER.salvages]!++
    } catch (error) {
      // Empty is whole, too: its peers announce again within minutes.
      this.reset()
      throw error
    } finally {
      this.account.settle()
    }
  }

  #announce(
    announce: PeerAnnounce,
    hash: number,
    terms: Terms,
    answer: Answer,
    own: Peers,
  ): Outcome {
    const { lists } = answer
    for (let i = 0; i < lists.length; i++) lists[i]!.count = 0
    const { now } = terms
    let { torrent } = terms
    if (!this.torrents.isAt(torrent, announce.words))
      torrent = this.torrents.find(announce.words, hash)
    if (torrent === NIL) {
      if (announce.event === EVENT.stopped) return this.#count(NIL, answer)
      torrent = this.torrents.create(announce.words, hash)
      if (torrent === NIL) {
        this.#tally(HEADER.refusals)
        this.#count(NIL, answer)
        return OUTCOME.refused
      }
      // Here, and peers below, because a salvage that puts them back adds nothing.
      this.counts[THREAD_AT.torrentsAdded]!++
    }
    this.#header[HEADER.busy] = torrent
    this.#expire(torrent, terms.cutoff, terms.seatCutoff, now)
    let slot = own.find(torrent, announce.endpointHalves, terms.slot)
    let outcome: Outcome = OUTCOME.done
    if (announce.event === EVENT.stopped) {
      if (slot !== NIL) own.remove(torrent, slot)
    } else {
      if (slot === NIL) {
        slot = own.insert(torrent, announce, now)
        if (slot !== NIL) this.counts[THREAD_AT.leechersAdded + Number(isSeeder(announce))]!++
      } else {
        slot = own.update(torrent, slot, announce, now)
        if (announce.event === EVENT.completed && own.complete(slot)) this.#completed(torrent)
      }
      if (slot === NIL) {
        outcome = OUTCOME.unremembered
        this.#tally(HEADER.refusals)
      } else own.lowerOldest(torrent, now)
      this.#select(announce, terms, lists, torrent, own, slot)
    }
    this.#count(torrent, answer)
    this.#header[HEADER.busy] = NIL
    return outcome
  }

  /** Fills the lists in their order while more peers are wanted. `slot`: the asker's in `own`; NIL = none. */
  #select(
    announce: PeerAnnounce,
    terms: Terms,
    lists: readonly PeerList[],
    torrent: number,
    own: Peers,
    slot: number,
  ): void {
    const { want } = announce
    terms.want = want < 0 ? terms.most : Math.min(want, terms.most)
    terms.isSeeder = isSeeder(announce)
    for (let i = 0; i < lists.length && terms.want > 0; i++) {
      const list = lists[i]!
      const peers = this.#byNumber[list.family]
      if (peers === undefined) continue
      select(terms, list, peers, torrent, peers === own ? slot : NIL)
      terms.want -= list.count
    }
  }

  #count(torrent: number, answer: ScrapeEntry): Outcome {
    answer.seeders = answer.leechers = answer.downloaded = 0
    if (torrent === NIL) return OUTCOME.done
    // Read from the record itself: asking each of the families costs 2 % of an announce.
    const records = this.#records
    const parts = this.#parts
    const at = torrent * TORRENT.words
    let all = 0
    let leechers = 0
    for (let i = 0; i < parts.length; i++) {
      all += records[at + parts[i]! + PART.count]!
      leechers += records[at + parts[i]! + PART.leechers]!
    }
    if (this.#hasOthers(torrent))
      for (let i = parts.length; i < this.families.length; i++) {
        const peers = this.families[i]!
        all += peers.count(torrent)
        leechers += peers.leechers(torrent)
      }
    answer.leechers = leechers
    answer.seeders = all - leechers
    answer.downloaded = this.torrents.downloaded(torrent)
    return OUTCOME.done
  }

  /** Whether families beside the record have peers here: otherwise nothing is read of them. */
  #hasOthers(torrent: number): boolean {
    return (this.#records[torrent * TORRENT.words + TORRENT.flags]! & this.#others) !== 0
  }

  #completed(torrent: number): void {
    this.torrents.ledger.owe(torrent)
    this.torrents.addDownloads(torrent, 1)
    this.#tally(HEADER.completions)
  }

  /** Words are signed: stops counting rather than turn negative. */
  #tally(word: number): void {
    if (this.#header[word] !== MOST) this.#header[word]!++
  }

  /** Tells the system where memory is full, so that huge pages make nothing resident that was not before. */
  #settleAll(): void {
    for (const settled of this.#settled) {
      const used = this.#header[settled.count]! * settled.stride
      if (used === settled.used) continue
      settled.used = used
      this.#settle(settled.array, used)
    }
  }

  /** Forgets the expired peers of a small swarm at once; a large one waits for the sweep. */
  #expire(torrent: number, cutoff: number, seatCutoff: number, now: number): void {
    const at = torrent * TORRENT.words + TORRENT.oldest
    const before = this.#records[at]!
    if (isDue(before, cutoff, now)) {
      let oldest: number = MOST
      for (let i = 0; i < this.#parts.length; i++) {
        const seen = this.families[i]!.expireSmall(torrent, before, cutoff, now)
        if (seen < oldest) oldest = seen
      }
      this.#records[at] = oldest
    }
    if (this.#hasOthers(torrent)) this.#expireOthers(torrent, seatCutoff, now)
  }

  #expireOthers(torrent: number, cutoff: number, now: number): void {
    for (let i = this.#parts.length; i < this.families.length; i++) {
      const peers = this.families[i]!
      if (peers.count(torrent) === 0) continue
      const before = peers.oldest(torrent)
      if (isDue(before, cutoff, now))
        peers.setOldest(torrent, peers.expireSmall(torrent, before, cutoff, now))
    }
  }
}

/** Whether peers of which the oldest was seen then may have expired, or were seen by a clock that was ahead. */
const isDue = (oldest: number, cutoff: number, now: number): boolean =>
  oldest <= cutoff || (oldest > now + SKEW && oldest !== MOST)
