/**
 * Checks of single options: each maps a written node to a value, or to a message that says what is allowed and
 * what was found. Nothing is coerced: a string is not a number, `1.0` is not a whole number.
 */
import { didYouMean } from '../text/nearest.ts'
import { isUnspecified, parseIp, printIp, type SocketAddress } from '../wire/address.ts'
import { found, foundKind } from './mistake.ts'
import type { Node } from './tree.ts'

type Checked<T> = { readonly value: T } | { readonly wrong: string }
export type Check<T> = (node: Node) => Checked<T>

const scalarOf = (node: Node): unknown => (node.kind === 'scalar' ? node.value : undefined)

/** `read`: the value of what a scalar holds, or undefined if that is not `what`. `show`: what was found. */
const expecting =
  <T>(what: string, read: (written: unknown) => T | undefined, show = found): Check<T> =>
  (node) => {
    const value = read(scalarOf(node))
    return value === undefined ? { wrong: `expected ${what}, ${show(node)}` } : { value }
  }

export const wholeNumber = (least: number, most: number): Check<number> =>
  expecting(`a whole number from ${least} to ${most}`, (value) =>
    typeof value === 'bigint' && value >= least && value <= most ? Number(value) : undefined,
  )

export const flag: Check<boolean> = expecting('true or false', (value) =>
  typeof value === 'boolean' ? value : undefined,
)

const OR = new Intl.ListFormat('en-GB', { type: 'disjunction' })

export const oneOf = <const T extends string>(...words: readonly T[]): Check<T> =>
  expecting(
    OR.format(words.map((one) => `"${one}"`)),
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

export const text: Check<string> = expecting('a string that is not empty', notBlank)
/** Like `text`, for a value that no message may repeat. */
export const secret: Check<string> = expecting('a string that is not empty', notBlank, foundKind)
/** A secret that may be empty: the table decides whether it is allowed. */
export const anySecret: Check<string> = expecting(
  'a string',
  (value) => (typeof value === 'string' ? value : undefined),
  foundKind,
)

/** `IPv4:port` or `[IPv6]:port`; an IPv6 address may have a numeric scope. Host names are not accepted. */
export const bindAddress: Check<SocketAddress> = expecting(
  'an address and port like "0.0.0.0:6969" or "[::]:6969"',
  (written) => {
    const parts =
      typeof written === 'string'
        ? /^(?:\[([0-9A-Fa-f:.]+)(%[0-9]+)?\]|([0-9.]+)):([0-9]{1,5})$/.exec(written)
        : null
    const bytes = parts && parseIp(parts[1] ?? parts[3] ?? '')
    const port = Number(parts?.[4])
    // Only IPv6 has brackets. A mapped address in brackets becomes IPv4 here.
    if (!bytes || port > 65535 || parts[1]?.includes(':') === false) return undefined
    const ip = printIp(bytes, bytes.length === 4 ? 4 : 6)
    return { ip: bytes.length === 16 ? ip + (parts[2] ?? '') : ip, port }
  },
)

const addressOf = (written: unknown): Uint8Array | undefined =>
  typeof written === 'string' ? parseIp(written) : undefined

export const externalIp: Check<string> = (node) =>
  isWildcard(node)
    ? { wrong: `wildcard/unspecified IP address is not a valid external IP, ${found(node)}` }
    : expecting('an IP address', (written) => {
        const bytes = addressOf(written)
        return bytes && printIp(bytes, bytes.length === 4 ? 4 : 6)
      })(node)

/** `0.0.0.0` or `::`, which mean "not set" in schema 2.0.0 (docs/behaviours.md C12). */
export function isWildcard(node: Node): boolean {
  const bytes = addressOf(scalarOf(node))
  return bytes !== undefined && isUnspecified(bytes, bytes.length === 4 ? 4 : 6)
}

export const url = (...schemes: readonly string[]): Check<string> =>
  expecting(`a URL that begins with ${OR.format(schemes.map((one) => `${one}://`))}`, (written) => {
    const parsed = typeof written === 'string' ? URL.parse(written) : null
    const isAllowed = parsed?.hostname && schemes.includes(parsed.protocol.slice(0, -1))
    return isAllowed ? String(written) : undefined
  })

const MOST_SECONDS = 2 ** 32 - 1
const NANOS = 1_000_000_000

/** `{ secs = 120, nanos = 0 }` as seconds; more than 0. */
export const duration: Check<number> = (node) => {
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
}

const SIZE = /^\s*(\d+(?:\.\d+)?)\s*([KMGT]?)(I?)B\s*$/i
const PREFIXES = ['', 'K', 'M', 'G', 'T']

/** Bytes as a whole number or a string with a unit, decimal (`GB`) or binary (`GiB`); 0 means "choose". */
export const bytes = (least: number): Check<number> =>
  expecting(
    `bytes as a number or a size like "512MiB", at least ${printBytes(least)}, or 0 for automatic`,
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
