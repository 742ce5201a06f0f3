/**
 * The lines of the log under the target `AUDIT` (docs/behaviours.md A37): who changed what over the API, and who tried
 * with a wrong token. They name a token by its name in the configuration, and of an auth key the beginning.
 */
import { INFO_HASH_BYTES, KEY_CHARACTERS, parseInfoHash } from '../bittorrent.ts'
import { LimitedLines } from '../log/limited-lines.ts'
import type { Log } from '../log/log.ts'
import { cut } from '../text/printable.ts'
import type { Clock } from '../time/clock.ts'
import type { Answer } from './answers.ts'

const TARGET = 'AUDIT'
/** Lines per minute about tokens that are refused. */
export const REFUSED_LINES = 10
const MINUTE = 60_000
const KEY = new RegExp(`^[0-9A-Za-z]{${KEY_CHARACTERS}}$`)
const KEY_SHOWN = 4

type Change = {
  /** Operation id of the route. */
  readonly action: string
  /** Empty: the action says it all. */
  readonly what: string
  /** Name of the token. */
  readonly token: string
  /** Address of the client. */
  readonly from: string
}

export class Audit {
  readonly #log: Log
  readonly #refused: LimitedLines

  constructor(log: Log, { milliseconds: now }: Clock) {
    this.#log = log
    const limit = { lines: REFUSED_LINES, milliseconds: MINUTE, now }
    this.#refused = new LimitedLines(log, { level: 'warn', target: TARGET, ...limit })
  }

  changed({ action, what, token, from }: Change): void {
    this.#log.info(TARGET, '{action}', { action, ...(what !== '' && { what }), token, from })
  }

  /** A token is not known, or may not do this. `call`: method and route. */
  refused(call: string, reason: string, from: string): void {
    this.#refused.say('refused', () => ({ call, reason, from }))
  }
}

/** What one thing a change was about; of an auth key the beginning. undefined: it was not about one thing. */
export function subjectOf(
  params: Readonly<Record<string, string>> | undefined,
  { body, changed }: Answer,
): string | undefined {
  if (changed !== undefined) return changed
  // The key that was added, which may have been generated.
  const added = typeof body === 'string' ? /^\{"key":"(\w+)"/.exec(body)?.[1] : undefined
  const named = added ?? Object.values(params ?? {})[0]
  return named && shown(named)
}

/** Members of bodies that are lists; those of other names are ignored, and are whatever the client likes. */
const LISTS = ['keys', 'info_hashes']

/** What the list of a request is about: the one thing in it, or how many (`2 keys`). */
export const listsIn = (body: unknown): string =>
  Object.entries(body ?? {})
    .flatMap(([name, list]) => {
      if (!LISTS.includes(name) || !Array.isArray(list)) return []
      const [only]: unknown[] = list
      return list.length === 1 && typeof only === 'string'
        ? shown(cut(only, INFO_HASH_BYTES * 2))
        : `${list.length} ${name}`
    })
    .join(', ')

/** Info hashes as everywhere in the log. */
const shown = (text: string): string =>
  KEY.test(text) ? `${text.slice(0, KEY_SHOWN)}…` : (parseInfoHash(text)?.toHex() ?? text)
