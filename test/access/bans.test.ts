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

test('the error that is one too many is told, once, on the thread that counts it', () => {
  const bans = new Bans(above(2), Int32Array.of(1))
  const other = new Bans(above(2), Int32Array.of(1), bans.memory)
  const told: string[] = []
  bans.onLimit = ({ bytes }) => told.push(`here ${bytes[3]}`)
  other.onLimit = ({ bytes }) => told.push(`there ${bytes[3]}`)
  times(2, () => bans.add(from('192.0.2.1')))
  times(5, () => bans.add(from('192.0.2.2')))
  expect(told).toEqual(['here 2'])
  times(3, () => other.add(from('192.0.2.1')))
  bans.reset()
  times(3, () => bans.add(from('192.0.2.2')))
  expect(told).toEqual(['here 2', 'there 1', 'here 2'])
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

/** The list, with what happens between its steps. */
function listed(
  bans: Bans,
  offset = 0,
  limit: number = LIMITS.banTable,
  meanwhile: () => void = () => {},
) {
  const steps = bans.list(offset, limit)
  for (;;) {
    const { done, value } = steps.next()
    if (done) return value.map(({ bytes, errors, banned }) => [bytes.join('.'), errors, banned])
    meanwhile()
  }
}

describe('the list', () => {
  test('has every address, those with the most errors first', () => {
    const bans = new Bans(above(2), drawSeed())
    times(1, () => bans.add(from('192.0.2.1')))
    times(3, () => bans.add(from('192.0.2.3')))
    times(2, () => bans.add(from('2001:db8:1:2:3::')))
    const all = [
      ['192.0.2.3', 3, true],
      ['32.1.13.184.0.1.0.2.0.0.0.0.0.0.0.0', 2, false],
      ['192.0.2.1', 1, false],
    ]
    expect(listed(bans)).toEqual(all)
    expect(listed(bans, 1, 1)).toEqual(all.slice(1, 2))
    expect(listed(bans, 3)).toEqual([])
  })

  test('needs no lock', () => {
    const bans = new Bans(above(0), drawSeed())
    bans.add(from('192.0.2.1'))
    new Int32Array(bans.memory)[0] = 1
    expect(listed(bans)).toHaveLength(1)
  })

  test('leaves out what was forgotten meanwhile', () => {
    const bans = new Bans(above(0), drawSeed())
    times(2, () => bans.add(from('192.0.2.1')))
    bans.add(from('192.0.2.2'))
    // The last step: all were found by then, and none was read.
    let steps = 0
    expect(
      listed(bans, 0, LIMITS.banTable, () => {
        if (++steps === LIMITS.banTable / 4_096) bans.lift(from('192.0.2.1'))
      }),
    ).toEqual([['192.0.2.2', 1, true]])
  })

  test('does not show the halves of two addresses as one', () => {
    const bans = new Bans(above(0), drawSeed())
    bans.add(from('192.0.2.1'))
    const words = new Int32Array(bans.memory)
    const at = words.indexOf(from('192.0.2.1').words[0]!)
    words[at] = from('192.0.2.77').words[0]!
    expect(listed(bans)).toEqual([])
  })
})

describe('a lift', () => {
  test('frees the address and its place, and no other', () => {
    const bans = new Bans(above(0), drawSeed())
    bans.add(from('192.0.2.1'))
    bans.add(from('2001:db8::1'))
    expect([bans.lift(from('2001:db8::ffff')), bans.lift(from('2001:db8::1'))]).toEqual([1, 0])
    expect([bans.has(from('2001:db8::1')), bans.has(from('192.0.2.1')), bans.size]).toEqual([
      false,
      true,
      1,
    ])
    bans.add(from('2001:db8::1'))
    expect(bans.liftAll()).toBe(2)
    expect([bans.has(from('2001:db8::1')), bans.has(from('192.0.2.1')), bans.size]).toEqual([
      false,
      false,
      0,
    ])
  })

  test('waits for its turn, and leaves the table to others', () => {
    const bans = new Bans(above(0), drawSeed())
    bans.add(from('192.0.2.1'))
    const words = new Int32Array(bans.memory)
    words[0] = 1
    expect([bans.lift(from('192.0.2.1')), bans.liftAll()]).toEqual([undefined, undefined])
    expect(bans.size).toBe(1)
    bans.unlock()
    expect(bans.lift(from('192.0.2.1'))).toBe(1)
    bans.add(from('192.0.2.1'))
    expect(bans.size).toBe(1)
  })
})
