/**
 * Loads an HTTP tracker (BEP 3, 23, 48) as many clients at once: connections with one request in flight each,
 * kept open where the tracker allows it.
 */
import { joinPort } from '../wire/address.ts'
import { readAnnounceBody, readScrapeBody } from '../wire/http-client.ts'
import { ACTION } from '../wire/udp.ts'
import { HttpConnection, type HttpTarget } from './http-connection.ts'
import type { HttpReply } from './http-reply.ts'
import { HttpRequests } from './http-request.ts'
import { type LoadOptions, MIXED } from './load-options.ts'
import type { Course, Generator } from './load-run.ts'
import { Random } from './population.ts'

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
