/**
 * SHA-1 (FIPS 180-4), which names torrents (BEP 3). The browser's own is missing where the page came over plain HTTP from
 * another machine, and it cannot be asked without waiting.
 */
const STARTS = [0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476, 0xc3d2e1f0] as const
const rotate = (word: number, by: number): number => (word << by) | (word >>> (32 - by))

/** The 20 bytes as hex digits. */
export function sha1(bytes: Uint8Array): string {
  const blocks = Math.ceil((bytes.length + 9) / 64)
  const padded = new Uint8Array(blocks * 64)
  padded.set(bytes)
  padded[bytes.length] = 0x80
  const view = new DataView(padded.buffer)
  view.setBigUint64(padded.length - 8, BigInt(bytes.length) * 8n)
  const state = Int32Array.from(STARTS)
  const words = new Int32Array(80)
  for (let block = 0; block < blocks; block++) {
    for (let i = 0; i < 80; i++)
      words[i] =
        i < 16
          ? view.getInt32(block * 64 + i * 4)
          : rotate(words[i - 3]! ^ words[i - 8]! ^ words[i - 14]! ^ words[i - 16]!, 1)
    let [a = 0, b = 0, c = 0, d = 0, e = 0] = state
    for (let i = 0; i < 80; i++) {
      const [mixed, constant] =
        i < 20
          ? [(b & c) | (~b & d), 0x5a827999]
          : i < 40
            ? [b ^ c ^ d, 0x6ed9eba1]
            : i < 60
              ? [(b & c) | (b & d) | (c & d), 0x8f1bbcdc]
              : [b ^ c ^ d, 0xca62c1d6]
      const next = (rotate(a, 5) + mixed + e + constant + words[i]!) | 0
      e = d
      d = c
      c = rotate(b, 30)
      b = a
      a = next
    }
    for (const [i, word] of [a, b, c, d, e].entries()) state[i] = (state[i]! + word) | 0
  }
  return Array.from(state, (word) => (word >>> 0).toString(16).padStart(8, '0')).join('')
}
