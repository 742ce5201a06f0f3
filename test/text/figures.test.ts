/** Tables, whose columns have the width that a terminal shows, and times. */
import { expect, test } from 'bun:test'
import { aligned, duration } from '../../src/text/figures.ts'

test('words are flush left and figures right, however wide a character is', () => {
  const rows = [
    ['host', 'ms'],
    ['追踪器', '10.5'],
    ['é', ''],
  ]
  expect(aligned(rows, 1)).toEqual(['host      ms', '追踪器  10.5', 'é'])
})

test.each([
  [-5, '0 s'],
  [0.9, '0 s'],
  [59, '59 s'],
  [60, '1 min 0 s'],
  [3_599, '59 min 59 s'],
  [7_265, '2 h 1 min'],
  [86_400 * 400 + 3_600 * 5 + 59, '400 d 5 h'],
])('%d seconds are %s', (seconds, shown) => {
  expect(duration(seconds)).toBe(shown)
})
