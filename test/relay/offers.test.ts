/** Offers under way: which answers find theirs. */
import { expect, test } from 'bun:test'
import { Offers } from '../../src/relay/offers.ts'
import { dice } from '../support/random.ts'

const CAPACITY = 16
/** Info hash, peer id and offer id number `n`. */
const ids = (n: number): Int32Array => Int32Array.from({ length: 15 }, (_, i) => n * 31 + i)

test('an offer is taken once, by the seat it was handed to, and tells who made it', () => {
  const offers = new Offers(CAPACITY)
  offers.add(7, ids(1), 0, 3, 2 ** 32 - 1, 100)
  expect(offers.take(8, ids(1), 0, 100)).toBe(false)
  expect(offers.take(7, ids(2), 0, 100)).toBe(false)
  expect(offers.take(7, ids(1), 0, 100)).toBe(true)
  expect([offers.thread, offers.seat]).toEqual([3, 2 ** 32 - 1])
  expect(offers.take(7, ids(1), 0, 100)).toBe(false)
})

test('an offer that differs in one word of its name is another', () => {
  const offers = new Offers(CAPACITY)
  offers.add(7, ids(1), 0, 1, 1, 100)
  for (let word = 0; word < 15; word++) {
    const other = ids(1)
    other[word]! ^= 1
    expect(offers.take(7, other, 0, 100)).toBe(false)
  }
  expect(offers.take(7, ids(1), 0, 100)).toBe(true)
})

test('W30: it can be answered for two minutes', () => {
  const offers = new Offers(CAPACITY)
  offers.add(7, ids(1), 0, 1, 1, 100)
  offers.add(7, ids(2), 0, 1, 1, 100)
  expect(offers.take(7, ids(1), 0, 220)).toBe(true)
  expect(offers.take(7, ids(2), 0, 221)).toBe(false)
})

test('one that is offered again is open for two minutes more, and is answered once', () => {
  const offers = new Offers(CAPACITY)
  offers.add(7, ids(1), 0, 1, 1, 100)
  offers.add(7, ids(1), 0, 1, 2, 200)
  expect(offers.take(7, ids(1), 0, 320)).toBe(true)
  expect(offers.seat).toBe(2)
  expect(offers.take(7, ids(1), 0, 320)).toBe(false)
})

test('W33: when all places are taken, the oldest are forgotten', () => {
  const offers = new Offers(CAPACITY)
  for (let n = 0; n < CAPACITY + 3; n++) offers.add(7, ids(n), 0, 1, n, 100)
  const open = Array.from({ length: CAPACITY + 3 }, (_, n) => offers.take(7, ids(n), 0, 100))
  expect(open).toEqual(Array.from(open, (_, n) => n >= 3))
})

test('random additions and answers: as a map that forgets the oldest', () => {
  const roll = dice(5)
  const offers = new Offers(CAPACITY)
  /** By place in the memory, as they were written. */
  const places: (number | undefined)[] = Array(CAPACITY)
  let cursor = 0
  for (let step = 0; step < 20_000; step++) {
    const n = roll(40)
    const before = places.indexOf(n)
    if (roll(2) === 0) {
      if (before >= 0) places[before] = undefined
      places[cursor] = n
      cursor = (cursor + 1) % CAPACITY
      offers.add(7, ids(n), 0, 1, n, 100)
    } else {
      expect(offers.take(7, ids(n), 0, 100)).toBe(before >= 0)
      if (before >= 0) {
        expect(offers.seat).toBe(n)
        places[before] = undefined
      }
    }
  }
})
