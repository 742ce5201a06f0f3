/**
 * Reads and sends the datagrams of a UDP socket with our own system calls, on Linux: 32 with one call, and for
 * as long as we choose. Bun reads until a socket is empty, eight datagrams at a time, and runs nothing else
 * meanwhile: no timer, no signal, no HTTP; in a flood that is for ever.
 *
 * Bun opens the socket and goes on polling it, but no longer reads it. Once Bun has stopped polling for its
 * first write, a socket that can never be read, the stand-in, is put under Bun's descriptor for good, and the
 * real socket under a descriptor of ours. The kernel goes on reporting events of the real one. Bun's read then
 * fails at once, Bun reports that to us, and goes on with everything else. As Bun never sends, it has nothing
 * to switch on or off, so its polling never meets the wrong socket.
 */
import { LIMITS } from '../limits.ts'
import { type Datagrams, LATE, SENDER, SLOT_BYTES } from './datagrams.ts'
import { addressOf, type Libc, libc } from './libc.ts'
import { LINUX, STRUCT } from './linux.ts'
import { Messages } from './messages.ts'
import type { Outbox, Sender } from './outbox.ts'
import { blockingAll } from './packet-filter.ts'
import { filterPackets } from './socket-options.ts'

const { EAGAIN, MSG_DONTWAIT, O_CLOEXEC } = LINUX
const STREAM_SOCKET = LINUX.SOCK_STREAM | LINUX.SOCK_CLOEXEC | LINUX.SOCK_NONBLOCK

/**
 * Two descriptors that the control thread keeps for one socket of one thread, so that a thread that dies at any
 * point leaves nothing open that is not known.
 */
export type Descriptors = {
  /** A socket without another end: to read it is an error. */
  readonly standIn: number
  /** The real socket, while there is one; otherwise the stand-in again. */
  readonly socket: number
}

/** undefined: the system has no such calls, or refuses. Bun then reads the socket itself. */
export function openDescriptors(): Descriptors | undefined {
  const system = libc()
  const standIn = system?.socket(LINUX.AF_UNIX, STREAM_SOCKET, 0) ?? -1
  if (system === undefined || standIn < 0) return undefined
  const socket = system.dup(standIn)
  if (socket >= 0) return { standIn, socket }
  system.close(standIn)
  return undefined
}

/** Closes the real socket that a thread left behind. The thread must have ended. */
export function releaseSocket({ standIn, socket }: Descriptors): void {
  libc()?.dup3(standIn, socket, O_CLOEXEC)
}

export function closeDescriptors({ standIn, socket }: Descriptors): void {
  libc()?.close(socket)
  libc()?.close(standIn)
}

export class DirectSocket implements Sender {
  readonly #system: Libc
  readonly #descriptors: Descriptors
  readonly #datagrams: Datagrams
  readonly #outbox: Outbox
  /** With one more, whose sender is that of a datagram that is answered late. */
  readonly #in = new Messages(LATE + 1)
  readonly #out = new Messages(LIMITS.udpBatch)

  constructor(system: Libc, descriptors: Descriptors, datagrams: Datagrams, outbox: Outbox) {
    this.#system = system
    this.#descriptors = descriptors
    this.#datagrams = datagrams
    this.#outbox = outbox
    const data = addressOf(datagrams.bytes)
    const senders = addressOf(datagrams.senders)
    for (let i = 0; i <= LATE; i++) {
      this.#in.setData(i, data + i * SLOT_BYTES, LIMITS.datagram)
      this.#in.setName(i, senders + i * SENDER.bytes, STRUCT.sockaddr_in6.bytes)
    }
    this.resized()
  }

  resized(): void {
    const { bytes, slotBytes } = this.#outbox
    const at = addressOf(bytes)
    for (let i = 0; i < LIMITS.udpBatch; i++) this.#out.setData(i, at + i * slotBytes, 0)
  }

  /**
   * Lets nothing more arrive at `fd`, which Bun has just opened: Bun must finish reading before it stops polling
   * for writing. false: the system refused.
   */
  hold(fd: number): boolean {
    return filterPackets(fd, blockingAll())
  }

  /** From here on we read what arrives. Bun must not be reading, and must poll for nothing but datagrams. */
  takeOver(fd: number): boolean {
    const { standIn, socket } = this.#descriptors
    if (this.#system.dup3(fd, socket, O_CLOEXEC) < 0) return false
    if (this.#system.dup3(standIn, fd, O_CLOEXEC) < 0) return false
    this.letIn(socket)
    return true
  }

  /** Undoes `hold`. */
  letIn(fd: number): void {
    filterPackets(fd, undefined)
  }

  /** Reads a batch at most. How many datagrams; 0: nothing is there; -1: the kernel reported an error. */
  receive(): number {
    const { socket } = this.#descriptors
    const count = this.#system.recvmmsg(socket, this.#in.at(0), LIMITS.udpBatch, MSG_DONTWAIT, null)
    if (count < 0) return this.#system.errno() === EAGAIN ? 0 : -1
    const { lengths } = this.#datagrams
    for (let i = 0; i < count; i++) lengths[i] = this.#in.received(i)
    return count
  }

  send(first: number, count: number): number {
    const { lengths, to } = this.#outbox
    for (let i = first; i < first + count; i++) {
      const datagram = to[i]!
      this.#out.answer(i, lengths[i]!, this.#in, datagram, this.#datagrams.senderBytes(datagram))
    }
    const at = this.#out.at(first)
    const sent = this.#system.sendmmsg(this.#descriptors.socket, at, count, MSG_DONTWAIT)
    if (sent >= 0) return sent
    return this.#system.errno() === EAGAIN ? 0 : -1
  }

  /** Closes the real socket. Call it before Bun closes its own, or the kernel reports to a socket that is gone. */
  close(): void {
    releaseSocket(this.#descriptors)
  }
}
