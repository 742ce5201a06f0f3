/**
 * The WebSockets of one listener (RFC 6455): who may open one, and what Bun is told about them. They are opened on a
 * server of their own, or on that of an HTTP tracker with the same address.
 */
import { Elysia } from 'elysia'
import { Visitor } from '../access/gate.ts'
import type { Family } from '../bittorrent.ts'
import { LIMITS } from '../limits.ts'
import { AT, type ListenerCounters } from '../memory/counters.ts'
import { locateConnected, locateForwarded } from './client-address.ts'
import { HTTP_REQUEST } from './garbage.ts'
import { type Certificate, type HttpServer, listen, rawPath } from './listen.ts'
import { Client, WebSocketRequests, type WebSocketRequestsOptions } from './websocket-requests.ts'

export type WebSocketsOptions = WebSocketRequestsOptions & {
  readonly all: ListenerCounters
  /** Whether the limit of open files leaves room for another WebSocket, of whatever listener. */
  readonly hasRoom: () => boolean
}

/** Seconds of silence after which a connection is closed; a client that answers a ping, sent before, stays. */
const IDLE_SECONDS = 60
/** Seconds without a request after which a connection is closed that is no WebSocket (Bun rounds up to 8). */
const HTTP_IDLE_SECONDS = 5
const MOST_BODY_BYTES = 1024

