/** The manual page tracker(1), in the format of man(7): man.txt, and the command table in it. Pure. */
import { type Command, everyCommand, HELP, type Option, VERSION as SHOWN } from '../cli/command.ts'
import { VERSION } from '../version.ts'
import page from './man.txt' with { type: 'text' }

export function manualPage(root: Command): string {
  const commands = everyCommand(root)
  const runnable = commands.filter(({ command }) => command.run)
  const parts: Readonly<Record<string, readonly string[]>> = {
    VERSION: [VERSION],
    SYNOPSIS: runnable.flatMap(usage).slice(1),
    COMMANDS: commands.filter(({ command }) => command !== root).flatMap(explained),
    SERVING: root.options?.flatMap(optionItem) ?? [],
    ALWAYS: [HELP, SHOWN].flatMap(optionItem),
    EXAMPLES: commands.flatMap(({ name, command: { examples } }) =>
      examples ? [`.SS ${roff(name)}`, prose(examples.map((line) => `  ${line}`).join('\n'))] : [],
    ),
  }
  return page.replace(/@([A-Z]+)@/g, (_, name: string) => parts[name]?.join('\n') ?? '')
}

type Named = ReturnType<typeof everyCommand>[number]

const explained = ({ name, command }: Named): readonly string[] => [
  `.SS ${roff(name)}`,
  roff(command.help),
  ...(command.run ? ['.PP', ...usage({ name, command }).slice(1)] : []),
  ...(command.arguments ?? []).flatMap((one) => item(italic(one.name), one.help)),
  ...(command.options ?? []).flatMap(optionItem),
  ...(command.details ? ['.PP', prose(command.details)] : []),
]

/** The usage line after a line break. */
const usage = ({ name, command }: Named): readonly string[] => {
  const operands = (command.arguments ?? []).map((one) => ` ${roff(one.usage)}`)
  return ['.br', `${bold(name)} [${italic('options')}]${operands.join('')}`]
}

const optionItem = ({ usage, value, help }: Option): readonly string[] => {
  const names = value === undefined ? usage : usage.slice(0, -value.length - 1)
  const shown = names.split(', ').map(bold).join(', ')
  return item(value === undefined ? shown : `${shown} ${italic(value)}`, help)
}

/** `head` is roff already. */
const item = (head: string, text: string): readonly string[] => ['.TP', head, roff(text)]

/** Paragraphs, and indented lines that stay as they are. */
const prose = (text: string): string =>
  roff(`${text}\n`)
    .replace(/(?:^ .*\n)+/gm, '.nf\n$&.fi\n')
    .trimEnd()
    .replace(/\n{2,}/g, '\n.PP\n')

const bold = (text: string): string => `\\fB${roff(text)}\\fR`
const italic = (text: string): string => `\\fI${roff(text)}\\fR`

/** Typographic signs otherwise, which no shell understands. */
const PLAIN: Readonly<Record<string, string>> = {
  '-': '\\-',
  "'": '\\(aq',
  '`': '\\(ga',
  '^': '\\(ha',
  '~': '\\(ti',
}

/** Escapes text for roff, so that no character has a meaning, not even at the beginning of a line. */
const roff = (text: string): string =>
  text
    .replaceAll('\\', '\\e')
    .replace(/[-'`^~]/g, (sign) => PLAIN[sign]!)
    .replace(/^\./gm, '\\&.')
