/**
 * What the drivers of database servers have in common beneath the contract: a connection, and what a
 * server is to whoever keeps connections to it. Nothing here knows what is stored.
 */

import type { Patience } from '../time/deadline.ts'
import type { Fault } from './contract.ts'

export type Value = string | bigint | number | null
/** Columns in the order of the statement. Whole numbers come as bigint, number or text: see `wholeNumber`. */
export type Row = readonly unknown[]

/** One connection. It does one thing at a time, and everything may reject with the library's own errors. */
export interface Session {
  /** Once false it stays so. */
  readonly alive: boolean
  /** `?` stands for a value; values travel beside the statement, never within it. */
  rows(sql: string, values?: readonly Value[]): Promise<readonly Row[]>
  /** How many rows it changed. */
  write(sql: string, values?: readonly Value[]): Promise<number>
  /** At once, whatever it is doing, which then rejects or never settles. */
  destroy(): void
  /** Takes leave of the server. */
  end(): Promise<void>
}

/** What an error of the library means. */
export interface Failure {
  readonly fault: Fault
  /** In words, without secrets. */
  readonly reason: string
  /** The same again may well succeed: nothing of it was done. */
  readonly again: boolean
}

export interface Server {
  /** Driver and place, without secrets. */
  readonly about: string
  readonly driver: 'mysql' | 'postgresql'
  /**
   * A session whose server gives up waiting for a lock and doing a statement after these times, 0 = never
   * (as far as it can: both are only there to relieve it). When `signal` aborts, this rejects with its
   * reason and nothing of the connection stays.
   */
  connect(
    signal: AbortSignal,
    lockMilliseconds: number,
    statementMilliseconds: number,
  ): Promise<Session>
  failureOf(error: unknown): Failure
}

/** `server.connect` that ends with the patience, even if a server falls silent between two words. */
export async function connectWithin(
  patience: Patience,
  server: Server,
  lockMilliseconds: number,
  statementMilliseconds: number,
): Promise<Session> {
  const connecting = server.connect(patience.signal, lockMilliseconds, statementMilliseconds)
  try {
    return await patience.bear(() => connecting)
  } catch (error) {
    connecting.then(
      (session) => session.destroy(),
      () => undefined,
    )
    throw error
  }
}

/** A whole number in any of the forms in which the libraries give it; null for NULL and anything else. */
export function wholeNumber(value: unknown): bigint | null {
  if (typeof value === 'bigint') return value
  if (typeof value === 'number' && Number.isInteger(value)) return BigInt(value)
  if (typeof value === 'string' && /^-?\d+$/.test(value)) return BigInt(value)
  return null
}
