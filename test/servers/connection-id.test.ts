/** UDP connection ids: for whom and how long they are good, and the MAC that they are made of. */
import { expect, test } from 'bun:test'
import { Address } from '../../src/bittorrent.ts'
import { Chaskey } from '../../src/memory/mac.ts'
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

/** Chaskey-12 with 64 bits, published by its author; messages count up from 0; by length of the message. */
const VECTORS = `
  dd3e1849d6824555 ed1da89ec93179ca 98fe20a343cd666f f6f418acdd7d9fa1 4cf04960099949f3 75c83252653d3b57
  964b0461fbe92273 141fa08bbf399636 412d98ed936d4ab2 fb0d98bc70e305f9 36f88e1fda86c8ab 4d1a1815868a5aa8
  7a7912c1999eae81 9ca11137b4a34601 7905142f3be77e67 6a3ee3d35c043397 d13970d7be9b2350 32acd914bfda3bc8
  8a58d816cb7a1483 03f4d66638efad8d f9932237ff05e831 f5fedb134862b471 8bb55486f38d57ea 8a3acb94b5ad591c
  7ce3708723f7495f f42f3d2f405710c2 b3933a167e5636ac 899a7945423a5e1b 65e12df5a695fac8 b82449d8c8a06ae9
  a850dfbadefa4229 fd42c39d08ab71a0 b465c2412610bf84 89c4a9ddb53e6991
`

test.each(
  VECTORS.trim()
    .split(/\s+/)
    .map((vector, length) => [length, vector] as const),
)('the tag of %d bytes is the published one', (length, vector) => {
  const isWhole = length > 0 && length % 16 === 0
  const blocks = isWhole ? length / 16 : Math.floor(length / 16) + 1
  const message = new Uint8Array(blocks * 16)
  for (let i = 0; i < length; i++) message[i] = i
  if (!isWhole) message[length] = 1
  const mac = new Chaskey(Uint8Array.from({ length: 16 }, (_, i) => i * 0x11))
  const first = mac.tag(new Int32Array(message.buffer), blocks, !isWhole)
  expect(Buffer.from(Int32Array.of(first, mac.second).buffer).toString('hex')).toBe(vector)
})
