/**
 * Every request to the management API comes through here: token, path, method, parameter, and five seconds
 * for all of it (spec/torrust-rest-api §1). Whatever is wrong with a request or with us is an answer.
 */
import { type Garbage, HTTP_REQUEST } from '../servers/garbage.ts'
import { rawPath } from '../servers/listen.ts'
import { type Answer, badUrl, NOT_FOUND, rejection, TIMED_OUT } from './answers.ts'
import { Tokens } from './authentication.ts'
import type { FailedCalls } from './failed-calls.ts'
import type { Operation } from './operation.ts'
import { readQuery } from './parameters.ts'
import type { ApiParts } from './parts.ts'
import { decodeSegment, lastSegment, Paths } from './path.ts'
import { abandon, type Prepared, prepare, requestId, respond } from './reply.ts'
import { bodyLength, isLong } from './request-body.ts'

/** Kinds of unforeseen errors that are remembered as told. */
const MOST_KINDS = 100
const UNFORESEEN = rejection('internal server error')

/** Bytes of garbage for each byte of a body that was read, and of one that was written: copies, objects. */
const READ = 16
const WRITTEN = 8

type Ready = { readonly answer: Answer; readonly body: Prepared | undefined }

export class Door {
  readonly #schema: ApiParts['schema']
  readonly #tokens: Tokens
  readonly #paths: Paths
  readonly #report: ApiParts['report']
  readonly #garbage: Garbage
  readonly #failed: FailedCalls
  readonly #milliseconds: number
  readonly #told = new Set<string>()

  constructor(
    parts: ApiParts,
    operations: readonly Operation[],
    garbage: Garbage,
    failed: FailedCalls,
    milliseconds: number,
  ) {
    this.#schema = parts.schema
    this.#tokens = new Tokens(parts.tokens)
    this.#paths = new Paths(operations)
    this.#report = (what, error) => parts.report(what, error)
    this.#garbage = garbage
    this.#failed = failed
    this.#milliseconds = milliseconds
  }

  /** `operation`: what the router found at path and method; undefined: nothing. Never rejects. */
  async answer(request: Request, operation: Operation | undefined): Promise<Response> {
    this.#garbage.made(HTTP_REQUEST + request.url.length)
    const what = operation === undefined ? 'api' : `${operation.method} ${operation.path}`
    const id = requestId(request)
    const began = performance.now()
    const tell = (answer: Answer): void => {
      const call = operation === undefined ? request.method : what
      this.#failed.tell({ call, answer, id, milliseconds: performance.now() - began })
    }
    const late = Promise.withResolvers<undefined>()
    const timer = setTimeout(late.resolve, this.#milliseconds)
    const ready = this.#ready(request, operation, what)
    const inTime = await Promise.race([ready, late.promise])
    clearTimeout(timer)
    if (request.bodyUsed) this.#garbage.kept(bodyLength(request) * READ)
    if (inTime === undefined) {
      void ready.then(({ body }) => body && abandon(body))
      tell(TIMED_OUT)
      return respond(request, TIMED_OUT, undefined, undefined, () => {})
    }
    const unread = isLong(request) && !request.bodyUsed
    const answer = unread ? { ...inTime.answer, close: true } : inTime.answer
    tell(answer)
    return respond(request, answer, inTime.body, id, (error) => this.#tell(what, error))
  }

  /** The answer with the beginning of its body. */
  async #ready(request: Request, operation: Operation | undefined, what: string): Promise<Ready> {
    try {
      const answer = await this.#decide(request, operation)
      return {
        answer,
        body: answer.body === undefined ? undefined : await prepare(this.#written(answer.body)),
      }
    } catch (error) {
      this.#tell(what, error)
      return { answer: UNFORESEEN, body: await prepare(UNFORESEEN.body!) }
    }
  }

  /** Tells of the parts of an answer when they are made. */
  #written(body: string | AsyncIterable<string>): string | AsyncIterable<string> {
    const garbage = this.#garbage
    if (typeof body !== 'string')
      return (async function* () {
        for await (const part of body) {
          garbage.kept(part.length * WRITTEN)
          yield part
        }
      })()
    garbage.made(body.length * WRITTEN)
    return body
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
      return this.#astray(request, operation, methods)
    const name = /:(.+)$/.exec(operation.path)?.[1]
    const ask = { request, query, schema: this.#schema }
    if (name === undefined) return operation.answer({ ...ask, parameter: '' })
    const parameter = decodeSegment(lastSegment(path))
    if (parameter === undefined) return badUrl(`Invalid UTF-8 in \`${name}\``)
    // Clients strip a blank from the end of an address: with one or without, nothing was asked for.
    if (/^[ \t\r\n]*$/.test(parameter)) return NOT_FOUND
    return operation.answer({ ...ask, parameter })
  }

  /**
   * Nothing stands at this path, or only something else. What the router did not find although it is
   * there stood on the wire in other words (`/v1/../v1`): it is not known by those.
   */
  #astray(
    request: Request,
    operation: Operation | undefined,
    methods: readonly string[] | undefined,
  ): Answer {
    if (methods === undefined) return NOT_FOUND
    if (operation === undefined && methods.includes(request.method)) return NOT_FOUND
    return { status: 405, allow: methods.join(',') }
  }

  #tell(what: string, error: unknown): void {
    const kind = `${what}: ${error instanceof Error ? error.name : typeof error}`
    if (this.#told.has(kind) || this.#told.size >= MOST_KINDS) return
    this.#told.add(kind)
    this.#report(kind, error)
  }
}
