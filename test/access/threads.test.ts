/**
 * Threads that read while another changes the table: entries that stay are always found, removed ones are not, and
 * no entry is read half-changed.
 */
import { expect, test } from 'bun:test'
import { createKeys, Keys } from '../../src/access/keys.ts'
import { createWhitelist, packHashes, Whitelist } from '../../src/access/whitelist.ts'
import { addHash, addKey, hashWords, keyWords, packed } from '../support/access/entries.ts'
import { BUSY, type ReaderResult, type ReaderTask, TIMES } from '../support/access/reader-worker.ts'
import { dice, seed } from '../support/random.ts'
import { repeated } from '../support/thorough.ts'

const READERS = 2
const STAYS = 400
/** Entries added during the test, enough for the table to grow all the time. */
const END = 40_000
const CHANGES = repeated(150_000)
/** Answers of each reader while things change; otherwise it would have nothing to judge. */
const ENOUGH = 5_000

function startReader(task: ReaderTask) {
  const worker = new Worker(new URL('../support/access/reader-worker.ts', import.meta.url).href)
  const { promise, resolve, reject } = Promise.withResolvers<ReaderResult>()
  worker.onmessage = ({ data }) => resolve(data)
  worker.onerror = ({ message }) => reject(new Error(message))
  worker.postMessage(task)
  return { result: promise, end: () => worker.terminate() }
}

/** A turn of the event loop: messages and errors of the readers come in. */
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

test(`two threads that ask all the while never see half a change (SEED=${seed})`, async () => {
  const roll = dice()
  const secret = Int32Array.of(seed)
  const memory = { whitelist: createWhitelist(secret, END), keys: createKeys(secret, 2 * STAYS) }
  const whitelist = new Whitelist(memory.whitelist, false)
  const keys = new Keys(memory.keys, false)
  const states = new Int32Array(new SharedArrayBuffer(END * 4)).fill(1, STAYS)
  const control = new Int32Array(new SharedArrayBuffer(64))
  for (let n = 0; n < STAYS; n++) {
    addHash(whitelist, hashWords(n))
    addKey(keys, keyWords(n), TIMES[0])
  }
  const words = Array.from({ length: END }, (_, n) => hashWords(n))
  const keysThatStay = Array.from({ length: STAYS }, (_, n) => keyWords(n))
  const readers = Array.from({ length: READERS }, (_, reader) =>
    startReader({
      ...memory,
      states: states.buffer,
      stays: STAYS,
      end: END,
      seed: seed + 2 * reader,
      control: control.buffer,
      reader,
    }),
  )
  const asked = () => Math.min(...readers.map((_, reader) => Atomics.load(control, 1 + reader)))
  while (asked() === 0) await turn()

  /** Adds or removes number `n`; readers learn of it before and after. */
  const change = (n: number, add: boolean) => {
    const state = Atomics.load(states, n)
    if ((state % 2 === 0) === add) return
    Atomics.store(states, n, state | BUSY)
    if (add) addHash(whitelist, words[n]!)
    else whitelist.remove(words[n]!)
    Atomics.store(states, n, state + 1)
  }
  const replacement = async () => {
    const from = STAYS + roll(END - STAYS - 2_000)
    // It is not known when the others are removed.
    for (let n = STAYS; n < END; n++) Atomics.or(states, n, BUSY)
    const next = [packHashes(packed(0, STAYS)), packHashes(packed(from, 2_000))]
    for (const _ of whitelist.replace(next)) if (roll(20) === 0) await turn()
    for (let n = STAYS; n < END; n++) {
      const round = (Atomics.load(states, n) & ~BUSY) + 2
      Atomics.store(states, n, n >= from && n < from + 2_000 ? round & ~1 : round | 1)
    }
  }
  for (let i = 0; i < CHANGES || asked() <= ENOUGH; i++) {
    change(STAYS + roll(END - STAYS), roll(3) > 0)
    // The same few over and over: their records go from chain to chain.
    if (i % 2 === 0) change(STAYS + roll(50), roll(2) === 0)
    addKey(keys, keysThatStay[roll(STAYS)]!, TIMES[roll(TIMES.length)]!)
    if (i % 1_000 === 0) await turn()
    if (i % 30_000 === 29_999) await replacement()
  }
  Atomics.store(control, 0, 1)
  const results = await Promise.all(readers.map(({ result }) => result))
  for (const { end } of readers) end()
  expect(results.map(({ faults }) => faults)).toEqual([[], []])
  for (const { inside, outside } of results) {
    expect(inside).toBeGreaterThan(500)
    expect(outside).toBeGreaterThan(500)
  }
})
