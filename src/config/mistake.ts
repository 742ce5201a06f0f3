/**
 * Mistakes and warnings as values, and how one is printed on one line. What was found is shown
 * escaped and cut, and never with a password in it.
 */
import type { Node, Place } from './tree.ts'

export interface Mistake {
  /** The option's path as its author wrote it; empty when the mistake is about the whole source. */
  readonly path: string
  /** What was found and what is allowed. */
  readonly message: string
  /** The file or environment variable it stands in. */
  readonly source: string
  readonly line?: number
  readonly column?: number
  /** The line of the file, and a caret below the place. */
  readonly excerpt?: string
}

/** Collects what is wrong while a configuration is read, so that all of it can be told at once. */
export class Report {
  readonly mistakes: Mistake[] = []
  readonly warnings: Mistake[] = []
  /** Where each option came from, by the path of the model. */
  readonly origins: Map<string, Place> = new Map()

  mistake(at: Place, message: string): void {
    add(this.mistakes, { ...at, message })
  }

  /** Whether what the model holds at a path was written so, and is not a stopgap for a mistake. */
  isSound(path: string): boolean {
    const written = this.origins.get(path)?.path ?? path
    return !this.mistakes.some((mistake) => mistake.path === written)
  }

  warn(at: Place, message: string): void {
    add(this.warnings, { ...at, message })
  }
}

/** One option of a 2.0.0 file may become many of the model: its mistake is still one. */
function add(list: Mistake[], mistake: Mistake): void {
  const text = printMistake(mistake)
  if (!list.some((other) => printMistake(other) === text)) list.push(mistake)
}

/** `tracker.toml:12:8: core.private: expected true or false, found "x"`, and the excerpt if any. */
export function printMistake(mistake: Mistake): string {
  const { path, message, line, column, excerpt } = mistake
  const position = line === undefined ? '' : `:${line}:${column}`
  const subject = path === '' || message.includes(path) ? '' : `${path}: `
  return `${mistake.source}${position}: ${subject}${message}${excerpt ? `\n${excerpt}` : ''}`
}

const LONGEST_FOUND = 60

/** What stands at a node, in words fit for a message. */
export function found(node: Node): string {
  if (node.kind === 'table') return 'found a table'
  if (node.kind === 'list') return 'found a list'
  const { value } = node
  if (typeof value === 'string') return `found "${printText(value)}"`
  return `found ${cut(value instanceof Date ? value.toISOString() : String(value))}`
}

/** A text of the configuration in a message: escaped, cut, and without the password of a URL. */
export const printText = (text: string): string =>
  cut(JSON.stringify(text.replace(/:\/\/[^/]*@/, '://***@')).slice(1, -1))

const cut = (text: string): string =>
  text.length > LONGEST_FOUND ? `${text.slice(0, LONGEST_FOUND)}…` : text

/** The same for a node that is, or may hold, a secret: its kind only. */
export function foundKind(node: Node): string {
  if (node.kind !== 'scalar') return found(node)
  const { value } = node
  if (typeof value === 'string') return value.trim() === '' ? 'found an empty text' : 'found a text'
  if (typeof value === 'boolean') return 'found true or false'
  return value instanceof Date ? 'found a date' : 'found a number'
}
