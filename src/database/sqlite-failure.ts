/**
 * The errors of SQLite, as `DatabaseError`s. Its messages name tables and columns, never a bound value; all our
 * values are bound.
 */
import type { DatabaseConfig } from '../config/model.ts'
import { cannotOpen, DatabaseError, type Fault, queryFailed } from './contract.ts'
import { ForeignFile } from './sqlite-schema.ts'

/** SQLite's name of an error (`SQLITE_BUSY_RECOVERY`); '' for other errors. */
const codeOf = (error: unknown): string =>
  error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : ''

/** SQLite's names, and the system's when a directory cannot be made. */
const CANNOT_WRITE = /^(SQLITE_(CANTOPEN|READONLY|PERM|AUTH)|EACCES|EPERM|EROFS|ENOENT)/

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : `${error}`)

/** Another connection holds a lock: the same may succeed a moment later. */
export const isBusy = (error: unknown): boolean => /^SQLITE_(BUSY|LOCKED)/.test(codeOf(error))

export function queryFailure(error: unknown): DatabaseError {
  if (error instanceof DatabaseError) return error
  return queryFailed('sqlite3', faultOf(error), messageOf(error))
}

export function openingFailure(
  config: DatabaseConfig & { driver: 'sqlite3' },
  error: unknown,
): DatabaseError {
  if (error instanceof ForeignFile) return cannotOpen(config, 'invalid', error.message)
  const code = codeOf(error)
  if (code === 'SQLITE_NOTADB')
    return cannotOpen(
      config,
      'invalid',
      `${config.path} is no SQLite database: name another file in core.database.path, or move this one away`,
    )
  if (/^SQLITE_CORRUPT/.test(code))
    return cannotOpen(
      config,
      'invalid',
      `${messageOf(error)}: restore ${config.path} from a backup, or move it away`,
    )
  if (isBusy(error))
    return cannotOpen(
      config,
      'refused',
      'another program holds it locked: stop that one, or wait for it',
    )
  if (CANNOT_WRITE.test(code))
    return cannotOpen(
      config,
      'refused',
      `${messageOf(error)}: let the tracker write the file and its directory, or name another file in core.database.path`,
    )
  return cannotOpen(config, faultOf(error), messageOf(error))
}

function faultOf(error: unknown): Fault {
  const code = codeOf(error)
  if (/^SQLITE_(CORRUPT|NOTADB)/.test(code)) return 'invalid'
  // After a disk error it is unknown how much of the transaction is on the disk.
  if (/^SQLITE_(IOERR|CANTOPEN)/.test(code)) return 'unreachable'
  if (/^SQLITE_CONSTRAINT/.test(code) && messageOf(error).endsWith(' keys.key')) return 'duplicate'
  return 'refused'
}
