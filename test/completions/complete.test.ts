/** What fits at the end of a command line, for every kind of option and argument that the table can have. */
import { expect, test } from 'bun:test'
import { argument, type Command, option } from '../../src/cli/command.ts'
import { fitting } from '../../src/completions/complete.ts'
import { workspace } from '../support/cli/workspace.ts'

const run = async () => 0
const CONFIG = option('-c, --config PATH', 'The file.', { file: true, also: ['config-toml-path'] })

const TABLE: Command = {
  name: 'tracker',
  help: 'A tracker.',
  options: [CONFIG],
  commands: [
    {
      name: 'config',
      help: 'A group.',
      commands: [
        { name: 'print', help: '', options: [CONFIG, option('--docs', 'Why.')], run },
        { name: 'migrate', help: '', options: [CONFIG, option('-o, --output FILE', '')], run },
      ],
    },
    {
      name: 'ask',
      help: 'A question.',
      options: [option('--event started|stopped|none', ''), option('-4, --ipv4', '')],
      arguments: [argument('URL', ''), argument('HASH...', '', { file: true })],
      run,
    },
    { name: 'shell', help: '', arguments: [argument('bash|zsh', '')], run },
    { name: 'serve', help: '', hidden: true, run },
  ],
  run,
}

const COMMANDS = ['config', 'ask', 'shell']
const ALWAYS = ['-h', '--help', '-V', '--version']
const ASK_OPTIONS = ['--event', '-4', '--ipv4', ...ALWAYS]
const EVENTS = ['started', 'stopped', 'none']

test.each<[line: string, fitting: readonly string[]]>([
  ['', COMMANDS],
  ['con', COMMANDS],
  ['-', ['-c', '--config', ...ALWAYS]],
  ['--c', ['-c', '--config', ...ALWAYS]],
  ['nothing ', []],
  ['--nothing ', []],
  // Options before a command.
  ['-c x ', COMMANDS],
  ['-cx ', COMMANDS],
  ['--config=x ', COMMANDS],
  ['--config-toml-path x sh', COMMANDS],
  // A group takes what its commands take.
  ['config ', ['print', 'migrate']],
  ['config -', ['-c', '--config', '--docs', ...ALWAYS, '-o', '--output']],
  ['config -c x m', ['print', 'migrate']],
  ['config nothing ', []],
  // A given option is not offered again, in whatever spelling.
  ['config -c x print -', ['--docs', ...ALWAYS]],
  ['config print --config-toml-path=x -', ['--docs', ...ALWAYS]],
  ['config print --docs -', ['-c', '--config', ...ALWAYS]],
  ['ask -4 -', ['--event', ...ALWAYS]],
  // Where no argument is possible, options are offered.
  ['config print ', ['-c', '--config', '--docs', ...ALWAYS]],
  ['config print x', []],
  ['serve ', ALWAYS],
  // Values.
  ['ask --event ', EVENTS],
  ['ask --event st', EVENTS],
  ['ask --event=', EVENTS.map((event) => `--event=${event}`)],
  ['ask --event=sto', EVENTS.map((event) => `--event=${event}`)],
  ['ask --event nonsense ', []],
  ['ask --ipv4=', []],
  ['ask --nothing=', []],
  ['-c ', [':files']],
  ['--config ', [':files']],
  ['--config=', [':files']],
  ['--config-toml-path=x', [':files']],
  ['config migrate -o ', [':FILE']],
  ['config migrate --output=', [':FILE']],
  // Arguments.
  ['shell ', ['bash', 'zsh']],
  ['shell bash ', ALWAYS],
  ['ask ', [':URL']],
  ['ask u', [':URL']],
  ['ask udp://tracker.example:6969/x=y ', [':files']],
  ['ask udp://tracker.example:6969 one two ', [':files']],
  ['ask udp://tracker.example:6969 --event started ', [':files']],
  ['ask udp://tracker.example:6969 -', ASK_OPTIONS],
  ['ask - ', [':files']],
  // After "--" there are no options and no commands.
  ['ask -- -', [':URL']],
  ['ask -- --event ', [':files']],
  ['ask -- url --event=', [':files']],
  ['shell -- ', ['bash', 'zsh']],
  ['-- ', []],
  ['-- config ', []],
])('tracker %s', (line, expected) => {
  const words = fitting(TABLE, line.split(' ')).map((one) => one.replace(/\t.*/, ''))
  expect(words.toSorted()).toEqual(expected.toSorted())
})

test('each word comes with what it means', () => {
  expect(fitting(TABLE, ['config', 'print', '--d']).slice(0, 3)).toEqual([
    '-c\tThe file. Also --config-toml-path.',
    '--config\tThe file. Also --config-toml-path.',
    '--docs\tWhy.',
  ])
  expect(fitting(TABLE, ['']).slice(0, 2)).toEqual(['config\tA group.', 'ask\tA question.'])
})

test('tracker complete prints them', async () => {
  using here = workspace()
  expect(await here.run(['complete', '--', 'config', 'print', '--', ''])).toEqual({
    code: 0,
    out: '',
    err: '',
  })
  expect(await here.run(['complete', '--', 'completions', ''])).toEqual({
    code: 0,
    out: 'bash\nzsh\nfish\npowershell\nman\n',
    err: '',
  })
})
