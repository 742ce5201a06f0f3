/** The manual page: valid for the programs that show it, and complete. */
import { describe, expect, test } from 'bun:test'
import { join } from 'node:path'
import { argument, type Command, HELP, option, VERSION } from '../../src/cli/command.ts'
import { TRACKER } from '../../src/commands/command-table.ts'
import { manualPage } from '../../src/completions/man.ts'
import { DEFAULT_SQLITE_PATH } from '../../src/config/database-settings.ts'
import { PREFIX } from '../../src/config/overrides.ts'
import { DEFAULT_FILE } from '../../src/config/source.ts'
import { workspace } from '../support/cli/workspace.ts'
import { runProgram } from '../support/run-program.ts'

const SRC = join(import.meta.dir, '../../src')
const missing = Bun.which('mandoc') === null
const page = manualPage(TRACKER)

/** The output of `command` for a page. */
async function filter(command: readonly string[], text: string, env: Record<string, string> = {}) {
  using here = workspace({ 'tracker.1': text })
  return await runProgram([...command, here.at('tracker.1')], {
    env: { PATH: process.env.PATH ?? '', LC_ALL: 'C.UTF-8', ...env },
  })
}
const lint = (text: string) => filter(['mandoc', '-T', 'lint', '-W', 'warning'], text)

/** The page as readers see it, in lines long enough for any sentence. */
async function render(text: string): Promise<string> {
  const { out } = await filter(['mandoc', '-T', 'utf8', '-O', 'width=1000'], text)
  // Bold and italic come as overstruck characters.
  return out.replace(/.[\b]/gu, '')
}

/** Its own walk over the table, so that the page's walk is tested, too. */
const everyCommand = (command: Command, name = command.name): [name: string, Command][] => [
  [name, command],
  ...(command.commands ?? []).flatMap((one) => everyCommand(one, `${name} ${one.name}`)),
]

describe.skipIf(missing)('for mandoc', () => {
  test('it is valid', async () => {
    expect(await lint(page)).toEqual({ code: 0, out: '', err: '' })
  })

  test('it holds every command that is shown, with its options, arguments and details', async () => {
    const text = await render(page)
    const words = text.replace(/\s+/g, ' ')
    const sections = text.split(/^ {3}(?=\S)|^(?=\S)/m)
    for (const [name, command] of everyCommand(TRACKER)) {
      const section = sections.find((one) => one.startsWith(`${name}\n`))
      if (command.hidden) {
        expect(section).toBeUndefined()
        continue
      }
      const part = command === TRACKER ? text : (section ?? `no section ${name}`)
      expect(part).toContain(command === TRACKER ? '' : command.help)
      if (command.run) expect(text).toContain(`\n       ${name} [options]`)
      const items = [
        ...(command.options ?? []).map((one) => [one.usage, one.help] as const),
        ...(command.arguments ?? []).map((one) => [one.name, one.help] as const),
        ...(command === TRACKER ? [HELP, VERSION] : []).map(
          (one) => [one.usage, one.help] as const,
        ),
      ]
      for (const [head, help] of items)
        expect(part).toMatch(new RegExp(`^ +${RegExp.escape(head)}\\s+${RegExp.escape(help)}`, 'm'))
      for (const line of [...(command.details?.split('\n') ?? []), ...(command.examples ?? [])])
        expect(words).toContain(line.trim().replace(/\s+/g, ' '))
    }
  })

  test('the signs of roff are plain text', async () => {
    const help = `.TH 'begins' a line \\fBbold\\fP "quoted" -x --long ~/x ^y \`id\` … ≤`
    const root: Command = {
      name: 'tracker',
      help,
      commands: [
        {
          name: 'odd',
          help,
          details: `${help}\n${help}\n  ${help}\n  .so /etc/passwd\n\n'ti 5`,
          examples: [help],
          options: [option('--odd .X', help)],
          arguments: [argument('WORD', help)],
          run: async () => 0,
        },
      ],
    }
    const text = await render(manualPage(root))
    expect(text.split(help).length - 1).toBe(7)
    expect(text).toContain('.so /etc/passwd\n')
    expect(text).toContain("'ti 5\n")
    // Some viewers turn these into typographic signs, which cannot be typed.
    const commands = manualPage(root).split('.SH COMMANDS\n')[1]!.split('.SH OPTIONS')[0]!
    for (const line of commands.split('\n'))
      if (!line.startsWith('.')) expect(line).not.toMatch(/(?<!\\)[-'`^~]/)
    expect((await lint(manualPage(root))).out).toBe('')
  })
})

test.skipIf(Bun.which('man') === null)('man shows it without warnings', async () => {
  const { code, out, err } = await filter(['man', '-l'], page, { MANWIDTH: '80' })
  expect([code, err]).toEqual([0, ''])
  expect(out.match(/^[A-Z].*$/gm)).toEqual([
    expect.stringMatching(/^TRACKER\(1\) .* TRACKER\(1\)$/),
    ...['NAME', 'SYNOPSIS', 'DESCRIPTION', 'COMMANDS', 'OPTIONS', 'ENVIRONMENT', 'FILES'],
    ...['EXIT STATUS', 'SIGNALS', 'EXAMPLES', 'SEE ALSO'],
  ])
})

test('it names every environment variable that the program reads, and its files', async () => {
  const names = new Set([PREFIX, DEFAULT_FILE, DEFAULT_SQLITE_PATH])
  for await (const file of new Bun.Glob('**/*.ts').scan(SRC)) {
    const source = await Bun.file(join(SRC, file)).text()
    for (const [, quoted, read] of source.matchAll(
      /'(TORRUST_[A-Z_]*|HEALTH_CHECK_[A-Z_]*)'|\benv\.([A-Z_]+)/g,
    ))
      names.add(quoted ?? read ?? '')
  }
  expect([...names]).toContain('TORRUST_TRACKER_CONFIG_TOML')
  const isNamed = (name: string) => page.includes(name) || name.startsWith(PREFIX)
  expect([...names].filter((name) => !isNamed(name))).toEqual([])
})

test('tracker completions man prints it', async () => {
  using here = workspace()
  expect(await here.run(['completions', 'man'])).toEqual({ code: 0, out: page, err: '' })
})
