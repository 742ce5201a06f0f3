/**
 * UDP connection ids (BEP 15): proof that the sender can receive at its own address. Nothing is
 * remembered: an id is the second it was issued and the first half of a SipHash of that second and the
 * IP address, so one hash checks it. Not bound to the port: a NAT may change it between two datagrams.
 */
import type { Announce } from '../bittorrent.ts'
import { SipHash } from './siphash.ts'

/** Bytes of the secret, which all threads of a process share. */
export const SECRET_BYTES = 16

export class ConnectionIds {
  readonly #siphash: SipHash
  readonly #lifetimeSeconds: number
  /** The message: second, then address. Two words more than an IPv6 address needs stay zero. */
  readonly #message = new Int32Array(8)
  readonly #address = new Uint8Array(this.#message.buffer, 4, 16)

  constructor(secret: Uint8Array, lifetimeSeconds: number) {
    this.#siphash = new SipHash(secret)
    this.#lifetimeSeconds = lifetimeSeconds
  }

  /** Low half of the id that is issued to the sender in `announce` at `now` seconds; `now` is the high half. */
  issue(announce: Announce, now: number): number {
    const { endpoint } = announce
    const bytes = announce.family === 4 ? 4 : 16
    this.#message[0] = now
    for (let i = 0; i < bytes; i++) this.#address[i] = endpoint[i]!
    if (bytes === 4) this.#message.fill(0, 2)
    return this.#siphash.tag(this.#message, 4 + bytes)
  }

  /** What is wrong with an id that the sender in `announce` shows; undefined = nothing. */
  check(announce: Announce, high: number, low: number, now: number): Problem | undefined {
    // Arithmetic, not branches, decides whether the tag fits: its bytes leak through no timing.
    const difference = this.issue(announce, high) ^ low
    if (difference !== 0) return 'forged'
    const issued = high >>> 0
    if (now - issued > this.#lifetimeSeconds) return 'expired'
    return issued - now > SKEW_SECONDS ? 'from the future' : undefined
  }
}

export type Problem = 'forged' | 'expired' | 'from the future'

/** A clock that was set back by this much does not make fresh ids invalid. */
const SKEW_SECONDS = 1
