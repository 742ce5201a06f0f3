/** The management API (docs/behaviours.md A1–A30): an application of Elysia on a socket of its own. */
import { Elysia, t } from 'elysia'
import type { Log } from '../log/log.ts'
import type { Garbage } from '../servers/garbage.ts'
import { type Certificate, type HttpServer, listen } from '../servers/listen.ts'
import type { Clock } from '../time/clock.ts'
import { isLoopbackIp, type SocketAddress } from '../wire/address.ts'
import { accountRoutes } from './account-routes.ts'
import { accountingRoutes } from './accounting-routes.ts'
import { Answer, json } from './answers.ts'
import { Audit } from './audit.ts'
import { banRoutes } from './ban-routes.ts'
import { configurationRoutes } from './configuration-routes.ts'
import { EventStreams } from './event-stream.ts'
import { Exchange, type Handle } from './exchange.ts'
import { FailedCalls } from './failed-calls.ts'
import { MOST_BODY_BYTES, readJson } from './json-body.ts'
import { keyRoutes } from './key-routes.ts'
import { liveRoutes } from './live-routes.ts'
import { logRoutes } from './log-routes.ts'
import { metricsRoutes, scrapeRoutes } from './metrics-routes.ts'
import { asJson, describe, openApi } from './openapi.ts'
import { pageRoutes } from './page-routes.ts'
import type { ApiParts, Matched, ReadBody } from './parts.ts'
import { Paths } from './paths.ts'
import { sessionRoutes } from './session-routes.ts'
import { mayBeOwn } from './sessions.ts'
import { statisticsRoutes } from './statistics-routes.ts'
import { torrentRoutes } from './torrent-routes.ts'
import { whitelistRoutes } from './whitelist-routes.ts'

interface ApiOptions {
  readonly bind: SocketAddress
  readonly certificate: Certificate | null
  /** Another socket of this process has the same port. */
  readonly reusePort?: boolean
  /** How it is reached from elsewhere, if the configuration says so. */
  readonly publicUrl?: string | null
  readonly parts: ApiParts
  readonly clock: Clock
  readonly garbage: Garbage
  readonly log: Log
  /** Version of the program. */
  readonly version: string
  /** Time limit until an answer begins. */
  readonly limitMilliseconds?: number
}

const LIMIT_MILLISECONDS = 5_000
/** Without a byte in either direction. Longer than the time limit: a connection that waits for an answer is not idle. */
const IDLE_SECONDS = 12
/** Bytes of garbage for each byte of a body that was read: copies, objects. */
const GARBAGE_PER_BYTE = 16

const API = '/api/v1'
const OPENAPI = '/api/openapi.json'
const HEALTH = t.Object({ status: t.Literal('Ok') }, { $id: 'Health' })

/** Opens the listener. Rejects with one line that names the cause. */
export async function serveApi(options: ApiOptions): Promise<HttpServer> {
  const { parts, garbage, version } = options
  const { tokens } = parts
  const { sessions } = parts
  tokens.alsoOf(sessions)
  const isSecure = options.certificate !== null || options.publicUrl?.startsWith('https:') === true
  const isOwnHost = (host: string) =>
    !isLoopbackIp(options.bind.ip) || mayBeOwn(host, options.publicUrl ?? null)
  const paths = new Paths()
  const streams = new EventStreams()
  // Their clients come again, with a token or session that is still good.
  const endStreams = () => streams.end()
  tokens.onChange = endStreams
  const addressOf = (request: Request): string | undefined =>
    app.server?.requestIP(request)?.address
  const exchange = new Exchange({
    tokens,
    paths,
    garbage,
    report: parts.report,
    failed: new FailedCalls(options.log, options.clock),
    audit: new Audit(options.log, options.clock),
    streams,
    addressOf,
    milliseconds: options.limitMilliseconds ?? LIMIT_MILLISECONDS,
  })
  const accounted = { ...parts, exchange, seconds: () => options.clock.seconds() }
  const authorize = ({ request, route }: Matched) => exchange.admit({ request, route })
  // Elysia reads bodies before it transforms. Nothing of a body is read without a token.
  const parseOpen: ReadBody = ({ request }) =>
    readJson(request, (bytes) => garbage.kept(bytes * GARBAGE_PER_BYTE))
  const parse: ReadBody = async ({ request, route }) => {
    authorize({ request, route })
    return exchange.wasRead(request, await parseOpen({ request, route }))
  }
  let document = ''
  const app = new Elysia({
    strictPath: true,
    // Unknown members of a body are ignored, not removed.
    normalize: false,
    // Messages are made from the values that are wrong, in every environment.
    allowUnsafeValidationDetails: true,
    // Elysia's second router, after Bun's, misreads paths behind short host names: it is never asked.
    serve: { routes: { '/*': (request: Request) => exchange.unmatched(request) } },
  })
    .wrap((handle) => (request: Request) => exchange.run(request, handle as unknown as Handle))
    .onError(({ request, error }) => exchange.fail(request, error))
    // If this took the body from its context, Elysia would read every body, before the token is checked.
    .mapResponse(async ({ request, route, params, responseValue, set }) => {
      if (!(responseValue instanceof Answer)) return undefined
      exchange.done({ request, route }, params, responseValue)
      const response = await exchange.send(request, responseValue)
      // With any other status Elysia would make a response of it again, without its length.
      set.status = 200
      return response
    })
    .use(pageRoutes(parts, version))
    .use(
      sessionRoutes({
        tokens,
        sessions,
        clock: options.clock,
        parse: parseOpen,
        addressOf,
        isSecure,
        isOwnHost,
        ended: endStreams,
      }),
    )
    .get('/api/health_check', () => json('{"status":"Ok"}'), {
      detail: describe('getHealth', 'Whether the API answers', asJson(HEALTH)),
    })
    .get(OPENAPI, () => json(document), {
      detail: describe('getOpenApi', 'This document', asJson(t.Object({}))),
    })
    .group('', (scraped) => scraped.onTransform(authorize).use(scrapeRoutes(parts)))
    .group(API, (versioned) =>
      versioned
        .onTransform(authorize)
        .use(statisticsRoutes(parts))
        .use(metricsRoutes(parts))
        .use(liveRoutes(parts, exchange))
        .use(torrentRoutes(parts))
        .use(accountRoutes(accounted, parse))
        .use(accountingRoutes(accounted, parse))
        .use(whitelistRoutes(parts, parse))
        .use(keyRoutes(parts, parse))
        .use(banRoutes(parts))
        .use(logRoutes(parts, exchange))
        .use(configurationRoutes(parts)),
    )
  paths.add(app.routes)
  document = openApi(app, version)
  const server = await listen(app, {
    bind: options.bind,
    certificate: options.certificate,
    reusePort: options.reusePort ?? false,
    idleSeconds: IDLE_SECONDS,
    mostBodyBytes: MOST_BODY_BYTES,
  })
  const stop = (graceMilliseconds: number): Promise<void> => {
    // They would never end by themselves.
    streams.stop()
    return server.stop(graceMilliseconds)
  }
  return { ...server, stop }
}
