/**
 * Mistakes and warnings as values, and how they are printed, one line each (docs/behaviours.md C7). What was
 * found is shown escaped and shortened, never with a password in it.
 */
import { cut } from '../text/printable.ts'
import type { Node, Place } from './tree.ts'

export interface Mistake extends Place {
  /** What was found and what is allowed. */
  readonly message: string
  /** The line of the file with a caret below the place. */
  readonly excerpt?: string
}

/** Collects mistakes and warnings while a configuration is read, so that all can be reported at once. */
export class Report {
  readonly mistakes: Mistake[] = []
  readonly warnings: Mistake[] = []
  /** Where each option came from, by its path in the model. */
  readonly origins: Map<string, Place> = new Map()

  mistake(at: Place, message: string): void {
    add(this.mistakes, { ...at, message })
  }

  /** Whether the model's value at `path` is what was written or a default, not a placeholder for a mistake. */
  isSound(path: string): boolean {
    const written = this.origins.get(path)?.path ?? path
    return !this.mistakes.some((mistake) => mistake.path === written)
  }

  warn(at: Place, message: string): void {
    add(this.warnings, { ...at, message })
  }
}

/** One option of a 2.0.0 file may become several of the model, but its mistake is reported once. */
function add(list: Mistake[], mistake: Mistake): void {
  const text = printMistake(mistake)
  if (!list.some((other) => printMistake(other) === text)) list.push(mistake)
}

/** `tracker.toml:12:8: core.private: expected true or false, found "x"`, with the excerpt if there is one. */
export function printMistake(mistake: Mistake): string {
  const { path, message, line, column, excerpt } = mistake
  const position = line === undefined ? '' : `:${line}:${column}`
  const subject = path === '' || message.includes(path) ? '' : `${path}: `
  return `${mistake.source}${position}: ${subject}${message}${excerpt ? `\n${excerpt}` : ''}`
}

const LONGEST_FOUND = 60

/** The value of a node as a message shows it: escaped, shortened, without the password of a URL. */
export function found(node: Node): string {
  if (node.kind === 'table') return 'found a table'
  if (node.kind === 'list') return 'found a list'
  const { value } = node
  if (value instanceof Date) return 'found a date'
  if (typeof value !== 'string') return `found ${cut(String(value), LONGEST_FOUND)}`
  const escaped = JSON.stringify(value.replace(/:\/\/[^/]*@/, '://***@')).slice(1, -1)
  return `found "${cut(escaped, LONGEST_FOUND)}"`
}

/** Like `found` for a node that is or may contain a secret: its kind only. */
export function foundKind(node: Node): string {
  if (node.kind !== 'scalar') return found(node)
  const { value } = node
  if (typeof value === 'string')
    return value.trim() === '' ? 'found an empty string' : 'found a string'
  if (typeof value === 'boolean') return 'found a boolean'
  return value instanceof Date ? 'found a date' : 'found a number'
}
