/** Packages of npm that only tests of real clients need: `.ci/run` installs them, in the directory TEST_NPM_PACKAGES. */
import { existsSync } from 'node:fs'
import { join } from 'node:path'

/** The path of a file below `node_modules`; null if the package is not installed, for `test.skipIf`. */
export function npmFile(path: string): string | null {
  const { TEST_NPM_PACKAGES } = process.env
  if (TEST_NPM_PACKAGES === undefined) return null
  const file = join(TEST_NPM_PACKAGES, 'node_modules', path)
  return existsSync(file) ? file : null
}
