/**
 * All behaviour of the tracker: who is served, what an announce and a scrape do, and when peers are
 * forgotten. Every transport makes the same one call for a request; no rule lives in a protocol.
 */
import type { Access } from './access/access.ts'
import type { Bans } from './access/bans.ts'
import type { Visitor } from './access/gate.ts'
import { Gate } from './access/gate.ts'
import type { Limits } from './accounting/limits.ts'
import {
  type Address,
  type Announce,
  Answer,
  EVENT,
  type Expected,
  type Family,
  isLoopback,
  type ScrapeEntry,
  type SeatAnnounce,
} from './bittorrent.ts'
import type { Outcome, Refusal } from './refusal.ts'
import type { Rules } from './rules.ts'
import { Cutoffs } from './swarm/peers.ts'
import { OUTCOME as SWARM } from './swarm/shard.ts'
import type { Swarm } from './swarm/swarm.ts'
import { Census, SweepCursor } from './swarm/sweep.ts'
import { Waiting } from './swarm/waiting.ts'
import type { Clock } from './time/clock.ts'

/** What one listener changes about its announces. */
export type ListenerRules = {
  /** Address of this machine as others see it: replaces the loopback address of peers that announce from here. */
  readonly externalIp: { readonly family: Family; readonly bytes: Uint8Array } | undefined
}

/** One scrape as a transport states it, and where its entries go. */
export interface Scrape {
  /** Info hashes asked for. */
  readonly count: number
  /** Info hash number `i`: five words in memory order, which the next call may overwrite. */
  hash(i: number): Int32Array
  /** Takes the entry of info hash number `i`: called once for each, in order. `entry` is overwritten afterwards. */
  entry(i: number, entry: ScrapeEntry): void
}

/**
 * Hears of each announce that is served, on the thread that serves it and before the answer is written; `now` is in
 * seconds. The endpoint is the one that the swarm has (after `externalIp`); with `answer.limit` the peer is not in the
 * swarm. All arguments are memory that the next request overwrites. Must not throw, wait or allocate: a client is
 * waiting, and others behind it. Accounting notes here what it counts later (accounting/ring.ts).
 */
export type AfterAnnounce = (
  visitor: Visitor,
  announce: Announce | SeatAnnounce,
  answer: Answer,
  now: number,
) => void

/**
 * Hears of each peer whose connection is closed, under the same conditions. `account`: of its last announce; `answer`: the
 * counts without it.
 */
export type AfterLeave = (account: number, peer: SeatAnnounce, answer: Answer, now: number) => void

export type TrackerParts = {
  readonly swarm: Swarm
  readonly rules: Rules
  readonly clock: Clock
  readonly bans: Bans
  /** Keys and whitelist; undefined: an open tracker. */
  readonly access?: Access | undefined
  /** Of accounts; undefined: there are none. */
  readonly limits?: Limits | undefined
  readonly afterAnnounce?: AfterAnnounce | undefined
  readonly afterLeave?: AfterLeave | undefined
}

/** A swarm up to about this size stays in the processor's near caches: reading ahead would only cost. */
const CACHED_BYTES = 4 * 2 ** 20
/** Peers or torrents that a sweep looks at while it holds one lock: well under a millisecond. */
const SWEEP_UNITS = 250
/** The first slices are smaller: until the engine has compiled it, the code is many times slower. */
const FIRST_SWEEP_UNITS = 4

export class Tracker {
  readonly rules: Rules
  readonly #swarm: Swarm
  readonly #clock: Clock
  readonly #gate: Gate
  readonly #limits: Limits | undefined
  readonly #afterAnnounce: AfterAnnounce | undefined
  readonly #afterLeave: AfterLeave | undefined
  readonly #waiting: Waiting
  readonly #cutoffs = new Cutoffs()
  readonly #unlisted = new Answer([])
  readonly #entry: ScrapeEntry = { seeders: 0, downloaded: 0, leechers: 0 }
  #sweepUnits = FIRST_SWEEP_UNITS

