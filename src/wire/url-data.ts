/**
 * Reads the auth key from the options of an announce (BEP 41; docs/behaviours.md K10, U15): clients send there
 * the path of the announce URL, here `/announce/KEY`. No datagram makes it throw or allocate. Options that make
 * no sense are skipped; an option that is cut off is read as far as it goes.
 */
import { isKeyCharacter, KEY_CHARACTERS, type Key } from '../bittorrent.ts'
import { LIMITS } from '../limits.ts'
import { ANNOUNCE } from './udp.ts'

/** Types of options. `end` and `nop` are single bytes; every other has a length byte and data. */
const OPTION = { end: 0, nop: 1, urlData: 2 } as const
const BEFORE = '/announce/'
const BEHIND = BEFORE.length + KEY_CHARACTERS
const QUESTION_MARK = 0x3f

/** Offsets when the URL is a single option and nothing else, as clients send it. */
const PLAIN = { path: ANNOUNCE.end + 2, key: ANNOUNCE.end + 2 + BEFORE.length } as const
const PLAIN_END = PLAIN.key + KEY_CHARACTERS
const BEFORE_BYTES = Uint8Array.from(BEFORE, (character) => character.charCodeAt(0))

/** `none`: the URL is another one or ends before the key. `malformed`: the text in its place is not a key. */
type UrlKey = 'none' | 'malformed' | 'key'

/** Reads the key of the announce of `length` bytes at `bytes[from…]` into `key`. */
export function readUrlKey(bytes: Uint8Array, from: number, length: number, key: Key): UrlKey {
  if (readPlain(bytes, from, length, key)) return 'key'
  const end = from + Math.min(length, LIMITS.datagram)
  // Several options make one URL. So many of its characters have been read and fit.
  let place = 0
  for (let at = from + ANNOUNCE.end; at < end; ) {
    const option = bytes[at++]
    if (option === OPTION.end) break
    if (option === OPTION.nop || at === end) continue
    const next = at + 1 + bytes[at]!
    if (option === OPTION.urlData)
      for (at++; at < next && at < end; at++) {
        if (!fits(bytes[at]!, place, key)) return verdict(place, bytes[at] === QUESTION_MARK)
        place++
      }
    at = next
  }
  return verdict(place, true)
}

/** The same for the usual datagram, a single option with a key; false: any other. */
function readPlain(bytes: Uint8Array, from: number, length: number, key: Key): boolean {
  if (length !== PLAIN_END) return false
  if (bytes[from + ANNOUNCE.end] !== OPTION.urlData || bytes[from + ANNOUNCE.end + 1] !== BEHIND)
    return false
  for (let i = 0; i < BEFORE_BYTES.length; i++)
    if (bytes[from + PLAIN.path + i] !== BEFORE_BYTES[i]) return false
  for (let i = 0; i < KEY_CHARACTERS; i++) {
    const character = bytes[from + PLAIN.key + i]!
    if (!isKeyCharacter(character)) return false
    key.bytes[i] = character
  }
  return true
}

/** Whether `character` fits at `place` of the URL. A character of the key is stored. */
function fits(character: number, place: number, key: Key): boolean {
  if (place < BEFORE.length) return character === BEFORE.charCodeAt(place)
  if (place === BEHIND || !isKeyCharacter(character)) return false
  key.bytes[place - BEFORE.length] = character
  return true
}

/** The result for a URL that fits up to `place`; `ends`: its path ends there. */
function verdict(place: number, ends: boolean): UrlKey {
  if (place < BEFORE.length || (place === BEFORE.length && ends)) return 'none'
  return place === BEHIND && ends ? 'key' : 'malformed'
}
