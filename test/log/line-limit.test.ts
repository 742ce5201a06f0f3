/** Lines that strangers cause: so many in a period, and the rest are counted. */
import { expect, test } from 'bun:test'
import { LineLimit } from '../../src/log/line-limit.ts'

test('lets so many lines of a period through, and then says how many it did not', () => {
  const limit = new LineLimit(2, 1_000)
  expect([0, 1, 2, 999].map((now) => limit.next(now))).toEqual([0, 0, undefined, undefined])
  expect([1_000, 1_001, 1_500].map((now) => limit.next(now))).toEqual([2, 0, undefined])
  expect(limit.next(9_000)).toBe(1)
})

test('begins a new period when the clock was set back', () => {
  const limit = new LineLimit(1, 1_000)
  expect([5_000, 5_500, 4_500, 4_000].map((now) => limit.next(now))).toEqual([
    0,
    undefined,
    undefined,
    2,
  ])
})
