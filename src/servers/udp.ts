/**
 * The UDP tracker (BEP 15) on one socket: collects the datagrams of one turn of the event loop, reads them,
 * asks the tracker, sends the answers together. Decides what is answered at all: an error only
 * when it is no longer than the datagram that caused it. Nothing a stranger sends may throw, block or
 * grow anything here.
 */
import { Announce, Answer, PeerList, type ScrapeEntry } from '../bittorrent.ts'
import type { Clock } from '../clock.ts'
import { LIMITS } from '../limits.ts'
import { AT, type CounterRow } from '../metrics.ts'
import { REFUSALS } from '../refusal.ts'
import type { ListenerRules, Tracker } from '../tracker.ts'
import { writeEndpoint } from '../wire/address.ts'
import {
  ACTION,
  ANNOUNCE,
  ANSWER,
  readRequest,
  readScrapeHash,
  readWord,
  UdpRequest,
  writeAnnounce,
  writeConnect,
  writeError,
  writeScrape,
  writeScrapeEntry,
} from '../wire/udp.ts'
import type { Bans } from './bans.ts'
import type { ConnectionIds } from './connection-id.ts'
import type { Garbage } from './garbage.ts'
import { Inbox } from './inbox.ts'
import { listenError } from './listen-error.ts'
import { Outbox, type Sender } from './outbox.ts'
import { ReadBreak } from './read-break.ts'

/**
 * An undocumented option of `Bun.udpSocket`: the flags of its socket library for SO_REUSEPORT and
 * IPV6_V6ONLY. Its documented `reusePort` does nothing; a test binds twice.
 */
export const udpFlags = ({ reusePort, ipv6Only }: { reusePort: boolean; ipv6Only: boolean }) => ({
  flags: (reusePort ? 4 : 0) | (ipv6Only ? 8 : 0),
})

/** Datagrams at once from which on reading ahead saves more than it costs. */
const WORTH_EXPECTING = 4
/** Largest interval a signed 32-bit field can carry. */
const MAX_INTERVAL = 0x7fff_ffff

export type UdpOptions = {
  readonly ip: string
  readonly port: number
  readonly ipv6Only: boolean
  /** Other threads open the same port. */
  readonly reusePort: boolean
  readonly tracker: Tracker
  readonly rules: ListenerRules
  readonly connectionIds: ConnectionIds
  /** false: wrong connection ids are counted and served all the same. */
  readonly strict: boolean
  readonly bans: Bans
  readonly counters: CounterRow
  readonly clock: Clock
  readonly garbage: Garbage
  /** The socket's word for its read break, see read-break.ts; undefined = it is never interrupted. */
  readonly breakWord: { readonly words: Int32Array; readonly at: number } | undefined
  /** Called with what a handler threw; a bug of ours, never a client's doing. */
  readonly onError: (error: unknown) => void
}

export type UdpServer = {
  readonly port: number
  /** Descriptor of the socket, for what only the system can set. */
  readonly fd: number
  /** Answers what was received, then closes. */
  stop(): void
}

/** Opens the socket. Rejects with one line that names the cause. */
export async function serveUdp(options: UdpOptions): Promise<UdpServer> {
  const listener = new UdpListener(options)
  const { ip, port } = options
  const socket = await open(options, listener).catch((error) => {
    throw listenError('udp', ip, port, error)
  })
  const { fd } = socket as unknown as { fd: number }
  const { breakWord } = options
  const readBreak = breakWord && ReadBreak.of(fd, breakWord.words, breakWord.at)
  listener.attach(socket, readBreak)
  return {
    port: socket.port,
    fd,
    stop() {
      readBreak?.[Symbol.dispose]()
      listener.flush()
      socket.close()
    },
  }
}

// Async, because Bun throws at once when the port is taken, and callers wait for a rejection.
const open = async (options: UdpOptions, listener: UdpListener) =>
  Bun.udpSocket({
    hostname: options.ip,
    port: options.port,
    ...udpFlags(options),
    socket: {
      data(_socket, packet, port, address) {
        listener.receive(packet, port, address)
      },
      // Without this a client that closed its socket before the answer would end the process.
      error: () => listener.socketError(),
    },
  })

class UdpListener {
  readonly #options: UdpOptions
  readonly #counters: CounterRow
  readonly #request = new UdpRequest()
  readonly #announce = new Announce()
  readonly #outbox: Outbox
  readonly #answer: Answer
  readonly #entry: ScrapeEntry = { seeders: 0, downloaded: 0, leechers: 0 }
  readonly #interval: number
  readonly #inbox: Inbox
  /** Second in which the batch is served. */
  #now = 0
  readonly #hashes = new Int32Array(LIMITS.udpBatch * 5)

