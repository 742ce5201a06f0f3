/**
 * Reads an info hash from what people have at hand: hexadecimal or base32 digits, a magnet link or a .torrent file
 * (BEP 3, 9, 52). The contents of files and links are not trusted.
 */
import { createHash } from 'node:crypto'
import { INFO_HASH_BYTES, parseInfoHash } from '../bittorrent.ts'
import { shortWord } from '../text/printable.ts'
import { errorCode, systemReason } from '../text/system-errors.ts'
import { bencodeSpans } from '../wire/bencode.ts'

const EXAMPLE = '9c38422213e30bff212b30c360d26f9a02136422'

/** The 20 bytes, or text that says what is wrong. `readFile` throws like `readFileSync`. */
export function readInfoHash(
  word: string,
  readFile: (path: string) => Uint8Array,
): Uint8Array | string {
  if (word === '') return 'expected an info hash, found nothing'
  const hash = parseInfoHash(word)
  if (hash) return hash
  if (/^magnet:/i.test(word)) return readMagnet(word)
  // Unlikely to be the name of a file.
  if (/^[0-9a-f]{30,}$/i.test(word))
    return `info hash ${shortWord(word)} has ${word.length} digits instead of 40`
  const fromOldLink = word.length === BASE32_CHARACTERS ? fromBase32(word) : undefined
  if (fromOldLink) return fromOldLink
  let bytes: Uint8Array
  try {
    bytes = readFile(word)
  } catch (error) {
    if (errorCode(error) === 'ENOENT')
      return `${shortWord(word)} is neither an info hash (40 hexadecimal digits, such as ${EXAMPLE}) nor a magnet link, and no file has that name`
    return `${shortWord(word)}: ${systemReason(error)}`
  }
  return readTorrent(bytes) ?? `${shortWord(word)} is not a .torrent file`
}

/** The first topic of a magnet link that is a hash (BEP 9). */
function readMagnet(link: string): Uint8Array | string {
  let url: URL
  try {
    url = new URL(link)
  } catch {
    return `${shortWord(link)} is not a magnet link`
  }
  // `xt.1`, `xt.2` number several topics.
  for (const [name, topic] of url.searchParams)
    if (/^xt(\.\d+)?$/.test(name)) {
      const hash = readTopic(topic)
      if (hash) return hash
    }
  return `${shortWord(link)} names no torrent (xt=urn:btih:…)`
}

function readTopic(topic: string): Uint8Array | undefined {
  const [, kind, text] = /^urn:(btih|btmh):([0-9a-z]+)$/i.exec(topic) ?? []
  if (!kind || !text) return undefined
  if (kind.toLowerCase() === 'btih')
    return parseInfoHash(text) ?? (text.length === BASE32_CHARACTERS ? fromBase32(text) : undefined)
  // A multihash: sha2-256 (0x12), 32 bytes; trackers use the first 20 (BEP 52).
  return /^1220[0-9a-f]{64}$/i.test(text)
    ? Buffer.from(text.slice(4, 4 + INFO_HASH_BYTES * 2), 'hex')
    : undefined
}

/** Of an info hash in an older magnet link. */
const BASE32_CHARACTERS = 32
const BASE32 = 'abcdefghijklmnopqrstuvwxyz234567'

/** The 20 bytes that 32 characters stand for (RFC 4648); undefined: other characters. */
function fromBase32(text: string): Uint8Array | undefined {
  const values = Array.from(text.toLowerCase(), (character) => BASE32.indexOf(character))
  if (values.includes(-1)) return undefined
  const bits = values.map((value) => value.toString(2).padStart(5, '0')).join('')
  return Uint8Array.from(bits.match(/.{8}/g)!, (byte) => Number.parseInt(byte, 2))
}

/** The hash of the `info` dictionary, byte for byte as it stands in the file; undefined: not a torrent. */
function readTorrent(bytes: Uint8Array): Uint8Array | undefined {
  const info = bencodeSpans(bytes)?.get('info')
  const parts = info && bencodeSpans(info)
  if (!parts) return undefined
  // A torrent without version 1 pieces is known by its truncated SHA-256 (BEP 52).
  const algorithm = parts.has('pieces') ? 'sha1' : parts.has('meta version') ? 'sha256' : undefined
  return algorithm && createHash(algorithm).update(info).digest().subarray(0, INFO_HASH_BYTES)
}
