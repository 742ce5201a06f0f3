/** The answers of the management API as values, before they become bytes (docs/behaviours.md A3–A5). */

export const JSON_TYPE = 'application/json'
/** Content type of answers that contain keys, as in the reference. */
export const KEY_TYPE = 'application/json; charset=utf-8'
export const TEXT_TYPE = 'text/plain; charset=utf-8'
/** An answer of this type is sent part by part as they are made, without compression and without a time limit. */
export const EVENTS_TYPE = 'text/event-stream'

export class Answer {
  readonly status: number
  /** Content type; undefined: no body. */
  readonly type: string | undefined
  /** Parts of a sequence are made when the client takes them, so that a long list is never in memory as a whole. */
  readonly body: string | Uint8Array<ArrayBuffer> | AsyncGenerator<string>
  readonly headers: Readonly<Record<string, string>>
  /** What was changed, for the log; undefined: what the path names. */
  readonly changed: string | undefined

  constructor(
    status: number,
    type?: string,
    body: Answer['body'] = '',
    headers: Readonly<Record<string, string>> = {},
    changed?: string,
  ) {
    this.status = status
    this.type = type
    this.body = body
    this.headers = headers
    this.changed = changed
  }
}

/** A success. The body is JSON already: numbers in it may have 64 bits, and long lists are made part by part. */
export const json = (body: string | AsyncGenerator<string>, type = JSON_TYPE): Answer =>
  new Answer(200, type, body)

export const OK = json('{"status":"ok"}')
/** Answer to a bulk request. */
export const okCount = (count: number): Answer => json(`{"status":"ok","count":${count}}`)

/** The answer to a change; `what` was changed, for the log. */
export const changed = (what: string, { status, type, body, headers }: Answer): Answer =>
  new Answer(status, type, body, headers, what)

/** A refusal as JSON, in the reference's form. */
export const refusalJson = (
  status: number,
  reason: string,
  headers?: Readonly<Record<string, string>>,
): Answer => new Answer(status, JSON_TYPE, JSON.stringify({ status: 'err', reason }), headers)
