/**
 * The way of every request to the management API (docs/behaviours.md A1): token, path, method, parameter,
 * then its operation, within one time limit. Whatever is wrong, with the request or with us, becomes an answer.
 */
import { onceEach, type Report } from '../log.ts'
import { type Garbage, HTTP_REQUEST } from '../servers/garbage.ts'
import { rawPath } from '../servers/listen.ts'
import { Deadline } from '../time/deadline.ts'
import { type Answer, badUrl, NOT_FOUND, type Part, rejection, TIMED_OUT } from './answers.ts'
import { Tokens } from './authentication.ts'
import type { FailedCalls } from './failed-calls.ts'
import type { ApiParts, Operation } from './operation.ts'
import { readQuery } from './parameters.ts'
import {
  abandon,
  isPart,
  type Prepared,
  prepare,
  prepareEvents,
  requestId,
  respond,
} from './reply.ts'
import { isLong, mostBytesRead } from './request-body.ts'

const UNFORESEEN = rejection('internal server error')

/** Bytes of garbage for each byte of a body that was read, and for each character that was printed: copies, objects. */
const READ = 16
const PRINTED = 8
const garbageOf = (part: Part): number =>
  typeof part === 'string' ? part.length * PRINTED : part.length

type Ready = { readonly answer: Answer; readonly body: Prepared | undefined }

type PipelineOptions = {
  readonly parts: ApiParts
  readonly operations: readonly Operation[]
  readonly garbage: Garbage
  readonly failed: FailedCalls
  /** Time limit until an answer begins. */
  readonly milliseconds: number
  /** Called for a request whose answer may be silent for longer than idle connections stay open. */
  readonly keepOpen: (request: Request) => void
}

export class Pipeline {
  readonly #schema: ApiParts['schema']
  readonly #tokens: Tokens
  readonly #paths: Paths
  readonly #report: Report
  readonly #garbage: Garbage
  readonly #failed: FailedCalls
  readonly #milliseconds: number
  readonly #keepOpen: PipelineOptions['keepOpen']
  /** One for each event stream that is open. */
  readonly #streams = new Set<AbortController>()
  #isStopping = false

  constructor({ parts, operations, garbage, failed, milliseconds, keepOpen }: PipelineOptions) {
    this.#schema = parts.schema
    this.#tokens = new Tokens(parts.tokens)
    this.#paths = new Paths(operations)
    this.#report = onceEach((what, error) => parts.report(what, error))
    this.#garbage = garbage
    this.#failed = failed
    this.#milliseconds = milliseconds
    this.#keepOpen = keepOpen
  }

