/** How the parts of a running tracker follow another configuration together: all of them, or none. */
import type { Config } from '../config/model.ts'
import { printAddress, type SocketAddress } from '../wire/address.ts'

export interface Part {
  /**
   * Gets ready to follow `config`, so that what can fail has been done, and clients notice nothing. Rejects with one
   * line that names the cause; the part is then as before.
   */
  prepare(config: Config): Promise<Prepared> | Prepared
}

/** Exactly one of `commit` and `abort` is called, once, when all parts are ready or one is not. Neither may fail. */
export interface Prepared {
  /** What will change besides options of the configuration, one line each. */
  readonly news?: readonly string[]
  /** What it cannot follow before a restart, one line each. */
  readonly restart?: readonly string[]
  commit(): Promise<void> | void
  abort?(): Promise<void> | void
  /** After all have committed: closes what is no longer needed. May take seconds. */
  finish?(): Promise<void>
}

/** The line for a listener whose certificate has changed. */
export const newCertificate = (address: SocketAddress): string =>
  `another certificate for ${printAddress(address)}`

/** A part that cannot fail. */
export const follower = (follow: (config: Config) => void): Part => ({
  prepare: (config) => ({ commit: () => follow(config) }),
})
