/** What fits at the end of a command line. Pure. */
import { type Argument, acceptedBy, type Command, type Option } from '../cli/command.ts'
import { CommandLine } from '../cli/command-line.ts'
import { Misuse } from '../cli/invocation.ts'

/**
 * One line for each word that fits, a tab, and what it means; or only `:files` for the name of a file, or `:URL` for
 * what else is expected. Shells choose among the words. `words`: those after the program's name up to the cursor, where
 * the last one may be empty.
 */
export function fitting(root: Command, words: readonly string[]): readonly string[] {
  const line = new CommandLine(root)
  const current = words.at(-1) ?? ''
  try {
    line.read(words.slice(0, -1))
  } catch (error) {
    if (error instanceof Misuse) return []
    throw error
  }
  const { command, ended, awaited, options } = line
  if (awaited) return valuesOf(awaited.option)
  const known = acceptedBy(command)
  const [, spelled] = (!ended && /^(--[^=]+)=/.exec(current)) || []
  if (spelled) {
    const option = known.find(({ spellings }) => spellings.includes(spelled))
    return option?.value === undefined ? [] : valuesOf(option, `${spelled}=`)
  }
  const free = known
    .filter(({ name }) => !options.has(name))
    .flatMap(({ name, spellings, help }) =>
      spellings
        // Other long names are for those who know them.
        .filter((one) => !one.startsWith('--') || one === `--${name}`)
        .map((one) => `${one}\t${help}`),
    )
  if (!ended && current.startsWith('-')) return free
  const { commands = [] } = command
  if (!ended && commands.length > 0)
    return commands.filter(({ hidden }) => !hidden).map(({ name, help }) => `${name}\t${help}`)
  if (line.operand) return valuesOf(line.operand)
  return ended || current !== '' ? [] : free
}

/** `start`: what stands before the value in the same word. */
function valuesOf(taken: Option | Argument, start = ''): readonly string[] {
  if (taken.choices) return taken.choices.map((choice) => `${start}${choice}`)
  if (taken.file) return [':files']
  return [`:${'value' in taken ? taken.value : taken.name}`]
}
