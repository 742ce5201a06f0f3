/**
 * SipHash-2-4 with a 64-bit tag (Aumasson and Bernstein, 2012; the reference's test vectors are in
 * the tests). On 32-bit halves, because 64-bit integers are slow here.
 */
export class SipHash {
  readonly #key: Int32Array
  /** High half of the tag that `tag` returned last. */
  high = 0

  /** `key`: 16 bytes. */
  constructor(key: Uint8Array) {
    const view = new DataView(key.buffer, key.byteOffset, 16)
    this.#key = Int32Array.from([0, 4, 8, 12], (at) => view.getInt32(at, true))
  }

  /**
   * Low half of the tag of the `length` bytes that stand little-endian in `words`. Bytes of the last
   * word beyond `length` must be zero, and `words` must reach two words past the last full block.
   */
  tag(words: Int32Array, length: number): number {
    const key = this.#key
    let a = key[0]! ^ 0x70736575
    let A = key[1]! ^ 0x736f6d65
    let b = key[2]! ^ 0x6e646f6d
    let B = key[3]! ^ 0x646f7261
    let c = key[0]! ^ 0x6e657261
    let C = key[1]! ^ 0x6c796765
    let d = key[2]! ^ 0x79746573
    let D = key[3]! ^ 0x74656462
    const blocks = (length >>> 3) + 1
    const injected = blocks * 2
    let low = 0
    let high = 0
    // Two rounds a block, then four to finish. Lower case is the low half of each state word.
    for (let round = 0; round < injected + 4; round++) {
      if (round < injected && (round & 1) === 0) {
        low = words[round]!
        high = words[round + 1]!
        if (round === injected - 2) high |= length << 24
        d ^= low
        D ^= high
      }
      let sum = (a + b) | 0
      A = (A + B + (((a & b) | ((a | b) & ~sum)) >>> 31)) | 0
      a = sum
      sum = (b << 13) | (B >>> 19)
      B = (B << 13) | (b >>> 19)
      b = sum ^ a
      B ^= A
      sum = a
      a = A
      A = sum

      sum = (c + d) | 0
      C = (C + D + (((c & d) | ((c | d) & ~sum)) >>> 31)) | 0
      c = sum
      sum = (d << 16) | (D >>> 16)
      D = (D << 16) | (d >>> 16)
      d = sum ^ c
      D ^= C

      sum = (a + d) | 0
      A = (A + D + (((a & d) | ((a | d) & ~sum)) >>> 31)) | 0
      a = sum
      sum = (d << 21) | (D >>> 11)
      D = (D << 21) | (d >>> 11)
      d = sum ^ a
      D ^= A

      sum = (c + b) | 0
      C = (C + B + (((c & b) | ((c | b) & ~sum)) >>> 31)) | 0
      c = sum
      sum = (b << 17) | (B >>> 15)
      B = (B << 17) | (b >>> 15)
      b = sum ^ c
      B ^= C
      sum = c
      c = C
      C = sum

      if (round < injected && (round & 1) === 1) {
        a ^= low
        A ^= high
        if (round === injected - 1) c ^= 0xff
      }
    }
    this.high = A ^ B ^ C ^ D
    return a ^ b ^ c ^ d
  }
}
