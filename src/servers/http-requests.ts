/**
 * What an HTTP tracker does with one request: who asks, what was asked, the tracker's word, the answer
 * (spec/torrust-http-tracker §3–§12). Synchronous from the first line to the last, so that no request
 * waits for another and the reused memory is never shared; a scrape that waits for a stored count does
 * so on memory of its own. Opens no socket.
 */
import { Key, type ScrapeEntry } from '../bittorrent.ts'
import type { HttpTrackerConfig } from '../config/model.ts'
import { AT, type CounterRow } from '../memory/counters.ts'
import { REFUSALS, type Refusal, refusalWords } from '../refusal.ts'
import type { ListenerRules, Tracker } from '../tracker.ts'
import { isUnspecified, parseIp, writeAddress, writeEndpoint } from '../wire/address.ts'
import { AnnounceQuery, ScrapeQuery } from '../wire/http.ts'
import { HttpAnswers } from '../wire/http-answer.ts'
import { type Garbage, HTTP_REQUEST } from './garbage.ts'
import { rawPath } from './listen.ts'

/** Told of an error that nobody foresaw; each kind is told once. */
export type Report = (what: string, error: unknown) => void

/** Where a request came from, as the socket knows it; null: the client is gone. */
export type PeerAddress = (request: Request) => { readonly address: string } | null

const NO_FORWARDED =
  'Error resolving peer IP: missing or invalid the right most X-Forwarded-For IP (mandatory on reverse proxy tracker configuration)'
const NO_CONNECTION = 'Error resolving peer IP: cannot get the client IP from the connection info'
const DNS_NAME = 'DNS names are not supported for the announce ip parameter'
const NO_LITERAL = 'The announce ip parameter must be an IPv4 or IPv6 literal'

/**
 * For answers without a body only: Bun sends bytes of no stated type as application/octet-stream anyway,
 * and a Response with headers takes three times as long to make.
 */
const BINARY = { headers: { 'content-type': 'application/octet-stream' } }
const TEXT = { headers: { 'content-type': 'text/plain; charset=utf-8' } }
const JSON_TYPE = { headers: { 'content-type': 'application/json' } }
const ROUTE = /^\/(?:announce|scrape)(?:\/[^/]+)?$|^\/health_check$/

/** Kinds of unforeseen errors that are remembered as told. */
const MOST_KINDS = 100

export class HttpRequests {
  readonly #listener: HttpTrackerConfig
  readonly #tracker: Tracker
  readonly #counters: CounterRow
  readonly #peerAddress: PeerAddress
  readonly #report: Report
  readonly #garbage: Garbage
  readonly #told = new Set<string>()
  readonly #rules: ListenerRules
  readonly #key = new Key()
  readonly #announce = new AnnounceQuery()
  readonly #scrape = new ScrapeQuery()
  readonly #entry: ScrapeEntry = { seeders: 0, downloaded: 0, leechers: 0 }
  readonly #answers: HttpAnswers

  constructor(
    listener: HttpTrackerConfig,
    tracker: Tracker,
    counters: CounterRow,
    peerAddress: PeerAddress,
    report: Report,
    garbage: Garbage,
  ) {
    this.#listener = listener
    this.#tracker = tracker
    this.#counters = counters
    this.#peerAddress = peerAddress
    this.#report = report
    this.#garbage = garbage
    this.#answers = new HttpAnswers(tracker.policy)
    const external = listener.network.external_ip
    const bytes = external === null ? undefined : parseIp(external)
    this.#rules = { externalIp: bytes && { family: bytes.length === 4 ? 4 : 6, bytes } }
  }

  /** `key` is the path segment behind `/announce/`, percent-decoded; undefined: there is none. */
  announce(request: Request, key?: string): Response {
    try {
      return this.#answerAnnounce(request, key)
    } catch (error) {
      return this.#unforeseen('announce', error)
    }
  }

  scrape(request: Request, key?: string): Response | Promise<Response> {
    try {
      return this.#answerScrape(request, key)
    } catch (error) {
      return this.#unforeseen('scrape', error)
    }
  }

  /** HEAD of a route that exists: the head of a success, and nothing happens. */
  head(request: Request): Response {
    this.#locate(request)
    this.#count(AT.received)
    this.#count(AT.responses)
    return new Response(null, BINARY)
  }

  healthCheck(): Response {
    this.#garbage.made(HTTP_REQUEST)
    return new Response('{"status":"Ok"}', JSON_TYPE)
  }

  /** Whatever no route took: 405 where only the method is wrong, else 404. */
  other(request: Request): Response {
    this.#locate(request)
    this.#count(AT.received)
    this.#count(AT.malformed)
    this.#count(AT.responses)
    const known = ROUTE.test(rawPath(request))
    return known && request.method !== 'GET' && request.method !== 'HEAD'
      ? new Response(null, { status: 405, headers: { allow: 'GET,HEAD' } })
      : new Response(null, { status: 404 })
  }

  #answerAnnounce(request: Request, key: string | undefined): Response {
    const located = this.#locate(request)
    const { url } = request
    const query = this.#announce
    const announce = query.request
    this.#count(AT.received)

    const fault = query.read(url, url.indexOf('?')) ?? this.#keyFault(key)
    if (fault !== undefined) return this.#failure(fault)
    const six = this.#six()
    const stranger = this.#tracker.admit(announce.words, this.#keyOf(key))
    if (stranger !== undefined) return this.#refused(stranger, six)
    const believed = query.ip !== '' && this.#listener.use_ip_from_query_string
    const noAddress = believed ? this.#believe(query.ip, located) : this.#unlocated(located)
    if (noAddress !== undefined) return this.#failure(noAddress)
    announce.port = query.port

