/** The tests' HTTP client: a socket that sends exactly the given bytes, requests, and replies taken apart. */
import { type BencodeDictionary, decodeBencode } from '../../src/wire/bencode.ts'

/** Sends bytes on a new connection; resolves with all that came back when the server has closed it. */
export async function exchange(url: string, bytes: string | Uint8Array): Promise<Buffer> {
  const { hostname, port, protocol } = new URL(url)
  const chunks: Buffer[] = []
  const { promise, resolve } = Promise.withResolvers<Buffer>()
  let rest = typeof bytes === 'string' ? Buffer.from(bytes, 'latin1') : Buffer.from(bytes)
  const push = (socket: { write(bytes: Uint8Array): number }) => {
    const sent = socket.write(rest)
    if (sent > 0) rest = rest.subarray(sent)
  }
  await Bun.connect({
    hostname: hostname.replace(/[[\]]/g, ''),
    port: Number(port),
    ...(protocol === 'https:' && { tls: { rejectUnauthorized: false } }),
    socket: {
      open: push,
      drain: push,
      data: (_socket, chunk) => void chunks.push(Buffer.from(chunk)),
      close: () => resolve(Buffer.concat(chunks)),
      error: () => {},
    },
  })
  return await promise
}

export type Request = {
  readonly method?: string
  readonly path: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string | Uint8Array
}

/** The bytes of a request, with `content-length` and, unless a header says otherwise, `connection: close`. */
export function bytesOf({ method = 'GET', path, headers = {}, body }: Request): Buffer {
  const length = body === undefined ? {} : { 'content-length': Buffer.byteLength(body) }
  const all = { host: 'tracker', connection: 'close', ...length, ...headers }
  const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`)
  const head = `${method} ${path} HTTP/1.1\r\n${lines.join('')}\r\n`
  return Buffer.concat([Buffer.from(head, 'latin1'), Buffer.from(body ?? '')])
}

/** Sends exactly this request; `fetch` would rewrite the path. */
export const ask = async (url: string, request: Request): Promise<Reply> =>
  parseResponse(await exchange(url, bytesOf(request)))

export const get = (
  url: string,
  path: string,
  headers: Record<string, string> = {},
): Promise<Reply> => ask(url, { path, headers })

export type Reply = {
  status: number
  headers: Record<string, string>
  body: Buffer
  /** The body, if it is bencoded; else empty. */
  value: BencodeDictionary
  failure: string | undefined
}

export function parseResponse(bytes: Buffer): Reply {
  const end = bytes.indexOf('\r\n\r\n')
  const [first = '', ...lines] = bytes.subarray(0, end).toString('latin1').split('\r\n')
  const headers = Object.fromEntries(
    lines.map((line) => [
      line.slice(0, line.indexOf(':')).toLowerCase(),
      line.slice(line.indexOf(':') + 1).trim(),
    ]),
  )
  const body = bytes.subarray(end + 4)
  let value: BencodeDictionary = new Map()
  try {
    value = decodeBencode(body) as BencodeDictionary
  } catch {}
  const failure = value.get('failure reason')
  return {
    status: Number(first.split(' ')[1]),
    headers,
    body,
    value,
    failure: failure instanceof Uint8Array ? Buffer.from(failure).toString('latin1') : undefined,
  }
}

/** The body of a reply, chunked or not. */
export function dechunk({
  headers,
  body,
}: {
  headers: Record<string, string>
  body: Buffer
}): Buffer {
  if (headers['transfer-encoding'] !== 'chunked') return body
  const parts: Buffer[] = []
  for (let at = 0; ; ) {
    const end = body.indexOf('\r\n', at)
    const length = Number.parseInt(body.toString('latin1', at, end), 16)
    if (length === 0) return Buffer.concat(parts)
    if (!(length > 0)) throw new Error('the body ends before its last chunk')
    parts.push(body.subarray(end + 2, end + 2 + length))
    at = end + 2 + length + 2
  }
}

/** Percent-encodes every byte. */
export const percent = (bytes: Uint8Array | string): string =>
  [...Buffer.from(bytes as string)].map((b) => `%${b.toString(16).padStart(2, '0')}`).join('')

export const hashA = Buffer.from('9c38422213e30bff212b30c360d26f9a02136422', 'hex')
export const hashB = Buffer.from('3b245504cf5f11bbdbe1201cea6a6bf45aee1bc0', 'hex')

/** The query of a valid announce; `changes` replace or (undefined) remove parameters. */
export function announceQuery(changes: Record<string, string | number | undefined> = {}): string {
  const all: Record<string, string | number | undefined> = {
    info_hash: percent(hashA),
    peer_id: '-qB00000000000000001',
    port: 17548,
    downloaded: 0,
    uploaded: 0,
    left: 0,
    event: 'completed',
    compact: 0,
    peer_addr: '192.168.1.88',
    ...changes,
  }
  return Object.entries(all)
    .flatMap(([name, value]) => (value === undefined ? [] : [`${name}=${value}`]))
    .join('&')
}
