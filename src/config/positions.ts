/**
 * Line and column of every key and list element of a TOML text, for messages: the parser does not provide them.
 * The text has been parsed successfully, so nothing here reports an error.
 */

interface Position {
  /** Both count from 1; a column counts UTF-16 units. */
  readonly line: number
  readonly column: number
}

type Path = readonly (string | number)[]

/** The key of a path in the result of `findPositions`. */
export const positionKey = (path: Path): string => JSON.stringify(path.map(String))

export function findPositions(toml: string): ReadonlyMap<string, Position> {
  const scanner = new Scanner(toml)
  scanner.document()
  return scanner.positions
}

class Scanner {
  readonly positions = new Map<string, Position>()
  readonly #toml: string
  #next = 0
  /** Elements seen so far of each array of tables. */
  readonly #lengths = new Map<string, number>()
  // Where counting lines has come to: positions are marked in ascending order.
  #counted = 0
  #line = 1
  #lineStart = 0

  constructor(toml: string) {
    this.#toml = toml
  }

  document(): void {
    let within: Path = []
    for (;;) {
      this.#skipBlank()
      if (this.#next >= this.#toml.length) return
      const before = this.#next
      if (this.#toml.startsWith('[[', before)) within = this.#header(2)
      else if (this.#toml[before] === '[') within = this.#header(1)
      else this.#keyValue(within)
      // The loop must end for any text.
      if (this.#next === before) this.#next++
    }
  }

  #header(brackets: 1 | 2): Path {
    const start = this.#next
    this.#next += brackets
    const keys = this.#keys()
    this.#next += brackets
    let path: Path = []
    keys.forEach(({ key }, i) => {
      path = [...path, key]
      this.#mark(path, start)
      const name = positionKey(path)
      if (brackets === 2 && i === keys.length - 1)
        this.#lengths.set(name, (this.#lengths.get(name) ?? 0) + 1)
      const length = this.#lengths.get(name)
      if (length === undefined) return
      path = [...path, length - 1]
      this.#mark(path, start)
    })
    return path
  }

  #keyValue(within: Path): void {
    let path = within
    for (const { key, at } of this.#keys()) {
      path = [...path, key]
      this.#mark(path, at)
    }
    this.#skipSpace()
    if (this.#toml[this.#next] === '=') this.#next++
    this.#skipSpace()
    this.#value(path)
  }

  /** Reads a dotted key and the white space after it. */
  #keys(): { key: string; at: number }[] {
    const keys: { key: string; at: number }[] = []
    do {
      this.#skipSpace()
      const at = this.#next
      const quote = this.#toml[at]
      if (quote === '"' || quote === "'") {
        this.#string()
        const text = this.#toml.slice(at + 1, this.#next - 1)
        keys.push({ key: quote === '"' ? unescaped(text) : text, at })
      } else {
        this.#skip(/[A-Za-z0-9_-]/)
        keys.push({ key: this.#toml.slice(at, this.#next), at })
      }
      this.#skipSpace()
    } while (this.#toml[this.#next] === '.' && ++this.#next)
    return keys
  }

  #value(path: Path): void {
    const first = this.#toml[this.#next]
    if (first === '"' || first === "'") this.#string()
    else if (first === '[') {
      let index = 0
      this.#items(']', () => {
        const item = [...path, index++]
        this.#mark(item, this.#next)
        this.#value(item)
      })
    } else if (first === '{') this.#items('}', () => this.#keyValue(path))
    else this.#skip(/[^,\]}#\n]/)
  }

  #items(close: string, readOne: () => void): void {
    this.#next++
    for (;;) {
      this.#skipBlank()
      if (this.#next >= this.#toml.length) return
      if (this.#toml[this.#next] === close) break
      const before = this.#next
      readOne()
      this.#skipBlank()
      if (this.#toml[this.#next] === ',' || this.#next === before) this.#next++
    }
    this.#next++
  }

  #string(): void {
    const quote = this.#toml[this.#next]!
    const triple = this.#toml.startsWith(quote.repeat(3), this.#next)
    const end = triple ? quote.repeat(3) : quote
    this.#next += end.length
    while (this.#next < this.#toml.length && !this.#toml.startsWith(end, this.#next))
      this.#next += quote === '"' && this.#toml[this.#next] === '\\' ? 2 : 1
    this.#next += end.length
    // One or two quotes may stand right before the closing three.
    if (triple) while (this.#toml[this.#next] === quote) this.#next++
  }

  #skipSpace(): void {
    this.#skip(/[ \t]/)
  }

  /** White space, line ends and comments. */
  #skipBlank(): void {
    for (;;) {
      this.#skip(/[ \t\r\n]/)
      if (this.#toml[this.#next] !== '#') return
      this.#skip(/[^\n]/)
    }
  }

  #skip(characters: RegExp): void {
    while (this.#next < this.#toml.length && characters.test(this.#toml[this.#next]!)) this.#next++
  }

  /** Remembers where a path was first written. */
  #mark(path: Path, at: number): void {
    const key = positionKey(path)
    if (this.positions.has(key)) return
    for (; this.#counted < at; this.#counted++)
      if (this.#toml[this.#counted] === '\n') {
        this.#line++
        this.#lineStart = this.#counted + 1
      }
    this.positions.set(key, { line: this.#line, column: at - this.#lineStart + 1 })
  }
}

const ESCAPES: Readonly<Record<string, string>> = {
  b: '\b',
  t: '\t',
  n: '\n',
  f: '\f',
  r: '\r',
  e: '\x1b',
}

const unescaped = (text: string): string =>
  text.replace(
    /\\(?:u([0-9A-Fa-f]{4})|U([0-9A-Fa-f]{8})|x([0-9A-Fa-f]{2})|(.))/g,
    (_, short, long, byte, letter) =>
      letter === undefined
        ? String.fromCodePoint(Number.parseInt(short ?? long ?? byte, 16))
        : (ESCAPES[letter] ?? letter),
  )
