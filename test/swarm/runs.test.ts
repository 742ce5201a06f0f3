/** The allocator of runs, checked against a plain list of owners. */
import { describe, expect, test } from 'bun:test'
import {
  BATCH,
  BATCH_ORDER,
  NIL,
  RUN_GROUP_WORDS,
  RUNS_HEADER,
  runTopWords,
} from '../../src/swarm/layout.ts'
import { Runs } from '../../src/swarm/runs.ts'
import { dice, seed } from '../support/random.ts'
import { readRuns } from '../support/swarm/whole-runs.ts'

const BATCHES = 64
const CAPACITY = BATCHES * BATCH
const ORDERS = 10

function make({ budget = Number.POSITIVE_INFINITY, batches = BATCHES } = {}) {
  const header = new Int32Array(RUNS_HEADER.words)
  const groups = Math.ceil(batches / 32) * RUN_GROUP_WORDS
  const words = new Int32Array(runTopWords(batches) + groups)
  const paid = { batches: 0, most: 0 }
  const unused = new Set<number>()
  const runs = new Runs({
    header,
    at: 0,
    words,
    batches,
    pay: () => {
      if (paid.batches === budget) return false
      paid.batches++
      return true
    },
    repay: () => paid.batches--,
    unused: (from, to) => {
      for (let batch = from; batch < to; batch++) unused.add(batch)
    },
  })
  /** By unit: who has it when it is not taken. Throws at the first fault. */
  const owners = () => {
    const faults: string[] = []
    const read = readRuns('run', header, 0, words, (ok, fault) => {
      if (!ok) faults.push(fault)
    })
    expect([faults, read.batches]).toEqual([[], paid.batches])
    return read.owners
  }
  /** Orders of the free runs that are paid for. */
  const free = () => {
    owners()
    return [0, 1, 2, 3, 4, 5, 6].filter(
      (order) => ((header[RUNS_HEADER.maps]! >>> order) & 1) === 1,
    )
  }
  return { runs, paid, unused, owners, free, high: () => header[RUNS_HEADER.high]! }
}

type Run = { base: number; order: number }

test(`runs never overlap, are aligned, and are all found again (SEED=${seed})`, () => {
  const roll = dice()
  const reached = { taken: 0, given: 0, refused: 0, reset: 0, trimmed: 0, better: 0 }
  for (const budget of [Number.POSITIVE_INFINITY, 9]) {
    const { runs, paid, owners } = make({ budget })
    const owner = new Array<number>(CAPACITY).fill(-1)
    const held: Run[] = []
    const own = ({ base, order }: Run, step: number) => {
      expect(base % Math.min(1 << order, BATCH)).toBe(0)
      for (let at = base; at < base + (1 << order); at++) {
        if (owner[at] !== -1) throw new Error(`unit ${at} given twice`)
        owner[at] = step
      }
    }
    const give = ({ base, order }: Run) => {
      runs.give(base, order)
      owner.fill(-1, base, base + (1 << order))
    }
    for (let step = 0; step < 20_000; step++) {
      // Alternately mostly allocations and mostly releases, so that the memory fills up and empties.
      const order = Math.min(roll(ORDERS), roll(ORDERS), roll(ORDERS))
      if (roll(100) < (step % 2000 < 1000 ? 60 : 40)) {
        const base = runs.take(order)
        if (base === NIL) reached.refused++
        else {
          reached.taken++
          own({ base, order }, step)
          held.push({ base, order })
        }
      } else if (held.length > 0) {
        give(held.splice(roll(held.length), 1)[0]!)
        reached.given++
      }
      if (roll(10) === 0 && held.length > 0) {
        const run = held[roll(held.length)]!
        const base = runs.takeBetter(run.base, run.order)
        if (base !== NIL) {
          expect(base >>> BATCH_ORDER).toBeLessThan(run.base >>> BATCH_ORDER)
          own({ ...run, base }, step)
          give(run)
          run.base = base
          reached.better++
        }
      }
      if (roll(50) === 0) reached.trimmed += runs.trim(1 + roll(BATCHES))
      if (roll(4000) === 0) {
        runs.reset()
        paid.batches = 0
        reached.reset++
        owner.fill(-1)
        held.length = 0
      }
      if (step % 50 > 0) continue
      const free = owners()
      for (const [at, who] of owner.entries())
        if ((who === -1) === (at < free.length && free[at] === undefined))
          throw new Error(`unit ${at} is neither taken nor free`)
    }
  }
  for (const [name, times] of Object.entries(reached))
    expect([name, times > 0]).toEqual([name, true])
})

test(`runs given back in any order join again to the runs they were cut from (SEED=${seed})`, () => {
  const roll = dice()
  for (let round = 0; round < 20; round++) {
    const { runs, free, paid } = make()
    const held: Run[] = []
    for (let base = 0; base !== NIL; ) {
      const order = roll(5)
      base = runs.take(order)
      if (base !== NIL) held.push({ base, order })
    }
    expect(paid.batches).toBe(BATCHES)
    while (held.length > 0) {
      const { base, order } = held.splice(roll(held.length), 1)[0]!
      runs.give(base, order)
    }
    expect(free()).toEqual([BATCH_ORDER])
    const largest = Array.from({ length: 4 }, () => runs.take(10)).sort((a, b) => a - b)
    expect(largest).toEqual([0, 1024, 2048, 3072])
    expect(runs.take(0)).toBe(NIL)
  }
})

