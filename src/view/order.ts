/**
 * Sorts rows by the info hash they begin with, many times as fast as a comparing sort: four bytes
 * at a time become numbers that the engine sorts by itself, and only where those are equal the next
 * four are looked at.
 */
import { DIGIT_VALUES, DIGITS, digitAt } from './census.ts'

/** Rows that a key has room for beside its 32 bits: both are whole in 53 bits. */
const MOST_ROWS = 2 ** 21

/** Numbers of the rows (`words` words each) in ascending order; of those with one info hash only one. */
export function inOrder(rows: Int32Array, words: number): Uint32Array {
  const order = Uint32Array.from({ length: rows.length / words }, (_, row) => row)
  if (order.length > MOST_ROWS) throw new RangeError(`${order.length} rows are too many to sort`)
  sort(rows, words, order, 0)
  let count = 0
  for (let i = 0; i < order.length; i++)
    if (i === 0 || !areSame(rows, order[i]! * words, order[i - 1]! * words))
      order[count++] = order[i]!
  return order.subarray(0, count)
}

/** Sorts `order`, whose rows do not differ before `digit`. */
function sort(rows: Int32Array, words: number, order: Uint32Array, digit: number): void {
  const keys = new Float64Array(order.length)
  for (let i = 0; i < order.length; i++) {
    const at = order[i]! * words
    const value = digitAt(rows, at, digit) * DIGIT_VALUES + digitAt(rows, at, digit + 1)
    keys[i] = value * MOST_ROWS + order[i]!
  }
  keys.sort()
  for (let i = 0; i < keys.length; i++) order[i] = keys[i]! % MOST_ROWS
  if (digit + 2 >= DIGITS) return
  for (let from = 0, to = 0; from < keys.length; from = to) {
    const value = Math.floor(keys[from]! / MOST_ROWS)
    while (to < keys.length && Math.floor(keys[to]! / MOST_ROWS) === value) to++
    if (to - from > 1) sort(rows, words, order.subarray(from, to), digit + 2)
  }
}

function areSame(rows: Int32Array, one: number, other: number): boolean {
  let i = 0
  while (i < DIGITS / 2 && rows[one + i] === rows[other + i]) i++
  return i === DIGITS / 2
}
