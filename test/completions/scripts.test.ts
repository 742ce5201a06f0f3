/** Completion scripts in real shells: each must walk over a command line the same way. */
import { describe, expect, test } from 'bun:test'
import { join } from 'node:path'
import type { Command, Option } from '../../src/cli/command.ts'
import { TRACKER } from '../../src/commands/command-table.ts'
import { bashScript, fishScript, zshScript } from '../../src/completions/scripts.ts'
import { workspace } from '../support/cli/workspace.ts'
import {
  type Ask,
  askBash,
  askFish,
  askZsh,
  FILES,
  interactive,
} from '../support/completions/shells.ts'
import { PATIENCE_MILLISECONDS } from '../support/until.ts'

const run = async () => 0
const CONFIG: Option = {
  name: 'config',
  short: 'c',
  aliases: ['config-toml-path'],
  value: 'PATH',
  file: true,
  help: 'The file.',
}
const NASTY = `It's "a" $HOME [x]: \`id\` $(id) \\n \\ %d {a,b} *`

const leaf = (name: string, parts: Partial<Command>): Command => ({
  name,
  help: 'A command.',
  options: [],
  arguments: [],
  commands: [],
  run,
  ...parts,
})

/** A table with everything that a table can have, whatever the real one has. */
const TABLE: Command = {
  ...leaf('tracker', { options: [CONFIG] }),
  commands: [
    {
      name: 'config',
      help: 'A group.',
      options: [],
      arguments: [],
      commands: [
        leaf('print', { options: [CONFIG, { name: 'docs', help: NASTY }] }),
        leaf('migrate', {
          options: [CONFIG, { name: 'output', short: 'o', value: 'FILE', help: 'A new file.' }],
        }),
      ],
    },
    leaf('ask', {
      help: NASTY,
      options: [
        { name: 'event', value: 'EVENT', choices: ['started', 'stopped', 'none'], help: 'What.' },
        { name: 'ipv4', short: '4', help: 'Colons: one, two: three.' },
      ],
      arguments: [
        { name: 'URL', help: 'Where.' },
        { name: 'HASH', repeats: true, file: true, help: 'Which.' },
      ],
    }),
    leaf('shell', { arguments: [{ name: 'SHELL', choices: ['bash', 'zsh'], help: 'Which.' }] }),
  ],
}

const ROOT_COMMANDS = ['ask', 'config', 'shell']
const ALWAYS = ['--help', '--version', '-V', '-h']
const ASK_OPTIONS = ['--event', '--ipv4', '-4', ...ALWAYS]

const CASES: readonly (readonly [line: string, offered: readonly string[]])[] = [
  ['tracker ', ROOT_COMMANDS],
  ['tracker con', ['config']],
  // Fish searches the explanations, too: none of these has a digit.
  ['tracker 9', []],
  ['tracker -', ['--config', '-c', ...ALWAYS]],
  ['tracker --c', ['--config']],
  ['tracker nothing ', []],
  ['tracker --nothing ', []],
  // Options before a command.
  ['tracker -c x ', ROOT_COMMANDS],
  ['tracker -cx ', ROOT_COMMANDS],
  ['tracker --config=x ', ROOT_COMMANDS],
  ['tracker --config-toml-path x ', ROOT_COMMANDS],
  ['tracker --config "my file" sh', ['shell']],
  ['tracker --config my\\ file sh', ['shell']],
  // A group takes what its commands take.
  ['tracker config ', ['migrate', 'print']],
  ['tracker config -', ['--config', '--docs', '--output', '-c', '-o', ...ALWAYS]],
  ['tracker config -c x m', ['migrate']],
  ['tracker config nothing ', []],
  // A given option is not offered again, in whatever spelling.
  ['tracker config -c x print -', ['--docs', ...ALWAYS]],
  ['tracker config print --config-toml-path=x -', ['--docs', ...ALWAYS]],
  ['tracker config print --docs -', ['--config', '-c', ...ALWAYS]],
  ['tracker ask -4 -', ['--event', ...ALWAYS]],
  // Where no argument is possible, options are offered.
  ['tracker config print ', ['--config', '--docs', '-c', ...ALWAYS]],
  ['tracker config print x', []],
  // Values.
  ['tracker ask --event ', ['none', 'started', 'stopped']],
  ['tracker ask --event st', ['started', 'stopped']],
  ['tracker ask --event=', ['none', 'started', 'stopped']],
  ['tracker ask --event=sto', ['stopped']],
  ['tracker ask --event=x', []],
  ['tracker ask --ipv4=', []],
  ['tracker ask --nothing=', []],
  ['tracker -c ', [FILES]],
  ['tracker --config ', [FILES]],
  ['tracker --config=', [FILES]],
  ['tracker --config-toml-path ', [FILES]],
  ['tracker config migrate -o ', []],
  ['tracker config migrate --output=', []],
  // Arguments.
  ['tracker shell ', ['bash', 'zsh']],
  ['tracker shell b', ['bash']],
  ['tracker shell bash ', ALWAYS],
  ['tracker ask ', []],
  ['tracker ask u', []],
  ['tracker ask udp://tracker.example:6969/x=y ', [FILES]],
  ['tracker ask udp://tracker.example:6969 one ', [FILES]],
  ['tracker ask udp://tracker.example:6969 one two ', [FILES]],
  ['tracker ask udp://tracker.example:6969 --event started ', [FILES]],
  ['tracker ask udp://tracker.example:6969 -', ASK_OPTIONS],
  ['tracker ask --event stopped --ipv', ['--ipv4']],
  ['tracker ask - ', [FILES]],
  // After "--" there are no options and no commands.
  ['tracker ask -- -', []],
  ['tracker ask -- --event ', [FILES]],
  ['tracker shell -- ', ['bash', 'zsh']],
  ['tracker -- ', []],
  ['tracker -- config ', []],
]

