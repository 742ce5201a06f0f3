/**
 * Real shells with a completion script, which are asked what they offer after a command line. All lines are typed
 * into one shell; `FILES` among the answers means that it would complete the names of files.
 */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { runProgram } from '../run-program.ts'
import { temporaryDirectory } from '../temporary-directory.ts'
import { PATIENCE_MILLISECONDS, until } from '../until.ts'

export const FILES = '<files>'
const PROMPT = 'READY>'
const KILL_LINE = '\x15'

/** What is offered for each line, in the shell's order. */
export type Ask = (
  script: string,
  lines: readonly string[],
) => Promise<readonly (readonly string[])[]>

/** A shell in its own directory, on a terminal. Resolves when it waits for a command. */
export async function interactive(
  shell: readonly string[],
  files: Readonly<Record<string, string>>,
) {
  const directory = temporaryDirectory(files)
  const { path } = directory
  let seen = ''
  const child = Bun.spawn([...shell], {
    cwd: path,
    env: { PATH: process.env.PATH ?? '', HOME: path, PS1: PROMPT, TERM: 'dumb', LC_ALL: 'C.UTF-8' },
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
    path,
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

/** The lines of a file, as soon as it has `count` of them. */
const linesOf = (path: string, count: number) =>
  until(`${count} lines of ${path}`, () => {
    const lines = readIfThere(path).split('\n').slice(0, -1)
    return lines.length >= count && lines
  })

function readIfThere(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return ''
  }
}

const words = (line: string): readonly string[] => line.split('\x1f').filter((word) => word !== '')

export const askBash: Ask = async (script, lines) => {
  await using bash = await interactive(['bash', '--rcfile', 'rc', '-i'], {
    script,
    rc: `
PS1='${PROMPT}'
source ./script
# Records what is offered, and inserts nothing.
spy() {
  local files='' IFS=$'\\x1f'
  compopt() { files='${FILES}'; }
  _tracker "$@"
  printf '%s\\n' "$files$IFS\${COMPREPLY[*]}" >> answers
  COMPREPLY=()
}
complete -F spy tracker
`,
  })
  bash.type(lines.map((line) => `${line}\t${KILL_LINE}`).join(''))
  return (await linesOf(join(bash.path, 'answers'), lines.length)).map(words)
}

/** `source`: read by a shell without completion; `fpath`: found there by its name. */
export const askZsh =
  (how: 'source' | 'fpath'): Ask =>
  async (script, lines) => {
    await using zsh = await interactive(['zsh', '-f', '-i'], {
      _tracker: script,
      lines: lines.map((line) => `${line}\n`).join(''),
      rc: `
${how === 'source' ? 'source <(cat _tracker)' : 'fpath=($PWD $fpath); autoload -Uz compinit; compinit -u'}
# By default, zsh offers options only after a dash.
zstyle ':completion:*:options' prefix-needed no
_files() { offered+=('${FILES}') }
compadd() {
  local -a hits
  if [[ \${@[1,(i)(-|--)]} != *-(O|A|D)\\ * ]]; then
    builtin compadd -A hits "$@"
    offered+=("\${(@)hits}")
  fi
  builtin compadd "$@"
}
ask() {
  local line
  local -a offered
  for line in "\${(@f)$(< lines)}"; do
    offered=()
    BUFFER=$line CURSOR=$#line
    zle list-choices
    print -r -- "\${(pj:\\x1f:)offered}" >> answers
  done
  BUFFER=
}
zle -N ask
bindkey '^T' ask
`,
    })
    await zsh.run('source ./rc')
    zsh.type('\x14')
    return (await linesOf(join(zsh.path, 'answers'), lines.length)).map(words)
  }

export const askFish: Ask = async (script, lines) => {
  // The only file that can be offered.
  using directory = temporaryDirectory({ 'a-file': script })
  const ask = `
source ./a-file
for line in $argv
    set -l offered (complete -C $line | string replace -r '^(--.*=)?a-file$' '${FILES}' | string join \\x1f)
    printf '%s\\n' "$offered"
end
`
  const { out, err } = await runProgram(['fish', '--no-config', '-c', ask, ...lines], {
    cwd: directory.path,
    env: { PATH: process.env.PATH ?? '', HOME: directory.path, LC_ALL: 'C.UTF-8' },
  })
  if (err !== '') throw new Error(err)
  return out.split('\n').slice(0, -1).map(words)
}
