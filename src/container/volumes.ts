/** What the container's user can do with the files of its volumes, and what to type if it cannot. */
import {
  accessSync,
  constants,
  existsSync,
  linkSync,
  lstatSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { dirname } from 'node:path'
import { readSmallFile } from '../cli/small-file.ts'
import { errorCode, systemReason } from '../text/system-errors.ts'

/** Writes a new file, for its owner only: it holds tokens and passwords. undefined: written; else why not. */
export function installFile(path: string, text: string): string | undefined {
  // Half a file would be read at the next start.
  const part = `${path}.part`
  try {
    writeFileSync(part, text, { mode: 0o600 })
    linkSync(part, path)
    return undefined
  } catch (error) {
    return systemReason(error)
  } finally {
    // On a read-only file system even removing nothing fails.
    if (existsSync(part)) rmSync(part)
  }
}

/** undefined: no such file. Throws one line with the remedy if this user may not read it. */
export function readIfThere(path: string): string | undefined {
  try {
    // Not followed: a link that leads nowhere is a mistake to report.
    if (lstatSync(path, { throwIfNoEntry: false }) === undefined) return undefined
    // Reading a pipe could block for ever.
    if (statSync(path).isFile()) return Buffer.from(readSmallFile(path)).toString()
  } catch (error) {
    if (errorCode(error) === 'ENOTDIR') return undefined
    throw new Error(refusal(path, 'readable', error))
  }
  throw new Error(
    `${path} is not a regular file: the file that was to be mounted there may not exist`,
  )
}

const { R_OK, W_OK, X_OK } = constants

/** undefined: the database can be created or changed; else one line with the remedy. */
export function unwritable(database: string): string | undefined {
  let directory = dirname(database)
  while (!existsSync(directory)) directory = dirname(directory)
  // SQLite makes files beside the database.
  return (
    refused(directory, W_OK | X_OK) ??
    (existsSync(database) ? refused(database, R_OK | W_OK) : undefined)
  )
}

function refused(path: string, mode: number): string | undefined {
  try {
    accessSync(path, mode)
    return undefined
  } catch (error) {
    return refusal(path, 'writable', error)
  }
}

function refusal(path: string, what: 'readable' | 'writable', error: unknown): string {
  const us = `${process.getuid?.()}:${process.getgid?.()}`
  const chown = `: chown -R ${us} what is mounted there`
  const remedies: Readonly<Record<string, string>> = {
    EACCES: chown,
    EPERM: chown,
    EROFS: ': mount a volume there',
    ENOENT: ': it is a link that leads nowhere',
  }
  return `${path} is not ${what} for user ${us} (${systemReason(error)})${remedies[errorCode(error)] ?? ''}`
}
