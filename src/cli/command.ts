/** What a command is, as the rows of the command table. Parser, help, manual page and completions are made from it. */
import type { Host } from './host.ts'
import type { Invocation } from './invocation.ts'

/** What an option takes, or an argument. */
interface Value {
  /** As help shows it: `-c, --config PATH`, `[TARGET...]`. */
  readonly usage: string
  /** The only words that it takes. */
  readonly choices: readonly string[] | undefined
  /** May be the path of an existing file. */
  readonly file: boolean
  readonly help: string
}

export interface Option extends Value {
  /** The main long name, without dashes. */
  readonly name: string
  /** Every way to write it, with dashes. */
  readonly spellings: readonly string[]
  /** What its value is called; undefined: it takes none. */
  readonly value: string | undefined
}

export interface Argument extends Value {
  readonly name: string
  readonly optional: boolean
  /** Takes all words that are left; only the last argument may. */
  readonly repeats: boolean
}

export interface Command {
  readonly name: string
  /** One sentence. */
  readonly help: string
  /** Shown below the options: paragraphs in lines of at most 80 columns; indented lines stay as they are. */
  readonly details?: string
  /** Command lines. */
  readonly examples?: readonly string[]
  readonly options?: readonly Option[]
  readonly arguments?: readonly Argument[]
  readonly commands?: readonly Command[]
  /** Understood, but neither shown nor offered. */
  readonly hidden?: boolean
  /** Resolves with the exit code. `root` is the whole table. Absent: one of `commands` must be named. */
  run?(invocation: Invocation, host: Host, root: Command): Promise<number>
}

interface More {
  readonly file?: boolean
  /** Other long names, without dashes. */
  readonly also?: readonly string[]
}

/** An option from its usage: `--watch`, `-c, --config PATH`, `--format json|text` with the only values it takes. */
export function option(
  usage: string,
  help: string,
  { file = false, also = [] }: More = {},
): Option {
  const [, short, name = '', value] = /^(?:(-\w), )?--([\w-]+)(?: (.+))?$/.exec(usage) ?? []
  const long = [name, ...also].map((one) => `--${one}`)
  return {
    name,
    usage,
    spellings: short ? [short, ...long] : long,
    value,
    choices: choicesOf(value),
    file,
    help: also.length > 0 ? `${help} Also ${long.slice(1).join(', ')}.` : help,
  }
}

/** An argument from its usage: `URL`, `[PATH]`, `HASH...`, `bash|zsh`. */
export function argument(usage: string, help: string, { file = false } = {}): Argument {
  const name = usage.replace(/^\[|(\.\.\.)?\]?$/g, '')
  return {
    name,
    usage,
    optional: usage.startsWith('['),
    repeats: usage.includes('...'),
    choices: choicesOf(name),
    file,
    help,
  }
}

const choicesOf = (value: string | undefined) =>
  value?.includes('|') ? value.split('|') : undefined

/** Options of every command. */
export const HELP = option('-h, --help', 'Show this help.')
export const VERSION = option('-V, --version', 'Show the version.')

/** `-h` and `-V` included. */
export const optionsOf = ({ options = [] }: Command): readonly Option[] => [
  ...options,
  HELP,
  VERSION,
]

/** The options that a command line accepts here, once each: those of the command, or of all below a group. */
export function acceptedBy(command: Command): readonly Option[] {
  const all = command.run ? optionsOf(command) : (command.commands ?? []).flatMap(acceptedBy)
  return all.filter(({ name }, i) => all.findIndex((other) => other.name === name) === i)
}

/** A command and all below it that are shown, each with the words that lead to it: `tracker config print`. */
export const everyCommand = (
  command: Command,
  name: string = command.name,
): readonly { readonly name: string; readonly command: Command }[] => [
  { name, command },
  ...(command.commands ?? [])
    .filter(({ hidden }) => !hidden)
    .flatMap((one) => everyCommand(one, `${name} ${one.name}`)),
]
