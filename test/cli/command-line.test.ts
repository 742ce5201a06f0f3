/** Command lines against the command table: what runs, which help is shown, and the message about wrong usage. */
import { describe, expect, test } from 'bun:test'
import { argument, type Command, option } from '../../src/cli/command.ts'
import { CommandLine, misuseMessage } from '../../src/cli/command-line.ts'
import { Misuse } from '../../src/cli/invocation.ts'
import { TRACKER } from '../../src/commands/command-table.ts'
import { rowsOf } from '../support/config/loading.ts'

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

/** A command line, the command that reports it, and what that says; `\n` and `\u001b` stand for the characters. */
const MISUSED = String.raw`
--confg a | tracker | unknown option --confg, did you mean --config?
--CONFIG a | tracker | unknown option --CONFIG, did you mean --config?
--nothing | tracker | unknown option --nothing.
-x | tracker | unknown option -x.
-v | tracker | unknown option -v, did you mean -V?
--config | tracker | --config needs a value: --config PATH.
-c | tracker | -c needs a value: -c PATH.
--config= | tracker | --config needs a value: --config PATH.
--config  | tracker | --config needs a value: --config PATH.
--config-toml-path  | tracker | --config-toml-path needs a value: --config-toml-path PATH.
--config --help | tracker | --config needs a value: --config PATH.
--config a --config b | tracker | --config is given twice.
-c a --config-toml-path b | tracker | --config-toml-path is given twice.
cnfig | tracker | unknown command cnfig, did you mean config?
xyz | tracker | unknown command xyz.
announce | tracker | unknown command announce, did you mean client announce?
scarpe | tracker | unknown command scarpe, did you mean client scrape?
chekc | tracker | unknown command chekc, did you mean check?
my.yaml | tracker | unknown command my.yaml, did you mean --config my.yaml?
serve x | tracker serve | unexpected argument x.
config | tracker config | needs a command: print, check, migrate or schema.
config prnt | tracker config | unknown command prnt, did you mean print?
config print --docs=1 | tracker config print | --docs takes no value.
config print x | tracker config print | unexpected argument x.
config print -o x | tracker config print | unknown option -o.
config -o a check | tracker config check | takes no option --output.
config -x check | tracker config | unknown option -x.
-c a init | tracker init | takes no option --config.
init a b | tracker init | unexpected argument b.
a\nb | tracker | unknown command "a\nb".
--a\u001b[31m | tracker | unknown option "--a\u001b[31m".
`

test.each(rowsOf(MISUSED))('tracker %s is wrong usage, told in one line', (line, name, words) => {
  const typed = line!.replace('\\n', '\n').replace('\\u001b', '\u001b')
  expect(parse(typed)).toBe(`${name}: ${words} See ${name} --help`)
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
