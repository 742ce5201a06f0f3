/**
 * What a command is, for parsing, help and whatever else can be made of the command table. Describes
 * only; nothing here runs.
 */
import type { Host, Invocation } from './host.ts'

export interface Option {
  /** Without dashes. */
  readonly name: string
  readonly short?: string
  /** Other long names that mean the same. */
  readonly aliases?: readonly string[]
  /** What its value is called; absent = it takes none. */
  readonly value?: string
  /** The only values it takes. */
  readonly choices?: readonly string[]
  /** The value is the path of a file that exists. */
  readonly file?: boolean
  readonly help: string
}

export interface Argument {
  readonly name: string
  readonly optional?: boolean
  /** It takes all words that are left; only the last argument may. */
  readonly repeats?: boolean
  readonly choices?: readonly string[]
  /** It may be the path of a file that exists. */
  readonly file?: boolean
  readonly help: string
}

export interface Command {
  readonly name: string
  /** One sentence. */
  readonly help: string
  /** What else there is to know, below the options: paragraphs and examples of at most 100 columns. */
  readonly details?: string
  readonly options: readonly Option[]
  readonly arguments: readonly Argument[]
  readonly commands: readonly Command[]
  /** Resolves with the exit code. Absent: one of `commands` must be named. */
  run?(invocation: Invocation, host: Host): Promise<number>
}

/** Options of every command. */
export const HELP: Option = { name: 'help', short: 'h', help: 'Show this help.' }
export const VERSION: Option = { name: 'version', short: 'V', help: 'Show the version.' }
