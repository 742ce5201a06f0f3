/** The text of `--help`, for terminals of 80 columns, and the parts of it that the manual page shares. */
import { type Argument, type Command, everyCommand, type Option, optionsOf } from './command.ts'

const COLUMNS = 80
/** A longer name stands on a line of its own, above its explanation. */
const WIDEST_NAME = 24

/** A name, and what it means. */
export type Entry = readonly [name: string, explanation: string]

/** The help of the last command of `path`. */
export function help(path: readonly Command[]): string {
  const command = path.at(-1)!
  const name = path.map((one) => one.name).join(' ')
  const { commands = [], arguments: known = [] } = command
  const operands = known.map((one) => ` ${operand(one)}`)
  const usage = [
    ...(command.run ? [`${name} [options]${operands.join('')}`] : []),
    ...(commands.length > 0 ? [`${name} <command>`] : []),
  ]
  const sections: [string, readonly Entry[]][] = [
    ['Commands', entriesOf(commands)],
    ['Arguments', known.map((one): Entry => [one.name, one.help])],
    ['Options', optionsOf(command).map((one): Entry => [spelling(one), explained(one)])],
  ]
  const lengths = sections.flatMap(([, entries]) => entries.map(([left]) => left.length))
  const width = Math.max(...lengths.filter((length) => length <= WIDEST_NAME))
  const blocks = sections
    .filter(([, entries]) => entries.length > 0)
    .map(([title, entries]) => [`${title}:`, ...entries.flatMap((entry) => print(entry, width))])
  return [
    wrap(command.help, COLUMNS),
    [`Usage: ${usage.join('\n       ')}`],
    ...blocks,
    ...(command.details ? [printDetails(command.details)] : []),
    ...(commands.length > 0 ? [[`See ${name} <command> --help for more.`]] : []),
  ]
    .map((lines) => `${lines.join('\n')}\n`)
    .join('\n')
}

/** Every runnable command among `commands` and below them, with the words that lead to it from there. */
const entriesOf = (commands: readonly Command[]): readonly Entry[] =>
  commands
    .flatMap((one) => everyCommand(one))
    .filter((one) => one.command.run)
    .map(({ name, command: one }): Entry => [name, one.help])

function print([left, right]: Entry, width: number): readonly string[] {
  const indent = ' '.repeat(width + 4)
  const [first, ...others] = wrap(right, COLUMNS - indent.length)
  const rest = others.map((line) => `${indent}${line}`)
  return left.length > width
    ? [`  ${left}`, `${indent}${first}`, ...rest]
    : [`  ${left.padEnd(width)}  ${first}`, ...rest]
}

const printDetails = (details: string): readonly string[] =>
  blocksOf(details).flatMap(({ kind, lines, apart }) => [
    ...(apart ? [''] : []),
    ...(kind === 'literal' ? lines : wrap(lines.join(' '), COLUMNS)),
  ])

const spelling = ({ name, short, value }: Option): string =>
  `${short ? `-${short}, ` : ''}--${name}${value ? ` ${value}` : ''}`

/** What an option means, and its other names. */
export const explained = ({ help, aliases = [] }: Option): string =>
  aliases.length === 0 ? help : `${help} Also ${aliases.map((name) => `--${name}`).join(', ')}.`

/** An argument as a usage line shows it. */
export function operand({ name, optional, repeats }: Argument): string {
  const words = repeats ? `${name}...` : name
  return optional ? `[${words}]` : words
}

/** The words of `text` on lines of at most `width` columns; a longer word has a line of its own. */
function wrap(text: string, width: number): readonly string[] {
  const lines: string[] = []
  let line = ''
  for (const word of text.split(/\s+/)) {
    if (line !== '' && line.length + 1 + word.length > width) {
      lines.push(line)
      line = word
    } else line = line === '' ? word : `${line} ${word}`
  }
  return [...lines, line]
}

/** A part of a command's `details`. */
export interface Block {
  /** Literal lines, such as examples, are indented in the source and stay as they are; paragraphs are filled. */
  readonly kind: 'paragraph' | 'literal'
  readonly lines: readonly string[]
  /** A blank line stands before it. */
  readonly apart: boolean
}

export function blocksOf(details: string): readonly Block[] {
  const blocks: Block[] = []
  let lines: string[] = []
  let apart = false
  let before: Block['kind'] | undefined
  for (const line of details.trimEnd().split('\n')) {
    const kind = line === '' ? undefined : line.startsWith(' ') ? 'literal' : 'paragraph'
    if (kind === undefined) apart = true
    else if (kind === before) lines.push(line)
    else {
      lines = [line]
      blocks.push({ kind, lines, apart })
      apart = false
    }
    before = kind
  }
  return blocks
}

/** Whether the block is the heading above a command's examples. */
export const headsExamples = ({ lines }: Block): boolean =>
  lines.length === 1 && lines[0] === 'Examples:'
