/** Asks HTTP servers: trackers (BEP 3, 48), and anything else for a small body. Never through a proxy. */
import { joinPort } from '../wire/address.ts'
import {
  announceQuery,
  type Reading,
  readAnnounceBody,
  readScrapeBody,
  type ScrapeReply,
  scrapeQuery,
} from '../wire/http-client.ts'
import { ClientFailure, printable } from './failure.ts'
import type { AnnounceAnswer, AnnounceQuestion } from './question.ts'
import type { Address } from './resolve.ts'
import { requestPath, type TrackerUrl } from './target.ts'

/** An announce answer of a thousand peers that is not compact has 80 kB. */
const MOST_BODY_BYTES = 1024 * 1024

export interface HttpOptions {
  /** Time limit of the whole answer. */
  readonly milliseconds: number
  /** Any certificate will do. */
  readonly insecure?: boolean | undefined
  readonly signal?: AbortSignal | undefined
}

export interface HttpReply {
  readonly status: number
  readonly statusText: string
  /** Where a 3xx leads, absolute. */
  readonly location: string | undefined
  readonly body: Uint8Array
}

/** Rejects with `ClientFailure` and nothing else, and so do the other two. */
export async function announceHttp(
  url: TrackerUrl,
  address: Address,
  question: AnnounceQuestion,
  options: HttpOptions,
): Promise<AnnounceAnswer> {
  const query = announceQuery(question)
  const answer = await ask(url, address, 'announce', query, options, readAnnounceBody)
  return { ...answer, family: address.family }
}

/** By info hash in lower-case hexadecimal; a tracker may leave some out. */
export function scrapeHttp(
  url: TrackerUrl,
  address: Address,
  hashes: readonly Uint8Array[],
  options: HttpOptions,
): Promise<Map<string, ScrapeReply>> {
  return ask(url, address, 'scrape', scrapeQuery(hashes), options, readScrapeBody)
}

async function ask<T>(
  { href, path }: TrackerUrl,
  address: Address,
  kind: 'announce' | 'scrape',
  query: string,
  options: HttpOptions,
  read: (body: Uint8Array) => Reading<T>,
): Promise<T> {
  const way = requestPath(path, kind)
  const url = new URL(`${way}${way.includes('?') ? '&' : '?'}${query}`, href)
  const reply = await getHttp(url, { ...options, address })
  const reading = read(reply.body)
  // Some trackers refuse with a status of their own.
  if ('failure' in reading) throw new ClientFailure('refusal', printable(reading.failure))
  const where = `${url.origin}${url.pathname}`
  if (reply.status < 200 || reply.status > 299) {
    const status = printable(`${reply.status} ${reply.statusText}`)
    const moved = reply.location === undefined ? '' : `, moved to ${printable(reply.location)}`
    throw new ClientFailure('status', `${where}: HTTP status ${status}${moved}`)
  }
  if ('answer' in reading) return reading.answer
  const begin = printable(Buffer.from(reply.body.subarray(0, 40)).toString('latin1'))
  const what = begin === '' ? '' : `; it begins with ${JSON.stringify(begin)}`
  throw new ClientFailure('garbage', `${where}: ${reading.fault}${what}`)
}

/** GETs `url`, at `address` if one is given, whatever its name resolves to. Redirects are not followed. */
export async function getHttp(
  url: URL,
  { address, milliseconds, insecure = false, signal }: HttpOptions & { readonly address?: Address },
): Promise<HttpReply> {
  const name = url.hostname.replace(/^\[|\]$/g, '')
  const target = new URL(url)
  if (address) target.host = joinPort(address.ip, Number(url.port || WEB_PORTS[url.protocol]))
  const limit = AbortSignal.timeout(milliseconds)
  try {
    const response = await fetch(target.href, {
      headers: { Host: url.host, 'User-Agent': 'tracker-client', Accept: '*/*' },
      redirect: 'manual',
      keepalive: false,
      signal: signal ? AbortSignal.any([signal, limit]) : limit,
      ...(url.protocol === 'https:' && {
        tls: { serverName: name, rejectUnauthorized: !insecure },
      }),
    })
    const location = response.headers.get('location')
    return {
      status: response.status,
      statusText: response.statusText,
      location: location === null ? undefined : (URL.parse(location, url.href)?.href ?? location),
      body: await readBody(response),
    }
  } catch (error) {
    throw explain(error, `${url.origin}${url.pathname}`, milliseconds)
  }
}

const WEB_PORTS: Readonly<Record<string, number>> = { 'http:': 80, 'https:': 443 }

class TooLong extends Error {}

async function readBody(response: Response): Promise<Uint8Array> {
  const parts: Uint8Array[] = []
  let length = 0
  // Leaving the loop closes the connection.
  for await (const part of response.body ?? []) {
    length += part.length
    if (length > MOST_BODY_BYTES) throw new TooLong()
    parts.push(part)
  }
  return Buffer.concat(parts)
}

function explain(error: unknown, where: string, milliseconds: number): ClientFailure {
  if (error instanceof TooLong)
    return new ClientFailure('garbage', `${where}: the answer is longer than 1 MiB`)
  const { name, message } = error instanceof Error ? error : { name: '', message: String(error) }
  const code = error instanceof Error && 'code' in error ? String(error.code) : ''
  if (name === 'TimeoutError') {
    const seconds = Math.round(milliseconds / 100) / 10
    return new ClientFailure('timeout', `${where}: no answer within ${seconds} s`)
  }
  if (name === 'AbortError') return new ClientFailure('timeout', `${where}: was given up`)
  if (code === 'ENOTFOUND') return new ClientFailure('resolve', `${where}: no such host`)
  const unreachable = UNREACHABLE[code]
  if (unreachable) return new ClientFailure('connect', `${where}: ${unreachable}`)
  const why = printable(message)
  if (/CERT|TLS|SSL|SELF_SIGNED|UNABLE_TO/i.test(code) || /certificate/i.test(message))
    return new ClientFailure('tls', `${where}: ${why} (${code})`)
  return new ClientFailure('garbage', `${where}: no HTTP answer (${code || why})`)
}

const UNREACHABLE: Readonly<Record<string, string>> = {
  ConnectionRefused: 'nothing listens there (connection refused)',
  ECONNREFUSED: 'nothing listens there (connection refused)',
  ConnectionClosed: 'the connection was closed before an answer came',
  ECONNRESET: 'the connection was closed before an answer came',
  FailedToOpenSocket: 'cannot connect',
  EHOSTUNREACH: 'no route to the host',
  ENETUNREACH: 'no route to its network',
}
