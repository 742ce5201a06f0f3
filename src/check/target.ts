/** What is checked: trackers, and health APIs. Pure. */
import { parseTrackerUrl, type TrackerUrl } from '../client/tracker-url.ts'

export const KINDS = ['udp', 'http', 'health'] as const
export type Kind = (typeof KINDS)[number]

/** The list of each kind in the checker's configuration and in the monitor's result. */
export const LISTS = {
  udp: 'udp_trackers',
  http: 'http_trackers',
  health: 'health_checks',
} as const satisfies Record<Kind, string>

export interface Target {
  readonly kind: Kind
  readonly url: TrackerUrl
}

/** Text says what is wrong. */
export function readTarget(kind: Kind, text: string): Target | string {
  // Only UDP trackers are written without a scheme.
  const wanted = kind === 'udp' ? /^udp:|^(?!.*:\/\/)/i : /^https?:\/\//i
  if (text !== '' && !wanted.test(text))
    return `${text}: expected ${kind === 'udp' ? 'udp://HOST:PORT' : 'http:// or https://'}`
  const url = parseTrackerUrl(text)
  return typeof url === 'string' ? url : { kind, url }
}

/** A target whose kind follows from its URL. Text says what is wrong. */
export function guessTarget(text: string): Target | string {
  const url = parseTrackerUrl(text)
  if (typeof url === 'string') return url
  if (url.scheme === 'udp') return { kind: 'udp', url }
  return { kind: /health_check\/?$/.test(url.path.replace(/\?.*/s, '')) ? 'health' : 'http', url }
}
