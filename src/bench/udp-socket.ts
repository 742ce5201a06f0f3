/**
 * Sockets of a UDP load: on Linux with our own system calls, many datagrams with each and no object for any of them;
 * elsewhere with Bun's. The first take half of the processor time, so that a core of load outruns a core of tracker.
 */
import { isLoopback } from '../bittorrent.ts'
import type { Address } from '../client/resolve.ts'
import { addressOf, type Libc } from '../servers/libc.ts'
import { LINUX, STRUCT } from '../servers/linux.ts'
import { Messages } from '../servers/messages.ts'
import { parseIp } from '../wire/address.ts'

/** Most datagrams of a kind that are sent together, and most that are read together. */
export const BATCH = 64
/** Room for 1,000 IPv6 peers. An odd number of cache lines, so that datagrams do not compete for the same ones. */
const ROOM = 313 * 64

const { EAGAIN, MSG_DONTWAIT } = LINUX
const { cmsghdr, sockaddr_in, sockaddr_in6, pollfd } = STRUCT
/** In 32-bit words: what was found is the upper half of what was wanted. */
const POLLED = { fd: pollfd.fd / 4, events: pollfd.events / 4, words: pollfd.bytes / 4 } as const
/** Ancillary data: a header, a 16-bit value, padding to whole words. */
const CONTROL = { bytes: cmsghdr.bytes + 8, used: cmsghdr.bytes + 2, value: cmsghdr.bytes } as const

/** Requests that a socket sends together: those of one kind have one length and stand one behind another. */
export class Outgoing {
  readonly bytes: Uint8Array<ArrayBuffer>
  /** Bytes of a request, by kind. */
  readonly lengths: readonly number[]
  /** By kind. */
  readonly counts: Int32Array
  readonly #room: number

