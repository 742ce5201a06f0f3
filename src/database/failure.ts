/** What the errors of the libraries and of the databases mean to the contract. */
import type { Fault } from './contract.ts'

export interface Failure {
  readonly fault: Fault
  /** In words, without secrets. */
  readonly reason: string
  /** Nothing was done, and the same work may well succeed if it is repeated. */
  readonly again?: boolean
}

/**
 * What an error means whose code and message, with a space between, have a pattern. `words` are said instead of
 * the message; `$1` stands for the first group of the pattern.
 */
export type Meaning = readonly [pattern: RegExp, fault: Fault | 'again', words?: string]

/** The first of the meanings that fits, or else `refused`. `message` holds no secrets. */
export function failureFrom(code: unknown, message: string, meanings: readonly Meaning[]): Failure {
  for (const [pattern, fault, words] of meanings) {
    const found = pattern.exec(`${code} ${message}`)
    if (found === null) continue
    const reason = words?.replace('$1', () => found[1] ?? '') ?? message
    return fault === 'again' ? { fault: 'refused', reason, again: true } : { fault, reason }
  }
  return { fault: 'refused', reason: message }
}

/** A message without the values that servers quote (`Duplicate entry '…'`): one may be a key. */
export const withoutValues = (message: string): string =>
  message.replace(/(entry|value:?) '[^']*'/g, "$1 '…'").replace(/[0-9A-Za-z]{32,}/g, '…')
