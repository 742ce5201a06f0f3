/** Stored counts of torrents that are not here: a scrape never waits for them, and strangers cannot make them grow. */
import { describe, expect, test } from 'bun:test'
import { fileStored, Hashes, takeQuestions } from '../../src/swarm/dues.ts'
import { HEADER, MOST, QUESTIONS, STORED_COUNTS } from '../../src/swarm/layout.ts'
import { dice, seed } from '../random.ts'
import { arraysOf, hashesOfShard, hashHex, World } from './harness.ts'
import { faults } from './whole.ts'

const SHARD = 8

class Asker {
  readonly world = new World({ persistent: true })
  readonly hashes: Int32Array[]

  constructor(count: number) {
    this.hashes = hashesOfShard(this.world.swarm, SHARD, count)
  }
  ask(hash: Int32Array): number {
    const entry = this.world.scrape(hash)
    expect([entry.seeders, entry.leechers]).toEqual([0, 0])
    return entry.downloaded
  }
  /** What the control thread is asked for, in order. */
  questions(most = 1_000): string[] {
    const taken = new Hashes(1_000)
    const shard = this.world.swarm.shards[SHARD]!
    expect(takeQuestions(shard, taken, most, 0)).toBe(true)
    return Array.from({ length: taken.count }, (_, i) =>
      hashHex(taken.words.subarray(i * 5, i * 5 + 5)),
    )
  }
  file(hash: Int32Array, count: number): void {
    expect(fileStored(this.world.swarm, hash, 0, count, 0)).toBe(true)
  }
  faults(): string[] {
    return faults(this.world.memory, SHARD)
  }
  placeOf(hash: Int32Array): number {
    return this.world.swarm.key(hash) & (STORED_COUNTS - 1)
  }
}

test('a torrent is asked for once, and known afterwards', () => {
  const asker = new Asker(2)
  const [one, other] = asker.hashes as [Int32Array, Int32Array]
  for (const hash of [one, other, one]) expect(asker.ask(hash)).toBe(0)
  expect(asker.questions(1)).toEqual([hashHex(one)])
  expect(asker.questions()).toEqual([hashHex(other)])
  expect(asker.ask(one)).toBe(0)
  expect(asker.questions()).toEqual([])
  asker.file(one, 17)
  asker.file(other, 0)
  expect([asker.ask(one), asker.ask(other), asker.questions()]).toEqual([17, 0, []])
  expect(asker.faults()).toEqual([])
})

test.each([
  [MOST + 1, MOST + 1],
  [2 ** 40, 2 ** 40],
  [2 ** 63, Number.MAX_SAFE_INTEGER],
  [-1, 0],
  [Number.NaN, 0],
])('a count of %p is shown as %p', (stored, shown) => {
  const asker = new Asker(1)
  asker.ask(asker.hashes[0]!)
  asker.questions()
  asker.file(asker.hashes[0]!, stored)
  expect(asker.ask(asker.hashes[0]!)).toBe(shown)
})

test('only so many questions wait; who comes too late asks again', () => {
  const asker = new Asker(QUESTIONS * 3)
  for (const hash of asker.hashes) asker.ask(hash)
  const first = asker.questions()
  expect(first.length).toBe(QUESTIONS)
  for (const hash of asker.hashes) asker.ask(hash)
  const second = asker.questions()
  expect(second.length).toBe(QUESTIONS)
  // Some share a place, and take it from each other.
  expect(new Set([...first, ...second]).size).toBeGreaterThan(QUESTIONS * 1.8)
})