  constructor(lengths: readonly number[]) {
    this.lengths = lengths
    this.counts = new Int32Array(lengths.length)
    this.#room = BATCH * Math.max(...lengths)
    this.bytes = new Uint8Array(new ArrayBuffer(lengths.length * this.#room))
  }

  /** Where request number `i` of a kind begins. */
  at(kind: number, i: number): number {
    return kind * this.#room + i * this.lengths[kind]!
  }
}

export interface SocketEvents {
  /** The datagram is in `bytes[at…]`, which are overwritten afterwards. */
  take(bytes: Uint8Array, at: number, length: number): void
  /** The kernel reports an error, such as a port without a listener. */
  fail(): void
}

export interface UdpSocket {
  /** Sends all requests, kind by kind. How many the kernel took. */
  send(outgoing: Outgoing): number
  close(): void
}

/** Reads and sends with one call many datagrams of any of its sockets, which are connected to one tracker. */
export class DirectSockets {
  readonly #system: Libc
  readonly #peer: Uint8Array<ArrayBuffer>
  readonly #family: number
  readonly #outgoing: Outgoing
  /** Whether the kernel cuts messages. Only on loopback, because not every network card can do its part. */
  readonly #cuts: boolean
  readonly #in = new Uint8Array(new ArrayBuffer(BATCH * ROOM))
  readonly #received = new Messages(BATCH)
  readonly #sent: Messages
  readonly #control: Uint8Array<ArrayBuffer>
  readonly #controlAt: number
  readonly #outgoingAt: number
  readonly #sockets = new Map<number, SocketEvents>()
  /** `struct pollfd` of each socket: descriptor, then wanted and found events. */
  #polled = new Int32Array(new ArrayBuffer(0))

  constructor(system: Libc, { ip, family }: Address, port: number, outgoing: Outgoing) {
    this.#system = system
    this.#outgoing = outgoing
    const bytes = parseIp(ip)!
    this.#family = family === 4 ? LINUX.AF_INET : LINUX.AF_INET6
    this.#peer = new Uint8Array(
      new ArrayBuffer(family === 4 ? sockaddr_in.bytes : sockaddr_in6.bytes),
    )
    new Uint16Array(this.#peer.buffer, 0, 1)[0] = this.#family
    this.#peer.set([port >> 8, port & 0xff], sockaddr_in.sin_port)
    this.#peer.set(bytes, family === 4 ? sockaddr_in.sin_addr : sockaddr_in6.sin6_addr)
    this.#cuts = isLoopback(bytes, family)
    for (let i = 0; i < BATCH; i++) this.#received.setData(i, addressOf(this.#in, i * ROOM), ROOM)
    this.#sent = new Messages(BATCH * outgoing.lengths.length)
    this.#control = new Uint8Array(new ArrayBuffer(CONTROL.bytes * outgoing.lengths.length))
    this.#controlAt = addressOf(this.#control)
    this.#outgoingAt = addressOf(outgoing.bytes)
    for (const [kind, length] of outgoing.lengths.entries()) {
      const control = new DataView(this.#control.buffer, kind * CONTROL.bytes)
      control.setBigUint64(cmsghdr.cmsg_len, BigInt(CONTROL.used), true)
      control.setInt32(cmsghdr.cmsg_level, LINUX.IPPROTO_UDP, true)
      control.setInt32(cmsghdr.cmsg_type, LINUX.UDP_SEGMENT, true)
      control.setUint16(CONTROL.value, length, true)
    }
  }

  /** undefined: the system refuses. */
  open(events: SocketEvents): UdpSocket | undefined {
    const system = this.#system
    const { SOCK_DGRAM, SOCK_NONBLOCK, SOCK_CLOEXEC } = LINUX
    const fd = system.socket(this.#family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)
    if (fd < 0) return undefined
    if (system.connect(fd, this.#peer, this.#peer.length) < 0) {
      system.close(fd)
      return undefined
    }
    this.#sockets.set(fd, events)
    this.#layPolled()
    return {
      send: () => this.#send(fd, events),
      close: () => {
        this.#sockets.delete(fd)
        this.#layPolled()
        system.close(fd)
      },
    }
  }

  #layPolled(): void {
    this.#polled = Int32Array.from([...this.#sockets.keys()].flatMap((fd) => [fd, LINUX.POLLIN]))
  }

  /** Reads a batch from each socket that has one. Waits at most so long for the first; false: none came. */
  read(waitMilliseconds: number): boolean {
    const polled = this.#polled
    const ready = this.#system.poll(polled, polled.length / POLLED.words, waitMilliseconds)
    if (ready <= 0) return false
    for (let i = 0; i < polled.length; i += POLLED.words) {
      const fd = polled[i + POLLED.fd]!
      if (polled[i + POLLED.events]! >>> 16 !== 0) this.#readOne(fd, this.#sockets.get(fd)!)
    }
    return true
  }

  #readOne(fd: number, events: SocketEvents): void {
    const count = this.#system.recvmmsg(fd, this.#received.at(0), BATCH, MSG_DONTWAIT, null)
    if (count < 0 && this.#system.errno() !== EAGAIN) events.fail()
    for (let i = 0; i < count; i++) events.take(this.#in, i * ROOM, this.#received.received(i))
  }

  #send(fd: number, events: SocketEvents): number {
    const messages = this.#layMessages()
    // The first error may be a late one of an earlier datagram.
    for (let attempt = 0; attempt < 2; attempt++) {
      const sent = this.#system.sendmmsg(fd, this.#sent.at(0), messages, MSG_DONTWAIT)
      if (sent >= 0) return this.#datagramsOf(sent)
      if (this.#system.errno() === EAGAIN) return 0
      events.fail()
    }
    return 0
  }

  /** One message for all requests of a kind, if the kernel cuts it, otherwise one for each. */
  #layMessages(): number {
    const { counts, lengths } = this.#outgoing
    let message = 0
    for (let kind = 0; kind < counts.length; kind++) {
      const step = this.#cuts ? counts[kind]! : 1
      for (let i = 0; i < counts[kind]!; i += step) {
        const from = this.#outgoingAt + this.#outgoing.at(kind, i)
        this.#sent.setData(message, from, step * lengths[kind]!)
        const control = this.#controlAt + kind * CONTROL.bytes
        this.#sent.setControl(message++, control, step > 1 ? CONTROL.bytes : 0)
      }
    }
    return message
  }

  #datagramsOf(messages: number): number {
    if (!this.#cuts) return messages
    let datagrams = 0
    for (const count of this.#outgoing.counts) if (count > 0 && messages-- > 0) datagrams += count
    return datagrams
  }
}

/** The same with Bun's socket, whose events the event loop brings. */
export async function openBunSocket(
  { ip, family }: Address,
  port: number,
  { take, fail }: SocketEvents,
): Promise<UdpSocket> {
  const socket = await Bun.udpSocket({
    hostname: family === 4 ? '0.0.0.0' : '::',
    connect: { hostname: ip, port },
    socket: {
      data: (_socket, packet) => take(packet, 0, packet.length),
      // Without this handler an ICMP error (a port without a listener) ends the process.
      error: fail,
    },
  })
  return {
    send(outgoing) {
      const { bytes, lengths, counts } = outgoing
      const batch = [...counts].flatMap((count, kind) =>
        Array.from({ length: count }, (_, i) => {
          const at = outgoing.at(kind, i)
          return bytes.subarray(at, at + lengths[kind]!)
        }),
      )
      for (let attempt = 0; attempt < 2; attempt++)
        try {
          return socket.sendMany(batch)
        } catch {
          fail()
        }
      return 0
    },
    close: () => socket.close(),
  }
}
