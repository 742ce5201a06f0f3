/**
 * One shard: a lock, torrents, and their peers of both families. Everything public takes the lock for
 * one announce, one scrape entry or one slice of a sweep, and leaves the shard whole even when it
 * throws. Times are Unix seconds; a peer last seen at `cutoff` or before counts as gone.
 */
import { type Announce, type Answer, COUNT, EVENT, type ScrapeEntry } from '../bittorrent.ts'
import { Lock } from '../memory/lock.ts'
import type { Release } from '../memory/reserve.ts'
import { Account, type Budget } from './budget.ts'
import type { Dice } from './dice.ts'
import {
  type Capacity,
  Carver,
  carvePeers,
  carveTorrents,
  EPOCH,
  HEADER,
  LARGE,
  MOST,
  NIL,
  type ShardMemory,
  SKEW,
  TORRENT,
} from './layout.ts'
import { Peers } from './peers.ts'
import { salvage } from './records.ts'
import { select } from './selection.ts'
import { AWAITED } from './stored.ts'
import { sweep } from './sweep.ts'
import { Torrents } from './torrents.ts'

/** How an announce ended: done; answered but not remembered; refused. The latter two: memory is spent. */
export const OUTCOME = { done: 0, unremembered: 1, refused: 2 } as const
export type Outcome = (typeof OUTCOME)[keyof typeof OUTCOME]

/** Where a sweep of a shard stands. A new one starts at the first torrent. */
export class SweepCursor {
  torrent = 0
  family: 4 | 6 = 4
  /** End of the positions still to look at; MOST = the family was not begun. */
  position: number = MOST
}

/** Whether a sweep removes torrents that have no peers and owe the database nothing. */
export type Retention = { readonly removePeerless: boolean }

export class Shard {
  readonly lock: Lock
  readonly account: Account
  readonly torrents: Torrents
  readonly peers4: Peers
  readonly peers6: Peers
  readonly #header: Int32Array
  readonly #records: Int32Array

  constructor(
    memory: ShardMemory,
    capacity: Capacity,
    thread: number,
    budget: Budget,
    alone = false,
    release: Release = () => {},
  ) {
    const arrays = carveTorrents(new Carver(memory.torrents), capacity)
    const { header, records } = arrays
    this.lock = new Lock(memory.torrents, HEADER.lock, thread, alone)
    const account = new Account(header, budget)
    this.account = account
    this.torrents = new Torrents(arrays, account, release)
    const peers = (family: 4 | 6, buffer: SharedArrayBuffer, slots: number) =>
      new Peers({
        family,
        header,
        records,
        arrays: carvePeers(new Carver(buffer), family, slots),
        account,
        release,
      })
    this.peers4 = peers(4, memory.peers4, capacity.slots4)
    this.peers6 = peers(6, memory.peers6, capacity.slots6)
    this.#header = header
    this.#records = records
  }

  /** An empty shard. Nobody else may use it yet, or the caller holds the lock. */
  reset(): void {
    this.torrents.reset()
    this.peers4.reset()
    this.peers6.reset()
    this.account.reset()
  }

  /** `key` is the seeded hash of the info hash; at most `max` peers are told. */
  announce(
    announce: Announce,
    key: number,
    now: number,
    cutoff: number,
    max: number,
    dice: Dice,
    answer: Answer,
  ): Outcome {
    this.lock.acquire()
    try {
      return this.#announce(announce, key, now - EPOCH, cutoff - EPOCH, max, dice, answer)
    } catch (error) {
      salvage(this)
      throw error
    } finally {
      this.lock.release()
    }
  }

  /** Whether a count that is stored of the torrent was asked for, and may come: ask again then. */
  scrape(words: Int32Array, key: number, cutoff: number, entry: ScrapeEntry): boolean {
    this.lock.acquire()
    try {
      const torrent = this.torrents.find(words, key)
      if (torrent !== NIL) {
        this.#header[HEADER.busy] = torrent
        this.#expire(torrent, cutoff - EPOCH, MOST - SKEW)
        this.#header[HEADER.busy] = NIL
      }
      this.#count(torrent, entry)
      const stored = this.torrents.storedCount(torrent, words, key)
      if (stored > 0) entry.downloaded = stored
      return stored === AWAITED
    } catch (error) {
      salvage(this)
      throw error
    } finally {
      this.lock.release()
    }
  }

  /**
   * Looks at about `units` peers or torrents from where `cursor` stands, forgets the expired, moves the rest
   * together, and the cursor on; at last gives back the memory that nothing is kept in. A peer seen
   * well after `now` counts as seen now. true = the shard is through; undefined = its lock was not to
   * be had for `patience` milliseconds and nothing was done.
   */
  sweep(
    cursor: SweepCursor,
    cutoff: number,
    retention: Retention,
    units: number,
    patience: number,
    now: number = MOST,
  ): boolean | undefined {
    if (!this.lock.tryAcquire(patience)) return undefined
    try {
      return sweep(this, cursor, cutoff - EPOCH, now - EPOCH, retention, units)
    } catch (error) {
      salvage(this)
      throw error
    } finally {
      this.lock.release()
    }
  }

