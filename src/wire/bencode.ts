/**
 * Bencoding (BEP 3): a writer into memory that is reused for every answer, a strict reader that trusts neither
 * lengths nor depths, and a scanner that finds values without reading them. Byte strings are bytes, never text.
 */
import { LIMITS } from '../limits.ts'

const MINUS = 0x2d
const ZERO = 0x30
const COLON = 0x3a
const D = 0x64
const E = 0x65
const I = 0x69
const L = 0x6c

/** Views of answers shorter than this are kept. */
const MOST_VIEWS = 1024

/**
 * Appends bencoded pieces to memory that it owns, grows and keeps. The caller is responsible for the grammar.
 */
export class BencodeWriter {
  #memory: Uint8Array<ArrayBuffer>
  #length = 0
  /** Views of the first n bytes, by n: creating one costs as much as writing a small answer. */
  #views: (Uint8Array<ArrayBuffer> | undefined)[] = []

  constructor(room = 4096) {
    this.#memory = new Uint8Array(room)
  }

  begin(): this {
    this.#length = 0
    return this
  }

  /** A view of what was written, valid until the next `begin()`. */
  bytes(): Uint8Array<ArrayBuffer> {
    const length = this.#length
    if (length >= MOST_VIEWS) return this.#memory.subarray(0, length)
    let view = this.#views[length]
    if (view === undefined) {
      view = this.#memory.subarray(0, length)
      this.#views[length] = view
    }
    return view
  }

