/** What the system's error codes mean. Pure. */
import { constants } from 'node:os'
import { getSystemErrorMessage } from 'node:util'
import { shellWord } from './shell.ts'

/** The code of a system error, such as `ENOENT`; empty if it has none. */
export const errorCode = (error: unknown): string =>
  error instanceof Error && 'code' in error ? String(error.code) : ''

/** The code of a system error; the message of another. */
export const codeOrMessage = (error: unknown): string =>
  errorCode(error) || (error instanceof Error ? error.message : String(error))

const NUMBERS: Readonly<Record<string, number>> = constants.errno

/** Why a call failed, in the system's words: `permission denied`; or the message of an error that is not the system's. */
export function systemReason(error: unknown): string {
  const code = errorCode(error)
  // The system's words, "illegal operation on a directory", do not say that a file was expected.
  if (code === 'EISDIR') return 'is a directory'
  const number = NUMBERS[code]
  return number === undefined ? codeOrMessage(error) : getSystemErrorMessage(-number)
}

const RELATIVE = 'relative paths start in the directory where the tracker is started'
const REMEDIES: Readonly<Record<string, string>> = {
  ENOENT: RELATIVE,
  ENOTDIR: RELATIVE,
  EISDIR: 'name a file in it',
}

/** What an operator can do when the tracker cannot read a file that the configuration names: a clause. */
export const remedyForFile = (error: unknown, path: string): string =>
  REMEDIES[errorCode(error)] ??
  `the tracker's user must be able to read it, and to pass every directory on the way: \`namei -l ${shellWord(path)}\``
