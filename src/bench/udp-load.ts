/**
 * Loads a UDP tracker (BEP 15, auth keys by BEP 41) like many clients: sockets with a window of requests in flight
 * each. A request allocates nothing, and a socket sends the requests of one turn of the event loop with one system
 * call.
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
import { ACTION, ANSWER, readI32 } from '../wire/udp.ts'
import {
  ANSWER_HEADER,
  type Connection,
  REQUEST,
  readConnection,
  urlDataBytes,
  writeAnnounceRequest,
  writeConnectRequest,
  writeScrapeRequest,
  writeUrlData,
} from '../wire/udp-client.ts'
import { type LoadGenerator, type LoadOptions, type LoadRun, MIXED } from './load-run.ts'
import { CLIENT, LEFT, type Population, Random } from './population.ts'
import { FREE, UdpClientSlots } from './udp-slots.ts'

/** How long a connection id is used (BEP 15), and how often one is asked for while there is none. */
const CONNECTION_MILLISECONDS = 60_000
const ASK_AGAIN_MILLISECONDS = 1_000

/** A socket that receives more datagrams than this many windows in one turn of the event loop is flooded. */
const FLOOD_WINDOWS = 4
const FLOOD_SPARE = 256

const MIXED_SUM = MIXED.connect + MIXED.announce + MIXED.scrape

export interface UdpLoadOptions extends LoadOptions {
  /** Requests in flight of each socket, up to `MAX_WINDOW`. */
  readonly window: number
}

export class UdpLoad implements LoadGenerator {
  readonly #options: UdpLoadOptions
  readonly #run: LoadRun
  readonly #random: Random
  readonly #clients: readonly UdpClientSlots[]
  readonly #peerBytes: number
  readonly #requests: UdpRequestWriter
  readonly #endTurn = () => {
    this.#turning = false
    this.#send(performance.now())
  }
  #turning = false
  #closed = false
  /** The socket that sends first. It changes every turn, because a rate may not allow requests for each. */
  #first = 0

  /** Rejects with `ClientFailure` when a socket cannot be opened. */
  static async open(options: UdpLoadOptions, run: LoadRun): Promise<UdpLoad> {
    const load = new UdpLoad(options, run)
    try {
      for (const client of load.#clients) await load.#openSocket(client)
    } catch (error) {
      load.close()
      const why = error instanceof Error ? error.message : String(error)
      throw new ClientFailure('connect', `cannot open a socket: ${why}`)
    }
    return load
  }

  private constructor(options: UdpLoadOptions, run: LoadRun) {
    this.#options = options
    this.#run = run
    this.#random = new Random(options.seed)
    this.#peerBytes = endpointBytes(options.address.family)
    const requests = new UdpRequestWriter(options.population, options.path, options.want)
    this.#requests = requests
    this.#clients = Array.from({ length: options.clients }, () => {
      const slots = new UdpClientSlots(options.window, requests.lengths, this.#random.word())
      for (let slot = 0; slot < options.window; slot++)
        requests.prepare(slots.bytes, slots.at(slot))
      return slots
    })
  }

  async #openSocket(client: UdpClientSlots): Promise<void> {
    const { address, port } = this.#options
    const socket = await Bun.udpSocket({
      hostname: address.family === 4 ? '0.0.0.0' : '::',
      connect: { hostname: address.ip, port },
      socket: {
        data: (from, packet) => {
          if (from === client.socket) this.#receive(client, packet)
        },
        // Without this handler an ICMP error (a port without a listener) ends the process.
        error: () => {
          this.#run.tally.socketErrors++
        },
      },
    })
    if (this.#closed) socket.close()
    else client.socket = socket
  }

  get inFlight(): number {
    return this.#clients.reduce((sum, client) => sum + client.inFlight, 0)
  }

  turn(now: number): void {
    const latest = now - this.#run.options.timeoutMilliseconds
    for (const client of this.#clients) this.#dropOlder(client, latest)
    this.#send(now)
  }

  close(): void {
    this.#closed = true
    for (const client of this.#clients) {
      this.#dropOlder(client, Number.POSITIVE_INFINITY)
      client.socket?.close()
      client.socket = undefined
    }
  }

  /** Counts the requests sent until `latest` as lost. */
  #dropOlder(client: UdpClientSlots, latest: number): void {
    for (let slot = 0; slot < client.kinds.length; slot++) {
      const kind = client.kinds[slot]!
      if (kind === FREE || client.sent[slot]! > latest) continue
      this.#run.tally.kinds[kind]!.lost++
      client.release(slot)
    }
  }

  #receive(client: UdpClientSlots, packet: Uint8Array): void {
    const { tally } = this.#run
    tally.bytesReceived += packet.length
    if (!this.#turning) {
      this.#turning = true
      setImmediate(this.#endTurn)
    }
    const slot = this.#slotOf(client, packet)
    if (slot < 0) tally.strays++
    else this.#take(client, slot, packet)
    // Bun reads a socket until it is empty, which never happens in a flood.
    const limit = this.#options.window * FLOOD_WINDOWS + FLOOD_SPARE
    if (++client.readInTurn > limit) this.#replaceSocket(client)
  }

  /** The slot of the request that the packet answers; -1: it answers none in flight. */
  #slotOf(client: UdpClientSlots, packet: Uint8Array): number {
    if (packet.length < ANSWER_HEADER) return -1
    return client.slotOf(readI32(packet, 4))
  }

  #take(client: UdpClientSlots, slot: number, packet: Uint8Array): void {
    const { tally } = this.#run
    const kind = client.kinds[slot]!
    const counts = tally.kinds[kind]!
    const now = performance.now()
    counts.latency.record(now - client.sent[slot]!)
    client.release(slot)
    const action = readI32(packet, 0)
    if (action === ACTION.error) {
      counts.errors++
      tally.countText(Buffer.from(packet.subarray(ANSWER_HEADER)).toString())
      client.askSoon(ASK_AGAIN_MILLISECONDS)
    } else if (action === kind && this.#read(client, kind, packet, now)) counts.answers++
    else counts.malformed++
  }

  /** false: the answer does not have the shape of its kind. */
  #read(client: UdpClientSlots, kind: number, packet: Uint8Array, now: number): boolean {
    if (kind === ACTION.announce) {
      const bytes = packet.length - ANSWER.peersAt
      if (bytes < 0 || bytes % this.#peerBytes !== 0) return false
      this.#run.tally.peersTold += bytes / this.#peerBytes
      return true
    }
    if (kind === ACTION.scrape) return packet.length === ANSWER.entriesAt + ANSWER.entry
    const connection = readConnection(packet)
    if (!connection) return false
    client.connection = connection
    client.askAt = now + CONNECTION_MILLISECONDS
    return true
  }

  /** The new socket has another port, which the sender of the flood does not know. */
  #replaceSocket(client: UdpClientSlots): void {
    this.#run.tally.floods++
    this.#dropOlder(client, Number.POSITIVE_INFINITY)
    client.socket?.close()
    client.disconnect()
    this.#openSocket(client).catch(() => {
      this.#run.tally.socketErrors++
    })
  }

  #send(now: number): void {
    const clients = this.#clients
    this.#first = (this.#first + 1) % clients.length
    for (let i = 0; i < clients.length; i++) {
      const client = clients[(this.#first + i) % clients.length]!
      client.readInTurn = 0
      if (client.free > 0 && this.#run.isSending) this.#sendSome(client, now)
    }
  }

  #sendSome(client: UdpClientSlots, now: number): void {
    const { pace } = this.#run
    const due = client.connection ? client.free : Number(now >= client.askAt)
    const count = Math.min(client.free, due, pace.allowed(now))
    if (!client.socket || count <= 0) return
    client.beginBatch()
    for (let i = 0; i < count; i++) this.#add(client, now)
    pace.spend(count)
    const sent = this.#handOver(client.socket, client.batch)
    this.#run.tally.unsent += count - sent
    client.takeBack(sent, (kind) => this.#count(kind, -1))
  }

  /** Returns how many datagrams the kernel took. */
  #handOver(socket: NonNullable<UdpClientSlots['socket']>, batch: readonly Uint8Array[]): number {
    // The first error may be a late one of an earlier datagram.
    for (let attempt = 0; attempt < 2; attempt++)
      try {
        return socket.sendMany(batch)
      } catch {
        this.#run.tally.socketErrors++
      }
    return 0
  }

  #add(client: UdpClientSlots, now: number): void {
    const kind = this.#choose(client, now)
    const slot = client.take(kind, now)
    const { bytes } = client
    const at = client.at(slot)
    const transaction = client.transactionOf(slot)
    if (kind === ACTION.connect || !client.connection) writeConnectRequest(bytes, at, transaction)
    else this.#requests.ask(kind, this.#peerFor(kind), bytes, at, client.connection, transaction)
    this.#count(kind, 1)
  }

  #count(kind: number, requests: number): void {
    this.#run.tally.kinds[kind]!.requests += requests
    this.#run.tally.bytesSent += requests * this.#requests.lengths[kind]!
  }

  #choose(client: UdpClientSlots, now: number): number {
    if (now >= client.askAt) {
      client.askAt = now + ASK_AGAIN_MILLISECONDS
      client.askedAt = now
      return ACTION.connect
    }
    if (this.#options.mix === 'announce') return ACTION.announce
    const draw = this.#random.word() % MIXED_SUM
    if (draw < MIXED.connect) return ACTION.connect
    return draw < MIXED.connect + MIXED.announce ? ACTION.announce : ACTION.scrape
  }

  /** Scrapes draw a peer and do not change whose turn it is to announce. */
  #peerFor(kind: number): number {
    const { population } = this.#options
    if (kind === ACTION.announce) return population.nextPeer()
    return this.#random.word() % population.peers
  }
}

