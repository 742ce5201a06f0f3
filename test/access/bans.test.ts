import { describe, expect, test } from 'bun:test'
import { Bans } from '../../src/access/bans.ts'
import { Address } from '../../src/bittorrent.ts'
import { LIMITS } from '../../src/limits.ts'
import { drawSeed } from '../../src/memory/hash.ts'
import { writeSource } from '../../src/wire/address.ts'

function from(text: string): Address {
  const address = new Address()
  expect(writeSource(text, address)).toBe(true)
  return address
}
const above = (banLimit: number) => ({ banLimit })
const times = (count: number, deed: () => void) => {
  for (let i = 0; i < count; i++) deed()
}

test('an address is banned above the limit, not at it', () => {
  const bans = new Bans(above(10), Int32Array.of(1))
  times(10, () => bans.add(from('192.0.2.1')))
  expect(bans.has(from('192.0.2.1'))).toBe(false)
  bans.add(from('192.0.2.1'))
  expect(bans.has(from('192.0.2.1'))).toBe(true)
  expect(bans.has(from('192.0.2.2'))).toBe(false)
  expect(bans.size).toBe(1)
})

test('the limit is that of the rules now', () => {
  const rules = { banLimit: 2 }
  const bans = new Bans(rules, Int32Array.of(1))
  times(2, () => bans.add(from('192.0.2.1')))
  expect(bans.has(from('192.0.2.1'))).toBe(false)
  rules.banLimit = 1
  expect(bans.has(from('192.0.2.1'))).toBe(true)
  rules.banLimit = 2
  expect(bans.has(from('192.0.2.1'))).toBe(false)
})

test('all threads see one count', () => {
  const first = new Bans(above(1), Int32Array.of(7))
  const second = new Bans(above(1), Int32Array.of(7), first.memory)
  first.add(from('192.0.2.1'))
  second.add(from('192.0.2.1'))
  expect([first.has(from('192.0.2.1')), second.has(from('192.0.2.1'))]).toEqual([true, true])
})

test('a whole IPv6 /64 is one sender, an IPv4 address with the same bits is another', () => {
  const bans = new Bans(above(0), Int32Array.of(1))
  bans.add(from('2001:db8:1:2::1'))
  expect(bans.has(from('2001:db8:1:2:ffff::9'))).toBe(true)
  expect(bans.has(from('2001:db8:1:3::1'))).toBe(false)
  bans.add(from('::'))
  expect(bans.has(from('0.0.0.0'))).toBe(false)
})

test('a reset forgives every address', () => {
  const bans = new Bans(above(0), Int32Array.of(1))
  bans.add(from('192.0.2.1'))
  bans.reset()
  expect([bans.has(from('192.0.2.1')), bans.size]).toEqual([false, 0])
})

test('a flood of addresses grows nothing and does not free the guilty', () => {
  const bans = new Bans(above(10), Int32Array.of(99))
  times(11, () => bans.add(from('192.0.2.1')))
  const { byteLength } = bans.memory
  for (let i = 0; i < LIMITS.banTable * 3; i++)
    bans.add(from(`10.${(i >> 16) & 255}.${(i >> 8) & 255}.${i & 255}`))
  expect(bans.memory.byteLength).toBe(byteLength)
  expect(bans.size).toBeLessThanOrEqual(LIMITS.banTable)
  expect(bans.has(from('192.0.2.1'))).toBe(true)
})

describe('addresses that an attacker chooses lie apart', () => {
  /** How many addresses a table remembers of `count`: eight of one bucket, of the others only some. */
  function remembered(count: number, choose: (address: Address, n: number) => void): number {
    const bans = new Bans(above(10), drawSeed())
    const address = new Address()
    for (let n = 0; n < count; n++) {
      choose(address, n)
      bans.add(address)
    }
    return bans.size
  }

  test('made to cancel out what they change', () => {
    const size = remembered(4_096, (address, n) => {
      const { words } = address
      address.family = 6
      // The highest bits pass a multiplication; the second word takes them back.
      const undo = (n & 63) << 26
      words[0] = 0x2001_0db8 ^ ((n >>> 6) << 26)
      words[1] = 77 ^ undo ^ (undo >>> 15)
    })
    expect(size).toBeGreaterThan(4_000)
  })

  test.each([4, 6] as const)('IPv%i in order', (family) => {
    const size = remembered(32_768, (address, n) => {
      address.family = family
      address.words[family === 4 ? 0 : 1] = Math.imul(n, family === 4 ? 1 : 2 ** 16)
    })
    expect(size).toBeGreaterThan(31_000)
  })
})

test('a writer that died while it held the table blocks others only until the next unlock', () => {
  const bans = new Bans(above(0), Int32Array.of(1))
  new Int32Array(bans.memory)[0] = 1
  bans.add(from('192.0.2.1'))
  expect(bans.has(from('192.0.2.1'))).toBe(false)
  bans.unlock()
  bans.add(from('192.0.2.1'))
  expect(bans.has(from('192.0.2.1'))).toBe(true)
})
