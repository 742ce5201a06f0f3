/**
 * What may stand where on a command line, as rules that a shell can match: made from the command
 * table. Knows no shell; the scripts beside it walk a command line by these rules.
 */

import type { Argument, Command, Option } from '../cli/command.ts'
import { acceptedBy } from '../cli/command-line.ts'
import { everyCommand } from '../cli/prose.ts'

/** The first rule that matches a text says what is found for it. */
export interface Rule {
  /** Whole texts. */
  readonly when: readonly string[]
  /** Texts that go on behind `when` match, too. */
  readonly rest?: boolean
  readonly found: readonly string[]
}

export interface Rules {
  /** `tracker config` → its commands. */
  readonly commands: readonly Rule[]
  /** `tracker config` → the options to offer there. */
  readonly options: readonly Rule[]
  /** `tracker config -c` → the option's one name, and what it takes. */
  readonly spellings: readonly Rule[]
  /** `tracker init 0` → what the first argument is. */
  readonly operands: readonly Rule[]
}

/** How a shell writes what it offers. */
export interface Offers {
  command(command: Command): string
  /** One for each way to spell it that is worth offering. */
  option(option: Option): readonly string[]
}

export function rulesOf(root: Command, offers: Offers): Rules {
  const places = everyCommand(root).map(({ name, command }) => ({
    name,
    command,
    options: distinct(acceptedBy(command)),
  }))
  return {
    commands: places
      .filter(({ command }) => command.commands.length > 0)
      .map(({ name, command }) => ({
        when: [name],
        found: command.commands.map((one) => offers.command(one)),
      })),
    options: places.map(({ name, options }) => ({
      when: [name],
      found: options.flatMap((option) => offers.option(option)),
    })),
    spellings: places.flatMap(({ name, options }) =>
      options.map((option) => ({
        when: spellingsOf(option).map((spelling) => `${name} ${spelling}`),
        found: [`--${option.name}`, ...(option.value ? taken(option, option.value) : ['none'])],
      })),
    ),
    operands: places.flatMap(({ name, command }) =>
      command.arguments.map((argument, index) => ({
        when: [`${name} ${argument.repeats ? '' : index}`],
        rest: argument.repeats === true,
        found: taken(argument, argument.name),
      })),
    ),
  }
}

/** Commands below may share an option. */
const distinct = (options: readonly Option[]): readonly Option[] =>
  options.filter(({ name }, i) => options.findIndex((other) => other.name === name) === i)

const spellingsOf = ({ name, short, aliases = [] }: Option): readonly string[] => [
  ...(short ? [`-${short}`] : []),
  ...[name, ...aliases].map((one) => `--${one}`),
]

/** The kind of a value, what it is called, and what can be offered. */
const taken = ({ choices, file }: Option | Argument, name: string): readonly string[] =>
  choices ? ['choices', name, ...choices] : [file ? 'file' : 'text', name]
