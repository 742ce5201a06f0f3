/** Directories that tests may fill as they like. */
import { afterAll, beforeAll } from 'bun:test'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'

/** Texts by path. */
export type Files = Readonly<Record<string, string>>

export type TemporaryDirectory = ReturnType<typeof temporaryDirectory>

/** A directory that holds only `files`, gone when the scope ends. */
export function temporaryDirectory(files: Files = {}) {
  const path = mkdtempSync(join(tmpdir(), 'tracker-test-'))
  const at = (...names: string[]) => join(path, ...names)
  const write = (more: Files): void => {
    for (const [name, text] of Object.entries(more)) {
      mkdirSync(dirname(at(name)), { recursive: true })
      writeFileSync(at(name), text)
    }
  }
  write(files)
  return {
    path,
    at,
    write,
    [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true }),
  }
}

/** One for all tests of the file or group that calls this: made before the first, gone after the last. */
export function sharedDirectory() {
  let directory: TemporaryDirectory
  beforeAll(() => {
    directory = temporaryDirectory()
  })
  afterAll(() => directory[Symbol.dispose]())
  return {
    get path() {
      return directory.path
    },
    at: (...names: string[]) => directory.at(...names),
  }
}
