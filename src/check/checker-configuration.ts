/**
 * The checker's configuration, JSON as the reference's (spec/torrust-console-tools §3.1): what to check, or
 * everything that is wrong with it. Pure.
 */
import { printable } from '../client/failure.ts'
import { nearest } from '../text/nearest.ts'
import { jsonFault } from './json-place.ts'
import { type Kind, readTarget, type Target } from './target.ts'

/** The lists of a configuration, in the order in which they are checked. */
export const LISTS = {
  udp: 'udp_trackers',
  http: 'http_trackers',
  health: 'health_checks',
} as const

export interface Configuration {
  readonly targets: readonly Target[]
  /** One line each, with the place. */
  readonly mistakes: readonly string[]
}

/** `partial`: lists may be missing, because targets are named elsewhere too. */
export function readConfiguration(text: string, partial: boolean): Configuration {
  let value: unknown
  try {
    // Some editors begin a file with a byte order mark.
    value = JSON.parse(text.replace(/^\uFEFF/, ''))
  } catch (error) {
    const place = jsonFault(text.replace(/^\uFEFF/, ''))
    return { targets: [], mistakes: [`not JSON: ${place ?? printable(String(error))}`] }
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    return { targets: [], mistakes: [`expected an object, found ${describe(value)}`] }
  const members = new Map<string, unknown>(Object.entries(value))
  const targets: Target[] = []
  const mistakes: string[] = []
  for (const kind of ['udp', 'http', 'health'] as const) {
    const name = LISTS[kind]
    const list = members.get(name)
    if (Array.isArray(list)) readList(kind, list, targets, mistakes)
    else if (list !== undefined)
      mistakes.push(`${name}: expected a list of URLs, found ${describe(list)}`)
    else {
      const meant = similar(name, members)
      if (meant !== undefined)
        mistakes.push(
          `${name}: missing, but there is an unknown ${printable(JSON.stringify(meant))}`,
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
    if (typeof target === 'string') mistakes.push(`${LISTS[kind]}[${i}]: ${printable(target)}`)
    else targets.push(target)
  }
}

/** Unknown members are ignored, as the reference does; but one may be the one that is missing. */
function similar(name: string, members: ReadonlyMap<string, unknown>): string | undefined {
  const lists: readonly string[] = Object.values(LISTS)
  const strange = [...members.keys()].filter((member) => !lists.includes(member))
  return strange.find((member) => nearest(member, lists) === name)
}

function describe(value: unknown): string {
  if (Array.isArray(value)) return 'a list'
  if (typeof value === 'object' && value !== null) return 'an object'
  return printable(JSON.stringify(value))
}
