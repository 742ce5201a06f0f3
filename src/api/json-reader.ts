/**
 * Reads JSON value by value and names every mistake in the words, and at the place, that the reference's
 * parser (serde_json) would; integers are exact to 64 bits (docs/behaviours.md A7, A19). Unknown
 * members are skipped without recursion, so that depth costs nothing. Text after the value is not read.
 */
import { debugQuote, echo } from './answers.ts'
import { printFloat, readNumber } from './json-number.ts'
import { readString } from './json-string.ts'

/** `syntax`: not JSON. `data`: JSON of another shape. `excess`: too many elements. */
type FaultKind = 'syntax' | 'data' | 'excess'
export class JsonFault extends Error {
  readonly kind: FaultKind

  constructor(kind: FaultKind, message: string) {
    super(message)
    this.kind = kind
  }
}

const END = -1
const QUOTE = 0x22
const COMMA = 0x2c
const COLON = 0x3a
const OPEN_LIST = 0x5b
const CLOSE_LIST = 0x5d
const OPEN_OBJECT = 0x7b
const CLOSE_OBJECT = 0x7d
const LETTER_N = 0x6e
/** By their first letter. */
const WORDS = new Map(['null', 'true', 'false'].map((word) => [word.charCodeAt(0), word]))

export class JsonReader {
  readonly #bytes: Uint8Array
  #at = 0
  /** Names and indices down to the value that is being read; after a `JsonFault`, to the mistake. */
  readonly #path: (string | number)[] = []

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes
  }

  /** The beginning of a message about a `JsonFault`: where it is. */
  get place(): string {
    if (this.#path.length === 0) return ''
    const steps = this.#path.map((step) =>
      typeof step === 'number' ? `[${step}]` : `.${echo(step)}`,
    )
    return `${steps.join('').replace(/^\./, '')}: `
  }

  /**
   * The members of an object, in turn; `member` reads the value of the name, or returns false and it is
   * skipped. false: this is a list, and nothing was read.
   */
  object(expected: string, member: (name: string) => boolean): boolean {
    const first = this.#peek()
    if (first === OPEN_LIST) return false
    if (first !== OPEN_OBJECT) this.#mismatch(expected)
    this.#at++
    for (let read = 0; this.#another(CLOSE_OBJECT, read); read++) {
      const name = this.#string()
      if (!member(name)) this.#member(name, () => this.#skip())
    }
    this.#at++
    return true
  }

  /** The value of a member; a second one is refused: `before` is what the first was. */
  member<T>(name: string, before: T | undefined, read: () => T): T {
    if (before === undefined) return this.#member(name, read)
    this.#peek()
    this.data(`duplicate field \`${name}\``)
  }

  /** The elements of a list, in turn: `element` must read one each time. Says how many there were. */
  list(expected: string, element: (index: number) => void): number {
    if (this.#peek() !== OPEN_LIST) this.#mismatch(expected)
    this.#at++
    let index = 0
    for (; this.#another(CLOSE_LIST, index); index++) {
      this.#path.push(index)
      element(index)
      this.#path.pop()
    }
    this.#at++
    return index
  }

  /** Whether the value is null; then it was read. */
  null(): boolean {
    if (this.#peek() !== LETTER_N) return false
    this.#word('null')
    return true
  }

  string(expected: string): string {
    if (this.#peek() !== QUOTE) this.#mismatch(expected)
    return this.#string()
  }

  /** From 0 to 2^64 - 1. */
  unsigned(expected: string): bigint {
    if (!isNumberStart(this.#peek())) this.#mismatch(expected)
    const value = this.#number()
    if (typeof value === 'bigint' && value >= 0n) return value
    const fault = typeof value === 'bigint' ? 'value' : 'type'
    this.data(`invalid ${fault}: ${describe(value)}, expected ${expected}`)
  }

  /** A list of fixed length has one more element than that. */
  trailing(): never {
    this.#path.length = 0
    this.#syntaxHere('trailing characters')
  }

  data(message: string): never {
    throw new JsonFault('data', `${message}${this.#where(this.#at)}`)
  }

  /** The colon and the value behind a name. When it throws, the path stays: it leads to the mistake. */
  #member<T>(name: string, read: () => T): T {
    this.#path.push(name)
    this.#colon()
    const value = read()
    this.#path.pop()
    return value
  }

  /** Moves to the next element or name, over the comma; false: the end is reached but not read. */
  #another(close: number, read: number): boolean {
    const ofObject = close === CLOSE_OBJECT
    let next = this.#peek()
    if (next === close) return false
    if (next === END) this.#syntaxHere(`EOF while parsing ${ofObject ? 'an object' : 'a list'}`)
    if (read > 0) {
      if (next !== COMMA) this.#syntaxHere(`expected \`,\` or \`${ofObject ? '}' : ']'}\``)
      this.#at++
      next = this.#peek()
      if (next === close) this.#syntaxHere('trailing comma')
      if (next === END) this.#syntaxHere('EOF while parsing a value')
    }
    if (ofObject && next !== QUOTE) this.#syntaxHere('key must be a string')
    return true
  }

  #colon(): void {
    const next = this.#peek()
    if (next === END) this.#syntaxHere('EOF while parsing an object')
    if (next !== COLON) this.#syntaxHere('expected `:`')
    this.#at++
  }

  /** The value is something else: says what, having read as much of it as the reference does. */
  #mismatch(expected: string): never {
    const next = this.#peek()
    const what =
      next === OPEN_LIST ? 'sequence' : next === OPEN_OBJECT ? 'map' : describe(this.#scalar(next))
    this.data(`invalid type: ${what}, expected ${expected}`)
  }

  /** Reads past any value, keeping account of brackets only. */
  #skip(): void {
    const open: number[] = []
    for (;;) {
      const next = this.#peek()
      if (next === OPEN_LIST || next === OPEN_OBJECT) {
        this.#at++
        open.push(next === OPEN_LIST ? CLOSE_LIST : CLOSE_OBJECT)
        if (this.#enter(open, 0)) continue
      } else this.#scalar(next)
      do if (open.length === 0) return
      while (!this.#enter(open, 1))
    }
  }

  /** Moves to the next value inside the innermost bracket; false: it is closed, and popped. */
  #enter(open: number[], read: number): boolean {
    const close = open.at(-1)!
    if (!this.#another(close, read)) {
      this.#at++
      open.pop()
      return false
    }
    if (close === CLOSE_OBJECT) {
      this.#string()
      this.#colon()
    }
    return true
  }

  #scalar(next: number): bigint | number | string | Word {
    if (isNumberStart(next)) return this.#number()
    if (next === QUOTE) return this.#string()
    const word = WORDS.get(next)
    if (word === undefined)
      this.#syntaxHere(next === END ? 'EOF while parsing a value' : 'expected value')
    this.#word(word)
    return { word }
  }

  #word(word: string): void {
    for (const letter of word) {
      if (this.#at === this.#bytes.length) this.#syntax('EOF while parsing a value')
      if (this.#bytes[this.#at++] !== letter.charCodeAt(0)) this.#syntax('expected ident')
    }
  }

  #number(): bigint | number {
    const { end, value, fault } = readNumber(this.#bytes, this.#at)
    this.#at = end
    if (fault !== undefined) this.#syntax(fault)
    return value
  }

  #string(): string {
    const { end, value, fault } = readString(this.#bytes, this.#at)
    this.#at = end
    if (fault !== undefined) this.#syntax(fault)
    return value
  }

  /** The next byte that is no white space, not yet read. */
  #peek(): number {
    for (;;) {
      const byte = this.#bytes[this.#at]
      if (byte !== 0x20 && byte !== 0x0a && byte !== 0x0d && byte !== 0x09) return byte ?? END
      this.#at++
    }
  }

  /** The mistake is what was read last. */
  #syntax(message: string): never {
    throw new JsonFault('syntax', `${message}${this.#where(this.#at)}`)
  }

  /** The mistake is the byte that comes next. */
  #syntaxHere(message: string): never {
    throw new JsonFault('syntax', `${message}${this.#where(this.#at + 1)}`)
  }

  /** The line, and how many bytes of it were read, as the reference counts. */
  #where(end: number): string {
    const read = this.#bytes.subarray(0, end)
    let line = 1
    let start = 0
    for (let i = read.indexOf(0x0a); i >= 0; i = read.indexOf(0x0a, start)) {
      line++
      start = i + 1
    }
    return ` at line ${line} column ${read.length - start}`
  }
}

type Word = { readonly word: string }

const isNumberStart = (code: number): boolean => code === 0x2d || (code >= 0x30 && code <= 0x39)

function describe(value: bigint | number | string | Word): string {
  if (typeof value === 'bigint') return `integer \`${value}\``
  if (typeof value === 'number') return `floating point \`${printFloat(value)}\``
  if (typeof value === 'string') return `string ${debugQuote(echo(value))}`
  return value.word === 'null' ? 'null' : `boolean \`${value.word}\``
}
