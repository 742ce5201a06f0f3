/** Asks one UDP tracker at one address (BEP 15, 41). */
import { type Family, INFO_HASH_BYTES } from '../bittorrent.ts'
import { LIMITS } from '../limits.ts'
import { several } from '../text/figures.ts'
import { oneLine } from '../text/printable.ts'
import { errorCode } from '../text/system-errors.ts'
import { joinPort } from '../wire/address.ts'
import { ACTION, readI32 } from '../wire/udp.ts'
import {
  ANSWER_HEADER,
  type AnnounceQuestion,
  type Connection,
  REQUEST,
  readAnnounceAnswer,
  readConnection,
  readScrapeAnswer,
  urlDataBytes,
  writeAnnounceRequest,
  writeConnectRequest,
  writeScrapeRequest,
  writeUrlData,
} from '../wire/udp-client.ts'
import type { ScrapeReply, TrackerClient } from './client.ts'
import { ClientFailure, type FailureKind, noAnswerWithin, unreachableBy } from './failure.ts'
import type { Address } from './resolve.ts'
import { urlData } from './tracker-url.ts'

/** How long a client may use a connection id (BEP 15). */
const CONNECTION_MILLISECONDS = 60_000

export interface UdpOptions {
  /** Time limit of each request, its repetitions included. */
  readonly milliseconds: number
  /** How often a request is sent while no answer comes; each wait is twice the one before. */
  readonly attempts?: number
  /** Path and query of the announce URL; may hold an auth key. */
  readonly path?: string
}

type Socket = Bun.udp.ConnectedSocket<'buffer'>

/** The answer that is awaited. */
interface Waiting {
  readonly transaction: number
  resolve(packet: Uint8Array): void
  reject(failure: ClientFailure): void
}

/** One request at a time. Every request rejects with `ClientFailure` and nothing else. */
export class UdpClient implements TrackerClient {
  readonly mostHashes = LIMITS.udpScrapeHashes
  readonly takesPeersAlong = false
  readonly #where: string
  readonly #family: Family
  readonly #milliseconds: number
  readonly #attempts: number
  readonly #path: string
  #socket!: Socket
  #connection: (Connection & { readonly since: number }) | undefined
  #waiting: Waiting | undefined
  /** Datagrams that arrived and did not answer the request. */
  #strays = 0

