/** The buddy allocator against a bitmap. */
import { expect, test } from 'bun:test'
import { CHUNK, CHUNK_ORDER, FREE_RUN, NIL } from '../../src/swarm/layout.ts'
import { Runs } from '../../src/swarm/runs.ts'
import { dice, seed } from '../random.ts'

const CAPACITY = 1024
const ORDERS = 9
const HIGH = 0
const HEADS = 1

function make(budget = Number.POSITIVE_INFINITY) {
  const header = new Int32Array(HEADS + ORDERS).fill(NIL, HEADS)
  const marks = new Uint16Array(CAPACITY * 2)
  const paid = { batches: 0 }
  const runs = new Runs({
    header,
    high: HIGH,
    heads: HEADS,
    orders: ORDERS,
    links: new Int32Array(CAPACITY * 3),
    stride: 3,
    marks,
    markStride: 2,
    capacity: CAPACITY,
    charge: (batches) => {
      if (paid.batches + batches > budget) return false
      paid.batches += batches
      return true
    },
  })
  /** Heads of the free lists that are not empty, as orders. */
  const free = () =>
    [...header.subarray(HEADS)].flatMap((head, order) => (head === NIL ? [] : order))
  return { runs, header, marks, paid, free }
}

test(`runs never overlap, are aligned, and are all found again (SEED=${seed})`, () => {
  const roll = dice()
  const reached = { taken: 0, given: 0, refused: 0, reset: 0 }
  for (const budget of [Number.POSITIVE_INFINITY, 7]) {
    const { runs, header, marks, paid } = make(budget)
    const owner = new Array<number>(CAPACITY).fill(-1)
    const held: { base: number; order: number }[] = []
    for (let step = 0; step < 20_000; step++) {
      // Waves: mostly taking, then mostly giving, so that the memory fills up and empties.
      const order = Math.min(roll(ORDERS), roll(ORDERS))
      if (roll(100) < (step % 2000 < 1000 ? 60 : 40)) {
        const base = runs.take(order)
        if (base === NIL) {
          reached.refused++
          continue
        }
        reached.taken++
        expect([base % (1 << order), marks[base * 2 + 1]! & FREE_RUN]).toEqual([0, 0])
        for (let at = base; at < base + (1 << order); at++) {
          if (owner[at] !== -1 || at >= header[HIGH]!) throw new Error(`unit ${at} given twice`)
          owner[at] = step
        }
        held.push({ base, order })
      } else if (held.length > 0) {
        const { base, order } = held.splice(roll(held.length), 1)[0]!
        runs.give(base, order)
        reached.given++
        owner.fill(-1, base, base + (1 << order))
      }
      if (roll(4000) === 0) {
        runs.reset()
        reached.reset++
        owner.fill(-1)
        held.length = 0
      }
      expect(header[HIGH]).toBe(paid.batches * CHUNK)
    }
  }
  for (const [name, times] of Object.entries(reached))
    expect([name, times > 0]).toEqual([name, true])
})

test(`what is given back in any order joins again to the runs it was cut from (SEED=${seed})`, () => {
  const roll = dice()
  for (let round = 0; round < 50; round++) {
    const { runs, free } = make()
    const held: { base: number; order: number }[] = []
    for (let base = 0; base !== NIL; ) {
      const order = roll(5)
      base = runs.take(order)
      if (base !== NIL) held.push({ base, order })
    }
    while (held.length > 0) {
      const { base, order } = held.splice(roll(held.length), 1)[0]!
      runs.give(base, order)
    }
    expect(free()).toEqual([ORDERS - 1])
    const largest = Array.from({ length: 4 }, () => runs.take(ORDERS - 1)).sort((a, b) => a - b)
    expect(largest).toEqual([0, 256, 512, 768])
    expect(runs.take(0)).toBe(NIL)
  }
})

test('units skipped to align a long run are free for short ones', () => {
  const { runs, paid } = make()
  expect(runs.take(0)).toBe(0)
  expect(runs.take(8)).toBe(256)
  expect(paid.batches).toBe(8)
  const taken = new Set(Array.from({ length: 255 }, () => runs.take(0)))
  expect([Math.min(...taken), Math.max(...taken), taken.size]).toEqual([1, 255, 255])
  expect(paid.batches).toBe(8)
})

test('a run is cut from the smallest free one that holds it', () => {
  const { runs } = make()
  const first = runs.take(CHUNK_ORDER)
  runs.take(CHUNK_ORDER)
  runs.give(first, CHUNK_ORDER)
  const [a, b] = [runs.take(0), runs.take(0)]
  expect([a, b]).toEqual([0, 1])
  runs.give(a, 0)
  expect(runs.take(2)).toBe(4)
  expect(runs.take(0)).toBe(0)
})
