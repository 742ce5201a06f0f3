/** What the system's error codes mean, in the words of each kind of message. Pure. */
import { constants } from 'node:os'
import { getSystemErrorMessage } from 'node:util'

/** The code of a system error, such as `ENOENT`; empty if it has none. */
export const errorCode = (error: unknown): string =>
  error instanceof Error && 'code' in error ? String(error.code) : ''

const NUMBERS: Readonly<Record<string, number>> = constants.errno

type Words = Readonly<Record<string, string>>

/** Why a file could not be read, where the system's words are about more than one file. */
const READING: Words = {
  EISDIR: 'is a directory',
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

/** Why a call failed, in the system's words: `permission denied`; or the message of an error that is not the system's. */
export function systemReason(error: unknown): string {
  const number = NUMBERS[errorCode(error)]
  return number === undefined ? codeOrMessage(error) : getSystemErrorMessage(-number)
}

/** Why a file could not be read: `no such file`. */
export const fileReason = (error: unknown): string =>
  READING[errorCode(error)] ?? systemReason(error)

/** The same as the predicate of a sentence: `does not exist`. */
export const unreadable = (error: unknown): string =>
  UNREADABLE[errorCode(error)] ?? `cannot be read (${systemReason(error)})`

/** Why a new file could not be written: `exists already, nothing was written`. */
export function notWritten(error: unknown): string {
  const reason = CREATING[errorCode(error)]
  return reason === undefined
    ? `cannot be written (${systemReason(error)})`
    : `${reason}, nothing was written`
}

/** The code of a system error; the message of another. */
export const codeOrMessage = (error: unknown): string =>
  errorCode(error) || (error instanceof Error ? error.message : String(error))
