/**
 * One HTTP(S) tracker listener: its routes and its limits (docs/behaviours.md H1, H17). What a request means
 * is decided in `http-requests.ts`. Bun routes, on the raw path.
 */
import { Elysia } from 'elysia'
import {
  type HttpListenerOptions,
  HttpRequests,
  type HttpRequestsOptions,
} from './http-requests.ts'
import { type Certificate, type HttpServer, listen } from './listen.ts'
import { asksForUpgrade, type WebSockets, webSocketHandlers } from './websocket.ts'
import type { Client } from './websocket-requests.ts'

type HttpServerOptions = HttpRequestsOptions & {
  readonly certificate: Certificate | null
  /** Whether other sockets of this process listen on the same port. */
  readonly reusePort: boolean
}

export type HttpTrackerServer = HttpServer & {
  /** Serves the next request by other options of the listener. */
  follow(options: HttpListenerOptions): void
  /** Opens these WebSockets, too, from here on; undefined: none. */
  host(sockets: WebSockets | undefined): void
  /** From here on an answer is the last one of its connection: the server will be closed soon. */
  retire(): void
}

/** Seconds without a request after which a connection is closed (Bun rounds up to 8). */
const IDLE_SECONDS = 5
const MOST_BODY_BYTES = 64 * 1024

type Keyed = Bun.BunRequest<string>
/** The path segment beside the route's name, percent-decoded. */
const key = (request: Keyed): string | undefined => request.params.key

/** Opens the listener. Rejects with one line that names the cause. */
export async function serveHttp(options: HttpServerOptions): Promise<HttpTrackerServer> {
  const { listener } = options
  const requests = new HttpRequests(options, (request) => app.server?.requestIP(request) ?? null)
  const HEAD = (request: Request) => requests.head(request)
  let hosted: WebSockets | undefined
  /** What has an info hash never asks for a WebSocket: its headers are not looked at. */
  const orUpgrade =
    (serve: Handle): Handle =>
    (request) =>
      hosted !== undefined && !request.url.includes('info_hash=') && asksForUpgrade(request)
        ? (hosted.upgrade(request, app.server as Bun.Server<Client>) as Response)
        : serve(request)
  const announceWithKey = {
    GET: orUpgrade((request) => requests.announce(request, key(request))),
    HEAD,
  }
  const scrapeWithKey = {
    GET: orUpgrade((request) => requests.scrape(request, key(request))),
    HEAD,
  }
  // Bun's own routes, which Elysia passes on: its context would cost every announce 5 %, and its own router,
  // which the wildcard keeps out of the way, misreads paths behind short host names.
  const routes = {
    '/announce': { GET: orUpgrade((request) => requests.announce(request)), HEAD },
    '/announce/:key': announceWithKey,
    '/:key/announce': announceWithKey,
    '/scrape': { GET: orUpgrade((request) => requests.scrape(request)), HEAD },
    '/scrape/:key': scrapeWithKey,
    '/:key/scrape': scrapeWithKey,
    '/': orUpgrade((request) => requests.page(request)),
    '/*': orUpgrade((request) => requests.other(request)),
  }
  const healthCheck = () => requests.healthCheck()
  const app = new Elysia({ strictPath: true, normalize: false, serve: { routes } }).get(
    '/health_check',
    healthCheck,
  )

  const server = await listen(app, {
    bind: listener.bind_address,
    certificate: options.certificate,
    reusePort: options.reusePort,
    ipv6Only: listener.network.ipv6_v6only,
    idleSeconds: IDLE_SECONDS,
    mostBodyBytes: MOST_BODY_BYTES,
    webSocket: webSocketHandlers,
  })
  return {
    ...server,
    follow: (next) => requests.follow(next),
    host: (sockets) => {
      hosted = sockets
    },
    retire: () => {
      const last = Object.entries({ ...routes, '/health_check': healthCheck }).map(
        ([path, route]) => [path, lastAnswers(route)] as const,
      )
      app.server?.reload({ fetch: app.fetch, routes: Object.fromEntries(last) })
    },
  }
}

type Handle = (request: Keyed) => Response | Promise<Response>
type Route = Handle | Readonly<Record<'GET' | 'HEAD', Handle>>

/** The same route, whose answers tell the client to ask for a connection of its own next time. */
function lastAnswers(route: Route): Route {
  if (typeof route !== 'function')
    return { GET: lastAnswer(route.GET), HEAD: lastAnswer(route.HEAD) }
  return lastAnswer(route)
}

const lastAnswer =
  (handle: Handle): Handle =>
  async (request) => {
    const response = await handle(request)
    // One that became a WebSocket has no response.
    response?.headers.set('connection', 'close')
    return response
  }
