/** What both transports are told of a load test. */
import type { Address } from '../client/resolve.ts'
import type { Population } from './population.ts'

export type Mix = 'announce' | 'mixed'

/** Weights of `mixed`; HTTP knows no connect. */
export const MIXED = { connect: 50, announce: 50, scrape: 1 } as const

export interface LoadOptions {
  readonly address: Address
  readonly port: number
  /** Path and query of the announce URL, empty if there is none; a key may stand in it. */
  readonly path: string
  readonly population: Population
  readonly mix: Mix
  /** Peers wanted of each announce. */
  readonly want: number
  readonly seed: number
  /** Sockets or connections. */
  readonly clients: number
}
