/** Requests to the tracker. Addresses are relative to the page: a proxy may put both under a path. */

export type Session = {
  /** Of the token in the configuration. */
  readonly name: string
  readonly scope: 'all' | 'read' | 'metrics'
}

/** Why a request was not done: `unknown` is the session, `unreachable` the tracker; all others are told by it. */
export type Fault = 'unreachable' | 'unknown' | 'refused'

/** The message is for people. */
export class Failure extends Error {
  readonly fault: Fault

  constructor(fault: Fault, message: string) {
    super(message)
    this.fault = fault
  }
}

export const textOf = (error: unknown): string =>
  error instanceof Error ? error.message : String(error)
export const faultOf = (error: unknown): Fault | undefined =>
  error instanceof Failure ? error.fault : undefined

type Question = {
  readonly method?: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'
  /** Sent as JSON. */
  readonly body?: unknown
  readonly milliseconds?: number
  readonly signal?: AbortSignal
}

const PATIENCE_MILLISECONDS = 15_000
let forgetSession = (): void => undefined

/** Calls `forget` whenever the tracker does not know the session any more. */
export function onUnknownSession(forget: () => void): void {
  forgetSession = forget
}

/**
 * What a site calls its users are integers of 64 bits, more than a number holds: the page has their digits. Browsers that
 * do not know this part of ECMAScript 2026 yet are exact up to 2^53.
 */
const USER_ID = 'user_id'
const parse: (
  text: string,
  reviver: (name: string, value: unknown, context?: { readonly source?: string }) => unknown,
) => ReturnType<typeof JSON.parse> = JSON.parse
const exactly = (digits: string): unknown =>
  'rawJSON' in JSON && typeof JSON.rawJSON === 'function' ? JSON.rawJSON(digits) : Number(digits)
const readUserId: Parameters<typeof parse>[1] = (name, value, context) =>
  name === USER_ID && value !== null ? (context?.source ?? String(value)) : value
const writeUserId = (name: string, value: unknown): unknown =>
  name === USER_ID && typeof value === 'string' ? exactly(value) : value

/** The JSON of the answer. Rejects with a `Failure`. */
export async function ask<T>(path: string, question: Question = {}): Promise<T> {
  const { method = 'GET', body, milliseconds = PATIENCE_MILLISECONDS, signal } = question
  const limit = AbortSignal.timeout(milliseconds)
  let response: Response
  let text: string
  try {
    response = await fetch(path, {
      method,
      signal: signal ? AbortSignal.any([signal, limit]) : limit,
      ...(body !== undefined && {
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(body, writeUserId),
      }),
    })
    text = await response.text()
  } catch {
    throw new Failure('unreachable', 'The tracker does not answer.')
  }
  if (response.ok) {
    try {
      const value: T = parse(text, readUserId)
      return value
    } catch {
      throw new Failure('refused', 'The answer is not from a tracker.')
    }
  }
  const failure = failureOf(response.status, text)
  if (failure.fault === 'unknown' && path !== 'session') forgetSession()
  throw failure
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

/** What the API answers where other programs answer 401. */
const UNAUTHORIZED = /^(unauthorized|token not valid|unknown token provided)$/

function failureOf(status: number, text: string): Failure {
  const mistakes = mistakesIn(text)
  if (mistakes !== undefined) return new Failure('refused', mistakes)
  const reason = reasonOf(text)
  if (status === 401 || (status === 500 && UNAUTHORIZED.test(reason)))
    return new Failure('unknown', reason)
  if (status >= 502 && status <= 504)
    return new Failure('unreachable', `The tracker does not answer (${status}).`)
  return new Failure('refused', sentence(reason === '' ? `the answer is ${status}` : reason))
}

/** Those of a configuration, one a line, as they are. */
function mistakesIn(text: string): string | undefined {
  const value = parsed(text)
  if (typeof value !== 'object' || value === null || !('mistakes' in value)) return undefined
  return Array.isArray(value.mistakes) ? value.mistakes.join('\n') : undefined
}

/** The API has several forms for the same. */
function reasonOf(text: string): string {
  const value = parsed(text)
  if (typeof value === 'object' && value !== null) {
    if ('reason' in value) return String(value.reason)
  }
  const [, quoted] = /^Unhandled rejection: Err \{ reason: (".*") \}$/s.exec(text) ?? []
  return (quoted && String(parsed(quoted) ?? quoted)) || text.slice(0, 2_000)
}

const sentence = (text: string): string =>
  `${text.charAt(0).toUpperCase()}${text.slice(1)}${/[.!?:]$/.test(text) ? '' : '.'}`
