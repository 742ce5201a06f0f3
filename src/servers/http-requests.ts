/**
 * What an HTTP tracker does with one request: who asks, what is asked, the tracker's word, the answer
 * (docs/behaviours.md H1–H16). Synchronous from the first line to the last, so that no request waits for
 * another and the reused memory is never shared; a scrape that waits for a stored count does so on memory
 * of its own. Opens no socket.
 */
import { Visitor } from '../access/gate.ts'
import type { Address, ScrapeEntry, ShownKey } from '../bittorrent.ts'
import type { HttpTrackerConfig } from '../config/model.ts'
import { onceEach, type Report } from '../log/report.ts'
import type { Board } from '../memory/board.ts'
import { AT, addTime, type CounterRow, type Kind, REFUSED_AT } from '../memory/counters.ts'
import { type Refusal, refusalText, WARNINGS } from '../refusal.ts'
import type { ListenerRules, Scrape, Tracker } from '../tracker.ts'
import { isUnspecified, parseIp } from '../wire/address.ts'
import { AnnounceQuery, ScrapeQuery } from '../wire/http.ts'
import { HttpAnswers } from '../wire/http-answer.ts'
import { locateConnected, locateForwarded } from './client-address.ts'
import { type Garbage, HTTP_REQUEST } from './garbage.ts'
import { rawPath } from './listen.ts'
import type { RequestLog } from './request-log.ts'

/** What may change while a listener is open. */
export type HttpListenerOptions = {
  readonly listener: HttpTrackerConfig
  readonly listenerRules: ListenerRules
}

export type HttpRequestsOptions = HttpListenerOptions & {
  readonly tracker: Tracker
  readonly counters: CounterRow
  readonly garbage: Garbage
  readonly report: Report
  readonly log: RequestLog
  /** The page for people; undefined: there is none. */
  readonly page?: Board | undefined
}

/** One request of so many is timed. */
const TIMED_EVERY = 7

/** Where a request came from, as the socket knows it; null: the client is gone. */
type PeerAddress = (request: Request) => { readonly address: string } | null

/**
 * For answers without a body only: Bun sends bytes of no stated type as application/octet-stream anyway,
 * and a Response with headers takes three times as long to make.
 */
