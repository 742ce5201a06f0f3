/**
 * What a UDP tracker does with one datagram: who asks, what was asked, the tracker's word, the answer
 * (BEP 15, spec/torrust-udp-and-core A3–A8). Decides what is answered at all: an error only when
 * it is no longer than the datagram that caused it. Opens no socket; nothing a stranger sends may throw,
 * block or grow anything here.
 */

import type { Bans } from '../access/bans.ts'
import { Announce, Answer, Key, PeerList, type ScrapeEntry } from '../bittorrent.ts'
import { AT, type CounterRow, TIME_AT } from '../memory/counters.ts'
import { type Refusal, udpRefusalWords } from '../refusal.ts'
import type { ListenerRules, Tracker } from '../tracker.ts'
import {
  ANSWER,
  readRequest,
  readScrapeHash,
  scrapeWords,
  UdpRequest,
  writeAnnounce,
  writeConnect,
  writeError,
  writeScrape,
  writeScrapeEntry,
} from '../wire/udp.ts'
import { readUrlKey } from '../wire/url-data.ts'
import type { ConnectionIds, Problem } from './connection-id.ts'
import { type Datagrams, LATE, SLOT_BYTES } from './datagrams.ts'
import type { Outbox } from './outbox.ts'

/** Largest interval a signed 32-bit field can carry. */
const MAX_INTERVAL = 0x7fff_ffff
/** One datagram of so many is timed: a prime, so that it is not always the first of a batch. */
const TIMED_EVERY = 61

/**
 * What follows from wrong connection ids. `suppress`: from an address that showed too many, datagrams with a
 * wrong one are dropped in silence and all others served, so that wrong ids sent under its name do it no harm.
 * `ban`: everything from there is dropped. `serve`: nothing follows, wrong ids are counted and served.
 */
export type IdErrors = 'suppress' | 'ban' | 'serve'

export type UdpRequestsOptions = {
  readonly tracker: Tracker
  readonly rules: ListenerRules
  readonly connectionIds: ConnectionIds
  readonly idErrors: IdErrors
  readonly bans: Bans
  readonly counters: CounterRow
  /** Called with what a handler threw; a bug of ours, never a client's doing. */
  readonly onError: (error: unknown) => void
}

export class UdpRequests {
  readonly #options: UdpRequestsOptions
  readonly #counters: CounterRow
  readonly #datagrams: Datagrams
  readonly #outbox: Outbox
  readonly #request = new UdpRequest()
  readonly #announce = new Announce()
  readonly #key = new Key()
  readonly #answer: Answer
  readonly #entry: ScrapeEntry = { seeders: 0, downloaded: 0, leechers: 0 }
  readonly #interval: number
  /** Answers of scrapes that wait for stored counts. */
  readonly #late = new Set<() => void>()
  /** Second in which the batch is served. */
  #now = 0
  /** Bytes of the datagram in hand, and what is wrong with its connection id. */
  #length = 0
  #problem: Problem | undefined
  #untimed = 0
  /** Whether the datagram in hand was answered with what it asked for. */
  #served = false

  /** Answers go into `outbox`. */
  constructor(options: UdpRequestsOptions, datagrams: Datagrams, outbox: Outbox) {
    this.#options = options
    this.#counters = options.counters
    this.#datagrams = datagrams
    this.#outbox = outbox
    this.#interval = Math.min(options.tracker.policy.interval, MAX_INTERVAL)
    this.#answer = new Answer(new PeerList(outbox.halves), new PeerList(outbox.halves), false)
  }

