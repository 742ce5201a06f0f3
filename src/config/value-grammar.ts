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

export function parseOverride(text: string, at: Place): Node {
  try {
    return new Reader(text, at).whole()
  } catch (error) {
    if (error instanceof Misfit) return scalar(text, at)
    throw error
  }
}

/** The text does not fit the grammar. */
class Misfit extends Error {}

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

/** Reads forward only. Every method throws `Misfit` when the text does not fit. */
class Reader {
  readonly #text: string
  readonly #at: Place
  #next = 0

  constructor(text: string, at: Place) {
    this.#text = text
    this.#at = at
  }

  whole(): Node {
    const node = this.#value(0)
    if (this.#next < this.#text.length) throw new Misfit()
    return node
  }

  #value(depth: number): Node {
    if (depth > DEEPEST) throw new Misfit()
    this.#take(SPACE)
    const node = this.#bareValue(depth)
    this.#take(SPACE)
    return node
  }

  #bareValue(depth: number): Node {
    switch (this.#text[this.#next]) {
      case '{':
        return table(new Map(this.#items('}', () => this.#pair(depth + 1))), this.#at)
      case '[':
        return list(
          this.#items(']', () => this.#value(depth + 1)),
          this.#at,
        )
      case '"':
        return scalar(this.#quoted(), this.#at)
      case "'":
        return scalar(this.#take(CHARACTER).slice(1, -1), this.#at)
      default:
        return scalar(parseWord(this.#take(WORD).trim()), this.#at)
    }
  }

  #pair(depth: number): [string, Node] {
    this.#take(SPACE)
    const key = this.#text[this.#next] === '"' ? this.#quoted() : this.#take(BARE_KEY)
    this.#take(SPACE)
    this.#take(EQUALS)
    return [key, this.#value(depth)]
  }

  #quoted(): string {
    const controls = /\p{Cc}/gu
    return JSON.parse(
      this.#take(QUOTED).replace(controls, (control) => JSON.stringify(control).slice(1, -1)),
    )
  }

  /**
   * A comma directly before the closing bracket is allowed; with white space between, an empty item follows it.
   */
  #items<T>(close: string, readOne: () => T): T[] {
    const items: T[] = []
    for (;;) {
      // The opening bracket, or the comma after an item.
      this.#next++
      if (this.#text[this.#next] !== close) items.push(readOne())
      const end = this.#text[this.#next]
      if (end === ',') continue
      if (end !== close) throw new Misfit()
      this.#next++
      return items
    }
  }

  /** The text that `pattern` matches here. */
  #take(pattern: RegExp): string {
    pattern.lastIndex = this.#next
    const found = pattern.exec(this.#text)?.[0]
    if (found === undefined) throw new Misfit()
    this.#next += found.length
    return found
  }
}
