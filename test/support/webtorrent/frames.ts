/** A WebSocket written byte by byte (RFC 6455), to send what no library sends. */
import { exchange, parseResponse } from '../http-client.ts'

const HEADERS = {
  host: 'tracker',
  upgrade: 'websocket',
  connection: 'Upgrade',
  'sec-websocket-version': '13',
  'sec-websocket-key': 'dGhlIHNhbXBsZSBub25jZQ==',
}

export type Handshake = {
  readonly method?: string
  readonly path?: string
  /** Instead of those that a handshake has; undefined: without it. */
  readonly headers?: Readonly<Record<string, string | undefined>>
}

export function handshake({ method = 'GET', path = '/announce', headers }: Handshake = {}): Buffer {
  const lines = Object.entries({ ...HEADERS, ...headers })
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => `${name}: ${value}\r\n`)
  return Buffer.from(`${method} ${path} HTTP/1.1\r\n${lines.join('')}\r\n`, 'latin1')
}

export const OPCODE = { more: 0, text: 1, binary: 2, close: 8, ping: 9, pong: 10 } as const

type Shape = {
  /** false: more of this message follows. */
  readonly isLast?: boolean
  /** Bits RSV1 to RSV3, from 4 down to 1. */
  readonly reserved?: number
  readonly isMasked?: boolean
  /** Bytes of the length: 0, 2 or 8; the fewest unless given. */
  readonly lengthBytes?: number
  /** The length that is told; the true one unless given. */
  readonly length?: bigint
}

/** One frame, masked with zeros. */
export function frame(
  opcode: number,
  payload: string | Uint8Array = '',
  { isLast = true, reserved = 0, isMasked = true, lengthBytes, length }: Shape = {},
): Buffer {
  const bytes = Buffer.from(payload)
  const told = length ?? BigInt(bytes.length)
  const extra = lengthBytes ?? (told < 126n ? 0 : told < 65_536n ? 2 : 8)
  const short = extra === 0 ? Number(told) : extra === 2 ? 126 : 127
  const head = [(isLast ? 0x80 : 0) | (reserved << 4) | opcode, (isMasked ? 0x80 : 0) | short]
  for (let byte = extra - 1; byte >= 0; byte--)
    head.push(Number((told >> BigInt(byte * 8)) & 0xffn))
  return Buffer.concat([Buffer.from(head), Buffer.alloc(isMasked ? 4 : 0), bytes])
}

export const text = (payload: string | Uint8Array, shape?: Shape): Buffer =>
  frame(OPCODE.text, payload, shape)

/** A message in frames of these payloads. */
export const fragments = (...payloads: readonly string[]): Buffer =>
  Buffer.concat(
    payloads.map((payload, i) =>
      frame(i === 0 ? OPCODE.text : OPCODE.more, payload, { isLast: i === payloads.length - 1 }),
    ),
  )

export const closing = (code: number, reason: string | Uint8Array = ''): Buffer =>
  frame(OPCODE.close, Buffer.concat([Buffer.from([code >> 8, code]), Buffer.from(reason)]))

export type Frame = { readonly opcode: number; readonly payload: Buffer }

/** The whole frames of a server, which masks nothing, and the bytes behind them. */
export function framesOf(bytes: Buffer): { readonly frames: Frame[]; readonly rest: Buffer } {
  const frames: Frame[] = []
  let at = 0
  while (at + 2 <= bytes.length) {
    const short = bytes[at + 1]!
    const start = at + 2 + (short === 126 ? 2 : short === 127 ? 8 : 0)
    if (start > bytes.length) break
    const length =
      short === 126
        ? bytes.readUInt16BE(at + 2)
        : short === 127
          ? Number(bytes.readBigUInt64BE(at + 2))
          : short
    if (start + length > bytes.length) break
    frames.push({
      opcode: bytes[at]! & 0x0f,
      payload: bytes.subarray(start, start + length),
    })
    at = start + length
  }
  return { frames, rest: bytes.subarray(at) }
}

/** Sends a handshake, these bytes and a close frame in one piece; all that the server answers until it closes. */
export async function converse(url: string, ...sent: readonly Uint8Array[]) {
  const bytes = await exchange(url, Buffer.concat([handshake(), ...sent, closing(1000)]))
  const { status, body } = parseResponse(bytes)
  const { frames } = framesOf(body)
  const of = (wanted: number) => frames.filter(({ opcode }) => opcode === wanted)
  const [end] = of(OPCODE.close)
  return {
    status,
    messages: of(OPCODE.text).map(({ payload }) => payload.toString()),
    pongs: of(OPCODE.pong).map(({ payload }) => payload.toString()),
    /** Code and reason of the close frame. undefined: none came. */
    code: end && end.payload.length >= 2 ? end.payload.readUInt16BE(0) : undefined,
    reason: end?.payload.subarray(2).toString(),
  }
}
