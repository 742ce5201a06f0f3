/**
 * Numbers of JSON as the reference's parser (serde_json) takes them: integers of 64 bits are exact, all
 * else is a double; and how it prints a double in a message.
 */
type NumberRead = {
  /** Where reading stopped. */
  readonly end: number
  readonly value: bigint | number
  /** What is wrong with it, at `end`. */
  readonly fault?: string
}

const DOT = 0x2e
const ZERO = 0x30
const isDigit = (code: number | undefined): boolean =>
  code !== undefined && code >= ZERO && code <= 0x39

const MOST = 2n ** 64n - 1n
const LEAST = -(2n ** 63n)
/** Digits of 2^64 - 1. */
const MOST_DIGITS = 20

/** Reads the number at `bytes[from]`, a digit or a minus. */
export function readNumber(bytes: Uint8Array, from: number): NumberRead {
  const digits = (at: number): number => {
    while (isDigit(bytes[at])) at++
    return at
  }
  const wrong = (at: number, what = 'invalid number'): NumberRead => {
    const ended = at >= bytes.length
    return { end: ended ? at : at + 1, value: 0, fault: ended ? 'EOF while parsing a value' : what }
  }
  const negative = bytes[from] === 0x2d
  const start = negative ? from + 1 : from
  if (!isDigit(bytes[start])) return wrong(start)
  let end = bytes[start] === ZERO ? start + 1 : digits(start)
  if (isDigit(bytes[end])) return wrong(end)
  let whole = true
  if (bytes[end] === DOT) {
    whole = false
    if (!isDigit(bytes[end + 1])) return wrong(end + 1)
    end = digits(end + 1)
  }
  if (bytes[end] === 0x65 || bytes[end] === 0x45) {
    whole = false
    const sign = bytes[end + 1] === 0x2b || bytes[end + 1] === 0x2d
    const exponent = end + (sign ? 2 : 1)
    if (!isDigit(bytes[exponent])) return wrong(exponent)
    end = digits(exponent)
  }
  const text = Buffer.from(bytes.buffer, bytes.byteOffset + from, end - from).toString('latin1')
  if (whole && end - start <= MOST_DIGITS) {
    const exact = BigInt(text)
    // serde_json reads -0 as a double.
    if (exact <= MOST && exact >= LEAST && !(negative && exact === 0n)) return { end, value: exact }
  }
  const value = Number(text)
  return Number.isFinite(value) ? { end, value } : { end, value, fault: 'number out of range' }
}

/** Shortest digits that read back as `value`, always with a point or an exponent. */
export function printFloat(value: number): string {
  if (Object.is(value, -0)) return '-0.0'
  const text = String(value)
  const [mantissa = '', exponent] = value.toExponential().split('e')
  const power = Number(exponent)
  if (power >= 16 || power < -5) return `${mantissa}e${power}`
  return text.includes('.') ? text : `${text}.0`
}
