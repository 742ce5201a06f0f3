/**
 * Loads an HTTP tracker (BEP 3, 23, 48) as many clients at once: connections with one request in flight each,
 * kept open where the tracker allows it.
 */

import { type AnnounceEvent, EVENT, INFO_HASH_BYTES, PEER_ID_BYTES } from '../bittorrent.ts'
import { requestTarget } from '../client/tracker-url.ts'
import { joinPort } from '../wire/address.ts'
import {
  announceQuery,
  readAnnounceBody,
  readScrapeBody,
  scrapeQuery,
} from '../wire/http-client.ts'
import { ACTION } from '../wire/udp.ts'
import { HttpConnection, type HttpReply, type HttpTarget } from './http-connection.ts'
import { type Course, type Generator, type LoadOptions, MIXED } from './load-run.ts'
import { CLIENT, LEFT, type Population, Random } from './population.ts'

/** A connection that failed is not opened again at once: it might fail as fast. */
const REST_MILLISECONDS = 100

const MIXED_SUM = MIXED.announce + MIXED.scrape

export interface HttpLoadOptions extends LoadOptions, HttpTarget {
  /** A connection for each request. */
  readonly closes: boolean
}

export class HttpLoad implements Generator {
  readonly #options: HttpLoadOptions
  readonly #course: Course
  readonly #random: Random
  readonly #requests: HttpRequests
  readonly #connections: readonly HttpConnection[]
  /** Connections that are not the first of their client. */
  readonly #opened = new Set<HttpConnection>()
  /** Connections whose next request is within the rate already. */
  readonly #paid = new Set<HttpConnection>()
  /** Whether an answer is followed by another request on its connection. Some trackers close it without saying so. */
  #reuses: boolean
  /** Who sends first, in turns: with a rate there is not enough for all. */
  #first = 0

  constructor(options: HttpLoadOptions, course: Course) {
    this.#options = options
    this.#course = course
    this.#random = new Random(options.seed)
    this.#reuses = !options.closes
    const host = joinPort(options.host, options.port)
    this.#requests = new HttpRequests(options.population, { ...options, host })
    const events = {
      opened: (connection: HttpConnection) => this.#begin(connection),
      failed: (connection: HttpConnection) => this.#rest(connection, 'socketErrors'),
      received: (bytes: number) => {
        course.tally.bytesReceived += bytes
      },
      replied: (connection: HttpConnection, reply: HttpReply | 'bad') =>
        this.#take(connection, reply),
      lost: (connection: HttpConnection, isUnheard: boolean) => this.#lose(connection, isUnheard),
      strayed: (connection: HttpConnection) => this.#rest(connection, 'strays'),
    }
    this.#connections = Array.from(
      { length: options.clients },
      () => new HttpConnection(options, events),
    )
  }

  get inFlight(): number {
    return this.#connections.reduce((sum, { isWaiting }) => sum + Number(isWaiting), 0)
  }

  turn(now: number): void {
    const latest = now - this.#course.options.timeoutMilliseconds
    this.#first = (this.#first + 1) % this.#connections.length
    for (let i = 0; i < this.#connections.length; i++) {
      const connection = this.#connections[(this.#first + i) % this.#connections.length]!
      if (connection.isWaiting && connection.sentAt <= latest) this.#giveUp(connection)
      this.#sendOne(connection, now)
    }
  }

  close(): void {
    for (const connection of this.#connections)
      if (connection.isWaiting) this.#giveUp(connection)
      else connection.close()
  }

  #giveUp(connection: HttpConnection): void {
    this.#course.tally.kinds[connection.kind]!.lost++
    connection.close()
  }

  #begin(connection: HttpConnection): void {
    if (this.#opened.has(connection)) this.#course.tally.reconnects++
    this.#opened.add(connection)
    this.#sendOne(connection, performance.now())
  }

  #lose(connection: HttpConnection, isUnheard: boolean): void {
    const counts = this.#course.tally.kinds[connection.kind]!
    if (isUnheard) {
      // It met a connection that was closed already: it is as if it had not been sent.
      this.#reuses = false
      counts.requests--
      this.#sendOne(connection, performance.now())
      return
    }
    counts.lost++
    connection.restsUntil = performance.now() + REST_MILLISECONDS
  }

  #rest(connection: HttpConnection, because: 'socketErrors' | 'strays'): void {
    this.#course.tally[because]++
    connection.restsUntil = performance.now() + REST_MILLISECONDS
  }

  // ---- requests ----

  #sendOne(connection: HttpConnection, now: number): void {
    const { pace, tally, isSending } = this.#course
    if (!isSending || connection.isWaiting || connection.state === 'opening') return
    if (connection.state === 'closed') {
      if (now < connection.restsUntil || pace.allowed(now) < 1) return
      // Opening it counts against the rate, and its first request no more.
      pace.spend(1)
      this.#paid.add(connection)
      connection.open()
      return
    }
    if (!this.#paid.delete(connection)) {
      if (pace.allowed(now) < 1) return
      pace.spend(1)
    }
    const kind = this.#choose()
    const request = this.#write(kind)
    tally.kinds[kind]!.requests++
    tally.bytesSent += request.length
    connection.send(kind, request, now)
  }

  #choose(): number {
    const isScrape =
      this.#options.mix === 'mixed' && this.#random.word() % MIXED_SUM >= MIXED.announce
    return isScrape ? ACTION.scrape : ACTION.announce
  }

  /** A scrape asks for the torrent of any peer, which leaves whose turn it is to announce. */
  #write(kind: number): Uint8Array {
    const { population } = this.#options
    if (kind === ACTION.announce) return this.#requests.announce(population.nextPeer())
    return this.#requests.scrape(this.#random.word() % population.peers)
  }

  // ---- answers ----

  #take(connection: HttpConnection, reply: HttpReply | 'bad'): void {
    const counts = this.#course.tally.kinds[connection.kind]!
    const now = performance.now()
    counts.latency.record(now - connection.sentAt)
    if (reply === 'bad') {
      counts.malformed++
      return
    }
    counts[this.#judge(connection.kind, reply)]++
    if (!reply.staysOpen || !this.#reuses) connection.close()
    this.#sendOne(connection, now)
  }

  #judge(kind: number, { status, body }: HttpReply): 'answers' | 'errors' | 'malformed' {
    const { tally } = this.#course
    const reading = kind === ACTION.announce ? readAnnounceBody(body) : readScrapeBody(body)
    if ('failure' in reading) {
      tally.say(reading.failure)
      return 'errors'
    }
    if (status !== 200) {
      tally.say(`HTTP status ${status}`)
      return 'errors'
    }
    if ('fault' in reading) return 'malformed'
    if ('peers' in reading.answer) tally.peersTold += reading.answer.peers.length
    return 'answers'
  }
}

