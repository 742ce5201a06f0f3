/**
 * The errors of SQLite, as faults of the contract. Its messages name tables and columns, never a bound value; all our
 * values are bound.
 */
import type { Fault } from './contract.ts'
import type { Failure } from './session.ts'

/** SQLite's name of an error (`SQLITE_BUSY_RECOVERY`), or the system's when a directory cannot be made; '' for others. */
const codeOf = (error: unknown): string =>
  error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : ''

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : `${error}`)

/** Another connection holds a lock: the same may succeed a moment later. */
export const isBusy = (error: unknown): boolean => /^SQLITE_(BUSY|LOCKED)/.test(codeOf(error))

export const failureOf = (error: unknown): Failure => ({
  fault: faultOf(error),
  reason: messageOf(error),
})

function faultOf(error: unknown): Fault {
  const code = codeOf(error)
  if (/^SQLITE_(CORRUPT|NOTADB)/.test(code)) return 'invalid'
  // After a disk error it is unknown how much of the transaction is on the disk.
  if (/^SQLITE_(IOERR|CANTOPEN)/.test(code)) return 'unreachable'
  if (/^SQLITE_CONSTRAINT/.test(code) && messageOf(error).endsWith(' keys.key')) return 'duplicate'
  return 'refused'
}

/** Why the file does not open, with the remedy. */
const OPENING: readonly (readonly [RegExp, (message: string, path: string) => string])[] = [
  [
    /^SQLITE_NOTADB/,
    (_, path) =>
      `${path} is no SQLite database: name another file in core.database.path, or move this one away`,
  ],
  [
    /^SQLITE_CORRUPT/,
    (message, path) => `${message}: restore ${path} from a backup, or move it away`,
  ],
  [/^SQLITE_(BUSY|LOCKED)/, () => 'another program holds it locked: stop that one, or wait for it'],
  [
    /^(SQLITE_(CANTOPEN|READONLY|PERM|AUTH)|EACCES|EPERM|EROFS|ENOENT)/,
    (message) =>
      `${message}: let the tracker write the file and its directory, or name another file in core.database.path`,
  ],
]

export function openingReason(error: unknown, path: string): string {
  const words = OPENING.find(([code]) => code.test(codeOf(error)))?.[1]
  return words?.(messageOf(error), path) ?? messageOf(error)
}
