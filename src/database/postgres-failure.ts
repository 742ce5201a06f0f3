/**
 * The errors of Bun's client and of PostgreSQL, as faults of the contract. The values of a row are in the details
 * of an error, which are never shown, and seldom in its message.
 */
import { SQL } from 'bun'
import type { Fault } from './contract.ts'
import type { Failure } from './session.ts'

const UNKNOWN_DATABASE = '3D000'
const UNIQUE_VIOLATION = '23505'
/** The statement reached its time limit. */
const STATEMENT_TIMEOUT = '57014'
/** Serialization failure, deadlock: this transaction is undone and may be repeated. */
const AGAIN = new Set(['40001', '40P01'])
/** The server shuts down, starts, has no connection to spare, or ended this one. */
const GONE = /^(08...|57P0[1-5]|25P03|53300)$/

export function failureOf(error: unknown): Failure {
  const failure = (fault: Fault, reason: string, again = false): Failure => ({
    fault,
    reason: reason.replace(/[0-9A-Za-z]{32,}/g, '…'),
    again,
  })
  if (!(error instanceof SQL.PostgresError)) return failure('refused', String(error))
  const { message, errno: state } = error
  // Without a state the error comes from the network or the client.
  if (state === undefined)
    return failure(/CONNECTION|TIMEOUT|TLS/.test(error.code) ? 'unreachable' : 'refused', message)
  if (GONE.test(state)) return failure('unreachable', message)
  if (AGAIN.has(state)) return failure('refused', message, true)
  if (state === STATEMENT_TIMEOUT) return failure('late', message)
  // A duplicate of an `id` means that the sequence was set back.
  if (state === UNIQUE_VIOLATION && !error.constraint?.endsWith('_pkey'))
    return failure('duplicate', 'one of the rows is there already')
  if (state === UNKNOWN_DATABASE) return failure('refused', `${message}: create it first`)
  return failure('refused', message)
}
