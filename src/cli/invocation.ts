/**
 * The words of a command line as values. Every command reads them here, so that all report the same mistake
 * in the same words.
 */
import type { Family } from '../bittorrent.ts'
import type { AskOptions } from '../client/ask.ts'
import { quotedWord } from '../text/printable.ts'

export interface Invocation {
  /** By long name; `true` for an option without a value. */
  readonly options: ReadonlyMap<string, string | true>
  readonly arguments: readonly string[]
}

/**
 * Wrong usage that only the command itself can see: reported in one line, exit code 2. `message` begins with
 * the option or argument that is wrong and ends without a full stop.
 */
export class Misuse extends Error {
  override readonly name = 'Misuse'
}

/** The value of an option that takes one; undefined: not given. */
export const optionValue = (invocation: Invocation, name: string): string | undefined => {
  const value = invocation.options.get(name)
  return typeof value === 'string' ? value : undefined
}

/** A whole number from an option, or `fallback` if it is not given. Throws `Misuse`. */
export function numberValue<T>(
  invocation: Invocation,
  name: string,
  { min, max }: { readonly min: number; readonly max: number },
  fallback: T,
): number | T {
  const text = optionValue(invocation, name)
  if (text === undefined) return fallback
  const value = /^\d+$/.test(text) ? Number(text) : Number.NaN
  if (value >= min && value <= max) return value
  throw new Misuse(`--${name} must be a whole number from ${min} to ${max}, not ${found(text)}`)
}

/**
 * Milliseconds from an option in seconds, which may have a fraction: `5`, `0.5`, `5s`. `fallback` is in
 * seconds, too. Throws `Misuse`.
 */
export function secondsValue(
  invocation: Invocation,
  name: string,
  { min, max }: { readonly min: number; readonly max: number },
  fallback: number,
): number {
  const text = optionValue(invocation, name)
  if (text === undefined) return fallback * 1000
  const value = /^(\d+(\.\d*)?|\.\d+)s?$/.test(text) ? Number.parseFloat(text) : Number.NaN
  if (value >= min && value <= max) return value * 1000
  throw new Misuse(`--${name} must be from ${min} to ${max} seconds, not ${found(text)}`)
}

const found = (text: string): string => (text === '' ? 'empty' : quotedWord(text))

/** The options of every command that asks trackers. Throws `Misuse`. */
export const readAskOptions = (invocation: Invocation): AskOptions => ({
  milliseconds: secondsValue(invocation, 'timeout', { min: 0.01, max: 3600 }, 5),
  family: readFamily(invocation),
  insecure: invocation.options.has('insecure'),
})

/** undefined: either family. Throws `Misuse`. */
export function readFamily({ options }: Invocation): Family | undefined {
  if (options.has('ipv4') && options.has('ipv6'))
    throw new Misuse('--ipv4 and --ipv6 exclude each other')
  return options.has('ipv4') ? 4 : options.has('ipv6') ? 6 : undefined
}
