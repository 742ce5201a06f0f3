/**
 * The management API (docs/behaviours.md A1–A29): its operations as routes of Elysia. Bun matches them on
 * the raw path, and the wildcard route takes everything else, so that Elysia's second router, which misreads
 * paths behind short host names, is never asked.
 */
import { Elysia, t } from 'elysia'
import type { TlsConfig } from '../config/model.ts'
import type { Log } from '../log.ts'
import type { Garbage } from '../servers/garbage.ts'
import { type HttpServer, listen } from '../servers/listen.ts'
import type { Clock } from '../time/clock.ts'
import type { SocketAddress } from '../wire/address.ts'
import { json } from './answers.ts'
import { FailedCalls } from './failed-calls.ts'
import { keyOperations } from './key-routes.ts'
import { describe, openApi } from './openapi.ts'
import type { ApiParts, Operation } from './operation.ts'
import { Pipeline } from './pipeline.ts'
import { statsOperations } from './statistics-routes.ts'
import { torrentOperations } from './torrent-routes.ts'
import { whitelistOperations } from './whitelist-routes.ts'

interface ApiOptions {
  readonly bind: SocketAddress
  readonly tls: TlsConfig | null
  readonly parts: ApiParts
  readonly clock: Clock
  readonly garbage: Garbage
  readonly log: Log
  /** Version of the program, for the OpenAPI document. */
  readonly version: string
  /** Operations of others on the same listener. */
  readonly more?: readonly Operation[]
  /** Time limit until an answer begins, and of a connection without a byte in either direction. */
  readonly limitMilliseconds?: number
  readonly idleSeconds?: number
}

const LIMIT_MILLISECONDS = 5_000
/** Longer than the time limit: a connection that waits for an answer is not idle. */
const IDLE_SECONDS = 12

/** Opens the listener. Rejects with one line that names the cause. */
export async function serveApi(options: ApiOptions): Promise<HttpServer> {
  const { parts, clock, garbage } = options
  const operations: readonly Operation[] = [
    health,
    ...statsOperations(parts),
    ...torrentOperations(parts),
    ...whitelistOperations(parts),
    ...keyOperations(parts, clock),
    { ...openApiOperation, answer: () => json(document) },
    ...(options.more ?? []),
  ]
  const document = openApi(operations, options.version)
  const pipeline = new Pipeline({
    parts,
    operations,
    garbage,
    failed: new FailedCalls(options.log, clock),
    milliseconds: options.limitMilliseconds ?? LIMIT_MILLISECONDS,
    keepOpen: (request) => app.server?.timeout(request, 0),
  })
  const routes = { '/*': (request: Request) => pipeline.answer(request, undefined) }
  const app = new Elysia({ strictPath: true, normalize: false, serve: { routes } })
  for (const operation of operations) {
    const answer = ({ request }: { request: Request }) => pipeline.answer(request, operation)
    // Elysia must not read bodies: request-body.ts does, behind the token, up to a length, and with the
    // reference's messages. Bun passes a HEAD to the GET of its path.
    app.route(operation.method, operation.path, answer, { parse: 'none' })
  }
  const server = await listen(app, {
    bind: options.bind,
    tls: options.tls,
    idleSeconds: options.idleSeconds ?? IDLE_SECONDS,
    // Bodies have a limit of their own, with its own text, which a request without a token does not see.
    mostBodyBytes: Number.MAX_SAFE_INTEGER,
  })
  const stop = (graceMilliseconds: number): Promise<void> => {
    pipeline.endStreams()
    return server.stop(graceMilliseconds)
  }
  return { ...server, stop }
}

const health: Operation = {
  method: 'GET',
  path: '/api/health_check',
  open: true,
  answer: () => json('{"status":"Ok"}'),
  detail: describe({
    tag: 'health',
    summary: 'Whether the API answers',
    answers: { 'application/json': t.Object({ status: t.Literal('Ok') }) },
    open: true,
  }),
}

const openApiOperation = {
  method: 'GET',
  path: '/api/openapi.json',
  detail: describe({
    tag: 'documentation',
    summary: 'This document',
    answers: { 'application/json': t.Object({}) },
  }),
} as const
