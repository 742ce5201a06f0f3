/** Command lines against the command table: what runs, which help is shown, and the message about wrong usage. */
import { describe, expect, test } from 'bun:test'
import type { Command } from '../../src/cli/command.ts'
import { misuseMessage, parseCommandLine } from '../../src/cli/command-line.ts'
import { TRACKER } from '../../src/commands/command-table.ts'

const parse = (line: string) => parseCommandLine(TRACKER, line === '' ? [] : line.split(' '))

describe('what runs', () => {
  test.each<[string, string, Record<string, string | true>, string[]]>([
    ['', 'tracker', {}, []],
    ['--config a.toml', 'tracker', { config: 'a.toml' }, []],
    ['--config=a.toml', 'tracker', { config: 'a.toml' }, []],
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

describe('wrong usage is reported in one line', () => {
  test.each([
    ['--confg a', 'tracker: unknown option --confg, did you mean --config? See tracker --help'],
    ['--CONFIG a', 'tracker: unknown option --CONFIG, did you mean --config? See tracker --help'],
    ['--nothing', 'tracker: unknown option --nothing. See tracker --help'],
    ['-x', 'tracker: unknown option -x. See tracker --help'],
    ['--config', 'tracker: --config needs a value: --config PATH. See tracker --help'],
    ['-c', 'tracker: -c needs a value: -c PATH. See tracker --help'],
    // What a shell makes of an unset variable.
    ['--config=', 'tracker: --config needs a value: --config PATH. See tracker --help'],
    ['--config ', 'tracker: --config needs a value: --config PATH. See tracker --help'],
    ['-c ', 'tracker: -c needs a value: -c PATH. See tracker --help'],
    [
      '--config-toml-path ',
      'tracker: --config-toml-path needs a value: --config-toml-path PATH. See tracker --help',
    ],
    [
      'config check --config-toml-path=',
      'tracker config check: --config-toml-path needs a value: --config-toml-path PATH. See tracker config check --help',
    ],
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

describe('choices and arguments that repeat', () => {
  const tool: Command = {
    name: 'tool',
    help: '',
    options: [{ name: 'format', short: 'f', value: 'FORMAT', choices: ['json', 'text'], help: '' }],
    arguments: [
      { name: 'KIND', choices: ['one', 'two', 'three'], help: '' },
      { name: 'FILE', optional: true, repeats: true, help: '' },
    ],
    commands: [],
    run: async () => 0,
  }

  test.each<[string[], Record<string, string>, string[]]>([
    [['one'], {}, ['one']],
    [['two', 'a', 'b', 'c'], {}, ['two', 'a', 'b', 'c']],
    [['three', 'a', '--format', 'text', 'b'], { format: 'text' }, ['three', 'a', 'b']],
    [['--format=json', 'one'], { format: 'json' }, ['one']],
    [['-fjson', 'one', '--', '-f'], { format: 'json' }, ['one', '-f']],
  ])('tool %j', (words, options, args) => {
    const parsed = parseCommandLine(tool, words)
    if (parsed.kind !== 'run') throw new Error(JSON.stringify(parsed))
    expect(Object.fromEntries(parsed.invocation.options)).toEqual(options)
    expect([...parsed.invocation.arguments]).toEqual(args)
  })

  test.each([
    [['--format', 'xml', 'one'], '--format must be json or text, not xml'],
    [['--format=', 'one'], '--format must be json or text, not empty'],
    [['-fJSON', 'one'], '-f must be json or text, not JSON'],
    [['four'], 'KIND must be one, two or three, not four'],
    [['a b'], 'KIND must be one, two or three, not "a b"'],
    [[], 'needs an argument: KIND (one, two or three)'],
  ])('tool %j is refused', (words, message) => {
    expect(parseCommandLine(tool, words)).toEqual({
      kind: 'misuse',
      message: `tool: ${message}. See tool --help`,
    })
  })

  test('an argument that repeats may be required', () => {
    const root = { ...tool, options: [], arguments: [{ name: 'FILE', repeats: true, help: '' }] }
    expect(parseCommandLine(root, [])).toMatchObject({
      message: 'tool: needs an argument: FILE. See tool --help',
    })
    expect(parseCommandLine(root, ['a', 'b'])).toMatchObject({
      kind: 'run',
      invocation: { arguments: ['a', 'b'] },
    })
  })
})

test('the name of a command is all words that lead to it', () => {
  expect(parse('config print')).toMatchObject({ kind: 'run', name: 'tracker config print' })
  expect(parse('')).toMatchObject({ kind: 'run', name: 'tracker' })
})

test('a message about wrong usage ends as a sentence, or as a question', () => {
  expect(misuseMessage('tool', 'this is wrong')).toBe('tool: this is wrong. See tool --help')
  expect(misuseMessage('tool', 'did you mean that?')).toBe(
    'tool: did you mean that? See tool --help',
  )
})

describe('help', () => {
  const helpOf = (line: string) => {
    const parsed = parse(line)
    return parsed.kind === 'help' ? parsed.text : parsed
  }

  test.each([
    ['-h', '--help'],
    ['help', '--help'],
    ['help config print', 'config print --help'],
    ['config print -h --nonsense', 'config print --help'],
  ])('tracker %s is tracker %s', (line, same) => {
    expect(helpOf(line)).toBe(helpOf(same))
    expect(helpOf(line)).toBeString()
  })

  test('is that of the named command', () => {
    expect(helpOf('init --help')).toContain('Usage: tracker init [options] [PATH]\n')
  })
})
