/**
 * Query strings and integers of the management API, read as the reference's form decoder and integer
 * parser read them (docs/behaviours.md A15, A20). Not for tracker requests, whose values are bytes.
 */
import type { SchemaVersion } from '../config/model.ts'
import { type Answer, badQuery } from './answers.ts'

const MOST_U32 = 2n ** 32n - 1n
export const MOST_U64 = 2n ** 64n - 1n

const INVALID_DIGIT = 'invalid digit found in string'
const TOO_LARGE = 'number too large to fit in target type'

/** The pairs after the `?`: `+` is a space, names are decoded as well, bytes that are not UTF-8 become U+FFFD. */
export function readQuery(url: string): URLSearchParams {
  const [target = ''] = url.split('#', 1)
  const start = target.indexOf('?')
  // URLSearchParams drops a leading question mark, even if it belongs to a name.
  return new URLSearchParams(start < 0 ? '' : `&${target.slice(start + 1)}`)
}

/** An integer from 0 to `most`, with an optional `+`; or what is wrong with it. */
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
const DEFAULT_PAGE: Page = { offset: 0, limit: 4_000 }

/** The items a request wants. With several mistakes, the first in the query is reported. */
export function readPage(
  query: URLSearchParams,
  schema: SchemaVersion,
): Page | { readonly fault: Answer } {
  const page = { ...DEFAULT_PAGE }
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
