/** The answer to a request that does not fit its schemas (docs/behaviours.md A19, A28). */
import type { TSchema, ValidationError } from 'elysia'
import { badUrl, Failure } from './failures.ts'
import { WRONG_SHAPE } from './json-body.ts'
import type { Judge } from './schemas.ts'

/** Wrong elements of a bulk request that its answer names. */
const MOST_NAMED = 100

type Wrong = { readonly path: string; readonly value: unknown; readonly schema: TSchema }

/** Of a path or query the first mistake, of a bulk request all: nothing of it is done. */
export function failureOf(error: ValidationError): Failure {
  if (error.type !== 'body') return judge(error.valueError!)
  const validator = error.validator as { Errors(value: unknown): Iterable<Wrong> }
  const named: string[] = []
  for (const { path, value, schema } of validator.Errors(error.value)) {
    if (value === undefined) return missing(path)
    const failure = judge({ schema, value })
    const place = placeOf(path)
    if (failure.status === 422) return wrongShape(place, failure.message)
    if (!place.includes('[')) return failure
    if (named.length === MOST_NAMED) {
      named.push('and more')
      break
    }
    named.push(`${place}: ${failure.message.replace('Invalid URL: ', '')}`)
  }
  return badUrl(`nothing was done: ${named.join('; ')}`)
}

const judge = ({ schema, value }: Omit<Wrong, 'path'>): Failure =>
  (schema.error as Judge)({ value })

const wrongShape = (place: string, message: string): Failure =>
  new Failure(422, `${WRONG_SHAPE}${place === '' ? '' : `${place}: `}${message}`)

function missing(path: string): Failure {
  const end = path.lastIndexOf('/')
  return wrongShape(placeOf(path.slice(0, end)), `missing field \`${path.slice(end + 1)}\``)
}

/** `/keys/1/key` as `keys[1].key`. */
const placeOf = (path: string): string =>
  path
    .slice(1)
    .replaceAll(/\/(\d+)/g, '[$1]')
    .replaceAll('/', '.')
