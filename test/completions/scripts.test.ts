/** Completion scripts in real shells: what they ask the program, and what they do with its answer. */
import { describe, expect, test } from 'bun:test'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { TRACKER } from '../../src/commands/command-table.ts'
import { workspace } from '../support/cli/workspace.ts'
import { interactive, SHELLS } from '../support/completions/shells.ts'
import { runProgram } from '../support/run-program.ts'

const scriptOf = (shell: string) =>
  readFileSync(join(import.meta.dir, `../../src/completions/${shell}.txt`), 'utf8')

const FILES = { 'my file.toml': '', 'other.toml': '' }

describe.each(Object.keys(SHELLS) as (keyof typeof SHELLS)[])('%s', (shell) => {
  test.skipIf(Bun.which(shell) === null)(
    'completes commands, options, values after a space and after "=", and names of files, quoted',
    async () => {
      await using session = await interactive(shell, { ...FILES, script: scriptOf(shell) })
      await session.run('source ./script')
      session.type('tracker -c my\tcl\tan\t--ev\tsta\t--format=t\tudp://host:1 ot\t\r')
      await session.shows(
        'RAN:-c my file.toml client announce --event started --format=text udp://host:1 other.toml',
      )
      session.type('tracker config ch\t--config=ot\t\r')
      await session.shows('RAN:config check --config=other.toml')
      session.type('~/bin/tracker completions zs\t\r')
      await session.shows('RAN:completions zsh')
      // Not the name of a file where none may stand.
      session.type('tracker bench udp ot\t --\t\x03\rtracker init -- ot\t\r')
      await session.shows('RAN:init -- ot\r\n')
    },
  )
})

test.skipIf(Bun.which('bash') === null)('bash completes the word before the cursor', async () => {
  await using bash = await interactive('bash', { script: scriptOf('bash') })
  await bash.run('source ./script')
  bash.type('tracker completions bax\x02\t\r')
  await bash.shows('RAN:completions bashx')
})

test.skipIf(Bun.which('bash') === null)(
  'bash runs nothing that stands in a command line',
  async () => {
    await using bash = await interactive('bash', { script: scriptOf('bash') })
    await bash.run('source ./script')
    bash.type('tracker -c "$(touch made)" `touch made` cl\t\x03')
    await bash.run('ls made || echo NO"NE"')
    await bash.shows('NONE')
  },
)

test.skipIf(Bun.which('zsh') === null)(
  'zsh finds it in its fpath, and explains words',
  async () => {
    await using zsh = await interactive('zsh', { _tracker: scriptOf('zsh') })
    await zsh.run('fpath=($PWD $fpath); autoload -Uz compinit; compinit -u')
    zsh.type('tracker client announce --ipv\x04')
    await zsh.shows('--ipv4')
    await zsh.shows('-- Ask over IPv4 only.')
  },
)

test.skipIf(Bun.which('fish') === null)('fish explains words', async () => {
  await using fish = await interactive('fish', { script: scriptOf('fish') })
  await fish.run('source ./script; complete -C "tracker con"')
  await fish.shows('config\tLook at a configuration without serving.')
})

test.skipIf(Bun.which('shellcheck') === null)(
  'shellcheck finds nothing in the script for bash',
  async () => {
    using here = workspace({ 'tracker.bash': scriptOf('bash') })
    expect(await runProgram(['shellcheck', '--shell=bash', here.at('tracker.bash')])).toEqual({
      code: 0,
      out: '',
      err: '',
    })
  },
)

describe('tracker completions', () => {
  test.each(['bash', 'zsh', 'fish', 'powershell'])('%s prints the script', async (shell) => {
    using here = workspace()
    expect(await here.run(['completions', shell])).toEqual({
      code: 0,
      out: scriptOf(shell),
      err: '',
    })
  })

  test('another shell is wrong usage', async () => {
    using here = workspace()
    expect(await here.run(['completions', 'ksh'])).toMatchObject({ code: 2, out: '' })
    expect(TRACKER.commands?.find(({ name }) => name === 'complete')?.hidden).toBe(true)
  })
})
