/**
 * Parses a command line by the command table: the command to run, the help to show, or one line about what is
 * wrong. Knows no command. Pure.
 */
import { didYouMean } from '../text/nearest.ts'
import { quotedWord } from '../text/printable.ts'
import {
  acceptedBy,
  type Command,
  HELP_OPTION,
  type Option,
  optionsOf,
  VERSION_OPTION,
} from './command.ts'
import { help } from './help.ts'
import type { Invocation } from './invocation.ts'

type Parsed =
  | {
      readonly kind: 'run'
      /** The words that lead to it: `tracker config print`. */
      readonly name: string
      readonly command: Command
      readonly invocation: Invocation
    }
  | { readonly kind: 'help'; readonly text: string }
  | { readonly kind: 'version' }
  | { readonly kind: 'misuse'; readonly message: string }

/** `words`: the arguments after the program's name. */
export function parseCommandLine(root: Command, words: readonly string[]): Parsed {
  // Many try `tracker help config` first.
  if (words[0] === 'help') words = [...words.slice(1), '--help']
  const path: Command[] = [root]
  const options = new Map<string, string | true>()
  const args: string[] = []
  let optionsEnded = false
  const here = () => path.at(-1)!
  const name = () => path.map((command) => command.name).join(' ')
  const misuse = (message: string): Parsed => ({
    kind: 'misuse',
    message: misuseMessage(name(), message),
  })

  for (let i = 0; i < words.length; i++) {
    const word = words[i]!
    const { commands = [], arguments: operands = [] } = here()
    if (!optionsEnded && word === '--') optionsEnded = true
    else if (!optionsEnded && word.startsWith('-') && word !== '-') {
      const known = acceptedBy(here())
      const { option, spelled, inline } = findOption(known, word)
      if (!option) return misuse(unknownOption(spelled, known))
      if (option === HELP_OPTION) return { kind: 'help', text: help(path) }
      if (option === VERSION_OPTION) return { kind: 'version' }
      if (options.has(option.name)) return misuse(`${spelled} is given twice`)
      if (option.value === undefined) {
        if (inline !== undefined) return misuse(`${spelled} takes no value`)
        options.set(option.name, true)
        continue
      }
      const value = inline ?? words[++i]
      // The value was forgotten: a dash begins the next option, and a shell makes an empty word of an unset
      // variable.
      if (
        value === undefined ||
        (inline === undefined && /^-./.test(value)) ||
        (option.file && value === '')
      )
        return misuse(`${spelled} needs a value: ${spelled} ${option.value}`)
      const wrong = wrongChoice(spelled, option.choices, value)
      if (wrong) return misuse(wrong)
      options.set(option.name, value)
    } else if (!optionsEnded && args.length === 0 && commands.length > 0) {
      const command = commands.find(({ name }) => name === word)
      if (!command) return misuse(unknownCommand(word, here()))
      path.push(command)
    } else if (args.length < operands.length || operands.at(-1)?.repeats) {
      const argument = operands[args.length]
      const wrong = wrongChoice(argument?.name ?? '', argument?.choices, word)
      if (wrong) return misuse(wrong)
      args.push(word)
    } else return misuse(`unexpected argument ${quotedWord(word)}`)
  }

  const command = here()
  const { commands = [], arguments: operands = [] } = command
  if (!command.run) return misuse(`needs a command: ${listed(commands.map(({ name }) => name))}`)
  for (const name of options.keys())
    if (!optionsOf(command).some((option) => option.name === name))
      return misuse(`takes no option --${name}`)
  const missing = operands.slice(args.length).find(({ optional }) => !optional)
  if (missing) {
    const choices = missing.choices ? ` (${listed(missing.choices)})` : ''
    return misuse(`needs an argument: ${missing.name}${choices}`)
  }
  return { kind: 'run', name: name(), command, invocation: { options, arguments: args } }
}

/** One line about wrong usage of the command `name`. */
export const misuseMessage = (name: string, message: string): string =>
  `${name}: ${message}${message.endsWith('?') ? '' : '.'} See ${name} --help`

const wrongChoice = (what: string, choices: readonly string[] | undefined, word: string) =>
  choices && !choices.includes(word)
    ? `${what} must be ${listed(choices)}, not ${word === '' ? 'empty' : quotedWord(word)}`
    : undefined

/** `--name`, `--name=value`, `-n` and `-nvalue`. */
function findOption(options: readonly Option[], word: string) {
  if (word.startsWith('--')) {
    const [, name = '', , inline] = /^--([^=]*)(=([\s\S]*))?$/.exec(word) ?? []
    const option = options.find((one) => one.name === name || one.aliases?.includes(name))
    return { option, spelled: `--${name}`, inline }
  }
  const short = word.slice(1, 2)
  const option = options.find((one) => one.short === short)
  return { option, spelled: `-${short}`, inline: word.slice(2) || undefined }
}

function unknownOption(spelled: string, known: readonly Option[]): string {
  const names = known.flatMap(({ name, aliases = [] }) => [name, ...aliases])
  const guess = spelled.startsWith('--') ? didYouMean(spelled.slice(2), names, '--') : ''
  return `unknown option ${quotedWord(spelled)}${guess}`
}

function unknownCommand(word: string, { commands = [], options = [] }: Command): string {
  const guess = didYouMean(
    word,
    commands.map(({ name }) => name),
  )
  const takesFile = options.some(({ name }) => name === 'config')
  const isFile = takesFile && /\.toml$/i.test(word)
  return `unknown command ${quotedWord(word)}${isFile ? `, did you mean --config ${quotedWord(word)}?` : guess}`
}

const listed = (names: readonly string[]): string =>
  names.length < 2 ? names.join() : `${names.slice(0, -1).join(', ')} or ${names.at(-1)}`
