/**
 * The OpenAPI 3.1 document of the management API (docs/behaviours.md A29), made from Elysia's own list of routes:
 * the schemas in it are those that check requests. Schemas with an `$id` are named.
 */
import { type AnyElysia, type DocumentDecoration, type TSchema, t } from 'elysia'
import { integer } from './schemas.ts'

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
type RefusalStatus = keyof typeof REFUSALS

export const nullable = (schema: TSchema): TSchema => t.Union([schema, t.Null()])
export const STATUS = t.Object({ status: t.Literal('ok') }, { $id: 'Done' })
export const COUNTED = t.Object(
  { status: t.Literal('ok'), count: integer({ minimum: 0 }) },
  { $id: 'Counted' },
)
const REFUSED = t.Object({ status: t.Literal('err'), reason: t.String() }, { $id: 'Refused' })

type Description = {
  readonly id: string
  readonly tag: 'about' | 'statistics' | 'torrents' | 'whitelist' | 'keys'
  readonly summary: string
  readonly description?: string
  readonly deprecated?: true
  /** Schema of the answer 200, by content type. */
  readonly answers: Readonly<Record<string, TSchema>>
  /** Statuses besides those that every operation has. */
  readonly also?: readonly RefusalStatus[]
  /** Needs no token. */
  readonly open?: true
}

/** How a route describes itself: its `detail`. */
export function describe(about: Description): DocumentDecoration {
  const { id, tag, answers, also = [], open, ...rest } = about
  const shown: RefusalStatus[] = [...also, 408, ...(open ? [] : [500 as const])]
  return {
    operationId: id,
    tags: [tag],
    ...rest,
    responses: {
      200: { description: 'Done.', content: contentOf(answers) },
      ...Object.fromEntries(
        shown.map((status) => [status, { $ref: `#/components/responses/${status}` }]),
      ),
    },
    ...(open && { security: [] }),
  }
}

const contentOf = (types: Readonly<Record<string, TSchema>>) =>
  Object.fromEntries(Object.entries(types).map(([type, schema]) => [type, { schema }]))

const refusals = Object.fromEntries(
  Object.entries(REFUSALS).map(([status, description]) => {
    if (status === '404' || status === '408') return [status, { description }]
    const content =
      status === '409'
        ? { 'application/json': REFUSED }
        : { 'text/plain; charset=utf-8': t.String() }
    return [status, { description, content: contentOf(content) }]
  }),
)

const parametersOf = (place: 'path' | 'query', schema: TSchema | undefined) =>
  Object.entries<TSchema>(schema?.properties ?? {}).map(([name, { description, ...schema }]) => ({
    name,
    in: place,
    required: place === 'path',
    ...(description !== undefined && { description }),
    schema,
  }))

const ABOUT = `Manages the tracker and reports what it does. Every path below /api/v1 needs one of the tokens in
\`http_api.access_tokens\`. There, failures of authentication have status 500, as clients of this API expect.`

/** The document as JSON. Routes without a `detail` are left out. */
export function openApi({ routes }: AnyElysia, version: string): string {
  const paths: Record<string, Record<string, object>> = {}
  for (const { method, path, hooks } of routes) {
    if (hooks.detail === undefined) continue
    const template = path.replaceAll(/:([^/]+)/g, '{$1}')
    const operation = {
      ...hooks.detail,
      parameters: [...parametersOf('path', hooks.params), ...parametersOf('query', hooks.query)],
      ...(hooks.body && {
        requestBody: { required: true, content: contentOf({ 'application/json': hooks.body }) },
      }),
    }
    paths[template] = { ...paths[template], [method.toLowerCase()]: operation }
  }
  const schemas: Record<string, unknown> = {}
  const withReferences = (_name: string, value: unknown): unknown => {
    if (typeof value !== 'object' || value === null) return value
    if ('shownAs' in value) return value.shownAs
    if (!('$id' in value)) return value
    const { $id, ...schema } = value
    schemas[String($id)] ??= JSON.parse(JSON.stringify(schema, withReferences))
    return { $ref: `#/components/schemas/${$id}` }
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
    paths: JSON.parse(JSON.stringify(paths, withReferences)),
    components: {
      securitySchemes: {
        bearer: { type: 'http', scheme: 'bearer' },
        token: { type: 'apiKey', in: 'query', name: 'token' },
      },
      responses: JSON.parse(JSON.stringify(refusals, withReferences)),
      schemas,
    },
  })
}
