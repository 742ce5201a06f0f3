/** Pages that go back to the system: those in the range, and nothing beside it. */
import { expect, test } from 'bun:test'
import { reserve } from '../../src/memory/reserve.ts'
import { pageRelease } from '../../src/servers/pages.ts'

const release = pageRelease()
const PAGE_WORDS = 4096 / 4

test.skipIf(release === undefined).each([
  ['an arena', 2 ** 20],
  ['the system', 2 ** 27],
])('whole pages within the range are zero, in memory from %s', (_from, bytes) => {
  const memory = reserve(bytes)
  // It begins in the middle of a page and ends in one.
  const array = new Int32Array(memory, 4096 + 64, PAGE_WORDS * 8 + 5)
  const whole = new Int32Array(memory)
  for (const [from, to] of [
    [10, PAGE_WORDS * 3 + 10],
    [0, array.length + 100_000],
    [5, 6],
    [PAGE_WORDS, PAGE_WORDS],
    [array.length, array.length + 5_000],
  ] as const) {
    whole.fill(7, 0, PAGE_WORDS * 20)
    release!(array, from, to)
    const first = array.byteOffset / 4 + from
    const end = array.byteOffset / 4 + Math.min(to, array.length)
    let zeroes = 0
    for (let at = 0; at < PAGE_WORDS * 20; at++) {
      if (at < first || at >= end) expect(whole[at]).toBe(7)
      else if (whole[at] === 0) zeroes++
    }
    expect(zeroes % PAGE_WORDS).toBe(0)
  }
  whole.fill(7, 0, PAGE_WORDS * 20)
  release!(whole, 0, PAGE_WORDS * 20)
  expect(whole.subarray(0, PAGE_WORDS * 20).includes(0)).toBe(true)
})
