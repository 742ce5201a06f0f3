/**
 * What every request to the management API has, whatever its route (docs/behaviours.md A1, A5, A6, A8): an id, a
 * time limit, a line in the log if it fails or changes something, and an answer that is compressed and sent as the
 * client takes it.
 */
import { NotFoundError, ParseError, ValidationError } from 'elysia'
import { onceEach, type Report } from '../log/report.ts'
import { type Garbage, HTTP_REQUEST } from '../servers/garbage.ts'
import { rawPath } from '../servers/listen.ts'
import { Deadline } from '../time/deadline.ts'
import { nextTurn } from '../time/turns.ts'
import { type Answer, EVENTS_TYPE } from './answers.ts'
import { type Audit, listsIn, subjectOf } from './audit.ts'
import type { Asker, Tokens } from './authentication.ts'
import { compressed, compressedWhole, preferredCoding } from './compression.ts'
import type { EventStreams, Subscribe } from './event-stream.ts'
import type { FailedCalls } from './failed-calls.ts'
import { answerTo, Failure, notFound, timedOut } from './failures.ts'
import { failureOf } from './invalid-request.ts'
import type { Matched } from './parts.ts'
import type { Paths } from './paths.ts'

/** Shorter bodies are not worth compressing. */
const LEAST_COMPRESSED_BYTES = 32
/** Characters of a body in parts that are gathered: if it ends before that, it is sent in one piece. */
const MOST_GATHERED = 64 * 1024
/** The request ids of clients that are repeated in the answer's header. */
const REQUEST_ID = /^[\x20-\x7e]{1,200}$/
/** Bytes of garbage for each character that is printed: copies, objects. */
const GARBAGE_PER_CHARACTER = 8

type Call = {
  readonly id: string
  readonly began: number
  /** Address of the client. */
  readonly from: string
  /** undefined: its token was not checked, or is none of ours. */
  asker: Asker | undefined
  /** How long the lists in its body are. */
  lists: string
  isLate: boolean
}

/** Makes the response to a request. */
export type Handle = (request: Request) => Response | Promise<Response>

type ExchangeOptions = {
  readonly tokens: Tokens
  readonly paths: Paths
  readonly report: Report
  readonly garbage: Garbage
  readonly failed: FailedCalls
  readonly audit: Audit
  readonly streams: EventStreams
  /** Address of the client; undefined: it is gone. */
  readonly addressOf: (request: Request) => string | undefined
  /** Time limit until an answer begins. */
  readonly milliseconds: number
}

export class Exchange {
  readonly #options: ExchangeOptions
  readonly #calls = new WeakMap<Request, Call>()

  constructor(options: ExchangeOptions) {
    this.#options = { ...options, report: onceEach(options.report) }
  }

  /** Around everything else: the response of `handle`, or in time that there is none. */
  async run(request: Request, handle: Handle): Promise<Response> {
    this.#options.garbage.made(HTTP_REQUEST + request.url.length)
    const call = {
      id: requestId(request),
      began: performance.now(),
      from: this.#options.addressOf(request) ?? 'unknown',
      asker: undefined,
      lists: '',
      isLate: false,
    }
    this.#calls.set(request, call)
    const response = Promise.try(handle, request).catch((error) => this.#refuse(request, error))
    if (await Deadline.in(this.#options.milliseconds).waitFor(response)) return await response
    call.isLate = true
    return await this.send(request, this.fail(request, timedOut()))
  }

  /** The response where no route matches. */
  unmatched(request: Request): Promise<Response> {
    return this.run(request, () => this.#refuse(request, new NotFoundError()))
  }

  /** Throws unless the request has a token that is good for the route. */
  admit({ request, route }: Matched): void {
    const { tokens, paths } = this.#options
    this.#calls.get(request)!.asker = tokens.check(request, paths.scopeOf(request, route))
  }

  /** `body` is what was read of the body of the request. Returns it. */
  wasRead(request: Request, body: unknown): unknown {
    // The rest need not be kept until the change is done.
    this.#calls.get(request)!.lists = listsIn(body)
    return body
  }

  /** The request is done: a change has a line in the log. `params`: of its path, if it has some. */
  done(
    { request, route }: Matched,
    params: Readonly<Record<string, string>> | undefined,
    answer: Answer,
  ): void {
    const { asker, lists, from } = this.#calls.get(request)!
    const action = this.#options.paths.changeOf(request, route)
    if (asker === undefined || action === undefined || answer.status !== 200) return
    const what = subjectOf(params, answer) ?? lists
    this.#options.audit.changed({ action, what, token: asker.name, from })
  }

  /** An answer that goes on: see event-stream.ts. Throws when too many are open. */
  stream(request: Request, subscribe: Subscribe): Answer {
    const { asker, from } = this.#calls.get(request)!
    return this.#options.streams.open(request, `${asker?.name} ${from}`, subscribe)
  }

  #refuse(request: Request, error: unknown): Promise<Response> {
    return this.send(request, this.fail(request, error))
  }

  /** The answer to whatever was thrown. */
  fail(request: Request, error: unknown): Answer {
    const failure = this.#failureOf(request, error)
    const answer = answerTo(failure, rawPath(request))
    const { id, began, from } = this.#calls.get(request)!
    const call = this.#options.paths.nameOf(request)
    if (isWrongToken(failure)) this.#options.audit.refused(call, failure.message, from)
    this.#options.failed.log({
      call,
      answer,
      id,
      milliseconds: performance.now() - began,
    })
    return answer
  }

  #failureOf(request: Request, error: unknown): Failure {
    if (error instanceof Failure) return error
    if (error instanceof ParseError) return this.#failureOf(request, error.cause)
    if (error instanceof NotFoundError) return this.#noRoute(request)
    if (error instanceof ValidationError)
      // What has a fixed last segment is no parameter: `POST /whitelist/reload`.
      return error.type === 'params' && this.#options.paths.isFixed(rawPath(request))
        ? this.#noRoute(request)
        : failureOf(error)
    this.#options.report(this.#options.paths.nameOf(request), error)
    return new Failure(500, 'internal server error')
  }

