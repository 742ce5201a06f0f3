import { expect, test } from 'bun:test'
import { Address, Announce, isLoopback } from '../../src/bittorrent.ts'
import {
  isUnspecified,
  parseIp,
  printIp,
  writeIPv4,
  writeIPv6,
  writeSource,
} from '../../src/wire/address.ts'
import { naiveAddress, naiveIPv4, naiveIPv6, naivePrint } from '../support/naive/address.ts'
import { dice, seed } from '../support/random.ts'

const read = (text: string): number[] | undefined => {
  const bytes = parseIp(text)
  return bytes && [...bytes]
}

test.each([
  ['127.0.0.1', '127.0.0.1'],
  ['0.0.0.0', '0.0.0.0'],
  ['255.255.255.255', '255.255.255.255'],
  ['::', '::'],
  ['::1', '::1'],
  ['2001:DB8::0001', '2001:db8::1'],
  ['2001:db8:0:0:1:0:0:1', '2001:db8::1:0:0:1'],
  ['2001:0:0:1:0:0:0:1', '2001:0:0:1::1'],
  ['1:0:3:4:5:6:7:8', '1:0:3:4:5:6:7:8'],
  ['1:2:3:4:5:6:7::', '1:2:3:4:5:6:7:0'],
  ['::2:3:4:5:6:7:8', '0:2:3:4:5:6:7:8'],
  ['fe80::', 'fe80::'],
  ['64:ff9b::203.0.113.7', '64:ff9b::cb00:7107'],
  ['::ffff:203.0.113.7', '203.0.113.7'],
  ['::FFFF:cb00:7107', '203.0.113.7'],
  ['0:0:0:0:0:ffff:1.2.3.4', '1.2.3.4'],
  ['::1.2.3.4', '::102:304'],
])('%s is the address %s', (text, canonical) => {
  const bytes = parseIp(text)!
  expect(printIp(bytes, bytes.length === 4 ? 4 : 6)).toBe(canonical)
})

test.each([
  '',
  '1.2.3',
  '1.2.3.4.5',
  '1.2.3.',
  '.1.2.3',
  '1..2.3',
  '01.2.3.4',
  '1.2.3.00',
  '256.1.1.1',
  '1.2.3.4:80',
  ' 1.2.3.4',
  '1.2.3.4 ',
  '1.2.3.-4',
  '0x1.2.3.4',
  '1',
  ':',
  ':::',
  '1:::2',
  '1::2::3',
  '::1:2:3:4:5:6:7:8',
  '1:2:3:4:5:6:7:8::',
  '1:2:3:4:5:6:7',
  '1:2:3:4:5:6:7:8:9',
  '1:2:3:4:5:6:7:1.2.3.4',
  '1.2.3.4::',
  '::1.2.3.4:5',
  '::01.2.3.4',
  '1:',
  ':1',
  '::12345',
  '::g',
  '[::1]',
  '[::1]:80',
  '::1%lo',
  'fe80::1%eth0',
  'unknown',
  'localhost',
  '１.2.3.4',
])('%p is not an address', (text) => {
  expect(parseIp(text)).toBeUndefined()
})

test('an address with a scope is a source address but not a literal', () => {
  const source = new Address()
  expect(writeSource('fe80::1%eth0', source)).toBe(true)
  expect(source.family).toBe(6)
  expect(printIp(source.bytes, 6)).toBe('fe80::1')
})

test.each([
  ['127.0.0.1', 4, [127, 0, 0, 1, 0x1a, 0xe1]],
  ['::ffff:10.1.2.3', 4, [10, 1, 2, 3, 0x1a, 0xe1]],
  ['2001:db8::7', 6, [0x20, 1, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 7, 0x1a, 0xe1]],
] as const)('the endpoint of %s port 6881 is its compact form', (text, family, bytes) => {
  const source = new Address()
  const request = new Announce()
  request.endpoint.fill(0xee)
  expect(writeSource(text, source)).toBe(true)
  request.place(source)
  request.port = 6881
  expect(request.family).toBe(family)
  expect([...request.endpoint.subarray(0, bytes.length)]).toEqual([...bytes])
  expect(request.port).toBe(6881)
})

