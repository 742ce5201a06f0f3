/** A connection of an HTTP load test: opened as often as needed, one request in flight, answers read as RFC 9112 says. */
import type { Address } from '../client/resolve.ts'

export interface HttpTarget {
  readonly address: Address
  readonly port: number
  /** Name of the host, without brackets. */
  readonly host: string
  readonly tls: boolean
  /** Certificates are not verified. */
  readonly insecure: boolean
}

interface HttpEvents {
  opened(connection: HttpConnection): void
  /** It could not be opened. */
  failed(connection: HttpConnection): void
  received(bytes: number): void
  /** `bad`: the bytes are not an answer, and the connection is closed. */
  replied(connection: HttpConnection, reply: HttpReply | 'bad'): void
  /** The server closed it; `isUnheard`: before the first byte of this answer, but after answers to earlier requests. */
  lost(connection: HttpConnection, isUnheard: boolean): void
  /** Bytes came without a request; the connection is closed. */
  strayed(connection: HttpConnection): void
}

const NOTHING = Buffer.alloc(0)

export class HttpConnection {
  /** Kind of the request in flight, and when it was sent. */
  kind = 0
  sentAt = 0
  /** When it may be opened again. */
  restsUntil = 0
  readonly #target: HttpTarget
  readonly #events: HttpEvents
  #state: 'closed' | 'opening' | 'open' = 'closed'
  #isWaiting = false
  #socket: Bun.Socket | undefined
  /** Counts the sockets, so that late events of an old one are ignored. */
  #attempt = 0
  /** Answers that came over this socket. */
  #answers = 0
  #received: Buffer = NOTHING
  #unsent: Uint8Array = NOTHING

  constructor(target: HttpTarget, events: HttpEvents) {
    this.#target = target
    this.#events = events
  }

  get state(): 'closed' | 'opening' | 'open' {
    return this.#state
  }

  get isWaiting(): boolean {
    return this.#isWaiting
  }

  open(): void {
    const { address, port, host, tls, insecure } = this.#target
    const attempt = ++this.#attempt
    const isCurrent = () => attempt === this.#attempt
    this.#state = 'opening'
    const failed = () => {
      if (!isCurrent()) return
      this.close()
      this.#events.failed(this)
    }
    Bun.connect({
      hostname: address.ip,
      port,
      ...(tls && { tls: { serverName: host, rejectUnauthorized: !insecure } }),
      socket: {
        open: (socket) => {
          if (!isCurrent()) socket.terminate()
          else if (!tls) this.#begin(socket)
        },
        ...(tls && {
          handshake: (socket: Bun.Socket, success: boolean, doubt: Error | null) => {
            if (!isCurrent()) socket.terminate()
            else if (insecure || (success && !doubt)) this.#begin(socket)
            else {
              socket.terminate()
              failed()
            }
          },
        }),
        data: (_socket, bytes) => {
          if (isCurrent()) this.#take(bytes)
        },
        drain: () => {
          if (isCurrent()) this.#write(this.#unsent)
        },
        close: () => {
          if (isCurrent()) this.#closed()
        },
        error() {},
        connectError: failed,
      },
    }).catch(failed)
  }

  /** `bytes` may be overwritten when this returns. */
  send(kind: number, bytes: Uint8Array, now: number): void {
    this.kind = kind
    this.sentAt = now
    this.#isWaiting = true
    this.#received = NOTHING
    this.#write(bytes)
  }

  /** Gives up the request in flight; no more events come from this socket. */
  close(): void {
    this.#attempt++
    this.#state = 'closed'
    this.#isWaiting = false
    this.#unsent = NOTHING
    this.#socket?.terminate()
    this.#socket = undefined
  }

  #begin(socket: Bun.Socket): void {
    this.#socket = socket
    this.#state = 'open'
    this.#answers = 0
    this.#events.opened(this)
  }

  #write(bytes: Uint8Array): void {
    const written = Math.max(0, this.#socket?.write(bytes) ?? 0)
    this.#unsent = written === bytes.length ? NOTHING : bytes.slice(written)
  }

  #take(bytes: Buffer): void {
    this.#events.received(bytes.length)
    if (!this.#isWaiting) {
      this.close()
      this.#events.strayed(this)
      return
    }
    const all = this.#received.length === 0 ? bytes : Buffer.concat([this.#received, bytes])
    const reply = readHttpReply(all, false)
    // The socket reuses the memory of `bytes`.
    if (reply === 'more') this.#received = all === bytes ? Buffer.from(bytes) : all
    else this.#replied(reply)
  }

  #replied(reply: HttpReply | 'bad'): void {
    this.#isWaiting = false
    this.#answers++
    if (reply === 'bad') this.close()
    this.#events.replied(this, reply)
  }

  /** The server closed the connection. */
  #closed(): void {
    if (this.#state === 'opening') {
      this.close()
      this.#events.failed(this)
      return
    }
    const isWaiting = this.#isWaiting
    const isUnheard = this.#received.length === 0 && this.#answers > 0
    const reply = isWaiting ? readHttpReply(this.#received, true) : 'bad'
    this.close()
    if (!isWaiting) return
    if (reply === 'bad' || reply === 'more') this.#events.lost(this, isUnheard)
    else this.#replied(reply)
  }
}

/** Most bytes of one answer: one with 1,000 IPv6 peers has 18 kB. */
export const MAX_REPLY_BYTES = 128 * 1024

export interface HttpReply {
  readonly status: number
  /** The connection may carry another request. */
  readonly staysOpen: boolean
  readonly body: Uint8Array
}

const CR_LF = '\r\n'
const HEAD_END = '\r\n\r\n'
/** Six digits are more than `MAX_REPLY_BYTES`. */
const CHUNK_SIZE = /^([0-9a-f]{1,6})[ \t]*(;|$)/i
const MAX_SIZE_LINE = 256

/**
 * `bytes` are all that the server has sent since the request; `isClosed`: it will send no more. `more`: the answer
 * is incomplete. `bad`: it is not HTTP/1, too long, or more than one answer.
 */
export function readHttpReply(bytes: Buffer, isClosed: boolean): HttpReply | 'more' | 'bad' {
  if (bytes.length > MAX_REPLY_BYTES) return 'bad'
  const incomplete = isClosed ? 'bad' : 'more'
  const headEnd = bytes.indexOf(HEAD_END)
  if (headEnd < 0) return incomplete
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
    return body === 'more' ? incomplete : 'bad'
  }
  const length = /\r\ncontent-length:[ \t]*(\d{1,9})[ \t]*(?:\r|$)/i.exec(head)?.[1]
  // Without a length the body ends with the connection.
  if (length === undefined) return isClosed ? reply(bytes.subarray(at), false) : 'more'
  const end = at + Number(length)
  if (end > MAX_REPLY_BYTES || bytes.length > end) return 'bad'
  return bytes.length < end ? incomplete : reply(bytes.subarray(at, end), isKept)
}

function readChunks(bytes: Buffer, at: number): Uint8Array | 'more' | 'bad' {
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