  #reserve(more: number): Uint8Array {
    const needed = this.#length + more
    if (needed > this.#memory.length) {
      const larger = new Uint8Array(Math.max(needed, this.#memory.length * 2))
      larger.set(this.#memory)
      this.#memory = larger
      this.#views = []
    }
    return this.#memory
  }

  /** ASCII text as it is: brackets, keys, whole fragments. */
  raw(text: string): this {
    const memory = this.#reserve(text.length)
    const at = this.#length
    for (let i = 0; i < text.length; i++) memory[at + i] = text.charCodeAt(i)
    this.#length = at + text.length
    return this
  }

  #digits(value: number): void {
    let digits = 1
    for (let limit = 10; value >= limit; limit *= 10) digits++
    const memory = this.#reserve(digits)
    for (let at = this.#length + digits - 1; at >= this.#length; at--) {
      // Numbers below 2^31 stay integers in the compiled code.
      const rest = value <= 0x7fff_ffff ? (value / 10) | 0 : Math.floor(value / 10)
      memory[at] = ZERO + (value - rest * 10)
      value = rest
    }
    this.#length += digits
  }

  /** A non-negative whole number up to 2^53. */
  integer(value: number): this {
    this.#reserve(1)[this.#length++] = I
    this.#digits(value)
    this.#reserve(1)[this.#length++] = E
    return this
  }

  /** `bytes[from, end)` as a byte string. */
  string(bytes: Uint8Array, from = 0, end = bytes.length): this {
    const length = end - from
    this.#digits(length)
    const memory = this.#reserve(length + 1)
    memory[this.#length++] = COLON
    const at = this.#length
    // A short copy costs less than `set` and the view that it needs.
    if (length <= 32) for (let i = 0; i < length; i++) memory[at + i] = bytes[from + i]!
    else memory.set(length === bytes.length ? bytes : bytes.subarray(from, end), at)
    this.#length = at + length
    return this
  }

  /** Text as a byte string. A character that is not printable ASCII becomes `?`, so that each is one byte. */
  text(text: string): this {
    this.#digits(text.length)
    const memory = this.#reserve(text.length + 1)
    memory[this.#length++] = COLON
    for (let i = 0; i < text.length; i++) {
      const code = text.charCodeAt(i)
      memory[this.#length++] = code >= 0x20 && code <= 0x7e ? code : 0x3f
    }
    return this
  }
}

/** Keys are byte strings; here with one character per byte (latin1), which is exact. */
export type BencodeDictionary = Map<string, BencodeValue>
export type BencodeValue = number | Uint8Array | BencodeValue[] | BencodeDictionary

export class BencodeError extends Error {
  override readonly name = 'BencodeError'
}

/**
 * Decodes `bytes` as one value. Throws only `BencodeError`: for bytes after the value, keys out of order or
 * repeated, leading zeros, numbers beyond 2^53, nesting beyond the limit. `anyOrder`: keys may be in any order
 * and the last of equal ones counts, because trackers in the field are careless.
 */
export function decodeBencode(bytes: Uint8Array, anyOrder = false): BencodeValue {
  let at = 0

  const fail = (what: string): never => {
    throw new BencodeError(`${what} at byte ${at}`)
  }

  /** Reads digits up to `end` and moves `at` past it. */
  function number(end: number): number {
    const negative = end === E && bytes[at] === MINUS
    if (negative) at++
    const start = at
    let value = 0
    for (; bytes[at] !== end; at++) {
      const digit = (bytes[at] ?? fail('unexpected end')) - ZERO
      if (digit < 0 || digit > 9) fail('not a digit')
      if (at > start && value === 0) fail('leading zero')
      value = value * 10 + digit
      if (value > Number.MAX_SAFE_INTEGER) fail('number too large')
    }
    if (at === start) fail('no digits')
    if (negative && value === 0) fail('negative zero')
    at++
    return negative ? -value : value
  }

  function string(): Uint8Array {
    const length = number(COLON)
    if (length > bytes.length - at) fail('string longer than the input')
    at += length
    return bytes.slice(at - length, at)
  }

  function value(depth: number): BencodeValue {
    const kind = bytes[at] ?? fail('unexpected end')
    if (kind === I) {
      at++
      return number(E)
    }
    if (kind !== L && kind !== D) return string()
    if (depth === LIMITS.bencodeDepth) fail('nested too deep')
    at++
    if (kind === L) {
      const list: BencodeValue[] = []
      while (bytes[at] !== E) list.push(value(depth + 1))
      at++
      return list
    }
    const dictionary: BencodeDictionary = new Map()
    let last: string | undefined
    while (bytes[at] !== E) {
      const key = Buffer.from(string()).toString('latin1')
      if (!anyOrder && last !== undefined && key <= last) fail('keys out of order')
      dictionary.set(key, value(depth + 1))
      last = key
    }
    at++
    return dictionary
  }

  const result = value(0)
  if (at !== bytes.length) fail('bytes behind the value')
  return result
}

/**
 * The bytes of each value of a dictionary, by key (latin1), as views into `bytes`; undefined: not a dictionary.
 * Does not read the values: an info hash is a hash of their bytes. Uses no stack, however deep the input is.
 */
export function bencodeSpans(bytes: Uint8Array): Map<string, Uint8Array> | undefined {
  if (bytes[0] !== D) return undefined
  const spans = new Map<string, Uint8Array>()
  let at = 1
  while (bytes[at] !== E) {
    const keyEnd = endOfString(bytes, at)
    if (keyEnd < 0) return undefined
    const end = endOfValue(bytes, keyEnd)
    if (end < 0) return undefined
    const text = Buffer.from(bytes.subarray(at, keyEnd)).toString('latin1')
    spans.set(text.slice(text.indexOf(':') + 1), bytes.subarray(keyEnd, end))
    at = end
  }
  return at + 1 === bytes.length ? spans : undefined
}

/** Index after the value that begins at `at`; -1: not a value. */
export function endOfValue(bytes: Uint8Array, at: number): number {
  let open = 0
  do {
    const kind = bytes[at]
    if (kind === D || kind === L) {
      open++
      at++
    } else if (kind === E && open > 0) {
      open--
      at++
    } else if (kind === I) {
      at = bytes.indexOf(E, at) + 1
      if (at === 0) return -1
    } else {
      at = endOfString(bytes, at)
      if (at < 0) return -1
    }
  } while (open > 0)
  return at
}

/** Index after the string that begins at `at`; -1: not a string. */
function endOfString(bytes: Uint8Array, at: number): number {
  const start = at
  let length = 0
  for (; bytes[at] !== COLON; at++) {
    const digit = (bytes[at] ?? 0) - ZERO
    // No file is long enough for ten digits.
    if (digit < 0 || digit > 9 || at - start === 10) return -1
    length = length * 10 + digit
  }
  const end = at + 1 + length
  return at > start && end <= bytes.length ? end : -1
}
