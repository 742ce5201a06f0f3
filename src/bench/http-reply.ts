/** Reads answers of HTTP servers as RFC 9112 says. */

/** Most bytes of one answer: one with 1,000 IPv6 peers has 18 kB. */
export const MAX_REPLY_BYTES = 128 * 1024

export interface HttpReply {
  readonly status: number
  /** The connection may carry another request. */
  readonly staysOpen: boolean
  readonly body: Buffer
}

const CR_LF = '\r\n'
const HEAD_END = '\r\n\r\n'
/** Six digits are more than `MAX_REPLY_BYTES`. */
const CHUNK_SIZE = /^([0-9a-f]{1,6})[ \t]*(;|$)/i
const MAX_SIZE_LINE = 256

interface Head extends Omit<HttpReply, 'body'> {
  readonly isChunked: boolean
  /** Bytes of the body. */
  readonly length: number | undefined
}

const MOST_HEADS = 256

export class HttpReplies {
  /** Heads by their text: most are like others of the same second. */
  readonly #heads = new Map<string, Head | 'bad'>()

  /**
   * `bytes` are all that the server has sent since the request; `isClosed`: it will send no more. `more`: the answer
   * is incomplete. `bad`: it is not HTTP/1, too long, or more than one answer.
   */
  read(bytes: Buffer, isClosed: boolean): HttpReply | 'more' | 'bad' {
    if (bytes.length > MAX_REPLY_BYTES) return 'bad'
    const incomplete = isClosed ? 'bad' : 'more'
    const headEnd = bytes.indexOf(HEAD_END)
    if (headEnd < 0) return incomplete
    const head = this.#readHead(bytes.toString('latin1', 0, headEnd))
    if (head === 'bad') return 'bad'
    const { status, staysOpen, isChunked, length } = head
    const at = headEnd + HEAD_END.length
    if (isChunked) {
      const body = readChunks(bytes, at)
      if (typeof body !== 'string') return { status, staysOpen, body }
      return body === 'more' ? incomplete : 'bad'
    }
    // Without a length the body ends with the connection.
    if (length === undefined)
      return isClosed ? { status, staysOpen: false, body: bytes.subarray(at) } : 'more'
    const end = at + length
    if (end > MAX_REPLY_BYTES || bytes.length > end) return 'bad'
    return bytes.length < end ? incomplete : { status, staysOpen, body: bytes.subarray(at, end) }
  }

  #readHead(text: string): Head | 'bad' {
    let head = this.#heads.get(text)
    if (head) return head
    if (this.#heads.size === MOST_HEADS) this.#heads.clear()
    head = parseHead(text)
    this.#heads.set(text, head)
    return head
  }
}

function parseHead(text: string): Head | 'bad' {
  const [, minor, status] = /^HTTP\/1\.(\d) ([2-5]\d\d)(?: |\r|$)/.exec(text) ?? []
  if (minor === undefined) return 'bad'
  const connection = /\r\nconnection:[ \t]*([^\r]*)/i.exec(text)?.[1]?.toLowerCase() ?? ''
  const length = /\r\ncontent-length:[ \t]*(\d{1,9})[ \t]*(?:\r|$)/i.exec(text)?.[1]
  return {
    status: Number(status),
    staysOpen: minor === '0' ? connection.includes('keep-alive') : !connection.includes('close'),
    isChunked: /\r\ntransfer-encoding:[^\r]*chunked[ \t]*(?:\r|$)/i.test(text),
    length: length === undefined ? undefined : Number(length),
  }
}

function readChunks(bytes: Buffer, at: number): Buffer | 'more' | 'bad' {
  const chunks: Uint8Array[] = []
  for (;;) {
    const lineEnd = bytes.indexOf(CR_LF, at)
    if (lineEnd < 0) return bytes.length - at > MAX_SIZE_LINE ? 'bad' : 'more'
    const digits = CHUNK_SIZE.exec(bytes.toString('latin1', at, lineEnd))?.[1]
    if (digits === undefined) return 'bad'
    const size = Number.parseInt(digits, 16)
    if (size === 0) {
      // Trailers are skipped.
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
