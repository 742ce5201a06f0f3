/** Reads a file that holds a token or a password. */
import { closeSync, openSync, readSync, type Stats, statSync } from 'node:fs'
import { MOST_SECRET_CHARACTERS, type SecretFile } from '../config/secret-files.ts'

/** More than a secret may have, so that the reader of the configuration sees that the text is too long. */
const MOST_BYTES = 4 * MOST_SECRET_CHARACTERS + 4

/** Throws like `readFileSync`, and if it is no regular file: opening a pipe would block. */
export function readSecretFile(path: string): SecretFile {
  const there = statSync(path)
  if (!there.isFile() && !there.isDirectory()) throw new Error('is not a regular file')
  const file = openSync(path, 'r')
  try {
    const bytes = new Uint8Array(MOST_BYTES)
    const text = Buffer.from(bytes.subarray(0, readSync(file, bytes))).toString()
    return { text, isOpen: isOpen(path, there) }
  } finally {
    closeSync(file)
  }
}

/** Container engines put secrets below /run/secrets, by default for every user: there are no others. */
const isOpen = (path: string, { mode }: Stats): boolean =>
  process.platform !== 'win32' && (mode & 0o004) !== 0 && !path.startsWith('/run/secrets/')
