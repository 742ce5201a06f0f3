/**
 * Loads an HTTP tracker (BEP 3, 23, 48) like many clients: connections with one request in flight each, kept open
 * where the tracker allows it.
 */
import { endOfValue } from '../wire/bencode.ts'
import { bencodeOf, type Reading, readAnnounceBody, readScrapeBody } from '../wire/http-client.ts'
import { ACTION } from '../wire/udp.ts'
import { HttpReplies, type HttpReply } from './http-reply.ts'
import { type HttpRequestOptions, HttpRequests } from './http-requests.ts'
import type { Client, Load, Wire, WireOptions } from './load.ts'

/** Before a connection that failed is opened again, so that failures do not become a busy loop. */
const REST_MILLISECONDS = 100

const NOTHING = Buffer.alloc(0)

export interface HttpOptions extends WireOptions, HttpRequestOptions {
  readonly tls: boolean
  /** Certificates are not verified. */
  readonly insecure: boolean
}

export class HttpWire implements Wire {
  load!: Load
  readonly options: HttpOptions
  readonly clients: readonly HttpClient[]
  readonly requests: HttpRequests
  readonly replies = new HttpReplies()
  /** Whether a connection carries more than one request. Some trackers close it without saying so. */
  reuses: boolean

  constructor(options: HttpOptions) {
    this.options = options
    this.reuses = !options.closes
    this.requests = new HttpRequests(options)
    this.clients = Array.from({ length: options.clients }, () => new HttpClient(this))
  }

  close(): void {
    for (const client of this.clients) client.close()
  }
}

class HttpClient implements Client {
  readonly #wire: HttpWire
  #state: 'closed' | 'opening' | 'open' = 'closed'
  #socket: Bun.Socket | undefined
  /** Counts the sockets, so that late events of an old one are ignored. */
  #attempt = 0
  /** Requests in flight, 0 or 1; kind of the last one, and when it was sent. */
  #inFlight = 0
  #kind = 0
  #sentAt = 0
  /** Answers that came over this socket. */
  #answers = 0
  #received: Buffer = NOTHING
  #unsent: Uint8Array = NOTHING
  #wasOpen = false
  /** When it may be opened again. */
  #restsUntil = 0

  constructor(wire: HttpWire) {
    this.#wire = wire
  }

  get inFlight(): number {
    return this.#inFlight
  }

