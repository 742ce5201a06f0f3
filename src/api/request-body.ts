/**
 * Reads the body of a request, and no more of it than the management API accepts (docs/behaviours.md A7).
 * A body that breaks off is never taken for a whole one.
 */
import { type Answer, BODY_TOO_LONG, text } from './answers.ts'

const MOST_BYTES = 2_097_152
/** A longer body is not waited for once the answer is known: the connection is closed. */
const LEFTOVER_BYTES = 64 * 1024

const NOT_JSON = text(415, 'Expected request with `Content-Type: application/json`')

/** What `parse` makes of the bytes of a JSON body; or the answer that refuses the request. */
export async function readJson<T>(
  request: Request,
  parse: (bytes: Uint8Array) => T,
): Promise<T | { readonly fault: Answer }> {
  if (!isJson(request.headers.get('content-type'))) return { fault: NOT_JSON }
  if (lengthOf(request) > MOST_BYTES) return { fault: BODY_TOO_LONG }
  const parts: Uint8Array[] = []
  let length = 0
  try {
    // Leaving the loop cancels the stream; the connection is closed with the answer.
    for await (const part of request.body ?? []) {
      length += part.length
      if (length > MOST_BYTES) return { fault: BODY_TOO_LONG }
      parts.push(part)
    }
  } catch {
    // The client is gone, or its chunks are malformed.
    return { fault: { status: 400, close: true } }
  }
  return parse(Buffer.concat(parts, length))
}

/** `application/json` or `application/…+json`, with parameters or without. */
function isJson(contentType: string | null): boolean {
  const [essence = ''] = (contentType ?? '').split(';', 1)
  return /^application\/(?:[!#$&^_.+\-0-9a-z]+\+)?json$/i.test(essence.trim())
}

const lengthOf = ({ headers }: Request): number => Number(headers.get('content-length') ?? 0)

/** The most bytes of the body that can have been read. */
export const mostBytesRead = (request: Request): number =>
  Math.min(lengthOf(request) || MOST_BYTES, MOST_BYTES)

/** Whether so much of the request may still be on its way that nothing should read on. */
export const isLong = (request: Request): boolean =>
  request.headers.has('transfer-encoding') || lengthOf(request) > LEFTOVER_BYTES
