import { describe, expect, test } from 'bun:test'
import { Histogram } from '../../src/memory/histogram.ts'
import { dice, seed } from '../support/random.ts'

const SHARES = [0, 0.01, 0.1, 0.5, 0.9, 0.99, 0.999, 1]

function filled(values: readonly number[]): Histogram {
  const histogram = new Histogram()
  for (const value of values) histogram.record(value)
  return histogram
}

/** The slow and exact way: by sorting. */
const exact = (values: readonly number[], share: number): number =>
  values.toSorted((a, b) => a - b)[Math.max(1, Math.ceil(share * values.length)) - 1]!

describe(`percentiles agree with sorting (SEED=${seed})`, () => {
  const roll = dice()
  const share = () => (roll(2 ** 30) + 1) / 2 ** 30
  test.each<[string, () => number]>([
    ['even', () => 0.005 + share() * 3],
    ['over seven powers of ten', () => 0.005 * 10 ** (share() * 7)],
    ['two heaps', () => (roll(10) === 0 ? 900 + share() * 100 : 0.05 + share() / 20)],
    ['one value', () => 0.7],
  ])('%s', (_what, draw) => {
    const values = Array.from({ length: 20_000 }, draw)
    const histogram = filled(values)
    for (const at of SHARES) {
      const truth = exact(values, at)
      expect([at, Math.abs(histogram.percentile(at) - truth) / truth < 0.02]).toEqual([at, true])
    }
  })
})

test(`a single latency is exact to one percent (SEED=${seed})`, () => {
  const roll = dice()
  for (let i = 0; i < 5_000; i++) {
    const value = 0.01 * 10 ** ((roll(2 ** 20) / 2 ** 20) * 6)
    // Beside a larger one, because the largest is known exactly.
    const found = filled([value, value * 2]).percentile(0.5)
    expect([value, Math.abs(found - value) / value < 0.01]).toEqual([value, true])
  }
})

test('the smallest and the largest are exact, and no percentile is beyond them', () => {
  expect(filled([1.24]).percentile(0.5)).toBe(1.24)
  const histogram = filled([0.1, 0.2, 1234.5678])
  expect(histogram.min).toBe(0.1)
  expect(histogram.max).toBe(1234.5678)
  expect(histogram.percentile(1)).toBeLessThanOrEqual(1234.5678)
  expect(histogram.count).toBe(3)
})

test('two histograms can be added', () => {
  const [few, many] = [[1, 2, 3], Array.from({ length: 100 }, (_, i) => 5 + i)]
  const sum = filled(few)
  sum.add(filled(many))
  const whole = filled([...few, ...many])
  for (const at of SHARES) expect(sum.percentile(at)).toBe(whole.percentile(at))
  expect([sum.count, sum.max]).toEqual([whole.count, whole.max])
})

test('no latency, zero, a negative one and a week are accepted', () => {
  expect([new Histogram().percentile(0.5), new Histogram().max]).toEqual([0, 0])
  expect(filled([0]).percentile(0.5)).toBe(0)
  expect(filled([-1]).percentile(0.5)).toBe(0)
  const week = 7 * 24 * 3600 * 1000
  expect(filled([week]).max).toBe(week)
  // Percentiles stop at the most that a word holds.
  expect(filled([1, week]).percentile(1)).toBeWithin(210_000, 215_000)
})