/** Writes requests into memory of the caller. Allocates nothing. */
class UdpRequestWriter {
  /** Bytes of a request by kind. */
  readonly lengths: readonly number[]
  readonly #population: Population
  readonly #path: string
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

  /** `path` of the announce URL; `want`: peers asked for. */
  constructor(population: Population, path: string, want: number) {
    this.#population = population
    this.#path = urlData(path)
    const announce = REQUEST.announce + urlDataBytes(this.#path)
    this.lengths = [REQUEST.connect, announce, REQUEST.header + INFO_HASH_BYTES]
    this.#fields.want = want
    this.#fields.peerId.set(Buffer.from(CLIENT))
  }

  /** Writes the part that all announces in this place have in common. */
  prepare(out: Uint8Array, at: number): void {
    writeUrlData(out, at + REQUEST.announce, this.#path)
  }

  /** An announce of `peer`, or a scrape of its torrent. */
  ask(
    kind: number,
    peer: number,
    out: Uint8Array,
    at: number,
    connection: Connection,
    transaction: number,
  ): void {
    const population = this.#population
    const fields = this.#fields
    population.copyInfoHash(peer, fields.infoHash)
    if (kind === ACTION.scrape) {
      writeScrapeRequest(out, at, connection, transaction, this.#scraped)
      return
    }
    population.writeNumber(peer, fields.peerId, PEER_ID_BYTES)
    fields.left = population.isSeeder(peer) ? 0 : LEFT
    fields.event = population.allStarted ? EVENT.none : EVENT.started
    fields.port = population.portOf(peer)
    fields.key = peer
    writeAnnounceRequest(out, at, connection, transaction, fields)
  }
}
