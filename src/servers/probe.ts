/**
 * Asks a service of this process whether it answers, over its own socket, as a client would
 * (docs/behaviours.md O3). Every probe ends: with an answer, an error or its time limit.
 */
import { joinPort, type SocketAddress } from '../wire/address.ts'
import { ANSWER } from '../wire/udp.ts'
import { ANSWER_HEADER, REQUEST, writeConnectRequest } from '../wire/udp-client.ts'

export type Verdict = { readonly Ok: string } | { readonly Err: string }

const UDP_MILLISECONDS = 2_000
const HTTP_MILLISECONDS = 5_000
/** The longest status line that is accepted. */
const MOST_STATUS_BYTES = 1024

const CONNECT = new Uint8Array(REQUEST.connect)
writeConnectRequest(CONNECT, 0, 123)

/** Where a listener is reached from its own machine: loopback in place of a wildcard address. */
export const reachable = ({ ip, port }: SocketAddress): SocketAddress => ({
  ip: ip === '0.0.0.0' ? '127.0.0.1' : ip === '::' ? '::1' : ip,
  port,
})

/** A scrape of one torrent, which every tracker answers somehow. */
const SCRAPE = JSON.stringify({ action: 'scrape', info_hash: '0'.repeat(20) })

/** Opens a connection, waits for the first verdict on it, and closes it. */
async function probe(
  milliseconds: number,
  failed: (why: string) => Verdict,
  open: (judge: (verdict: Verdict) => void) => Promise<() => void>,
): Promise<Verdict> {
  const { promise, resolve } = Promise.withResolvers<Verdict>()
  const timer = setTimeout(() => resolve(failed('operation timed out')), milliseconds)
  const opening = open(resolve)
  opening.catch((error: Error) => resolve(failed(error.message)))
  try {
    return await promise
  } finally {
    clearTimeout(timer)
    opening.then(
      (close) => close(),
      () => {},
    )
  }
}

export function probeUdp(bind: SocketAddress): Promise<Verdict> {
  const { ip, port } = reachable(bind)
  const failed = (): Verdict => ({ Err: 'Timed Out' })
  return probe(UDP_MILLISECONDS, failed, async (judge) => {
    const socket = await Bun.udpSocket({
      hostname: ip.includes(':') ? '::' : '0.0.0.0',
      connect: { hostname: ip, port },
      socket: {
        data: (_socket, answer) =>
          judge(isConnect(answer) ? { Ok: 'Connected' } : { Err: 'Did not Connect' }),
        // The port is closed; the reference calls that a time-out.
        error: () => judge(failed()),
      },
    })
    socket.send(CONNECT)
    return () => socket.close()
  })
}

/** Whether it answers our connect: request and answer have action and transaction id in common (BEP 15). */
const isConnect = (answer: Uint8Array): boolean =>
  answer.length === ANSWER.connect &&
  CONNECT.subarray(-ANSWER_HEADER).every((byte, i) => byte === answer[i])

/**
 * Requests a path and judges the status line. `fetch` would start a thread of its own for it, and keep connections
 * that delay the stop of the server.
 */
export function probeHttp(
  scheme: 'http' | 'https',
  bind: SocketAddress,
  path: string,
): Promise<Verdict> {
  const { ip, port } = reachable(bind)
  const host = joinPort(ip, port)
  const failed = (why: string): Verdict => ({
    Err: `error sending request for url (${scheme}://${host}${path}): ${why}`,
  })
  const request = `GET ${path} HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`
  return probe(HTTP_MILLISECONDS, failed, async (judge) => {
    let head = ''
    const socket = await Bun.connect({
      hostname: ip,
      port,
      // Our own listener, contacted by its address: the certificate is for a host name.
      ...(scheme === 'https' && { tls: { rejectUnauthorized: false } }),
      socket: {
        open: (opened) => void (scheme === 'http' && opened.write(request)),
        handshake: (opened) => void opened.write(request),
        data(_socket, bytes) {
          head += bytes.toString('latin1')
          const status = /^HTTP\/1\.[01] (\d{3}[^\r\n]*)\r\n/.exec(head)?.[1]
          if (status !== undefined) judge(status.startsWith('2') ? { Ok: status } : { Err: status })
          else if (head.length > MOST_STATUS_BYTES) judge(failed('not an HTTP answer'))
        },
        close: () => judge(failed('connection closed before message completed')),
        error: (_socket, error) => judge(failed(error.message)),
      },
    })
    return () => socket.terminate()
  })
}

/** Opens a WebSocket and waits for the answer to a scrape: a refusal is one, too. */
export function probeWebSocket(scheme: 'ws' | 'wss', bind: SocketAddress): Promise<Verdict> {
  const { ip, port } = reachable(bind)
  const url = `${scheme}://${joinPort(ip, port)}/`
  const failed = (why: string): Verdict => ({ Err: `error asking ${url}: ${why}` })
  return probe(HTTP_MILLISECONDS, failed, async (judge) => {
    // Our own listener, contacted by its address: the certificate is for a host name.
    const socket = new WebSocket(url, { tls: { rejectUnauthorized: false } })
    socket.onopen = () => socket.send(SCRAPE)
    socket.onmessage = () => judge({ Ok: 'Answered' })
    socket.onerror = (event) => {
      const { message } = event as ErrorEvent
      // It has as many connections as it may have: it serves.
      judge(message.endsWith('503') ? { Ok: 'Full' } : failed(message))
    }
    socket.onclose = ({ code }) => judge(failed(`closed with ${code}`))
    return () => socket.close()
  })
}
