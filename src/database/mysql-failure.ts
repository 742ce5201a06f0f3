/**
 * The errors of mysql2 and of the servers, as faults of the contract. Servers quote values in their messages
 * (`Duplicate entry '…'`), and a value may be a key: none gets out.
 */
import type { Fault } from './contract.ts'
import type { Failure } from './session.ts'

// The numbers that both MySQL and MariaDB have are the same.
const UNKNOWN_DATABASE = 1049
const DUPLICATE = 1062
/** Another transaction was first, or changed what this one had read: this one is undone and may be repeated. */
const AGAIN = new Set([1213, 1020])
/** The statement reached its time limit (MariaDB, MySQL). */
const LATE = new Set([1969, 3024])
/** The server shuts down, has no connection to spare, or ended this one (KILL, too long idle). */
const GONE = new Set([1040, 1053, 1077, 1079, 1317, 1927, 3169, 4031])

export function failureOf(error: unknown): Failure {
  const failure = (fault: Fault, reason: string, again = false): Failure => ({
    fault,
    reason: withoutValues(reason),
    again,
  })
  if (!(error instanceof Error)) return failure('refused', String(error))
  const { message } = error
  // An SQL state means that the error comes from the server.
  if (!('sqlState' in error && 'errno' in error)) return failure(...withoutServer(error))
  const number = Number(error.errno)
  if (GONE.has(number)) return failure('unreachable', message)
  if (LATE.has(number)) return failure('late', message)
  if (AGAIN.has(number)) return failure('refused', message, true)
  // A duplicate of an `id` means that the server has run out of them.
  if (number === DUPLICATE && !message.endsWith("PRIMARY'"))
    return failure('duplicate', 'one of the rows is there already')
  if (number === UNKNOWN_DATABASE)
    return failure(
      'refused',
      message.replace(/^Unknown database '(.*)'$/, 'database "$1" does not exist: create it first'),
    )
  return failure('refused', message)
}

/** An error of the network, of the library, or of ours. */
function withoutServer(error: Error): [Fault, string] {
  const code = 'code' in error ? error.code : undefined
  if (code === 'ECONNREFUSED') return ['unreachable', 'connection refused']
  if (code === 'ENOTFOUND') return ['unreachable', 'no host has this name']
  if (code !== undefined || 'fatal' in error) return ['unreachable', error.message]
  return ['refused', error.message]
}

const withoutValues = (message: string): string =>
  message.replace(/(entry|value:?) '[^']*'/g, "$1 '…'").replace(/[0-9A-Za-z]{32,}/g, '…')