describe('two torrents with one place', () => {
  function rivals(): [Asker, Int32Array, Int32Array] {
    const asker = new Asker(400)
    for (const [i, one] of asker.hashes.entries())
      for (const other of asker.hashes.slice(i + 1))
        if (asker.placeOf(one) === asker.placeOf(other)) return [asker, one, other]
    throw new Error('no two hashes share a place')
  }

  test('do not take each other’s count', () => {
    const [asker, one, other] = rivals()
    asker.ask(one)
    asker.questions()
    asker.file(one, 3)
    expect(asker.ask(other)).toBe(0)
    expect(asker.questions()).toEqual([hashHex(other)])
    // The answer to a question that nobody has any more.
    asker.file(one, 99)
    asker.file(other, 4)
    expect(asker.ask(other)).toBe(4)
  })

  test('ask one question between them while it waits', () => {
    const [asker, one, other] = rivals()
    asker.ask(one)
    asker.ask(other)
    expect(asker.questions()).toEqual([hashHex(other)])
    expect(asker.faults()).toEqual([])
  })
})

describe('a torrent that comes here', () => {
  const come = (moment: 'asked' | 'taken' | 'known') => {
    const asker = new Asker(1)
    const [hash] = asker.hashes as [Int32Array]
    asker.ask(hash)
    if (moment !== 'asked') asker.questions()
    if (moment === 'known') asker.file(hash, 5)
    asker.world.tell(hash, { left: 1n })
    expect(asker.faults()).toEqual([])
    return { asker, hash }
  }
  test('is asked for no more', () => {
    expect(come('asked').asker.questions()).toEqual([])
  })
  test.each(['taken', 'known'] as const)('takes its count out when it is %s', (moment) => {
    const { asker, hash } = come(moment)
    asker.file(hash, 5)
    const { torrents } = arraysOf(asker.world.memory, asker.world.memory.shards[SHARD]!)
    expect(torrents.stored[asker.placeOf(hash) * 8 + 5]).toBe(0)
    expect(asker.world.scrape(hash)).toEqual({ seeders: 0, leechers: 1, downloaded: 0 })
  })
})

test('a rescue forgets the counts and the questions', () => {
  const asker = new Asker(3)
  const [known, taken, asked] = asker.hashes as [Int32Array, Int32Array, Int32Array]
  asker.ask(known)
  asker.ask(taken)
  asker.questions()
  asker.file(known, 5)
  asker.ask(asked)
  new Int32Array(asker.world.memory.shards[SHARD]!.torrents)[HEADER.lock] = 2
  expect(asker.world.swarm.recover(2)).toBe(1)
  expect(asker.questions()).toEqual([])
  asker.file(taken, 5)
  expect([known, taken, asked].map((hash) => asker.ask(hash))).toEqual([0, 0, 0])
  expect(asker.questions()).toHaveLength(3)
})

test('where completions are not kept nobody is asked, and nothing is touched', () => {
  const world = new World({})
  const [hash] = hashesOfShard(world.swarm, SHARD, 1) as [Int32Array]
  expect(world.scrape(hash).downloaded).toBe(0)
  const taken = new Hashes(10)
  expect(takeQuestions(world.swarm.shards[SHARD]!, taken, 10, 0)).toBe(true)
  expect([taken.count, faults(world.memory, SHARD)]).toEqual([0, []])
})

test(`whatever is asked, the counts stay in their places (SEED=${seed})`, () => {
  const roll = dice()
  const asker = new Asker(1_000)
  const truth = new Map(asker.hashes.map((hash) => [hashHex(hash), roll(1_000)]))
  const byName = new Map(asker.hashes.map((hash) => [hashHex(hash), hash]))
  let right = 0
  for (let step = 0; step < 20_000; step++) {
    const hash = asker.hashes[roll(1_000)]!
    const told = asker.ask(hash)
    if (told > 0) {
      expect([step, told]).toEqual([step, truth.get(hashHex(hash))!])
      right++
    }
    if (step % 1_000 === 0) expect([step, asker.faults()]).toEqual([step, []])
    if (step % 50 === 0)
      for (const name of asker.questions(40)) asker.file(byName.get(name)!, truth.get(name)!)
  }
  expect(right).toBeGreaterThan(5_000)
})
