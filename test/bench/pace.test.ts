import { expect, test } from 'bun:test'
import { Pace } from '../../src/bench/load.ts'
import { dice, seed } from '../support/random.ts'

/** Spends all that is allowed at each moment. */
function spendAll(pace: Pace, moments: readonly number[]): number {
  let sent = 0
  for (const now of moments) {
    const allowed = pace.allowed(now)
    pace.spend(allowed)
    sent += allowed
  }
  return sent
}

const every = (milliseconds: number, until: number): number[] =>
  Array.from({ length: until / milliseconds }, (_, i) => (i + 1) * milliseconds)

test.each([1, 3, 777, 10_000])('%d per second are reached and never exceeded', (rate) => {
  const sent = spendAll(new Pace(rate, 0, 5_000), every(2, 5_000))
  expect(sent).toBeWithin(rate * 5 * 0.9, rate * 5 + 1)
})

test(`at irregular moments the rate is never exceeded (SEED=${seed})`, () => {
  const roll = dice()
  for (let round = 0; round < 200; round++) {
    const rate = 1 + roll(2_000)
    const pace = new Pace(rate, 1_000, 3_000)
    let now = 1_000
    let sent = 0
    while (now < 4_000) {
      now += roll(roll(10) === 0 ? 500 : 20)
      const allowed = pace.allowed(now)
      // Not always all of it.
      const some = roll(allowed + 1)
      pace.spend(some)
      sent += some
      expect(sent).toBeLessThanOrEqual((rate * (Math.min(now, 3_000) - 1_000)) / 1000)
    }
  }
})

test('a pause does not lead to a burst', () => {
  const pace = new Pace(1_000, 0, 60_000)
  expect(pace.allowed(10_000)).toBe(100)
})

test('after the end nothing is allowed', () => {
  const pace = new Pace(1_000, 0, 50)
  expect(spendAll(pace, [50, 60, 1_000])).toBe(50)
})

test('without a rate there is no limit', () => {
  expect(spendAll(new Pace(undefined, 0, 1), [1])).toBe(Number.POSITIVE_INFINITY)
})
