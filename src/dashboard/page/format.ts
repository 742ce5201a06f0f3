/** Figures, times and names as the dashboard shows them. */
import { count, duration } from '../../text/figures.ts'

export { count, duration, percent, plural, several, size } from '../../text/figures.ts'

/** Seconds since the epoch. */
export const now = (): number => Date.now() / 1000

/** What stands where a figure is not known. */
export const UNKNOWN = '–'

/** `1,234`, `12.3`, `0.4`: of something that happens so often a second. */
export function rate(value: number | null | undefined): string {
  if (value === null || value === undefined) return UNKNOWN
  if (value >= 100 || Number.isInteger(value)) return count(Math.round(value))
  return String(value >= 0.1 ? Number(value.toFixed(1)) : Number(value.toPrecision(1)))
}

/** `12 µs`, `1.4 ms`, `2 s` */
export function shortTime(seconds: number | null | undefined): string {
  if (seconds === null || seconds === undefined) return UNKNOWN
  const [value, unit] =
    seconds >= 1 ? [seconds, 's'] : seconds >= 0.001 ? [seconds * 1e3, 'ms'] : [seconds * 1e6, 'µs']
  return `${value >= 10 ? Math.round(value) : Number(value.toPrecision(2))} ${unit}`
}

/** `155 d`, `3 d 4 h`, `12 min`: as exact as people need it. */
function longTime(seconds: number): string {
  const [value, unit, ...rest] = duration(Math.round(seconds)).split(' ')
  const isEnough = unit === 'min' || (unit === 'd' && Number(value) >= 10)
  return [value, unit, ...(isEnough ? [] : rest)].join(' ')
}

/** `3 min ago`, `in 4 d`, `now` */
export function relativeTime(seconds: number, since: number): string {
  const passed = since - seconds
  if (Math.abs(passed) < 1) return 'now'
  return passed > 0 ? `${longTime(passed)} ago` : `in ${longTime(-passed)}`
}

/** The last moment that a calendar of the browser has. */
const LAST_SECOND = 8_640_000_000_000

/** `2026-11-28 04:12:09`, in the time zone of the reader. */
export function exactTime(seconds: number): string {
  const date = new Date(Math.min(seconds, LAST_SECOND) * 1000)
  const two = (value: number) => String(value).padStart(2, '0')
  const day = `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`
  return `${day} ${clockTime(seconds)}`
}

/** `04:12:09`, in the time zone of the reader. */
export function clockTime(seconds: number): string {
  const date = new Date(Math.min(seconds, LAST_SECOND) * 1000)
  return [date.getHours(), date.getMinutes(), date.getSeconds()]
    .map((value) => String(value).padStart(2, '0'))
    .join(':')
}

/** For attributes that programs read. */
export const isoTime = (seconds: number): string =>
  new Date(Math.min(seconds, LAST_SECOND) * 1000).toISOString()
