/** Tables: columns of the width that a terminal shows. */
import { expect, test } from 'bun:test'
import { aligned } from '../../src/text/figures.ts'

test('words are flush left and figures right, however wide a character is', () => {
  expect(
    aligned(
      [
        ['host', 'ms'],
        ['追踪', '10.5'],
        ['é', ''],
      ],
      1,
    ),
  ).toEqual(['host    ms', '追踪  10.5', 'é'])
})
