/** A text that one thread puts up and others read. */
import { expect, test } from 'bun:test'
import { Board } from '../../src/memory/board.ts'

test('every thread reads the last text', () => {
  const board = new Board(16)
  const other = new Board(board.memory)
  expect([other.version, other.read()]).toEqual([0, undefined])
  for (const text of ['one', 'a longer one', '', 'ünï']) {
    expect(board.put(text)).toBe(true)
    expect(other.read()).toBe(text)
  }
  expect(other.version).toBe(4)
})

test('what does not fit leaves the old one', () => {
  const board = new Board(4)
  expect(board.put('four')).toBe(true)
  expect(board.put('fives')).toBe(false)
  expect(board.read()).toBe('four')
})

test('the text before stays whole while the next is written', () => {
  const board = new Board(8)
  board.put('aaaa')
  const shown = new Uint8Array(board.memory).slice()
  board.put('bbbb')
  // Only the header and the other half changed.
  expect(Buffer.from(new Uint8Array(board.memory)).includes('aaaa')).toBe(true)
  expect(Buffer.from(shown).includes('bbbb')).toBe(false)
})
