/** Tables: columns of the width that a terminal shows. */
import { expect, test } from 'bun:test'
import { aligned } from '../../src/text/figures.ts'

test('words are flush left and figures right, however wide a character is', () => {
  const rows = [
    ['host', 'ms'],
    ['追踪器', '10.5'],
    ['é', ''],
  ]
  expect(aligned(rows, 1)).toEqual(['host      ms', '追踪器  10.5', 'é'])
})
