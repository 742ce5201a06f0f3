/**
 * The table on one thread, checked against a `Set`.
 */
import { describe, expect, test } from 'bun:test'
import {
  createWhitelist,
  emptyWhitelist,
  packHashes,
  Whitelist,
} from '../../src/access/whitelist.ts'
import { LIMITS } from '../../src/limits.ts'
import { addHash, hashWords, packed, run } from '../support/access/entries.ts'
import { dice, seed } from '../support/random.ts'

const make = (capacity: number, alone = true) =>
  new Whitelist(createWhitelist(Int32Array.of(seed), capacity), alone)
const entries = (first: number, count: number) => packHashes(packed(first, count))

/** The numbers below `end` that are in the table. */
function inside(table: Whitelist, end: number): number[] {
  const found: number[] = []
  for (let n = 0; n < end; n++) if (table.has(hashWords(n))) found.push(n)
  return found
}
const sorted = (numbers: Iterable<number>) => [...numbers].sort((a, b) => a - b)

test.each([true, false])(
  `thousands of changes leave what a set would hold (alone: %p, SEED=${seed})`,
  (alone) => {
    const roll = dice()
    // Few numbers, so that many are added twice or removed though absent.
    const numbers = 6_000
    const table = make(numbers, alone)
    const twin = new Set<number>()
    for (let step = 0; step < 40_000; step++) {
      const n = roll(numbers)
      // Reading ahead changes nothing, and believes nothing.
      if (n % 8 === 0) table.expect(entries(n, LIMITS.udpBatch).words, LIMITS.udpBatch)
      // First it grows, then it shrinks, then it stays.
      if (roll(10) < [8, 3, 5][Math.floor(step / 14_000)]!) {
        expect(addHash(table, hashWords(n))).toBe(true)
        twin.add(n)
      } else expect([n, table.remove(hashWords(n))]).toEqual([n, twin.delete(n)])
      if (step % 4_000 === 0) expect(inside(table, numbers)).toEqual(sorted(twin))
    }
    expect(table.size).toBe(twin.size)
    expect(inside(table, numbers)).toEqual(sorted(twin))
    expect(twin.size).toBeWithin(1_000, 5_000)
  },
)

test('a table that was emptied is as one that was just made', () => {
  const memory = createWhitelist(Int32Array.of(seed), 3_000)
  const before = new Int32Array(memory).slice()
  const table = new Whitelist(memory, false)
  for (let n = 0; n < 3_000; n++) addHash(table, hashWords(n))
  for (let n = 0; n < 3_000; n += 3) table.remove(hashWords(n))
  let released = 0
  emptyWhitelist(memory, (_array, from, to) => {
    released = to - from
  })
  expect(new Int32Array(memory).slice()).toEqual(before)
  expect(released).toBeGreaterThan(3_000 * 8)
  const again = new Whitelist(memory, false)
  addHash(again, hashWords(1))
  expect(inside(again, 3_000)).toEqual([1])
})

test('an empty table has nothing, not even a hash of zeroes', () => {
  expect(make(10).has(new Int32Array(5))).toBe(false)
  const table = make(10)
  addHash(table, new Int32Array(5))
  expect(table.has(new Int32Array(5))).toBe(true)
})

test('hashes that differ in one word are different', () => {
  const table = make(10)
  const one = hashWords(1)
  addHash(table, one)
  for (let word = 0; word < 5; word++) {
    const other = one.slice()
    other[word]! ^= 1
    expect(table.has(other)).toBe(false)
  }
})

test('keys are read where they stand', () => {
  const table = make(10)
  const words = new Int32Array(new Uint8Array(packed(1, 3)).buffer)
  addHash(table, words.subarray(5, 10))
  expect([0, 5, 10].map((at) => table.has(words, at))).toEqual([false, true, false])
  expect(table.remove(words, 5)).toBe(true)
  expect(table.has(words, 5)).toBe(false)
})

