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
import { addressOf, LINUX, type Libc, libc } from './libc.ts'
import type { Outbox, Sender } from './outbox.ts'

const SOCK_NONBLOCK = 0o4000
const STREAM_SOCKET = LINUX.SOCK_STREAM | LINUX.CLOEXEC | SOCK_NONBLOCK
const MSG_DONTWAIT = 0x40
const EAGAIN = 11

/**
 * `struct mmsghdr` of 64-bit Linux, glibc and musl alike, in 64-bit words (in halves of them: twice that):
 * address and its length, vector and its length, ancillary data and its length, flags, bytes received. A
 * vector (`struct iovec`) is an address and a length.
 */
export const MESSAGE = {
  name: 0,
  nameBytes: 1,
  vector: 2,
  vectors: 3,
  control: 4,
  controlBytes: 5,
  received: 7,
  words: 8,
} as const
export const VECTOR = { base: 0, bytes: 1, words: 2 } as const
const SOCKADDR_IN6_BYTES = 28

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
  libc()?.dup3(standIn, socket, LINUX.CLOEXEC)
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
  /** Headers of received and sent datagrams: laid out as 64-bit words, used as halves of those. */
  readonly #in: Int32Array
  readonly #out: Int32Array
  readonly #outVectors: Int32Array<ArrayBuffer>
  readonly #inAt: number
  readonly #outAt: number
  /** Address of each sender in `#datagrams`, two halves each. */
  readonly #senders: Int32Array
  /** Memory that only the kernel's pointers refer to. */
  readonly #kept: ArrayBufferLike[] = []

  constructor(system: Libc, descriptors: Descriptors, datagrams: Datagrams, outbox: Outbox) {
    this.#system = system
    this.#descriptors = descriptors
    this.#datagrams = datagrams
    this.#outbox = outbox
    const count = LIMITS.udpBatch
    const inVectors = new BigUint64Array(new ArrayBuffer(count * VECTOR.words * 8))
    const outVectors = new BigUint64Array(new ArrayBuffer(count * VECTOR.words * 8))
    layVectors(inVectors, addressOf(datagrams.bytes), SLOT_BYTES, LIMITS.datagram)
    const senders = BigUint64Array.from({ length: LATE + 1 }, (_, i) =>
      BigInt(addressOf(datagrams.senders) + i * SENDER.bytes),
    )
    const headers = (vectors: BigUint64Array) => {
      const words = new BigUint64Array(new ArrayBuffer(count * MESSAGE.words * 8))
      for (let i = 0; i < count; i++) {
        const at = i * MESSAGE.words
        words[at + MESSAGE.name] = senders[i]!
        words[at + MESSAGE.nameBytes] = BigInt(SOCKADDR_IN6_BYTES)
        words[at + MESSAGE.vector] = BigInt(addressOf(vectors, i * VECTOR.words * 8))
        words[at + MESSAGE.vectors] = 1n
      }
      this.#kept.push(words.buffer, vectors.buffer)
      return words
    }
    const [received, sent] = [headers(inVectors), headers(outVectors)]
    this.#in = new Int32Array(received.buffer)
    this.#out = new Int32Array(sent.buffer)
    this.#inAt = addressOf(received)
    this.#outAt = addressOf(sent)
    this.#outVectors = new Int32Array(outVectors.buffer)
    this.#senders = new Int32Array(senders.buffer)
    this.resized()
  }

  resized(): void {
    const { bytes, slotBytes } = this.#outbox
    layVectors(new BigUint64Array(this.#outVectors.buffer), addressOf(bytes), slotBytes, 0)
  }

  /**
   * Lets nothing more arrive at `fd`, which Bun has just opened: Bun must finish reading before it stops polling
   * for writing. false: the system refused.
   */
  hold(fd: number): boolean {
    // One instruction: accept no byte.
    const filter = new Uint8Array(new ArrayBuffer(8))
    filter[0] = 0x06
    this.#kept.push(filter.buffer)
    const program = new BigUint64Array([1n, BigInt(addressOf(filter))])
    return this.#system.setsockopt(fd, LINUX.SOL_SOCKET, LINUX.SO_ATTACH_FILTER, program, 16) === 0
  }

  /** From here on we read what arrives. Bun must not be reading, and must poll for nothing but datagrams. */
  takeOver(fd: number): boolean {
    const { standIn, socket } = this.#descriptors
    if (this.#system.dup3(fd, socket, LINUX.CLOEXEC) < 0) return false
    if (this.#system.dup3(standIn, fd, LINUX.CLOEXEC) < 0) return false
    this.letIn(socket)
    return true
  }

  /** Undoes `hold`. */
  letIn(fd: number): void {
    this.#system.setsockopt(fd, LINUX.SOL_SOCKET, LINUX.SO_DETACH_FILTER, new Int32Array(1), 4)
  }

  /** Reads a batch at most. How many datagrams; 0: nothing is there; -1: the kernel reported an error. */
  receive(): number {
    const { socket } = this.#descriptors
    const count = this.#system.recvmmsg(socket, this.#inAt, LIMITS.udpBatch, MSG_DONTWAIT, null)
    if (count < 0) return this.#system.errno() === EAGAIN ? 0 : -1
    const { lengths } = this.#datagrams
    for (let i = 0; i < count; i++)
      lengths[i] = this.#in[(i * MESSAGE.words + MESSAGE.received) * 2]!
    return count
  }

  send(first: number, count: number): number {
    const { lengths, to } = this.#outbox
    for (let i = first; i < first + count; i++) {
      const at = i * MESSAGE.words * 2
      const datagram = to[i]!
      this.#out[at] = this.#senders[datagram * 2]!
      this.#out[at + 1] = this.#senders[datagram * 2 + 1]!
      this.#out[at + MESSAGE.nameBytes * 2] = this.#datagrams.senderBytes(datagram)
      this.#outVectors[(i * VECTOR.words + VECTOR.bytes) * 2] = lengths[i]!
    }
    const at = this.#outAt + first * MESSAGE.words * 8
    const sent = this.#system.sendmmsg(this.#descriptors.socket, at, count, MSG_DONTWAIT)
    if (sent >= 0) return sent
    return this.#system.errno() === EAGAIN ? 0 : -1
  }

  /** Closes the real socket. Call it before Bun closes its own, or the kernel reports to a socket that is gone. */
  close(): void {
    releaseSocket(this.#descriptors)
  }
}

/** Vector number `i` is `bytes` bytes at `base + i * stride`. */
function layVectors(words: BigUint64Array, base: number, stride: number, bytes: number): void {
  for (let i = 0; i * VECTOR.words < words.length; i++) {
    words[i * VECTOR.words + VECTOR.base] = BigInt(base + i * stride)
    words[i * VECTOR.words + VECTOR.bytes] = BigInt(bytes)
  }
}