  #announce(
    announce: Announce,
    key: number,
    now: number,
    cutoff: number,
    max: number,
    dice: Dice,
    answer: Answer,
  ): Outcome {
    answer.peers4.count = 0
    answer.peers6.count = 0
    const own = announce.family === 4 ? this.peers4 : this.peers6
    let torrent = this.torrents.find(announce.words, key)
    if (torrent === NIL) {
      if (announce.event === EVENT.stopped) return this.#count(NIL, answer)
      torrent = this.torrents.create(announce.words, key)
      if (torrent === NIL) {
        this.#tally(HEADER.refusals)
        this.#count(NIL, answer)
        return OUTCOME.refused
      }
      this.peers4.begin(torrent)
      this.peers6.begin(torrent)
    }
    this.#header[HEADER.busy] = torrent
    this.#expire(torrent, cutoff, now)
    let slot = own.find(torrent, announce.endpointHalves)
    let outcome: Outcome = OUTCOME.done
    if (announce.event === EVENT.stopped) {
      if (slot !== NIL) own.remove(torrent, slot)
    } else {
      if (slot === NIL) slot = own.insert(torrent, announce, now)
      else {
        slot = own.update(torrent, slot, announce, now)
        if (announce.event === EVENT.completed && own.complete(slot)) this.#completed(torrent)
      }
      if (slot === NIL) {
        outcome = OUTCOME.unremembered
        this.#tally(HEADER.refusals)
      } else {
        const oldest = torrent * TORRENT.words + TORRENT.oldest
        if (now < this.#records[oldest]!) this.#records[oldest] = now
      }
      const want = announce.want < 0 ? max : Math.min(announce.want, max)
      this.#select(announce, torrent, slot, want, cutoff, dice, answer)
    }
    this.#count(torrent, answer)
    this.#header[HEADER.busy] = NIL
    return outcome
  }

  #select(
    announce: Announce,
    torrent: number,
    slot: number,
    want: number,
    cutoff: number,
    dice: Dice,
    answer: Answer,
  ): void {
    if (want === 0) return
    const seeder = announce.counts[COUNT.left] === 0 && announce.counts[COUNT.left + 1] === 0
    const self4 = announce.family === 4 ? slot : NIL
    const self6 = announce.family === 6 ? slot : NIL
    const { peers4, peers6, family, bothFamilies } = answer
    if (family === 4) select(this.peers4, torrent, want, seeder, self4, cutoff, dice, peers4)
    if (family === 6 || bothFamilies) {
      const rest = want - peers4.count
      if (rest > 0) select(this.peers6, torrent, rest, seeder, self6, cutoff, dice, peers6)
    }
    if (family === 6 && bothFamilies) {
      const rest = want - peers6.count
      if (rest > 0) select(this.peers4, torrent, rest, seeder, self4, cutoff, dice, peers4)
    }
  }

  #count(torrent: number, answer: ScrapeEntry): Outcome {
    answer.seeders = answer.leechers = answer.downloaded = 0
    if (torrent === NIL) return OUTCOME.done
    const all = this.peers4.count(torrent) + this.peers6.count(torrent)
    answer.leechers = this.peers4.leechers(torrent) + this.peers6.leechers(torrent)
    answer.seeders = all - answer.leechers
    answer.downloaded = this.torrents.downloaded(torrent)
    return OUTCOME.done
  }

  #completed(torrent: number): void {
    this.torrents.ledger.owe(torrent)
    this.torrents.addDownloads(torrent, 1)
    this.#tally(HEADER.completions)
  }

  /** Words are signed: rather stand still than turn negative. */
  #tally(word: number): void {
    if (this.#header[word] !== MOST) this.#header[word]!++
  }

  /** Forgets the expired peers of a small swarm at once; a large one waits for the sweep. */
  #expire(torrent: number, cutoff: number, now: number): void {
    const at = torrent * TORRENT.words
    const before = this.#records[at + TORRENT.oldest]!
    if (before > cutoff && (before <= now + SKEW || before === MOST)) return
    const flags = this.#records[at + TORRENT.flags]!
    const large4 = (flags & LARGE[4]) !== 0
    const large6 = (flags & LARGE[6]) !== 0
    const oldest4 = large4
      ? Math.min(before, now)
      : this.peers4.expire(torrent, 0, this.peers4.count(torrent), cutoff, now)
    const oldest6 = large6
      ? Math.min(before, now)
      : this.peers6.expire(torrent, 0, this.peers6.count(torrent), cutoff, now)
    this.#records[at + TORRENT.oldest] = Math.min(oldest4, oldest6)
  }
}
