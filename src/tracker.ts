/**
 * The whole of the tracker's behaviour: who is served, what an announce and a scrape do, and when
 * peers are forgotten. Every transport calls the same methods; no rule lives in a protocol.
 */
import type { Access } from './access/access.ts'
import { UNKNOWN } from './access/keys.ts'
import {
  type Announce,
  type Answer,
  type Family,
  isLoopback,
  type Key,
  type ScrapeEntry,
} from './bittorrent.ts'
import { LIMITS } from './limits.ts'
import type { Refusal, RefusalSchema } from './refusal.ts'
import { Prefetch } from './swarm/prefetch.ts'
import { OUTCOME, type Retention, SweepCursor } from './swarm/shard.ts'
import type { Swarm } from './swarm/swarm.ts'
import { Waiting } from './swarm/waiting.ts'
import type { Clock } from './time/clock.ts'

export type Policy = {
  /** Seconds a client should wait, and must wait, between two announces. */
  readonly interval: number
  readonly intervalMin: number
  /** Most peers one answer tells. */
  readonly maxPeers: number
  /** Seconds after its last announce at which a peer is gone. */
  readonly peerTimeoutSeconds: number
  readonly retention: Retention
  /** In whose words clients are refused. */
  readonly schema: RefusalSchema
}

/** What one listener changes about its announces. */
export type ListenerRules = {
  /** Address that stands for this machine: peers that announce from loopback are told under it. */
  readonly externalIp: { readonly family: Family; readonly bytes: Uint8Array } | undefined
}

/**
 * A swarm up to about this size stays in the processor's near caches: reading ahead would only
 * cost.
 */
const CACHED_BYTES = 4 * 2 ** 20
/** Peers or torrents a sweep looks at while it holds one lock: well under a millisecond. */
const SWEEP_UNITS = 250
/** The first slices are smaller: until the engine has compiled it, the code is many times slower. */
const FIRST_SWEEP_UNITS = 4

export class Tracker {
  readonly policy: Policy
  readonly #swarm: Swarm
  readonly #clock: Clock
  readonly #access: Access | undefined
  readonly #prefetch: Prefetch
  readonly #waiting: Waiting
  #sweepUnits = FIRST_SWEEP_UNITS

  /** `access`: whom it serves what; undefined = everybody everything. */
  constructor(swarm: Swarm, policy: Policy, clock: Clock, access?: Access) {
    this.#swarm = swarm
    this.policy = policy
    this.#clock = clock
    this.#access = access
    this.#prefetch = new Prefetch(swarm, LIMITS.udpBatch)
    const entry = { seeders: 0, downloaded: 0, leechers: 0 }
    this.#waiting = new Waiting((words) => this.scrape(words, entry, true))
  }

  /** Only those who show a key are served: transports need not look for it otherwise. */
  get isPrivate(): boolean {
    return this.#access?.keys !== undefined
  }

  /**
   * Whether whoever shows `key` may announce the info hash in `words` (five, in memory order):
   * asked of every announce before it is made. The key comes first.
   */
  admit(words: Int32Array, key: Key | undefined): Refusal | undefined {
    if (this.#access === undefined) return undefined
    const fault = this.#keyFault(this.#access, key)
    if (fault !== undefined) return fault
    return this.#isListed(words) ? undefined : 'unlisted'
  }

  /** Whether whoever shows `key` may know what is known: asked once of every scrape. */
  mayScrape(key: Key | undefined): boolean {
    return this.#access === undefined || this.#keyFault(this.#access, key) === undefined
  }

  /**
   * Registers the announcing peer and fills `answer`. `announce.endpoint` is the peer's address
   * as the transport established it; `now` is in seconds. A refusal leaves the swarm as it was.
   */
  announce(
    announce: Announce,
    rules: ListenerRules,
    answer: Answer,
    now = this.#clock.seconds(),
  ): Refusal | undefined {
    if (rules.externalIp !== undefined && isLoopback(announce.endpoint, announce.family))
      substitute(announce, rules.externalIp)
    const cutoff = this.cutoff(now)
    const outcome = this.#swarm.announce(announce, now, cutoff, this.policy.maxPeers, answer)
    return outcome === OUTCOME.refused ? 'full' : undefined
  }

  /** Whether it pays to tell of announces before they come: not while the swarm fits the caches. */
  get wantsNotice(): boolean {
    return this.#swarm.memory().used > CACHED_BYTES
  }

  /**
   * Tells of `count` announces that follow at once, five words of info hash each: they will be
   * faster. At most `LIMITS.udpBatch`.
   */
  expect(words: Int32Array, count: number): void {
    this.#access?.whitelist?.expect(words, count)
    this.#prefetch.load(words, count)
  }

  /**
   * What is known of the info hash in `words` (five, in memory order); zeroes when nothing is,
   * when it is not listed, or when whoever asks may not know, as `mayScrape` said. true: what is stored
   * of it may come in a moment; who can wait for that asks `whenKnown`, and then again.
   */
  scrape(
    words: Int32Array,
    entry: ScrapeEntry,
    may: boolean,
    now = this.#clock.seconds(),
  ): boolean {
    if (may && this.#isListed(words)) return this.#swarm.scrape(words, this.cutoff(now), entry)
    entry.seeders = entry.downloaded = entry.leechers = 0
    return false
  }

  /**
   * Calls `done`, which must not throw, once what is stored of all info hashes in `words` (five each, kept
   * until then) is known, and at the latest after `LIMITS.scrapeWaitMilliseconds`. false: too many
   * scrapes wait already, and it is never called.
   */
  whenKnown(words: Int32Array, done: () => void): boolean {
    return this.#waiting.add(words, done)
  }

  /**
   * Forgets expired peers and idle torrents, and gives back the memory they had, in slices: each step of
   * the generator holds one lock for less than a millisecond, and yields false when a lock was held for too
   * long by somebody else.
   */
  *sweep(): Generator<boolean, void, void> {
    this.#swarm.audit()
    for (const shard of this.#swarm.shards) {
      const cursor = new SweepCursor()
      for (let done: boolean | undefined = false; done !== true; ) {
        const now = this.#clock.seconds()
        const { retention } = this.policy
        done = shard.sweep(cursor, this.cutoff(now), retention, this.#sweepUnits, 0, now)
        if (this.#sweepUnits < SWEEP_UNITS) this.#sweepUnits++
        yield done !== undefined
      }
    }
  }

  #isListed(words: Int32Array): boolean {
    return this.#access?.whitelist?.has(words) ?? true
  }

  #keyFault({ keys, checksExpiration }: Access, key: Key | undefined): Refusal | undefined {
    if (keys === undefined) return undefined
    if (key === undefined) return 'keyMissing'
    const validUntil = keys.validUntil(key.words)
    if (validUntil === UNKNOWN) return 'keyUnknown'
    if (!checksExpiration || validUntil === Infinity) return undefined
    return validUntil < this.#clock.milliseconds() ? 'keyExpired' : undefined
  }

  /** A peer last seen at this second or before counts as gone. */
  cutoff(now = this.#clock.seconds()): number {
    return Math.max(0, now - this.policy.peerTimeoutSeconds)
  }
}

function substitute(announce: Announce, external: { family: Family; bytes: Uint8Array }): void {
  const { port } = announce
  announce.family = external.family
  announce.endpoint.set(external.bytes)
  announce.port = port
}
