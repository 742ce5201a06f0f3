/** Reads the JSON body of a request as a value (docs/behaviours.md A7). */
import { echo, Failure } from './failures.ts'

/** A longer body is refused here up to twice the length, beyond that by Bun before it is read. */
const MOST_BYTES = 2_097_152
export const MOST_BODY_BYTES = 2 * MOST_BYTES

const UTF8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** Throws what is wrong with the body. `read` is told its length. */
export async function readJson(request: Request, read: (bytes: number) => void): Promise<unknown> {
  if (!isJson(request.headers.get('content-type')))
    throw new Failure(415, 'Expected request with `Content-Type: application/json`')
  const bytes = await request.bytes().catch(() => {
    throw new Failure(400, 'The body broke off')
  })
  read(bytes.length)
  if (bytes.length > MOST_BYTES)
    throw new Failure(413, 'Failed to buffer the request body: length limit exceeded')
  try {
    return parseJson(UTF8.decode(bytes))
  } catch (error) {
    if (error instanceof Failure) throw error
    // Of the syntax, of UTF-8, or more brackets than the stack holds. It may repeat a part of the text.
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
function parseJson(text: string): unknown {
  // The reviver sees the whole value last, as the member of an object that is not in the text.
  let members = -1
  const value = parse(text, function (_name, found, context) {
    if (!Array.isArray(this)) members++
    const source = context?.source ?? ''
    const isInexact = typeof found === 'number' && !Number.isSafeInteger(found)
    return isInexact && /^-?\d{1,20}$/.test(source) ? BigInt(source) : found
  })
  if (members < countMembers(text))
    throw new Failure(422, `${WRONG_SHAPE}duplicate field in an object`)
  return value
}

export const WRONG_SHAPE = 'Failed to deserialize the JSON body into the target type: '

const QUOTE = 0x22
const COLON = 0x3a
const BACKSLASH = 0x5c
/** Members of all objects of a JSON text: each has one colon that is in no string. */
function countMembers(text: string): number {
  let count = 0
  let isInString = false
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at)
    if (code === QUOTE) isInString = !isInString
    else if (code === BACKSLASH) at++
    else if (code === COLON && !isInString) count++
  }
  return count
}
