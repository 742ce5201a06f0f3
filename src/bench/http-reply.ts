/** An answer of an HTTP/1.1 server (RFC 9112): a body by length, in chunks, or up to the end of the connection. Pure. */

/** Most bytes of one answer: one of 1,000 IPv6 peers has 18 kB. */
export const MOST_REPLY_BYTES = 128 * 1024

export interface HttpReply {
  readonly status: number
  /** The connection may carry another request. */
  readonly staysOpen: boolean
  readonly body: Uint8Array
}

const CR_LF = '\r\n'
const HEAD_END = '\r\n\r\n'
/** No answer that we take has a chunk of more digits. */
const CHUNK_SIZE = /^([0-9a-f]{1,6})[ \t]*(;|$)/i
const MOST_SIZE_LINE = 256

/**
 * `bytes` are all that the server has sent since the request; `isClosed`: it will send no more. `more`: the answer
 * is not whole yet. `bad`: it is no HTTP, too long, or more than one answer.
 */
export function readHttpReply(bytes: Buffer, isClosed: boolean): HttpReply | 'more' | 'bad' {
  if (bytes.length > MOST_REPLY_BYTES) return 'bad'
  const notYet = isClosed ? 'bad' : 'more'
  const headEnd = bytes.indexOf(HEAD_END)
  if (headEnd < 0) return notYet
  const head = bytes.toString('latin1', 0, headEnd)
  const [, minor, status] = /^HTTP\/1\.(\d) ([2-5]\d\d)(?: |\r|$)/.exec(head) ?? []
  if (minor === undefined) return 'bad'
  const connection = /\r\nconnection:[ \t]*([^\r]*)/i.exec(head)?.[1]?.toLowerCase() ?? ''
  const isKept = minor === '0' ? connection.includes('keep-alive') : !connection.includes('close')
  const reply = (body: Uint8Array, staysOpen: boolean) => ({
    status: Number(status),
    staysOpen,
    body,
  })

  const at = headEnd + HEAD_END.length
  if (/\r\ntransfer-encoding:[^\r]*chunked[ \t]*(?:\r|$)/i.test(head)) {
    const body = readChunks(bytes, at)
    if (typeof body !== 'string') return reply(body, isKept)
    return body === 'more' ? notYet : 'bad'
  }
  const length = /\r\ncontent-length:[ \t]*(\d{1,9})[ \t]*(?:\r|$)/i.exec(head)?.[1]
  if (length === undefined) return isClosed ? reply(bytes.subarray(at), false) : 'more'
  const end = at + Number(length)
  if (end > MOST_REPLY_BYTES || bytes.length > end) return 'bad'
  return bytes.length < end ? notYet : reply(bytes.subarray(at, end), isKept)
}

function readChunks(bytes: Buffer, at: number): Uint8Array | 'more' | 'bad' {
  const chunks: Uint8Array[] = []
  for (;;) {
    const lineEnd = bytes.indexOf(CR_LF, at)
    if (lineEnd < 0) return bytes.length - at > MOST_SIZE_LINE ? 'bad' : 'more'
    const digits = CHUNK_SIZE.exec(bytes.toString('latin1', at, lineEnd))?.[1]
    if (digits === undefined) return 'bad'
    const size = Number.parseInt(digits, 16)
    if (size === 0) {
      // Lines between the last chunk and the empty one are of no interest.
      const end = bytes.indexOf(HEAD_END, lineEnd)
      if (end < 0) return 'more'
      return bytes.length > end + HEAD_END.length ? 'bad' : Buffer.concat(chunks)
    }
    const from = lineEnd + CR_LF.length
    at = from + size + CR_LF.length
    if (bytes.length < at) return 'more'
    if (bytes.toString('latin1', from + size, at) !== CR_LF) return 'bad'
    chunks.push(bytes.subarray(from, from + size))
  }
}
