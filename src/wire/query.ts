/**
 * Reads the raw query of a tracker URL pair by pair: byte-exact percent-decoding, integers as the reference
 * reads them (docs/behaviours.md H4, H6). `URLSearchParams` would destroy binary values.
 */
import { LIMITS } from '../limits.ts'
import { hexDigit } from './address.ts'

const HASH = 0x23
const PERCENT = 0x25
const PLUS = 0x2b
const AMPERSAND = 0x26
const EQUALS = 0x3d
const QUESTION = 0x3f

/** The value of a hexadecimal digit; anything else makes a sum with another value negative. */
const HEX = Int16Array.from({ length: 0x100 }, (_, code) => {
  const digit = hexDigit(code)
  return digit < 0 ? -1_000 : digit
})

/** Number of values of `Pairs.shape`: distinct for names of up to 15 characters. */
export const SHAPES = 16 * 128

/** What `Pairs.next` found. */
export const PAIR = { end: 0, pair: 1, malformed: 2 } as const
type Found = (typeof PAIR)[keyof typeof PAIR]

const ENCODER = new TextEncoder()

/** The bytes of ASCII text, which readers compare with what they read. */
export const ascii = (text: string): Uint8Array => ENCODER.encode(text)

/**
 * A cursor over `name=value&…`. It first copies the text to bytes, which are read twice as fast as characters;
 * all offsets point into `bytes`.
 */
export class Pairs {
  /** Valid until the next `begin`. Characters that are not ASCII have become bytes of 0x80 and above. */
  bytes: Uint8Array = new Uint8Array(16 * 1024)
  #end = 0
  #next = 0
  nameStart = 0
  nameEnd = 0
  valueStart = 0
  /** End of the value, and of the whole piece. */
  end = 0

  /** Starts at `text[from]`, the character after the `?` of a URL; everything before it is ASCII. */
  begin(text: string, from: number): void {
    let { read, written } = ENCODER.encodeInto(text, this.bytes)
    if (read < text.length) {
      this.bytes = new Uint8Array(text.length * 3)
      written = ENCODER.encodeInto(text, this.bytes).written
    }
    while (from < written && this.bytes[from] === QUESTION) from++
    this.#end = written
    this.#next = from
  }

  /** Moves to the next pair. An empty piece, or one without exactly one `=`, is malformed. */
  next(): Found {
    const { bytes } = this
    const start = this.#next
    const last = this.#end
    if (start > last) return PAIR.end
    let equals = -1
    let several = false
    let i = start
    for (; i < last; i++) {
      const byte = bytes[i]!
      if (byte > AMPERSAND && byte !== EQUALS) continue
      if (byte === AMPERSAND) break
      if (byte === HASH) {
        this.#end = i // the fragment is not part of the query
        break
      }
      if (byte !== EQUALS) continue
      if (equals >= 0) several = true
      else equals = i
    }
    this.nameStart = start
    this.nameEnd = equals
    this.valueStart = equals + 1
    this.end = i
    this.#next = i + 1
    return equals < 0 || several ? PAIR.malformed : PAIR.pair
  }

  /** Whether the pair at the cursor has this name; names are never percent-decoded. */
  named(name: Uint8Array): boolean {
    return this.reads(this.nameStart, this.nameEnd, name)
  }

  /** Whether `bytes[from, end)` equal `what`. */
  reads(from: number, end: number, what: Uint8Array): boolean {
    if (end - from !== what.length) return false
    for (let i = 0; i < what.length; i++) if (this.bytes[from + i] !== what[i]) return false
    return true
  }

  /** Length × 128 + first byte of the name, modulo `SHAPES`: names of different shapes differ. */
  shape(): number {
    return ((this.nameEnd - this.nameStart) * 128 + this.bytes[this.nameStart]!) % SHAPES
  }

  /** The refusal of a query when `next` met a malformed piece. */
  complaint(): string {
    return `Bad request. Cannot parse query params: invalid param ${this.echo(this.nameStart, this.end)}`
  }

  /** The client's text as a failure reason repeats it. */
  echo(from: number, end: number): string {
    const text = String.fromCharCode(
      ...this.bytes.subarray(from, Math.min(end, from + LIMITS.echo)),
    )
    return end - from <= LIMITS.echo ? text : `${text}...`
  }
}

/**
 * Percent-decodes `source[from, end)` to `bytes[at…]`, at most `room` bytes, and returns how many there are in
 * all; -1: it has a byte that no URL contains. A `%` without two digits stands for itself.
 */
export function decodeBytes(
  source: Uint8Array,
  from: number,
  end: number,
  bytes: Uint8Array,
  at: number,
  room: number,
): number {
  let count = 0
  for (let i = from; i < end; i++) {
    let byte = source[i]!
    if (byte > 0x7e) return -1
    if (byte === PERCENT && i + 2 < end) {
      const value = HEX[source[i + 1]!]! * 16 + HEX[source[i + 2]!]!
      if (value >= 0) {
        byte = value
        i += 2
      }
    }
    if (count < room) bytes[at + count] = byte
    count++
  }
  return count
}

/** A decimal number up to `most`, with an optional `+` and leading zeros; -1: not such a number. */
export function decodeNumber(source: Uint8Array, from: number, end: number, most: number): number {
  if (source[from] === PLUS) from++
  if (from >= end) return -1
  let value = 0
  for (let i = from; i < end; i++) {
    const digit = source[i]! - 0x30
    if (digit < 0 || digit > 9) return -1
    value = value * 10 + digit
    if (value > most) return -1
  }
  return value
}

/** The results of `decodeCount`. */
export const COUNTED = { exact: 0, invalid: 1, overflow: 2 } as const

/**
 * Writes a byte count to `words[at…]` as high and low word, exactly and without `BigInt`. From 2^63 it is an
 * overflow, from 2^64 invalid, as in the reference.
 */
export function decodeCount(
  source: Uint8Array,
  from: number,
  end: number,
  words: Int32Array,
  at: number,
): (typeof COUNTED)[keyof typeof COUNTED] {
  if (source[from] === PLUS) from++
  if (from >= end) return COUNTED.invalid
  let high = 0
  let low = 0
  for (let i = from; i < end; i++) {
    const digit = source[i]! - 0x30
    if (digit < 0 || digit > 9) return COUNTED.invalid
    low = low * 10 + digit
    // Both words stay below 2^32 between digits, so every product here is exact.
    if (low > 0xffffffff) {
      const carry = Math.floor(low / 0x1_0000_0000)
      low -= carry * 0x1_0000_0000
      high = high * 10 + carry
      if (high > 0xffffffff) return COUNTED.invalid
    } else if (high > 0) {
      high *= 10
      if (high > 0xffffffff) return COUNTED.invalid
    }
  }
  if (high > 0x7fffffff) return COUNTED.overflow
  words[at] = high
  words[at + 1] = low
  return COUNTED.exact
}
