/**
 * Where the values of a bencoded dictionary stand, without reading them: an info hash is a hash of bytes, not
 * of values. Needs no stack and no memory of its own however deep or large the input is.
 */

const COLON = 0x3a
const D = 0x64
const E = 0x65
const I = 0x69
const L = 0x6c

/** The bytes of each value by its key (latin1), views into `bytes`; undefined: it is no dictionary. */
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

/** Index behind the value that begins at `at`; -1: it is none. */
function endOfValue(bytes: Uint8Array, at: number): number {
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

/** Index behind the string that begins at `at`; -1: it is none. */
function endOfString(bytes: Uint8Array, at: number): number {
  const start = at
  let length = 0
  for (; bytes[at] !== COLON; at++) {
    const digit = (bytes[at] ?? 0) - 0x30
    // Ten digits are more than any file has bytes.
    if (digit < 0 || digit > 9 || at - start === 10) return -1
    length = length * 10 + digit
  }
  const end = at + 1 + length
  return at > start && end <= bytes.length ? end : -1
}
