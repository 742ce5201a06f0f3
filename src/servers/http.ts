/**
 * One HTTP(S) tracker listener: its routes and its limits (docs/behaviours.md H1, H17). What a request means
 * is decided in `http-requests.ts`. Bun routes, on the raw path.
 */
import { Elysia } from 'elysia'
import { HttpRequests, type HttpRequestsOptions } from './http-requests.ts'
import { type HttpServer, listen } from './listen.ts'

type HttpServerOptions = HttpRequestsOptions & {
  /** Whether other threads listen on the same port. */
  readonly reusePort: boolean
}

/** Seconds without a request after which a connection is closed (Bun rounds up to 8). */
const IDLE_SECONDS = 5
const MOST_BODY_BYTES = 64 * 1024

type Keyed = Bun.BunRequest<string>
/** The path segment beside the route's name, percent-decoded. */
const key = (request: Keyed): string | undefined => request.params.key

/** Opens the listener. Rejects with one line that names the cause. */
export async function serveHttp(options: HttpServerOptions): Promise<HttpServer> {
  const { listener } = options
  const requests = new HttpRequests(options, (request) => app.server?.requestIP(request) ?? null)
  const HEAD = (request: Request) => requests.head(request)
  const announceWithKey = {
    GET: (request: Keyed) => requests.announce(request, key(request)),
    HEAD,
  }
  const scrapeWithKey = { GET: (request: Keyed) => requests.scrape(request, key(request)), HEAD }
  // Bun's own routes, which Elysia passes on: its context would cost every announce 5 %, and its own router,
  // which the wildcard keeps out of the way, misreads paths behind short host names.
  const routes = {
    '/announce': { GET: (request: Request) => requests.announce(request), HEAD },
    '/announce/:key': announceWithKey,
    '/:key/announce': announceWithKey,
    '/scrape': { GET: (request: Request) => requests.scrape(request), HEAD },
    '/scrape/:key': scrapeWithKey,
    '/:key/scrape': scrapeWithKey,
    '/*': (request: Request) => requests.other(request),
  }
  const app = new Elysia({ strictPath: true, normalize: false, serve: { routes } }).get(
    '/health_check',
    () => requests.healthCheck(),
  )

  return await listen(app, {
    bind: listener.bind_address,
    tls: listener.tls_config,
    reusePort: options.reusePort,
    ipv6Only: listener.network.ipv6_v6only,
    idleSeconds: IDLE_SECONDS,
    mostBodyBytes: MOST_BODY_BYTES,
  })
}
