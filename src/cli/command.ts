/** What a command is, as the rows of the command table. Parser, help, manual page and completions are made from it. */
import type { Host } from './host.ts'
import type { Invocation } from './invocation.ts'

export interface Option {
  /** Without dashes. */
  readonly name: string
  readonly short?: string
  /** Other long names with the same meaning. */
  readonly aliases?: readonly string[]
  /** What its value is called; absent: it takes none. */
  readonly value?: string
  /** The only values it takes. */
  readonly choices?: readonly string[]
  /** The value is the path of an existing file. */
  readonly file?: boolean
  readonly help: string
}

export interface Argument {
  readonly name: string
  readonly optional?: boolean
  /** Takes all words that are left; only the last argument may. */
  readonly repeats?: boolean
  readonly choices?: readonly string[]
  /** May be the path of an existing file. */
  readonly file?: boolean
  readonly help: string
}

export interface Command {
  readonly name: string
  /** One sentence. */
  readonly help: string
  /** Shown below the options: paragraphs and examples, of at most 100 columns. */
  readonly details?: string
  readonly options?: readonly Option[]
  readonly arguments?: readonly Argument[]
  readonly commands?: readonly Command[]
  /** Resolves with the exit code. `root` is the whole table. Absent: one of `commands` must be named. */
  run?(invocation: Invocation, host: Host, root: Command): Promise<number>
}

/** Options of every command. */
export const HELP_OPTION: Option = { name: 'help', short: 'h', help: 'Show this help.' }
export const VERSION_OPTION: Option = { name: 'version', short: 'V', help: 'Show the version.' }

/** `-h` and `-V` included. */
export const optionsOf = ({ options = [] }: Command): readonly Option[] => [
  ...options,
  HELP_OPTION,
  VERSION_OPTION,
]

/** The options that a command line accepts here: those of the command, or of all commands below a group. */
export const acceptedBy = (command: Command): readonly Option[] =>
  command.run
    ? optionsOf(command)
    : [...(command.commands ?? []).flatMap(acceptedBy), HELP_OPTION, VERSION_OPTION]

/** A command and all below it, each with the words that lead to it: `tracker config print`. */
export const everyCommand = (
  command: Command,
  name: string = command.name,
): readonly { readonly name: string; readonly command: Command }[] => [
  { name, command },
  ...(command.commands ?? []).flatMap((one) => everyCommand(one, `${name} ${one.name}`)),
]
