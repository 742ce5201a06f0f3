import { expect, test } from 'bun:test'
import { Address } from '../../src/bittorrent.ts'
import { ConnectionIds } from '../../src/servers/connection-id.ts'
import { writeSource } from '../../src/wire/address.ts'
import { dice, seed } from '../support/random.ts'

const LIFETIME = 120
const NOW = 1_800_000_000
const secret = Uint8Array.from({ length: 16 }, (_, i) => i * 7)

function from(text: string): Address {
  const address = new Address()
  expect(writeSource(text, address)).toBe(true)
  return address
}
const ids = () => new ConnectionIds(secret, LIFETIME)

test.each([
  ['at once', 0, 'valid'],
  ['when its life ends', LIFETIME, 'valid'],
  ['a second later', LIFETIME + 1, 'expired'],
  ['after the clock was set back a second', -1, 'valid'],
  ['after the clock was set back two seconds', -2, 'early'],
] as const)('an id used %s', (_when, later, proof) => {
  const low = ids().issue(from('192.0.2.1'), NOW)
  expect(ids().check(from('192.0.2.1'), NOW, low, NOW + later)).toBe(proof)
})

test('an id is good for its IP address and for no other', () => {
  const low = ids().issue(from('192.0.2.1'), NOW)
  expect(ids().check(from('192.0.2.1'), NOW, low, NOW)).toBe('valid')
  expect(ids().check(from('192.0.2.2'), NOW, low, NOW)).toBe('forged')
  expect(ids().check(from('::ffff:192.0.2.1'), NOW, low, NOW)).toBe('valid')
  const six = ids().issue(from('2001:db8::1'), NOW)
  expect(ids().check(from('2001:db8::1'), NOW, six, NOW)).toBe('valid')
  expect(ids().check(from('2001:db8::2'), NOW, six, NOW)).toBe('forged')
})

test('an address that was longer before does not shine through', () => {
  const shared = ids()
  shared.issue(from('2001:db8:1:2:3:4:5:6'), NOW)
  expect(shared.issue(from('192.0.2.1'), NOW)).toBe(ids().issue(from('192.0.2.1'), NOW))
})

test('another secret makes other ids', () => {
  const other = new ConnectionIds(
    Uint8Array.from({ length: 16 }, () => 1),
    LIFETIME,
  )
  expect(other.check(from('192.0.2.1'), NOW, ids().issue(from('192.0.2.1'), NOW), NOW)).toBe(
    'forged',
  )
})

test(`no altered id passes, neither its second nor its tag (SEED=${seed})`, () => {
  const roll = dice()
  const low = ids().issue(from('192.0.2.1'), NOW)
  for (let bit = 0; bit < 64; bit++) {
    const high = bit < 32 ? (NOW ^ (1 << bit)) >>> 0 : NOW
    const changed = bit < 32 ? low : (low ^ (1 << (bit - 32))) >>> 0
    expect(ids().check(from('192.0.2.1'), high, changed, NOW)).toBe('forged')
  }
  for (let i = 0; i < 10_000; i++)
    expect(ids().check(from('192.0.2.1'), NOW, roll(2 ** 31), NOW)).not.toBe('expired')
})
