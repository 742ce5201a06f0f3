/**
 * The small grammar of override values (docs/behaviours.md C6). A text that does not fit it to the last
 * character is a string, so reading never fails.
 */
import { list, type Node, type Place, type Scalar, scalar, table } from './tree.ts'

// Each matches from where the reader stands.
const SPACE = /[ \t\n\f\r]*/y
const WORD = /[^,{}[\]]*/y
const BARE_KEY = /[\w-]+/y
const EQUALS = /=/y
const CHARACTER = /'.'/suy
/** With JSON's escapes. Unlike JSON, the grammar allows raw line breaks. */
const QUOTED = /"(?:[^"\\]|\\(?:["\\nrtbf]|u[0-9a-fA-F]{4}))*"/y

const MOST_UNSIGNED = 2n ** 64n - 1n
const LEAST_SIGNED = -(2n ** 63n)
/** More levels than any option has; without a limit the stack could overflow. */
const DEEPEST = 64

/** The text does not fit the grammar. */
class Misfit extends Error {}

export function parseOverride(text: string, at: Place): Node {
  try {
    return read(text, at)
  } catch (error) {
    if (error instanceof Misfit) return scalar(text, at)
    throw error
  }
}

/** Throws `Misfit`. */
function read(text: string, at: Place): Node {
  let next = 0

  /** The text that `pattern` matches here. */
  function take(pattern: RegExp): string {
    pattern.lastIndex = next
    const found = pattern.exec(text)?.[0]
    if (found === undefined) throw new Misfit()
    next += found.length
    return found
  }

  function value(depth: number): Node {
    if (depth > DEEPEST) throw new Misfit()
    take(SPACE)
    const node = bareValue(depth)
    take(SPACE)
    return node
  }

  function bareValue(depth: number): Node {
    const first = text[next]
    if (first === '{') return table(new Map(items('}', () => pair(depth + 1))), at)
    if (first === '[')
      return list(
        items(']', () => value(depth + 1)),
        at,
      )
    if (first === '"') return scalar(quoted(), at)
    if (first === "'") return scalar(take(CHARACTER).slice(1, -1), at)
    return scalar(parseWord(take(WORD).trim()), at)
  }

  function pair(depth: number): [string, Node] {
    take(SPACE)
    const key = text[next] === '"' ? quoted() : take(BARE_KEY)
    take(SPACE)
    take(EQUALS)
    return [key, value(depth)]
  }

  function quoted(): string {
    const controls = /\p{Cc}/gu
    return JSON.parse(
      take(QUOTED).replace(controls, (control) => JSON.stringify(control).slice(1, -1)),
    )
  }

  /** A comma directly before the closing bracket is allowed; with white space between, an empty item follows it. */
  function items<T>(close: string, readOne: () => T): T[] {
    const all: T[] = []
    do {
      // The opening bracket, or the comma after an item.
      next++
      if (text[next] !== close) all.push(readOne())
    } while (text[next] === ',')
    if (text[next] !== close) throw new Misfit()
    next++
    return all
  }

  const node = value(0)
  if (next < text.length) throw new Misfit()
  return node
}

/** A bare word: a boolean, a float, an integer or else a string. */
function parseWord(word: string): Scalar {
  if (word === 'true') return true
  if (word === 'false') return false
  if (/^[+-]?(\d+\.\d*|\.\d+)([eE][+-]?\d+)?$/.test(word)) return Number(word)
  if (/^[+-]?\d+$/.test(word)) {
    const whole = BigInt(word.replace('+', ''))
    if (whole >= LEAST_SIGNED && whole <= MOST_UNSIGNED) return whole
  }
  return word
}