const KEY = /^[0-9A-Za-z]{32}$/
const QUERY_KEY = /[?&]key=([0-9A-Za-z]{32})(?![^&#])/
/** Where the HTTP tracker expects a key. */
const KEYED_PATH = /^\/(?:announce\/([^/]+)|([^/]+)\/announce)\/?$/

/** The handlers of every server that has WebSockets: the socket knows whose it is. */
export const webSocketHandlers: Bun.WebSocketHandler<Client> = {
  idleTimeout: IDLE_SECONDS,
  sendPings: true,
  maxPayloadLength: LIMITS.webSocketMessage,
  perMessageDeflate: false,
  // Beyond our own limit, which closes the connection.
  backpressureLimit: 4 * LIMITS.webSocketUnsent,
  open: (socket) => socket.data.requests.opened(socket.data, socket),
  message: (socket, message) => socket.data.requests.message(socket.data, message),
  // Bun answers pings by itself.
  ping: (socket) => socket.data.requests.pinged(socket.data),
  pong: (socket) => socket.data.requests.pinged(socket.data),
  close: (socket, code, reason) => socket.data.requests.closed(socket.data, reasonOf(code, reason)),
}

/** Why a connection ended, if not by us: Bun says it in words. */
function reasonOf(code: number, reason: string) {
  if (code !== ABNORMAL) return 'closedByClient'
  if (reason.startsWith('Received ')) return 'closedFaulty'
  return reason.includes('timed out') ? 'closedIdle' : 'closedByClient'
}
/** RFC 6455, 7.4.1: it ended without a close frame of the client. */
const ABNORMAL = 1006

export class WebSockets {
  readonly requests: WebSocketRequests
  readonly #options: WebSocketsOptions
  readonly #visitor = new Visitor('connected')

  constructor(options: WebSocketsOptions) {
    this.#options = options
    this.requests = new WebSocketRequests(options)
  }

  /** A request that opens no WebSocket. `family`: of the client, if it is known. */
  refuse(
    { url }: Request,
    status: number,
    text: string,
    headers = {},
    family: Family = 4,
  ): Response {
    const { counters, garbage } = this.#options
    garbage.made(HTTP_REQUEST + url.length)
    counters[AT.malformed + (family === 6 ? 1 : 0)]!++
    return new Response(`${text}\n`, { status, headers })
  }

  /** Opens a WebSocket, or answers why not. undefined: it is open. */
  upgrade(request: Request, server: Bun.Server<Client>): Response | undefined {
    const { all, clock, connections, garbage, hasRoom } = this.#options
    const { listener } = this.requests
    const visitor = this.#visitor
    const { address } = visitor
    address.family = 4
    // A client whose address stays unknown must not count as the one before it.
    address.words.fill(0)
    const peer = server.requestIP(request)
    visitor.fault = listener.network.on_reverse_proxy
      ? locateForwarded(request, address)
      : locateConnected(peer, address)
    const refused = (status: number, text: string, headers = {}) =>
      this.refuse(request, status, text, headers, address.family)
    const origin = request.headers.get('origin')
    const { allowed_origins: allowed, max_connections, max_connections_per_ip: most } = listener
    if (origin !== null && allowed.length > 0 && !allowed.includes(origin))
      return refused(403, 'this tracker does not serve pages of your origin')
    if (max_connections > 0 ? countOpen(all) >= max_connections : !hasRoom())
      return refused(503, 'this tracker has no connection left', { 'retry-after': '60' })
    const place = connections.placeOf(address)
    if (most > 0 && visitor.fault === undefined && connections.at(place) >= most)
      return refused(503, 'too many connections of your address', { 'retry-after': '60' })
    this.#readKey(request)
    const port = listener.network.on_reverse_proxy ? 0 : (peer?.port ?? 0)
    const at = { place, now: clock.seconds() }
    if (!server.upgrade(request, { data: new Client(this.requests, visitor, port, at) }))
      return refused(426, 'this is no WebSocket handshake of version 13', UPGRADE)
    garbage.made(HTTP_REQUEST + request.url.length)
    return undefined
  }

  /** The key of the URL goes for all messages of the connection. */
  #readKey(request: Request): void {
    const visitor = this.#visitor
    const path = rawPath(request)
    const [, behind, before] = KEYED_PATH.exec(path) ?? []
    const last = path.slice(path.lastIndexOf('/') + 1)
    const shown = behind ?? before ?? (KEY.test(last) ? last : undefined)
    const [, asked] = QUERY_KEY.exec(request.url) ?? []
    const text = shown ?? asked
    visitor.shows = text === undefined ? 'none' : visitor.key.read(text) ? 'key' : 'malformed'
  }
}

/** The connections of a listener that are open, on all threads. */
export function countOpen({ open: { ipv4, ipv6 } }: ListenerCounters): number {
  return ipv4 + ipv6
}

const UPGRADE = { upgrade: 'websocket', connection: 'Upgrade' }
/** To a request that only a program would make otherwise. */
const NO_CLIENT = [426, 'give this URL to a WebTorrent client', UPGRADE] as const

/** Whether a request asks for a WebSocket; the rest of the handshake is Bun's to judge. */
export const asksForUpgrade = ({ headers }: Request): boolean =>
  headers.get('upgrade')?.toLowerCase() === 'websocket'

type WebSocketServerOptions = {
  readonly certificate: Certificate | null
  /** Whether other sockets of this process listen on the same port. */
  readonly reusePort: boolean
}

/** Opens a server that has nothing but these WebSockets. Rejects with one line that names the cause. */
export async function serveWebSockets(
  sockets: WebSockets,
  { certificate, reusePort }: WebSocketServerOptions,
): Promise<HttpServer> {
  const { listener } = sockets.requests
  const orUpgrade =
    (plain: (request: Request) => Response) =>
    (request: Request): Response =>
      asksForUpgrade(request) ? (sockets.upgrade(request, server()) as Response) : plain(request)
  const forClients = orUpgrade((request) => sockets.refuse(request, ...NO_CLIENT))
  const elsewhere = orUpgrade((request) => sockets.refuse(request, 404, 'there is nothing here'))
  const routes = { '/': forClients, '/announce': forClients, '/*': elsewhere }
  const server = (): Bun.Server<Client> => app.server as Bun.Server<Client>
  const app = new Elysia({ strictPath: true, normalize: false, serve: { routes } }).get(
    '/health_check',
    () => new Response('{"status":"Ok"}', { headers: { 'content-type': 'application/json' } }),
  )
  return await listen(app, {
    bind: listener.bind_address,
    certificate,
    reusePort,
    ipv6Only: listener.network.ipv6_v6only,
    idleSeconds: HTTP_IDLE_SECONDS,
    mostBodyBytes: MOST_BODY_BYTES,
    webSocket: webSocketHandlers,
    scheme: 'ws',
  })
}