  constructor(options: UdpOptions) {
    const { policy } = options.tracker
    this.#options = options
    this.#counters = options.counters
    this.#interval = Math.min(policy.interval, MAX_INTERVAL)
    this.#inbox = new Inbox(options.clock, {
      serve: (count) => this.#serve(count),
      aborted: () => {
        this.#counters[AT.aborted]!++
      },
    })
    const longestScrape = ANSWER.entriesAt + LIMITS.udpScrapeHashes * ANSWER.entry
    this.#outbox = new Outbox(Math.max(ANSWER.peersAt + policy.maxPeers * 18, longestScrape), {
      unsent: (count) => {
        this.#counters[AT.unsent]! += count
      },
      socketError: () => this.socketError(),
    })
    const { halves } = this.#outbox
    this.#answer = new Answer(new PeerList(halves), new PeerList(halves), false)
  }

  attach(sender: Sender, readBreak: ReadBreak | undefined): void {
    this.#outbox.attach(sender)
    this.#inbox.attach(readBreak)
  }
  socketError(): void {
    this.#counters[AT.socketErrors]!++
  }
  receive(packet: Uint8Array, port: number, address: string): void {
    this.#inbox.receive(packet, port, address)
  }
  /** Answers everything that was received. */
  flush(): void {
    this.#inbox.flush()
  }

  #serve(count: number): void {
    const { packets, ports, addresses } = this.#inbox
    this.#now = this.#options.clock.seconds()
    this.#expect(packets, count)
    for (let i = 0; i < count; i++) {
      try {
        this.#one(packets[i]!, ports[i]!, addresses[i]!)
      } catch (error) {
        this.#options.onError(error)
      }
    }
    this.#outbox.flush()
    this.#options.garbage.made(count)
  }

  /** Lets the tracker know of the announces before they are read one by one. */
  #expect(packets: readonly Uint8Array[], count: number): void {
    if (count < WORTH_EXPECTING || !this.#options.tracker.wantsNotice) return
    let announces = 0
    for (let i = 0; i < count; i++) {
      const packet = packets[i]!
      if (packet.length < ANNOUNCE.end || packet[11] !== ACTION.announce) continue
      const to = announces++ * 5
      for (let word = 0; word < 5; word++)
        this.#hashes[to + word] = readWord(packet, ANNOUNCE.identity + word * 4)
    }
    this.#options.tracker.expect(this.#hashes, announces)
  }

  #one(packet: Uint8Array, port: number, address: string): void {
    const announce = this.#announce
    if (!writeEndpoint(address, port, announce)) return
    const six = announce.family === 6 ? 1 : 0
    this.#counters[AT.received + six]!++
    if (port === 0) {
      this.#counters[AT.discarded + six]!++
      return
    }
    if (this.#options.strict && this.#options.bans.has(announce)) {
      this.#counters[AT.banned + six]!++
      return
    }
    const request = this.#request
    readRequest(packet, request, announce)
    const length = this.#handle(packet, six)
    if (length === 0) return
    this.#counters[AT.responses + six]!++
    this.#outbox.push(length, port, address)
  }

  /** Writes the answer at the outbox's free slot. Its length; 0 = none is due. */
  #handle(packet: Uint8Array, six: number): number {
    switch (this.#request.kind) {
      case 'announce':
        return this.#isGenuine(six)
          ? this.#announced(packet, six)
          : this.#error(packet, 'tracker announce error: Connection cookie error', six)
      case 'connect':
        return this.#connected(six)
      case 'scrape':
        return this.#isGenuine(six)
          ? this.#scraped(packet, six)
          : this.#error(packet, 'Connection cookie error', six)
      case 'refuse':
        return this.#error(packet, `bad request: ${this.#request.problem}`, six)
      case 'drop':
        this.#counters[AT.malformed + six]!++
        return 0
    }
  }

  #connected(six: number): number {
    const low = this.#options.connectionIds.issue(this.#announce, this.#now)
    this.#counters[AT.connects + six]!++
    const { bytes } = this.#outbox
    return writeConnect(bytes, this.#outbox.begin(), this.#request.transaction, this.#now, low)
  }

  #announced(packet: Uint8Array, six: number): number {
    const answer = this.#answer
    const at = this.#outbox.begin()
    answer.family = this.#announce.family
    answer.peers4.at = answer.peers6.at = (at + ANSWER.peersAt) / 2
    const { tracker, rules } = this.#options
    const refusal = tracker.announce(this.#announce, rules, answer, this.#now)
    if (refusal !== undefined)
      return this.#error(packet, `tracker announce error: ${REFUSALS[refusal]}`, six)
    this.#counters[AT.announces + six]!++
    return writeAnnounce(
      this.#outbox.bytes,
      at,
      this.#request.transaction,
      this.#interval,
      answer.leechers,
      answer.seeders,
      answer.peers4.count * 6 + answer.peers6.count * 18,
    )
  }

  #scraped(packet: Uint8Array, six: number): number {
    const { bytes } = this.#outbox
    const at = this.#outbox.begin()
    const { hashes, transaction } = this.#request
    const entry = this.#entry
    for (let i = 0; i < hashes; i++) {
      readScrapeHash(packet, i, this.#announce.infoHash)
      this.#options.tracker.scrape(this.#announce.words, entry, this.#now)
      writeScrapeEntry(bytes, at, i, entry.seeders, entry.downloaded, entry.leechers)
    }
    this.#counters[AT.scrapes + six]!++
    return writeScrape(bytes, at, transaction, hashes)
  }

  /** Whether the sender may be served: its connection id is right, or nobody insists on that. */
  #isGenuine(six: number): boolean {
    const { connectionIds, strict, bans } = this.#options
    const { idHigh, idLow } = this.#request
    const problem = connectionIds.check(this.#announce, idHigh, idLow, this.#now)
    if (problem === undefined) return true
    this.#counters[AT.connectionIdErrors + six]!++
    if (strict) bans.add(this.#announce)
    return !strict
  }

  #error(packet: Uint8Array, message: string, six: number): number {
    if (ANSWER.errorAt + message.length > packet.length) {
      this.#counters[AT.malformed + six]!++
      return 0
    }
    this.#counters[AT.errors + six]!++
    const { bytes } = this.#outbox
    return writeError(bytes, this.#outbox.begin(), this.#request.transaction, message)
  }
}
