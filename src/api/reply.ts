/**
 * Makes an answer of the management API into a response: request id, caching, compression, streams
 * (docs/behaviours.md A1, A8). Holds no more than one part of a long body in memory.
 */
import { nextTurn } from '../time/turns.ts'
import type { Answer, Part } from './answers.ts'
import { compressed, preferredCoding } from './compression.ts'

/** Shorter bodies are not worth compressing. */
const LEAST_COMPRESSED_BYTES = 32
/** Characters or bytes of a body in parts that are gathered: if it ends before that, its length is known. */
const GATHERED = 64 * 1024
/** The request ids of clients that are repeated in the answer's header. */
const REQUEST_ID = /^[\x20-\x7e]{1,200}$/
/** A comment of an event stream (WHATWG HTML). Bun holds back the head of a response until it has a first byte. */
const OPENING = Buffer.from(':\n\n')

export const requestId = (request: Request): string => {
  const own = request.headers.get('x-request-id')
  return own !== null && REQUEST_ID.test(own) ? own : crypto.randomUUID()
}

type Bytes = Uint8Array<ArrayBuffer>

/** A body whose beginning has been made. */
export type Prepared = {
  readonly head: Bytes
  /** The parts after it; undefined: none. */
  readonly rest: AsyncIterator<Part> | undefined
  /** Only for event streams: aborts when the stream ends, and aborting it ends the stream. */
  readonly gone?: AbortController
}

/** Gathers the beginning. Rejects when that fails: another answer is still possible then. */
export async function prepare(body: Part | AsyncIterable<Part>): Promise<Prepared> {
  if (isPart(body)) return { head: bytesOf(body), rest: undefined }
  const rest = body[Symbol.asyncIterator]()
  const head: Bytes[] = []
  for (let length = 0; length < GATHERED; ) {
    const { done, value } = await rest.next()
    if (done) return { head: Buffer.concat(head), rest: undefined }
    length += value.length
    head.push(bytesOf(value))
  }
  return { head: Buffer.concat(head), rest }
}

/** Gathers nothing: the response begins at once. */
export const prepareEvents = (events: NonNullable<Answer['events']>): Required<Prepared> => {
  const gone = new AbortController()
  return { head: OPENING, rest: events(gone.signal)[Symbol.asyncIterator](), gone }
}

export const isPart = (body: Part | AsyncIterable<Part>): body is Part =>
  typeof body === 'string' || body instanceof Uint8Array

const bytesOf = (part: Part): Bytes => (typeof part === 'string' ? Buffer.from(part) : part)

/** `broken` receives the error when a response that has begun cannot be finished. */
export function respond(
  request: Request,
  answer: Answer,
  body: Prepared | undefined,
  id: string | undefined,
  broken: (error: unknown) => void,
): Response {
  const { status, type, compression } = answer
  const headers = new Headers()
  if (id !== undefined) headers.set('x-request-id', id)
  for (const [name, value] of Object.entries(answer.headers ?? {})) headers.set(name, value)
  if (answer.close) headers.set('connection', 'close')
  if (body === undefined || type === undefined) return new Response(null, { status, headers })

  const { rest, gone } = body
  const accept = request.headers.get('accept-encoding')
  const isLong = rest !== undefined || body.head.length >= LEAST_COMPRESSED_BYTES
  const isCompressible = compression === undefined && gone === undefined && isLong
  const gzip = typeof compression === 'object' ? compression.gzip : undefined
  headers.set('content-type', type)
  if (isCompressible || gzip !== undefined) headers.set('vary', 'accept-encoding')
  if (isKnown(request, answer)) {
    headers.delete('content-type')
    abandon(body)
    return new Response(null, { status: 304, headers })
  }
  const sendsGzip = gzip !== undefined && preferredCoding(accept, ['gzip', 'identity']) === 'gzip'
  if (sendsGzip) headers.set('content-encoding', 'gzip')
  const head = sendsGzip ? gzip : body.head
  if (request.method === 'HEAD') {
    if (rest === undefined) headers.set('content-length', String(head.length))
    abandon(body)
    return new Response(null, { status, headers })
  }
  const coding = isCompressible ? preferredCoding(accept) : undefined
  if (coding !== undefined) headers.set('content-encoding', coding)
  if (coding === undefined && rest === undefined) return new Response(head, { status, headers })
  const parts = partsOf(head, rest)
  const sent = coding === undefined ? parts : compressed(parts, coding)
  return new Response(stream(sent, broken, gone), { status, headers })
}

/** Whether the client has the content already, by its entity tag (RFC 9110 §13.1.2, weak comparison). */
function isKnown(request: Request, { status, headers }: Answer): boolean {
  const known = request.headers.get('if-none-match')
  if (status !== 200 || headers?.etag === undefined || known === null) return false
  const opaque = (tag: string) => tag.trim().replace(/^W\//, '')
  const own = opaque(headers.etag)
  return known.trim() === '*' || known.split(',').some((tag) => opaque(tag) === own)
}

/** Gives up the rest of a body. */
export const abandon = ({ rest, gone }: Prepared): void => {
  gone?.abort()
  rest?.return?.().catch(() => {})
}

async function* partsOf(head: Bytes, rest: AsyncIterator<Part> | undefined): AsyncGenerator<Bytes> {
  try {
    yield head
    for (let part = await rest?.next(); part && !part.done; part = await rest?.next())
      yield bytesOf(part.value)
  } finally {
    await rest?.return?.()
  }
}

/** Makes each part when the client has taken the one before. */
function stream(
  parts: AsyncGenerator<Uint8Array>,
  broken: (error: unknown) => void,
  gone?: AbortController,
): ReadableStream<Uint8Array> {
  let isOver = false
  const end = async (): Promise<void> => {
    isOver = true
    gone?.abort()
    await parts.return(undefined).catch(() => {})
  }
  const start = (controller: ReadableStreamDefaultController<Uint8Array>): void => {
    const close = (): void => {
      if (isOver) return
      controller.close()
      void end()
    }
    if (gone?.signal.aborted) close()
    else gone?.signal.addEventListener('abort', close)
  }
  const pull = async (controller: ReadableStreamDefaultController<Uint8Array>): Promise<void> => {
    try {
      // Parts may be made and taken without ever waiting; everything else would never get a turn then.
      await nextTurn()
      if (isOver) return
      const { done, value } = await parts.next()
      // The client may have left while the part was made.
      if (isOver) return
      if (!done) return controller.enqueue(value)
      controller.close()
    } catch (error) {
      if (isOver) return
      broken(error)
      // Breaks the connection off, so that half a list is not taken for a whole one. Bun would print any
      // error but null on standard error.
      controller.error(null)
    }
    await end()
  }
  return new ReadableStream({ start, pull, cancel: end }, { highWaterMark: 0 })
}
