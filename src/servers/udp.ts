/**
 * The UDP tracker (BEP 15) on one socket: collects the datagrams of one turn of the event loop, has them
 * served, sends the answers together. What a datagram means is decided in `udp-requests.ts`. Nothing a
 * stranger sends may throw, block or grow anything here.
 */
import type { Clock } from '../clock.ts'
import { LIMITS } from '../limits.ts'
import { AT, type CounterRow } from '../metrics.ts'
import type { Tracker } from '../tracker.ts'
import { ACTION, ANNOUNCE, ANSWER, readWord } from '../wire/udp.ts'
import type { Garbage } from './garbage.ts'
import { Inbox } from './inbox.ts'
import { listenError } from './listen-error.ts'
import { Outbox, type Sender } from './outbox.ts'
import { ReadBreak } from './read-break.ts'
import { UdpRequests, type UdpRequestsOptions } from './udp-requests.ts'

/**
 * An undocumented option of `Bun.udpSocket`: the flags of its socket library for SO_REUSEPORT and
 * IPV6_V6ONLY. Its documented `reusePort` does nothing; a test binds twice.
 */
export const udpFlags = ({ reusePort, ipv6Only }: { reusePort: boolean; ipv6Only: boolean }) => ({
  flags: (reusePort ? 4 : 0) | (ipv6Only ? 8 : 0),
})

/** Datagrams at once from which on reading ahead saves more than it costs. */
const WORTH_EXPECTING = 4

export type UdpOptions = UdpRequestsOptions & {
  readonly ip: string
  readonly port: number
  readonly ipv6Only: boolean
  /** Other threads open the same port. */
  readonly reusePort: boolean
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
  readonly #tracker: Tracker
  readonly #counters: CounterRow
  readonly #outbox: Outbox
  readonly #requests: UdpRequests
  readonly #inbox: Inbox
  readonly #hashes = new Int32Array(LIMITS.udpBatch * 5)

  constructor(options: UdpOptions) {
    this.#options = options
    this.#tracker = options.tracker
    this.#counters = options.counters
    this.#inbox = new Inbox(options.clock, {
      serve: (count) => this.#serve(count),
      aborted: () => {
        this.#counters[AT.aborted]!++
      },
    })
    const longestAnnounce = ANSWER.peersAt + options.tracker.policy.maxPeers * 18
    const longestScrape = ANSWER.entriesAt + LIMITS.udpScrapeHashes * ANSWER.entry
    this.#outbox = new Outbox(Math.max(longestAnnounce, longestScrape), {
      unsent: (count) => {
        this.#counters[AT.unsent]! += count
      },
      socketError: () => this.socketError(),
    })
    this.#requests = new UdpRequests(options, this.#outbox)
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
    const now = this.#options.clock.seconds()
    this.#expect(packets, count)
    for (let i = 0; i < count; i++) {
      try {
        this.#requests.serve(packets[i]!, ports[i]!, addresses[i]!, now)
      } catch (error) {
        this.#options.onError(error)
      }
    }
    this.#outbox.flush()
    this.#options.garbage.made(count)
  }

  /** Lets the tracker know of the announces before they are read one by one. */
  #expect(packets: readonly Uint8Array[], count: number): void {
    if (count < WORTH_EXPECTING || !this.#tracker.wantsNotice) return
    let announces = 0
    for (let i = 0; i < count; i++) {
      const packet = packets[i]!
      if (packet.length < ANNOUNCE.end || packet[11] !== ACTION.announce) continue
      const to = announces++ * 5
      for (let word = 0; word < 5; word++)
        this.#hashes[to + word] = readWord(packet, ANNOUNCE.identity + word * 4)
    }
    this.#tracker.expect(this.#hashes, announces)
  }
}
