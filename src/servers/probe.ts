/**
 * Asks a service of this process whether it answers, as a client would, over its own socket
 * (spec/torrust-rest-api §8). Every question ends: with an answer, an error or its time limit.
 */
import { joinPort, type SocketAddress } from '../wire/address.ts'

export type Verdict = { readonly Ok: string } | { readonly Err: string }

const UDP_MILLISECONDS = 2_000
const HTTP_MILLISECONDS = 5_000
/** The longest status line that is waited for. */
const MOST_STATUS_BYTES = 1024

/** Connect request of BEP 15 with transaction id 123. */
const CONNECT = Uint8Array.of(0, 0, 4, 0x17, 0x27, 0x10, 0x19, 0x80, 0, 0, 0, 0, 0, 0, 0, 123)

/** Where a listener is reached from its own machine: a wildcard has no address of its own. */
export const reachable = ({ ip, port }: SocketAddress): SocketAddress => ({
  ip: ip === '0.0.0.0' ? '127.0.0.1' : ip === '::' ? '::1' : ip,
  port,
})

export async function probeUdp(bind: SocketAddress): Promise<Verdict> {
  const { ip, port } = reachable(bind)
  const { promise, resolve } = Promise.withResolvers<Verdict>()
  const late: Verdict = { Err: 'Timed Out' }
  const timer = setTimeout(resolve, UDP_MILLISECONDS, late)
  let socket: { send(bytes: Uint8Array): unknown; close(): void } | undefined
  try {
    socket = await Bun.udpSocket({
      hostname: ip.includes(':') ? '::' : '0.0.0.0',
      connect: { hostname: ip, port },
      socket: {
        data: (_socket, answer) => resolve(isConnect(answer) ? OK : { Err: 'Did not Connect' }),
        // A closed port: nothing will come, and that is what the reference calls it.
        error: () => resolve(late),
      },
    })
    socket.send(CONNECT)
    return await promise
  } catch {
    return late
  } finally {
    clearTimeout(timer)
    socket?.close()
  }
}

const OK: Verdict = { Ok: 'Connected' }

/** Sixteen bytes that begin with action 0 (connect) and our transaction id. */
const isConnect = (answer: Uint8Array): boolean =>
  answer.length === 16 && CONNECT.subarray(8).every((byte, i) => byte === answer[i])

/**
 * GETs a path and judges the status line. Not `fetch`: that would go through a proxy named in the
 * environment, and keep connections that delay the stop of the server.
 */
export async function probeHttp(
  scheme: 'http' | 'https',
  bind: SocketAddress,
  path: string,
): Promise<Verdict> {
  const { ip, port } = reachable(bind)
  const host = joinPort(ip, port)
  const failed = (why: string): Verdict => ({
    Err: `error sending request for url (${scheme}://${host}${path}): ${why}`,
  })
  const { promise, resolve } = Promise.withResolvers<Verdict>()
  const timer = setTimeout(() => resolve(failed('operation timed out')), HTTP_MILLISECONDS)
  const request = `GET ${path} HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`
  let head = ''
  let socket: { terminate(): void } | undefined
  const opening = Bun.connect({
    hostname: ip,
    port,
    // It is our own listener, asked for by address: its certificate names somebody else.
    ...(scheme === 'https' && { tls: { rejectUnauthorized: false } }),
    socket: {
      open: (opened) => void (scheme === 'http' && opened.write(request)),
      handshake: (opened) => void opened.write(request),
      data(_socket, bytes) {
        head += bytes.toString('latin1')
        const status = /^HTTP\/1\.[01] (\d{3}[^\r\n]*)\r\n/.exec(head)?.[1]
        if (status !== undefined) resolve(status.startsWith('2') ? { Ok: status } : { Err: status })
        else if (head.length > MOST_STATUS_BYTES) resolve(failed('not an HTTP answer'))
      },
      close: () => resolve(failed('connection closed before message completed')),
      error: (_socket, error) => resolve(failed(error.message)),
    },
  })
  opening.then(
    (opened) => {
      socket = opened
    },
    (error: Error) => resolve(failed(error.message)),
  )
  try {
    return await promise
  } finally {
    clearTimeout(timer)
    socket?.terminate()
  }
}
