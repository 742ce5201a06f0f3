/**
 * Loads a WebTorrent tracker like many browsers: sockets with one request in flight each, whose offers the tracker relays to
 * other sockets of the load.
 */
import { INFO_HASH_BYTES } from '../bittorrent.ts'
import { ACTION } from '../wire/udp.ts'
import type { Client, Load, Wire, WireOptions } from './load.ts'
import { Random } from './population.ts'
import { WebSocketLink } from './websocket-link.ts'
import { type Kind, WebSocketReply } from './websocket-reply.ts'
import { WebSocketRequests } from './websocket-requests.ts'

/** Before a connection that failed is opened again, so that failures do not become a busy loop. */
const REST_MILLISECONDS = 100

export interface WebSocketOptions extends Omit<WireOptions, 'want'> {
  /** Name of the host, without brackets. */
  readonly host: string
  readonly tls: boolean
  /** Certificates are not verified. */
  readonly insecure: boolean
  /** In each announce. */
  readonly offers: number
  /** Share of the relayed offers that are answered, in percent. */
  readonly answers: number
  /** See `WebSocketRequestOptions`. */
  readonly ascii: boolean
}

export class WebSocketWire implements Wire {
  load!: Load
  readonly options: WebSocketOptions
  readonly clients: readonly WebSocketClient[]
  readonly requests: WebSocketRequests
  readonly reply = new WebSocketReply()
  readonly #random: Random

  constructor(options: WebSocketOptions) {
    this.options = options
    this.requests = new WebSocketRequests(options)
    this.#random = new Random(options.seed)
    this.clients = Array.from({ length: options.clients }, (_, i) => new WebSocketClient(this, i))
  }

  /** Whether the next offer that comes is answered. */
  drawsAnswer(): boolean {
    const { answers } = this.options
    return answers > 0 && this.load.isSending && this.#random.share() * 100 < answers
  }

  close(): void {
    for (const client of this.clients) client.close()
  }
}

class WebSocketClient implements Client {
  readonly #wire: WebSocketWire
  /** The number in its peer id. */
  readonly #number: number
  #link: WebSocketLink | undefined
  /** Requests in flight, 0 or 1; kind of the last one, its info hash, and when it was sent. */
  #inFlight = 0
  #kind = 0
  readonly #infoHash = new Uint8Array(INFO_HASH_BYTES)
  #sentAt = 0
  /** The peers that have announced themselves here. A tracker may take one that moves to another socket for a thief. */
  readonly #peers: number[] = []
  #nextPeer = 0
  #wasOpen = false
  /** When it may be opened again. */
  #restsUntil = 0

  constructor(wire: WebSocketWire, number: number) {
    this.#wire = wire
    this.#number = number
  }

  get inFlight(): number {
    return this.#inFlight
  }

  room(now: number): number {
    if (this.#link === undefined) return Number(now >= this.#restsUntil)
    return this.#link.isOpen ? 1 - this.#inFlight : 0
  }

  /** Opening is charged to the rate in place of the first request, which is sent as soon as it is open. */
  send(_count: number, now: number): void {
    if (this.#link === undefined) this.#open()
    else this.#ask(now)
  }

  /** The answer may still come: it is a stray then. */
  giveUp(latest: number): void {
    if (this.#inFlight === 0 || this.#sentAt > latest) return
    this.#wire.load.tally.kinds[this.#kind]!.lost++
    this.#inFlight = 0
  }

  /** Gives up the request in flight without counting it. */
  close(): void {
    this.#inFlight = 0
    this.#link?.close()
    this.#link = undefined
  }

  #open(): void {
    const { options } = this.#wire
    this.#link = new WebSocketLink(options, options.pathOf(this.#number), {
      opened: () => this.#opened(),
      received: (count) => {
        this.#wire.load.tally.bytesReceived += count
      },
      take: (bytes, from, to) => this.#take(bytes, from, to),
      ended: (cause, why) => {
        const { tally } = this.#wire.load
        if (cause === 'refused') tally.countText(why)
        this.#ended(cause === 'closed' ? undefined : 'socketErrors')
      },
    })
  }

  #opened(): void {
    const { load } = this.#wire
    if (this.#wasOpen) load.tally.reconnects++
    this.#wasOpen = true
    if (load.isSending) this.#ask(performance.now())
  }

  #ended(cause: 'socketErrors' | undefined): void {
    const { tally } = this.#wire.load
    if (this.#inFlight > 0) tally.kinds[this.#kind]!.lost++
    if (cause) tally[cause]++
    this.#link = undefined
    this.#inFlight = 0
    this.#restsUntil = performance.now() + REST_MILLISECONDS
  }

  #ask(now: number): void {
    const { load, requests } = this.#wire
    this.#kind = load.draw(false)
    const request = requests.write(this.#kind, this.#peerFor(), this.#number)
    requests.copyInfoHash(this.#infoHash)
    load.tally.sent(this.#kind, 1, request.length)
    this.#inFlight = 1
    this.#sentAt = now
    this.#link!.send(request)
  }

  #peerFor(): number {
    const { load, options } = this.#wire
    const { population } = options
    if (this.#kind === ACTION.announce && !population.allStarted) {
      const peer = load.peerFor(this.#kind)
      this.#peers.push(peer)
      return peer
    }
    if (this.#peers.length === 0) return load.peerFor(ACTION.scrape)
    return this.#peers[this.#nextPeer++ % this.#peers.length]!
  }

  #take(bytes: Buffer, from: number, to: number): void {
    const { load, reply } = this.#wire
    const { tally } = load
    const answers = this.#wire.drawsAnswer()
    const kind = reply.read(bytes, from, to, answers)
    if (kind === 'answer') tally.answersReceived++
    else if (kind === 'offer') {
      tally.offersReceived++
      if (answers) this.#answer()
    } else if (this.#isAnswered(kind)) this.#replied(kind)
    else {
      tally.strays++
      if (kind === 'failure') tally.countText(reply.failure)
    }
  }

  #answer(): void {
    const { load, requests, reply } = this.#wire
    const message = requests.writeAnswer(reply, this.#number)
    load.tally.answersSent++
    load.tally.bytesSent += message.length
    this.#link!.send(message)
  }

  /** Answers have no number: they are told apart by their info hash. Some trackers send one for each offer answered, too. */
  #isAnswered(kind: Kind): boolean {
    if (this.#inFlight === 0) return false
    if (kind === 'scraped') return this.#kind === ACTION.scrape
    if (kind === 'announced' && this.#kind !== ACTION.announce) return false
    const { infoHash, hasInfoHash } = this.#wire.reply
    if (kind === 'garbage' || !hasInfoHash) return true
    for (let i = 0; i < INFO_HASH_BYTES; i++) if (infoHash[i] !== this.#infoHash[i]) return false
    return true
  }

  #replied(kind: Kind): void {
    const { load, reply } = this.#wire
    const counts = load.tally.kinds[this.#kind]!
    const now = performance.now()
    counts.latency.record(now - this.#sentAt)
    this.#inFlight = 0
    if (kind === 'failure') {
      counts.errors++
      load.tally.countText(reply.failure)
    } else counts[kind === 'garbage' ? 'malformed' : 'answers']++
    load.offer(this, now)
  }
}
