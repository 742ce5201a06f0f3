/** What `--help` says of a command, for terminals of 80 columns. */
import { type Command, HELP, type Option, VERSION } from './command.ts'
import { blocksOf, everyCommand, explained, operand, wrap } from './prose.ts'

const COLUMNS = 80
/** What is longer stands on a line of its own, above its explanation. */
const WIDEST_NAME = 24

type Row = readonly [name: string, explanation: string]

/** `-h` and `-V` included. */
export const optionsOf = (command: Command): readonly Option[] => [
  ...command.options,
  HELP,
  VERSION,
]

/** The help of the last command of `path`. */
export function help(path: readonly Command[]): string {
  const command = path.at(-1)!
  const name = path.map((one) => one.name).join(' ')
  const operands = command.arguments.map((one) => ` ${operand(one)}`)
  const usage = [
    ...(command.run ? [`${name} [options]${operands.join('')}`] : []),
    ...(command.commands.length > 0 ? [`${name} <command>`] : []),
  ]
  const sections: [string, readonly Row[]][] = [
    ['Commands', commandRows(command)],
    ['Arguments', command.arguments.map((one): Row => [one.name, one.help])],
    ['Options', optionsOf(command).map((one): Row => [spelling(one), explained(one)])],
  ]
  const lengths = sections.flatMap(([, rows]) => rows.map(([left]) => left.length))
  const width = Math.max(...lengths.filter((length) => length <= WIDEST_NAME))
  const blocks = sections
    .filter(([, rows]) => rows.length > 0)
    .map(([title, rows]) => [`${title}:`, ...rows.flatMap((row) => printRow(row, width))])
  return [
    wrap(command.help, COLUMNS),
    [`Usage: ${usage.join('\n       ')}`],
    ...blocks,
    ...(command.details ? [printDetails(command.details)] : []),
    ...(command.commands.length > 0 ? [[`See ${name} <command> --help for more.`]] : []),
  ]
    .map((lines) => `${lines.join('\n')}\n`)
    .join('\n')
}

/** Every command that can be run, below `command`, with the words that lead to it from there. */
const commandRows = (command: Command): readonly Row[] =>
  command.commands
    .flatMap((one) => everyCommand(one))
    .filter((one) => one.command.run)
    .map(({ name, command: one }): Row => [name, one.help])

function printRow([left, right]: Row, width: number): readonly string[] {
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