const BINARY = { headers: { 'content-type': 'application/octet-stream' } }
const TEXT = { headers: { 'content-type': 'text/plain; charset=utf-8' } }
const JSON_TYPE = { headers: { 'content-type': 'application/json' } }
/** Nothing of it is ours to guard; no other site may show it as a part of its own. */
const PAGE = {
  'content-type': 'text/html; charset=utf-8',
  'cache-control': 'max-age=10',
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
  'referrer-policy': 'no-referrer',
}
/** A name or an address, without the port. */
const HOST = /^([\w.-]+|\[[\da-f:.]+\])(?::\d+)?$/i
const ROUTE = /^\/(?:(?:announce|scrape)(?:\/[^/]+)?|[^/]+\/(?:announce|scrape)|health_check)$/
/** `key` is also a parameter of clients (a number that only they know), whose value is shorter. */
const QUERY_KEY = /[?&](?:pass)?key=([0-9A-Za-z]{32})(?![^&#])/
const DNS_NAME = /^(?=.*[a-z])[a-z0-9_-]+(\.[a-z0-9_-]+)*\.?$/i

export class HttpRequests {
  #options: HttpListenerOptions
  readonly #tracker: Tracker
  readonly #counters: CounterRow
  readonly #log: RequestLog
  readonly #peerAddress: PeerAddress
  readonly #report: Report
  readonly #garbage: Garbage
  readonly #visitor = new Visitor('connected')
  readonly #announce = new AnnounceQuery()
  readonly #query = new ScrapeQuery()
  readonly #scrape: Scrape
  readonly #page: Board | undefined
  #answers: HttpAnswers
  /** Version of the rules that the answers follow. */
  #version = 0
  /** Requests since one was timed, and whether the one in hand was answered with what it asked for. */
  #untimed = 0
  #served = false

  constructor(options: HttpRequestsOptions, peerAddress: PeerAddress) {
    this.#options = { listener: options.listener, listenerRules: options.listenerRules }
    this.#tracker = options.tracker
    this.#counters = options.counters
    this.#log = options.log
    this.#peerAddress = peerAddress
    this.#report = onceEach(options.report)
    this.#garbage = options.garbage
    this.#page = options.page
    this.#answers = this.#followRules()
    this.#scrape = this.#scrapeOf(this.#query)
  }

  /** The next request is served by these options. */
  follow({ listener, listenerRules }: HttpListenerOptions): void {
    this.#options = { listener, listenerRules }
  }

  /** `key` is the path segment behind or before `announce`, percent-decoded; undefined: there is none. */
  announce(request: Request, key?: string): Response {
    const began = this.#begin()
    try {
      const response = this.#answerAnnounce(request, key)
      if (began > 0) this.#end('announce', began)
      return response
    } catch (error) {
      return this.#unforeseen('announce', error)
    }
  }

  scrape(request: Request, key?: string): Response | Promise<Response> {
    const began = this.#begin()
    try {
      const response = this.#answerScrape(request, key)
      if (began > 0) this.#end('scrape', began)
      return response
    } catch (error) {
      return this.#unforeseen('scrape', error)
    }
  }

  /** HEAD of a route that exists: the head of a success, and nothing happens. */
  head(request: Request): Response {
    this.#meet(request, undefined)
    this.#received(request.url)
    this.#count(AT.responses)
    return new Response(null, BINARY)
  }

  healthCheck(): Response {
    this.#garbage.made(HTTP_REQUEST)
    return new Response('{"status":"Ok"}', JSON_TYPE)
  }

  /** The page for people, if the listener shows it. */
  page(request: Request): Response {
    const { method, headers } = request
    if (method === 'HEAD' && this.#isPageShown) return this.head(request)
    const text = method === 'GET' && this.#isPageShown ? this.#page?.read() : undefined
    if (text === undefined) return this.other(request)
    this.#meet(request, undefined)
    this.#received(request.url)
    this.#count(AT.responses)
    // It becomes part of a page: nothing but what can only be a host.
    const [, host] = HOST.exec(headers.get('host') ?? '') ?? []
    const body = host === undefined ? text : text.replaceAll('://HOST', `://${host}`)
    return new Response(body, { headers: PAGE })
  }

  get #isPageShown(): boolean {
    return this.#options.listener.public_page
  }

  /** Requests that no route takes: 405 where only the method is wrong, else 404. */
  other(request: Request): Response {
    this.#meet(request, undefined)
    this.#received(request.url)
    this.#log.refused('other', this.#from, 'malformed')
    this.#count(AT.malformed)
    this.#count(AT.responses)
    const known = ROUTE.test(rawPath(request))
    return known && request.method !== 'GET' && request.method !== 'HEAD'
      ? new Response(null, { status: 405, headers: { allow: 'GET,HEAD' } })
      : new Response(null, { status: 404 })
  }

  /** When the request began, in nanoseconds, if it is one whose time is measured; else 0. */
  #begin(): number {
    this.#served = false
    if (++this.#untimed < TIMED_EVERY) return 0
    this.#untimed = 0
    return Bun.nanoseconds()
  }

  #end(kind: Kind, began: number): void {
    if (this.#served) addTime(this.#counters, kind, Bun.nanoseconds() - began)
  }

  #answerAnnounce(request: Request, key: string | undefined): Response {
    const visitor = this.#meet(request, key)
    const { url } = request
    const query = this.#announce
    const announce = query.request
    this.#received(url)

    const problem = query.read(url, url.indexOf('?'))
    if (problem !== undefined) return this.#refused('announce', 'badQuery', problem)
    announce.place(visitor.address)
    if (query.ip !== '' && this.#options.listener.use_ip_from_query_string) this.#believe(query.ip)
    announce.port = query.port

    if (this.#tracker.rules.version !== this.#version) this.#answers = this.#followRules()
    const answer = this.#answers.prepare(announce.family, query.compact)
    const outcome = this.#tracker.announce(visitor, announce, this.#options.listenerRules, answer)
    if (outcome !== 'served') return this.#refused('announce', outcome, announce.infoHash)
    this.#served = true
    this.#count(AT.announces)
    this.#log.served('announce', visitor.address, announce.infoHash)
    const warning = answer.limit && WARNINGS[answer.limit]
    const { compact } = query
    return this.#answered(
      compact ? this.#answers.compact(warning) : this.#answers.dictionaries(warning),
    )
  }

  #answerScrape(request: Request, key: string | undefined): Response | Promise<Response> {
    const visitor = this.#meet(request, key)
    const { url } = request
    const query = this.#query
    this.#received(url)

    const problem = query.read(url, url.indexOf('?'))
    if (problem !== undefined) return this.#refused('scrape', 'badQuery', problem)
    this.#answers.beginScrape()
    const outcome = this.#tracker.scrape(visitor, this.#scrape)
    if (outcome === 'served' || outcome === 'awaited') this.#log.served('scrape', visitor.address)
    if (outcome === 'awaited') {
      const later = this.#scrapeLater(query.infoHashes())
      if (later !== undefined) return later
    } else if (outcome !== 'served') return this.#refused('scrape', outcome)
    this.#served = true
    return this.#scraped(this.#familyOffset)
  }

  /** Answers when stored counts have come. undefined: too many scrapes wait for that already. */
  #scrapeLater(words: Int32Array<ArrayBuffer>): Promise<Response> | undefined {
    const { promise, resolve } = Promise.withResolvers<Response>()
    const familyOffset = this.#familyOffset
    const scrape = this.#scrapeOf({
      bytes: new Uint8Array(words.buffer),
      count: words.length / 5,
      infoHash: (i) => words.subarray(i * 5, i * 5 + 5),
      offset: (i) => i * 20,
    })
    const answer = (fill: (scrape: Scrape) => void) => {
      try {
        this.#answers.beginScrape()
        fill(scrape)
        resolve(this.#scraped(familyOffset))
      } catch (error) {
        resolve(this.#unforeseen('scrape', error))
      }
    }
    return this.#tracker.whenKnown(words, answer) && promise
  }

  /** The info hashes of `query`; their entries go into the answer that was begun. */
  #scrapeOf(query: Pick<ScrapeQuery, 'bytes' | 'count' | 'infoHash' | 'offset'>): Scrape {
    return {
      get count() {
        return query.count
      },
      hash: (i) => query.infoHash(i),
      entry: (i: number, entry: ScrapeEntry) =>
        this.#answers.scraped(query.bytes, query.offset(i), entry),
    }
  }

  /** What was written of a scrape. */
  #scraped(familyOffset: number): Response {
    this.#count(AT.scrapes, familyOffset)
    return this.#answered(this.#answers.endScrape(), familyOffset)
  }

  /** A copy of `body`, which is written over by the next answer. */
  #answered(body: Uint8Array<ArrayBuffer>, familyOffset = this.#familyOffset): Response {
    this.#garbage.made(body.length)
    this.#count(AT.responses, familyOffset)
    this.#counters[AT.bytesSent + familyOffset]! += body.length
    return new Response(body)
  }

  /** Memory of answers, and what they say in advance, as the rules want them now. */
  #followRules(): HttpAnswers {
    // The version before the values: they may change meanwhile.
    const { version, interval, intervalMin, maxPeers } = this.#tracker.rules
    this.#version = version
    return new HttpAnswers({ interval, intervalMin, maxPeers })
  }

  /** The client, with its address, or why that is not known, and the key that it shows. */
  #meet(request: Request, key: string | undefined): Visitor {
    this.#garbage.made(HTTP_REQUEST + request.url.length)
    const visitor = this.#visitor
    // Clients without a known address count as IPv4.
    visitor.address.family = 4
    visitor.fault = this.#options.listener.network.on_reverse_proxy
      ? locateForwarded(request, visitor.address)
      : locateConnected(this.#peerAddress(request), visitor.address)
    visitor.shows = this.#shown(request, key)
    return visitor
  }

  #shown({ url }: Request, key: string | undefined): ShownKey {
    const visitor = this.#visitor
    if (key !== undefined) return visitor.key.read(key) ? 'key' : 'malformed'
    if (!this.#tracker.isPrivate) return 'none'
    const found = QUERY_KEY.exec(url)
    // The fragment is not part of the query (H4).
    if (found === null || url.lastIndexOf('#', found.index) >= 0) return 'none'
    return visitor.key.read(found[1]!) ? 'key' : 'none'
  }

  /** Announces the address that the client itself names: the listener's configuration believes it. */
  #believe(value: string): void {
    const visitor = this.#visitor
    const text = value.replaceAll(/%3a/gi, ':')
    const bytes = parseIp(text)
    if (bytes === undefined) {
      visitor.fault = DNS_NAME.test(text) ? 'addressIsName' : 'addressInvalid'
      return
    }
    const family = bytes.length === 4 ? 4 : 6
    // All zeros is how clients say "where I come from" (BEP 15).
    if (isUnspecified(bytes, family)) return
    const announce = this.#announce.request
    announce.endpoint.set(bytes)
    announce.family = family
    visitor.fault = undefined
  }

  /** What to add to the index of a counter for IPv4: 1 for a client that came over IPv6. */
  get #familyOffset(): number {
    return this.#visitor.address.family === 6 ? 1 : 0
  }

  #received(url: string): void {
    this.#count(AT.received)
    this.#counters[AT.bytesReceived + this.#familyOffset]! += url.length
  }

  /** undefined: it is not known, and that of another request stands in its place. */
  get #from(): Address | undefined {
    const { address, fault } = this.#visitor
    return fault === undefined ? address : undefined
  }

  #count(counter: number, familyOffset = this.#familyOffset): void {
    this.#counters[counter + familyOffset]!++
  }

  /** `detail`: see `refusalText`. */
  #refused(kind: Kind, refusal: Refusal, detail?: Uint8Array | string): Response {
    this.#count(AT.errors)
    this.#count(AT.responses)
    this.#count(REFUSED_AT[kind][refusal])
    this.#log.refused(kind, this.#from, refusal, detail)
    const text = refusalText(refusal, this.#tracker.rules.schema, detail)
    const body = this.#answers.failure(text)
    this.#counters[AT.bytesSent + this.#familyOffset]! += body.length
    return new Response(body, TEXT)
  }

  #unforeseen(what: string, error: unknown): Response {
    this.#report(what, error)
    this.#count(AT.errors)
    this.#count(AT.responses)
    return new Response(null, { status: 500 })
  }
}