  /** Only a client with a token learns what there is. */
  #noRoute(request: Request): Failure {
    try {
      this.#options.tokens.check(request, this.#options.paths.scopeOf(request))
    } catch (error) {
      return error as Failure
    }
    const methods = this.#options.paths.methods(rawPath(request))
    // A path that exists and yet has no route was written differently on the wire (`/v1/../v1`).
    if (methods === undefined || methods.includes(request.method)) return notFound()
    return new Failure(405, 'method not allowed', { allow: methods.join(',') })
  }

  /** Rejects when the beginning of the body cannot be made. */
  async send(request: Request, { status, type, body, headers: own }: Answer): Promise<Response> {
    const call = this.#calls.get(request)!
    const headers = new Headers({ 'x-request-id': call.id, ...own })
    if (type === undefined) return new Response(null, { status, headers })
    headers.set('content-type', type)
    if (type === EVENTS_TYPE && isMadeInParts(body)) return this.#sendEvents(request, body, headers)
    const { head, rest } = await gather(body)
    this.#options.garbage.made(head.length * GARBAGE_PER_CHARACTER)
    const isLong = rest !== undefined || head.length >= LEAST_COMPRESSED_BYTES
    if (isLong) headers.append('vary', 'accept-encoding')
    const isHead = request.method === 'HEAD'
    if (rest !== undefined && (isHead || call.isLate || request.signal.aborted)) {
      await rest.return(undefined)
      return new Response(null, { status, headers })
    }
    const accept = request.headers.get('accept-encoding')
    const coding = isLong && !isHead ? preferredCoding(accept) : undefined
    if (coding !== undefined) headers.set('content-encoding', coding)
    if (rest === undefined && (coding === undefined || head.length <= MOST_GATHERED)) {
      const whole = coding === undefined ? head : compressedWhole(head, coding)
      return new Response(whole, { status, headers })
    }
    const parts = this.#parts(head, rest)
    const sent = coding === undefined ? parts : compressed(parts, coding)
    return new Response(this.#inTurns(sent, this.#options.paths.nameOf(request)), {
      status,
      headers,
    })
  }

  async #sendEvents(
    request: Request,
    body: AsyncGenerator<string>,
    headers: Headers,
  ): Promise<Response> {
    if (request.method !== 'HEAD' && !this.#calls.get(request)!.isLate) {
      const parts = this.#parts(undefined, body)
      return new Response(this.#inTurns(parts, this.#options.paths.nameOf(request)), { headers })
    }
    await body.return(undefined)
    return new Response(null, { headers })
  }

  async *#parts(head: Bytes | undefined, rest: Gathered['rest']): AsyncGenerator<Bytes> {
    try {
      if (head !== undefined) yield head
      for await (const part of rest ?? []) {
        this.#options.garbage.kept(part.length * GARBAGE_PER_CHARACTER)
        yield Buffer.from(part)
      }
    } finally {
      await rest?.return(undefined)
    }
  }

  /** Each part when the client has taken the one before. */
  async *#inTurns(parts: AsyncIterable<Bytes>, what: string): AsyncGenerator<Bytes> {
    try {
      for await (const part of parts) {
        // Parts may be made and taken without ever waiting; everything else would never get a turn then.
        await nextTurn()
        yield part
      }
    } catch (error) {
      this.#options.report(what, error)
      // Breaks the connection off, so that half a list is not taken for a whole one.
      throw error
    }
  }
}

/** A request without any token tries none. */
const isWrongToken = ({ status, message }: Failure): boolean =>
  status === 403 || (status === 401 && message !== 'unauthorized')

const requestId = (request: Request): string => {
  const own = request.headers.get('x-request-id')
  return own !== null && REQUEST_ID.test(own) ? own : crypto.randomUUID()
}

type Bytes = Uint8Array<ArrayBuffer>
/** The beginning of a body, and the parts after it; undefined: none. */
type Gathered = { readonly head: Bytes; readonly rest: AsyncGenerator<string> | undefined }

const isMadeInParts = (body: Answer['body']): body is AsyncGenerator<string> =>
  typeof body !== 'string' && !(body instanceof Uint8Array)

async function gather(body: Answer['body']): Promise<Gathered> {
  if (typeof body === 'string') return { head: Buffer.from(body), rest: undefined }
  if (body instanceof Uint8Array) return { head: body, rest: undefined }
  let head = ''
  while (head.length < MOST_GATHERED) {
    const { done, value } = await body.next()
    if (done) return { head: Buffer.from(head), rest: undefined }
    head += value
  }
  return { head: Buffer.from(head), rest: body }
}
