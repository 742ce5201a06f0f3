/**
 * What a UDP tracker does with one datagram: who asks, what is asked, the tracker's word, the answer (BEP 15;
 * docs/behaviours.md U1–U16). Decides what is answered at all: an error only when it is no longer than the
 * datagram that caused it. Opens no socket. Nothing that a datagram contains may throw, block or grow anything
 * here.
 */
import { Visitor } from '../access/gate.ts'
import { Announce, Answer, PeerList, type ScrapeEntry } from '../bittorrent.ts'
import { LIMITS } from '../limits.ts'
import type { Report } from '../log/report.ts'
import { AT, addTime, type CounterRow, REFUSED_AT } from '../memory/counters.ts'
import { type Refusal, udpRefusalText } from '../refusal.ts'
import type { ListenerRules, Scrape, Tracker } from '../tracker.ts'
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
import { UrlKeys } from '../wire/url-data.ts'
import type { ConnectionIds } from './connection-id.ts'
import { type Datagrams, LATE, SLOT_BYTES } from './datagrams.ts'
import type { Outbox } from './outbox.ts'
import type { RequestLog } from './request-log.ts'

/** Largest interval that a signed 32-bit field can carry. */
const MAX_INTERVAL = 0x7fff_ffff
/** One datagram of so many is timed: a prime, so that it is not always the first of a batch. */
const TIMED_EVERY = 61
/** Bytes of the longest endpoint, and of the longest answer to a scrape. */
const LONGEST_ENDPOINT = 18
const LONGEST_SCRAPE = ANSWER.entriesAt + LIMITS.udpScrapeHashes * ANSWER.entry

/** What may change while a listener is open. */
export type UdpListenerOptions = {
  readonly listenerRules: ListenerRules
  readonly connectionIds: ConnectionIds
}

export type UdpRequestsOptions = UdpListenerOptions & {
  readonly tracker: Tracker
  readonly counters: CounterRow
  readonly report: Report
  readonly log: RequestLog
}

export class UdpRequests {
  #options: UdpRequestsOptions
  readonly #counters: CounterRow
  readonly #log: RequestLog
  readonly #datagrams: Datagrams
  readonly #outbox: Outbox
  readonly #request = new UdpRequest()
  readonly #visitor = new Visitor('forged')
  readonly #announce = new Announce()
  readonly #urlKeys = new UrlKeys()
  /** By family of the connection: only its own peers are listed. */
  readonly #answers: readonly [Answer, Answer]
  readonly #scrape: DatagramScrape
  /** Answers of scrapes that wait for stored counts. */
  readonly #late = new Set<() => void>()
  /** Version of the rules that interval and outbox follow. */
  #version = 0
  #interval = 0
  /** Second in which the batch is served. */
  #now = 0
  /** Bytes of the datagram in hand. */
  #length = 0
  #untimed = 0
  /** Whether the datagram in hand was answered with what it asked for. */
  #served = false