describe('a full table', () => {
  test.each([10, 1_024, 3_000])('of %d takes as many and refuses one more in words', (capacity) => {
    const table = make(capacity)
    expect(table.hasRoom(capacity)).toBe(true)
    expect(table.hasRoom(capacity + 1)).toBe(false)
    expect(run(table.putAll(entries(0, capacity))).value).toBe(true)
    expect(addHash(table, hashWords(capacity))).toBe(false)
    expect(table.hasRoom(1)).toBe(false)
    expect(addHash(table, hashWords(0))).toBe(true)
    expect(inside(table, capacity + 1)).toEqual(Array.from({ length: capacity }, (_, n) => n))
    expect(table.remove(hashWords(3))).toBe(true)
    expect(addHash(table, hashWords(capacity))).toBe(true)
    expect(table.size).toBe(capacity)
  })

  test('reports when not all of many fit, and has those that do', () => {
    const table = make(100)
    expect(run(table.putAll(entries(0, 101))).value).toBe(false)
    expect(table.size).toBe(100)
  })

  test('is used again and again without wearing out', () => {
    const table = make(64)
    for (let round = 0; round < 200; round++) {
      expect(run(table.putAll(entries(round * 64, 64))).value).toBe(true)
      run(table.removeAll(entries(round * 64, 64).words))
      expect(table.size).toBe(0)
    }
  })
})

describe('a replacement', () => {
  test('leaves the new entries, and entries in both are there at every step', () => {
    const table = make(20_000)
    run(table.putAll(entries(0, 10_000)))
    const stays = [5_000, 5_001, 7_777, 9_999].map(hashWords)
    const slices = table.replace([entries(5_000, 4_000), entries(9_000, 3_000)])
    let steps = 0
    for (let step = slices.next(); step.done !== true; step = slices.next(), steps++)
      expect(stays.map((words) => table.has(words))).toEqual([true, true, true, true])
    expect(steps).toBeGreaterThan(40)
    expect(table.size).toBe(7_000)
    expect(inside(table, 12_500)).toEqual(Array.from({ length: 7_000 }, (_, i) => 5_000 + i))
  })

  test('may be larger than the room that is left beside the old content', () => {
    const table = make(3_000)
    run(table.putAll(entries(0, 2_500)))
    expect(run(table.replace([entries(2_000, 3_000)])).value).toBe(true)
    expect(inside(table, 6_000)).toEqual(Array.from({ length: 3_000 }, (_, i) => 2_000 + i))
  })

  test('that does not fit changes nothing', () => {
    const table = make(3_000)
    run(table.putAll(entries(0, 10)))
    expect(run(table.replace([entries(0, 3_001)])).value).toBe(false)
    expect(inside(table, 4_000)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9])
  })

  test('by an empty list empties the table; entries added between two steps stay', () => {
    const table = make(20_000)
    run(table.putAll(entries(0, 6_000)))
    const slices = table.replace([])
    slices.next()
    // The table grows under the sweep: entries move to buckets that it has not come to.
    run(table.putAll(entries(6_000, 3_000)))
    let end = 9_000
    for (; slices.next().done !== true; end += 10) run(table.putAll(entries(end, 10)))
    expect(inside(table, 6_000)).toEqual([])
    expect(inside(table, end).length).toBe(table.size)
    expect(table.size).toBe(end - 6_000)
    expect(end).toBeGreaterThan(9_300)
  })
})

test('long work is done in slices', () => {
  const table = make(10_000)
  expect(run(table.putAll(entries(0, 10_000))).slices).toBeGreaterThan(30)
  expect(run(table.replace([entries(0, 10_000)])).slices).toBeGreaterThan(90)
  expect(run(table.removeAll(entries(0, 10_000).words)).slices).toBeGreaterThan(30)
  expect(table.size).toBe(0)
})

test('an entry takes 36 bytes', () => {
  const million = createWhitelist(Int32Array.of(1), 1_000_000).byteLength
  const two = createWhitelist(Int32Array.of(1), 2_000_000).byteLength
  expect((two - million) / 1_000_000).toBe(36)
})

test('reading ahead changes nothing', () => {
  const table = make(1_000)
  run(table.putAll(entries(0, 500)))
  const before = inside(table, 1_000)
  const asked = new Int32Array(new Uint8Array(packed(400, 32)).buffer)
  for (const count of [0, 1, 32]) table.expect(asked, count)
  expect(inside(table, 1_000)).toEqual(before)
})
