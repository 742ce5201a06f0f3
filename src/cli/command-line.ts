/** Reads a command line by the command table. Knows no command, prints nothing. */
import { didYouMean, nearest } from '../text/nearest.ts'
import { quotedWord } from '../text/printable.ts'
import {
  type Argument,
  acceptedBy,
  type Command,
  everyCommand,
  type Option,
  optionsOf,
} from './command.ts'
import { type Invocation, Misuse } from './invocation.ts'

interface Awaited {
  readonly option: Option
  readonly spelled: string
}

/** A command line as far as it was read. */
export class CommandLine implements Invocation {
  /** From the root to the command that was named last. */
  readonly path: [Command, ...Command[]]
  readonly options = new Map<string, string | true>()
  readonly arguments: string[] = []
  /** Only arguments follow: `--` was read. */
  ended = false
  /** The option, as it was written, whose value is the next word. */
  awaited: Awaited | undefined

  constructor(root: Command) {
    this.path = [root]
  }

  get command(): Command {
    return this.path.at(-1)!
  }

  /** The words that lead to the command: `tracker config print`. */
  get name(): string {
    return this.path.map(({ name }) => name).join(' ')
  }

  /** `--help` or `--version` was read: nothing else matters. */
  get asked(): 'help' | 'version' | undefined {
    return (['help', 'version'] as const).find((name) => this.options.has(name))
  }

  /** What the next word would be as an argument; undefined: too many. */
  get operand(): Argument | undefined {
    const { arguments: operands = [] } = this.command
    const last = operands.at(-1)
    return operands[this.arguments.length] ?? (last?.repeats ? last : undefined)
  }

  /** Reads words up to `--help` or `--version`. Throws `Misuse` with the first mistake. */
  read(words: readonly string[]): this {
    for (const word of words) if (!this.asked) this.#step(word)
    return this
  }

  /** Throws `Misuse` if something is missing. */
  finish(): void {
    if (this.awaited) throw needsValue(this.awaited)
    const { commands = [], arguments: operands = [], run } = this.command
    if (!run) throw new Misuse(`needs a command: ${listed(commands.map(({ name }) => name))}`)
    for (const name of this.options.keys())
      if (!optionsOf(this.command).some((option) => option.name === name))
        throw new Misuse(`takes no option --${name}`)
    const missing = operands.slice(this.arguments.length).find(({ optional }) => !optional)
    if (missing) throw new Misuse(`needs an argument: ${listed(missing.choices ?? [missing.name])}`)
  }

  #step(word: string): void {
    const { commands = [] } = this.command
    if (this.awaited) {
      // A dash begins the next option: the value was forgotten.
      if (/^-./.test(word)) throw needsValue(this.awaited)
      this.#take(this.awaited, word)
    } else if (!this.ended && word === '--') this.ended = true
    else if (!this.ended && /^-./.test(word)) this.#option(word)
    else if (!this.ended && this.arguments.length === 0 && commands.length > 0)
      this.path.push(
        commands.find(({ name }) => name === word) ?? unknownCommand(word, this.command),
      )
    else this.#argument(word)
  }

  /** `--name`, `--name=value`, `-n` and `-nvalue`. */
  #option(word: string): void {
    const [, spelled = '', inline] =
      /^(--[^=]*)(?:=(.*))?$/s.exec(word) ?? /^(-.)(.+)?$/su.exec(word) ?? []
    const known = acceptedBy(this.command)
    const option = known.find(({ spellings }) => spellings.includes(spelled))
    if (!option) throw unknownOption(spelled, known)
    if (this.options.has(option.name)) throw new Misuse(`${spelled} is given twice`)
    if (option.value !== undefined && inline === undefined) this.awaited = { option, spelled }
    else this.#take({ option, spelled }, inline ?? true)
  }

  #take({ option, spelled }: Awaited, value: string | true): void {
    if (option.value === undefined && value !== true) throw new Misuse(`${spelled} takes no value`)
    // A shell makes an empty word of an unset variable.
    if (option.file && value === '') throw needsValue({ option, spelled })
    checkChoice(spelled, option.choices, value)
    this.options.set(option.name, value)
    this.awaited = undefined
  }

  #argument(word: string): void {
    if (!this.operand) throw new Misuse(`unexpected argument ${quotedWord(word)}`)
    checkChoice('the argument', this.operand.choices, word)
    this.arguments.push(word)
  }
}

/** One line about wrong usage of the command `name`. */
export const misuseMessage = (name: string, message: string): string =>
  `${name}: ${message}${message.endsWith('?') ? '' : '.'} See ${name} --help`

const needsValue = ({ option, spelled }: Awaited) =>
  new Misuse(`${spelled} needs a value: ${spelled} ${option.value}`)

function checkChoice(what: string, choices: readonly string[] | undefined, word: string | true) {
  if (choices && word !== true && !choices.includes(word))
    throw new Misuse(
      `${what} must be ${listed(choices)}, not ${word === '' ? 'empty' : quotedWord(word)}`,
    )
}

function unknownOption(spelled: string, known: readonly Option[]): Misuse {
  const names = known.flatMap(({ spellings }) => spellings)
  // A single letter resembles every other, except in another case: -v is -V.
  const near = names.filter(
    (one) => one.startsWith('--') || one.toLowerCase() === spelled.toLowerCase(),
  )
  return new Misuse(`unknown option ${quotedWord(spelled)}${didYouMean(spelled, near)}`)
}

function unknownCommand(word: string, group: Command): never {
  const { commands = [], options = [] } = group
  if (options.some(({ name }) => name === 'config') && /\.(toml|ya?ml|json)$/i.test(word))
    throw new Misuse(
      `unknown command ${quotedWord(word)}, did you mean --config ${quotedWord(word)}?`,
    )
  // By the last word, so that `announce` finds `client announce`; nearer commands come first.
  const words = [...commands, ...everyCommand(group, '')].map(({ name }) => name.trim().split(' '))
  const guess = nearest(
    word,
    words.map((path) => path.at(-1)!),
  )
  const path = words.find((path) => path.at(-1) === guess)
  throw new Misuse(
    `unknown command ${quotedWord(word)}${path ? `, did you mean ${path.join(' ')}?` : ''}`,
  )
}

const listed = (names: readonly string[]): string =>
  names.length < 2 ? names.join() : `${names.slice(0, -1).join(', ')} or ${names.at(-1)}`
