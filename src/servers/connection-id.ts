/**
 * UDP connection ids (BEP 15; docs/behaviours.md U2): proof that the sender can receive at its own address.
 * Nothing is remembered: an id is the second it was issued and a word of a MAC of that second and the IP
 * address, so one MAC checks it. Not bound to the port: a NAT may change it between two datagrams.
 */
import type { Proof } from '../access/gate.ts'
import type { Address } from '../bittorrent.ts'
import { Chaskey } from '../memory/mac.ts'

/** Bytes of the secret, which all threads of a process share. */
export const SECRET_BYTES = 16
/** A clock that was set back by this much does not make fresh ids invalid. */
const SKEW_SECONDS = 1

export class ConnectionIds {
  readonly #mac: Chaskey
  readonly #lifetimeSeconds: number
  /** Second, address, the byte that ends a message, zeros: whole blocks of the MAC, one for IPv4, two for IPv6. */
  readonly #message = new Int32Array(8)

  constructor(secret: Uint8Array, lifetimeSeconds: number) {
    this.#mac = new Chaskey(secret)
    this.#lifetimeSeconds = lifetimeSeconds
  }

  /** Low half of the id that is issued to `address` at `now` seconds; `now` is the high half. */
  issue({ family, words }: Address, now: number): number {
    const message = this.#message
    message[0] = now
    message[1] = words[0]!
    if (family === 4) {
      message[2] = 1
      message[3] = 0
      return this.#mac.tag(message, 1, true)
    }
    message[2] = words[1]!
    message[3] = words[2]!
    message[4] = words[3]!
    message[5] = 1
    return this.#mac.tag(message, 2, true)
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