  /** Answers go into `outbox`, which gets the size they need. */
  constructor(options: UdpRequestsOptions, datagrams: Datagrams, outbox: Outbox) {
    this.#options = options
    this.#counters = options.counters
    this.#log = options.log
    this.#datagrams = datagrams
    this.#outbox = outbox
    this.#scrape = new DatagramScrape(datagrams, outbox)
    this.#answers = [
      new Answer([new PeerList(4, outbox.halves)]),
      new Answer([new PeerList(6, outbox.halves)]),
    ]
    this.#followRules()
  }

  /** The next datagram is served by these options. */
  follow({ listenerRules, connectionIds }: UdpListenerOptions): void {
    this.#options = { ...this.#options, listenerRules, connectionIds }
  }

  /** Call it before the first datagram of each batch; the outbox must be empty. `now`: seconds. */
  begin(now: number): void {
    this.#now = now
    this.#log.look()
    if (this.#options.tracker.rules.version !== this.#version) this.#followRules()
  }

  /** Makes the memory of answers, and what they say in advance, what the rules want now. */
  #followRules(): void {
    const { rules } = this.#options.tracker
    this.#version = rules.version
    this.#interval = Math.min(rules.interval, MAX_INTERVAL)
    const { maxPeers } = rules
    this.#outbox.resize(Math.max(ANSWER.peersAt + maxPeers * LONGEST_ENDPOINT, LONGEST_SCRAPE))
    for (const answer of this.#answers) {
      for (const list of answer.lists) list.halves = this.#outbox.halves
      // The rules may change again before the next batch.
      answer.room = maxPeers
    }
  }

  /** Serves datagram number `i` of the batch. */
  serve(i: number): void {
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
    addTime(this.#counters, kind, Bun.nanoseconds() - began)
  }

  #one(i: number): void {
    const { address } = this.#visitor
    this.#datagrams.readSender(i, address)
    const familyOffset = address.family === 6 ? 1 : 0
    this.#length = this.#datagrams.lengths[i]!
    this.#counters[AT.received + familyOffset]!++
    this.#counters[AT.bytesReceived + familyOffset]! += this.#length
    if (this.#datagrams.port(i) === 0) {
      this.#counters[AT.discarded + familyOffset]!++
      this.#log.refused('other', address, 'discarded')
      return
    }
    if (this.#options.tracker.drops(address, 'unread')) {
      this.#counters[AT.banned + familyOffset]!++
      this.#counters[REFUSED_AT.other.banned + familyOffset]!++
      this.#log.refused('other', address, 'banned')
      return
    }
    this.#announce.place(address)
    const { bytes } = this.#datagrams
    readRequest(bytes, i * SLOT_BYTES, this.#length, this.#request, this.#announce)
    const length = this.#handle(i, familyOffset)
    if (length > 0) this.#answer(length, i, familyOffset)
  }

  /** Sends the answer of `length` bytes that was written to datagram `i`. */
  #answer(length: number, i: number, familyOffset: number): void {
    this.#counters[AT.responses + familyOffset]!++
    this.#counters[AT.bytesSent + familyOffset]! += length
    this.#outbox.push(length, i)
  }

  /** Writes the answer to datagram `i` at the outbox's free slot. Its length; 0 = none is due now. */
  #handle(i: number, familyOffset: number): number {
    switch (this.#request.kind) {
      case 'announce':
        return this.#announced(i, familyOffset)
      case 'connect':
        return this.#connected(familyOffset)
      case 'scrape':
        return this.#scraped(i, familyOffset)
      case 'refuse':
        return this.#options.tracker.drops(this.#visitor.address, 'junk')
          ? this.#refused('banned', familyOffset)
          : this.#refused('badDatagram', familyOffset)
      case 'drop':
        this.#counters[AT.malformed + familyOffset]!++
        this.#log.refused('other', this.#visitor.address, 'malformed')
        return 0
    }
  }

  #connected(familyOffset: number): number {
    const { transaction } = this.#request
    this.#trace()
    const low = this.#options.connectionIds.issue(this.#visitor.address, this.#now)
    this.#count(AT.connects, familyOffset)
    return writeConnect(this.#outbox.bytes, this.#outbox.begin(), transaction, this.#now, low)
  }

  #announced(i: number, familyOffset: number): number {
    const { tracker, listenerRules } = this.#options
    const answer = this.#answers[familyOffset]!
    const list = answer.lists[0]!
    const at = this.#outbox.begin()
    list.at = (at + ANSWER.peersAt) / 2
    const visitor = this.#prove(familyOffset)
    // What is refused for its connection id is not worth a look at its key.
    if (tracker.isPrivate && (visitor.proof === 'valid' || tracker.rules.idErrors === 'serve')) {
      const { bytes } = this.#datagrams
      visitor.shows = this.#urlKeys.read(bytes, i * SLOT_BYTES, this.#length, visitor.key)
    }
    const outcome = tracker.announce(visitor, this.#announce, listenerRules, answer, this.#now)
    if (outcome !== 'served') return this.#refused(outcome, familyOffset)
    this.#count(AT.announces, familyOffset)
    this.#trace(this.#announce.infoHash)
    return writeAnnounce(
      this.#outbox.bytes,
      at,
      this.#request.transaction,
      this.#interval,
      answer.leechers,
      answer.seeders,
      list.count * (familyOffset === 0 ? 6 : 18),
    )
  }

  #scraped(i: number, familyOffset: number): number {
    const { hashes } = this.#request
    const scrape = this.#scrape
    scrape.begin(i, hashes)
    const visitor = this.#prove(familyOffset)
    const outcome = this.#options.tracker.scrape(visitor, scrape, this.#now)
    if (outcome === 'served' || outcome === 'awaited') this.#trace()
    if (outcome === 'awaited') {
      if (this.#scrapeLater(i, familyOffset)) return 0
    } else if (outcome !== 'served') return this.#refused(outcome, familyOffset)
    return this.#endScrape(familyOffset)
  }

  #endScrape(familyOffset: number): number {
    const { transaction, hashes } = this.#request
    this.#count(AT.scrapes, familyOffset)
    return writeScrape(this.#outbox.bytes, this.#outbox.begin(), transaction, hashes)
  }

  /** Answers a scrape when stored counts have come. false: too many wait for that already. */
  #scrapeLater(i: number, familyOffset: number): boolean {
    const kept = this.#datagrams.keep(i)
    const answer = (fill: (scrape: Scrape) => void) => {
      if (answerNow !== undefined) this.#late.delete(answerNow)
      try {
        this.#datagrams.bringBack(kept)
        const { bytes } = this.#datagrams
        readRequest(bytes, LATE * SLOT_BYTES, kept.packet.length, this.#request, this.#announce)
        this.#scrape.begin(LATE, this.#request.hashes)
        fill(this.#scrape)
        this.#answer(this.#endScrape(familyOffset), LATE, familyOffset)
        this.#outbox.flush()
      } catch (error) {
        this.#options.report('scrape', error)
      }
    }
    const words = scrapeWords(kept.packet.buffer, this.#request.hashes)
    const answerNow = this.#options.tracker.whenKnown(words, answer)
    if (answerNow === undefined) return false
    this.#late.add(answerNow)
    return true
  }

  /** Answers the scrapes that wait for stored counts with what is known. */
  flush(): void {
    for (const answerNow of this.#late) answerNow()
  }

  /** The sender with what its connection id proves. It shows no key yet. */
  #prove(familyOffset: number): Visitor {
    const visitor = this.#visitor
    const { idHigh, idLow } = this.#request
    visitor.shows = 'none'
    visitor.proof = this.#options.connectionIds.check(visitor.address, idHigh, idLow, this.#now)
    if (visitor.proof !== 'valid') this.#counters[AT.connectionIdErrors + familyOffset]!++
    return visitor
  }

  /** The answer to a request that is not served; 0 = none is due. */
  #refused(refusal: Refusal, familyOffset: number): number {
    const { kind, problem, transaction } = this.#request
    const refused = kind === 'announce' || kind === 'scrape' ? kind : 'other'
    this.#counters[REFUSED_AT[refused][refusal] + familyOffset]!++
    this.#tell(refusal)
    if (refusal === 'banned') {
      this.#counters[AT.banned + familyOffset]!++
      return 0
    }
    const detail = refusal === 'badDatagram' ? problem : this.#announce.infoHash
    const text = udpRefusalText(refusal, this.#options.tracker.rules.schema, detail)
    if (ANSWER.errorAt + text.length > this.#length) {
      this.#counters[AT.unanswered + familyOffset]!++
      return 0
    }
    this.#counters[AT.errors + familyOffset]!++
    return writeError(this.#outbox.bytes, this.#outbox.begin(), transaction, text)
  }

  #tell(refusal: Refusal): void {
    if (!this.#log.tellsRefused) return
    const { kind, problem } = this.#request
    if (kind === 'refuse') this.#log.refused('other', this.#visitor.address, refusal, problem)
    else {
      const infoHash = kind === 'announce' ? this.#announce.infoHash : undefined
      this.#log.refused(kind, this.#visitor.address, refusal, infoHash)
    }
  }

  #trace(infoHash?: Uint8Array): void {
    if (this.#log.tellsServed) this.#log.served(this.#request.kind, this.#visitor.address, infoHash)
  }

  /** Counts a request that is answered with what it asked for. */
  #count(counter: number, familyOffset: number): void {
    this.#served = true
    this.#counters[counter + familyOffset]!++
  }
}

/** The scrape in one datagram; its entries go where the next answer stands. */
class DatagramScrape implements Scrape {
  readonly #datagrams: Datagrams
  readonly #outbox: Outbox
  readonly #words = new Int32Array(5)
  readonly #infoHash = new Uint8Array(this.#words.buffer)
  #from = 0
  #to = 0
  count = 0

  constructor(datagrams: Datagrams, outbox: Outbox) {
    this.#datagrams = datagrams
    this.#outbox = outbox
  }

  begin(datagram: number, hashes: number): void {
    this.#from = datagram * SLOT_BYTES
    this.#to = this.#outbox.begin()
    this.count = hashes
  }

  hash(i: number): Int32Array {
    readScrapeHash(this.#datagrams.bytes, this.#from, i, this.#infoHash)
    return this.#words
  }

  entry(i: number, { seeders, downloaded, leechers }: ScrapeEntry): void {
    writeScrapeEntry(this.#outbox.bytes, this.#to, i, seeders, downloaded, leechers)
  }
}
