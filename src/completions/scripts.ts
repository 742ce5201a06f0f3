/**
 * Completion scripts: what may stand where on a command line, as rules made from the command table and written
 * as functions of each shell. The scripts beside this file walk a command line by these rules.
 */
import {
  type Argument,
  acceptedBy,
  type Command,
  everyCommand,
  type Option,
} from '../cli/command.ts'
import { shellQuoted } from '../text/shell.ts'
import bashWalk from './walk.bash' with { type: 'text' }
import fishWalk from './walk.fish' with { type: 'text' }
import zshWalk from './walk.zsh' with { type: 'text' }

/** The first rule that matches a text gives what is found for it. */
interface Rule {
  /** Whole texts. */
  readonly when: readonly string[]
  /** `when` also matches as the beginning of a text. */
  readonly rest?: boolean
  readonly found: readonly string[]
}

interface Rules {
  /** `tracker config` → its commands. */
  readonly commands: readonly Rule[]
  /** `tracker config` → the options to offer there. */
  readonly options: readonly Rule[]
  /** `tracker config -c` → the option's main name, and what it takes. */
  readonly spellings: readonly Rule[]
  /** `tracker init 0` → what the first argument is. */
  readonly operands: readonly Rule[]
}

/** How a shell writes what it offers. */
interface Offers {
  command(command: Command): string
  /** One text for each spelling worth offering. */
  option(option: Option): readonly string[]
}

export function bashScript(root: Command): string {
  // Bash shows names only, hence the long ones.
  const rules = rulesOf(root, {
    command: ({ name }) => name,
    option: ({ name }) => [`--${name}`],
  })
  return `# Completions of tracker for bash, made by: tracker completions bash\n\n${forBashAndZsh(rules)}${bashWalk}`
}

export function zshScript(root: Command): string {
  // An entry of zsh's _describe is NAME:EXPLANATION, with backslashes doubled.
  const entry = (name: string, help: string) => `${name}:${help.replaceAll('\\', '\\\\')}`
  const rules = rulesOf(root, {
    command: ({ name, help }) => entry(name, help),
    option: (option) => dashed(option).map((name) => entry(name, option.help)),
  })
  return `#compdef tracker\n# Completions of tracker for zsh, made by: tracker completions zsh\n\n${forBashAndZsh(rules)}${zshWalk}`
}

export function fishScript(root: Command): string {
  const rules = rulesOf(root, {
    command: ({ name, help }) => `${name}\t${help}`,
    option: (option) => dashed(option).map((name) => `${name}\t${option.help}`),
  })
  return `# Completions of tracker for fish, made by: tracker completions fish\n\n${forFish(rules)}${fishWalk}`
}

const dashed = ({ name, short }: Option): readonly string[] => [
  ...(short ? [`-${short}`] : []),
  `--${name}`,
]

function rulesOf(root: Command, offers: Offers): Rules {
  const places = everyCommand(root).map(({ name, command }) => ({
    name,
    command,
    options: distinct(acceptedBy(command)),
  }))
  return {
    commands: places
      .filter(({ command }) => command.commands?.length)
      .map(({ name, command: { commands = [] } }) => ({
        when: [name],
        found: commands.map((one) => offers.command(one)),
      })),
    options: places.map(({ name, options }) => ({
      when: [name],
      found: options.flatMap((option) => offers.option(option)),
    })),
    spellings: places.flatMap(({ name, options }) =>
      options.map((option) => ({
        when: [...dashed(option), ...(option.aliases ?? []).map((alias) => `--${alias}`)].map(
          (spelling) => `${name} ${spelling}`,
        ),
        found: [`--${option.name}`, ...(option.value ? taken(option, option.value) : ['none'])],
      })),
    ),
    operands: places.flatMap(({ name, command }) =>
      (command.arguments ?? []).map((argument, index) => ({
        when: [`${name} ${argument.repeats ? '' : index}`],
        rest: argument.repeats === true,
        found: taken(argument, argument.name),
      })),
    ),
  }
}

/** Each option once: the commands of a group may share it. */
const distinct = (options: readonly Option[]): readonly Option[] =>
  options.filter(({ name }, i) => options.findIndex((other) => other.name === name) === i)

/** The kind of a value, its name, and the choices. */
const taken = ({ choices, file }: Option | Argument, name: string): readonly string[] =>
  choices ? ['choices', name, ...choices] : [file ? 'file' : 'text', name]

/** A function for each kind of rule; it sets `found`. */
const forBashAndZsh = (rules: Rules): string =>
  functions(rules, (name, list) => {
    const cases = list.map(({ when, rest, found }) => {
      const patterns = when.map((text) => `${shellQuoted(text)}${rest ? '*' : ''}`)
      return `    ${patterns.join(' | ')}) found=(${found.map(shellQuoted).join(' ')}) ;;\n`
    })
    return `_tracker_${name}() {\n  found=()\n  case $1 in\n${cases.join('')}  esac\n}\n\n`
  })

/** A function for each kind of rule; it prints what is found, one item a line. */
const forFish = (rules: Rules): string =>
  functions(rules, (name, list) => {
    const cases = list.map(({ when, rest, found }) => {
      const patterns = when.map((text) => fishQuoted(rest ? `${text}*` : text))
      const words = found.map(fishQuoted).join(' ')
      return `        case ${patterns.join(' ')}\n            printf '%s\\n' ${words}\n`
    })
    return `function __tracker_${name}\n    switch $argv[1]\n${cases.join('')}    end\nend\n\n`
  })

const functions = (rules: Rules, print: (name: string, list: readonly Rule[]) => string): string =>
  Object.entries(rules)
    .map(([name, list]) => print(name, list))
    .join('')

const fishQuoted = (text: string): string => `'${text.replace(/[\\']/g, '\\$&')}'`
