/**
 * The answers of the management API as values, before they become bytes (docs/behaviours.md A3–A5). The
 * texts are part of the contract with clients: not a character of them may change.
 */
import { LIMITS } from '../limits.ts'
import { cut } from '../text/printable.ts'

/** A body or a part of one; text is sent as UTF-8. */
export type Part = string | Uint8Array<ArrayBuffer>

export type Answer = {
  readonly status: number
  /** Content type; absent = no body. */
  readonly type?: string
  /** Parts of a sequence are made when the client takes them, so that a long list is never in memory as a whole. */
  readonly body?: Part | AsyncIterable<Part>
  /**
   * In place of `body`: parts that are sent when they are made, for as long as they come (`eventStream`).
   * `gone` aborts when the client leaves or the server stops; whatever the sequence waits for, it must end then.
   */
  readonly events?: (gone: AbortSignal) => AsyncIterable<Part>
  /**
   * Absent: `body` is compressed as the client accepts. 'none': never, because it would not shrink. `gzip`:
   * the same body, compressed beforehand, for clients that accept it; others get `body` as it is.
   */
  readonly compression?: 'none' | { readonly gzip: Uint8Array<ArrayBuffer> }
  /** Further headers. A client that has the content with this `etag` already is answered 304 without it. */
  readonly headers?: Readonly<Record<string, string>>
  /** Nothing more is read from this connection. */
  readonly close?: boolean
}

const JSON_TYPE = 'application/json'
/** Content type of answers that contain keys, as in the reference. */
export const KEY_TYPE = 'application/json; charset=utf-8'
const TEXT_TYPE = 'text/plain; charset=utf-8'

export const json = (body: string | AsyncIterable<string>, type = JSON_TYPE): Answer => ({
  status: 200,
  type,
  body,
})
/** Server-sent events, each as text that ends with an empty line. */
export const eventStream = (events: NonNullable<Answer['events']>): Answer => ({
  status: 200,
  type: 'text/event-stream',
  events,
  headers: { 'cache-control': 'no-store' },
})
export const text = (status: number, body: string): Answer => ({ status, type: TEXT_TYPE, body })

export const OK = json('{"status":"ok"}')
/** Answer to a bulk request. */
export const okCount = (count: number): Answer => json(`{"status":"ok","count":${count}}`)
export const NOT_FOUND: Answer = { status: 404 }
export const TIMED_OUT: Answer = { status: 408, close: true }
export const BODY_TOO_LONG: Answer = {
  ...text(413, 'Failed to buffer the request body: length limit exceeded'),
  close: true,
}

/** "Unhandled rejection": the text of every status 500. */
export const rejection = (reason: string): Answer =>
  text(500, `Unhandled rejection: Err { reason: ${debugQuote(reason)} }`)
export const badQuery = (detail: string): Answer =>
  text(400, `Failed to deserialize query string: ${detail}`)
export const badUrl = (detail: string): Answer => text(400, `Invalid URL: ${detail}`)
export const badInfoHash = (value: string): Answer =>
  badUrl(`invalid infohash param: string "${echo(value)}", expected a 40 character long string`)
export const disabled = (capability: string): Answer => ({
  status: 409,
  type: JSON_TYPE,
  body: `{"status":"err","reason":"${capability} capability is disabled by configuration"}`,
})

/** A client's own text as an error repeats it. */
export const echo = (value: string): string => cut(value, LIMITS.echo, '...')

const ESCAPES: Record<string, string> = {
  '"': '\\"',
  '\\': '\\\\',
  '\0': '\\0',
  '\t': '\\t',
  '\n': '\\n',
  '\r': '\\r',
}

/** A string as Rust prints it for debugging: in quotes, on one line. */
export const debugQuote = (value: string): string =>
  `"${value.replaceAll(/["\\\p{C}\p{Zl}\p{Zp}]/gu, (found) => ESCAPES[found] ?? `\\u{${found.codePointAt(0)!.toString(16)}}`)}"`