  /** Serves datagram number `i` of the batch at second `now`. */
  serve(i: number, now: number): void {
    this.#now = now
    if (++this.#untimed < TIMED_EVERY) {
      this.#one(i)
      return
    }
    this.#untimed = 0
    this.#served = false
    const began = Bun.nanoseconds()
    this.#one(i)
    const { kind } = this.#request
    if (!this.#served || kind === 'refuse' || kind === 'drop') return
    this.#counters[TIME_AT[kind]]! += Bun.nanoseconds() - began
    this.#counters[TIME_AT[kind] + 1]!++
  }

  #one(i: number): void {
    const announce = this.#announce
    const { bytes, lengths } = this.#datagrams
    this.#datagrams.locate(i, announce)
    const six = announce.family === 6 ? 1 : 0
    this.#counters[AT.received + six]!++
    if (announce.port === 0) {
      this.#counters[AT.discarded + six]!++
      return
    }
    if (this.#options.idErrors === 'ban' && this.#isGuilty(six)) return
    this.#length = lengths[i]!
    readRequest(bytes, i * SLOT_BYTES, this.#length, this.#request, announce)
    const length = this.#handle(i, six)
    if (length === 0) return
    this.#counters[AT.responses + six]!++
    this.#outbox.push(length, i)
  }

  /** Writes the answer to datagram `i` at the outbox's free slot. Its length; 0 = none is due now. */
  #handle(i: number, six: number): number {
    switch (this.#request.kind) {
      case 'announce':
        return this.#isGenuine(six)
          ? this.#announced(i, six)
          : this.#notGenuine('tracker announce error: Connection cookie error', six)
      case 'connect':
        return this.#connected(six)
      case 'scrape':
        return this.#isGenuine(six)
          ? this.#scraped(i, six)
          : this.#notGenuine('Connection cookie error', six)
      case 'refuse':
        if (this.#options.idErrors === 'suppress' && this.#isGuilty(six)) return 0
        return this.#error(`bad request: ${this.#request.problem}`, six)
      case 'drop':
        this.#counters[AT.malformed + six]!++
        return 0
    }
  }

  #connected(six: number): number {
    const low = this.#options.connectionIds.issue(this.#announce, this.#now)
    this.#count(AT.connects, six)
    const { bytes } = this.#outbox
    return writeConnect(bytes, this.#outbox.begin(), this.#request.transaction, this.#now, low)
  }

  #announced(i: number, six: number): number {
    const answer = this.#answer
    const at = this.#outbox.begin()
    answer.family = this.#announce.family
    answer.peers4.at = answer.peers6.at = (at + ANSWER.peersAt) / 2
    const { tracker, rules } = this.#options
    const refusal = this.#admit(i) ?? tracker.announce(this.#announce, rules, answer, this.#now)
    if (refusal !== undefined)
      return this.#error(
        udpRefusalWords(refusal, this.#announce.infoHash, tracker.policy.schema),
        six,
      )
    this.#count(AT.announces, six)
    return writeAnnounce(
      this.#outbox.bytes,
      at,
      this.#request.transaction,
      this.#interval,
      answer.leechers,
      answer.seeders,
      answer.peers4.count * 6 + answer.peers6.count * 18,
    )
  }

  /** The tracker's word on who announces what. Only a private one asks for a key. */
  #admit(i: number): Refusal | undefined {
    const { tracker } = this.#options
    if (!tracker.isPrivate) return tracker.admit(this.#announce.words, undefined)
    const { bytes } = this.#datagrams
    const read = readUrlKey(bytes, i * SLOT_BYTES, this.#length, this.#key)
    if (read === 'malformed') return 'keyMalformed'
    return tracker.admit(this.#announce.words, read === 'key' ? this.#key : undefined)
  }

  #scraped(i: number, six: number): number {
    const { bytes } = this.#outbox
    const at = this.#outbox.begin()
    const { tracker } = this.#options
    const { hashes, transaction } = this.#request
    const entry = this.#entry
    // A scrape carries no key.
    const may = tracker.mayScrape(undefined)
    let isAwaited = false
    for (let n = 0; n < hashes; n++) {
      readScrapeHash(this.#datagrams.bytes, i * SLOT_BYTES, n, this.#announce.infoHash)
      if (tracker.scrape(this.#announce.words, entry, may, this.#now)) isAwaited = true
      writeScrapeEntry(bytes, at, n, entry.seeders, entry.downloaded, entry.leechers)
    }
    if (isAwaited && i !== LATE && this.#scrapeLater(i, six)) return 0
    this.#count(AT.scrapes, six)
    return writeScrape(bytes, at, transaction, hashes)
  }

  /** Answers a scrape when stored counts have come. false: too many wait for that already. */
  #scrapeLater(i: number, six: number): boolean {
    const kept = this.#datagrams.keep(i)
    const answer = () => {
      if (!this.#late.delete(answer)) return
      try {
        this.#datagrams.bringBack(kept)
        const { bytes } = this.#datagrams
        readRequest(bytes, LATE * SLOT_BYTES, kept.packet.length, this.#request, this.#announce)
        this.#counters[AT.responses + six]!++
        this.#outbox.push(this.#scraped(LATE, six), LATE)
        this.#outbox.flush()
      } catch (error) {
        this.#options.onError(error)
      }
    }
    const words = scrapeWords(kept.packet.buffer, this.#request.hashes)
    if (!this.#options.tracker.whenKnown(words, answer)) return false
    this.#late.add(answer)
    return true
  }

  /** Answers the scrapes that wait for stored counts with what is known. */
  flush(): void {
    for (const answer of this.#late) answer()
  }

  /** Whether the sender may be served: its connection id is right, or that does not matter. */
  #isGenuine(six: number): boolean {
    const { connectionIds, idErrors } = this.#options
    const { idHigh, idLow } = this.#request
    this.#problem = connectionIds.check(this.#announce, idHigh, idLow, this.#now)
    if (this.#problem === undefined) return true
    this.#counters[AT.connectionIdErrors + six]!++
    return idErrors === 'serve'
  }

  /** The answer to a request whose connection id is wrong; 0 = none is due. */
  #notGenuine(message: string, six: number): number {
    // An id that bears our tag proves its sender: it is late, or a clock was set.
    if (this.#problem === 'forged') {
      if (this.#isGuilty(six)) return 0
      this.#options.bans.add(this.#announce)
    }
    return this.#error(message, six)
  }

  /** Whether the sender showed too many wrong connection ids, so that this datagram is dropped. */
  #isGuilty(six: number): boolean {
    if (!this.#options.bans.has(this.#announce)) return false
    this.#counters[AT.banned + six]!++
    return true
  }

  #error(message: string, six: number): number {
    if (ANSWER.errorAt + message.length > this.#length) {
      this.#counters[AT.malformed + six]!++
      return 0
    }
    this.#counters[AT.errors + six]!++
    const { bytes } = this.#outbox
    return writeError(bytes, this.#outbox.begin(), this.#request.transaction, message)
  }

  /** Counts a request that is answered with what it asked for. */
  #count(counter: number, six: number): void {
    this.#served = true
    this.#counters[counter + six]!++
  }
}
