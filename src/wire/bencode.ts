/**
 * Bencoding (BEP 3), both directions: a writer into memory that is used again for every answer, and a
 * strict reader that never believes a length or a depth. Byte strings are bytes, never text.
 */
import { LIMITS } from '../limits.ts'

const MINUS = 0x2d
const ZERO = 0x30
const COLON = 0x3a
const D = 0x64
const E = 0x65
const I = 0x69
const L = 0x6c

/** Answers shorter than this find their view made already. */
const MOST_VIEWS = 1024

/** Appends bencoded pieces to memory that it owns, grows and keeps; the caller minds the grammar. */
export class BencodeWriter {
  #memory: Uint8Array<ArrayBuffer>
  #length = 0
  /** Views of the first n bytes by n: making one costs as much as writing a small answer. */
  #views: (Uint8Array<ArrayBuffer> | undefined)[] = []

  constructor(room = 4096) {
    this.#memory = new Uint8Array(room)
  }

  begin(): this {
    this.#length = 0
    return this
  }

  /** A view of what was written: valid until the next `begin()`, so send it, never store it. */
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

  /** ASCII text as it stands: brackets, keys, whatever the caller spelled out. */
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
      // Whole numbers that fit 31 bits stay integers in the compiled code.
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
    // A short copy costs less than the call of `set`, or than making the view that it wants.
    if (length <= 32) for (let i = 0; i < length; i++) memory[at + i] = bytes[from + i]!
    else memory.set(length === bytes.length ? bytes : bytes.subarray(from, end), at)
    this.#length = at + length
    return this
  }

  /** Text as a byte string; whatever is not printable ASCII becomes `?`, so a character is a byte. */
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

/** Keys are byte strings; here as one character per byte (latin1), which keeps them exact. */
export type BencodeDictionary = Map<string, BencodeValue>
export type BencodeValue = number | Uint8Array | BencodeValue[] | BencodeDictionary

export class BencodeError extends Error {
  override readonly name = 'BencodeError'
  /** Where in the bytes it went wrong. */
  readonly offset: number

  constructor(what: string, offset: number) {
    super(`${what} at byte ${offset}`)
    this.offset = offset
  }
}

/**
 * The one value that `bytes` are. Throws `BencodeError` and nothing else: on anything behind the
 * value, keys out of order or twice, leading zeros, numbers past 2^53, nesting past the limit.
 * `anyOrder`: keys may stand in any order, the last of equal ones counts; trackers in the field are careless.
 */
export function decodeBencode(bytes: Uint8Array, anyOrder = false): BencodeValue {
  let at = 0

  const fail = (what: string): never => {
    throw new BencodeError(what, at)
  }

  /** Digits up to `end`; leaves `at` behind it. */
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
