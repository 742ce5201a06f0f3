/**
 * Reads the auth key from the options of an announce (BEP 41; docs/behaviours.md K10, U15): clients send there
 * the path and query of the announce URL, here `/announce/KEY`, `/KEY/announce` or `?passkey=KEY`. No datagram
 * makes it throw or allocate. Options that make no sense are skipped; an option that is cut off is read as far
 * as it goes.
 */
import { isKeyCharacter, KEY_CHARACTERS, type Key, type ShownKey } from '../bittorrent.ts'
import { LIMITS } from '../limits.ts'
import { ascii } from './query.ts'
import { ANNOUNCE } from './udp.ts'

/** Types of options. `end` and `nop` are single bytes; every other has a length byte and data. */
const OPTION = { end: 0, nop: 1, urlData: 2 } as const

const PATH = ascii('/announce')
const PATH_BEFORE_KEY = ascii('/announce/')
const PARAMETERS = [ascii('passkey='), ascii('key=')]
const SLASH = 0x2f
const QUESTION = 0x3f
const AMPERSAND = 0x26

export class UrlKeys {
  /** The URL, where several options make it. */
  readonly #joined = new Uint8Array(LIMITS.datagram)

  /**
   * Reads the key of the announce of `length` bytes at `bytes[from…]` into `key`. `none`: the URL has no place for
   * one, or ends before it. `malformed`: the text in its place in the path is not a key.
   */
  read(bytes: Uint8Array, from: number, length: number, key: Key): ShownKey {
    const end = from + Math.min(length, LIMITS.datagram)
    let joined = 0
    for (let at = from + ANNOUNCE.end; at < end; ) {
      const option = bytes[at++]
      if (option === OPTION.end) break
      if (option === OPTION.nop || at === end) continue
      const size = bytes[at++]!
      const next = Math.min(at + size, end)
      if (option === OPTION.urlData) {
        // The usual datagram: a single option and nothing behind it.
        if (joined === 0 && next === end) return keyInUrl(bytes, at, end, key)
        while (at < next) this.#joined[joined++] = bytes[at++]!
      }
      at = next
    }
    return keyInUrl(this.#joined, 0, joined, key)
  }
}

/** The key in the path and query at `url[start, end)`. */
function keyInUrl(url: Uint8Array, start: number, end: number, key: Key): ShownKey {
  const keyAt = start + PATH_BEFORE_KEY.length
  const isBefore = keyAt <= end && reads(url, start, keyAt, PATH_BEFORE_KEY)
  if (isBefore && keyAt + KEY_CHARACTERS === end && isKey(url, keyAt, end, key)) return 'key'

  let query = start
  while (query < end && url[query] !== QUESTION) query++
  const pathAt = query - PATH.length
  if (isBefore && keyAt < query) return isKey(url, keyAt, query, key) ? 'key' : 'malformed'
  if (pathAt > start + 1 && reads(url, pathAt, query, PATH) && isSegment(url, start, pathAt))
    return isKey(url, start + 1, pathAt, key) ? 'key' : 'malformed'

  for (let pair = query + 1; pair < end; ) {
    let next = pair
    while (next < end && url[next] !== AMPERSAND) next++
    const value = next - KEY_CHARACTERS
    // `key` is also a parameter of clients, whose value is shorter.
    for (const name of PARAMETERS)
      if (reads(url, pair, value, name) && isKey(url, value, next, key)) return 'key'
    pair = next + 1
  }
  return 'none'
}

/** Whether `url[start, end)` equals `what`. */
function reads(url: Uint8Array, start: number, end: number, what: Uint8Array): boolean {
  if (end - start !== what.length) return false
  for (let i = 0; i < what.length; i++) if (url[start + i] !== what[i]) return false
  return true
}

/** Whether `url[start, end)` is a slash and one segment of a path. */
function isSegment(url: Uint8Array, start: number, end: number): boolean {
  if (url[start] !== SLASH) return false
  for (let at = start + 1; at < end; at++) if (url[at] === SLASH) return false
  return true
}

/** Whether `url[start, end)` is an auth key, which then stands in `key`. */
function isKey(url: Uint8Array, start: number, end: number, key: Key): boolean {
  if (end - start !== KEY_CHARACTERS) return false
  for (let i = 0; i < KEY_CHARACTERS; i++) {
    const character = url[start + i]!
    if (!isKeyCharacter(character)) return false
    key.bytes[i] = character
  }
  return true
}
