/** Where a client is: as the connection says, or as a proxy in front of the tracker does (docs/behaviours.md H14). */
import type { Address } from '../bittorrent.ts'
import type { Refusal } from '../refusal.ts'
import { writeAddress, writeSource } from '../wire/address.ts'

/** Writes the other end of a connection; null: it is gone. Why it is not known, or undefined. */
export const locateConnected = (
  peer: { readonly address: string } | null,
  to: Address,
): Refusal | undefined =>
  peer !== null && writeSource(peer.address, to) ? undefined : 'addressUnknown'

/** Writes what the proxy says. Why it is not known, or undefined. */
export function locateForwarded({ headers }: Request, to: Address): Refusal | undefined {
  // Several header lines arrive joined by commas, in order; the proxy wrote the last address.
  const chain = headers.get('x-forwarded-for')
  if (chain === null) return 'addressNotForwarded'
  const last = chain.slice(chain.lastIndexOf(',') + 1).trim()
  const family = writeAddress(last, 0, last.length, to.bytes)
  if (family === 0) return 'addressNotForwarded'
  to.family = family
  return undefined
}
