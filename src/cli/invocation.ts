/**
 * Wrong usage that only the command itself can see: told in one line, exit code 2. The words of the
 * command line are read here, so that every command says the same about the same mistake.
 */
import { printable } from './command-line.ts'
import { type Invocation, optionValue } from './host.ts'

/** `message` begins with the option or argument that is wrong and ends without a full stop. */
export class Misuse extends Error {
  override readonly name = 'Misuse'
}

/** A whole number from an option; `fallback` where it is not given. Throws `Misuse`. */
export function wholeNumber<T>(
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

/** Milliseconds from an option in seconds, which may have a fraction: `5`, `0.5`, `5s`. */
export function seconds(
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

const found = (text: string): string => (text === '' ? 'empty' : printable(text))
