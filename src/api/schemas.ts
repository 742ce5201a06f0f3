/**
 * What clients may send, as schemas that Elysia checks and the OpenAPI document shows. `error` makes the answer
 * to a value that does not fit, in the reference's words (docs/behaviours.md A10, A15, A19–A21, A28); `$id` is the
 * schema's name in the document, and `shownAs` what stands there for a text that we read ourselves.
 */
import { type TSchema, t } from 'elysia'
import { KEY_CHARACTERS, parseInfoHash } from '../bittorrent.ts'
import type { SchemaVersion } from '../config/model.ts'
import { LIMITS } from '../limits.ts'
import { badQuery, badUrl, debugQuote, echo, Failure, notFound } from './failures.ts'
import type { Page } from './paging.ts'

const MOST_U32 = 2 ** 32 - 1
const MOST_U64 = 2n ** 64n - 1n
export const MOST_I64 = 2n ** 63n - 1n
/** Until 2295 every lifetime of a key up to this one ends in or before the last year that the reference can print, 262142. */
const MOST_SECONDS = 8_200_000_000_000

/** What a value that does not fit its schema means. Being there, it also keeps Elysia from printing the value. */
export type Judge = (found: { readonly value: unknown }) => Failure

/** A value of a body has another type. */
const mismatch = (value: unknown, expected: string): Failure =>
  new Failure(422, `invalid type: ${typeName(value)}, expected ${expected}`)

function typeName(value: unknown): string {
  if (Array.isArray(value)) return 'sequence'
  if (value === null) return 'null'
  if (typeof value === 'string') return `string ${debugQuote(echo(value))}`
  if (typeof value === 'boolean') return `boolean \`${value}\``
  if (typeof value === 'object') return 'map'
  const kind = typeof value === 'bigint' || Number.isInteger(value) ? 'integer' : 'floating point'
  return `${kind} \`${value}\``
}

/** In place of Elysia's `t.Integer`, which takes a text of digits as well. */
export const integer = ({
  error,
  ...shown
}: {
  readonly minimum?: number
  readonly maximum?: number
  readonly description?: string
  readonly error?: Judge
} = {}) =>
  t.Number({
    ...shown,
    multipleOf: 1,
    ...(error && { error }),
    shownAs: { type: 'integer', ...shown },
  })

export const judgeText =
  (mistakeIn: (text: string) => Failure): Judge =>
  ({ value }) =>
    typeof value === 'string' ? mistakeIn(value) : mismatch(value, 'a string')

/** A value of a body is not `expected`. */
export const expecting =
  (expected: string): Judge =>
  ({ value }) =>
    new Failure(422, `invalid value: ${typeName(value)}, expected ${expected}`)

/** From `least`, which is 0 or the smallest of 64 bits: a number where that is exact, otherwise a bigint. */
export const integer64 = (least: bigint, error: Judge) =>
  t.Union(
    [
      integer({
        minimum: least < 0n ? Number.MIN_SAFE_INTEGER : 0,
        maximum: Number.MAX_SAFE_INTEGER,
      }),
      // The compiled check makes numbers of its limits first: these are exact.
      t.BigInt({ minimum: least, exclusiveMaximum: MOST_I64 + 1n }),
    ],
    {
      error,
      shownAs: { type: 'integer', format: 'int64', minimum: least, maximum: MOST_I64 },
    },
  )

const HASH = '[0-9a-fA-F]{40}'
export const INFO_HASH = t.String({
  $id: 'InfoHash',
  pattern: `^${HASH}$`,
  error: judgeText((text) =>
    badUrl(`invalid infohash param: string "${echo(text)}", expected a 40 character long string`),
  ),
})

export const KEY = t.String({
  $id: 'Key',
  pattern: `^[0-9A-Za-z]{${KEY_CHARACTERS}}$`,
  error: judgeText((text) => badUrl(`invalid auth key: string "${echo(text)}", ${reasonOf(text)}`)),
})
const reasonOf = (key: string): string =>
  Buffer.byteLength(key) === KEY_CHARACTERS
    ? 'Invalid chars for key. Key can only alphanumeric chars (0-9, a-z, A-Z)'
    : 'Invalid key length. Key must be have 32 chars'

const isUnsigned = (value: unknown): boolean =>
  typeof value === 'bigint'
    ? value >= 0n && value <= MOST_U64
    : Number.isSafeInteger(value) && Number(value) >= 0
const tooLong = (seconds: unknown): Failure => badUrl(`invalid auth key duration: "${seconds}"`)

const USER_ID_JUDGE = expecting(`a user id: an integer from 0 to ${MOST_I64}, or null`)
export const NEW_KEY = t.Object(
  {
    key: t.Union([KEY, t.Null()], { description: 'null: generated.', error: KEY.error as Judge }),
    seconds_valid: t.Union([integer({ minimum: 0, maximum: MOST_SECONDS }), t.Null()], {
      description: 'null: permanent.',
      error: ({ value }: { value: unknown }) =>
        isUnsigned(value) ? tooLong(value) : mismatch(value, 'u64'),
    }),
    user_id: t.Optional(
      t.Union([integer64(0n, USER_ID_JUDGE), t.Null()], {
        description:
          'Whose key it is, in your numbers: keys of one user have one account. null: an account of its own. Needs accounting.',
        error: USER_ID_JUDGE,
      }),
    ),
  },
  {
    $id: 'NewKey',
    additionalProperties: true,
    description: '`key` and `seconds_valid` are required.',
    error: ({ value }: { value: unknown }) => mismatch(value, 'struct AddKeyForm'),
  },
)