  room(now: number): number {
    if (this.#state === 'closed') return Number(now >= this.#restsUntil)
    return this.#state === 'open' ? 1 - this.#inFlight : 0
  }

  /** Opening is charged to the rate in place of the first request, which is sent as soon as it is open. */
  send(_count: number, now: number): void {
    if (this.#state === 'closed') this.#open()
    else this.#ask(now)
  }

  giveUp(latest: number): void {
    if (this.#inFlight === 0 || this.#sentAt > latest) return
    this.#wire.load.tally.kinds[this.#kind]!.lost++
    this.close()
  }

  /** Gives up the request in flight without counting it; no more events come from this socket. */
  close(): void {
    this.#attempt++
    this.#state = 'closed'
    this.#inFlight = 0
    this.#unsent = NOTHING
    this.#socket?.terminate()
    this.#socket = undefined
  }

  #open(): void {
    const { address, port, host, tls, insecure } = this.#wire.options
    const attempt = ++this.#attempt
    const isCurrent = () => attempt === this.#attempt
    this.#state = 'opening'
    const failed = () => {
      if (isCurrent()) this.#fail('socketErrors')
    }
    Bun.connect({
      hostname: address.ip,
      port,
      ...(tls && { tls: { serverName: host, rejectUnauthorized: !insecure } }),
      socket: {
        open: (socket) => {
          if (!isCurrent()) socket.terminate()
          else if (!tls) this.#opened(socket)
        },
        ...(tls && {
          handshake: (socket: Bun.Socket, success: boolean, doubt: Error | null) => {
            if (isCurrent() && (insecure || (success && !doubt))) return this.#opened(socket)
            socket.terminate()
            failed()
          },
        }),
        data: (_socket, bytes) => {
          if (isCurrent()) this.#take(bytes)
        },
        drain: () => {
          if (isCurrent()) this.#write(this.#unsent)
        },
        close: () => {
          if (isCurrent()) this.#closed()
        },
        error() {},
        connectError: failed,
      },
    }).catch(failed)
  }

  #opened(socket: Bun.Socket): void {
    const { load } = this.#wire
    if (this.#wasOpen) load.tally.reconnects++
    this.#wasOpen = true
    this.#socket = socket
    this.#state = 'open'
    this.#answers = 0
    if (load.isSending) this.#ask(performance.now())
  }
  #fail(cause: 'socketErrors' | 'strays'): void {
    this.close()
    this.#wire.load.tally[cause]++
    this.#restsUntil = performance.now() + REST_MILLISECONDS
  }

  #ask(now: number): void {
    const { load, requests } = this.#wire
    this.#kind = load.draw(false)
    const request = requests.write(this.#kind, load.peerFor(this.#kind))
    load.tally.sent(this.#kind, 1, request.length)
    this.#inFlight = 1
    this.#sentAt = now
    this.#received = NOTHING
    this.#write(request)
  }

  /** `bytes` may be overwritten when this returns. */
  #write(bytes: Uint8Array): void {
    const written = Math.max(0, this.#socket?.write(bytes) ?? 0)
    this.#unsent = written === bytes.length ? NOTHING : bytes.slice(written)
  }

  #take(bytes: Buffer): void {
    this.#wire.load.tally.bytesReceived += bytes.length
    if (this.#inFlight === 0) {
      this.#fail('strays')
      return
    }
    const all = this.#received.length === 0 ? bytes : Buffer.concat([this.#received, bytes])
    const reply = this.#wire.replies.read(all, false)
    // The socket reuses the memory of `bytes`.
    if (reply === 'more') this.#received = all === bytes ? Buffer.from(bytes) : all
    else this.#replied(reply)
  }

  #replied(reply: HttpReply | 'bad'): void {
    const { load, reuses } = this.#wire
    const counts = load.tally.kinds[this.#kind]!
    const now = performance.now()
    counts.latency.record(now - this.#sentAt)
    this.#inFlight = 0
    this.#answers++
    counts[reply === 'bad' ? 'malformed' : this.#judge(reply)]++
    if (reply === 'bad' || !reply.staysOpen || !reuses) this.close()
    if (reply !== 'bad') load.offer(this, now)
  }

  #judge({ status, body }: HttpReply): 'answers' | 'errors' | 'malformed' {
    const { tally } = this.#wire.load
    const reading = this.#kind === ACTION.announce ? readPeerCount(body) : readScrapeBody(body)
    if ('failure' in reading || status !== 200) {
      tally.countText('failure' in reading ? reading.failure : `HTTP status ${status}`)
      return 'errors'
    }
    if ('fault' in reading) return 'malformed'
    if (typeof reading.answer === 'number') tally.peersTold += reading.answer
    return 'answers'
  }

  /** The server closed the connection. */
  #closed(): void {
    const { load, replies } = this.#wire
    const isOpening = this.#state === 'opening'
    const isWaiting = this.#inFlight > 0
    const isUnheard = this.#received.length === 0 && this.#answers > 0
    const reply = isWaiting ? replies.read(this.#received, true) : 'bad'
    this.close()
    const counts = load.tally.kinds[this.#kind]!
    if (isOpening) this.#fail('socketErrors')
    else if (reply !== 'bad' && reply !== 'more') this.#replied(reply)
    else if (isWaiting && isUnheard) {
      // It had been closed before the request came, which therefore does not count as sent.
      this.#wire.reuses = false
      counts.requests--
      load.offer(this, performance.now())
    } else if (isWaiting) {
      counts.lost++
      this.#restsUntil = performance.now() + REST_MILLISECONDS
    }
  }
}

/** Peers in the answer to an announce. */
function readPeerCount(body: Buffer): Reading<number> {
  const peers = countPeers(bencodeOf(body))
  if (peers !== undefined) return { answer: peers }
  const reading = readAnnounceBody(body)
  return 'answer' in reading ? { answer: reading.answer.peers.length } : reading
}

const [D] = Buffer.from('d')
const [PEERS, PEERS6, INTERVAL, FAILURE] = ['5:peers', '6:peers6', '8:interval', 'failure'].map(
  Buffer.from,
)

/**
 * Peers in an answer of the usual, compact form; undefined: it must be read to be judged, which takes as long as all
 * the rest of a request.
 */
function countPeers(body: Buffer): number | undefined {
  if (body[0] !== D || endOfValue(body, 0) !== body.length) return undefined
  if (!body.includes(INTERVAL!) || body.includes(FAILURE!)) return undefined
  const four = stringBytes(body, PEERS!) / 6
  const six = stringBytes(body, PEERS6!) / 18
  return Number.isInteger(four) && Number.isInteger(six) ? four + six : undefined
}

/** Length of the string behind a key; 0: the key is missing; NaN: another value. */
function stringBytes(body: Buffer, key: Buffer): number {
  const at = body.indexOf(key)
  if (at < 0) return 0
  const from = at + key.length
  return Number.parseInt(body.toString('latin1', from, from + 6), 10)
}
