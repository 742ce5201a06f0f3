/** Pages that go back to the system, those in the range and nothing beside it; huge pages only where memory is full. */
import { expect, test } from 'bun:test'
import { existsSync, readFileSync } from 'node:fs'
import { reserve } from '../../src/memory/reserve.ts'
import { addressOf } from '../../src/servers/libc.ts'
import { pageRelease, pageSettle } from '../../src/servers/pages.ts'

const release = pageRelease()
const PAGE_WORDS = 4096 / 4
const HUGE = 2 ** 21
const hasHugePages = existsSync('/sys/kernel/mm/transparent_hugepage/enabled')

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

/** What the system may do with the page at `address`. */
function flagsAt(address: number): string[] {
  for (const map of readFileSync('/proc/self/smaps', 'utf8').split(/^(?=[0-9a-f]+-)/m)) {
    const [, from, to] = /^([0-9a-f]+)-([0-9a-f]+)/.exec(map)!
    if (Number.parseInt(from!, 16) > address || address >= Number.parseInt(to!, 16)) continue
    return /^VmFlags: (.*)$/m.exec(map)![1]!.trim().split(' ')
  }
  throw new Error(`nothing is at ${address}`)
}

test.skipIf(!hasHugePages)('only whole huge pages that are in use may become huge', () => {
  const array = new Int32Array(reserve(16 * HUGE))
  const start = addressOf(array)
  const first = Math.ceil(start / HUGE) * HUGE
  const settle = pageSettle()!
  const may = (used: number) => {
    settle(array, (used * HUGE - (start % HUGE)) / 4)
    return [0, 1, 2, 3, 8].map((page) => {
      const flags = flagsAt(first + page * HUGE)
      return flags.includes('hg') ? 'may' : flags.includes('nh') ? 'must not' : 'as usual'
    })
  }
  const not = 'must not'
  expect(may(0)).toEqual([not, not, not, not, not])
  const shift = start === first ? 0 : 1
  expect(may(shift + 2.9)).toEqual(['may', 'may', not, not, not])
  expect(may(shift + 9.0)).toEqual(['may', 'may', 'may', 'may', 'may'])
  expect(may(shift + 1.5)).toEqual(['may', not, not, not, not])
})
