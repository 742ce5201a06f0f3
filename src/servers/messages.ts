/**
 * Datagrams for one call of recvmmsg or sendmmsg: an array of `struct mmsghdr` of 64-bit Linux, glibc and musl alike,
 * each with a vector (`struct iovec`) of its own, in memory that never moves. Addresses are those of libc.ts; the caller
 * keeps the memory behind them.
 */
import { addressOf } from './libc.ts'
import { STRUCT } from './linux.ts'

/** Both structures in 64-bit words. Shorter fields have a word of their own, too. */
const { mmsghdr, iovec } = STRUCT
const MESSAGE = {
  name: mmsghdr['msg_hdr.msg_name'] / 8,
  nameBytes: mmsghdr['msg_hdr.msg_namelen'] / 8,
  vector: mmsghdr['msg_hdr.msg_iov'] / 8,
  vectors: mmsghdr['msg_hdr.msg_iovlen'] / 8,
  control: mmsghdr['msg_hdr.msg_control'] / 8,
  controlBytes: mmsghdr['msg_hdr.msg_controllen'] / 8,
  received: mmsghdr.msg_len / 8,
  words: mmsghdr.bytes / 8,
} as const
const VECTOR = {
  base: iovec.iov_base / 8,
  bytes: iovec.iov_len / 8,
  words: iovec.bytes / 8,
} as const

export class Messages {
  /** Words as halves. */
  readonly #words: Int32Array<ArrayBuffer>
  readonly #vectors: Int32Array<ArrayBuffer>
  readonly #at: number

  constructor(count: number) {
    this.#words = new Int32Array(new ArrayBuffer(count * MESSAGE.words * 8))
    this.#vectors = new Int32Array(new ArrayBuffer(count * VECTOR.words * 8))
    this.#at = addressOf(this.#words)
    const vectorsAt = addressOf(this.#vectors)
    for (let i = 0; i < count; i++) {
      put(this.#words, i * MESSAGE.words + MESSAGE.vector, vectorsAt + i * VECTOR.words * 8)
      put(this.#words, i * MESSAGE.words + MESSAGE.vectors, 1)
    }
  }

  /** Where message `i` stands, for the kernel. */
  at(i: number): number {
    return this.#at + i * MESSAGE.words * 8
  }

  /** Message `i` is sent from, or received into, `bytes` bytes at `address`. */
  setData(i: number, address: number, bytes: number): void {
    put(this.#vectors, i * VECTOR.words + VECTOR.base, address)
    put(this.#vectors, i * VECTOR.words + VECTOR.bytes, bytes)
  }

  /** The sender of message `i` is written to `bytes` bytes at `address`. */
  setName(i: number, address: number, bytes: number): void {
    put(this.#words, i * MESSAGE.words + MESSAGE.name, address)
    put(this.#words, i * MESSAGE.words + MESSAGE.nameBytes, bytes)
  }

  /** The ancillary data of message `i`; 0 bytes: none. */
  setControl(i: number, address: number, bytes: number): void {
    put(this.#words, i * MESSAGE.words + MESSAGE.control, address)
    put(this.#words, i * MESSAGE.words + MESSAGE.controlBytes, bytes)
  }

  /** Message `i`, of `bytes` bytes, goes to the sender of message `j` of `received`, whose address has `nameBytes`. */
  answer(i: number, bytes: number, received: Messages, j: number, nameBytes: number): void {
    const at = i * MESSAGE.words * 2
    const from = (j * MESSAGE.words + MESSAGE.name) * 2
    this.#words[at] = received.#words[from]!
    this.#words[at + 1] = received.#words[from + 1]!
    this.#words[at + MESSAGE.nameBytes * 2] = nameBytes
    this.#vectors[(i * VECTOR.words + VECTOR.bytes) * 2] = bytes
  }

  /** Bytes of message `i`, once it was received. */
  received(i: number): number {
    return this.#words[(i * MESSAGE.words + MESSAGE.received) * 2]!
  }
}

/** Writes a 64-bit word as halves, without a BigInt. */
function put(words: Int32Array, index: number, value: number): void {
  words[index * 2] = value
  words[index * 2 + 1] = value / 2 ** 32
}
