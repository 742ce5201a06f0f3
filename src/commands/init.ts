/** `tracker init`: an annotated configuration file to start from, with a token nobody else knows. */
import { randomBytes } from 'node:crypto'
import type { Host, Invocation } from '../cli/host.ts'
import { exampleToml } from '../config/print.ts'
import { DEFAULT_FILE } from '../config/source.ts'
import { shellWord } from '../text/shell.ts'
import { writeNewFile } from './new-file.ts'

export function init(invocation: Invocation, host: Host): number {
  const path = invocation.arguments[0] ?? DEFAULT_FILE
  const failure = writeNewFile(host.cwd, path, exampleToml(randomBytes(16).toString('hex')))
  if (failure) {
    host.complain(`tracker: ${failure}\n`)
    return 1
  }
  const option = path === DEFAULT_FILE ? '' : ` --config ${shellWord(path)}`
  host.print(
    `Wrote ${path}, readable by you only: it holds a fresh token for the API.\n` +
      `Next: look it over, then\n` +
      `  tracker config check${option}\n` +
      `  tracker${option}\n`,
  )
  return 0
}
