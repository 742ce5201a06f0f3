/** The manual page: valid for the programs that show it, and complete. */
import { describe, expect, test } from 'bun:test'
import { join } from 'node:path'
import { type Command, HELP_OPTION, VERSION_OPTION } from '../../src/cli/command.ts'
import { TRACKER } from '../../src/commands/command-table.ts'
import { manualPage } from '../../src/completions/man.ts'
import { PREFIX } from '../../src/config/overrides.ts'
import { workspace } from '../support/cli/workspace.ts'
import { runProgram } from '../support/run-program.ts'

const SRC = join(import.meta.dir, '../../src')
const missing = Bun.which('mandoc') === null

const page = (root: Command = TRACKER, env: Record<string, string> = {}) =>
  manualPage(root, { env })

/** The output of `command` for a page. */
async function filter(command: readonly string[], text: string, env: Record<string, string> = {}) {
  using here = workspace({ 'tracker.1': text })
  return await runProgram([...command, here.at('tracker.1')], {
    env: { PATH: process.env.PATH ?? '', LC_ALL: 'C.UTF-8', ...env },
  })
}

/** The page as readers see it, in lines long enough for any sentence. */
async function render(text: string): Promise<string> {
  const { out } = await filter(['mandoc', '-T', 'utf8', '-O', 'width=1000'], text)
  // Bold and italic come as overstruck characters.
  return out.replace(/.[\b]/gu, '')
}

/** Its own walk over the table, so that the page's walk is tested, too. */
const everyCommand = (
  command: Command,
  name = command.name,
): { name: string; command: Command }[] => [
  { name, command },
  ...(command.commands ?? []).flatMap((one) => everyCommand(one, `${name} ${one.name}`)),
]

describe.skipIf(missing)('for mandoc', () => {
  test('it is valid', async () => {
    expect(await filter(['mandoc', '-T', 'lint', '-W', 'warning'], page())).toEqual({
      code: 0,
      out: '',
      err: '',
    })
  })

  test('it holds every command with its options, arguments and details', async () => {
    const text = await render(page())
    const sections = text.split(/^ {3}(?=\S)|^(?=\S)/m)
    for (const { name, command } of everyCommand(TRACKER)) {
      const section =
        command === TRACKER
          ? text
          : (sections.find((one) => one.startsWith(`${name}\n`)) ?? `no section ${name}`)
      expect(section).toContain(command.help)
      if (command.run) expect(text).toContain(`\n       ${name} [options]`)
      for (const option of [
        ...(command.options ?? []),
        ...(command === TRACKER ? [HELP_OPTION, VERSION_OPTION] : []),
      ]) {
        const short = option.short ? `-${option.short}, ` : ''
        const value = option.value ? ` ${option.value}` : ''
        expect(section).toMatch(
          new RegExp(
            `^ +${RegExp.escape(`${short}--${option.name}${value}`)}\\s+${RegExp.escape(option.help)}`,
            'm',
          ),
        )
        for (const alias of option.aliases ?? []) expect(section).toContain(`--${alias}`)
      }
      for (const argument of command.arguments ?? [])
        expect(section).toMatch(
          new RegExp(`^ +${argument.name}\\s+${RegExp.escape(argument.help)}`, 'm'),
        )
      const words = (part: string) => part.replace(/\s+/g, ' ')
      for (const line of command.details?.trimEnd().split('\n') ?? [])
        if (line !== 'Examples:') expect(words(text)).toContain(words(line.trim()))
    }
  })

  test('the signs of roff are plain text', async () => {
    const help = `.TH 'begins' a line \\fBbold\\fP "quoted" -x --long ~/x ^y \`id\` … ≤`
    const root: Command = {
      name: 'tracker',
      help,
      details: `${help}\nof words.\n\nExamples:\n  ${help}\n  .so /etc/passwd\n  'ti 5`,
      options: [{ name: 'odd', value: '.X', help }],
      arguments: [],
      commands: [],
      run: async () => 0,
    }
    const text = await render(page(root))
    expect(text.split(help).length - 1).toBe(4)
    expect(text).toContain('.so /etc/passwd\n')
    expect(text).toContain("'ti 5\n")
    // Some viewers turn these into typographic signs, which cannot be typed.
    for (const line of page(root).split('\n'))
      if (!line.startsWith('.')) expect(line).not.toMatch(/(?<!\\)[-'`^~]/)
    expect((await filter(['mandoc', '-T', 'lint', '-W', 'warning'], page(root))).out).toBe('')
  })
})

test.skipIf(Bun.which('man') === null)('man shows it without warnings', async () => {
  const { code, out, err } = await filter(['man', '-l'], page(), { MANWIDTH: '80' })
  expect([code, err]).toEqual([0, ''])
  for (const title of [
    'NAME',
    'SYNOPSIS',
    'DESCRIPTION',
    'COMMANDS',
    'OPTIONS',
    'ENVIRONMENT',
    'FILES',
    'EXIT STATUS',
    'SIGNALS',
    'EXAMPLES',
    'SEE ALSO',
  ])
    expect(out).toMatch(new RegExp(`^${title}$`, 'm'))
})

test('every environment variable that the program reads is explained', async () => {
  const sections = page().replaceAll('\\', '').split('\n.SH ')
  const text = sections.find((section) => section.startsWith('ENVIRONMENT')) ?? ''
  const isExplained = (name: string) => text.includes(name) || name.startsWith(PREFIX)
  const names = new Set<string>()
  for await (const file of new Bun.Glob('**/*.ts').scan(SRC)) {
    if (file.endsWith('completions/man.ts')) continue
    const source = await Bun.file(join(SRC, file)).text()
    for (const [, quoted, read] of source.matchAll(
      /'(TORRUST_[A-Z_]*|HEALTH_CHECK_[A-Z_]*)'|\benv\.([A-Z_]+)/g,
    ))
      names.add(quoted ?? read ?? '')
  }
  expect([...names]).toContain('TORRUST_TRACKER_CONFIG_TOML')
  expect([...names].filter((name) => !isExplained(name))).toEqual([])
})

describe('its date', () => {
  const dateOf = (env: Record<string, string>) =>
    /^\.TH TRACKER 1 (\S+) /.exec(page(TRACKER, env))?.[1]

  test('is that of the release, if one is given', () => {
    expect(dateOf({ SOURCE_DATE_EPOCH: '0' })).toBe('1970-01-01')
    expect(dateOf({ SOURCE_DATE_EPOCH: '1795219200' })).toBe('2026-11-21')
  })

  test.each(['', 'yesterday', '-1', '1e3', '99999999999999999999'])(
    'is the date of the texts for %j',
    (epoch) => {
      expect(dateOf({ SOURCE_DATE_EPOCH: epoch })).toBe(dateOf({}))
      expect(dateOf({})).toMatch(/^\d{4}-\d\d-\d\d$/)
    },
  )
})

test('tracker completions man prints it', async () => {
  using here = workspace()
  expect(await here.run(['completions', 'man'])).toEqual({
    code: 0,
    out: manualPage(TRACKER, { env: {} }),
    err: '',
  })
})
