/** What the container's user can do with the files of its volumes, and what to type if it cannot. */
import { accessSync, constants, existsSync, linkSync, rmSync, writeFileSync } from 'node:fs'
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
    rmSync(part, { force: true })
  }
}

/** undefined: no such file. Throws one line with the remedy if this user may not read it. */
export function readIfThere(path: string): string | undefined {
  try {
    return Buffer.from(readSmallFile(path)).toString()
  } catch (error) {
    if (errorCode(error) === 'ENOENT' || errorCode(error) === 'ENOTDIR') return undefined
    throw new Error(refusal(path, 'readable', error))
  }
}

/** undefined: the file can be created or changed; else one line with the remedy. */
export function unwritable(file: string): string | undefined {
  let path = file
  while (!existsSync(path)) path = dirname(path)
  try {
    accessSync(path, constants.W_OK)
    return undefined
  } catch (error) {
    return refusal(path, 'writable', error)
  }
}

const REMEDIES: Readonly<Record<string, string>> = {
  EISDIR: 'the file that was to be mounted there may not exist',
  EROFS: 'mount a volume there',
}

function refusal(path: string, what: 'readable' | 'writable', error: unknown): string {
  const us = `${process.getuid?.()}:${process.getgid?.()}`
  const remedy = REMEDIES[errorCode(error)] ?? `chown -R ${us} what is mounted there`
  return `${path} is not ${what} for user ${us} (${systemReason(error)}): ${remedy}`
}
