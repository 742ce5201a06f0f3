/**
 * An info hash from what people have at hand: hexadecimal digits, a magnet link or a .torrent file (BEP 3,
 * 9, 52). Reads files through a function; everything in them is a stranger's.
 */
import { createHash } from 'node:crypto'
import { INFO_HASH_BYTES } from '../bittorrent.ts'
import { fileReason } from '../text/system-errors.ts'
import { bencodeSpans } from '../wire/bencode.ts'

const EXAMPLE = '9c38422213e30bff212b30c360d26f9a02136422'

/** Bytes of the hash, or text that says what is wrong. `readFile` throws like `readFileSync`. */
export function readInfoHash(
  word: string,
  readFile: (path: string) => Uint8Array,
): Uint8Array | string {
  if (word === '') return 'expected an info hash, found nothing'
  if (/^[0-9a-f]{40}$/i.test(word)) return Buffer.from(word, 'hex')
  if (/^magnet:/i.test(word)) return readMagnet(word)
  // Nobody calls a file so.
  if (/^[0-9a-f]{30,}$/i.test(word))
    return `info hash ${shorten(word)} has ${word.length} digits instead of 40`
  let bytes: Uint8Array
  try {
    bytes = readFile(word)
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : ''
    if (code === 'ENOENT')
      return `${shorten(word)} is no info hash (40 hexadecimal digits, such as ${EXAMPLE}), no magnet link, and no file of that name exists`
    return `${shorten(word)}: ${code === '' && error instanceof Error ? error.message : fileReason(error)}`
  }
  return readTorrent(bytes) ?? `${shorten(word)} is not a .torrent file`
}

/** The first topic of a magnet link that is a hash (BEP 9). */
function readMagnet(link: string): Uint8Array | string {
  let url: URL
  try {
    url = new URL(link)
  } catch {
    return `${shorten(link)} is not a magnet link`
  }
  // `xt.1`, `xt.2` number several topics.
  for (const [name, topic] of url.searchParams)
    if (/^xt(\.\d+)?$/.test(name)) {
      const hash = readTopic(topic)
      if (hash) return hash
    }
  return `${shorten(link)} names no torrent (xt=urn:btih:…)`
}

function readTopic(topic: string): Uint8Array | undefined {
  const [, kind, text] = /^urn:(btih|btmh):([0-9a-z]+)$/i.exec(topic) ?? []
  if (!kind || !text) return undefined
  if (kind.toLowerCase() === 'btih') {
    if (/^[0-9a-f]{40}$/i.test(text)) return Buffer.from(text, 'hex')
    return text.length === 32 ? fromBase32(text) : undefined
  }
  // A multihash: sha2-256 (0x12) of 32 bytes; trackers know its first 20 (BEP 52).
  return /^1220[0-9a-f]{64}$/i.test(text)
    ? Buffer.from(text.slice(4, 4 + INFO_HASH_BYTES * 2), 'hex')
    : undefined
}

const BASE32 = 'abcdefghijklmnopqrstuvwxyz234567'

/** 20 bytes of 32 characters (RFC 4648). */
function fromBase32(text: string): Uint8Array | undefined {
  const bytes = new Uint8Array(INFO_HASH_BYTES)
  let held = 0
  let bits = 0
  let at = 0
  for (const character of text.toLowerCase()) {
    const value = BASE32.indexOf(character)
    if (value < 0) return undefined
    held = ((held << 5) | value) & 0xfff
    bits += 5
    if (bits < 8) continue
    bits -= 8
    bytes[at++] = held >> bits
  }
  return bytes
}

/** Hash of the `info` dictionary, byte for byte as it stands in the file. */
function readTorrent(bytes: Uint8Array): Uint8Array | undefined {
  const info = bencodeSpans(bytes)?.get('info')
  const parts = info && bencodeSpans(info)
  if (!parts) return undefined
  // One that has no pieces of version 1 is known by its SHA-256, cut (BEP 52).
  const algorithm = parts.has('pieces') ? 'sha1' : parts.has('meta version') ? 'sha256' : undefined
  return algorithm && createHash(algorithm).update(info).digest().subarray(0, INFO_HASH_BYTES)
}

const shorten = (word: string): string => {
  const line = word.replace(/\p{C}/gu, '?')
  return line.length > 80 ? `${line.slice(0, 80)}…` : line
}
