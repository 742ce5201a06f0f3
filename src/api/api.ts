/**
 * The management API (spec/torrust-rest-api §1–§7, spec/torrust-newest §2): its operations, as routes of
 * Elysia. Bun matches them on the raw path; what none of them takes, the last one does, so that Elysia's
 * second router, which mistakes paths behind short host names, is never asked.
 */
import { Elysia, t } from 'elysia'
import type { TlsConfig } from '../config/model.ts'
import type { Log } from '../log.ts'
import type { Garbage } from '../servers/garbage.ts'
import { type HttpServer, listen } from '../servers/listen.ts'
import type { Clock } from '../time/clock.ts'
import type { SocketAddress } from '../wire/address.ts'
import { json } from './answers.ts'
import { describe } from './documentation.ts'
import { FailedCalls } from './failed-calls.ts'
import { keyOperations } from './key-routes.ts'
import { openApi } from './openapi.ts'
import type { Operation } from './operation.ts'
import type { ApiParts } from './parts.ts'
import { Door } from './pipeline.ts'
import { statsOperations } from './statistics-routes.ts'
import { torrentOperations } from './torrent-routes.ts'
import { whitelistOperations } from './whitelist-routes.ts'

export interface ApiOptions {
  readonly bind: SocketAddress
  readonly tls: TlsConfig | null
  readonly parts: ApiParts
  readonly clock: Clock
  readonly garbage: Garbage
  readonly log: Log
  /** Of the program, for the OpenAPI document. */
  readonly version: string
  /** Longest time until an answer begins. */
  readonly patienceMilliseconds?: number
}

const PATIENCE_MILLISECONDS = 5_000
/** Longer than the patience: who waits for an answer is not idle. */
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
  ]
  const patience = options.patienceMilliseconds ?? PATIENCE_MILLISECONDS
  const failed = new FailedCalls(options.log, clock)
  const door = new Door(parts, operations, garbage, failed, patience)
  const routes = { '/*': (request: Request) => door.answer(request, undefined) }
  const app = new Elysia({ strictPath: true, normalize: false, serve: { routes } })
  for (const operation of operations) {
    const { method, path, detail } = operation
    const answer = ({ request }: { request: Request }) => door.answer(request, operation)
    // Elysia is not to guess whether a body is wanted: bodies are ours to read, behind the token, up to a
    // length, and with the reference's messages. Bun hands a HEAD to the GET of its path.
    app.route(method, path, answer, { parse: 'none', detail: { ...detail } as object })
  }
  const document = openApi(app.routes, options.version)
  return await listen(app, {
    bind: options.bind,
    tls: options.tls,
    idleSeconds: IDLE_SECONDS,
    // The limit has words of its own, and a request without a token is not told of it.
    mostBodyBytes: Number.MAX_SAFE_INTEGER,
  })
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
