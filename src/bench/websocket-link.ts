/**
 * One WebSocket to a tracker, written and read by hand, so that prepared bytes go out as text and nothing is made of
 * what comes. Bun's own client wants a string for a text, which takes a little more time in all.
 */
import { createHash } from 'node:crypto'
import { unreachableBy } from '../client/failure.ts'
import type { Address } from '../client/resolve.ts'
import { errorCode } from '../text/system-errors.ts'
import { joinPort } from '../wire/address.ts'
import { FrameReader, MOST_HEADER_BYTES, OPCODE, putHeader } from './websocket-frames.ts'

export interface LinkOptions {
  readonly address: Address
  readonly port: number
  /** Name of the host, without brackets. */
  readonly host: string
  readonly tls: boolean
  /** Certificates are not verified. */
  readonly insecure: boolean
}

/** After `ended` no more events come; it is not called for what `close` of the link does. */
export interface LinkEvents {
  opened(): void
  /** A message stands at `bytes[from…to]`, which may be overwritten afterwards. */
  take(bytes: Buffer, from: number, to: number): void
  received(count: number): void
  /** `refused`: the server answers the upgrade, but not with one; `why` says how. */
  ended(cause: 'unreachable' | 'refused' | 'closed' | 'garbage', why: string): void
}

/** From RFC 6455: what makes an accepted upgrade out of a key. */
const GUID = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11'
const HEAD_END = '\r\n\r\n'
const MOST_HEAD_BYTES = 16 * 1024

const NOTHING = Buffer.alloc(0)

export class WebSocketLink {
  readonly #events: LinkEvents
  readonly #frames = new FrameReader()
  readonly #key = Buffer.from(crypto.getRandomValues(new Uint8Array(16))).toString('base64')
  #state: 'opening' | 'upgrading' | 'open' | 'ended' = 'opening'
  #socket: Bun.Socket | undefined
  #head = NOTHING
  #unsent = NOTHING

  /** `path`: with the query; empty: `/`. */
  constructor(options: LinkOptions, path: string, events: LinkEvents) {
    this.#events = events
    const { address, port, host, tls, insecure } = options
    const failed = (error: Error) =>
      this.#end('unreachable', unreachableBy(errorCode(error)) ?? error.message)
    const opened = (socket: Bun.Socket) => {
      if (this.#state !== 'opening') return void socket.terminate()
      this.#socket = socket
      this.#state = 'upgrading'
      this.#write(this.#upgrade(joinPort(host, port), path || '/'))
    }
    Bun.connect({
      hostname: address.ip,
      port,
      ...(tls && { tls: { serverName: host, rejectUnauthorized: !insecure } }),
      socket: {
        open: (socket) => {
          if (!tls) opened(socket)
        },
        ...(tls && {
          handshake: (socket: Bun.Socket, success: boolean, doubt: Error | null) => {
            if (insecure || (success && !doubt)) return opened(socket)
            socket.terminate()
            this.#end(
              'unreachable',
              `TLS failed (${doubt?.message ?? 'the certificate is not trusted'})`,
            )
          },
        }),
        data: (_socket, bytes) => this.#take(bytes),
        drain: () => this.#write(NOTHING),
        close: () =>
          this.#end(this.#state === 'opening' ? 'unreachable' : 'closed', 'it was closed'),
        error() {},
        connectError: (_socket, error) => failed(error),
      },
    }).catch(failed)
  }

  get isOpen(): boolean {
    return this.#state === 'open'
  }

  /** Sends whole frames. The bytes may be overwritten when this returns. */
  send(frames: Uint8Array): void {
    if (this.#state === 'open') this.#write(frames)
  }

  /** Without a farewell. */
  close(): void {
    this.#state = 'ended'
    this.#unsent = NOTHING
    this.#socket?.terminate()
    this.#socket = undefined
  }

  #end(...why: Parameters<LinkEvents['ended']>): void {
    if (this.#state === 'ended') return
    this.close()
    this.#events.ended(...why)
  }

  #upgrade(host: string, path: string): Buffer {
    const lines = [
      `GET ${path} HTTP/1.1`,
      `Host: ${host}`,
      'User-Agent: tracker-bench',
      'Connection: Upgrade',
      'Upgrade: websocket',
      'Sec-WebSocket-Version: 13',
      `Sec-WebSocket-Key: ${this.#key}`,
    ]
    return Buffer.from(lines.join('\r\n') + HEAD_END)
  }

  #write(bytes: Uint8Array): void {
    const all = this.#unsent.length === 0 ? bytes : Buffer.concat([this.#unsent, bytes])
    const written = Math.max(0, this.#socket?.write(all) ?? 0)
    this.#unsent = written === all.length ? NOTHING : Buffer.from(all.subarray(written))
  }

  #take(bytes: Buffer): void {
    if (this.#state === 'ended') return
    this.#events.received(bytes.length)
    const frames = this.#state === 'upgrading' ? this.#readHead(bytes) : bytes
    if (frames && !this.#frames.read(frames, this.#takeFrame))
      this.#end('garbage', 'what it sends are no frames')
  }

  /** What follows the head; undefined: it is not complete, or no upgrade. */
  #readHead(bytes: Buffer): Buffer | undefined {
    const all = Buffer.concat([this.#head, bytes])
    this.#head = all
    const end = all.indexOf(HEAD_END)
    if (end < 0) {
      if (all.length > MOST_HEAD_BYTES) this.#end('garbage', 'its answer to the upgrade has no end')
      return undefined
    }
    this.#head = NOTHING
    const [status, ...lines] = all.toString('latin1', 0, end).split('\r\n')
    const accept = createHash('sha1').update(`${this.#key}${GUID}`).digest('base64')
    const [, code] = /^HTTP\/1\.[01] (\d{3})\b/.exec(status!) ?? []
    const isAccepted = lines.some((line) => {
      const [, name, value] = /^([^:]+):[ \t]*(.*?)[ \t]*$/.exec(line) ?? []
      return name?.toLowerCase() === 'sec-websocket-accept' && value === accept
    })
    if (code !== '101' || !isAccepted) {
      if (code === undefined || code === '101') this.#end('garbage', 'no answer to the upgrade')
      else this.#end('refused', `HTTP status ${status!.replace(/^\S+ /, '')}`)
      return undefined
    }
    this.#state = 'open'
    this.#events.opened()
    return all.subarray(end + HEAD_END.length)
  }

  readonly #takeFrame = (opcode: number, bytes: Buffer, from: number, to: number): boolean => {
    if (opcode === OPCODE.text || opcode === OPCODE.binary) this.#events.take(bytes, from, to)
    else if (opcode === OPCODE.ping) this.#pong(bytes.subarray(from, to))
    else if (opcode === OPCODE.close) this.#end('closed', farewell(bytes.subarray(from, to)))
    else if (opcode !== OPCODE.pong) this.#end('garbage', `a frame of the unknown kind ${opcode}`)
    return this.#state === 'open'
  }

  #pong(payload: Buffer): void {
    const frame = Buffer.alloc(MOST_HEADER_BYTES + payload.length)
    payload.copy(frame, MOST_HEADER_BYTES)
    this.#write(frame.subarray(putHeader(frame, MOST_HEADER_BYTES, OPCODE.pong, payload.length)))
  }
}

const farewell = (payload: Buffer): string =>
  payload.length < 2
    ? 'it was closed without a reason'
    : `it was closed: ${payload.readUInt16BE(0)} ${payload.toString('utf8', 2)}`.trimEnd()
