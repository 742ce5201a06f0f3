/**
 * Loads an HTTP tracker (BEP 3, 23, 48) like many clients: connections with one request in flight each, kept open
 * where the tracker allows it.
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
import { type LoadGenerator, type LoadOptions, type LoadRun, MIXED } from './load-run.ts'
import { CLIENT, LEFT, type Population, Random } from './population.ts'

/** Before a connection that failed is opened again, so that failures do not become a busy loop. */
const REST_MILLISECONDS = 100

const MIXED_SUM = MIXED.announce + MIXED.scrape

export interface HttpLoadOptions extends LoadOptions, HttpTarget {
  /** A connection for each request. */
  readonly closes: boolean
}

export class HttpLoad implements LoadGenerator {
  readonly #options: HttpLoadOptions
  readonly #run: LoadRun
  readonly #random: Random
  readonly #requests: HttpRequestWriter
  readonly #connections: readonly HttpConnection[]
  /** Connections that were open before: opening them again is a reconnect. */
  readonly #opened = new Set<HttpConnection>()
  /** Connections whose next request has been charged to the rate already. */
  readonly #paid = new Set<HttpConnection>()
  /** Whether a connection carries more than one request. Some trackers close it without saying so. */
  #reuses: boolean
  /** The connection that sends first. It changes every turn, because a rate may not allow a request for each. */
  #first = 0

  constructor(options: HttpLoadOptions, run: LoadRun) {
    this.#options = options
    this.#run = run
    this.#random = new Random(options.seed)
    this.#reuses = !options.closes
    const host = joinPort(options.host, options.port)
    this.#requests = new HttpRequestWriter(options.population, { ...options, host })
    const events = {
      opened: (connection: HttpConnection) => this.#begin(connection),
      failed: (connection: HttpConnection) => this.#rest(connection, 'socketErrors'),
      received: (bytes: number) => {
        run.tally.bytesReceived += bytes
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
    const latest = now - this.#run.options.timeoutMilliseconds
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
    this.#run.tally.kinds[connection.kind]!.lost++
    connection.close()
  }

  #begin(connection: HttpConnection): void {
    if (this.#opened.has(connection)) this.#run.tally.reconnects++
    this.#opened.add(connection)
    this.#sendOne(connection, performance.now())
  }

  #lose(connection: HttpConnection, isUnheard: boolean): void {
    const counts = this.#run.tally.kinds[connection.kind]!
    if (isUnheard) {
      // The connection had been closed before the request came: it does not count as sent.
      this.#reuses = false
      counts.requests--
      this.#sendOne(connection, performance.now())
      return
    }
    counts.lost++
    connection.restsUntil = performance.now() + REST_MILLISECONDS
  }

  #rest(connection: HttpConnection, cause: 'socketErrors' | 'strays'): void {
    this.#run.tally[cause]++
    connection.restsUntil = performance.now() + REST_MILLISECONDS
  }

  #sendOne(connection: HttpConnection, now: number): void {
    const { pace, tally, isSending } = this.#run
    if (!isSending || connection.isWaiting || connection.state === 'opening') return
    if (connection.state === 'closed') {
      if (now < connection.restsUntil || pace.allowed(now) < 1) return
      // Opening is charged to the rate in place of the first request.
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

  /** Scrapes draw a peer and do not change whose turn it is to announce. */
  #write(kind: number): Uint8Array {
    const { population } = this.#options
    if (kind === ACTION.announce) return this.#requests.announce(population.nextPeer())
    return this.#requests.scrape(this.#random.word() % population.peers)
  }

  #take(connection: HttpConnection, reply: HttpReply | 'bad'): void {
    const counts = this.#run.tally.kinds[connection.kind]!
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
    const { tally } = this.#run
    const reading = kind === ACTION.announce ? readAnnounceBody(body) : readScrapeBody(body)
    if ('failure' in reading) {
      tally.countText(reading.failure)
      return 'errors'
    }
    if (status !== 200) {
      tally.countText(`HTTP status ${status}`)
      return 'errors'
    }
    if ('fault' in reading) return 'malformed'
    if ('peers' in reading.answer) tally.peersTold += reading.answer.peers.length
    return 'answers'
  }
}

/** Placeholders: for each peer they are overwritten. */
const HASH = new Uint8Array(INFO_HASH_BYTES).fill(0xff)
const ESCAPED_HASH = '%FF'.repeat(INFO_HASH_BYTES)
const NUMBER = '0'.repeat(PEER_ID_BYTES - CLIENT.length)
const PORT = 10_000

const HEXADECIMAL = Buffer.from('0123456789ABCDEF')

interface HttpRequestOptions {
  /** Path and query of the announce URL. */
  readonly path: string
  /** Value of the Host header. */
  readonly host: string
  readonly want: number
  /** A connection for each request. */
  readonly closes: boolean
}

/** A request, and where the parts are that differ from peer to peer. */
interface Form {
  readonly bytes: Buffer
  readonly hash: number
  /** Behind the last digit of the peer's number. */
  readonly numberEnd: number
  readonly port: number
}

/**
 * Writes requests: each form once, then only the parts that differ from peer to peer. All requests of a kind have one
 * length.
 */
export class HttpRequestWriter {
  readonly #population: Population
  readonly #infoHash = new Uint8Array(INFO_HASH_BYTES)
  /** By event, then by leecher (0) or seeder (1). */
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

  /** The bytes are overwritten by the next call, as are those of `scrape`. */
  announce(peer: number): Buffer {
    const population = this.#population
    const forms = this.#announces[population.allStarted ? 'none' : 'started']
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

  /** A scrape of the torrent of `peer`. */
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

/** Without Accept-Encoding, so that all trackers do the same work. */
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

/** Finds the last placeholders: the path before the query may look like them. */
const form = (text: string): Form => ({
  bytes: Buffer.from(text),
  hash: text.lastIndexOf(ESCAPED_HASH),
  numberEnd: text.lastIndexOf(NUMBER) + NUMBER.length,
  port: text.lastIndexOf(`port=${PORT}`) + 'port='.length,
})
