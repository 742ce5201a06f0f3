/**
 * What each operation says of itself in the OpenAPI document: schemas are Elysia's (`t`), which are JSON
 * schema as they stand. They describe and never check: mistakes have the reference's own words.
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

type Words = {
  readonly tag: 'health' | 'statistics' | 'torrents' | 'whitelist' | 'keys' | 'documentation'
  readonly summary: string
  readonly description?: string
  readonly parameter?: readonly [name: string, ...Named]
  readonly query?: Readonly<Record<string, Named>>
  readonly body?: TSchema
  /** Of the answer 200, by content type. */
  readonly answers: Readonly<Record<string, TSchema>>
  /** Other statuses it may have, besides those that all have. */
  readonly also?: readonly ShownStatus[]
  /** Without a token. */
  readonly open?: boolean
}

const REFUSALS = {
  400: 'A value cannot be read; the text says which and what it should be.',
  404: 'The path is unknown; a blank parameter is.',
  408: 'No answer within five seconds; whether anything was done is unknown.',
  409: 'There is no database, so this cannot be done.',
  413: 'The body is longer than 2,097,152 bytes.',
  415: 'The content type is not JSON.',
  422: 'The body is JSON of another shape.',
  500: 'The token is missing or not valid, or the request failed; the text has the reason.',
} as const
export type ShownStatus = keyof typeof REFUSALS
const EMPTY: readonly number[] = [404, 408]

/** Every refusal once, for `components.responses`. */
export const refusals = (): Record<string, Response> =>
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
  offset: [integer(0, MOST_U32), 'Items to leave out in front; 0 unless told.'],
  limit: [integer(0, MOST_U32), 'Most items in the answer; 4000 unless told.'],
}

const TEXT = { 'text/plain; charset=utf-8': t.String() }
const REFUSAL_TYPES: Record<string, Record<string, TSchema>> = {
  409: { 'application/json': t.Object({ status: t.Literal('err'), reason: t.String() }) },
}

const contentOf = (types: Readonly<Record<string, TSchema>>): object =>
  Object.fromEntries(Object.entries(types).map(([type, schema]) => [type, { schema }]))

export function describe(words: Words): Documentation {
  const { tag, summary, description, parameter, query = {}, body, answers, also = [] } = words
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
  const shown: ShownStatus[] = [408, ...(words.open ? [] : [500 as const]), ...also]
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
    ...(words.open && { security: [] }),
  }
}
