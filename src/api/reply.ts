/**
 * Makes an answer of the management API into a response: request id, compression, streams
 * (docs/behaviours.md A1, A8). Holds no more than one part of a long body in memory.
 */
import type { Answer } from './answers.ts'
import { compressed, preferredCoding } from './compression.ts'

/** Shorter bodies are not worth compressing. */
const LEAST_COMPRESSED_BYTES = 32
/** So much of a body in parts is gathered: if it ends before that, its length is known. */
const GATHERED_CHARACTERS = 64 * 1024
/** The request ids of clients that are repeated in the answer's header. */
const REQUEST_ID = /^[\x20-\x7e]{1,200}$/

export const requestId = (request: Request): string => {
  const own = request.headers.get('x-request-id')
  return own !== null && REQUEST_ID.test(own) ? own : crypto.randomUUID()
}

/** A body whose beginning has been made. */
export type Prepared = {
  readonly head: string
  /** The parts after it; undefined: none. */
  readonly rest: AsyncIterator<string> | undefined
}

/** Gathers the beginning. Rejects when that fails: another answer is still possible then. */
export async function prepare(body: string | AsyncIterable<string>): Promise<Prepared> {
  if (typeof body === 'string') return { head: body, rest: undefined }
  const parts = body[Symbol.asyncIterator]()
  let head = ''
  while (head.length < GATHERED_CHARACTERS) {
    const { done, value } = await parts.next()
    if (done) return { head, rest: undefined }
    head += value
  }
  return { head, rest: parts }
}

/** `broken` receives the error when a response that has begun cannot be finished. */
export function respond(
  request: Request,
  answer: Answer,
  body: Prepared | undefined,
  id: string | undefined,
  broken: (error: unknown) => void,
): Response {
  const headers = new Headers()
  if (id !== undefined) headers.set('x-request-id', id)
  if (answer.allow !== undefined) headers.set('allow', answer.allow)
  if (answer.close) headers.set('connection', 'close')
  const { status } = answer
  if (body === undefined || answer.type === undefined)
    return new Response(null, { status, headers })

  headers.set('content-type', answer.type)
  const head = Buffer.from(body.head)
  const long = body.rest !== undefined || head.length >= LEAST_COMPRESSED_BYTES
  if (long) headers.set('vary', 'accept-encoding')
  if (request.method === 'HEAD') {
    if (body.rest === undefined) headers.set('content-length', String(head.length))
    abandon(body)
    return new Response(null, { status, headers })
  }
  const coding = long ? preferredCoding(request.headers.get('accept-encoding')) : undefined
  if (coding !== undefined) {
    headers.set('content-encoding', coding)
    return new Response(stream(compressed(bytesOf(head, body.rest), coding), broken), {
      status,
      headers,
    })
  }
  const whole = body.rest === undefined ? head : stream(bytesOf(head, body.rest), broken)
  return new Response(whole, { status, headers })
}

/** Gives up the rest of a body. */
export const abandon = ({ rest }: Prepared): void => {
  rest?.return?.().catch(() => {})
}

async function* bytesOf(
  head: Uint8Array,
  rest: AsyncIterator<string> | undefined,
): AsyncGenerator<Uint8Array> {
  try {
    yield head
    for (let part = await rest?.next(); part && !part.done; part = await rest?.next())
      yield Buffer.from(part.value)
  } finally {
    await rest?.return?.()
  }
}

/** Makes each part when the client has taken the one before. */
function stream(
  parts: AsyncGenerator<Uint8Array>,
  broken: (error: unknown) => void,
): ReadableStream<Uint8Array> {
  /** The client left, perhaps while a part was being made. */
  let unwanted = false
  const pull = async (controller: ReadableStreamDefaultController<Uint8Array>): Promise<void> => {
    try {
      // Parts may be made and taken without ever waiting; everything else would never get a turn then.
      await new Promise((resolve) => setImmediate(resolve))
      if (unwanted) return
      const { done, value } = await parts.next()
      if (unwanted) return
      if (done) controller.close()
      else controller.enqueue(value)
    } catch (error) {
      if (unwanted) return
      broken(error)
      // Breaks the connection off, so that half a list is not taken for a whole one. Bun would print any
      // error but null on standard error.
      controller.error(null)
    }
  }
  const cancel = async (): Promise<void> => {
    unwanted = true
    await parts.return(undefined).catch(() => {})
  }
  return new ReadableStream({ pull, cancel }, { highWaterMark: 0 })
}
