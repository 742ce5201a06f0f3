/** UDP connection ids: for whom and how long they are good, and the hash that they are made of. */
import { expect, test } from 'bun:test'
import { Address } from '../../src/bittorrent.ts'
import { ConnectionIds, SipHash } from '../../src/servers/connection-id.ts'
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

/** SipHash-2-4 with 64 bits, published by its authors: key and message count up from 0; by length of the message. */
const VECTORS = `
  310e0edd47db6f72 fd67dc93c539f874 5a4fa9d909806c0d 2d7efbd796666785 b7877127e09427cf 8da699cd64557618
  cee3fe586e46c9cb 37d1018bf50002ab 6224939a79f5f593 b0e4a90bdf82009e f3b9dd94c5bb5d7a a7ad6b22462fb3f4
  fbe50e86bc8f1e75 903d84c02756ea14 eef27a8e90ca23f7 e545be4961ca29a1 db9bc2577fcc2a3f 9447be2cf5e99a69
  9cd38d96f0b3c14b bd6179a71dc96dbb 98eea21af25cd6be c7673b2eb0cbf2d0 883ea3e395675393 c8ce5ccd8c030ca8
`

test.each(
  VECTORS.trim()
    .split(/\s+/)
    .map((vector, length) => [length, vector] as const),
)('the hash of %d bytes is the published one', (length, vector) => {
  const message = new Uint8Array(Math.ceil(length / 8) * 8 + 16)
  for (let i = 0; i < length; i++) message[i] = i
  const siphash = new SipHash(Uint8Array.from({ length: 16 }, (_, i) => i))
  const low = siphash.tag(new Int32Array(message.buffer), length)
  expect(Buffer.from(Int32Array.of(low, siphash.high).buffer).toString('hex')).toBe(vector)
})
