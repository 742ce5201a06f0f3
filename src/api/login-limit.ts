/**
 * Slows down those who guess tokens at the login. Counts by address, IPv6 by /64, and forgets an address that has
 * been quiet. Only there: a program that asks the API with an old token all day must not shut out the others of its
 * machine.
 */
import { Address } from '../bittorrent.ts'
import type { Clock } from '../time/clock.ts'
import { writeSource } from '../wire/address.ts'

/** Failures at once, and seconds until there is one more. */
const BURST = 5
const SECONDS = 30
/** Addresses that are remembered; the oldest give way. */
const MOST_CLIENTS = 10_000

/** Failures that are left, at a millisecond. */
type Bucket = { readonly left: number; readonly at: number }

export class LoginLimit {
  readonly #clock: Clock
  readonly #clients = new Map<string, Bucket>()

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** Seconds until `client`, an IP address, may try again; 0: now. */
  wait(client: string): number {
    const left = this.#leftOf(client)
    return left >= 1 ? 0 : Math.ceil((1 - left) * SECONDS)
  }

  failed(client: string): void {
    const left = this.#leftOf(client) - 1
    const network = networkOf(client)
    this.#clients.delete(network)
    for (const oldest of this.#clients.keys()) {
      if (this.#clients.size < MOST_CLIENTS) break
      this.#clients.delete(oldest)
    }
    this.#clients.set(network, { left, at: this.#clock.milliseconds() })
  }

  #leftOf(client: string): number {
    const bucket = this.#clients.get(networkOf(client))
    if (bucket === undefined) return BURST
    // A clock that was set counts like the time that passed: it locks no client out.
    const passed = Math.abs(this.#clock.milliseconds() - bucket.at) / 1000
    return Math.min(BURST, bucket.left + passed / SECONDS)
  }
}

/** What one client has: an IPv4 address, or a /64. */
function networkOf(client: string): string {
  const address = new Address()
  if (!writeSource(client, address)) return ''
  return address.bytes.slice(0, address.family === 4 ? 4 : 8).toHex()
}