test('a long run is placed directly behind the runs in use, without a gap', () => {
  const { runs, paid } = make()
  expect(runs.take(0)).toBe(0)
  expect(runs.take(8)).toBe(64)
  expect(paid.batches).toBe(5)
  const taken = new Set(Array.from({ length: 63 }, () => runs.take(0)))
  expect([Math.min(...taken), Math.max(...taken), taken.size]).toEqual([1, 63, 63])
  expect(paid.batches).toBe(5)
})

test('a long run that exceeds the budget leaves the rest of it to others', () => {
  const { runs, paid, owners } = make({ budget: 3 })
  expect(runs.take(8)).toBe(NIL)
  expect(paid.batches).toBe(3)
  expect(owners().filter((owner) => owner === 'a free run')).toHaveLength(3 * BATCH)
  expect(runs.take(7)).toBe(0)
})

test('a run is cut from the smallest free one that holds it', () => {
  const { runs } = make()
  const first = runs.take(BATCH_ORDER)
  runs.take(BATCH_ORDER)
  runs.give(first, BATCH_ORDER)
  const [a, b] = [runs.take(0), runs.take(0)]
  expect([a, b]).toEqual([0, 1])
  runs.give(a, 0)
  expect(runs.take(2)).toBe(4)
  expect(runs.take(0)).toBe(0)
})

test('of several free runs of one size the lowest is taken, however far it lies from the others', () => {
  const batches = 3000
  const { runs } = make({ batches })
  for (let batch = 0; batch < batches; batch++) expect(runs.take(BATCH_ORDER)).toBe(batch * BATCH)
  expect(runs.take(0)).toBe(NIL)
  for (const batch of [2999, 40, 1500, 1025, 31]) runs.give(batch * BATCH, BATCH_ORDER)
  const taken = Array.from({ length: 5 }, () => runs.take(BATCH_ORDER) / BATCH)
  expect(taken).toEqual([31, 40, 1025, 1500, 2999])
})

describe('batches that are free', () => {
  test('count against the budget until they are trimmed, and are used again later', () => {
    const { runs, paid, owners, high } = make({ budget: 8 })
    for (let batch = 0; batch < 8; batch++) runs.take(BATCH_ORDER)
    for (const batch of [1, 2, 5]) runs.give(batch * BATCH, BATCH_ORDER)
    runs.give(7 * BATCH, BATCH_ORDER)
    expect(paid.batches).toBe(8)
    // Four free batches, and an end that falls by one.
    expect(runs.trim(100)).toBe(5)
    expect([paid.batches, high()]).toEqual([4, 7 * BATCH])
    owners()
    expect(runs.trim(100)).toBe(0)
    expect(Array.from({ length: 5 }, () => runs.take(BATCH_ORDER) / BATCH)).toEqual([
      1,
      2,
      5,
      7,
      NIL / BATCH,
    ])
  })

  test('are reported when they lie at the end, or make a region', () => {
    const { runs, unused, high } = make()
    for (let batch = 0; batch < 64; batch++) runs.take(BATCH_ORDER)
    for (let batch = 16; batch < 31; batch++) runs.give(batch * BATCH, BATCH_ORDER)
    runs.trim(100)
    expect(unused.size).toBe(0)
    runs.give(31 * BATCH, BATCH_ORDER)
    runs.trim(100)
    expect([...unused].sort((a, b) => a - b)).toEqual(Array.from({ length: 16 }, (_, i) => 16 + i))
    unused.clear()
    runs.give(63 * BATCH, BATCH_ORDER)
    runs.trim(100)
    expect([...unused]).toEqual([63])
    for (let batch = 0; batch < 64; batch++)
      if (batch < 16 || (batch > 31 && batch < 63)) runs.give(batch * BATCH, BATCH_ORDER)
    while (runs.trim(7) === 7);
    expect([unused.size, high()]).toEqual([64, 0])
  })
})

describe('a run that', () => {
  test('lies beyond the space all runs need is moved to any gap below', () => {
    const { runs, owners } = make()
    for (let batch = 0; batch < 4; batch++) runs.take(BATCH_ORDER)
    const last = runs.take(0)
    runs.give(BATCH, BATCH_ORDER)
    expect(runs.takeBetter(last, 0)).toBe(BATCH)
    runs.give(last, 0)
    // When no free batch is counted against the budget, one that is not.
    runs.give(2 * BATCH, BATCH_ORDER)
    runs.trim(100)
    expect(runs.takeBetter(3 * BATCH, BATCH_ORDER)).toBe(2 * BATCH)
    owners()
  })

  test('has a free neighbour is moved to another gap of its size, and no run is divided', () => {
    const { runs, free } = make()
    const fours = Array.from({ length: 64 }, () => runs.take(2))
    runs.give(fours[2]!, 2)
    runs.give(fours[40]!, 2)
    expect(free()).toEqual([2])
    // Free neighbours: one of its own size; one of two half as large; none.
    expect(runs.takeBetter(fours[41]!, 2)).toBe(fours[2]!)
    runs.give(fours[41]!, 2)
    expect(free()).toEqual([3])
    expect(runs.takeBetter(fours[50]!, 2)).toBe(NIL)
    expect(runs.takeBetter(fours[42]!, 2)).toBe(NIL)
  })
})