/** Stands for what is put in; nothing else in a request looks like them. */
const HASH = new Uint8Array(INFO_HASH_BYTES).fill(0xff)
const ESCAPED_HASH = '%FF'.repeat(INFO_HASH_BYTES)
const NUMBER = '0'.repeat(PEER_ID_BYTES - CLIENT.length)
const PORT = 10_000

const HEXADECIMAL = Buffer.from('0123456789ABCDEF')

export interface HttpRequestOptions {
  /** Path and query of the announce URL. */
  readonly path: string
  /** For the header: name and port. */
  readonly host: string
  readonly want: number
  /** A connection for each request. */
  readonly closes: boolean
}

/** One request: its bytes, and where the parts that differ stand (`numberEnd` is behind the digits). */
interface Form {
  readonly bytes: Buffer
  readonly hash: number
  readonly numberEnd: number
  readonly port: number
}

export class HttpRequests {
  readonly #population: Population
  readonly #infoHash = new Uint8Array(INFO_HASH_BYTES)
  /** By event, then whether it is a seeder. */
  readonly #announces: Readonly<Record<'started' | 'none', readonly [Form, Form]>>
  readonly #scrape: Form

  constructor(population: Population, options: HttpRequestOptions) {
    this.#population = population
    const announces = (event: AnnounceEvent): [Form, Form] => [
      announceForm(options, event, LEFT),
      announceForm(options, event, 0),
    ]
    this.#announces = { started: announces(EVENT.started), none: announces(EVENT.none) }
    this.#scrape = form(requestText(options, 'scrape', scrapeQuery([HASH])))
  }

  /** The bytes are good until the next request is asked for, and so are those of `scrape`. */
  announce(peer: number): Buffer {
    const population = this.#population
    const forms = this.#announces[population.isKnown ? 'none' : 'started']
    const { bytes, hash, numberEnd, port } = forms[population.isSeeder(peer) ? 1 : 0]
    this.#writeHash(peer, bytes, hash)
    population.writeNumber(peer, bytes, numberEnd)
    let rest = population.portOf(peer)
    for (let i = String(PORT).length - 1; i >= 0; i--) {
      bytes[port + i] = 0x30 + (rest % 10)
      rest = (rest / 10) | 0
    }
    return bytes
  }

  /** Of the torrent of `peer`. */
  scrape(peer: number): Buffer {
    this.#writeHash(peer, this.#scrape.bytes, this.#scrape.hash)
    return this.#scrape.bytes
  }

  #writeHash(peer: number, bytes: Buffer, at: number): void {
    this.#population.copyInfoHash(peer, this.#infoHash)
    for (let i = 0; i < INFO_HASH_BYTES; i++) {
      const byte = this.#infoHash[i]!
      bytes[at + i * 3 + 1] = HEXADECIMAL[byte >> 4]!
      bytes[at + i * 3 + 2] = HEXADECIMAL[byte & 15]!
    }
  }
}

function announceForm(options: HttpRequestOptions, event: AnnounceEvent, left: number): Form {
  const fields = {
    infoHash: HASH,
    peerId: Buffer.from(CLIENT + NUMBER),
    port: PORT,
    uploaded: 0,
    downloaded: 0,
    left,
    event,
    compact: true,
    want: options.want,
    key: 1,
  }
  return form(requestText(options, 'announce', announceQuery(fields)))
}

/** Asks for no compression: all trackers are to do the same work. */
function requestText(
  options: HttpRequestOptions,
  kind: 'announce' | 'scrape',
  query: string,
): string {
  return [
    `GET ${requestTarget(options.path, kind, query)} HTTP/1.1`,
    `Host: ${options.host}`,
    'User-Agent: tracker-bench',
    `Connection: ${options.closes ? 'close' : 'keep-alive'}`,
    '\r\n',
  ].join('\r\n')
}

/** The parts that differ are behind the last ones of their names: a path may hold anything. */
const form = (text: string): Form => ({
  bytes: Buffer.from(text),
  hash: text.lastIndexOf(ESCAPED_HASH),
  numberEnd: text.lastIndexOf(NUMBER) + NUMBER.length,
  port: text.lastIndexOf(`port=${PORT}`) + 'port='.length,
})
