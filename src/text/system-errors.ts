/** What the system's error codes mean, in the words of each kind of message. Pure. */

/** The code of a system error, such as `ENOENT`; empty if it has none. */
export const errorCode = (error: unknown): string =>
  error instanceof Error && 'code' in error ? String(error.code) : ''

type Words = Readonly<Record<string, string>>

/** Why a call failed. */
const REASONS: Words = {
  EACCES: 'permission denied',
  EISDIR: 'is a directory',
  ENOENT: 'no such file or directory',
  ENOSPC: 'no space left',
  ENOTDIR: 'not a directory',
  EPERM: 'operation not permitted',
  EROFS: 'read-only file system',
}

/** Why a file could not be read. */
const READING: Words = {
  ...REASONS,
  ENOENT: 'no such file',
  ENOTDIR: 'no such file',
  EPERM: 'permission denied',
}

/** The same as the predicate of a sentence. */
const UNREADABLE: Words = {
  EACCES: 'may not be read by this user',
  EISDIR: 'is a directory',
  ENOENT: 'does not exist',
  ENOTDIR: 'does not exist',
  EPERM: 'may not be read by this user',
}

/** Why a new file could not be written. */
const CREATING: Words = {
  EACCES: 'permission denied',
  EEXIST: 'exists already',
  EISDIR: 'is a directory',
  ENOENT: 'its directory does not exist',
  ENOTDIR: 'its directory does not exist',
  EROFS: 'the disk is read-only',
}

/** Why a call failed: `permission denied`, or the bare code. */
export const systemReason = (error: unknown): string =>
  REASONS[errorCode(error)] ?? codeOrMessage(error)

/** Why a file could not be read: `no such file`. */
export const fileReason = (error: unknown): string =>
  READING[errorCode(error)] ?? cannotBeRead(error)

/** The same as the predicate of a sentence: `does not exist`. */
export const unreadable = (error: unknown): string =>
  UNREADABLE[errorCode(error)] ?? cannotBeRead(error)

/** Why a new file could not be written: `exists already, nothing was written`. */
export function notWritten(error: unknown): string {
  const reason = CREATING[errorCode(error)]
  return reason === undefined
    ? `cannot be written (${codeOrMessage(error)})`
    : `${reason}, nothing was written`
}

const cannotBeRead = (error: unknown): string => `cannot be read (${codeOrMessage(error)})`

/** The code of a system error; the message of another. */
export const codeOrMessage = (error: unknown): string =>
  errorCode(error) || (error instanceof Error ? error.message : String(error))
