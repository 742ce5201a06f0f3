/** What a command is, as the rows of the command table. Parser, help, manual page and completions are made from it. */
import type { Host } from './host.ts'
import type { Invocation } from './invocation.ts'

/** An option from its usage: `--watch`, `-c, --config PATH`, `--format json|text`. `also`: other long names. */
export function option(
  usage: string,
  help: string,
  { file = false, also = [] }: { readonly file?: boolean; readonly also?: readonly string[] } = {},
) {
  const [, short, name = '', value] = /^(?:(-\w), )?--([\w-]+)(?: (.+))?$/.exec(usage) ?? []
  const long = [name, ...also].map((one) => `--${one}`)
  return {
    /** The main long name, without dashes. */
    name,
    usage,
    /** Every way to write it, with dashes. */
    spellings: short ? [short, ...long] : long,
    /** What its value is called; undefined: it takes none. */
    value,
    /** The only values that it takes. */
    choices: choicesOf(value),
    /** The value is the path of an existing file. */
    file,
    help: also.length > 0 ? `${help} Also ${long.slice(1).join(', ')}.` : help,
  }
}

/** An argument from its usage: `URL`, `[PATH]`, `HASH...`, `bash|zsh`. */
export function argument(usage: string, help: string, { file = false } = {}) {
  const name = usage.replace(/^\[|(\.\.\.)?\]?$/g, '')
  return {
    name,
    usage,
    optional: usage.startsWith('['),
    /** Takes all words that are left; only the last argument may. */
    repeats: usage.includes('...'),
    /** The only words that it takes. */
    choices: choicesOf(name),
    /** May be the path of an existing file. */
    file,
    help,
  }
}

const choicesOf = (value: string | undefined) =>
  value?.includes('|') ? value.split('|') : undefined

export type Option = Readonly<ReturnType<typeof option>>
export type Argument = Readonly<ReturnType<typeof argument>>

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
