/** The test vectors of the reference implementation (SipHash-2-4, 64 bits): key and input count up from 0. */
import { expect, test } from 'bun:test'
import { SipHash } from '../../src/servers/connection-id.ts'
import { dice, seed } from '../support/random.ts'

const VECTORS = [
  '310e0edd47db6f72',
  'fd67dc93c539f874',
  '5a4fa9d909806c0d',
  '2d7efbd796666785',
  'b7877127e09427cf',
  '8da699cd64557618',
  'cee3fe586e46c9cb',
  '37d1018bf50002ab',
  '6224939a79f5f593',
  'b0e4a90bdf82009e',
  'f3b9dd94c5bb5d7a',
  'a7ad6b22462fb3f4',
  'fbe50e86bc8f1e75',
  '903d84c02756ea14',
  'eef27a8e90ca23f7',
  'e545be4961ca29a1',
]

function tag(siphash: SipHash, message: Uint8Array): string {
  const padded = new Uint8Array(Math.ceil(message.length / 8) * 8 + 16)
  padded.set(message)
  const out = new DataView(new ArrayBuffer(8))
  out.setUint32(0, siphash.tag(new Int32Array(padded.buffer), message.length), true)
  out.setUint32(4, siphash.high, true)
  return Buffer.from(out.buffer).toString('hex')
}

const key = Uint8Array.from({ length: 16 }, (_, i) => i)

test.each(VECTORS.map((vector, length) => [length, vector] as const))(
  'the published vector of %p bytes',
  (length, vector) => {
    const message = Uint8Array.from({ length }, (_, i) => i)
    expect(tag(new SipHash(key), message)).toBe(vector)
  },
)

/** A plain implementation on BigInt, as the paper writes it. */
function naive(key: Uint8Array, message: Uint8Array): string {
  const mask = (1n << 64n) - 1n
  const word = (bytes: Uint8Array, at: number) =>
    Array.from(bytes.subarray(at, at + 8)).reduceRight(
      (sum, byte) => (sum << 8n) | BigInt(byte),
      0n,
    )
  const rotate = (x: bigint, by: bigint) => ((x << by) | (x >> (64n - by))) & mask
  const [k0, k1] = [word(key, 0), word(key, 8)]
  let v0 = k0 ^ 0x736f6d6570736575n
  let v1 = k1 ^ 0x646f72616e646f6dn
  let v2 = k0 ^ 0x6c7967656e657261n
  let v3 = k1 ^ 0x7465646279746573n
  const rounds = (n: number) => {
    for (let i = 0; i < n; i++) {
      v0 = (v0 + v1) & mask
      v1 = rotate(v1, 13n) ^ v0
      v0 = rotate(v0, 32n)
      v2 = (v2 + v3) & mask
      v3 = rotate(v3, 16n) ^ v2
      v0 = (v0 + v3) & mask
      v3 = rotate(v3, 21n) ^ v0
      v2 = (v2 + v1) & mask
      v1 = rotate(v1, 17n) ^ v2
      v2 = rotate(v2, 32n)
    }
  }
  const padded = new Uint8Array(Math.floor(message.length / 8) * 8 + 8)
  padded.set(message)
  padded[padded.length - 1] = message.length
  for (let at = 0; at < padded.length; at += 8) {
    const m = word(padded, at)
    v3 ^= m
    rounds(2)
    v0 ^= m
  }
  v2 ^= 0xffn
  rounds(4)
  const out = new DataView(new ArrayBuffer(8))
  out.setBigUint64(0, v0 ^ v1 ^ v2 ^ v3, true)
  return Buffer.from(out.buffer).toString('hex')
}

test(`random keys and messages agree with the slow truth (SEED=${seed})`, () => {
  const roll = dice()
  for (let i = 0; i < 500; i++) {
    const key = Uint8Array.from({ length: 16 }, () => roll(256))
    const message = Uint8Array.from({ length: roll(40) }, () => roll(256))
    expect(tag(new SipHash(key), message)).toBe(naive(key, message))
  }
})