  constructor({ swarm, rules, clock, bans, access, limits, ...after }: TrackerParts) {
    this.rules = rules
    this.#swarm = swarm
    this.#clock = clock
    this.#gate = new Gate(rules, clock, bans, access)
    this.#limits = limits
    this.#afterAnnounce = after.afterAnnounce
    this.#afterLeave = after.afterLeave
    this.#waiting = new Waiting((words) => this.#read(words, true))
  }

  /** From the next request on; undefined: an open tracker. */
  set access(access: Access | undefined) {
    this.#gate.access = access
  }

  /** Only those who show an auth key are served: otherwise transports need not look for one. */
  get isPrivate(): boolean {
    return this.#gate.isPrivate
  }

  /**
   * Asks the gate, registers the announcing peer and fills `answer`. `announce.endpoint` is the peer's address
   * as the transport established it, unless `visitor.fault` says why it could not; `now` is in seconds. Any
   * outcome but `served` leaves the swarm as it was. Where the account of the visitor is over a limit (`answer.limit`), the
   * announce is served with counts and without peers, and the peer is not in the swarm.
   */
  announce(
    visitor: Visitor,
    announce: Announce,
    listener: ListenerRules,
    answer: Answer,
    now = this.#clock.seconds(),
  ): Outcome {
    const fault = this.#gate.announce(visitor, announce.words)
    if (fault !== undefined) return fault
    if (listener.externalIp !== undefined && isLoopback(announce.endpoint, announce.family))
      substitute(announce, listener.externalIp)
    const most = Math.min(this.rules.maxPeers, answer.room)
    return this.#register(visitor, announce, most, answer, now)
  }

  /**
   * The same for a WebTorrent peer, whose transport says how many peers are wanted at most. Only a swarm that was made
   * with their family has them.
   */
  announceSeat(
    visitor: Visitor,
    announce: SeatAnnounce,
    answer: Answer,
    now = this.#clock.seconds(),
  ): Outcome {
    const fault = this.#gate.announce(visitor, announce.words)
    return fault ?? this.#register(visitor, announce, answer.room, answer, now)
  }

  /**
   * Why an answer to an offer may not be relayed for the visitor, in the torrent whose info hash is in `words` (five);
   * undefined: it may. It changes nothing in the swarm.
   */
  mayRelay(visitor: Visitor, words: Int32Array): Refusal | undefined {
    return this.#gate.announce(visitor, words)
  }

  /**
   * Removes the peer of a seat whose socket is closed, whatever the gate would say now; the counters of `announce`
   * do not matter, and its event is overwritten. `account`: of the visitor when it announced. `AfterAnnounce` does not hear
   * of it: there was no announce.
   */
  leave(account: number, announce: SeatAnnounce): void {
    announce.event = EVENT.stopped
    const now = this.#clock.seconds()
    this.#swarm.announce(announce, now, this.#cut(now), 0, this.#unlisted)
    this.#afterLeave?.(account, announce, this.#unlisted, now)
  }

  /**
   * Asks the gate and gives `scrape` an entry for each info hash; zeroes for what is not known, not listed, or
   * asked for without a good auth key. `awaited`: served, but stored counts may come in a moment; a transport
   * that can wait for them calls `whenKnown`.
   */
  scrape(visitor: Visitor, scrape: Scrape, now = this.#clock.seconds()): Outcome | 'awaited' {
    const fault = this.#gate.scrape(visitor)
    if (fault !== undefined) return fault
    return this.#fill(scrape, this.#gate.knows(visitor), now) ? 'awaited' : 'served'
  }

