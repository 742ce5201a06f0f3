/** What the container's user can do with the files of its volumes, and what to type if it cannot. */
import {
  accessSync,
  constants,
  existsSync,
  linkSync,
  lstatSync,
  statSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs'
import { dirname } from 'node:path'
import { readSmallFile } from '../cli/small-file.ts'
import { errorCode, systemReason } from '../text/system-errors.ts'

const { R_OK, W_OK, X_OK } = constants

/** For its owner only: it holds tokens and passwords. */
const FILE_MODE = 0o600

/** Writes a new file, whole or not at all. undefined: written; else why not. */
export function installFile(path: string, text: string): string | undefined {
  // Half a file would be read at the next start.
  const part = `${path}.part`
  try {
    writeFileSync(part, text, { mode: FILE_MODE })
    linkSync(part, path)
    return undefined
  } catch (error) {
    return systemReason(error)
  } finally {
    if (existsSync(part)) unlinkSync(part)
  }
}

/** undefined: no such file. Throws one line with the remedy if this user may not look, or may not read the file. */
export function readIfThere(path: string): string | undefined {
  try {
    // Not followed: a link that leads nowhere is a mistake to report.
    lstatSync(path)
  } catch (error) {
    const code = errorCode(error)
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined
    throw new Error(refusal(dirname(path), 'readable', error))
  }
  try {
    // Reading a pipe could block for ever.
    if (statSync(path).isFile()) return Buffer.from(readSmallFile(path)).toString()
  } catch (error) {
    throw new Error(refusal(path, 'readable', error))
  }
  throw new Error(
    `${path} is not a regular file: the file that was to be mounted there may not exist`,
  )
}

/** undefined: the database can be created or changed there; else one line with the remedy. */
export function unwritable(database: string, volume: string): string | undefined {
  let directory = dirname(database)
  while (!existsSync(directory)) directory = dirname(directory)
  try {
    accessSync(directory, W_OK | X_OK)
  } catch (error) {
    if (errorCode(error) !== 'EROFS') return refusal(directory, 'writable', error)
    return `${directory} is not writable (${systemReason(error)}): mount a volume at ${volume}`
  }
  if (!existsSync(database)) return undefined
  try {
    accessSync(database, R_OK | W_OK)
    return undefined
  } catch (error) {
    return refusal(database, 'writable', error)
  }
}

function refusal(path: string, what: 'readable' | 'writable', error: unknown): string {
  const code = errorCode(error)
  // Other errors do not depend on the owner.
  if (code !== 'EACCES' && code !== 'EPERM')
    return `${path} is not ${what} (${systemReason(error)})`
  const us = `${process.getuid?.()}:${process.getgid?.()}`
  const owner = ownerOf(path)
  const other = owner === undefined ? '' : `, or start the container with --user ${owner}`
  return (
    `${path} is not ${what} for user ${process.getuid?.()} (${systemReason(error)}): ` +
    `chown -R ${us} what is mounted there${other}`
  )
}

/** The owner, if it is another user that the container could run as. */
function ownerOf(path: string): string | undefined {
  try {
    const { uid, gid } = statSync(path)
    return uid === 0 || uid === process.getuid?.() ? undefined : `${uid}:${gid}`
  } catch {
    return undefined
  }
}
