/** The address of a tracker as people write it. Pure. */

export type Scheme = 'udp' | 'http' | 'https'

export interface TrackerUrl {
  readonly scheme: Scheme
  /** A name or an address without brackets. */
  readonly host: string
  readonly port: number
  /** Begins with a slash, percent escapes as they were written, query included; empty: none was given. */
  readonly path: string
  /** The whole, normalised. */
  readonly href: string
}

const WEB_PORTS = { http: 80, https: 443 } as const

/** Text is what is wrong with it. `HOST:PORT` without a scheme is UDP. */
export function parseTrackerUrl(text: string): TrackerUrl | string {
  if (text === '') return 'expected a tracker URL, found nothing'
  // A name with a port would pass for a scheme: `localhost:6969`.
  const [, scheme, rest] = /^([a-z][a-z0-9+.-]*):\/\/(.*)$/is.exec(text) ?? [text, 'udp', text]
  const name = scheme!.toLowerCase()
  if (name === 'ws' || name === 'wss') return `${text}: WebTorrent trackers cannot be asked yet`
  if (name !== 'udp' && name !== 'http' && name !== 'https')
    return `${text}: expected udp://, http:// or https://`
  let url: URL
  try {
    // As http, because other schemes are not parsed as far.
    url = new URL(`http://${rest}`)
  } catch {
    return `${text}: not a URL`
  }
  if (url.username || url.password)
    return `${name}://***@${url.host}: a user name or password cannot be sent`
  // The parser drops the port that is http's own.
  const written = /^(?:\[[^\]]*\]|[^:/?#]*):(\d+)/.exec(rest!)?.[1]
  const port = Number(written ?? (name === 'udp' ? 0 : WEB_PORTS[name]))
  if (port === 0)
    return written === undefined ? `${text}: the port is missing` : `${text}: no port is 0`
  const path = /[/?]/.test(rest!) ? `${url.pathname}${url.search}` : ''
  const isWebPort = name !== 'udp' && port === WEB_PORTS[name]
  return {
    scheme: name,
    host: url.hostname.replace(/^\[|\]$/g, ''),
    port,
    path,
    href: `${name}://${url.hostname}${isWebPort ? '' : `:${port}`}${path || (name === 'udp' ? '' : '/')}`,
  }
}

/**
 * Path and query at which an HTTP tracker is asked. A segment `announce` or `scrape`, which may have an ending,
 * becomes the one that is wanted (BEP 48), keys behind or before it included; else the path is a base, and the
 * word goes behind it.
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

/** The same with the query of a question, which goes behind one that the path has. */
export function requestTarget(path: string, kind: 'announce' | 'scrape', query: string): string {
  const way = requestPath(path, kind)
  return `${way}${way.includes('?') ? '&' : '?'}${query}`
}

/** Where an HTTP tracker is asked. Not resolved against its URL: a path of two slashes would name another host. */
export const requestUrl = (url: TrackerUrl, kind: 'announce' | 'scrape', query: string): URL =>
  new URL(`${new URL(url.href).origin}${requestTarget(url.path, kind, query)}`)

/** What of the path is said behind a UDP announce (BEP 41): nothing where it is what every tracker has. */
export const urlData = (path: string): string => (/^\/?(announce)?$/.test(path) ? '' : path)

/** The path in messages, which others may read: keys in it are masked. */
export const shownPath = (path: string): string =>
  path
    .replace(/\?.*/s, '')
    .replace(/(\/(?:announce|scrape)(?:\.\w+)?)\/.+$/, '$1/***')
    .replace(/\/[0-9A-Za-z_-]{16,}(?=\/|$)/g, '/***')
