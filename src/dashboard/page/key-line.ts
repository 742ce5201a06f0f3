/** A pasted line with an auth key: `KEY`, or `KEY 30d` for one that ends. */
import type { Line } from './lines.ts'

export type NewKey = { readonly key: string; readonly seconds_valid: number | null }

const SECONDS: Readonly<Record<string, number>> = {
  '': 1,
  s: 1,
  m: 60,
  h: 3_600,
  d: 86_400,
  y: 31_536_000,
}
const MOST_SECONDS = 8_200_000_000_000

/** `secondsValid` is that of lines without a time; null: for ever. */
export const keyLine =
  (secondsValid: number | null) =>
  (line: string): Line<NewKey> => {
    const [key = '', time, ...more] = line.split(/[\s,;]+/).filter((word) => word !== '')
    if (!/^[0-9A-Za-z]{32}$/.test(key))
      return { mistake: `is no key: 32 letters and digits, found ${key.length} characters` }
    if (time === undefined) return { entry: { key, seconds_valid: secondsValid }, name: key }
    const [, digits, unit = ''] = /^(\d{1,13})([smhdy]?)$/.exec(time) ?? []
    const seconds = digits === undefined ? Number.NaN : Number(digits) * SECONDS[unit]!
    if (more.length > 0 || !(seconds <= MOST_SECONDS))
      return { mistake: 'needs a time such as 12h or 30d behind the key, or nothing' }
    return { entry: { key, seconds_valid: seconds }, name: key }
  }
