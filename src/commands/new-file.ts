/** Writes a file that holds secrets: for its owner's eyes only, and never over another file. */
import { writeFileSync } from 'node:fs'
import { resolve } from 'node:path'

/** undefined: written; else why not, in one line. */
export function writeNewFile(cwd: string, path: string, text: string): string | undefined {
  try {
    writeFileSync(resolve(cwd, path), text, { flag: 'wx', mode: 0o600 })
    return undefined
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : String(error)
    return `${path}: ${FAILURES[code] ?? `cannot be written (${code})`}`
  }
}

const FAILURES: Readonly<Record<string, string>> = {
  EEXIST: 'exists already, nothing was written',
  EISDIR: 'is a directory, nothing was written',
  ENOENT: 'its directory does not exist, nothing was written',
  ENOTDIR: 'its directory does not exist, nothing was written',
  EACCES: 'permission denied, nothing was written',
  EROFS: 'the disk is read-only, nothing was written',
}