const isShort = (name: string) => /^-.$/.test(name)

const SHELLS: readonly {
  name: string
  needs: string
  ask: Ask
  script: (root: Command) => string
  expected?: (offered: readonly string[]) => readonly string[]
}[] = [
  {
    name: 'bash',
    needs: 'bash',
    ask: askBash,
    script: bashScript,
    expected: (offered) => offered.filter((name) => !isShort(name)),
  },
  { name: 'zsh, sourced', needs: 'zsh', ask: askZsh('source'), script: zshScript },
  { name: 'zsh, from its fpath', needs: 'zsh', ask: askZsh('fpath'), script: zshScript },
  { name: 'fish', needs: 'fish', ask: askFish, script: fishScript },
]

describe.each(SHELLS)('$name', ({ needs, ask, script, expected = (offered) => offered }) => {
  const missing = Bun.which(needs) === null

  test.skipIf(missing)('offers what the table says', async () => {
    const lines = CASES.map(([line]) => line)
    const answers = await ask(script(TABLE), lines)
    // Fish answers with the whole word, a tab and an explanation.
    const offered = answers.map((answer) =>
      answer.map((word) => word.replace(/\t.*/, '').replace(/^--\w+=/, '')).toSorted(),
    )
    expect(lines.map((line, i) => [line, offered[i]])).toEqual(
      CASES.map(([line, offers]) => [line, expected(offers).toSorted()]),
    )
  })

  test.skipIf(missing)('completes the real commands', async () => {
    const names = TRACKER.commands!.map(({ name }) => name)
    const answers = await ask(
      script(TRACKER),
      names.map((name) => `tracker ${name.slice(0, -1)}`),
    )
    expect(answers.map((answer) => answer.map((word) => word.replace(/\t.*/, '')))).toEqual(
      names.map((name) => expect.arrayContaining([name])),
    )
  })
})

describe.each([
  { name: 'bash', words: ['bash', '--norc', '-i'], script: bashScript },
  { name: 'zsh', words: ['zsh', '-f', '-i'], script: zshScript },
  {
    name: 'fish',
    words: ['fish', '--no-config', '-i', '-C', 'function fish_prompt; echo "READY>"; end'],
    script: fishScript,
  },
])('$name', ({ name, words, script }) => {
  test.skipIf(Bun.which(name) === null)(
    'completes names of files, quoted, and values after "="',
    async () => {
      await using shell = await interactive(words, {
        script: script(TABLE),
        'my file.toml': '',
        'other.toml': '',
      })
      const tracker =
        name === 'fish' ? 'function tracker; echo "RAN:$argv"; end' : 'tracker() { echo "RAN:$*"; }'
      await shell.run(`source ./script; ${tracker}`)
      shell.type('tracker -c my\t--config=ot\task --event=sta\tudp://host:1 ot\t\r')
      await shell.shows(
        'RAN:-c my file.toml --config=other.toml ask --event=started udp://host:1 other.toml',
      )
    },
  )
})

test.skipIf(Bun.which('bash') === null)('bash completes the word before the cursor', async () => {
  await using bash = await interactive(['bash', '--norc', '-i'], { script: bashScript(TABLE) })
  await bash.run('source ./script; tracker() { echo "RAN:$*"; }')
  bash.type('tracker shell bax\x02\t\r')
  await bash.shows('RAN:shell bashx')
})

test.skipIf(Bun.which('fish') === null)('fish shows explanations as they are', async () => {
  const [answer] = await askFish(fishScript(TABLE), ['tracker as'])
  expect(answer).toEqual([`ask\t${NASTY}`])
})

test.skipIf(Bun.which('zsh') === null)('zsh shows explanations as they are', async () => {
  await using zsh = await interactive(['zsh', '-f', '-i'], { script: zshScript(TABLE) })
  await zsh.run('source ./script')
  zsh.type('tracker config print --d\x04')
  await zsh.shows(`--docs  -- ${NASTY}`)
  zsh.type('\x15tracker ask -\x04')
  await zsh.shows('--ipv4     -4  -- Colons: one, two: three.')
})

test.skipIf(Bun.which('shellcheck') === null)(
  'shellcheck finds nothing in the script for bash',
  async () => {
    using here = workspace({ 'tracker.bash': bashScript(TRACKER) })
    const check = Bun.spawn(['shellcheck', '--shell=bash', join(here.path, 'tracker.bash')], {
      stdout: 'pipe',
      timeout: PATIENCE_MILLISECONDS,
    })
    expect(await new Response(check.stdout).text()).toBe('')
    expect(await check.exited).toBe(0)
  },
)

describe('tracker completions', () => {
  test.each([
    ['bash', bashScript],
    ['zsh', zshScript],
    ['fish', fishScript],
  ])('%s prints the script', async (shell, script) => {
    using here = workspace()
    expect(await here.run(['completions', shell])).toEqual({
      code: 0,
      out: script(TRACKER),
      err: '',
    })
  })

  test('another shell is wrong usage', async () => {
    using here = workspace()
    expect(await here.run(['completions', 'ksh'])).toEqual({
      code: 2,
      out: '',
      err: 'tracker completions: WHAT must be bash, zsh, fish or man, not ksh. See tracker completions --help\n',
    })
  })
})
