/** Reads the JSON body of a request as a value (docs/behaviours.md A7). */
import { echo, Failure } from './failures.ts'

/** A longer body is refused here up to twice the length, beyond that by Bun before it is read. */
const MOST_BYTES = 2_097_152
export const MOST_BODY_BYTES = 2 * MOST_BYTES

const UTF8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** Throws what is wrong with the body. `wasRead` is told how many bytes were read. */
export async function readJson(
  request: Request,
  wasRead: (bytes: number) => void,
): Promise<unknown> {
  if (!isJson(request.headers.get('content-type')))
    throw new Failure(415, 'Expected request with `Content-Type: application/json`')
  const bytes = await request.bytes().catch(() => {
    throw new Failure(400, 'The body broke off')
  })
  wasRead(bytes.length)
  if (bytes.length > MOST_BYTES)
    throw new Failure(413, 'Failed to buffer the request body: length limit exceeded')
  try {
    return parseJson(bytes)
  } catch (error) {
    if (error instanceof Failure) throw error
    // It may repeat a part of the text.
    const detail = echo((error as Error).message)
    throw new Failure(400, `Failed to parse the request body as JSON: ${detail}`)
  }
}

/** `application/json` or `application/…+json`, with parameters or without. */
function isJson(contentType: string | null): boolean {
  const [essence = ''] = (contentType ?? '').split(';', 1)
  return /^application\/(?:[!#$&^_.+\-0-9a-z]+\+)?json$/i.test(essence.trim())
}

/** `JSON.parse` with all that it gives a reviver (ECMAScript 2026), which TypeScript does not know yet. */
const parse: (
  text: string,
  reviver: (this: unknown, name: string, found: unknown, context?: { source?: string }) => unknown,
) => unknown = JSON.parse

/** Integers of 64 bits that no number can hold are bigints. A name that an object has twice is refused. */
function parseJson(bytes: Uint8Array): unknown {
  const membersOfText = countMembers(bytes)
  // The reviver sees the whole value last, as the member of an object that is not in the text.
  let members = -1
  const value = parse(UTF8.decode(bytes), function (name, found, context) {
    if (!Array.isArray(this)) members++
    // An object with such a member cannot be printed, which Elysia does with what does not fit a schema.
    if (name === 'toString') return undefined
    const source = context?.source ?? ''
    const isInexact = typeof found === 'number' && !Number.isSafeInteger(found)
    return isInexact && /^-?\d{1,20}$/.test(source) ? BigInt(source) : found
  })
  if (members < membersOfText) throw new Failure(422, `${WRONG_SHAPE}duplicate field in an object`)
  return value
}

export const WRONG_SHAPE = 'Failed to deserialize the JSON body into the target type: '

/** Levels of lists and objects, as the reference's parser, and values: twice as many as any list may have. */
const MOST_LEVELS = 128
const MOST_VALUES = 100_000

/**
 * Members of all objects of a JSON text. Throws before a text could keep the thread busy for long. Counts what stands
 * outside strings: each member has a colon, each value but the first of a list or object a comma.
 */
function countMembers(text: Uint8Array): number {
  let members = 0
  let values = 0
  let level = 0
  let isInString = false
  for (let at = 0; at < text.length; at++) {
    const byte = text[at]!
    if (byte === BYTES.quote) isInString = !isInString
    else if (byte === BYTES.backslash) at++
    else if (isInString) continue
    else if (byte === BYTES.colon) members++
    else if (byte === BYTES.comma) values++
    else if (byte === BYTES.openList || byte === BYTES.openObject) {
      values++
      level++
    } else if (byte === BYTES.closeList || byte === BYTES.closeObject) level--
    if (level > MOST_LEVELS) throw new Error('recursion limit exceeded')
    if (values > MOST_VALUES) throw new Error('too many values')
  }
  return members
}

const BYTES = {
  quote: 0x22,
  comma: 0x2c,
  colon: 0x3a,
  openList: 0x5b,
  backslash: 0x5c,
  closeList: 0x5d,
  openObject: 0x7b,
  closeObject: 0x7d,
} as const
