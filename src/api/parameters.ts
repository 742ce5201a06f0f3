/**
 * Query strings and integers of the management API, read as the reference's form decoder and integer
 * parser read them (spec/torrust-rest-api §5.3, §6.3). Not for tracker requests, whose values are bytes.
 */
import type { SchemaVersion } from '../config/model.ts'
import { type Answer, badQuery } from './answers.ts'

const MOST_U32 = 2n ** 32n - 1n
export const MOST_U64 = 2n ** 64n - 1n

const INVALID_DIGIT = 'invalid digit found in string'
const TOO_LARGE = 'number too large to fit in target type'

/** The pairs behind the `?`: `+` is a space, names are decoded too, bytes that are no UTF-8 are U+FFFD. */
export function readQuery(url: string): URLSearchParams {
  const [target = ''] = url.split('#', 1)
  const start = target.indexOf('?')
  // A question mark in front would be swallowed as if it were none of the name.
  return new URLSearchParams(start < 0 ? '' : `&${target.slice(start + 1)}`)
}

/** An integer from 0 to `most`, with an optional `+`, or what is wrong with it. */
export function readUnsigned(
  text: string,
  most: bigint,
): bigint | typeof INVALID_DIGIT | typeof TOO_LARGE {
  const digits = text.startsWith('+') ? text.slice(1) : text
  if (digits === '') return INVALID_DIGIT
  let value = 0n
  for (const digit of digits) {
    if (digit < '0' || digit > '9') return INVALID_DIGIT
    value = value * 10n + BigInt(digit)
    if (value > most) return TOO_LARGE
  }
  return value
}

export type Page = { readonly offset: number; readonly limit: number }
const WHOLE_PAGE: Page = { offset: 0, limit: 4_000 }

/** Which items are asked for. Of several mistakes the first in the query is told. */
export function readPage(
  query: URLSearchParams,
  schema: SchemaVersion,
): Page | { readonly fault: Answer } {
  const page = { ...WHOLE_PAGE }
  const mistake = (name: string, what: string) => ({
    fault: badQuery(schema === '2.0.0' ? what : `${name}: ${what}`),
  })
  for (const name of new Set(query.keys())) {
    if (name !== 'offset' && name !== 'limit') continue
    const [value = '', ...more] = query.getAll(name)
    if (more.length > 0) return mistake(name, 'unsupported value')
    if (value === '') continue
    const number = readUnsigned(value, MOST_U32)
    if (typeof number === 'string') return mistake(name, number)
    page[name] = Number(number)
  }
  return page
}
