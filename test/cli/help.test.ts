/** The text of `--help`: every word of the command table, in lines that fit a terminal. */
import { describe, expect, test } from 'bun:test'
import { argument, type Command, option } from '../../src/cli/command.ts'
import { help } from '../../src/cli/help.ts'
import { TRACKER } from '../../src/commands/command-table.ts'

const run = async () => 0

const ASK: Command = {
  name: 'ask',
  help: 'Ask a question, in a sentence that is so long that it continues on the line after the first.',
  details: `A paragraph in lines as its author divided them,
and here:
  {"but this":   "is as it was, and is not divided however long it may be, for it is an example"}`,
  examples: ['tool ask one two', 'tool ask three'],
  options: [
    option('-f, --format json|text', 'How to answer.', { also: ['style', 'form'] }),
    option('--far-too-long-for-one-to-type WORD', 'Stands alone.'),
    option(
      '--plain',
      'With an explanation that does not fit beside its name, however narrow that name is.',
    ),
  ],
  arguments: [argument('WHOM', 'An expert.'), argument('[WHAT...]', 'Words.')],
  run,
}

const TOOL: Command = {
  name: 'tool',
  help: 'A tool.',
  commands: [
    ASK,
    {
      name: 'group',
      help: 'A group.',
      commands: [
        { name: 'one', help: 'The one.', run },
        { name: 'two', help: 'The other.', run },
        { name: 'three', help: 'Not shown.', hidden: true, run },
      ],
    },
  ],
}

test('of a command: purpose, usage, arguments, options and details', () => {
  expect(help([TOOL, ASK])).toBe(
    `Ask a question, in a sentence that is so long that it continues on the line
after the first.

Usage: tool ask [options] WHOM [WHAT...]

Arguments:
  WHOM                    An expert.
  WHAT                    Words.

Options:
  -f, --format json|text  How to answer. Also --style, --form.
  --far-too-long-for-one-to-type WORD
                          Stands alone.
  --plain                 With an explanation that does not fit beside its name,
                          however narrow that name is.
  -h, --help              Show this help.
  -V, --version           Show the version.

A paragraph in lines as its author divided them,
and here:
  {"but this":   "is as it was, and is not divided however long it may be, for it is an example"}

Examples:
  tool ask one two
  tool ask three
`,
  )
})

test('of a group: the commands that can be run, and where to find more', () => {
  expect(help([TOOL])).toBe(`A tool.

Usage: tool <command>

Commands:
  ask            Ask a question, in a sentence that is so long that it continues
                 on the line after the first.
  group one      The one.
  group two      The other.

Options:
  -h, --help     Show this help.
  -V, --version  Show the version.

See tool <command> --help for more.
`)
})

describe('of the tracker', () => {
  const walk = (path: readonly Command[]): readonly (readonly Command[])[] => [
    path,
    ...(path.at(-1)!.commands ?? [])
      .filter(({ hidden }) => !hidden)
      .flatMap((one) => walk([...path, one])),
  ]
  const overview = help([TRACKER])

  test.each(
    walk([TRACKER]).map((path) => ({ name: path.map(({ name }) => name).join(' '), path })),
  )('$name is named, and fits on a terminal', ({ name, path }) => {
    const text = help(path)
    expect(text).toContain(`Usage: ${name} `)
    if (path.length > 1 && path.at(-1)?.run)
      expect(overview).toContain(`\n  ${name.replace('tracker ', '')} `)
    // Examples are not wrapped; their authors keep to 100 columns.
    for (const line of text.split('\n')) {
      const most = /^ {2}\S/.test(line) ? 100 : 80
      expect([line, line.length <= most]).toEqual([line, true])
    }
  })
})
