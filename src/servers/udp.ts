/**
 * The UDP tracker (BEP 15) on one socket: reads datagrams in batches, has them served, sends the answers
 * together. What a datagram means is decided in `udp-requests.ts`. Nothing that a datagram contains may
 * throw, block or grow anything here.
 */
import { Address, Expected } from '../bittorrent.ts'
import { LIMITS } from '../limits.ts'
import { onceEach, type Report } from '../log/report.ts'
import { AT, type CounterRow } from '../memory/counters.ts'
import type { Clock } from '../time/clock.ts'
import { Deadline } from '../time/deadline.ts'
import { nextTurn } from '../time/turns.ts'
import type { Tracker } from '../tracker.ts'
import { ANNOUNCE, peekInfoHash, peekKey } from '../wire/udp.ts'
import { BunSocket } from './bun-socket.ts'
import { Datagrams, SLOT_BYTES } from './datagrams.ts'
import { type Descriptors, DirectSocket } from './direct-socket.ts'
import { DATAGRAM, type Garbage } from './garbage.ts'
import { libc } from './libc.ts'
import { listenError } from './listen.ts'
import { Outbox } from './outbox.ts'
import { tuneUdpSocket } from './socket-options.ts'
import { type UdpListenerOptions, UdpRequests, type UdpRequestsOptions } from './udp-requests.ts'

/**
 * An undocumented option of `Bun.udpSocket`: the flags of its socket library for SO_REUSEPORT and
 * IPV6_V6ONLY. Its documented `reusePort` does nothing; a test binds twice.
 */
export const udpFlags = ({ reusePort, ipv6Only }: { reusePort: boolean; ipv6Only: boolean }) => ({
  flags: (reusePort ? 4 : 0) | (ipv6Only ? 8 : 0),
})

/** Datagrams at once from which on reading ahead saves more than it costs. */
const WORTH_EXPECTING = 4
/** Bun reports within one turn of the event loop that a new socket can be written to. */
const DRAIN_MILLISECONDS = 1_000

export type UdpOptions = UdpRequestsOptions & {
  readonly ip: string
  readonly port: number
  readonly ipv6Only: boolean
  /** Other sockets of this process have the same port. */
  readonly reusePort: boolean
  readonly clock: Clock
  readonly garbage: Garbage
  /** For reading with our own system calls; undefined: Bun reads. */
  readonly descriptors: Descriptors | undefined
}

export type UdpServer = {
  readonly port: number
  /** Bytes of the kernel's receive buffer; undefined = not known. */
  readonly receiveBuffer: number | undefined
  /** Serves the next datagram by other options of the listener. */
  follow(options: UdpListenerOptions): void
  /** Answers what was received, then closes. */
  stop(): void
}

/** Opens the socket. Rejects with one line that names the cause. */
export async function serveUdp(options: UdpOptions): Promise<UdpServer> {
  const listener = new UdpListener(options)
  const { ip, port } = options
  const drained = Promise.withResolvers<void>()
  const socket = await open(options, listener, drained.resolve).catch((error) => {
    throw listenError('udp', ip, port, error)
  })
  const { fd } = socket as unknown as { fd: number }
  const receiveBuffer = tuneUdpSocket(fd, LIMITS.udpReceiveBuffer)
  const direct = await listener.attach(socket, fd, drained.promise)
  return {
    port: socket.port,
    receiveBuffer,
    follow: (next) => listener.follow(next),
    stop() {
      listener.stop()
      direct?.close()
      socket.close()
    },
  }
}

// Async, because Bun throws at once when the port is taken, and callers wait for a rejection.
const open = async (options: UdpOptions, listener: UdpListener, drained: () => void) =>
  Bun.udpSocket({
    hostname: options.ip,
    port: options.port,
    ...udpFlags(options),
    socket: {
      data(_socket, packet, port, address) {
        listener.receive(packet, port, address)
      },
      drain: () => drained(),
      // Without this, a client that closed its socket before the answer would end the process.
      error: () => listener.cannotRead(),
    },
  })

class UdpListener {
  readonly #options: UdpOptions
  readonly #report: Report
  readonly #tracker: Tracker
  readonly #counters: CounterRow
  readonly #datagrams = new Datagrams()
  readonly #outbox: Outbox
  readonly #requests: UdpRequests
  readonly #expected = new Expected(LIMITS.udpBatch)
  readonly #sender = new Address()
  /** How the socket is read: one of them; neither while it is being opened. */
  #bun: BunSocket | undefined
  #direct: DirectSocket | undefined
  #isStopped = false

