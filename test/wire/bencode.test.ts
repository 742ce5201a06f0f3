import { expect, test } from 'bun:test'
import { LIMITS } from '../../src/limits.ts'
import {
  BencodeError,
  type BencodeValue,
  BencodeWriter,
  decodeBencode,
} from '../../src/wire/bencode.ts'
import { type Naive, naiveEncode } from '../support/naive/bencode.ts'
import { dice, seed } from '../support/random.ts'

const latin1 = (text: string) => Buffer.from(text, 'latin1')
const decode = (text: string) => decodeBencode(latin1(text))

/** A decoded value with byte strings as text, to compare with what was encoded. */
function plain(value: BencodeValue): Naive {
  if (typeof value === 'number') return value
  if (value instanceof Uint8Array) return Buffer.from(value).toString('latin1')
  if (Array.isArray(value)) return value.map(plain)
  return Object.fromEntries([...value].map(([key, inner]) => [key, plain(inner)]))
}

test.each([
  ['i0e', 0],
  ['i-7e', -7],
  ['i9007199254740991e', Number.MAX_SAFE_INTEGER],
  ['0:', ''],
  ['4:sp\xffm', 'sp\xffm'],
  ['le', []],
  ['li1e1:ae', [1, 'a']],
  ['de', {}],
  ['d1:ai1e1:bl0:ee', { a: 1, b: [''] }],
])('%s is read', (text, value) => {
  expect(plain(decode(text))).toEqual(value)
})

test.each([
  ['', 'unexpected end'],
  ['i', 'unexpected end'],
  ['ie', 'no digits'],
  ['i-e', 'no digits'],
  ['i-0e', 'negative zero'],
  ['i01e', 'leading zero'],
  ['i1.5e', 'not a digit'],
  ['i+1e', 'not a digit'],
  ['i9007199254740992e', 'number too large'],
  ['-1:a', 'not a digit'],
  ['1', 'unexpected end'],
  ['5:abc', 'longer than the input'],
  ['01:a', 'leading zero'],
  ['99999999999999999999:a', 'number too large'],
  ['l', 'unexpected end'],
  ['d', 'unexpected end'],
  ['d1:a', 'unexpected end'],
  ['d1:ae', 'not a digit'],
  ['di1ei2ee', 'not a digit'],
  ['d1:bi1e1:ai2ee', 'out of order'],
  ['d1:ai1e1:ai2ee', 'out of order'],
  ['i1ei2e', 'bytes behind the value'],
  ['x', 'not a digit'],
])('%p is refused: %s', (text, why) => {
  expect(() => decode(text)).toThrow(BencodeError)
  expect(() => decode(text)).toThrow(why)
})

const nested = (depth: number) => 'l'.repeat(depth) + 'e'.repeat(depth)

test('lists may nest up to the limit and no deeper', () => {
  expect(() => decode(nested(LIMITS.bencodeDepth))).not.toThrow()
  expect(() => decode(nested(LIMITS.bencodeDepth + 1))).toThrow('nested too deep')
})

test('a megabyte of opening brackets is one error and does not overflow the stack', () => {
  expect(() => decode('l'.repeat(2 ** 20))).toThrow('nested too deep')
  expect(() => decode('d1:a'.repeat(2 ** 18))).toThrow('nested too deep')
})

/** A random value of at most `depth` levels, printed by the slow truth. */
function sample(roll: (sides: number) => number, depth: number): Naive {
  switch (roll(depth > 0 ? 4 : 2)) {
    case 0:
      return [0, roll(10), roll(2 ** 31), -1 - roll(1000), roll(2 ** 31) * 4_000_000][roll(5)]!
    case 1:
      return Array.from({ length: roll(2) * roll(80) }, () => String.fromCharCode(roll(256))).join(
        '',
      )
    case 2:
      return Array.from({ length: roll(5) }, () => sample(roll, depth - 1))
    default:
      return Object.fromEntries(
        Array.from({ length: roll(5) }, () => [
          `k${String.fromCharCode(roll(256))}${roll(3)}`,
          sample(roll, depth - 1),
        ]),
      )
  }
}

test(`what the slow truth writes is read back (SEED=${seed})`, () => {
  const roll = dice()
  for (let i = 0; i < 3_000; i++) {
    const value = sample(roll, 4)
    expect(plain(decode(naiveEncode(value)))).toEqual(value)
  }
})

test(`no damage makes the reader throw anything but its own error (SEED=${seed})`, () => {
  const roll = dice()
  let refused = 0
  for (let i = 0; i < 20_000; i++) {
    const bytes = latin1(naiveEncode(sample(roll, 3)))
    const cut = bytes.subarray(0, roll(bytes.length + 1))
    const damaged = Uint8Array.from(roll(2) ? cut : bytes)
    if (damaged.length > 0) damaged[roll(damaged.length)] = [roll(256), 0x65, 0x39, 0x6c][roll(4)]!
    try {
      decodeBencode(damaged)
    } catch (error) {
      expect(error).toBeInstanceOf(BencodeError)
      refused++
    }
  }
  expect(refused).toBeWithin(2_000, 19_999)
})

test(`the writer agrees with the slow truth, however its memory must grow (SEED=${seed})`, () => {
  const roll = dice()
  for (let i = 0; i < 2_000; i++) {
    const out = new BencodeWriter(1 + roll(64)).begin()
    let expected = ''
    for (let piece = 0; piece < 20; piece++) {
      const number = [0, 9, 10, roll(2 ** 31), 2 ** 32, Number.MAX_SAFE_INTEGER][roll(6)]!
      const text = naiveString(roll)
      switch (roll(3)) {
        case 0:
          out.integer(number)
          expected += naiveEncode(number)
          break
        case 1:
          out.string(latin1(`<${text}>`), 1, text.length + 1)
          expected += naiveEncode(text)
          break
        default:
          out.raw('1:a')
          expected += '1:a'
      }
    }
    expect(Buffer.from(out.bytes()).toString('latin1')).toBe(expected)
  }
})

const naiveString = (roll: (sides: number) => number): string =>
  Array.from({ length: roll(roll(4) === 0 ? 2_000 : 70) }, () =>
    String.fromCharCode(roll(256)),
  ).join('')

test('memory is reused, and a shorter answer shows nothing of a longer one', () => {
  const out = new BencodeWriter()
  const first = out.begin().raw('0123456789').bytes()
  const second = out.begin().raw('ab').bytes()
  expect(Buffer.from(second).toString()).toBe('ab')
  expect(second.buffer).toBe(first.buffer)
  expect(out.begin().raw('0123456789').bytes()).toBe(first)
})

test('an answer is not the one of equal length from before the memory grew', () => {
  const out = new BencodeWriter(8)
  out.begin().raw('before').bytes()
  out.begin().raw('x'.repeat(100)).bytes()
  expect(Buffer.from(out.begin().raw('behind').bytes()).toString()).toBe('behind')
})

test('text of strangers keeps the length that is written before it', () => {
  const bytes = new BencodeWriter().begin().text('a\u{1f600}\n\xe9:5e\x7f').bytes()
  expect(plain(decodeBencode(bytes))).toBe('a????:5e?')
})