    const answer = this.#answers.prepare(query.compact)
    answer.family = announce.family
    const refusal = this.#tracker.announce(announce, this.#rules, answer)
    if (refusal !== undefined) return this.#refused(refusal, six)
    this.#count(AT.announces, six)
    this.#count(AT.responses, six)
    return this.#answered(query.compact ? this.#answers.compact() : this.#answers.dictionaries())
  }

  #answerScrape(request: Request, key: string | undefined): Response | Promise<Response> {
    const located = this.#locate(request)
    const { url } = request
    const query = this.#scrape
    this.#count(AT.received)

    const fault =
      query.read(url, url.indexOf('?')) ?? this.#keyFault(key) ?? this.#unlocated(located)
    if (fault !== undefined) return this.#failure(fault)
    const may = this.#tracker.mayScrape(this.#keyOf(key))
    let isAwaited = false
    this.#answers.beginScrape()
    for (let i = 0; i < query.count; i++) {
      if (this.#tracker.scrape(query.infoHash(i), this.#entry, may)) isAwaited = true
      this.#answers.scraped(query.bytes, query.offset(i), this.#entry)
    }
    const six = this.#six()
    return (
      (isAwaited ? this.#scrapeAgain(query.infoHashes(), six) : undefined) ?? this.#scraped(six)
    )
  }

  /** Answers when stored counts have come. undefined: too many scrapes wait for that already. */
  #scrapeAgain(words: Int32Array<ArrayBuffer>, six: number): Promise<Response> | undefined {
    const { promise, resolve } = Promise.withResolvers<Response>()
    const answer = (): Response => {
      const bytes = new Uint8Array(words.buffer)
      this.#answers.beginScrape()
      for (let at = 0; at < words.length; at += 5) {
        this.#tracker.scrape(words.subarray(at, at + 5), this.#entry, true)
        this.#answers.scraped(bytes, at * 4, this.#entry)
      }
      return this.#scraped(six)
    }
    const done = () => {
      try {
        resolve(answer())
      } catch (error) {
        resolve(this.#unforeseen('scrape', error))
      }
    }
    return this.#tracker.whenKnown(words, done) ? promise : undefined
  }

  /** What was written of a scrape. */
  #scraped(six: number): Response {
    this.#count(AT.scrapes, six)
    this.#count(AT.responses, six)
    return this.#answered(this.#answers.endScrape())
  }

  /** A copy of `body`, which is written over by the next answer. */
  #answered(body: Uint8Array<ArrayBuffer>): Response {
    this.#garbage.made(body.length)
    return new Response(body)
  }

  /** Makes the client's address the endpoint of the announce (port 0 for now); false: unknown. */
  #locate(request: Request): boolean {
    this.#garbage.made(HTTP_REQUEST + request.url.length)
    const announce = this.#announce.request
    announce.family = 4
    if (!this.#listener.network.on_reverse_proxy) {
      const peer = this.#peerAddress(request)
      return peer !== null && writeEndpoint(peer.address, 0, announce)
    }
    // Several header lines arrive joined by commas, in order: what stands last, the proxy wrote.
    const chain = request.headers.get('x-forwarded-for')
    if (chain === null) return false
    const last = chain.slice(chain.lastIndexOf(',') + 1).trim()
    const family = writeAddress(last, 0, last.length, announce.endpoint)
    if (family === 0) return false
    announce.family = family
    return true
  }

  #unlocated(located: boolean): string | undefined {
    if (located) return undefined
    return this.#listener.network.on_reverse_proxy ? NO_FORWARDED : NO_CONNECTION
  }

  /** Takes the address that the client itself names, as this listener's configuration allows. */
  #believe(value: string, located: boolean): string | undefined {
    const text = value.replaceAll(/%3a/gi, ':')
    const bytes = parseIp(text)
    if (bytes === undefined)
      return /^(?=.*[a-z])[a-z0-9_-]+(\.[a-z0-9_-]+)*\.?$/i.test(text) ? DNS_NAME : NO_LITERAL
    const family = bytes.length === 4 ? 4 : 6
    // All zeros is how clients say "where I come from" (BEP 15).
    if (isUnspecified(bytes, family)) return this.#unlocated(located)
    this.#announce.request.endpoint.set(bytes)
    this.#announce.request.family = family
    return undefined
  }

  /** 1 for a client that came over IPv6. */
  #six(): number {
    return this.#announce.request.family === 6 ? 1 : 0
  }

  #count(counter: number, six = this.#six()): void {
    this.#counters[counter + six]!++
  }

  /** Reads `key`. Whatever is no key is a fault, even where nobody asks for one. */
  #keyFault(key: string | undefined): string | undefined {
    return key === undefined || this.#key.read(key)
      ? undefined
      : REFUSALS[this.#tracker.policy.schema].keyMalformed
  }

  /** The key that `#keyFault` read. */
  #keyOf(key: string | undefined): Key | undefined {
    return key === undefined ? undefined : this.#key
  }

  #refused(refusal: Refusal, six: number): Response {
    const { infoHash } = this.#announce.request
    return this.#failure(refusalWords(refusal, infoHash, this.#tracker.policy.schema), six)
  }

  #failure(reason: string, six = this.#six()): Response {
    this.#count(AT.errors, six)
    this.#count(AT.responses, six)
    return new Response(this.#answers.failure(reason), TEXT)
  }

  #unforeseen(what: string, error: unknown): Response {
    const kind = `${what}: ${error instanceof Error ? error.name : typeof error}`
    if (!this.#told.has(kind) && this.#told.size < MOST_KINDS) {
      this.#told.add(kind)
      this.#report(kind, error)
    }
    this.#count(AT.errors)
    this.#count(AT.responses)
    return new Response(null, { status: 500 })
  }
}
