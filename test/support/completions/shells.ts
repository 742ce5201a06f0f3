/** Real shells on a terminal, into which a test types. */
import { join } from 'node:path'
import { temporaryDirectory } from '../temporary-directory.ts'
import { PATIENCE_MILLISECONDS, until } from '../until.ts'

const MAIN = join(import.meta.dir, '../../../src/main.ts')
const PROMPT = 'READY>'

export const SHELLS = {
  bash: ['bash', '--norc', '-i'],
  zsh: ['zsh', '-f', '-i'],
  fish: ['fish', '--no-config', '-i', '-C', `function fish_prompt; echo "${PROMPT}"; end`],
} as const

/**
 * A shell in a directory of its own with these files, which finds `tracker` on its PATH. Resolves when it waits for a
 * command.
 */
export async function interactive(
  shell: keyof typeof SHELLS,
  files: Readonly<Record<string, string>> = {},
) {
  const directory = temporaryDirectory({
    ...files,
    'bin/tracker': `#!/bin/sh\n[ "$1" = complete ] || { echo "RAN:$*"; exit; }\nexec '${process.execPath}' '${MAIN}' "$@"\n`,
  })
  const { path } = directory
  Bun.spawnSync(['chmod', '+x', directory.at('bin/tracker')])
  let seen = ''
  const child = Bun.spawn([...SHELLS[shell]], {
    cwd: path,
    env: {
      PATH: `${directory.at('bin')}:${process.env.PATH}`,
      HOME: path,
      PS1: PROMPT,
      TERM: 'dumb',
      LC_ALL: 'C.UTF-8',
    },
    terminal: {
      cols: 200,
      rows: 50,
      data(_terminal, bytes) {
        seen += Buffer.from(bytes).toString()
      },
    },
    timeout: PATIENCE_MILLISECONDS,
  })
  const running = {
    type: (text: string) => void child.terminal?.write(text),
    /** Runs a command and waits for the prompt after it: keys that are typed earlier may be lost. */
    async run(command: string) {
      running.type(`${command}; echo DO""NE\r`)
      await until(
        () => `a prompt after ${command} in ${JSON.stringify(seen)}`,
        () => seen.includes('DONE') && seen.lastIndexOf(PROMPT) > seen.lastIndexOf('DONE'),
      )
    },
    shows: (text: string) =>
      until(
        () => `${JSON.stringify(text)} in ${JSON.stringify(seen)}`,
        () => seen.includes(text),
      ),
    async [Symbol.asyncDispose]() {
      child.kill('SIGKILL')
      await child.exited
      directory[Symbol.dispose]()
    },
  }
  await running.shows(PROMPT)
  return running
}