  /** Ends the event streams, those that are still to come included. */
  endStreams(): void {
    this.#isStopping = true
    for (const stream of [...this.#streams]) stream.abort()
  }

  /** `operation`: what the router found for path and method; undefined: nothing. Never rejects. */
  async answer(request: Request, operation: Operation | undefined): Promise<Response> {
    this.#garbage.made(HTTP_REQUEST + request.url.length)
    const what = operation === undefined ? 'api' : `${operation.method} ${operation.path}`
    const id = requestId(request)
    const began = performance.now()
    const log = (answer: Answer): void => {
      const call = operation === undefined ? request.method : what
      this.#failed.log({ call, answer, id, milliseconds: performance.now() - began })
    }
    const deadline = Deadline.in(this.#milliseconds)
    const ready = this.#ready(request, operation, what)
    const isInTime = await deadline.waitFor(ready)
    if (request.bodyUsed) this.#garbage.kept(mostBytesRead(request) * READ)
    if (!isInTime) {
      void ready.then(({ body }) => body && abandon(body))
      log(TIMED_OUT)
      return respond(request, TIMED_OUT, undefined, undefined, () => {})
    }
    const { answer: decided, body } = await ready
    const unread = isLong(request) && !request.bodyUsed
    const answer = unread ? { ...decided, close: true } : decided
    log(answer)
    if (body?.gone && request.method !== 'HEAD') this.#keepOpen(request)
    return respond(request, answer, body, id, (error) => this.#report(what, error))
  }

  /** The answer, and the beginning of its body. Never rejects. */
  async #ready(request: Request, operation: Operation | undefined, what: string): Promise<Ready> {
    try {
      const answer = await this.#decide(request, operation)
      const { body, events } = answer
      if (events !== undefined) return { answer, body: this.#open(events) }
      return {
        answer,
        body: body === undefined ? undefined : await prepare(this.#counted(body)),
      }
    } catch (error) {
      this.#report(what, error)
      return { answer: UNFORESEEN, body: await prepare(UNFORESEEN.body!) }
    }
  }

  #open(events: NonNullable<Answer['events']>): Prepared {
    const stream = prepareEvents((gone) => this.#countedParts(events(gone)))
    this.#streams.add(stream.gone)
    stream.gone.signal.addEventListener('abort', () => void this.#streams.delete(stream.gone))
    if (this.#isStopping) stream.gone.abort()
    return stream
  }

  /** The same body; its parts are counted as garbage when they are made. */
  #counted(body: Part | AsyncIterable<Part>): Part | AsyncIterable<Part> {
    if (!isPart(body)) return this.#countedParts(body)
    this.#garbage.made(garbageOf(body))
    return body
  }

  async *#countedParts(parts: AsyncIterable<Part>): AsyncGenerator<Part> {
    for await (const part of parts) {
      this.#garbage.kept(garbageOf(part))
      yield part
    }
  }

  #decide(request: Request, operation: Operation | undefined): Answer | Promise<Answer> {
    const query = readQuery(request.url)
    if (!operation?.open) {
      const refusal = this.#tokens.refuse(query, request.headers.get('authorization'))
      if (refusal !== undefined) return refusal
    }
    const path = rawPath(request)
    const methods = this.#paths.methods(path)
    if (operation === undefined || methods === undefined || !methods.includes(operation.method))
      return unmatched(request, operation, methods)
    const name = /:(.+)$/.exec(operation.path)?.[1]
    const context = { request, query, schema: this.#schema }
    if (name === undefined) return operation.answer({ ...context, parameter: '' })
    const parameter = decodeSegment(lastSegment(path))
    if (parameter === undefined) return badUrl(`Invalid UTF-8 in \`${name}\``)
    // Clients strip blanks from the end of a URL, so a blank parameter is the same as none.
    if (/^[ \t\r\n]*$/.test(parameter)) return NOT_FOUND
    return operation.answer({ ...context, parameter })
  }
}

/**
 * The answer where nothing, or only another method, is at this path. A path that the router did not find
 * although it exists was written differently on the wire (`/v1/../v1`): it is unknown in that form.
 */
function unmatched(
  request: Request,
  operation: Operation | undefined,
  methods: readonly string[] | undefined,
): Answer {
  if (methods === undefined) return NOT_FOUND
  if (operation === undefined && methods.includes(request.method)) return NOT_FOUND
  return { status: 405, headers: { allow: methods.join(',') } }
}

/**
 * Every path with its methods. Paths are looked up as they stood on the wire: the URL of a request has `..`
 * resolved, and where that leads is of no interest. At most the last segment of a path is a parameter (`:name`).
 */
class Paths {
  /** By path; the name of a parameter is left out. */
  readonly #methods = new Map<string, string[]>()

  constructor(operations: readonly Operation[]) {
    for (const { method, path } of operations) {
      const key = path.replace(/:[^/]*$/, '')
      const methods = this.#methods.get(key) ?? []
      methods.push(...(method === 'GET' ? ['GET', 'HEAD'] : [method]))
      this.#methods.set(key, methods)
    }
  }

  /** The methods of `path`, a fixed last segment before a parameter; undefined: the path is unknown. */
  methods(path: string): readonly string[] | undefined {
    const fixed = path.endsWith('/') ? undefined : this.#methods.get(path)
    return fixed ?? (lastSegment(path) === '' ? undefined : this.#methods.get(parent(path)))
  }
}

const parent = (path: string): string => path.slice(0, path.lastIndexOf('/') + 1)
const lastSegment = (path: string): string => path.slice(path.lastIndexOf('/') + 1)

const DECODER = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** Percent-decodes a segment; `+` and broken escapes stay as they are. undefined: it is not UTF-8. */
function decodeSegment(segment: string): string | undefined {
  const bytes = segment.replaceAll(/%([0-9a-f]{2})/gi, (_escape, hex) =>
    String.fromCharCode(Number.parseInt(hex, 16)),
  )
  try {
    return DECODER.decode(Buffer.from(bytes, 'latin1'))
  } catch {
    return undefined
  }
}
