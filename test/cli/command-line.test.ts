/** Command lines against the command table: what runs, which help, and what wrong usage is told. */
import { describe, expect, test } from 'bun:test'
import type { Command } from '../../src/cli/command.ts'
import { help, parseCommandLine } from '../../src/cli/command-line.ts'
import { TRACKER } from '../../src/cli/commands.ts'

const parse = (line: string) => parseCommandLine(TRACKER, line === '' ? [] : line.split(' '))

describe('what runs', () => {
  test.each<[string, string, Record<string, string | true>, string[]]>([
    ['', 'tracker', {}, []],
    ['--config a.toml', 'tracker', { config: 'a.toml' }, []],
    ['--config=a.toml', 'tracker', { config: 'a.toml' }, []],
    ['--config=', 'tracker', { config: '' }, []],
    ['--config=a=b', 'tracker', { config: 'a=b' }, []],
    ['-c a.toml', 'tracker', { config: 'a.toml' }, []],
    ['-ca.toml', 'tracker', { config: 'a.toml' }, []],
    ['-c -', 'tracker', { config: '-' }, []],
    ['--config-toml-path a.toml', 'tracker', { config: 'a.toml' }, []],
    ['config print', 'print', {}, []],
    ['config print --docs -c a', 'print', { docs: true, config: 'a' }, []],
    ['--config a config check', 'check', { config: 'a' }, []],
    ['config -c a check', 'check', { config: 'a' }, []],
    ['config migrate -o b', 'migrate', { output: 'b' }, []],
    ['init', 'init', {}, []],
    ['init a.toml', 'init', {}, ['a.toml']],
    ['init -- --odd', 'init', {}, ['--odd']],
  ])('tracker %s', (line, command, options, args) => {
    const parsed = parse(line)
    if (parsed.kind !== 'run') throw new Error(JSON.stringify(parsed))
    expect(parsed.command.name).toBe(command)
    expect(Object.fromEntries(parsed.invocation.options)).toEqual(options)
    expect([...parsed.invocation.arguments]).toEqual(args)
  })

  test.each(['--version', '-V', 'config --version', '--config a -V'])('tracker %s', (line) => {
    expect(parse(line)).toEqual({ kind: 'version' })
  })
})

describe('wrong usage is told in one line', () => {
  test.each([
    ['--confg a', 'tracker: unknown option --confg, did you mean --config? See tracker --help'],
    ['--CONFIG a', 'tracker: unknown option --CONFIG, did you mean --config? See tracker --help'],
    ['--nothing', 'tracker: unknown option --nothing. See tracker --help'],
    ['-x', 'tracker: unknown option -x. See tracker --help'],
    ['--config', 'tracker: --config needs a value: --config PATH. See tracker --help'],
    ['-c', 'tracker: -c needs a value: -c PATH. See tracker --help'],
    ['--config --help', 'tracker: --config needs a value: --config PATH. See tracker --help'],
    ['--config a --config b', 'tracker: --config is given twice. See tracker --help'],
    ['-c a --config-toml-path b', 'tracker: --config-toml-path is given twice. See tracker --help'],
    ['cnfig', 'tracker: unknown command cnfig, did you mean config? See tracker --help'],
    ['run', 'tracker: unknown command run. See tracker --help'],
    [
      'my.toml',
      'tracker: unknown command my.toml, did you mean --config my.toml? See tracker --help',
    ],
    [
      'config',
      'tracker config: needs a command: print, check or migrate. See tracker config --help',
    ],
    [
      'config prnt',
      'tracker config: unknown command prnt, did you mean print? See tracker config --help',
    ],
    [
      'config print --docs=1',
      'tracker config print: --docs takes no value. See tracker config print --help',
    ],
    [
      'config print x',
      'tracker config print: unexpected argument x. See tracker config print --help',
    ],
    [
      'config print -o x',
      'tracker config print: unknown option -o. See tracker config print --help',
    ],
    [
      'config -o a check',
      'tracker config check: takes no option --output. See tracker config check --help',
    ],
    ['config -x check', 'tracker config: unknown option -x. See tracker config --help'],
    ['-c a init', 'tracker init: takes no option --config. See tracker init --help'],
    ['init a b', 'tracker init: unexpected argument b. See tracker init --help'],
    ['a\nb', 'tracker: unknown command "a\\nb". See tracker --help'],
    ['--a\u001b[31m', 'tracker: unknown option "--a\\u001b[31m". See tracker --help'],
  ])('tracker %s', (line, message) => {
    expect(parse(line)).toEqual({ kind: 'misuse', message })
  })

  test('a missing argument is named', () => {
    const root: Command = {
      name: 'tool',
      help: '',
      options: [],
      arguments: [{ name: 'FILE', help: '' }],
      commands: [],
      run: async () => 0,
    }
    expect(parseCommandLine(root, [])).toEqual({
      kind: 'misuse',
      message: 'tool: needs an argument: FILE. See tool --help',
    })
  })
})

describe('help', () => {
  const helpOf = (line: string) => {
    const parsed = parse(line)
    return parsed.kind === 'help' ? parsed.text : parsed
  }

  test('of the tracker names every command and option', () => {
    expect(
      helpOf('--help'),
    ).toBe(`A BitTorrent tracker. Without a command it serves until it is interrupted.

Usage: tracker [options]
       tracker <command>

Commands:
  config print                           Print the effective configuration and where each value comes from.
  config check                           Say whether a configuration is right, and everything that is not.
  config migrate                         Print a file of schema 2.0.0 as schema 3.0.0, secrets included.
  init                                   Write a configuration file to start from, with a fresh token for the API.

Options:
  -c, --config, --config-toml-path PATH  The configuration file. Default: tracker.toml, if there is one.
  -h, --help                             Show this help.
  -V, --version                          Show the version.
`)
  })

  test.each([
    ['-h', '--help'],
    ['help', '--help'],
    ['help config print', 'config print --help'],
    ['config print -h --nonsense', 'config print --help'],
  ])('tracker %s is tracker %s', (line, same) => {
    expect(helpOf(line)).toBe(helpOf(same))
    expect(helpOf(line)).toBeString()
  })

  test('every command has its own, with its arguments', () => {
    const walk = (path: Command[]): void => {
      const text = help(path)
      const name = path.map((command) => command.name).join(' ')
      expect(text).toContain(`Usage: ${name} `)
      for (const one of path.at(-1)!.commands) walk([...path, one])
    }
    walk([TRACKER])
    expect(helpOf('init --help')).toContain('Usage: tracker init [options] [PATH]\n')
  })
})
