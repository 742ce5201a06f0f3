/** Asks HTTP servers: trackers (BEP 3, 48), their APIs, and others for a small body. Never through a proxy. */
import { size } from '../text/figures.ts'
import { oneLine } from '../text/printable.ts'
import { errorCode } from '../text/system-errors.ts'
import {
  announceQuery,
  type Reading,
  readAnnounceBody,
  readScrapeBody,
  scrapeQuery,
} from '../wire/http-client.ts'
import type { AnnounceQuestion, AnnounceReply } from '../wire/udp-client.ts'
import type { ScrapeReply, TrackerClient } from './client.ts'
import { ClientFailure, type FailureKind, noAnswerWithin, unreachableBy } from './failure.ts'
import type { Address } from './resolve.ts'
import { requestUrl, shownPath, type TrackerUrl } from './tracker-url.ts'

/** A non-compact answer with a thousand peers takes 80 kB. */
const MOST_BODY_BYTES = 1024 * 1024

interface HttpOptions {
  /** Time limit of the whole answer. */
  readonly milliseconds: number
  /** Accept any certificate. */
  readonly insecure?: boolean | undefined
}

export interface HttpRequest extends HttpOptions {
  /** Where to connect instead of what the name resolves to. */
  readonly address?: Address | undefined
  /** Default: GET. */
  readonly method?: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string | undefined
  /** Of the answer; a longer one is given up. Default: 1 MiB. */
  readonly mostBytes?: number
}

export interface HttpReply {
  readonly status: number
  readonly statusText: string
  /** Where a 3xx leads, absolute. */
  readonly location: string | undefined
  readonly body: Uint8Array
}

/** One HTTP tracker at one address. Every request rejects with `ClientFailure` and nothing else. */
export class HttpClient implements TrackerClient {
  /** The URL of a scrape stays near 3 kB, which every server accepts. */
  readonly mostHashes = 50
  readonly takesPeersAlong = false
  readonly #url: TrackerUrl
  readonly #options: HttpOptions & { readonly address: Address }

  constructor(url: TrackerUrl, address: Address, options: HttpOptions) {
    this.#url = url
    this.#options = { ...options, address }
  }

  announce(question: AnnounceQuestion): Promise<AnnounceReply> {
    return this.#ask('announce', announceQuery(question), readAnnounceBody)
  }

