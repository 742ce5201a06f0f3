/** The text of `--help`, for terminals of 80 columns. */
import { type Command, everyCommand, optionsOf } from './command.ts'

const COLUMNS = 80
/** A longer name stands on a line of its own, above its explanation. */
const WIDEST_NAME = 24

/** A name, and what it means. */
type Row = readonly [name: string, explanation: string]

/** The help of the last command of `path`. */
export function help(path: readonly Command[]): string {
  const command = path.at(-1)!
  const name = path.map((one) => one.name).join(' ')
  const { commands = [], arguments: operands = [], details, examples, run } = command
  const usage = [
    ...(run ? [[name, '[options]', ...operands.map((one) => one.usage)].join(' ')] : []),
    ...(commands.length > 0 ? [`${name} <command>`] : []),
  ]
  const below = everyCommand(command, '').filter(
    (one) => one.command !== command && one.command.run,
  )
  const tables: readonly (readonly [title: string, rows: readonly Row[]])[] = [
    ['Commands', below.map((one): Row => [one.name.trim(), one.command.help])],
    ['Arguments', operands.map((one): Row => [one.name, one.help])],
    ['Options', optionsOf(command).map((one): Row => [one.usage, one.help])],
  ]
  const widths = tables.flatMap(([, rows]) => rows.map(([left]) => left.length))
  const width = Math.max(...widths.filter((one) => one <= WIDEST_NAME))
  const blocks = [
    Bun.wrapAnsi(command.help, COLUMNS),
    `Usage: ${usage.join('\n       ')}`,
    ...tables
      .filter(([, rows]) => rows.length > 0)
      .map(([title, rows]) => [`${title}:`, ...rows.map((row) => print(row, width))].join('\n')),
    ...(details ? [details] : []),
    ...(examples ? [['Examples:', ...examples].join('\n  ')] : []),
    ...(commands.length > 0 ? [`See ${name} <command> --help for more.`] : []),
  ]
  return `${blocks.join('\n\n')}\n`
}

function print([name, explanation]: Row, width: number): string {
  const margin = `\n${' '.repeat(width + 4)}`
  const text = Bun.wrapAnsi(explanation, COLUMNS - width - 4).replaceAll('\n', margin)
  return name.length > width ? `  ${name}${margin}${text}` : `  ${name.padEnd(width)}  ${text}`
}
