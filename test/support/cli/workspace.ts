/** The real program in a temporary directory. */
import { join } from 'node:path'
import { runProgram } from '../run-program.ts'
import { type Files, temporaryDirectory } from '../temporary-directory.ts'

const MAIN = join(import.meta.dir, '../../../src/main.ts')

/** A directory with these files, in which the program can be run; gone when the scope ends. */
export function workspace(files: Files = {}) {
  const directory = temporaryDirectory(files)
  return {
    ...directory,
    /** Of the surrounding environment it gets only what finding Bun takes. */
    run: (words: readonly string[], env: Readonly<Record<string, string>> = {}) =>
      runProgram([process.execPath, MAIN, ...words], {
        cwd: directory.path,
        env: { PATH: process.env.PATH ?? '', ...env },
      }),
  }
}