  constructor(options: UdpOptions) {
    this.#options = options
    this.#report = onceEach(options.report)
    this.#tracker = options.tracker
    this.#counters = options.counters
    this.#outbox = new Outbox(options.counters)
    const requestOptions = { ...options, report: this.#report }
    this.#requests = new UdpRequests(requestOptions, this.#datagrams, this.#outbox)
  }

  /**
   * Chooses how the socket is read, before anything is read. Datagrams that arrive in between are lost, as if
   * they had come before the socket was opened.
   */
  async attach(
    socket: Bun.udp.Socket<'buffer'>,
    fd: number,
    drained: Promise<void>,
  ): Promise<DirectSocket | undefined> {
    const system = libc()
    const { descriptors } = this.#options
    if (system !== undefined && descriptors !== undefined) {
      const direct = new DirectSocket(system, descriptors, this.#datagrams, this.#outbox)
      if (direct.hold(fd) && (await isDrained(drained)) && direct.takeOver(fd)) {
        this.#direct = direct
        this.#outbox.attach(direct)
        return direct
      }
      // Half a takeover leaves a second descriptor, which would keep the port.
      direct.close()
      direct.letIn(fd)
    }
    this.#bun = new BunSocket(this.#options, this.#datagrams, this.#outbox, socket, (count) =>
      this.#serve(count),
    )
    this.#outbox.attach(this.#bun)
    return undefined
  }

  follow(next: UdpListenerOptions): void {
    this.#requests.follow(next)
  }

  /** Bun has read a datagram. */
  receive(packet: Uint8Array, port: number, address: string): void {
    this.#options.garbage.made(DATAGRAM + packet.length)
    this.#bun?.receive(packet, port, address)
  }

  /** Bun tried to read and could not: the real socket has a datagram, or the kernel reported an error. */
  cannotRead(): void {
    this.#options.garbage.made(DATAGRAM)
    if (this.#direct === undefined) this.#counters[AT.socketErrors]!++
    else if (!this.#isStopped) this.#read(this.#direct)
  }

  /** Answers all that was received. */
  stop(): void {
    this.#isStopped = true
    this.#bun?.flush()
    if (this.#direct !== undefined) this.#read(this.#direct)
    this.#requests.flush()
  }

  /** Serves until nothing is left or the turn is over: timers, signals and HTTP wait for it. */
  #read(direct: DirectSocket): void {
    const { clock } = this.#options
    const began = clock.milliseconds()
    for (let lasted = 0; lasted >= 0 && lasted <= LIMITS.udpTurnMilliseconds; ) {
      const count = direct.receive()
      if (count < 0) this.#counters[AT.socketErrors]!++
      if (count <= 0) return
      this.#serve(count)
      // Negative when the clock was set back, which says nothing about this turn.
      lasted = clock.milliseconds() - began
    }
  }

  #serve(count: number): void {
    this.#requests.begin(this.#options.clock.seconds())
    this.#expect(count)
    for (let i = 0; i < count; i++) {
      try {
        this.#requests.serve(i)
      } catch (error) {
        this.#report('datagram', error)
      }
    }
    this.#outbox.flush()
  }

  /** Shows the tracker the announces of the batch before they are read one by one. */
  #expect(count: number): void {
    if (count < WORTH_EXPECTING || !this.#tracker.wantsNotice) return
    const { bytes, lengths } = this.#datagrams
    const expected = this.#expected
    expected.count = 0
    for (let i = 0; i < count; i++) {
      const at = i * SLOT_BYTES
      if (!peekInfoHash(bytes, at, lengths[i]!, expected.hashes, expected.count * 5)) continue
      if (this.#tracker.isPrivate)
        peekKey(bytes, at, lengths[i]!, expected.keys, expected.count * 8)
      this.#datagrams.readSender(i, this.#sender)
      const port = at + ANNOUNCE.port
      expected.add(this.#sender, bytes[port]! | (bytes[port + 1]! << 8))
    }
    this.#tracker.expect(expected)
  }
}

/** Whether Bun no longer waits to write for the first time, and has finished what it was doing then. */
async function isDrained(drained: Promise<void>): Promise<boolean> {
  const isDone = await Deadline.in(DRAIN_MILLISECONDS).waitFor(drained)
  await nextTurn()
  return isDone
}
