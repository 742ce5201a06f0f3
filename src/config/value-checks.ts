/**
 * Checks of single options: each maps a written node to a value, or to a message that says what is allowed and
 * what was found. Nothing is coerced: a string is not a number, `1.0` is not a whole number. Beside each stands the
 * JSON Schema of what it accepts (json-schema.ts).
 */
import { didYouMean } from '../text/nearest.ts'
import { isUnspecified, parseIp, printIp, type SocketAddress } from '../wire/address.ts'
import { found, foundKind } from './mistake.ts'
import type { Node } from './tree.ts'

type Checked<T> = { readonly value: T } | { readonly wrong: string }
export type JsonSchema = Readonly<Record<string, unknown>>

export interface Check<T> {
  (node: Node): Checked<T>
  /** As far as a schema can say it: it may accept more than the check, never less. */
  readonly schema: JsonSchema
}

const checking = <T>(schema: JsonSchema, check: (node: Node) => Checked<T>): Check<T> =>
  Object.assign(check, { schema })

const scalarOf = (node: Node): unknown => (node.kind === 'scalar' ? node.value : undefined)

/** `read`: the value of what a scalar holds, or undefined if that is not `what`. `show`: what was found. */
const expecting = <T>(
  what: string,
  schema: JsonSchema,
  read: (written: unknown) => T | undefined,
  show = found,
): Check<T> =>
  checking(schema, (node) => {
    const value = read(scalarOf(node))
    return value === undefined ? { wrong: `expected ${what}, ${show(node)}` } : { value }
  })

const integers = (minimum: number, maximum: number): JsonSchema => ({
  type: 'integer',
  minimum,
  maximum,
})
const strings = (pattern: string): JsonSchema => ({ type: 'string', pattern })

export const wholeNumber = (least: number, most: number): Check<number> =>
  expecting(`a whole number from ${least} to ${most}`, integers(least, most), (value) =>
    typeof value === 'bigint' && value >= least && value <= most ? Number(value) : undefined,
  )

export const flag: Check<boolean> = expecting('true or false', { type: 'boolean' }, (value) =>
  typeof value === 'boolean' ? value : undefined,
)

const OR = new Intl.ListFormat('en-GB', { type: 'disjunction' })

export const oneOf = <const T extends string>(...words: readonly T[]): Check<T> =>
  expecting(
    OR.format(words.map((one) => `"${one}"`)),
    { type: 'string', enum: words },
    (word) => words.find((one) => one === word),
    (node) => found(node) + meantWord(scalarOf(node), words),
  )

/** What other programs call by another name. */
const OTHER_NAMES: Readonly<Record<string, string>> = {
  mariadb: 'mysql',
  pgsql: 'postgresql',
  err: 'error',
  warning: 'warn',
  none: 'off',
}

/** `, did you mean x?`, or nothing. */
function meantWord(word: unknown, words: readonly string[]): string {
  if (typeof word !== 'string') return ''
  const other = words.find((one) => one === OTHER_NAMES[word.toLowerCase()])
  return other === undefined ? didYouMean(word, words) : `, did you mean ${other}?`
}

const notBlank = (value: unknown): string | undefined =>
  typeof value === 'string' && value.trim() !== '' ? value : undefined

/** Of a string that is not blank. */
const NOT_BLANK = strings('\\S')

export const text: Check<string> = expecting('a string that is not empty', NOT_BLANK, notBlank)
/** Like `text`, for a value that no message may repeat. */
export const secret: Check<string> = expecting(
  'a string that is not empty',
  NOT_BLANK,
  notBlank,
  foundKind,
)
/** A secret that may be empty: the table decides whether it is allowed. */
export const anySecret: Check<string> = expecting(
  'a string',
  { type: 'string' },
  (value) => (typeof value === 'string' ? value : undefined),
  foundKind,
)

// Patterns have no flags and no looking around, so that every editor's validator understands them.
const OCTET = '(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])'
const IPV4 = `${OCTET}(?:\\.${OCTET}){3}`
const IPV6 = '[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*'
const PORT = '(?:6553[0-5]|655[0-2][0-9]|65[0-4][0-9]{2}|6[0-4][0-9]{3}|[0-5]?[0-9]{1,4})'
const ADDRESS = `^(?:\\[(${IPV6})(%[0-9]+)?\\]|(${IPV4})):(${PORT})$`
const ADDRESS_PARTS = new RegExp(ADDRESS)

/** `IPv4:port` or `[IPv6]:port`; an IPv6 address may have a numeric scope. Host names are not accepted. */
export const bindAddress: Check<SocketAddress> = expecting(
  'an address and port like "0.0.0.0:6969" or "[::]:6969"',
  strings(ADDRESS),
  (written) => {
    const parts = typeof written === 'string' ? ADDRESS_PARTS.exec(written) : null
    const bytes = parts && parseIp(parts[1] ?? parts[3] ?? '')
    if (!bytes) return undefined
    const port = Number(parts[4])
    // A mapped address in brackets becomes IPv4 here.
    const ip = printIp(bytes, bytes.length === 4 ? 4 : 6)
    return { ip: bytes.length === 16 ? ip + (parts[2] ?? '') : ip, port }
  },
)

const addressOf = (written: unknown): Uint8Array | undefined =>
  typeof written === 'string' ? parseIp(written) : undefined

const ip = expecting('an IP address', strings(`^(?:${IPV4}|${IPV6})$`), (written) => {
  const bytes = addressOf(written)
  return bytes && printIp(bytes, bytes.length === 4 ? 4 : 6)
})

export const externalIp: Check<string> = checking(
  { ...ip.schema, not: { enum: ['0.0.0.0', '::'] } },
  (node) =>
    isWildcard(node)
      ? { wrong: `wildcard/unspecified IP address is not a valid external IP, ${found(node)}` }
      : ip(node),
)

