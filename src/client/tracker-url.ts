/** The address of a tracker as people write it. Pure. */

/** What is spoken with a tracker. */
export type Protocol = 'udp' | 'http' | 'websocket'

/** By scheme, with the port that a URL may leave out. */
const SCHEMES = {
  udp: { protocol: 'udp', defaultPort: 0 },
  http: { protocol: 'http', defaultPort: 80 },
  https: { protocol: 'http', defaultPort: 443 },
  ws: { protocol: 'websocket', defaultPort: 80 },
  wss: { protocol: 'websocket', defaultPort: 443 },
} as const satisfies Record<string, { protocol: Protocol; defaultPort: number }>
export type Scheme = keyof typeof SCHEMES
const isScheme = (name: string): name is Scheme => Object.hasOwn(SCHEMES, name)

export interface TrackerUrl {
  readonly scheme: Scheme
  readonly protocol: Protocol
  /** A name or an address without brackets. */
  readonly host: string
  readonly port: number
  /** Path and query with the percent escapes as written; begins with a slash; empty: none was given. */
  readonly path: string
  /** The whole, normalised. */
  readonly href: string
}

/** Text says what is wrong. `HOST:PORT` without a scheme is UDP. */
export function parseTrackerUrl(text: string): TrackerUrl | string {
  if (text === '') return 'expected a tracker URL, found nothing'
  // Not by `URL`, which takes the name in `localhost:6969` for a scheme.
  const [, scheme, rest] = /^([a-z][a-z0-9+.-]*):\/\/(.*)$/is.exec(text) ?? [text, 'udp', text]
  const name = scheme!.toLowerCase()
  if (!isScheme(name)) return `${text}: expected udp://, http://, https://, ws:// or wss://`
  const { protocol, defaultPort } = SCHEMES[name]
  let url: URL
  try {
    // As http, since `URL` does not take other schemes apart.
    url = new URL(`http://${rest}`)
  } catch {
    return `${text}: not a URL`
  }
  if (url.username || url.password)
    return `${name}://***@${url.host}: a user name or password cannot be sent`
  // `URL` drops the default port of http.
  const written = /^(?:\[[^\]]*\]|[^:/?#]*):(\d+)/.exec(rest!)?.[1]
  const port = Number(written ?? defaultPort)
  if (port === 0)
    return written === undefined ? `${text}: the port is missing` : `${text}: the port cannot be 0`
  const path = /[/?]/.test(rest!) ? `${url.pathname}${url.search}` : ''
  return {
    scheme: name,
    protocol,
    host: url.hostname.replace(/^\[|\]$/g, ''),
    port,
    path,
    href: `${name}://${url.hostname}${port === defaultPort ? '' : `:${port}`}${path || (protocol === 'udp' ? '' : '/')}`,
  }
}

/**
 * Path and query for a request to an HTTP tracker. The last segment `announce` or `scrape`, which may have an
 * extension, becomes the one that is wanted (BEP 48); keys before or after it stay. Without such a segment the
 * path is a base, to which the word is added.
 */
export function requestPath(path: string, kind: 'announce' | 'scrape'): string {
  const [, way, query] = /^([^?]*)(\?.*)?$/s.exec(path)!
  const segments = way!.split('/')
  const at = segments.findLastIndex((segment) => /^(announce|scrape)(\.|$)/.test(segment))
  if (at >= 0) segments[at] = segments[at]!.replace(/^(announce|scrape)/, kind)
  else if (segments.length > 1 && segments.at(-1) === '') segments[segments.length - 1] = kind
  else segments.push(kind)
  return `${segments.join('/')}${query ?? ''}`
}

/** The same with the query of the request, added to one that the path already has. */
export function requestTarget(path: string, kind: 'announce' | 'scrape', query: string): string {
  const way = requestPath(path, kind)
  return `${way}${way.includes('?') ? '&' : '?'}${query}`
}

/** The URL of a request to an HTTP tracker. Not resolved against the tracker's: a path with two slashes would name another host. */
export const requestUrl = (url: TrackerUrl, kind: 'announce' | 'scrape', query: string): URL =>
  new URL(`${new URL(url.href).origin}${requestTarget(url.path, kind, query)}`)

/** The path that goes along with a UDP announce (BEP 41): none if it is the usual one. */
export const urlData = (path: string): string => (/^\/?(announce)?$/.test(path) ? '' : path)

/** The path for messages, which others may read: without its query, and with keys masked. */
export const shownPath = (path: string): string =>
  path
    .replace(/\?.*/s, '')
    .replace(/(\/(?:announce|scrape)(?:\.\w+)?)\/.+$/, '$1/***')
    .replace(/\/[0-9A-Za-z_-]{16,}(?=\/|$)/g, '/***')
