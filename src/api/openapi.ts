/**
 * The OpenAPI 3.1 document of the management API (docs/behaviours.md A29), made from Elysia's own list of routes:
 * the schemas in it are those that check requests. Schemas with an `$id` are named.
 */
import {
  type AnyElysia,
  type DocumentDecoration,
  type InternalRoute,
  type TSchema,
  t,
} from 'elysia'
import type { Scope } from '../config/model.ts'
import { TEXT_TYPE } from './answers.ts'
import { scopeOf } from './paths.ts'
import { integer } from './schemas.ts'

const REFUSALS = {
  400: 'A value cannot be read; the text says which and what it should be.',
  401: 'The token is missing or not valid.',
  403: 'The scope of the token is too small; the reason names both.',
  404: 'The path is unknown, or its parameter is blank.',
  408: 'There was no answer within five seconds; whether anything was done is unknown.',
  409: 'There is no database, or accounting is off where it is needed.',
  411: 'The request does not say how long its body is.',
  413: 'The body is longer than 2,097,152 bytes, or that of a login than 32,768.',
  415: 'The content type is not JSON.',
  422: 'The body is JSON of another shape.',
  429: 'Too many wrong tokens came from this address; `Retry-After` says when to try again.',
  500: 'The token is missing or not valid, or the request failed; the text says why.',
  503: 'Too many event streams are open.',
} as const

export const nullable = (schema: TSchema): TSchema => t.Union([schema, t.Null()])
const REFUSED = t.Object({ status: t.Literal('err'), reason: t.String() }, { $id: 'Refused' })

/** Schema of the answer 200, by content type. */
type Answers = Readonly<Record<string, TSchema>>
export const asJson = (schema: TSchema): Answers => ({ 'application/json': schema })
export const DONE = asJson(t.Object({ status: t.Literal('ok') }, { $id: 'Done' }))
export const COUNTED = asJson(
  t.Object({ status: t.Literal('ok'), count: integer({ minimum: 0 }) }, { $id: 'Counted' }),
)

/** How a route describes itself besides what its schemas say. */
export const describe = (
  operationId: string,
  summary: string,
  answers: Answers,
  {
    scope,
    ...more
  }: {
    readonly description?: string
    readonly deprecated?: true
    /** Of the tokens that open it; absent: GET needs `read`, everything else `all`. */
    readonly scope?: Scope
  } = {},
): DocumentDecoration => ({
  operationId,
  summary,
  ...more,
  ...(scope && { security: securityOf(scope) }),
  responses: { 200: { description: 'Done.', content: contentOf(answers) } },
})

/** Ways to send a token, each with the scope that it needs. */
const securityOf = (scope: Scope) => [
  { bearer: [scope] },
  { token: [scope] },
  ...(scope === 'metrics' ? [{ basic: [scope] }] : []),
]

const contentOf = (types: Readonly<Record<string, TSchema>>) =>
  Object.fromEntries(Object.entries(types).map(([type, schema]) => [type, { schema }]))

const WITHOUT_BODY = ['404', '408']
const refusals = Object.fromEntries(
  Object.entries(REFUSALS).map(([status, description]) => {
    if (WITHOUT_BODY.includes(status)) return [status, { description }]
    const content = ['401', '403', '409'].includes(status)
      ? asJson(REFUSED)
      : { [TEXT_TYPE]: t.String() }
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
\`http_api.access_tokens\`, with the scope that is named: \`all\` includes \`read\`, which includes \`metrics\`. There, failures of
authentication have status 500, as clients of this API expect.`

const isVersioned = ({ path }: InternalRoute): boolean => path.startsWith('/api/v1/')
const needsToken = (route: InternalRoute): boolean =>
  isVersioned(route) || route.hooks.detail?.security !== undefined

const LOGIN = 'login'
/** Routes that answer with event streams. */
const STREAMS = ['getLog', 'watchChanges', 'watchOverview']
/** Tags of routes that need a database. */
const WITH_DATABASE = ['keys', 'whitelist', 'accounting']

/** The statuses that a route has besides 200. */
function refusalsOf(route: InternalRoute): readonly (keyof typeof REFUSALS)[] {
  const { hooks } = route
  return [
    ...(hooks.params || hooks.query || hooks.body ? [400 as const] : []),
    ...(needsToken(route) ? [...(isVersioned(route) ? [] : [401 as const]), 403 as const] : []),
    ...(hooks.detail?.operationId === LOGIN ? ([401, 403, 411, 429] as const) : []),
    ...(hooks.params ? [404 as const] : []),
    408,
    ...(WITH_DATABASE.includes(hooks.detail?.tags?.[0] ?? '') ? [409 as const] : []),
    ...(hooks.body ? [413 as const, 415 as const, 422 as const] : []),
    ...(isVersioned(route) ? [500 as const] : []),
    ...(STREAMS.includes(hooks.detail?.operationId ?? '') ? [503 as const] : []),
  ]
}

/** Whether a path names something that may not exist. */
const mayMiss = ({ hooks: { detail, params } }: InternalRoute): boolean =>
  detail?.operationId === 'replaceKey' ||
  (detail?.tags?.[0] === 'accounting' && Object.keys(params?.properties ?? {})[0] !== 'info_hash')

/** Outside /api/v1 every refusal is JSON. */
function refusalOf(route: InternalRoute, status: keyof typeof REFUSALS): object {
  const asRefused = { content: contentOf(asJson(REFUSED)) }
  if (!isVersioned(route)) return { description: REFUSALS[status], ...asRefused }
  if (status === 404 && mayMiss(route))
    return { description: 'It does not exist; the reason says what.', ...asRefused }
  return { $ref: `#/components/responses/${status}` }
}

function operationOf(route: InternalRoute): object {
  const { params, query, body, detail } = route.hooks
  return {
    ...detail,
    parameters: [...parametersOf('path', params), ...parametersOf('query', query)],
    ...(body && {
      requestBody: { required: true, content: contentOf(asJson(body)) },
    }),
    responses: {
      ...detail?.responses,
      ...Object.fromEntries(refusalsOf(route).map((status) => [status, refusalOf(route, status)])),
    },
    security: needsToken(route) ? securityOf(scopeOf(route)) : [],
  }
}

/** In the document as it is made, before an integer that no number can hold. */
const BIGINT = 'bigint:'

/** The document as JSON. */
export function openApi({ routes }: AnyElysia, version: string): string {
  const paths: Record<string, Record<string, object>> = {}
  for (const route of routes) {
    if (route.hooks.detail?.hide) continue
    const template = route.path.replaceAll(/:([^/]+)/g, '{$1}')
    paths[template] = { ...paths[template], [route.method.toLowerCase()]: operationOf(route) }
  }
  const schemas: Record<string, unknown> = {}
  const withReferences = (_name: string, value: unknown): unknown => {
    if (typeof value === 'bigint') return `${BIGINT}${value}`
    if (typeof value !== 'object' || value === null) return value
    if ('shownAs' in value) return value.shownAs
    if (!('$id' in value)) return value
    const { $id, ...schema } = value
    schemas[String($id)] ??= JSON.parse(JSON.stringify(schema, withReferences))
    return { $ref: `#/components/schemas/${$id}` }
  }
  const document = JSON.stringify({
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
        basic: {
          type: 'http',
          scheme: 'basic',
          description: 'Any user name; the token is the password.',
        },
      },
      responses: JSON.parse(JSON.stringify(refusals, withReferences)),
      schemas,
    },
  })
  return document.replaceAll(new RegExp(`"${BIGINT}(-?\\d+)"`, 'g'), '$1')
}
