/**
 * The file that SQLite has open, as its path shows it. SQLite goes on with a deleted or replaced file and
 * reports nothing: what is written then is gone at the next start. An existing file is never opened here:
 * closing it would drop the locks that SQLite holds.
 */
import { type BigIntStats, closeSync, mkdirSync, openSync, statSync } from 'node:fs'
import { dirname } from 'node:path'
import { DatabaseError } from './contract.ts'

/**
 * Creates the file if it is missing, and its directories. SQLite would make it readable by everyone, but the keys
 * in it are for its owner alone; `-wal` and `-shm` get the rights of the file.
 */
export function makeFile(path: string): void {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 })
  if (statSync(path, { throwIfNoEntry: false }) !== undefined) return
  try {
    closeSync(openSync(path, 'a', 0o600))
  } catch {
    // SQLite cannot create it either, and reports why.
  }
}

export class OpenFile {
  /** Its place, for messages. */
  readonly about: string
  readonly #path: string
  readonly #opened: BigIntStats | undefined

  /** Construct it as soon as the file is open. */
  constructor(path: string, about: string) {
    this.about = about
    this.#path = path
    this.#opened = this.#now()
  }

  /** While the file is open, no other file can have its inode number. */
  assertStillThere(): void {
    const opened = this.#opened
    const now = this.#now()
    if (opened && now && now.ino === opened.ino && now.dev === opened.dev) return
    throw new DatabaseError(
      'invalid',
      `the database ${this.about}: the file was removed or replaced while in use: restart the tracker`,
    )
  }

  #now(): BigIntStats | undefined {
    return statSync(this.#path, { bigint: true, throwIfNoEntry: false })
  }
}
