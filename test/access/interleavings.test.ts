/**
 * Every way in which one look-up can meet one change: the reader begins at each step of the writer, stops on
 * each record of its chain, and goes on at each later step. An entry that stays is always found.
 */
import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { createKeys, Keys } from '../../src/access/keys.ts'
import { createWhitelist, Whitelist } from '../../src/access/whitelist.ts'
import { BUCKETS_AT, END, HEADER } from '../../src/memory/table.ts'
import { addHash, addKey, hashWords, keyWords } from '../support/access/entries.ts'
import {
  awaitTurn,
  CONTROL,
  type PausedReaderTask,
  setTurn,
  TURN,
} from '../support/access/paused-reader-worker.ts'

const SEED = Int32Array.of(5)
const BUCKETS = 1024
const CAPACITY = 2_000

class OpenWhitelist extends Whitelist {
  bucket = (n: number): number => this.hashOf(hashWords(n), 0) & (BUCKETS - 1)
  half = (n: number): number => (this.hashOf(hashWords(n), 0) >>> 10) & 1
  put1 = (n: number): boolean => addHash(this, hashWords(n))
}
class OpenKeys extends Keys {
  bucket = (n: number): number => this.hashOf(keyWords(n), 0) & (BUCKETS - 1)
  put1 = (n: number, time = 1): boolean => addKey(this, keyWords(n), time)
}

/** The first `count` numbers that `suits`. */
function numbers(count: number, suits: (n: number) => boolean): number[] {
  const found: number[] = []
  for (let n = 0; found.length < count; n++) if (suits(n)) found.push(n)
  return found
}

let reader: Worker
beforeAll(() => {
  reader = new Worker(new URL('../support/access/paused-reader-worker.ts', import.meta.url).href)
})
afterAll(() => reader.terminate())

const realAdd = Atomics.add

/**
 * Calls `at` with the number of each moment of `deed`: its begin, before and after each count,
 * its end.
 */
function moments(deed: () => void, at: (moment: number) => void): number {
  let moment = 0
  Atomics.add = ((cells: Int32Array, cell: number, value: number) => {
    at(moment++)
    const before = realAdd(cells, cell, value)
    at(moment++)
    return before
  }) as typeof Atomics.add
  try {
    at(moment++)
    deed()
    at(moment++)
  } finally {
    Atomics.add = realAdd
  }
  return moment
}

type Scene = {
  readonly table: PausedReaderTask['table']
  readonly memory: SharedArrayBuffer
  /** The change, on a table of that memory. */
  readonly change: (memory: SharedArrayBuffer) => void
  /** Keys of which each is in the table all the while. */
  readonly stay: readonly Int32Array[]
  /** Records in the chain, at most. */
  readonly chain: number
}

const copyOf = (memory: SharedArrayBuffer): SharedArrayBuffer => {
  const copy = new SharedArrayBuffer(memory.byteLength)
  new Int32Array(copy).set(new Int32Array(memory))
  return copy
}

/** All meetings of a question with the change; the first that goes wrong is thrown. */
function meet(scene: Scene): { met: number; paused: number } {
  const end = moments(
    () => scene.change(copyOf(scene.memory)),
    () => {},
  )
  let [met, paused] = [0, 0]
  for (const [number, key] of scene.stay.entries())
    for (let pauseAt = 1; pauseAt <= scene.chain; pauseAt++)
      for (let begins = 0; begins < end; begins++)
        for (let goesOn = begins; goesOn < end; goesOn++) {
          const control = new Int32Array(new SharedArrayBuffer(CONTROL.words * 4))
          const memory = copyOf(scene.memory)
          control[CONTROL.pauseAt] = pauseAt
          control.set(key, CONTROL.key)
          reader.postMessage({
            table: scene.table,
            memory,
            control: control.buffer,
          } satisfies PausedReaderTask)
          moments(
            () => scene.change(memory),
            (moment) => {
              if (moment === begins) {
                setTurn(control, TURN.ask)
                if (awaitTurn(control, TURN.paused, TURN.answered) === TURN.paused) paused++
              }
              if (moment === goesOn && Atomics.load(control, CONTROL.turn) === TURN.paused) {
                setTurn(control, TURN.goOn)
                awaitTurn(control, TURN.answered)
              }
            },
          )
          if (control[CONTROL.found] !== 1)
            throw new Error(
              `number ${number}: not found by a reader that began at moment ${begins}, stood on record ${pauseAt}, went on at ${goesOn} of ${end}`,
            )
          met++
        }
  return { met, paused }
}

