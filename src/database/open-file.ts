/**
 * The file that SQLite has open, as its path shows it. SQLite goes on with a file that was deleted or
 * replaced and never says so: all that is written then is gone at the next start. A file that is there is
 * never opened here: closing it again would drop the locks that SQLite holds.
 */
import { type BigIntStats, closeSync, mkdirSync, openSync, statSync } from 'node:fs'
import { dirname } from 'node:path'
import { DatabaseError } from './contract.ts'

/**
 * Makes the file where there is none, and its directories. SQLite would let everybody read it, but the keys in
 * it are for its owner alone; `-wal` and `-shm` get the rights of the file.
 */
export function makeFile(path: string): void {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 })
  if (statSync(path, { throwIfNoEntry: false }) !== undefined) return
  try {
    closeSync(openSync(path, 'a', 0o600))
  } catch {
    // SQLite cannot make it either, and has the words for it.
  }
}

export class OpenFile {
  /** Its place, for people. */
  readonly about: string
  readonly #path: string
  readonly #opened: BigIntStats | undefined

  /** To be made as soon as it is open. */
  constructor(path: string, about: string) {
    this.about = about
    this.#path = path
    this.#opened = this.#now()
  }

  /** While it is open, no other file can have its number. */
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
