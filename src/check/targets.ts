/**
 * What is checked: URLs of the command line, and the checker's configuration, JSON in the reference's form
 * (docs/behaviours.md T2, T3). What is wrong with any of them stands in its place, as one line of text.
 */
import { resolve } from 'node:path'
import type { Host } from '../cli/host.ts'
import { type Invocation, Misuse, optionValue } from '../cli/invocation.ts'
import { readSmallFile } from '../cli/small-file.ts'
import { parseTrackerUrl, type TrackerUrl } from '../client/tracker-url.ts'
import { oneLine, quotedPath } from '../text/printable.ts'
import { codeOrMessage, systemReason } from '../text/system-errors.ts'

/** By kind: its list in the checker's configuration and in the monitor's result. */
export const LISTS = {
  udp: 'udp_trackers',
  http: 'http_trackers',
  websocket: 'websocket_trackers',
  health: 'health_checks',
} as const
type Kind = keyof typeof LISTS
export const KINDS = ['udp', 'http', 'websocket', 'health'] as const satisfies readonly Kind[]
/** The reference does not know it, so a configuration may leave it out, and a result without it does. */
export const OPTIONAL_KIND: Kind = 'websocket'

export interface Target {
  readonly kind: Kind
  readonly url: TrackerUrl
}

const PATH = 'TORRUST_CHECKER_CONFIG_PATH'
const CONTENT = 'TORRUST_CHECKER_CONFIG'
const ARGUMENT = 'the JSON argument'

/** All targets and mistakes, at least one; first those of the configuration. Throws `Misuse`. */
export function findTargets(
  invocation: Invocation,
  host: Pick<Host, 'env' | 'cwd' | 'complain'>,
): readonly (Target | string)[] {
  const words = invocation.arguments.filter((word) => !isJson(word)).map(guessNamed)
  const [content, another] = invocation.arguments.filter(isJson)
  if (another !== undefined) throw new Misuse('the JSON argument is given twice')
  const url = optionValue(invocation, 'health')
  const health = url === undefined ? [] : [after('--health: ', readTarget('health', url))]
  const named = [...words, ...health]
  const path = optionValue(invocation, 'config-path')
  // If the command line names targets, the environment is ignored.
  const usesEnvironment = named.length === 0 || content !== undefined || path !== undefined
  const env = usesEnvironment ? host.env : {}
  const configured = readSource(path, content, { ...host, env })
  if (!configured && named.length === 0)
    throw new Misuse(`needs something to check: a URL, --config-path or ${PATH}`)
  const found = [...(configured ?? []), ...named]
  return found.length > 0 ? found : ['the configuration has nothing to check']
}

const isJson = (word: string): boolean => /^\s*\{/.test(word)

function guessNamed(word: string): Target | string {
  const target = guessTarget(word)
  return typeof target === 'string' && /\.json$/i.test(word)
    ? `${target}, did you mean --config-path ${word}?`
    : target
}

/** A path goes before content, the command line before the environment. undefined: none is given. */
function readSource(
  path: string | undefined,
  argument: string | undefined,
  { env, cwd, complain }: Pick<Host, 'env' | 'cwd' | 'complain'>,
): readonly (Target | string)[] | undefined {
  const file = path ?? (env[PATH] || undefined)
  if (file !== undefined) {
    const name = quotedPath(file)
    if (argument !== undefined)
      complain(`tracker check: ${ARGUMENT} is ignored: ${name} is read instead\n`)
    try {
      const text = Buffer.from(readSmallFile(resolve(cwd, file))).toString()
      return readConfiguration(name, text)
    } catch (error) {
      const given = path === undefined ? `, given by ${PATH}` : ''
      return [`${name}: ${systemReason(error)}${given}`]
    }
  }
  if (argument !== undefined) return readConfiguration(ARGUMENT, argument)
  const text = env[CONTENT]
  return text ? readConfiguration(CONTENT, text) : undefined
}

/** `name`: the path, variable or argument that mistakes are reported for. */
export function readConfiguration(name: string, text: string): readonly (Target | string)[] {
  let value: unknown
  try {
    // Some editors begin a file with a byte order mark.
    value = JSON.parse(text.replace(/^\uFEFF/, ''))
  } catch (error) {
    return [`${name}: not JSON: ${oneLine(codeOrMessage(error))}`]
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    return [`${name}: expected an object, found ${describe(value)}`]
  const members = new Map<string, unknown>(Object.entries(value))
  return KINDS.flatMap((kind) => readList(kind, members.get(LISTS[kind]))).map((target) =>
    after(`${name}: `, target),
  )
}

function readList(kind: Kind, list: unknown): readonly (Target | string)[] {
  const member = LISTS[kind]
  if (list === undefined)
    return kind === OPTIONAL_KIND ? [] : [`${member}: missing; an empty list is "${member}": []`]
  if (!Array.isArray(list)) return [`${member}: expected a list of URLs, found ${describe(list)}`]
  return list.map((element: unknown, i) => {
    const target =
      typeof element === 'string'
        ? readTarget(kind, element)
        : `expected a URL in quotes, found ${describe(element)}`
    return after(`${member}[${i}]: `, target)
  })
}

/** A mistake with its place. */
const after = (place: string, target: Target | string): Target | string =>
  typeof target === 'string' ? place + target : target

function describe(value: unknown): string {
  if (Array.isArray(value)) return 'a list'
  return typeof value === 'object' && value !== null ? 'an object' : JSON.stringify(value)
}

const WEB = { pattern: /^https?:\/\//i, words: 'http:// or https://' }
const URLS: Readonly<Record<Kind, { pattern: RegExp; words: string }>> = {
  // Only UDP trackers are written without a scheme.
  udp: { pattern: /^udp:|^(?!.*:\/\/)/i, words: 'udp://HOST:PORT' },
  http: WEB,
  websocket: { pattern: /^wss?:\/\//i, words: 'ws:// or wss://' },
  health: WEB,
}

export function readTarget(kind: Kind, text: string): Target | string {
  const { pattern, words } = URLS[kind]
  if (text !== '' && !pattern.test(text)) return `${text}: expected ${words}`
  const url = parseTrackerUrl(text)
  return typeof url === 'string' ? url : { kind, url }
}

/** A target whose kind follows from its URL. */
export function guessTarget(text: string): Target | string {
  const url = parseTrackerUrl(text)
  if (typeof url === 'string') return url
  const isHealth = url.protocol === 'http' && /health_check\/?$/.test(url.path.replace(/\?.*/s, ''))
  return { kind: isHealth ? 'health' : url.protocol, url }
}
