/**
 * The checker's configuration, JSON in the reference's form: what to check, or everything that is wrong with it
 * (docs/behaviours.md T2). A path goes before content, the command line before the environment (T3).
 */
import { resolve } from 'node:path'
import { nearest } from '../text/nearest.ts'
import { oneLine, quotedPath } from '../text/printable.ts'
import { fileReason } from '../text/system-errors.ts'
import { jsonFault } from './json-place.ts'
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
  /** What else was given and is not used. */
  readonly ignored: string | undefined
}

/** undefined: no configuration is given. If the command line names targets, the environment is ignored. */
export function findConfiguration(input: SourceInput): SourcedConfiguration | undefined {
  const { path, content, named, env } = input
  const fromEnvironment = (name: string) =>
    named && content === undefined && path === undefined ? undefined : env[name] || undefined
  const file = path ?? fromEnvironment(PATH)
  if (file !== undefined)
    return {
      ...readFile(input, file),
      ignored:
        content === undefined
          ? undefined
          : `the JSON argument is ignored: ${path === undefined ? PATH : '--config-path'} names a file`,
    }
  const text = content ?? fromEnvironment(CONTENT)
  if (text === undefined) return undefined
  const name = content === undefined ? CONTENT : 'the JSON argument'
  return { ...readConfiguration(text, named), name, ignored: undefined }
}

function readFile({ cwd, named, path, readFile: read }: SourceInput, file: string) {
  const name = quotedPath(file)
  let text: string
  try {
    text = read(resolve(cwd, file))
  } catch (error) {
    const given = path === undefined ? `, given by ${PATH}` : ''
    return { name, targets: [], mistakes: [`${fileReason(error)}${given}`] }
  }
  return { name, ...readConfiguration(text, named) }
}

/** `partial`: lists may be missing, because targets are named elsewhere too. */
export function readConfiguration(text: string, partial: boolean): CheckerConfiguration {
  // Some editors begin a file with a byte order mark.
  const json = text.replace(/^\uFEFF/, '')
  let value: unknown
  try {
    value = JSON.parse(json)
  } catch (error) {
    return { targets: [], mistakes: [`not JSON: ${jsonFault(json) ?? oneLine(String(error))}`] }
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    return { targets: [], mistakes: [`expected an object, found ${describe(value)}`] }
  const members = new Map<string, unknown>(Object.entries(value))
  const targets: Target[] = []
  const mistakes: string[] = []
  for (const kind of KINDS) {
    const name = LISTS[kind]
    const list = members.get(name)
    if (Array.isArray(list)) readList(kind, list, targets, mistakes)
    else if (list !== undefined)
      mistakes.push(`${name}: expected a list of URLs, found ${describe(list)}`)
    else {
      const misspelt = findMisspelt(name, members)
      if (misspelt !== undefined)
        mistakes.push(
          `${name}: missing, but there is an unknown ${oneLine(JSON.stringify(misspelt))}`,
        )
      else if (!partial)
        mistakes.push(`${name}: missing; an empty list is ${JSON.stringify(name)}: []`)
    }
  }
  return { targets, mistakes }
}

function readList(kind: Kind, list: readonly unknown[], targets: Target[], mistakes: string[]) {
  for (const [i, element] of list.entries()) {
    const target =
      typeof element === 'string'
        ? readTarget(kind, element)
        : `expected a URL in quotes, found ${describe(element)}`
    if (typeof target === 'string') mistakes.push(`${LISTS[kind]}[${i}]: ${oneLine(target)}`)
    else targets.push(target)
  }
}

/** The unknown member that `name` was probably meant by. Other unknown members are ignored, as the reference does. */
function findMisspelt(name: string, members: ReadonlyMap<string, unknown>): string | undefined {
  const lists: readonly string[] = Object.values(LISTS)
  const unknown = [...members.keys()].filter((member) => !lists.includes(member))
  return unknown.find((member) => nearest(member, lists) === name)
}

function describe(value: unknown): string {
  if (Array.isArray(value)) return 'a list'
  if (typeof value === 'object' && value !== null) return 'an object'
  return oneLine(JSON.stringify(value))
}
