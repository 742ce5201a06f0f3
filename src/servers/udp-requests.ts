/**
 * What a UDP tracker does with one datagram: who asks, what was asked, the tracker's word, the answer
 * (BEP 15, spec/torrust-udp-and-core A3–A8). Decides what is answered at all: an error only when
 * it is no longer than the datagram that caused it. Opens no socket; nothing a stranger sends may throw,
 * block or grow anything here.
 */
import { Announce, Answer, Key, PeerList, type ScrapeEntry } from '../bittorrent.ts'
import { AT, type CounterRow, TIME_AT } from '../metrics.ts'
import { type Refusal, refusalWords } from '../refusal.ts'
import type { ListenerRules, Tracker } from '../tracker.ts'
import { writeEndpoint } from '../wire/address.ts'
import {
  ANSWER,
  readRequest,
  readScrapeHash,
  UdpRequest,
  writeAnnounce,
  writeConnect,
  writeError,
  writeScrape,
  writeScrapeEntry,
} from '../wire/udp.ts'
import { readUrlKey } from '../wire/url-data.ts'
import type { Bans } from './bans.ts'
import type { ConnectionIds } from './connection-id.ts'
import type { Outbox } from './outbox.ts'

/** Largest interval a signed 32-bit field can carry. */
const MAX_INTERVAL = 0x7fff_ffff
/** One datagram of so many is timed: a prime, so that it is not always the first of a batch. */
const TIMED_EVERY = 61

export type UdpRequestsOptions = {
  readonly tracker: Tracker
  readonly rules: ListenerRules
  readonly connectionIds: ConnectionIds
  /** false: wrong connection ids are counted and served all the same. */
  readonly strict: boolean
  readonly bans: Bans
  readonly counters: CounterRow
}

export class UdpRequests {
  readonly #options: UdpRequestsOptions
  readonly #counters: CounterRow
  readonly #outbox: Outbox
  readonly #request = new UdpRequest()
  readonly #announce = new Announce()
  readonly #key = new Key()
  readonly #answer: Answer
  readonly #entry: ScrapeEntry = { seeders: 0, downloaded: 0, leechers: 0 }
  readonly #interval: number
  /** Second in which the batch is served. */
  #now = 0
  #untimed = 0
  /** Whether the datagram in hand was answered with what it asked for. */
  #served = false

  /** Answers go into `outbox`. */
  constructor(options: UdpRequestsOptions, outbox: Outbox) {
    this.#options = options
    this.#counters = options.counters
    this.#outbox = outbox
    this.#interval = Math.min(options.tracker.policy.interval, MAX_INTERVAL)
    this.#answer = new Answer(new PeerList(outbox.halves), new PeerList(outbox.halves), false)
  }

  /** Serves the datagram of one sender at second `now`. */
  serve(packet: Uint8Array, port: number, address: string, now: number): void {
    this.#now = now
    if (++this.#untimed < TIMED_EVERY) {
      this.#one(packet, port, address)
      return
    }
    this.#untimed = 0
    this.#served = false
    const began = Bun.nanoseconds()
    this.#one(packet, port, address)
    const { kind } = this.#request
    if (!this.#served || kind === 'refuse' || kind === 'drop') return
    this.#counters[TIME_AT[kind]]! += Bun.nanoseconds() - began
    this.#counters[TIME_AT[kind] + 1]!++
  }

  #one(packet: Uint8Array, port: number, address: string): void {
    const announce = this.#announce
    if (!writeEndpoint(address, port, announce)) return
    const six = announce.family === 6 ? 1 : 0
    this.#counters[AT.received + six]!++
    if (port === 0) {
      this.#counters[AT.discarded + six]!++
      return
    }
    if (this.#options.strict && this.#options.bans.has(announce)) {
      this.#counters[AT.banned + six]!++
      return
    }
    readRequest(packet, this.#request, announce)
    const length = this.#handle(packet, six)
    if (length === 0) return
    this.#counters[AT.responses + six]!++
    this.#outbox.push(length, port, address)
  }

  /** Writes the answer at the outbox's free slot. Its length; 0 = none is due. */
  #handle(packet: Uint8Array, six: number): number {
    switch (this.#request.kind) {
      case 'announce':
        return this.#isGenuine(six)
          ? this.#announced(packet, six)
          : this.#error(packet, 'tracker announce error: Connection cookie error', six)
      case 'connect':
        return this.#connected(six)
      case 'scrape':
        return this.#isGenuine(six)
          ? this.#scraped(packet, six)
          : this.#error(packet, 'Connection cookie error', six)
      case 'refuse':
        return this.#error(packet, `bad request: ${this.#request.problem}`, six)
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

  #announced(packet: Uint8Array, six: number): number {
    const answer = this.#answer
    const at = this.#outbox.begin()
    answer.family = this.#announce.family
    answer.peers4.at = answer.peers6.at = (at + ANSWER.peersAt) / 2
    const { tracker, rules } = this.#options
    const refusal =
      this.#admit(packet) ?? tracker.announce(this.#announce, rules, answer, this.#now)
    if (refusal !== undefined)
      return this.#error(packet, refusalWords(refusal, this.#announce.infoHash), six)
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
  #admit(packet: Uint8Array): Refusal | undefined {
    const { tracker } = this.#options
    if (!tracker.isPrivate) return tracker.admit(this.#announce.words, undefined)
    const read = readUrlKey(packet, this.#key)
    if (read === 'malformed') return 'keyMalformed'
    return tracker.admit(this.#announce.words, read === 'key' ? this.#key : undefined)
  }

  #scraped(packet: Uint8Array, six: number): number {
    const { bytes } = this.#outbox
    const at = this.#outbox.begin()
    const { tracker } = this.#options
    const { hashes, transaction } = this.#request
    const entry = this.#entry
    // A scrape carries no key.
    const may = tracker.mayScrape(undefined)
    for (let i = 0; i < hashes; i++) {
      readScrapeHash(packet, i, this.#announce.infoHash)
      tracker.scrape(this.#announce.words, entry, may, this.#now)
      writeScrapeEntry(bytes, at, i, entry.seeders, entry.downloaded, entry.leechers)
    }
    this.#count(AT.scrapes, six)
    return writeScrape(bytes, at, transaction, hashes)
  }

  /** Whether the sender may be served: its connection id is right, or nobody insists on that. */
  #isGenuine(six: number): boolean {
    const { connectionIds, strict, bans } = this.#options
    const { idHigh, idLow } = this.#request
    const problem = connectionIds.check(this.#announce, idHigh, idLow, this.#now)
    if (problem === undefined) return true
    this.#counters[AT.connectionIdErrors + six]!++
    if (strict) bans.add(this.#announce)
    return !strict
  }

  #error(packet: Uint8Array, message: string, six: number): number {
    if (ANSWER.errorAt + message.length > packet.length) {
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