describe('no entry that stays is missed', () => {
  test('when a record is taken out and used again in another chain', () => {
    const memory = createWhitelist(SEED, CAPACITY)
    const table = new OpenWhitelist(memory, false)
    const [x, r, a] = numbers(3, (n) => table.bucket(n) === 7) as [number, number, number]
    const [y] = numbers(1, (n) => table.bucket(n) === 8) as [number]
    for (const n of [x, r, a]) table.put1(n)
    const change = (copy: SharedArrayBuffer) => {
      const writer = new OpenWhitelist(copy, false)
      writer.remove(hashWords(r))
      writer.put1(y)
    }
    const stay = [x, a].map(hashWords)
    const { met, paused } = meet({ table: 'whitelist', memory, change, stay, chain: 3 })
    expect(met).toBeGreaterThan(100)
    expect(paused).toBeGreaterThan(50)
  })

  test('when a key becomes good until another time', () => {
    const memory = createKeys(SEED, CAPACITY)
    const table = new OpenKeys(memory, false)
    const [x, k, a] = numbers(3, (n) => table.bucket(n) === 7) as [number, number, number]
    const [y] = numbers(1, (n) => table.bucket(n) === 8) as [number]
    for (const n of [x, k, a]) table.put1(n)
    const change = (copy: SharedArrayBuffer) => {
      const writer = new OpenKeys(copy, false)
      writer.put1(k, 2)
      writer.put1(y)
    }
    const stay = [x, k, a].map(keyWords)
    const { met, paused } = meet({ table: 'keys', memory, change, stay, chain: 4 })
    expect(met).toBeGreaterThan(300)
    expect(paused).toBeGreaterThan(150)
  })

  test('when a bucket is divided and the records are used again', () => {
    const memory = createWhitelist(SEED, CAPACITY)
    const table = new OpenWhitelist(memory, false)
    const zero = (half: number) =>
      numbers(2, (n) => table.bucket(n) === 0 && table.half(n) === half)
    const [[s1, s2], [m1, m2]] = [zero(0), zero(1)] as [[number, number], [number, number]]
    for (const n of [s1, m1, s2, m2]) table.put1(n)
    // With the next one there are more entries than buckets.
    const others = numbers(BUCKETS - 2, (n) => table.bucket(n) > 1)
    const [z, y] = others.slice(-2) as [number, number]
    for (const n of others.slice(0, -2)) table.put1(n)
    expect(table.size).toBe(BUCKETS)
    const change = (copy: SharedArrayBuffer) => {
      const writer = new OpenWhitelist(copy, false)
      writer.put1(z)
      writer.put1(y)
    }
    const stay = [s1, m1, s2, m2].map(hashWords)
    const { met, paused } = meet({ table: 'whitelist', memory, change, stay, chain: 4 })
    expect(met).toBeGreaterThan(1_000)
    expect(paused).toBeGreaterThan(400)
  })
})

test('an entry is whole before it is counted, and linked after', () => {
  const memory = createWhitelist(SEED, CAPACITY)
  const table = new Whitelist(memory, true)
  const words = hashWords(1)
  const cells = new Int32Array(memory)
  const isWritten = () =>
    cells.some((cell, i) => words.every((word, w) => (w === 0 ? cell : cells[i + w]) === word))
  const seen: [boolean, boolean][] = []
  moments(
    () => addHash(table, words),
    () => seen.push([isWritten(), table.has(words)]),
  )
  expect(seen).toEqual([
    [false, false],
    [true, false],
    [true, false],
    [true, true],
  ])
})

test('a bucket is filled before it is counted, and in use after', () => {
  const memory = createWhitelist(SEED, CAPACITY)
  const table = new OpenWhitelist(memory, true)
  const [moved] = numbers(1, (n) => table.bucket(n) === 0 && table.half(n) === 1) as [number]
  const others = numbers(BUCKETS, (n) => table.bucket(n) !== 0)
  const all = [moved, ...others.slice(0, -1)]
  for (const n of all) table.put1(n)
  const cells = new Int32Array(memory)
  const seen: [boolean, number, boolean][] = []
  moments(
    () => table.put1(others.at(-1)!),
    () =>
      seen.push([
        cells[BUCKETS_AT + BUCKETS] !== END,
        cells[HEADER.buckets]!,
        all.every((n) => table.has(hashWords(n))),
      ]),
  )
  expect(seen.slice(0, 3)).toEqual(Array(3).fill([false, BUCKETS, true]))
  expect(seen.slice(3, 5)).toEqual(Array(2).fill([true, BUCKETS, true]))
  expect(seen.slice(5)).toEqual(Array(5).fill([true, BUCKETS + 1, true]))
})
