/**
 * Loads a UDP tracker (BEP 15, auth keys by BEP 41) like many clients: sockets with a window of requests in flight
 * each. A request allocates nothing.
 */
import {
  type AnnounceEvent,
  EVENT,
  endpointBytes,
  INFO_HASH_BYTES,
  PEER_ID_BYTES,
} from '../bittorrent.ts'
import { ClientFailure } from '../client/failure.ts'
import { urlData } from '../client/tracker-url.ts'
import { type Libc, libc } from '../servers/libc.ts'
import { ACTION, ANSWER, readI32 } from '../wire/udp.ts'
import {
  ANSWER_HEADER,
  type Connection,
  REQUEST,
  urlDataBytes,
  writeAnnounceRequest,
  writeConnectRequest,
  writeScrapeRequest,
  writeUrlData,
} from '../wire/udp-client.ts'
import type { Client, Load, Wire, WireOptions } from './load.ts'
import { CLIENT, Random } from './population.ts'
import { KINDS } from './tally.ts'
import { BATCH, DirectSockets, Outgoing, openBunSocket, type UdpSocket } from './udp-socket.ts'

/** How long a connection id is used (BEP 15), and how often one is asked for while there is none. */
const CONNECTION_MILLISECONDS = 60_000
const ASK_AGAIN_MILLISECONDS = 1_000

/** A transaction id is the number of a slot in the low bits, and how often the slot was used above them. */
const SLOT_BITS = 8
const USES = 2 ** (32 - SLOT_BITS) - 1
export const MAX_WINDOW = 2 ** SLOT_BITS
/** In place of a kind: the slot is free. */
const FREE = 255

/** A socket of Bun that receives more datagrams than this many windows in one turn of the event loop is flooded. */
const FLOOD_WINDOWS = 4
const FLOOD_SPARE = 256

export interface UdpOptions extends WireOptions {
  /** Requests in flight of each socket, up to `MAX_WINDOW`. */
  readonly window: number
}

