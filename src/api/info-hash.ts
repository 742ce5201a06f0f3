/** Info hashes in requests of the management API: 40 hex digits of either case (spec/torrust-rest-api §5.1). */
import { INFO_HASH_BYTES } from '../bittorrent.ts'

/** The 20 bytes, in memory of their own; undefined: it is none. */
export const readInfoHash = (text: string): Uint8Array | undefined =>
  /^[0-9a-f]{40}$/i.test(text) ? Uint8Array.fromHex(text) : undefined

/** The same as five words in memory order. */
export const wordsOf = (bytes: Uint8Array): Int32Array =>
  new Int32Array(bytes.buffer, bytes.byteOffset, INFO_HASH_BYTES / 4)

export function* hexOf(packed: Uint8Array): Generator<string> {
  const bytes = Buffer.from(packed.buffer, packed.byteOffset, packed.length)
  for (let at = 0; at < bytes.length; at += INFO_HASH_BYTES)
    yield bytes.toString('hex', at, at + INFO_HASH_BYTES)
}

export function pack(hashes: readonly Uint8Array[]): Uint8Array {
  const packed = new Uint8Array(hashes.length * INFO_HASH_BYTES)
  hashes.forEach((hash, i) => void packed.set(hash, i * INFO_HASH_BYTES))
  return packed
}
