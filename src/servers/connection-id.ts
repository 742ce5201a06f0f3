/**
 * UDP connection ids (BEP 15; docs/behaviours.md U2): proof that the sender can receive at its own address.
 * Nothing is remembered: an id is the second it was issued and half of a SipHash of that second and the IP
 * address, so one hash checks it. Not bound to the port: a NAT may change it between two datagrams.
 */
import type { Proof } from '../access/gate.ts'
import type { Address } from '../bittorrent.ts'

/** Bytes of the secret, which all threads of a process share. */
export const SECRET_BYTES = 16
/** A clock that was set back by this much does not make fresh ids invalid. */
const SKEW_SECONDS = 1

export class ConnectionIds {
  readonly #siphash: SipHash
  readonly #lifetimeSeconds: number
  /** The message: second, then address. Two words more than an IPv6 address needs stay zero. */
  readonly #message = new Int32Array(8)

  constructor(secret: Uint8Array, lifetimeSeconds: number) {
    this.#siphash = new SipHash(secret)
    this.#lifetimeSeconds = lifetimeSeconds
  }

  /** Low half of the id that is issued to `address` at `now` seconds; `now` is the high half. */
  issue({ family, words }: Address, now: number): number {
    const count = family === 4 ? 1 : 4
    this.#message[0] = now
    for (let i = 0; i < count; i++) this.#message[1 + i] = words[i]!
    if (count === 1) this.#message.fill(0, 2)
    return this.#siphash.tag(this.#message, 4 + count * 4)
  }

  /** What the id proves of its sender at `address`. */
  check(address: Address, high: number, low: number, now: number): Exclude<Proof, 'connected'> {
    // Arithmetic, not branches, decides whether the tag fits: its bytes leak through no timing.
    const difference = this.issue(address, high) ^ low
    if (difference !== 0) return 'forged'
    const issued = high >>> 0
    if (now - issued > this.#lifetimeSeconds) return 'expired'
    return issued - now > SKEW_SECONDS ? 'early' : 'valid'
  }
}

/**
 * SipHash-2-4 with a 64-bit tag (Aumasson and Bernstein, 2012; the authors' test vectors are in the tests). On
 * 32-bit halves, because 64-bit integers are slow here.
 */
export class SipHash {
  readonly #key: Int32Array
  /** High half of the tag that `tag` returned last. */
  high = 0

  /** `key`: 16 bytes. */
  constructor(key: Uint8Array) {
    const view = new DataView(key.buffer, key.byteOffset, 16)
    this.#key = Int32Array.from([0, 4, 8, 12], (at) => view.getInt32(at, true))
  }

  /**
   * Low half of the tag of the `length` bytes that stand little-endian in `words`. Bytes of the last
   * word beyond `length` must be zero, and `words` must reach two words past the last full block.
   */
  tag(words: Int32Array, length: number): number {
    const key = this.#key
    let a = key[0]! ^ 0x70736575
    let A = key[1]! ^ 0x736f6d65
    let b = key[2]! ^ 0x6e646f6d
    let B = key[3]! ^ 0x646f7261
    let c = key[0]! ^ 0x6e657261
    let C = key[1]! ^ 0x6c796765
    let d = key[2]! ^ 0x79746573
    let D = key[3]! ^ 0x74656462
    const blocks = (length >>> 3) + 1
    const injected = blocks * 2
    let low = 0
    let high = 0
    // Two rounds a block, then four to finish. Lower case is the low half of each state word.
    for (let round = 0; round < injected + 4; round++) {
      if (round < injected && (round & 1) === 0) {
        low = words[round]!
        high = words[round + 1]!
        if (round === injected - 2) high |= length << 24
        d ^= low
        D ^= high
      }
      let sum = (a + b) | 0
      A = (A + B + (((a & b) | ((a | b) & ~sum)) >>> 31)) | 0
      a = sum
      sum = (b << 13) | (B >>> 19)
      B = (B << 13) | (b >>> 19)
      b = sum ^ a
      B ^= A
      sum = a
      a = A
      A = sum

      sum = (c + d) | 0
      C = (C + D + (((c & d) | ((c | d) & ~sum)) >>> 31)) | 0
      c = sum
      sum = (d << 16) | (D >>> 16)
      D = (D << 16) | (d >>> 16)
      d = sum ^ c
      D ^= C

      sum = (a + d) | 0
      A = (A + D + (((a & d) | ((a | d) & ~sum)) >>> 31)) | 0
      a = sum
      sum = (d << 21) | (D >>> 11)
      D = (D << 21) | (d >>> 11)
      d = sum ^ a
      D ^= A

      sum = (c + b) | 0
      C = (C + B + (((c & b) | ((c | b) & ~sum)) >>> 31)) | 0
      c = sum
      sum = (b << 17) | (B >>> 15)
      B = (B << 17) | (b >>> 15)
      b = sum ^ c
      B ^= C
      sum = c
      c = C
      C = sum

      if (round < injected && (round & 1) === 1) {
        a ^= low
        A ^= high
        if (round === injected - 1) c ^= 0xff
      }
    }
    this.high = A ^ B ^ C ^ D
    return a ^ b ^ c ^ d
  }
}
