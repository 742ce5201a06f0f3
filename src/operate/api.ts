/**
 * Asks the management API of one tracker. What it answers is checked to be JSON and kept as text, because numbers in it
 * may have 64 bits.
 */
import { ClientFailure } from '../client/failure.ts'
import { askHttp, type HttpReply, type HttpRequest, statusOf } from '../client/http.ts'
import { several } from '../text/figures.ts'
import { escaped, oneLine } from '../text/printable.ts'
import { OperateFailure } from './failure.ts'
import type { Place } from './place.ts'

/** Any JSON, with the members of an object; those of something else: none. */
export type Json = Readonly<Record<string, unknown>>
export const membersOf = (value: unknown): Json =>
  typeof value === 'object' && value !== null ? (value as Json) : {}
/** Text for a terminal, whatever the value is. */
export const textOf = (value: unknown): string => oneLine(String(value ?? ''))
export const numberOf = (value: unknown): number =>
  typeof value === 'number' || typeof value === 'bigint' ? Number(value) : 0
export const listOf = (value: unknown): readonly unknown[] => (Array.isArray(value) ? value : [])

export interface Reply {
  /** As the API sent it. */
  readonly text: string
  readonly value: unknown
}

export interface Question {
  /** Default: GET. */
  readonly method?: 'GET' | 'POST' | 'DELETE'
  /** From the slash behind the base on, with its query. */
  readonly path: string
  readonly body?: unknown
}

/** A torrent with a million peers takes 230 MB. */
const MOST_BYTES = 512 * 1024 * 1024

export class Api {
  readonly place: Place

  constructor(place: Place) {
    this.place = place
  }

  /** Throws `OperateFailure`. */
  async ask(question: Question): Promise<Reply> {
    const reply = await this.#send(question)
    const text = Buffer.from(reply.body).toString()
    if (reply.status !== 200) throw this.refused(reply, question)
    try {
      return { text, value: parseExactly(text) }
    } catch {
      throw this.#failed(`the answer is not JSON: ${NOT_ITS_API}`)
    }
  }

  /** What a request to the API needs. */
  requestOf({ method = 'GET', path, body }: Question): { url: URL; request: HttpRequest } {
    const { base, address, insecure, milliseconds, token } = this.place
    return {
      url: new URL(base + path),
      request: {
        address,
        insecure,
        milliseconds,
        method,
        headers: {
          Authorization: `Bearer ${token}`,
          ...(body !== undefined && { 'Content-Type': 'application/json' }),
        },
        body: body === undefined ? undefined : JSON.stringify(body, exactly),
        mostBytes: MOST_BYTES,
      },
    }
  }

  async #send(question: Question): Promise<HttpReply> {
    const { url, request } = this.requestOf(question)
    try {
      return await askHttp(url, request)
    } catch (error) {
      throw this.unanswered(error, question)
    }
  }

  /** The failure that says why there is no answer; anything but a `ClientFailure` is thrown. */
  unanswered(error: unknown, { method = 'GET' }: Pick<Question, 'method'>): OperateFailure {
    if (!(error instanceof ClientFailure)) throw error
    const doubt = method === 'GET' ? '' : '; whether it was done is not known'
    const remedies: Partial<Record<ClientFailure['kind'], string>> = {
      connect: ': does the tracker run? Another one is named with --config PATH or --url URL',
      tls: ': name the host of the certificate with --url, or accept any with --insecure',
      timeout: `${doubt}: --timeout SECONDS waits longer`,
      garbage: `${doubt}: ${NOT_ITS_API}`,
    }
    return this.#failed(`${error.reason}${remedies[error.kind] ?? ''}`)
  }

  /** The failure that an answer with another status than 200 means. */
  refused(
    reply: Pick<HttpReply, 'status' | 'body'> & Partial<HttpReply>,
    { method = 'GET', path }: Question,
  ): OperateFailure {
    const { status, statusText = '', location } = reply
    const reason = reasonIn(Buffer.from(reply.body).toString())
    if (status === 401 || (status === 500 && TOKEN_REASONS.includes(reason)))
      return this.#failed(
        `it does not accept the token (${reason || statusText}): has its configuration changed since it started? Another token is given with --token-file PATH or TRACKER_TOKEN`,
      )
    if (status === 404 && isRefusal(reply.body)) return this.#failed(reason)
    if (status === 404 || status === 405)
      return this.#failed(
        `HTTP status ${status}: it has no ${method} ${path.replace(/\?.*/s, '')}: ${NOT_ITS_API}, or its version is older`,
      )
    if (status === 408)
      return this.#failed(
        `the tracker is too busy to answer${method === 'GET' ? '' : '; whether it was done is not known'}`,
      )
    if (status === 409)
      return this.#failed(
        reason.startsWith('accounting')
          ? `${reason}: see [core.accounting] there`
          : `${reason}: it has no database, see [core.database] of its configuration`,
      )
    if (location !== undefined || reason === '')
      return this.#failed(
        `${statusOf({ status, statusText, location, body: reply.body })}: ${NOT_ITS_API}`,
      )
    return this.#failed(reason)
  }

  #failed(what: string): OperateFailure {
    return new OperateFailure(`${this.place.base}: ${what}`)
  }
}

/** `JSON` with what TypeScript does not know of it yet (ECMAScript 2026). */
const json: {
  parse(
    text: string,
    reviver?: (name: string, found: unknown, context: { readonly source?: string }) => unknown,
  ): unknown
  rawJSON(text: string): unknown
} = JSON as never

/** Integers that no number can hold are bigints, in both directions. */
const parseExactly = (text: string): unknown =>
  /[0-9]{16}/.test(text)
    ? json.parse(text, (_name, found, { source = '' }) =>
        typeof found === 'number' && !Number.isSafeInteger(found) && /^-?\d+$/.test(source)
          ? BigInt(source)
          : found,
      )
    : json.parse(text)
const exactly = (_name: string, value: unknown): unknown =>
  typeof value === 'bigint' ? json.rawJSON(`${value}`) : value

/** Of the API, which says what does not exist. */
function isRefusal(body: Uint8Array): boolean {
  try {
    return membersOf(JSON.parse(Buffer.from(body).toString())).status === 'err'
  } catch {
    return false
  }
}

const NOT_ITS_API = 'this may be another program than a tracker'
const TOKEN_REASONS = ['unauthorized', 'token not valid', 'unknown token provided']

/** Of a configuration: each may have several lines. */
function mistakesText(mistakes: readonly unknown[]): string {
  const texts = mistakes.map((one) => escaped(String(one)).replaceAll('\n', '\n  '))
  return [`nothing was changed: ${several(texts.length, 'mistake')}`, ...texts].join('\n  ')
}

/** In one line, without the wrapping of the reference; empty: there is none. */
function reasonIn(body: string): string {
  const rejection = /^Unhandled rejection: Err \{ reason: "(.*)" \}$/s.exec(body)?.[1]
  if (rejection !== undefined) return oneLine(rejection.replaceAll(/\\(["\\])/g, '$1'))
  try {
    const { reason, mistakes } = membersOf(JSON.parse(body))
    return Array.isArray(mistakes) ? mistakesText(mistakes) : textOf(reason)
  } catch {
    // A web page says nothing to people in a terminal.
    return /^\s*</.test(body) ? '' : oneLine(body.replace(/^Invalid URL: /, ''))
  }
}