  async scrape(hashes: readonly Uint8Array[]): Promise<ScrapeReply> {
    return { entries: await this.#ask('scrape', scrapeQuery(hashes), readScrapeBody) }
  }

  [Symbol.dispose](): void {}

  async #ask<T>(
    kind: 'announce' | 'scrape',
    query: string,
    read: (body: Uint8Array) => Reading<T>,
  ): Promise<T> {
    const url = requestUrl(this.#url, kind, query)
    const reply = await getHttp(url, this.#options)
    const reading = read(reply.body)
    // Some trackers refuse with a status other than 200.
    if ('failure' in reading) throw new ClientFailure('refusal', oneLine(reading.failure))
    const where = placeOf(url)
    if (reply.status < 200 || reply.status > 299)
      throw new ClientFailure('status', `${where}: ${statusOf(reply)}`)
    if ('answer' in reading) return reading.answer
    const first = oneLine(Buffer.from(reply.body.subarray(0, 40)).toString('latin1'))
    const what = first === '' ? '' : `; it begins with ${JSON.stringify(first)}`
    throw new ClientFailure('garbage', `${where}: ${reading.fault}${what}`)
  }
}

/** `HTTP status 302 Found, moved to http://…` */
export const statusOf = ({ status, statusText, location }: HttpReply): string =>
  `HTTP status ${oneLine(`${status} ${statusText}`)}${location === undefined ? '' : `, moved to ${oneLine(location)}`}`

/** GETs `url`. Rejects with `ClientFailure` and nothing else. */
export const getHttp = (
  url: URL,
  options: HttpOptions & { readonly address?: Address },
): Promise<HttpReply> => askHttp(url, options)

/** The whole answer of `url`. Redirects are not followed. Rejects with `ClientFailure` and nothing else. */
export async function askHttp(url: URL, request: HttpRequest): Promise<HttpReply> {
  const { milliseconds, mostBytes = MOST_BODY_BYTES } = request
  try {
    const response = await send(url, request, AbortSignal.timeout(milliseconds))
    const location = response.headers.get('location')
    return {
      status: response.status,
      statusText: response.statusText,
      location: location === null ? undefined : (URL.parse(location, url.href)?.href ?? location),
      body: await readBody(response, mostBytes),
    }
  } catch (error) {
    throw explain(error, placeOf(url), milliseconds)
  }
}

/**
 * The status of an answer, the rest of which is not read. Redirects are not followed. Rejects with `ClientFailure` and
 * nothing else, also when `stop` aborts.
 */
export async function statusFrom(
  url: URL,
  request: HttpRequest,
  stop: AbortSignal,
): Promise<number> {
  const { milliseconds } = request
  const done = new AbortController()
  const signal = AbortSignal.any([AbortSignal.timeout(milliseconds), stop, done.signal])
  try {
    return (await send(url, request, signal)).status
  } catch (error) {
    throw explain(error, placeOf(url), milliseconds)
  } finally {
    // Closes the connection.
    done.abort()
  }
}

export interface HttpStream {
  readonly status: number
  /** The body as it comes. Rejects with `ClientFailure` and nothing else; ends when `stop` aborts. */
  readonly parts: AsyncGenerator<Uint8Array, void, void>
}

/**
 * An answer that may go on for ever. `milliseconds` is the time limit of its head and of each silence in its body.
 * Rejects with `ClientFailure` and nothing else.
 */
export async function openHttp(
  url: URL,
  request: HttpRequest,
  stop: AbortSignal,
): Promise<HttpStream> {
  const { milliseconds } = request
  const silence = new AbortController()
  const late = () => silence.abort(new DOMException('silent', 'TimeoutError'))
  let timer = setTimeout(late, milliseconds)
  const failed = (error: unknown) => {
    clearTimeout(timer)
    return explain(error, placeOf(url), milliseconds)
  }
  async function* parts(response: Response): HttpStream['parts'] {
    try {
      for await (const part of response.body ?? []) {
        clearTimeout(timer)
        yield part
        timer = setTimeout(late, milliseconds)
      }
    } catch (error) {
      if (!stop.aborted) throw failed(error)
    } finally {
      clearTimeout(timer)
    }
  }
  try {
    const response = await send(url, request, AbortSignal.any([silence.signal, stop]))
    return { status: response.status, parts: parts(response) }
  } catch (error) {
    throw failed(error)
  }
}

function send(
  url: URL,
  { address, method = 'GET', headers, body, insecure = false }: HttpRequest,
  signal: AbortSignal,
): Promise<Response> {
  const name = url.hostname.replace(/^\[|\]$/g, '')
  return fetch(atAddress(url, address).href, {
    method,
    headers: {
      Host: url.host,
      'User-Agent': 'tracker-client',
      Accept: '*/*',
      'Accept-Encoding': 'identity',
      ...headers,
    },
    ...(body !== undefined && { body }),
    redirect: 'manual',
    keepalive: false,
    signal,
    ...(url.protocol === 'https:' && {
      tls: { serverName: name, rejectUnauthorized: !insecure },
    }),
  })
}

/** The same, with the address for the name. */
export function atAddress(url: URL, address: Address | undefined): URL {
  const target = new URL(url)
  if (address) target.hostname = address.family === 4 ? address.ip : `[${address.ip}]`
  return target
}

export const placeOf = (url: URL): string => `${url.origin}${shownPath(url.pathname)}`

class TooLong extends Error {}

async function readBody(response: Response, mostBytes: number): Promise<Uint8Array> {
  const parts: Uint8Array[] = []
  let length = 0
  // Leaving the loop closes the connection.
  for await (const part of response.body ?? []) {
    length += part.length
    if (length > mostBytes) throw new TooLong(size(mostBytes))
    parts.push(part)
  }
  return Buffer.concat(parts)
}

/** What an error of the runtime means, for a request to `where` that had so much time. */
export function explain(error: unknown, where: string, milliseconds: number): ClientFailure {
  const { name, message } = error instanceof Error ? error : { name: '', message: String(error) }
  const code = errorCode(error)
  const failed = (kind: FailureKind, what: string) => new ClientFailure(kind, `${where}: ${what}`)
  if (error instanceof TooLong) return failed('garbage', `the answer is longer than ${message}`)
  if (name === 'TimeoutError') return failed('timeout', noAnswerWithin(milliseconds))
  if (code === 'ENOTFOUND') return failed('resolve', 'no such host')
  const unreachable = unreachableBy(code)
  if (unreachable) return failed('connect', unreachable)
  if (code === 'ConnectionClosed' || code === 'ECONNRESET')
    return failed('garbage', 'the connection was closed before an answer came')
  if (/Zlib|Brotli|Zstd|Decompression/.test(code))
    return failed('garbage', `the answer cannot be decompressed (${code})`)
  const why = oneLine(message)
  if (/CERT|TLS|SSL|SELF_SIGNED|UNABLE_TO|EPROTO/i.test(code) || /certificate/i.test(message))
    return failed('tls', `${why} (${code})`)
  return failed('garbage', `no HTTP answer (${code || why})`)
}
