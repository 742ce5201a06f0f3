/**
 * Strings of JSON as the reference's parser (serde_json) takes them: strict UTF-8, no lone surrogates,
 * every mistake in its words.
 */
type StringRead = {
  /** Behind the closing quote, or where reading stopped. */
  readonly end: number
  readonly value: string
  /** What is wrong with it, at `end`. */
  readonly fault?: string
}

const QUOTE = 0x22
const BACKSLASH = 0x5c
const LETTER_U = 0x75
const UTF8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })
/** What stands behind a backslash for a byte. */
const ESCAPES = new Map(
  [...'"\\/bfnrt'].map((name, i) => [name.charCodeAt(0), '"\\/\b\f\n\r\t'.charCodeAt(i)]),
)

/** Reads the string whose opening quote is `bytes[from]`. */
export function readString(bytes: Uint8Array, from: number): StringRead {
  let at = from + 1
  /** The text so far, as soon as it is not what stands there; never longer than that. */
  let decoded: Buffer | undefined
  let length = 0
  let copied = at
  const take = (end: number): void => {
    if (copied < end) decoded?.set(bytes.subarray(copied, end), length)
    length += end - copied
  }
  for (;;) {
    const byte = bytes[at++]
    if (byte === undefined) return wrong(at - 1, 'EOF while parsing a string')
    if (byte < 0x20)
      return wrong(at, 'control character (\\u0000-\\u001F) found while parsing a string')
    if (byte === QUOTE) break
    if (byte !== BACKSLASH) continue
    decoded ??= Buffer.alloc(endOf(bytes, at - 1) - from)
    take(at - 1)
    const plain = ESCAPES.get(bytes[at]!)
    if (plain !== undefined) {
      // There may be a million: they leave no objects behind.
      decoded[length++] = plain
      copied = ++at
      continue
    }
    const escaped = readEscape(bytes, at)
    if (typeof escaped.code === 'string') return wrong(escaped.end, escaped.code)
    length += decoded.write(String.fromCodePoint(escaped.code), length)
    at = copied = escaped.end
  }
  take(at - 1)
  try {
    return {
      end: at,
      value: UTF8.decode((decoded ?? bytes.subarray(from + 1)).subarray(0, length)),
    }
  } catch {
    return wrong(at, 'invalid unicode code point')
  }
}

/** Where the string ends that goes on at `at`, whatever is in it. */
function endOf(bytes: Uint8Array, at: number): number {
  while (at < bytes.length && bytes[at] !== QUOTE) at += bytes[at] === BACKSLASH ? 2 : 1
  return at
}

const wrong = (end: number, fault: string): StringRead => ({ end, value: '', fault })

/** The code point of digits behind the backslash before `at`, or what is wrong with it. */
function readEscape(bytes: Uint8Array, at: number): { end: number; code: number | string } {
  const letter = bytes[at]
  if (letter === undefined) return { end: at, code: 'EOF while parsing a string' }
  if (letter !== LETTER_U) return { end: at + 1, code: 'invalid escape' }
  const first = readHex(bytes, at + 1)
  if (typeof first.code === 'string' || first.code < 0xd800 || first.code > 0xdfff) return first
  const lone = 'lone leading surrogate in hex escape'
  if (first.code >= 0xdc00) return { end: first.end, code: lone }
  for (let i = 0; i < 2; i++)
    if (bytes[first.end + i] !== [BACKSLASH, LETTER_U][i])
      return {
        end: Math.min(first.end + i + 1, bytes.length),
        code: 'unexpected end of hex escape',
      }
  const second = readHex(bytes, first.end + 2)
  if (typeof second.code === 'string') return second
  if (second.code < 0xdc00 || second.code > 0xdfff) return { end: second.end, code: lone }
  return { end: second.end, code: 0x10000 + ((first.code - 0xd800) << 10) + second.code - 0xdc00 }
}

function readHex(bytes: Uint8Array, at: number): { end: number; code: number | string } {
  const digits = String.fromCharCode(...bytes.subarray(at, at + 4))
  const end = at + digits.length
  if (digits.length < 4) return { end, code: 'EOF while parsing a string' }
  return {
    end,
    code: /^[0-9a-f]{4}$/i.test(digits) ? Number.parseInt(digits, 16) : 'invalid escape',
  }
}
