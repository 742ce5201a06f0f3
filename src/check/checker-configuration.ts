/**
 * The checker's configuration, JSON in the reference's form: what to check, or everything that is wrong with it
 * (docs/behaviours.md T2). A path goes before content, the command line before the environment (T3).
 */
import { resolve } from 'node:path'
import { oneLine, quotedPath } from '../text/printable.ts'
import { codeOrMessage, fileReason } from '../text/system-errors.ts'
import { KINDS, type Kind, LISTS, readTarget, type Target } from './target.ts'

const PATH = 'TORRUST_CHECKER_CONFIG_PATH'
const CONTENT = 'TORRUST_CHECKER_CONFIG'

interface CheckerConfiguration {
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

interface SourcedConfiguration extends CheckerConfiguration {
  /** The path, variable or argument that mistakes are reported for. */
  readonly name: string
}

/** undefined: no configuration is given. If the command line names targets, the environment is ignored. */
export function findConfiguration(input: SourceInput): SourcedConfiguration | undefined {
  const { path, content, named, env } = input
  const fromEnvironment = (name: string) =>
    named && content === undefined && path === undefined ? undefined : env[name] || undefined
  const file = path ?? fromEnvironment(PATH)
  if (file !== undefined) return readFile(input, file)
  const text = content ?? fromEnvironment(CONTENT)
  if (text === undefined) return undefined
  const name = content === undefined ? CONTENT : 'the JSON argument'
  return { name, ...readConfiguration(text) }
}

function readFile({ cwd, path, readFile: read }: SourceInput, file: string): SourcedConfiguration {
  const name = quotedPath(file)
  let text: string
  try {
    text = read(resolve(cwd, file))
  } catch (error) {
    const given = path === undefined ? `, given by ${PATH}` : ''
    return { name, targets: [], mistakes: [`${fileReason(error)}${given}`] }
  }
  return { name, ...readConfiguration(text) }
}

export function readConfiguration(text: string): CheckerConfiguration {
  let value: unknown
  try {
    // Some editors begin a file with a byte order mark.
    value = JSON.parse(text.replace(/^\uFEFF/, ''))
  } catch (error) {
    return { targets: [], mistakes: [`not JSON: ${oneLine(codeOrMessage(error))}`] }
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    return { targets: [], mistakes: [`expected an object, found ${describe(value)}`] }
  const members = new Map<string, unknown>(Object.entries(value))
  const targets: Target[] = []
  const mistakes: string[] = []
  for (const kind of KINDS) {
    const name = LISTS[kind]
    const list = members.get(name)
    if (list === undefined) mistakes.push(`${name}: missing; an empty list is "${name}": []`)
    else if (!Array.isArray(list))
      mistakes.push(`${name}: expected a list of URLs, found ${describe(list)}`)
    else
      for (const [i, element] of list.entries()) {
        const target = readElement(kind, element)
        if (typeof target === 'string') mistakes.push(`${name}[${i}]: ${oneLine(target)}`)
        else targets.push(target)
      }
  }
  return { targets, mistakes }
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
