/**
 * The one gate that every request passes inside `Tracker`, whatever its transport. Of several faults the
 * first is reported: bans and proof of the address, syntax of the auth key (in every mode, if one is
 * shown), auth key, whitelist, fault of the peer's address (docs/behaviours.md H3, K6, K9, U3, U5).
 */
import { Address, type Expected, Key, type ShownKey } from '../bittorrent.ts'
import type { Refusal } from '../refusal.ts'
import type { Rules } from '../rules.ts'
import type { Clock } from '../time/clock.ts'
import type { Access } from './access.ts'
import type { Bans } from './bans.ts'
import { UNKNOWN } from './keys.ts'

/**
 * How the sender proved that it can receive at its address: `connected` by the transport itself (TCP);
 * `valid` by something that only the holder of the address can know. `expired` and `early` did prove it at
 * another time, `forged` did not, and may come from a forged address.
 */
export type Proof = 'connected' | 'valid' | 'expired' | 'early' | 'forged'

/** Who asks. A transport owns one and fills it again for every request. */
export class Visitor {
  /** Where the request came from. Its peer may announce another address. */
  readonly address = new Address()
  proof: Proof
  /** What the request shows as an auth key; the key itself, for `key`. */
  shows: ShownKey = 'none'
  readonly key = new Key()
  /** Why the address of the peer is not known; reported to those who may be served. */
  fault: Refusal | undefined
  /** Whose key it shows, set by the gate; 0: there is no account, as in a public tracker. */
  account = 0

  constructor(proof: Proof) {
    this.proof = proof
  }
}

export class Gate {
  readonly #rules: Rules
  readonly #clock: Clock
  readonly #bans: Bans
  /** Keys and whitelist; undefined: an open tracker. It may change between two requests. */
  access: Access | undefined

  constructor(rules: Rules, clock: Clock, bans: Bans, access: Access | undefined) {
    this.#rules = rules
    this.#clock = clock
    this.#bans = bans
    this.access = access
  }

  get isPrivate(): boolean {
    return this.access?.keys !== undefined
  }

  /** Why the visitor may not announce the info hash in `words` (five); undefined: it may. */
  announce(visitor: Visitor, words: Int32Array): Refusal | undefined {
    const unproven = this.#proofFault(visitor, 'announceUnproven')
    if (unproven !== undefined) return unproven
    if (visitor.shows === 'malformed') return 'keyMalformed'
    visitor.account = 0
    if (this.access !== undefined) {
      const fault = this.#keyFault(this.access, visitor)
      if (fault !== undefined) return fault
      if (!this.isListed(words)) return 'unlisted'
    }
    return visitor.fault
  }

  /** Why the visitor may not scrape; undefined: it may, though it may learn nothing (`knows`). */
  scrape(visitor: Visitor): Refusal | undefined {
    const unproven = this.#proofFault(visitor, 'scrapeUnproven')
    if (unproven !== undefined) return unproven
    return visitor.shows === 'malformed' ? 'keyMalformed' : visitor.fault
  }

  /** Whether scrapes of the visitor get counts; otherwise they get zeroes. */
  knows(visitor: Visitor): boolean {
    return this.access === undefined || this.#keyFault(this.access, visitor) === undefined
  }

  isListed(words: Int32Array): boolean {
    return this.access?.whitelist?.has(words) ?? true
  }

  /**
   * Whether a datagram that is neither an announce nor a scrape is dropped without an answer, because its
   * sender showed too many wrong connection ids. `unread`: asked of every datagram before it is read; `junk`:
   * of one that is not a request.
   */
  drops(sender: Address, what: 'unread' | 'junk'): boolean {
    const { idErrors } = this.#rules
    const isAsked = idErrors === 'ban' || (idErrors === 'suppress' && what === 'junk')
    return isAsked && this.#bans.has(sender)
  }

  expect({ hashes, keys, count }: Expected): void {
    this.access?.whitelist?.expect(hashes, count)
    this.access?.keys?.expect(keys, count)
  }

  #proofFault({ address, proof }: Visitor, unproven: Refusal): Refusal | undefined {
    const { idErrors } = this.#rules
    if (proof === 'connected' || idErrors === 'serve') return undefined
    if (idErrors === 'ban' && this.#bans.has(address)) return 'banned'
    if (proof === 'valid') return undefined
    // A proof that is only late was good once: the client is slow, or a clock was set.
    if (proof === 'forged') {
      if (this.#bans.has(address)) return 'banned'
      this.#bans.add(address)
    }
    return unproven
  }

  #keyFault({ keys, checksExpiration }: Access, visitor: Visitor): Refusal | undefined {
    if (keys === undefined) return undefined
    if (visitor.shows === 'none') return 'keyMissing'
    const validUntil = keys.validUntil(visitor.key.words)
    if (validUntil === UNKNOWN) return 'keyUnknown'
    visitor.account = keys.account
    if (!checksExpiration || validUntil === Infinity) return undefined
    return validUntil < this.#clock.milliseconds() ? 'keyExpired' : undefined
  }
}
