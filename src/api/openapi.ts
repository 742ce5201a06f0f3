/**
 * The OpenAPI 3.1 document of the management API (docs/behaviours.md A29), and how an operation describes
 * itself in it. Schemas are Elysia's (`t`), which are JSON schema as they are. They describe and never
 * check: mistakes are reported in the reference's own words.
 */
import { type TSchema, t } from 'elysia'

type Response = { readonly description: string; readonly content?: object }
export type Documentation = {
  readonly tags: readonly [string]
  readonly summary: string
  readonly description?: string
  readonly parameters?: readonly object[]
  readonly requestBody?: object
  readonly responses: Readonly<Record<string, Response | Reference>>
  readonly security?: readonly []
}
type Reference = { readonly $ref: string }
type Named = readonly [schema: TSchema, description: string]

type Description = {
  readonly tag: 'health' | 'statistics' | 'torrents' | 'whitelist' | 'keys' | 'documentation'
  readonly summary: string
  readonly description?: string
  readonly parameter?: readonly [name: string, ...Named]
  readonly query?: Readonly<Record<string, Named>>
  readonly body?: TSchema
  /** Schema of the answer 200, by content type. */
  readonly answers: Readonly<Record<string, TSchema>>
  /** Statuses besides those that every operation has. */
  readonly also?: readonly ShownStatus[]
  /** Needs no token. */
  readonly open?: boolean
}

const REFUSALS = {
  400: 'A value cannot be read; the text says which and what it should be.',
  404: 'The path is unknown, or its parameter is blank.',
  408: 'There was no answer within five seconds; whether anything was done is unknown.',
  409: 'There is no database.',
  413: 'The body is longer than 2,097,152 bytes.',
  415: 'The content type is not JSON.',
  422: 'The body is JSON of another shape.',
  500: 'The token is missing or not valid, or the request failed; the text says why.',
} as const
type ShownStatus = keyof typeof REFUSALS
const EMPTY: readonly number[] = [404, 408]

/** All refusals, for `components.responses`. */
const refusals = (): Record<string, Response> =>
  Object.fromEntries(
    Object.entries(REFUSALS).map(([status, description]) => [
      status,
      EMPTY.includes(Number(status))
        ? { description }
        : { description, content: contentOf(REFUSAL_TYPES[status] ?? TEXT) },
    ]),
  )

export const integer = (minimum = 0, maximum?: number): TSchema =>
  t.Unsafe<number>({ type: 'integer', minimum, ...(maximum !== undefined && { maximum }) })
export const nullable = (schema: TSchema): TSchema => t.Union([schema, t.Null()])
export const infoHash = t.String({ pattern: '^[0-9a-fA-F]{40}$' })
export const status = t.Object({ status: t.Literal('ok') })
export const statusCount = t.Object({ status: t.Literal('ok'), count: integer() })

const MOST_U32 = 2 ** 32 - 1
export const page: Readonly<Record<string, Named>> = {
  offset: [integer(0, MOST_U32), 'Items to skip; default 0.'],
  limit: [integer(0, MOST_U32), 'Maximum number of items in the answer; default 4000.'],
}

const TEXT = { 'text/plain; charset=utf-8': t.String() }
const REFUSAL_TYPES: Record<string, Record<string, TSchema>> = {
  409: { 'application/json': t.Object({ status: t.Literal('err'), reason: t.String() }) },
}

const contentOf = (types: Readonly<Record<string, TSchema>>): object =>
  Object.fromEntries(Object.entries(types).map(([type, schema]) => [type, { schema }]))

export function describe(operation: Description): Documentation {
  const { tag, summary, description, parameter, query = {}, body, answers, also = [] } = operation
  const inQuery = Object.entries(query).map(([name, [schema, about]]) => ({
    name,
    in: 'query',
    description: about,
    schema,
  }))
  const inPath = parameter && [
    {
      name: parameter[0],
      in: 'path',
      required: true,
      schema: parameter[1],
      description: parameter[2],
    },
  ]
  const shown: ShownStatus[] = [408, ...(operation.open ? [] : [500 as const]), ...also]
  return {
    tags: [tag],
    summary,
    ...(description !== undefined && { description }),
    parameters: [...(inPath ?? []), ...inQuery],
    ...(body && {
      requestBody: { required: true, content: contentOf({ 'application/json': body }) },
    }),
    responses: {
      200: { description: 'Done.', content: contentOf(answers) },
      ...Object.fromEntries(
        shown.map((code) => [code, { $ref: `#/components/responses/${code}` }]),
      ),
    },
    ...(operation.open && { security: [] }),
  }
}

const ABOUT = `Manages the tracker and reports what it does. Every path except /api/health_check needs one of the tokens in
\`http_api.access_tokens\`. Failures of authentication have status 500, as clients of this API expect.`

type Described = {
  readonly method: string
  readonly path: string
  readonly detail?: Documentation
}

/** The document as JSON. Operations without a description are left out. */
export function openApi(operations: readonly Described[], version: string): string {
  const paths: Record<string, Record<string, Documentation>> = {}
  for (const { method, path, detail } of operations) {
    if (detail === undefined) continue
    const template = path.replaceAll(/:([^/]+)/g, '{$1}')
    paths[template] = { ...paths[template], [method.toLowerCase()]: detail }
  }
  return JSON.stringify({
    openapi: '3.1.0',
    info: {
      title: 'Tracker management API',
      version,
      description: ABOUT.replaceAll('\n', ' '),
      license: { name: 'AGPL-3.0-only', identifier: 'AGPL-3.0-only' },
    },
    servers: [{ url: '/' }],
    security: [{ bearer: [] }, { token: [] }],
    paths,
    components: {
      securitySchemes: {
        bearer: { type: 'http', scheme: 'bearer' },
        token: { type: 'apiKey', in: 'query', name: 'token' },
      },
      responses: refusals(),
    },
  })
}