/** Of a body that is an object; members of other names are ignored. */
export const AN_OBJECT = {
  additionalProperties: true,
  error: ({ value }: { value: unknown }) => mismatch(value, 'a map'),
}

const listOf = <T extends TSchema>(name: string, items: T, maxItems: number) =>
  t.Array(items, {
    maxItems,
    error: ({ value }: { value: unknown }) =>
      Array.isArray(value)
        ? badUrl(`nothing was done: ${name} has more than ${maxItems} elements`)
        : mismatch(value, 'a sequence'),
  })
/** The body of a bulk request: an object with one list. */
const bulk = <Name extends string, T extends TSchema>(
  $id: string,
  name: Name,
  items: T,
  maxItems: number,
) => {
  const list = listOf(name, items, maxItems)
  return t.Object({ [name]: list } as Record<Name, typeof list>, { $id, ...AN_OBJECT })
}
export const NEW_KEYS = bulk('NewKeys', 'keys', NEW_KEY, LIMITS.bulkKeys)
export const KEYS = bulk('Keys', 'keys', KEY, LIMITS.bulkKeys)
export const INFO_HASHES_LIST = listOf('info_hashes', INFO_HASH, LIMITS.bulkInfoHashes)
export const INFO_HASHES = t.Object(
  { info_hashes: INFO_HASHES_LIST },
  { $id: 'InfoHashes', ...AN_OBJECT },
)

export const LOGIN = t.Object(
  {
    token: t.String({
      error: ({ value }: { value: unknown }) => mismatch(value, 'a string'),
    }),
  },
  { $id: 'Login', ...AN_OBJECT },
)

/** The last segment of a path. Clients strip blanks from the end of a URL, so a blank one is the same as none. */
export const segment = <T extends TSchema>(schema: T, judge = schema.error as Judge): T => ({
  ...schema,
  error: judgeText((text) => (text.trim() === '' ? notFound() : judge({ value: text }))),
})
export const INFO_HASH_SEGMENT = segment(INFO_HASH)

/** Several, separated by commas; in the document a list. */
export const INFO_HASH_LIST = t.String({
  pattern: `^${HASH}(,${HASH})*$`,
  description: 'Only these, in this order; unknown ones are left out.',
  error: judgeText((text) => {
    const wrong = text.split(',').find((one) => parseInfoHash(one) === undefined)
    return (INFO_HASH.error as Judge)({ value: wrong })
  }),
  shownAs: t.Array(INFO_HASH),
})

export const KEY_SEGMENT = segment(
  KEY,
  judgeText((text) => new Failure(400, `Invalid auth key id param "${echo(text)}"`)),
)
export const secondsSegment = (schema: SchemaVersion) =>
  segment(
    t.String({
      pattern: '^\\+?[0-9]+$',
      error: judgeText((text) => unreadable(text, schema)),
      shownAs: { type: 'integer', minimum: 0, maximum: MOST_SECONDS },
    }),
  )
const unreadable = (text: string, schema: SchemaVersion): Failure =>
  badUrl(
    `Cannot parse \`${schema === '2.0.0' ? debugQuote(echo(text)) : echo(text)}\` to a \`u64\``,
  )
export function readSeconds(text: string, schema: SchemaVersion): bigint {
  const seconds = BigInt(text.replace('+', ''))
  if (seconds > MOST_U64) throw unreadable(text, schema)
  if (seconds > MOST_SECONDS) throw tooLong(seconds)
  return seconds
}

/** Of a query; parameters of other names, `token` above all, are ignored. */
export const queryOf = <T extends Record<string, TSchema>>(parameters: T) =>
  t.Object(parameters, { additionalProperties: true })

/** `format` of statistics and metrics. */
export const FORMAT = t.Union([t.Literal('json'), t.Literal('prometheus')], {
  description: 'Default json.',
  error: judgeText((text) =>
    badQuery(`unknown variant \`${echo(text)}\`, expected \`json\` or \`prometheus\``),
  ),
})

/** `offset` and `limit` of a list; an empty one counts as absent. */
export const pageQuery = (schema: SchemaVersion) => {
  const item = (name: string, description: string) =>
    t.Optional(
      t.String({
        pattern: '^(\\+?[0-9]+)?$',
        description,
        error: judgeText(() => badPage(schema, name, 'invalid digit found in string')),
        shownAs: { type: ['integer', 'string'], minimum: 0, maximum: MOST_U32, maxLength: 0 },
      }),
    )
  return {
    offset: item('offset', 'Items to skip; default 0.'),
    limit: item('limit', 'Maximum number of items in the answer; default 4000.'),
  }
}
/** Schema 3.0.0 names the parameter. */
const badPage = (schema: SchemaVersion, name: string, what: string): Failure =>
  badQuery(schema === '2.0.0' ? what : `${name}: ${what}`)

type PageQuery = { readonly offset?: string | undefined; readonly limit?: string | undefined }
export function readPage(query: PageQuery, schema: SchemaVersion): Page {
  const read = (name: keyof PageQuery, absent: number): number => {
    const value = Number(query[name] || absent)
    if (value > MOST_U32) throw badPage(schema, name, 'number too large to fit in target type')
    return value
  }
  return { offset: read('offset', 0), limit: read('limit', 4_000) }
}