  static async open(address: Address, port: number, options: UdpOptions): Promise<UdpClient> {
    const client = new UdpClient(address, port, options)
    try {
      client.#socket = await Bun.udpSocket({
        hostname: address.family === 4 ? '0.0.0.0' : '::',
        connect: { hostname: address.ip, port },
        socket: {
          data: (_socket, packet) => client.#take(packet),
          error: (error) => client.#waiting?.reject(client.#unreachable(error)),
        },
      })
    } catch (error) {
      throw client.#unreachable(error)
    }
    return client
  }

  private constructor(
    address: Address,
    port: number,
    { milliseconds, attempts = 3, path = '' }: UdpOptions,
  ) {
    this.#where = `udp://${joinPort(address.ip, port)}`
    this.#family = address.family
    this.#milliseconds = milliseconds
    this.#attempts = attempts
    this.#path = urlData(path)
  }

  get localPort(): number {
    return this.#socket.port
  }

  /** Asks for a new connection id, even if the old one is still good. */
  async connect(): Promise<void> {
    const { packet } = await this.#ask(ACTION.connect, REQUEST.connect, writeConnectRequest)
    const connection = readConnection(packet)
    if (!connection) throw this.#garbage(ACTION.connect, packet)
    this.#connection = { ...connection, since: performance.now() }
  }

  /** With the transaction id, signed. */
  async announce(question: AnnounceQuestion) {
    const connection = await this.#connected()
    const length = REQUEST.announce + urlDataBytes(this.#path)
    const { transaction, packet } = await this.#ask(ACTION.announce, length, (out, at, id) => {
      writeAnnounceRequest(out, at, connection, id, question)
      writeUrlData(out, REQUEST.announce, this.#path)
    })
    const answer = readAnnounceAnswer(packet, this.#family)
    if (!answer) throw this.#garbage(ACTION.announce, packet)
    return { ...answer, transaction }
  }

  /** Of a tracker that answers fewer entries than it was asked for, those are of the first hashes. */
  async scrape(hashes: readonly Uint8Array[]): Promise<ScrapeReply> {
    const connection = await this.#connected()
    const length = REQUEST.header + INFO_HASH_BYTES * hashes.length
    const { transaction, packet } = await this.#ask(ACTION.scrape, length, (out, at, id) =>
      writeScrapeRequest(out, at, connection, id, hashes),
    )
    const entries = readScrapeAnswer(packet)
    if (!entries || entries.length > hashes.length) throw this.#garbage(ACTION.scrape, packet)
    return { transaction, entries: new Map(entries.map((entry, i) => [hashes[i]!.toHex(), entry])) }
  }

  [Symbol.dispose](): void {
    this.#socket.close()
  }

  async #connected(): Promise<Connection> {
    const old = this.#connection
    if (!old || performance.now() - old.since > CONNECTION_MILLISECONDS) await this.connect()
    return this.#connection!
  }

  /**
   * The answer with this action to the request of `length` bytes that `write` makes. Sends again while none comes,
   * since either datagram may be lost.
   */
  async #ask(
    action: number,
    length: number,
    write: (out: Uint8Array, at: number, transaction: number) => void,
  ): Promise<{ transaction: number; packet: Uint8Array }> {
    const transaction = crypto.getRandomValues(new Int32Array(1))[0]!
    const request = new Uint8Array(length)
    write(request, 0, transaction)
    const { promise, resolve, reject } = Promise.withResolvers<Uint8Array>()
    this.#waiting = { transaction, resolve, reject }
    this.#strays = 0
    const limit = setTimeout(() => reject(this.#late()), this.#milliseconds)
    let wait = this.#milliseconds / (2 ** this.#attempts - 1)
    let left = this.#attempts
    let again: Timer | undefined
    const send = () => {
      try {
        this.#socket.send(request)
      } catch (error) {
        reject(this.#unreachable(error))
      }
      if (--left > 0) again = setTimeout(send, wait)
      wait *= 2
    }
    send()
    try {
      const packet = await promise
      const answered = readI32(packet, 0)
      if (answered === action) return { transaction, packet }
      if (answered !== ACTION.error) throw this.#garbage(action, packet)
      const text = oneLine(Buffer.from(packet.subarray(ANSWER_HEADER)).toString())
      throw new ClientFailure('refusal', text, transaction)
    } finally {
      this.#waiting = undefined
      clearTimeout(limit)
      clearTimeout(again)
    }
  }

  #take(packet: Uint8Array): void {
    const waiting = this.#waiting
    if (!waiting) return
    // A sender without the transaction id did not see the request.
    if (packet.length < ANSWER_HEADER || readI32(packet, 4) !== waiting.transaction) this.#strays++
    // The socket reuses its memory, hence the copy.
    else waiting.resolve(packet.slice())
  }

  #late(): ClientFailure {
    const strays =
      this.#strays === 0
        ? ''
        : `, but ${several(this.#strays, 'datagram')} without the transaction id of the request`
    return this.#failure('timeout', noAnswerWithin(this.#milliseconds) + strays)
  }

  #garbage(action: number, packet: Uint8Array): ClientFailure {
    const bytes = packet.subarray(0, 16).toHex()
    const what = `action ${readI32(packet, 0)}, ${packet.length} bytes: ${bytes}…`
    return this.#failure('garbage', `not an answer to ${NAMES[action]} (${what})`)
  }

  #unreachable(error: unknown): ClientFailure {
    const code = errorCode(error) || String(error)
    return this.#failure('connect', unreachableBy(code) ?? code)
  }

  #failure(kind: FailureKind, what: string): ClientFailure {
    return new ClientFailure(kind, `${this.#where}: ${what}`)
  }
}

/** By action. */
const NAMES = ['a connect', 'an announce', 'a scrape']
