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
    /** Its environment is `env` and, to find Bun, PATH. */
    run: (words: readonly string[], env: Readonly<Record<string, string>> = {}) =>
      runProgram([process.execPath, MAIN, ...words], {
        cwd: directory.path,
        env: { PATH: process.env.PATH ?? '', ...env },
      }),
  }
}
