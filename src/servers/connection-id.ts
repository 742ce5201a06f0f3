/**
 * UDP connection ids (BEP 15; docs/behaviours.md U2): proof that the sender can receive at its own address.
 * Nothing is remembered: an id is the second it was issued and half of a SipHash of that second and the IP
 * address, so one hash checks it. Not bound to the port: a NAT may change it between two datagrams.
 */
import type { Proof } from '../access/gate.ts'
import type { Address } from '../bittorrent.ts'
import { SipHash } from './siphash.ts'

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
