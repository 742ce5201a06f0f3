/** A pasted line with an auth key: `KEY`, or `KEY 30d` for one that ends; where users have accounts, `KEY user=17`. */
import type { UserId } from './accounts.ts'
import type { Line } from './lines.ts'

export type NewKey = {
  readonly key: string
  readonly seconds_valid: number | null
  /** Only where users have accounts. */
  readonly user_id?: UserId
}

const SECONDS: Readonly<Record<string, number>> = {
  '': 1,
  s: 1,
  m: 60,
  h: 3_600,
  d: 86_400,
  y: 31_536_000,
}
const MOST_SECONDS = 8_200_000_000_000

export type KeyDefaults = Omit<NewKey, 'key'>

/** What lines without a time or a user have; a time of null: for ever. */
export const keyLine =
  (defaults: KeyDefaults) =>
  (line: string): Line<NewKey> => {
    const [key = '', ...more] = line.split(/[\s,;]+/).filter((word) => word !== '')
    if (!/^[0-9A-Za-z]{32}$/.test(key))
      return { mistake: `is no key: 32 letters and digits, found ${key.length} characters` }
    let entry: NewKey = { key, ...defaults }
    if (defaults.user_id !== undefined && more.at(-1)?.startsWith(USER)) {
      const user_id = readUserId(more.pop()!.slice(USER.length))
      if (user_id === undefined) return { mistake: 'needs a number behind user=' }
      entry = { ...entry, user_id }
    }
    const [time, ...rest] = more
    if (time === undefined) return { entry, name: key }
    const [, digits, unit = ''] = /^(\d{1,13})([smhdy]?)$/.exec(time) ?? []
    const seconds = digits === undefined ? Number.NaN : Number(digits) * SECONDS[unit]!
    if (rest.length > 0 || !(seconds <= MOST_SECONDS))
      return { mistake: 'needs a time such as 12h or 30d behind the key, or nothing' }
    return { entry: { ...entry, seconds_valid: seconds }, name: key }
  }

const USER = 'user='
const MOST_USER = 2n ** 63n - 1n
/** Without zeroes in front, which JSON does not have. undefined: it is no such number. */
export function readUserId(text: string): string | undefined {
  if (!/^\d{1,19}$/.test(text)) return undefined
  const value = BigInt(text)
  return value <= MOST_USER ? String(value) : undefined
}
