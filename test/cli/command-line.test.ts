/** Command lines against the command table: what runs, which help is shown, and the message about wrong usage. */
import { describe, expect, test } from 'bun:test'
import { argument, type Command, option } from '../../src/cli/command.ts'
import { CommandLine, misuseMessage } from '../../src/cli/command-line.ts'
import { Misuse } from '../../src/cli/invocation.ts'
import { TRACKER } from '../../src/commands/command-table.ts'

/** What a command line is read as, or the message about what is wrong. */
function read(root: Command, words: readonly string[]) {
  const line = new CommandLine(root)
  try {
    line.read(words)
    if (line.asked) return `${line.asked} of ${line.name}`
    line.finish()
    return [line.name, Object.fromEntries(line.options), ...line.arguments]
  } catch (error) {
    if (error instanceof Misuse) return misuseMessage(line.name, error.message)
    throw error
  }
}
const parse = (line: string) => read(TRACKER, line === '' ? [] : line.split(' '))

test.each<[string, string, Record<string, string | true>, ...string[]]>([
  ['', 'tracker', {}],
  ['--config a.toml', 'tracker', { config: 'a.toml' }],
  ['--config=a.toml', 'tracker', { config: 'a.toml' }],
  ['--config=a=b', 'tracker', { config: 'a=b' }],
  ['-c a.toml', 'tracker', { config: 'a.toml' }],
  ['-ca.toml', 'tracker', { config: 'a.toml' }],
  ['-c -', 'tracker', { config: '-' }],
  ['--config-toml-path a.toml', 'tracker', { config: 'a.toml' }],
  ['config print', 'tracker config print', {}],
  ['config print --docs -c a', 'tracker config print', { docs: true, config: 'a' }],
  ['--config a config check', 'tracker config check', { config: 'a' }],
  ['config -c a check', 'tracker config check', { config: 'a' }],
  ['config migrate -o b', 'tracker config migrate', { output: 'b' }],
  ['init', 'tracker init', {}],
  ['init a.toml', 'tracker init', {}, 'a.toml'],
  ['init -- --odd', 'tracker init', {}, '--odd'],
  // What other servers call it.
  ['serve', 'tracker serve', {}],
  ['run -c a.toml', 'tracker run', { config: 'a.toml' }],
  ['--config a.toml start', 'tracker start', { config: 'a.toml' }],
])('tracker %s runs', (line, ...expected) => {
  expect(parse(line)).toEqual(expected)
})

test.each([
  ['--version', 'version of tracker'],
  ['-V', 'version of tracker'],
  ['config --version', 'version of tracker config'],
  ['--config a -V', 'version of tracker'],
  ['-h', 'help of tracker'],
  ['config print -h --nonsense', 'help of tracker config print'],
])('tracker %s asks', (line, asked) => {
  expect(parse(line)).toBe(asked)
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
    ['xyz', 'tracker: unknown command xyz. See tracker --help'],
    // The commands of a group are missed without it.
    [
      'announce',
      'tracker: unknown command announce, did you mean client announce? See tracker --help',
    ],
    [
      'my.yaml',
      'tracker: unknown command my.yaml, did you mean --config my.yaml? See tracker --help',
    ],
    ['serve x', 'tracker serve: unexpected argument x. See tracker serve --help'],
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
    expect(parse(line)).toBe(message)
  })
})

describe('choices and arguments that repeat', () => {
  const tool: Command = {
    name: 'tool',
    help: '',
    options: [option('-f, --format json|text', ''), option('--size BYTES', '')],
    arguments: [argument('one|two|three', ''), argument('[FILE...]', '')],
    run: async () => 0,
  }

  test.each<[string[], Record<string, string>, ...string[]]>([
    [['one'], {}, 'one'],
    [['two', 'a', 'b', 'c'], {}, 'two', 'a', 'b', 'c'],
    [['three', 'a', '--format', 'text', 'b'], { format: 'text' }, 'three', 'a', 'b'],
    [['--format=json', 'one'], { format: 'json' }, 'one'],
    [['-fjson', 'one', '--', '-f', '--'], { format: 'json' }, 'one', '-f', '--'],
    [['--size=', 'one'], { size: '' }, 'one'],
  ])('tool %j', (words, ...expected) => {
    expect(read(tool, words)).toEqual(['tool', ...expected])
  })

  test.each([
    [['--format', 'xml', 'one'], '--format must be json or text, not xml'],
    [['--format=', 'one'], '--format must be json or text, not empty'],
    [['-fJSON', 'one'], '-f must be json or text, not JSON'],
    [['four'], 'the argument must be one, two or three, not four'],
    [['a b'], 'the argument must be one, two or three, not "a b"'],
    [[], 'needs an argument: one, two or three'],
  ])('tool %j is refused', (words, message) => {
    expect(read(tool, words)).toBe(`tool: ${message}. See tool --help`)
  })

  test('an argument that repeats may be required', () => {
    const root = { ...tool, arguments: [argument('FILE...', '')] }
    expect(read(root, [])).toBe('tool: needs an argument: FILE. See tool --help')
    expect(read(root, ['a', 'b'])).toEqual(['tool', {}, 'a', 'b'])
  })
})