export class UdpWire implements Wire {
  load!: Load
  readonly options: UdpOptions
  readonly clients: readonly UdpClient[]
  readonly read: ((waitMilliseconds: number) => boolean) | undefined
  readonly outgoing: Outgoing
  readonly #sockets: DirectSockets | undefined
  readonly #fields = {
    infoHash: new Uint8Array(INFO_HASH_BYTES),
    peerId: new Uint8Array(PEER_ID_BYTES),
    downloaded: 0,
    left: 0,
    uploaded: 0,
    event: EVENT.none as AnnounceEvent,
    key: 0,
    want: 0,
    port: 0,
  }
  readonly #scraped = [this.#fields.infoHash]
  #closed = false

  /**
   * `system`: the calls of the C library; null: Bun's sockets are used, as where there are none. Rejects with
   * `ClientFailure` when a socket cannot be opened.
   */
  static async open(options: UdpOptions, system: Libc | null = libc() ?? null): Promise<UdpWire> {
    const announce = REQUEST.announce + urlDataBytes(urlData(options.pathOf(0)))
    const outgoing = new Outgoing([REQUEST.connect, announce, REQUEST.header + INFO_HASH_BYTES])
    const { address, port } = options
    const wire = new UdpWire(
      options,
      outgoing,
      system ? new DirectSockets(system, address, port, outgoing) : undefined,
    )
    try {
      for (const client of wire.clients) await wire.openSocket(client)
    } catch (error) {
      wire.close()
      const why = error instanceof Error ? error.message : String(error)
      throw new ClientFailure('connect', `cannot open a socket: ${why}`)
    }
    return wire
  }

  private constructor(options: UdpOptions, outgoing: Outgoing, sockets: DirectSockets | undefined) {
    this.options = options
    this.outgoing = outgoing
    this.#sockets = sockets
    this.read = sockets && ((wait) => sockets.read(wait))
    const random = new Random(options.seed)
    this.clients = Array.from({ length: options.clients }, () => new UdpClient(this, random.word()))
    this.#fields.want = options.want
    this.#fields.peerId.set(Buffer.from(CLIENT))
  }

  async openSocket(client: UdpClient): Promise<void> {
    const { address, port } = this.options
    const events = {
      take: (bytes: Uint8Array, at: number, length: number) => client.take(bytes, at, length),
      fail: () => void this.load.tally.socketErrors++,
    }
    const socket = this.#sockets
      ? this.#sockets.open(events)
      : await openBunSocket(address, port, events)
    if (!socket) throw new Error('the system refuses')
    if (this.#closed) socket.close()
    else client.socket = socket
  }

  close(): void {
    this.#closed = true
    for (const client of this.clients) client.disconnect()
  }

  /** Writes an announce of `peer`, or a scrape of its torrent. */
  write(kind: number, peer: number, at: number, connection: Connection, transaction: number): void {
    const { population, pathOf } = this.options
    const { bytes } = this.outgoing
    const fields = this.#fields
    population.copyInfoHash(peer, fields.infoHash)
    if (kind === ACTION.scrape) {
      writeScrapeRequest(bytes, at, connection, transaction, this.#scraped)
      return
    }
    population.writeNumber(peer, fields.peerId, PEER_ID_BYTES)
    fields.left = population.leftOf(peer)
    fields.event = population.eventOf(peer)
    fields.port = population.portOf(peer)
    fields.key = peer
    writeAnnounceRequest(bytes, at, connection, transaction, fields)
    writeUrlData(bytes, at + REQUEST.announce, urlData(pathOf(peer)))
  }
}

class UdpClient implements Client {
  /** undefined while it is being opened. */
  socket: UdpSocket | undefined
  readonly #wire: UdpWire
  #connection: Connection | undefined
  /** When the next connection id is due, and when one was last asked for. */
  #askAt = 0
  #askedAt = 0
  /** By slot: kind of the request in flight, when it was sent, and how often the slot was used. */
  readonly #kinds: Uint8Array
  readonly #sentAt: Float64Array
  readonly #uses: Uint32Array
  /** A stack of free slots. */
  readonly #free: Uint8Array
  #freeCount: number
  /** Slots of the requests that are sent together: as many for each kind as may be. */
  readonly #batch = new Uint8Array(KINDS.length * BATCH)
  #readInTurn = 0
  #turning = false

  /** `seed` makes transaction ids differ from run to run. */
  constructor(wire: UdpWire, seed: number) {
    const { window } = wire.options
    this.#wire = wire
    this.#kinds = new Uint8Array(window).fill(FREE)
    this.#sentAt = new Float64Array(window)
    this.#uses = new Uint32Array(window).fill(seed >>> SLOT_BITS)
    this.#free = Uint8Array.from({ length: window }, (_, slot) => slot)
    this.#freeCount = window
  }

  get inFlight(): number {
    return this.#kinds.length - this.#freeCount
  }

  room(now: number): number {
    if (!this.socket) return 0
    const most = this.#connection ? BATCH : Number(now >= this.#askAt)
    return Math.min(this.#freeCount, most)
  }

  send(count: number, now: number): void {
    const { outgoing, load } = this.#wire
    outgoing.counts.fill(0)
    for (let i = 0; i < count; i++) this.#add(now)
    const sent = this.socket!.send(outgoing)
    if (sent === count) return
    load.tally.unsent += count - sent
    let number = 0
    for (const [kind, added] of outgoing.counts.entries())
      for (let i = 0; i < added; i++)
        if (number++ >= sent) {
          this.#release(this.#batch[kind * BATCH + i]!)
          load.tally.sent(kind, -1, outgoing.lengths[kind]!)
        }
  }

  /** Writes one request more. */
  #add(now: number): void {
    const { outgoing, load } = this.#wire
    const kind = this.#choose(now)
    const slot = this.#free[--this.#freeCount]!
    const i = outgoing.counts[kind]!++
    this.#batch[kind * BATCH + i] = slot
    this.#kinds[slot] = kind
    this.#sentAt[slot] = now
    this.#uses[slot] = (this.#uses[slot]! + 1) & USES
    const at = outgoing.at(kind, i)
    const transaction = (this.#uses[slot]! << SLOT_BITS) | slot
    if (kind === ACTION.connect) writeConnectRequest(outgoing.bytes, at, transaction)
    else this.#wire.write(kind, load.peerFor(kind), at, this.#connection!, transaction)
    load.tally.sent(kind, 1, outgoing.lengths[kind]!)
  }

  #choose(now: number): number {
    if (now < this.#askAt) return this.#wire.load.draw(true)
    this.#askAt = now + ASK_AGAIN_MILLISECONDS
    this.#askedAt = now
    return ACTION.connect
  }

  /** Takes a datagram that has arrived. */
  take(bytes: Uint8Array, at: number, length: number): void {
    const { load, read } = this.#wire
    const { tally } = load
    tally.bytesReceived += length
    const slot = length < ANSWER_HEADER ? -1 : this.#slotOf(readI32(bytes, at + 4))
    if (slot < 0) tally.strays++
    else this.#answered(slot, bytes, at, length)
    if (!read) this.#endTurnSoon()
  }

  /** The slot of the request in flight with this transaction id; -1: there is none. */
  #slotOf(transaction: number): number {
    const slot = transaction & (MAX_WINDOW - 1)
    const isOurs = slot < this.#kinds.length && this.#kinds[slot] !== FREE
    return isOurs && this.#uses[slot] === transaction >>> SLOT_BITS ? slot : -1
  }

  #answered(slot: number, bytes: Uint8Array, at: number, length: number): void {
    const { tally } = this.#wire.load
    const kind = this.#kinds[slot]!
    const now = performance.now()
    const counts = tally.kinds[kind]!
    counts.latency.record(now - this.#sentAt[slot]!)
    this.#release(slot)
    const action = readI32(bytes, at)
    if (action === ACTION.error) {
      counts.errors++
      tally.countText(Buffer.from(bytes.subarray(at + ANSWER_HEADER, at + length)).toString())
      // A new connection id may help, but not more often than this.
      this.#askAt = Math.min(this.#askAt, this.#askedAt + ASK_AGAIN_MILLISECONDS)
    } else if (action === kind && this.#read(kind, bytes, at, length, now)) counts.answers++
    else counts.malformed++
  }

  /** false: the answer does not have the shape of its kind. */
  #read(kind: number, bytes: Uint8Array, at: number, length: number, now: number): boolean {
    if (kind === ACTION.announce) {
      const peers = (length - ANSWER.peersAt) / endpointBytes(this.#wire.options.address.family)
      if (peers < 0 || !Number.isInteger(peers)) return false
      this.#wire.load.tally.peersTold += peers
      return true
    }
    if (kind === ACTION.scrape) return length === ANSWER.entriesAt + ANSWER.entry
    if (length !== ANSWER.connect) return false
    this.#connection = { high: readI32(bytes, at + 8), low: readI32(bytes, at + 12) }
    this.#askAt = now + CONNECTION_MILLISECONDS
    return true
  }

  /** Bun brings the datagrams one by one: the room that they make is used when the event loop has brought all. */
  #endTurnSoon(): void {
    // Bun reads a socket until it is empty, which never happens in a flood.
    const limit = this.#kinds.length * FLOOD_WINDOWS + FLOOD_SPARE
    if (++this.#readInTurn > limit && this.socket) this.#replaceSocket()
    if (this.#turning) return
    this.#turning = true
    setImmediate(() => {
      this.#turning = false
      this.#readInTurn = 0
      this.#wire.load.offer(this, performance.now())
    })
  }

  /** The new socket has another port, which the sender of the flood does not know. */
  #replaceSocket(): void {
    const { tally } = this.#wire.load
    tally.floods++
    this.giveUp(Number.POSITIVE_INFINITY)
    this.disconnect()
    this.#wire.openSocket(this).catch(() => {
      tally.socketErrors++
    })
  }

  giveUp(latest: number): void {
    for (let slot = 0; slot < this.#kinds.length; slot++) {
      const kind = this.#kinds[slot]!
      if (kind === FREE || this.#sentAt[slot]! > latest) continue
      this.#wire.load.tally.kinds[kind]!.lost++
      this.#release(slot)
    }
  }

  #release(slot: number): void {
    this.#kinds[slot] = FREE
    this.#free[this.#freeCount++] = slot
  }

  disconnect(): void {
    this.socket?.close()
    this.socket = undefined
    this.#connection = undefined
    this.#askAt = 0
  }
}
