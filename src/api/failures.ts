/**
 * What goes wrong with a request, and the answer that says so. Under `/api/v1` statuses and words are the
 * reference's, because its clients compare them (docs/behaviours.md A3–A5); everywhere else plain HTTP.
 */
import { LIMITS } from '../limits.ts'
import type { PermissionFault } from '../storage/permissions.ts'
import { cut } from '../text/printable.ts'
import { Answer, refusalJson, TEXT_TYPE } from './answers.ts'

/** Thrown by whatever finds a mistake: the status of plain HTTP, and the reason in words for the client. */
export class Failure extends Error {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>

  constructor(status: number, reason: string, headers: Readonly<Record<string, string>> = {}) {
    super(reason)
    this.status = status
    this.headers = headers
  }
}

export const unauthorized = (reason: string): Failure =>
  new Failure(401, reason, { 'www-authenticate': 'Bearer' })
export const forbidden = (reason: string): Failure => new Failure(403, reason)
export const badUrl = (detail: string): Failure => new Failure(400, `Invalid URL: ${detail}`)
export const badQuery = (detail: string): Failure =>
  new Failure(400, `Failed to deserialize query string: ${detail}`)
export const notFound = (): Failure => new Failure(404, 'not found')
/** The path is right, and what it names does not exist: unlike that of an unknown path, the answer has a text. */
export class Missing extends Failure {
  constructor(what: string) {
    super(404, `${what} is not known`)
  }
}
export const timedOut = (): Failure =>
  new Failure(408, 'no answer in time', { connection: 'close' })
export const disabled = (capability: string): Failure =>
  new Failure(409, `${capability} capability is disabled by configuration`)

const VERSIONED = '/api/v1/'
const WITHOUT_BODY = [404, 405, 408]

export function answerTo(failure: Failure, path: string): Answer {
  const { status, message, headers } = failure
  if (!path.startsWith(VERSIONED) || failure instanceof Missing)
    return refusalJson(status, message, headers)
  if (WITHOUT_BODY.includes(status)) return new Answer(status, undefined, '', headers)
  if (status === 403 || status === 409) return refusalJson(status, message)
  if (status !== 401 && status !== 500) return new Answer(status, TEXT_TYPE, message, headers)
  const rejection = `Unhandled rejection: Err { reason: ${debugQuote(message)} }`
  return new Answer(500, TEXT_TYPE, rejection)
}

/** The result of `act`; when the database fails, a failure that says what was tried (`what`) and why it failed. */
export async function tryDatabase<T>(what: string, act: () => Promise<T>): Promise<T> {
  try {
    return await act()
  } catch (error) {
    if (!isDatabaseFault(error)) throw error
    throw new Failure(500, `${what}: ${error.message}`)
  }
}

/** Its message is for clients. */
export const isDatabaseFault = (error: unknown): error is PermissionFault =>
  error instanceof Error && 'fault' in error

/** A client's own text as a message repeats it. */
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
