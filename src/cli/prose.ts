/** Texts of the command table for readers: paragraphs that fill lines, and lines that stay as they are. */
import type { Argument, Command, Option } from './command.ts'

export interface Block {
  /** Lines that stay as they are, such as examples, were indented in the source. */
  readonly kind: 'paragraph' | 'literal'
  readonly lines: readonly string[]
  /** A blank line stands before it. */
  readonly apart: boolean
}

/** The parts of `details` of a command. */
export function blocksOf(details: string): readonly Block[] {
  const blocks: Block[] = []
  let lines: string[] = []
  let apart = false
  let before: Block['kind'] | undefined
  for (const line of details.trimEnd().split('\n')) {
    const kind = line === '' ? undefined : line.startsWith(' ') ? 'literal' : 'paragraph'
    if (kind === undefined) apart = true
    else if (kind === before) lines.push(line)
    else {
      lines = [line]
      blocks.push({ kind, lines, apart })
      apart = false
    }
    before = kind
  }
  return blocks
}

/** The block that says what the literal lines below it are. */
export const headsExamples = ({ lines }: Block): boolean =>
  lines.length === 1 && lines[0] === 'Examples:'

/** The words of `text` on lines of at most `width` columns; a longer word has one of its own. */
export function wrap(text: string, width: number): readonly string[] {
  const lines: string[] = []
  let line = ''
  for (const word of text.split(/\s+/)) {
    if (line !== '' && line.length + 1 + word.length > width) {
      lines.push(line)
      line = word
    } else line = line === '' ? word : `${line} ${word}`
  }
  return [...lines, line]
}

/** What an option means, and how else it may be written. */
export const explained = ({ help, aliases = [] }: Option): string =>
  aliases.length === 0 ? help : `${help} Also ${aliases.map((name) => `--${name}`).join(', ')}.`

/** An argument as a usage line shows it. */
export function operand({ name, optional, repeats }: Argument): string {
  const words = repeats ? `${name}...` : name
  return optional ? `[${words}]` : words
}

/** A command and all below it, each with the words that lead to it: `tracker config print`. */
export const everyCommand = (
  command: Command,
  name: string = command.name,
): readonly { readonly name: string; readonly command: Command }[] => [
  { name, command },
  ...command.commands.flatMap((one) => everyCommand(one, `${name} ${one.name}`)),
]