  /**
   * Waits for the stored counts of a scrape that was `awaited`. Calls `answer`, which must not throw, once those
   * of all info hashes in `words` (five each, kept until then) are known, and at the latest after
   * `LIMITS.scrapeWaitMilliseconds`; never before it returns. `answer` gets a function that fills a scrape
   * of the same info hashes, and that must not be kept. Returns a function that ends the waiting at once;
   * undefined: too many scrapes wait already, and `answer` is never called.
   */
  whenKnown(
    words: Int32Array,
    answer: (fill: (scrape: Scrape) => void) => void,
  ): (() => void) | undefined {
    let isWaiting = true
    const done = () => {
      if (!isWaiting) return
      isWaiting = false
      // `awaited` is only said to visitors who may know the counts.
      answer((scrape) => this.#fill(scrape, true, this.#clock.seconds()))
    }
    return this.#waiting.add(words, done) ? done : undefined
  }

  /** Whether a datagram from `sender` is dropped without an answer; see `Gate.drops`. */
  drops(sender: Address, what: 'unread' | 'junk'): boolean {
    return this.#gate.drops(sender, what)
  }

  /** Whether it pays to announce what comes with `expect`: not while the swarm fits the caches. */
  get wantsNotice(): boolean {
    return this.#swarm.memory().used > CACHED_BYTES
  }

  /**
   * Makes the announces that follow at once, in this order, faster. At most `LIMITS.udpBatch`; whatever else is
   * announced, or not announced after all, does no harm.
   */
  expect(expected: Expected): void {
    this.#gate.expect(expected)
    this.#swarm.expect(expected)
  }

  /**
   * Forgets expired peers and idle torrents, and gives back the memory they had, in slices: each step of
   * the generator holds one lock for less than a millisecond, and yields false when another thread held the
   * lock. `census` learns what there is.
   */
  *sweep(census = new Census()): Generator<boolean, void, void> {
    this.#swarm.audit()
    for (const shard of this.#swarm.shards) {
      const cursor = new SweepCursor(census)
      for (let done: boolean | undefined = false; done !== true; ) {
        const now = this.#clock.seconds()
        done = shard.sweep(cursor, this.#cut(now), this.rules, this.#sweepUnits, now)
        if (this.#sweepUnits < SWEEP_UNITS) this.#sweepUnits++
        yield done !== undefined
      }
    }
  }

  /** Which peers count as gone at second `now`. */
  cutoffs(now = this.#clock.seconds()): Cutoffs {
    const { addresses, seats } = this.#cut(now)
    return new Cutoffs(addresses, seats)
  }

  /** The same in memory that the next request overwrites. */
  #cut(now: number): Cutoffs {
    const { rules } = this
    const cutoffs = this.#cutoffs
    cutoffs.addresses = Math.max(0, now - rules.peerTimeoutSeconds)
    cutoffs.seats = Math.max(0, now - rules.webPeerTimeoutSeconds)
    return cutoffs
  }

  /**
   * Registers a peer that the gate has let in; `most`: peers that are listed. One that is over a limit of its account is
   * answered all the same: a client that is told of a failure would not report its counters any more.
   */
  #register(
    visitor: Visitor,
    announce: Announce | SeatAnnounce,
    most: number,
    answer: Answer,
    now: number,
  ): Outcome {
    answer.limit = this.#limits?.of(visitor.account, announce)
    if (answer.limit !== undefined) this.#keepOut(announce, answer, now)
    else if (this.#swarm.announce(announce, now, this.#cut(now), most, answer) === SWARM.refused)
      return 'full'
    this.#afterAnnounce?.(visitor, announce, answer, now)
    return 'served'
  }

  /** Takes a peer that is over a limit out of the swarm, if it is there, and gives its announce the counts. */
  #keepOut(announce: Announce | SeatAnnounce, answer: Answer, now: number): void {
    const { event } = announce
    announce.event = EVENT.stopped
    this.#swarm.announce(announce, now, this.#cut(now), 0, answer)
    announce.event = event
  }

  /** Gives `scrape` all its entries, zeroes unless `may`. Whether stored counts may still come. */
  #fill(scrape: Scrape, may: boolean, now: number): boolean {
    let isAwaited = false
    for (let i = 0; i < scrape.count; i++) {
      if (this.#read(scrape.hash(i), may, now)) isAwaited = true
      scrape.entry(i, this.#entry)
    }
    return isAwaited
  }

  /** Reads the entry of one info hash. Whether its stored count may still come. */
  #read(words: Int32Array, may: boolean, now = this.#clock.seconds()): boolean {
    const entry = this.#entry
    if (may && this.#gate.isListed(words)) return this.#swarm.scrape(words, this.#cut(now), entry)
    entry.seeders = entry.downloaded = entry.leechers = 0
    return false
  }
}

function substitute(announce: Announce, external: { family: Family; bytes: Uint8Array }): void {
  const { port } = announce
  announce.family = external.family
  announce.endpoint.set(external.bytes)
  announce.port = port
}
