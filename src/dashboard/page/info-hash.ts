/** Info hashes from what people have at hand: digits, magnet links (BEP 9), .torrent files (BEP 3). */
import { endOfValue } from '../../wire/bencode.ts'
import { sha1 } from './sha1.ts'

const HEX = /^[0-9a-f]{40}$/i
const BASE32 = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'
const WANTED = '40 hexadecimal digits, 32 of base 32, or a magnet link'

export type Read = { readonly hash: string } | { readonly mistake: string }

/** 40 hexadecimal digits in lower case, or what is wrong. */
export function readInfoHash(text: string): Read {
  const word = text.trim()
  if (HEX.test(word)) return { hash: word.toLowerCase() }
  if (/^magnet:/i.test(word)) return readMagnet(word)
  const hash = fromBase32(word)
  if (hash !== undefined) return { hash }
  if (/^[0-9a-f]{30,}$/i.test(word)) return { mistake: `has ${word.length} digits instead of 40` }
  return { mistake: `is no info hash: expected ${WANTED}` }
}

function readMagnet(link: string): Read {
  for (const [name, topic] of URL.parse(link)?.searchParams ?? []) {
    if (!/^xt(\.\d+)?$/.test(name)) continue
    const [, kind, text = ''] = /^urn:(btih|btmh):([0-9a-z]+)$/i.exec(topic) ?? []
    // A multihash (SHA-256): trackers use the first 20 of its 32 bytes (BEP 52).
    if (/^btmh$/i.test(kind ?? '') && /^1220[0-9a-f]{64}$/i.test(text))
      return { hash: text.slice(4, 44).toLowerCase() }
    const hash = HEX.test(text) ? text.toLowerCase() : fromBase32(text)
    if (/^btih$/i.test(kind ?? '') && hash !== undefined) return { hash }
  }
  return { mistake: 'is a magnet link that names no torrent (xt=urn:btih:…)' }
}

function fromBase32(text: string): string | undefined {
  if (!/^[a-z2-7]{32}$/i.test(text)) return undefined
  const bits = Array.from(text.toUpperCase(), (character) =>
    BASE32.indexOf(character).toString(2).padStart(5, '0'),
  ).join('')
  return bits.replace(/.{4}/g, (four) => Number.parseInt(four, 2).toString(16))
}

/** Of the `info` dictionary, byte for byte as it stands in the file. */
export function readTorrentFile(bytes: Uint8Array): Read {
  const info = entryOf(bytes, 'info')
  if (info === undefined) return { mistake: 'is not a .torrent file' }
  if (entryOf(info, 'pieces') === undefined)
    return { mistake: 'is a torrent of version 2 alone; use its magnet link' }
  return { hash: sha1(info) }
}

const D = 0x64
const E = 0x65

/** The value of an entry of a bencoded dictionary; undefined: it has none, or is not a whole dictionary. */
function entryOf(bytes: Uint8Array, wanted: string): Uint8Array | undefined {
  if (bytes[0] !== D) return undefined
  let found: Uint8Array | undefined
  let at = 1
  while (bytes[at] !== E) {
    // A key is a string.
    const start = endOfValue(bytes, at)
    const end = start < 0 ? -1 : endOfValue(bytes, start)
    if (end < 0) return undefined
    const key = String.fromCharCode(...bytes.subarray(at, Math.min(start, at + 40)))
    if (key === `${wanted.length}:${wanted}`) found = bytes.subarray(start, end)
    at = end
  }
  return at + 1 === bytes.length ? found : undefined
}