/** `0.0.0.0` or `::`, which mean "not set" in schema 2.0.0 (docs/behaviours.md C12). */
export function isWildcard(node: Node): boolean {
  const bytes = addressOf(scalarOf(node))
  return bytes !== undefined && isUnspecified(bytes, bytes.length === 4 ? 4 : 6)
}

export const url = (...schemes: readonly string[]): Check<string> =>
  expecting(
    `a URL that begins with ${OR.format(schemes.map((one) => `${one}://`))}`,
    strings(`^\\s*(?:${schemes.map(inAnyCase).join('|')}):.`),
    (written) => {
      const parsed = typeof written === 'string' ? URL.parse(written) : null
      const isAllowed = parsed?.hostname && schemes.includes(parsed.protocol.slice(0, -1))
      return isAllowed ? String(written) : undefined
    },
  )

/** What an `Origin` header can say of a web page, in the spelling of browsers: `https://example.com:8443`. */
const ORIGIN = /^[a-z][a-z0-9+.-]*:\/\/[^/?#@*\s\\]+$/

const originOf = (url: URL | null): string | undefined =>
  url?.host ? `${url.protocol}//${url.host}` : undefined

/** Not `null`: every page can send that. */
const isOrigin = (written: unknown): written is string =>
  typeof written === 'string' &&
  ORIGIN.test(written) &&
  !/^wss?:/.test(written) &&
  originOf(URL.parse(written)) === written

/** `, did you mean x?`, or nothing. */
function meantOrigin(written: unknown): string {
  if (typeof written !== 'string' || written.length > 100 || !/[.:]/.test(written)) return ''
  const text = written.replace(/^ws/i, 'http')
  const meant = originOf(URL.parse(text.includes('://') ? text : `https://${text}`))
  return isOrigin(meant) ? `, did you mean "${meant}"?` : ''
}

export const origins: Check<readonly string[]> = checking(
  { type: 'array', items: strings(ORIGIN.source) },
  (node) => {
    const items = node.kind === 'list' ? node.items : undefined
    const wrong = items?.filter((item) => !isOrigin(scalarOf(item))) ?? [node]
    if (items && wrong.length === 0) return { value: items.map(scalarOf).filter(isOrigin) }
    const all = wrong.map((item) => found(item) + meantOrigin(scalarOf(item)))
    return {
      wrong: `expected a list of origins of web pages like "https://example.com" or "http://localhost:8080", without a path, or [] for any, ${all.join('; ')}`,
    }
  },
)

const inAnyCase = (word: string): string =>
  word.replace(/[a-z]/g, (letter) => `[${letter}${letter.toUpperCase()}]`)

const MOST_SECONDS = 2 ** 32 - 1
const NANOS = 1_000_000_000

/** `{ secs = 120, nanos = 0 }` as seconds; more than 0. */
const DURATION: JsonSchema = {
  type: 'object',
  properties: { secs: integers(0, MOST_SECONDS), nanos: integers(0, NANOS - 1) },
  additionalProperties: false,
  anyOf: ['secs', 'nanos'].map((part) => ({
    required: [part],
    properties: { [part]: { minimum: 1 } },
  })),
}

export const duration: Check<number> = checking(DURATION, (node) => {
  const parts = { secs: 0, nanos: 0 }
  const wrong = (found: string) => ({
    wrong:
      `expected { secs = 0 to ${MOST_SECONDS}, nanos = 0 to ${NANOS - 1} }, ` +
      `more than 0 in all, ${found}`,
  })
  if (node.kind !== 'table') return wrong(found(node))
  for (const [key, part] of node.entries) {
    if (key !== 'secs' && key !== 'nanos') return wrong(`found the key ${JSON.stringify(key)}`)
    const checked = wholeNumber(0, key === 'secs' ? MOST_SECONDS : NANOS - 1)(part)
    if ('wrong' in checked) return wrong(`${found(part)} for ${key}`)
    parts[key] = checked.value
  }
  const seconds = parts.secs + parts.nanos / NANOS
  return seconds > 0 ? { value: seconds } : wrong('found 0')
})

const SIZE = /^\s*(\d+(?:\.\d+)?)\s*([KMGTkmgt]?)([Ii]?)[Bb]\s*$/
const PREFIXES = ['', 'K', 'M', 'G', 'T']

/** Bytes as a whole number or a string with a unit, decimal (`GB`) or binary (`GiB`); 0 means "choose". */
export const bytes = (least: number): Check<number> =>
  expecting(
    `bytes as a number or a size like "512MiB", at least ${printBytes(least)}, or 0 for automatic`,
    { anyOf: [{ const: 0 }, integers(least, Number.MAX_SAFE_INTEGER), strings(SIZE.source)] },
    (written) => {
      let value = typeof written === 'bigint' ? Number(written) : Number.NaN
      const parts = typeof written === 'string' ? SIZE.exec(written) : null
      if (parts) {
        const [, amount, prefix, binary] = parts
        const power = PREFIXES.indexOf(prefix!.toUpperCase())
        value = Math.floor(Number(amount) * (binary ? 1024 : 1000) ** power)
      }
      const isAllowed = value === 0 || (value >= least && value <= Number.MAX_SAFE_INTEGER)
      return isAllowed ? value : undefined
    },
  )

/** The shortest form of an amount that `bytes` reads back exactly. */
export function printBytes(amount: number): string | number {
  const power = PREFIXES.findLastIndex((_, i) => i > 0 && amount > 0 && amount % 1024 ** i === 0)
  return power < 0 ? amount : `${amount / 1024 ** power}${PREFIXES[power]}iB`
}
