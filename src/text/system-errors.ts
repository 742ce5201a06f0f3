/** The one table of what the system's error codes mean in words. Pure. */

/** The code of a system error, such as `ENOENT`; empty if it has none. */
export const errorCode = (error: unknown): string =>
  error instanceof Error && 'code' in error ? String(error.code) : ''

/** What a code means, in the words of each kind of message. */
interface Words {
  /** Why a call failed. */
  readonly reason?: string
  /** Why a file could not be read. */
  readonly read?: string
  /** The same as the predicate of a sentence. */
  readonly unreadable?: string
  /** Why a new file could not be written. */
  readonly create?: string
}

const WORDS: Readonly<Record<string, Words>> = {
  EACCES: {
    reason: 'permission denied',
    read: 'permission denied',
    unreadable: 'may not be read by this user',
    create: 'permission denied',
  },
  EEXIST: { create: 'exists already' },
  EISDIR: {
    reason: 'is a directory',
    read: 'is a directory',
    unreadable: 'is a directory',
    create: 'is a directory',
  },
  ENOENT: {
    reason: 'no such file or directory',
    read: 'no such file',
    unreadable: 'does not exist',
    create: 'its directory does not exist',
  },
  ENOSPC: { reason: 'no space left' },
  ENOTDIR: {
    reason: 'not a directory',
    read: 'no such file',
    unreadable: 'does not exist',
    create: 'its directory does not exist',
  },
  EPERM: {
    reason: 'operation not permitted',
    read: 'permission denied',
    unreadable: 'may not be read by this user',
  },
  EROFS: { reason: 'read-only file system', create: 'the disk is read-only' },
}

/** Why a call failed: `permission denied`, or the bare code. */
export const systemReason = (error: unknown): string =>
  WORDS[errorCode(error)]?.reason ?? codeOrMessage(error)

/** Why a file could not be read: `no such file`. */
export const fileReason = (error: unknown): string =>
  WORDS[errorCode(error)]?.read ?? cannotBeRead(error)

/** The same as the predicate of a sentence: `does not exist`. */
export const unreadable = (error: unknown): string =>
  WORDS[errorCode(error)]?.unreadable ?? cannotBeRead(error)

/** Why a new file could not be written: `exists already, nothing was written`. */
export function notWritten(error: unknown): string {
  const reason = WORDS[errorCode(error)]?.create
  return reason === undefined
    ? `cannot be written (${codeOrMessage(error)})`
    : `${reason}, nothing was written`
}

const cannotBeRead = (error: unknown): string => `cannot be read (${codeOrMessage(error)})`

/** The code of a system error; the message of another. */
export const codeOrMessage = (error: unknown): string =>
  errorCode(error) || (error instanceof Error ? error.message : String(error))