test.each(['', 'unknown', '%', '1.2.3.4%', '%eth0'])('%p is no source address', (text) => {
  const scoped = text === '1.2.3.4%'
  expect(writeSource(text, new Address())).toBe(scoped)
})

test('loopback is 127/8 and ::1, unspecified is all zeros', () => {
  const is = (text: string) => {
    const bytes = parseIp(text)!
    const family = bytes.length === 4 ? 4 : 6
    return [isLoopback(bytes, family), isUnspecified(bytes, family)]
  }
  expect(is('127.0.0.1')).toEqual([true, false])
  expect(is('127.255.3.4')).toEqual([true, false])
  expect(is('::ffff:127.0.0.1')).toEqual([true, false])
  expect(is('128.0.0.1')).toEqual([false, false])
  expect(is('::1')).toEqual([true, false])
  expect(is('::2')).toEqual([false, false])
  expect(is('1::1')).toEqual([false, false])
  expect(is('0.0.0.0')).toEqual([false, true])
  expect(is('::')).toEqual([false, true])
  expect(is('0.0.0.1')).toEqual([false, false])
})

/** Texts near an address: valid ones, and ones with a character too many, too few or wrong. */
function near(roll: (sides: number) => number): string {
  const octet = () => [roll(3), roll(256), 250 + roll(10)][roll(3)]!
  const quad = () => Array.from({ length: 4 }, octet).join('.')
  const group = () => [0, roll(16), roll(65536), roll(65536)][roll(4)]!.toString(16)
  const groups = (n: number) => Array.from({ length: n }, group).join(':')
  const text = [
    quad,
    () => groups(8),
    () => `${groups(roll(8))}::${groups(roll(8))}`,
    () => `${groups(roll(7))}::${quad()}`,
    () => `::ffff:${quad()}`,
    () => `${groups(6)}:${quad()}`,
  ][roll(6)]!()
  const at = roll(text.length)
  const junk = ['0', '7', 'f', 'G', ':', '::', '.', '.9.8', '-', ' ', '%'][roll(11)]!
  const before = text.slice(0, at)
  return [text, before + junk + text.slice(at), before + text.slice(at + 1)][roll(3)]!
}

test(`the fast readers agree with the slow truth (SEED=${seed})`, () => {
  const roll = dice()
  const accepted = { 4: 0, 6: 0, none: 0 }
  for (let i = 0; i < 30_000; i++) {
    const text = near(roll)
    expect([text, read(text)]).toEqual([text, naiveAddress(text)])

    const bytes = new Uint8Array(18).fill(0xee)
    const v4 = writeIPv4(text, 0, text.length, bytes, 1) ? [...bytes.subarray(1, 5)] : undefined
    expect([text, v4]).toEqual([text, naiveIPv4(text)])
    expect([text, bytes[0], bytes[5]]).toEqual([text, 0xee, 0xee]) // stayed inside its four bytes

    bytes.fill(0xee)
    const padded = `:1${text}:1` // the reader must respect both ends of the range
    const v6 = writeIPv6(padded, 2, padded.length - 2, bytes, 1)
    expect([text, v6 ? [...bytes.subarray(1, 17)] : undefined]).toEqual([text, naiveIPv6(text)])
    expect([text, bytes[0], bytes[17]]).toEqual([text, 0xee, 0xee])
    accepted[v4 ? 4 : v6 ? 6 : 'none']++
  }
  for (const count of Object.values(accepted)) expect(count).toBeGreaterThan(1_000)
})

test(`printing is canonical and reads back (SEED=${seed})`, () => {
  const roll = dice()
  for (let i = 0; i < 10_000; i++) {
    const family = roll(4) === 0 ? 4 : 6
    const bytes = Array.from({ length: family === 4 ? 4 : 16 }, () => roll(256))
    if (family === 6) for (let n = 0; n < 8; n++) if (roll(2)) bytes.fill(0, n * 2, n * 2 + 2)
    const text = printIp(Uint8Array.from([9, 9, ...bytes, 9]), family, 2)
    expect(text).toBe(naivePrint(bytes))
    expect(read(text)).toEqual(bytes)
  }
})

test('a mapped address prints with its dotted quad', () => {
  const mapped = Uint8Array.from([...Array(10).fill(0), 0xff, 0xff, 1, 2, 3, 4])
  expect(printIp(mapped, 6)).toBe('::ffff:1.2.3.4')
})
