/** A key as the management API shows it (docs/behaviours.md A17). Any expiry that fits a bigint is printed. */
import type { AuthKey } from '../storage/permissions.ts'

const MILLISECONDS_PER_DAY = 86_400_000n
/** The calendar repeats after this number of days, or years. */
const ERA_DAYS = 146_097n
const ERA_YEARS = 400n
/** Day of the Unix epoch, counted from 1 March of year 0, on which the eras begin. */
const EPOCH_DAY = 719_468n

export function printKey({ key, expires }: AuthKey): string {
  const [validUntil, expiryTime] =
    expires === null ? [null, 'null'] : [divide(expires, 1_000n)[0], `"${printTime(expires)}"`]
  return `{"key":"${key}","valid_until":${validUntil},"expiry_time":${expiryTime}}`
}

/** `YYYY-MM-DD HH:MM:SS[.mmm] UTC`; years of five digits and more have a sign in front. */
export function printTime(milliseconds: bigint): string {
  const [day, time] = divide(milliseconds, MILLISECONDS_PER_DAY)
  const [era, dayOfEra] = divide(day + EPOCH_DAY, ERA_DAYS)
  const [year, month, date] = civil(Number(dayOfEra))
  const of = (width: number, ...parts: bigint[]) => parts.map((part) => pad(part, width)).join(':')
  const fraction = time % 1_000n
  return [
    `${printYear(era * ERA_YEARS + BigInt(year))}-${pad(month, 2)}-${pad(date, 2)} `,
    of(2, time / 3_600_000n, (time / 60_000n) % 60n, (time / 1_000n) % 60n),
    fraction === 0n ? '' : `.${pad(fraction, 3)}`,
    ' UTC',
  ].join('')
}

const pad = (value: bigint | number, width: number): string => String(value).padStart(width, '0')

function printYear(year: bigint): string {
  if (year < 0n) return `-${pad(-year, 4)}`
  return year > 9_999n ? `+${year}` : pad(year, 4)
}

/** Year in the era, month and date of a day of the era, which begins on 1 March. */
function civil(dayOfEra: number): [number, number, number] {
  const year = Math.floor(
    (dayOfEra -
      Math.floor(dayOfEra / 1_460) +
      Math.floor(dayOfEra / 36_524) -
      Math.floor(dayOfEra / 146_096)) /
      365,
  )
  const dayOfYear = dayOfEra - (365 * year + Math.floor(year / 4) - Math.floor(year / 100))
  const month = Math.floor((5 * dayOfYear + 2) / 153)
  const date = dayOfYear - Math.floor((153 * month + 2) / 5) + 1
  return month < 10 ? [year, month + 3, date] : [year + 1, month - 9, date]
}

/** Quotient rounded down, and remainder. */
function divide(value: bigint, by: bigint): [bigint, bigint] {
  const remains = ((value % by) + by) % by
  return [(value - remains) / by, remains]
}
