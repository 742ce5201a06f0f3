/** Who asks, as a transport states it before the gate is asked. */
import { Address, Key, type ShownKey } from '../bittorrent.ts'
import type { Refusal } from '../refusal.ts'

/**
 * How the sender proved that it can receive at its address: `connected` by the transport itself (TCP);
 * `valid` by something that only the holder of the address can know. `expired` and `early` did prove it at
 * another time, `forged` did not, and may be sent under the name of somebody else.
 */
export type Proof = 'connected' | 'valid' | 'expired' | 'early' | 'forged'

/** A transport owns one and fills it again for every request. */
export class Visitor {
  /** Where the request came from. Its peer may announce another address. */
  readonly address = new Address()
  proof: Proof
  /** What the request shows as an auth key; the key itself, for `key`. */
  shows: ShownKey = 'none'
  readonly key = new Key()
  /** Why the address of the peer is not known; reported to those who may be served. */
  fault: Refusal | undefined

  constructor(proof: Proof) {
    this.proof = proof
  }
}
