/**
 * The checker's configuration, JSON in the reference's form: what to check, or everything that is wrong with it
 * (docs/behaviours.md T2). A path goes before content, the command line before the environment (T3).
 */
import { resolve } from 'node:path'
import { oneLine, quotedPath } from '../text/printable.ts'
import { codeOrMessage, systemReason } from '../text/system-errors.ts'
import { KINDS, type Kind, LISTS, readTarget, type Target } from './target.ts'

const PATH = 'TORRUST_CHECKER_CONFIG_PATH'
const CONTENT = 'TORRUST_CHECKER_CONFIG'
/** Name of the configuration in messages if it is an argument. */
export const ARGUMENT = 'the JSON argument'

interface CheckerConfiguration {
  /** The path, variable or argument that mistakes are reported for. */
  readonly name: string
  readonly targets: readonly Target[]
  /** One line each, with the place. */
  readonly mistakes: readonly string[]
}

interface SourceInput {
  /** The value of `--config-path`. */
  readonly path: string | undefined
  /** JSON on the command line. */
  readonly content: string | undefined
  /** Whether the command line names targets, too. */
  readonly named: boolean
  readonly env: Readonly<Record<string, string | undefined>>
  readonly cwd: string
  /** Throws like `readFileSync`. */
  readFile(path: string): string
}

/** undefined: no configuration is given. If the command line names targets, the environment is ignored. */
export function findConfiguration(input: SourceInput): CheckerConfiguration | undefined {
  const { path, content, named, env, cwd, readFile } = input
  const fromEnvironment = (name: string) =>
    named && content === undefined && path === undefined ? undefined : env[name] || undefined
  const file = path ?? fromEnvironment(PATH)
  if (file === undefined) {
    if (content !== undefined) return readConfiguration(ARGUMENT, content)
    const text = fromEnvironment(CONTENT)
    return text === undefined ? undefined : readConfiguration(CONTENT, text)
  }
  const name = quotedPath(file)
  try {
    return readConfiguration(name, readFile(resolve(cwd, file)))
  } catch (error) {
    const given = path === undefined ? `, given by ${PATH}` : ''
    return { name, targets: [], mistakes: [`${systemReason(error)}${given}`] }
  }
}

export function readConfiguration(name: string, text: string): CheckerConfiguration {
  const refused = (mistake: string) => ({ name, targets: [], mistakes: [mistake] })
  let value: unknown
  try {
    // Some editors begin a file with a byte order mark.
    value = JSON.parse(text.replace(/^\uFEFF/, ''))
  } catch (error) {
    return refused(`not JSON: ${oneLine(codeOrMessage(error))}`)
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    return refused(`expected an object, found ${describe(value)}`)
  const members = new Map<string, unknown>(Object.entries(value))
  const targets: Target[] = []
  const mistakes: string[] = []
  for (const kind of KINDS) {
    const member = LISTS[kind]
    const list = members.get(member)
    if (list === undefined) mistakes.push(`${member}: missing; an empty list is "${member}": []`)
    else if (!Array.isArray(list))
      mistakes.push(`${member}: expected a list of URLs, found ${describe(list)}`)
    else
      for (const [i, element] of list.entries()) {
        const target = readElement(kind, element)
        if (typeof target === 'string') mistakes.push(`${member}[${i}]: ${oneLine(target)}`)
        else targets.push(target)
      }
  }
  return { name, targets, mistakes }
}

const readElement = (kind: Kind, element: unknown): Target | string =>
  typeof element === 'string'
    ? readTarget(kind, element)
    : `expected a URL in quotes, found ${describe(element)}`

function describe(value: unknown): string {
  if (Array.isArray(value)) return 'a list'
  if (typeof value === 'object' && value !== null) return 'an object'
  return oneLine(JSON.stringify(value))
}
