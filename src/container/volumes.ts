/** What the container's user can do with the files of its volumes, and what to type where it cannot. */
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

const { R_OK, W_OK, X_OK } = constants

/** Only its owner may see the tokens and passwords in it. */
const FILE_MODE = 0o600

/** Writes a file where none is, whole or not at all. undefined: written; else why not. */
export function installFile(path: string, text: string): string | undefined {
  // Half of it would be read at the next start.
  const part = `${path}.part`
  try {
    writeFileSync(part, text, { mode: FILE_MODE })
    linkSync(part, path)
    return undefined
  } catch (error) {
    return reasonOf(error)
  } finally {
    if (existsSync(part)) unlinkSync(part)
  }
}

/** undefined: nothing is there. Throws a line with the remedy if that, or the file, is not for our eyes. */
export function readIfThere(path: string): string | undefined {
  try {
    // A link that leads nowhere is something that was put there.
    lstatSync(path)
  } catch (error) {
    const code = codeOf(error)
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined
    throw new Error(refusal(dirname(path), 'readable', error))
  }
  try {
    // A pipe would be waited for, for ever.
    if (statSync(path).isFile()) return Buffer.from(readSmallFile(path)).toString()
  } catch (error) {
    throw new Error(refusal(path, 'readable', error))
  }
  throw new Error(`${path} is no file: the file that was to be mounted there may not exist`)
}

/** undefined: the database can be made or changed there; else a line with the remedy. */
export function unwritable(database: string, volume: string): string | undefined {
  let directory = dirname(database)
  while (!existsSync(directory)) directory = dirname(directory)
  try {
    accessSync(directory, W_OK | X_OK)
  } catch (error) {
    if (codeOf(error) !== 'EROFS') return refusal(directory, 'writable', error)
    return `${directory} is not writable (${reasonOf(error)}): mount a volume at ${volume}`
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
  const code = codeOf(error)
  // Nothing that another owner would change.
  if (code !== 'EACCES' && code !== 'EPERM') return `${path} is not ${what} (${reasonOf(error)})`
  const us = `${process.getuid?.()}:${process.getgid?.()}`
  const owner = ownerOf(path)
  const other = owner === undefined ? '' : `, or start the container with --user ${owner}`
  return (
    `${path} is not ${what} for user ${process.getuid?.()} (${reasonOf(error)}): ` +
    `chown -R ${us} what is mounted there${other}`
  )
}

/** Somebody else whom the container could run as. */
function ownerOf(path: string): string | undefined {
  try {
    const { uid, gid } = statSync(path)
    return uid === 0 || uid === process.getuid?.() ? undefined : `${uid}:${gid}`
  } catch {
    return undefined
  }
}

export const codeOf = (error: unknown): string =>
  error instanceof Error && 'code' in error ? String(error.code) : String(error)

export const reasonOf = (error: unknown): string => REASONS[codeOf(error)] ?? codeOf(error)

const REASONS: Readonly<Record<string, string>> = {
  EACCES: 'permission denied',
  EPERM: 'operation not permitted',
  EROFS: 'read-only file system',
  ENOENT: 'no such file or directory',
  ENOTDIR: 'not a directory',
  ENOSPC: 'no space left',
  EISDIR: 'is a directory',
}
