/**
 * The small grammar of override values (docs/behaviours.md C6). A text that does not fit it to the last
 * character is a string, so reading never fails.
 */
import { list, type Node, type Place, type Scalar, scalar, table } from './tree.ts'

const WHITE_SPACE = /[ \t\n\f\r]/
const SEPARATOR = /[,{}[\]]/
const MOST_UNSIGNED = 2n ** 64n - 1n
const LEAST_SIGNED = -(2n ** 63n)
/** More levels than any option has; without a limit the stack could overflow. */
const DEEPEST = 64

export function parseOverride(text: string, at: Place): Node {
  const reader = new Reader(text, at)
  const node = reader.value(0)
  return node !== undefined && reader.atEnd ? node : scalar(text, at)
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

/** Reads forward only. Methods return undefined when the text does not fit. */
class Reader {
  readonly #text: string
  readonly #at: Place
  #next = 0

  constructor(text: string, at: Place) {
    this.#text = text
    this.#at = at
  }

  get atEnd(): boolean {
    return this.#next === this.#text.length
  }

  value(depth: number): Node | undefined {
    this.#skipWhiteSpace()
    const node = this.#bareValue(depth)
    this.#skipWhiteSpace()
    return node
  }

  #bareValue(depth: number): Node | undefined {
    if (depth > DEEPEST) return undefined
    switch (this.#text[this.#next]) {
      case '{':
        return this.#table(depth + 1)
      case '[':
        return this.#list(depth + 1)
      case '"':
        return this.#scalar(this.#quoted())
      case "'":
        return this.#scalar(this.#character())
      default:
        return scalar(parseWord(this.#while((c) => !SEPARATOR.test(c)).trim()), this.#at)
    }
  }

  #scalar(text: string | undefined): Node | undefined {
    return text === undefined ? undefined : scalar(text, this.#at)
  }

  #table(depth: number): Node | undefined {
    const entries = new Map<string, Node>()
    const closed = this.#items('}', () => {
      this.#skipWhiteSpace()
      const key = this.#text[this.#next] === '"' ? this.#quoted() : this.#bareKey()
      this.#skipWhiteSpace()
      if (key === undefined || !this.#eat('=')) return false
      const node = this.value(depth)
      if (node !== undefined) entries.set(key, node)
      return node !== undefined
    })
    return closed ? table(entries, this.#at) : undefined
  }

  #list(depth: number): Node | undefined {
    const items: Node[] = []
    const closed = this.#items(']', () => {
      const node = this.value(depth)
      if (node !== undefined) items.push(node)
      return node !== undefined
    })
    return closed ? list(items, this.#at) : undefined
  }

  /**
   * A comma directly before the closing bracket is allowed; with white space between, an empty item follows it.
   */
  #items(close: string, readOne: () => boolean): boolean {
    this.#next++
    while (!this.#eat(close)) {
      if (!readOne()) return false
      if (!this.#eat(',')) return this.#eat(close)
    }
    return true
  }

  /** A string with JSON's escapes. Unlike JSON, the grammar allows raw line breaks. */
  #quoted(): string | undefined {
    let text = ''
    for (let i = this.#next + 1; i < this.#text.length; i++) {
      const c = this.#text[i]!
      if (c === '"') {
        this.#next = i + 1
        return text
      }
      if (c !== '\\') {
        text += c
        continue
      }
      const escaped = /^\\(["\\nrtbf]|u[0-9a-fA-F]{4})/.exec(this.#text.slice(i, i + 6))
      if (!escaped) return undefined
      text += JSON.parse(`"${escaped[0]}"`)
      i += escaped[0].length - 1
    }
    return undefined
  }

  #character(): string | undefined {
    const character = String.fromCodePoint(this.#text.codePointAt(this.#next + 1) ?? 0x27)
    if (this.#text[this.#next + 1 + character.length] !== "'") return undefined
    this.#next += 2 + character.length
    return character
  }

  #bareKey(): string | undefined {
    return this.#while((c) => /[\w-]/.test(c)) || undefined
  }

  #while(isPart: (character: string) => boolean): string {
    const start = this.#next
    while (this.#next < this.#text.length && isPart(this.#text[this.#next]!)) this.#next++
    return this.#text.slice(start, this.#next)
  }

  #eat(character: string): boolean {
    if (this.#text[this.#next] !== character) return false
    this.#next++
    return true
  }

  #skipWhiteSpace(): void {
    this.#while((c) => WHITE_SPACE.test(c))
  }
}
