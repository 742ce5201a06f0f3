/** Stored counts for scrapes: each torrent gets its own, and scrapes of unknown hashes use bounded memory. */
import { describe, expect, test } from 'bun:test'
import { EVENT } from '../../src/bittorrent.ts'
import { addStored, answerLookup, Hashes, hasOwed, takeLookups } from '../../src/storage/owed.ts'
import { HEADER, MOST, QUESTIONS, STORED_COUNTS } from '../../src/swarm/layout.ts'
import { SweepCursor } from '../../src/swarm/sweep.ts'
import { dice, seed } from '../support/random.ts'
import { arraysOf, hashesOfShard, hashHex, World } from '../support/swarm/harness.ts'
import { Trap, tornSwarm } from '../support/swarm/torn.ts'
import { faults } from '../support/swarm/whole.ts'

const SHARD = 8
const NOTHING = { seeders: 0, leechers: 0, downloaded: 0 }

class Asker {
  readonly world = new World({ persistent: true })
  readonly hashes: Int32Array[]

  constructor(count: number) {
    this.hashes = hashesOfShard(this.world.swarm, SHARD, count)
  }
  isAwaited(hash: Int32Array): boolean {
    return this.world.swarm.scrape(hash, this.world.cutoffs, { ...NOTHING })
  }
  ask(hash: Int32Array): number {
    const entry = this.world.scrape(hash)
    expect([entry.seeders, entry.leechers]).toEqual([0, 0])
    return entry.downloaded
  }
  /** The questions to the control thread, in order. */
  questions(most = 1_000): string[] {
    const taken = new Hashes(1_000)
    const shard = this.world.swarm.shards[SHARD]!
    expect(takeLookups(shard, taken, most)).toBe(true)
    return Array.from({ length: taken.count }, (_, i) =>
      hashHex(taken.words.subarray(i * 5, i * 5 + 5)),
    )
  }
  file(hash: Int32Array, count: number): void {
    expect(answerLookup(this.world.swarm, hash, 0, count)).toBe(true)
  }
  faults(): string[] {
    return faults(this.world.memory, SHARD)
  }
  placeOf(hash: Int32Array): number {
    return this.world.swarm.hash(hash) & (STORED_COUNTS - 1)
  }
}

test('a count is asked for once and known afterwards', () => {
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

test('the number of waiting questions is bounded; a scrape that finds no room asks again later', () => {
  const asker = new Asker(QUESTIONS * 3)
  for (const hash of asker.hashes) asker.ask(hash)
  const first = asker.questions()
  expect(first.length).toBe(QUESTIONS)
  for (const hash of asker.hashes) asker.ask(hash)
  const second = asker.questions()
  expect(second.length).toBe(QUESTIONS)
  // Some share a place and replace each other.
  expect(new Set([...first, ...second]).size).toBeGreaterThan(QUESTIONS * 1.8)
})

describe('two torrents that share a place in the table', () => {
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
    // The answer to a question that was replaced meanwhile.
    asker.file(one, 99)
    asker.file(other, 4)
    expect(asker.ask(other)).toBe(4)
  })

  test('have only one question at a time between them', () => {
    const [asker, one, other] = rivals()
    asker.ask(one)
    asker.ask(other)
    expect(asker.questions()).toEqual([hashHex(other)])
    expect(asker.faults()).toEqual([])
  })
})

describe('a torrent that enters memory', () => {
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
  test('is not asked for any more', () => {
    expect(come('asked').asker.questions()).toEqual([])
  })
  test.each(['taken', 'known'] as const)('takes its count with it when it is %s', (moment) => {
    const { asker, hash } = come(moment)
    asker.file(hash, 5)
    const { torrents } = arraysOf(asker.world.memory, asker.world.memory.shards[SHARD]!)
    expect(torrents.stored[asker.placeOf(hash) * 8 + 5]).toBe(0)
    expect(asker.world.scrape(hash)).toEqual({ seeders: 0, leechers: 1, downloaded: 5 })
    expect(asker.world.swarm.totals().downloads).toBe(5)
    expect([asker.questions(), asker.faults()]).toEqual([[], []])
    // A count it has already is not added a second time, from either source.
    asker.file(hash, 5)
    expect(addStored(asker.world.swarm, hash, 0, 5)).toBe(true)
    expect(asker.world.scrape(hash).downloaded).toBe(5)
  })

  test('with a known count is not looked up again', () => {
    const { asker } = come('known')
    expect(hasOwed(asker.world.swarm.shards[SHARD]!)).toBe(false)
  })

  test('without a count is asked for by scrapes, and its count is added to the completions here', () => {
    const asker = new Asker(1)
    const [hash] = asker.hashes as [Int32Array]
    asker.world.tell(hash, { left: 1n })
    asker.world.tell(hash, { event: EVENT.completed })
    for (let i = 0; i < 3; i++) expect(asker.isAwaited(hash)).toBe(true)
    expect(asker.questions()).toEqual([hashHex(hash)])
    asker.file(hash, 2 ** 40)
    expect(asker.isAwaited(hash)).toBe(false)
    expect(asker.world.scrape(hash)).toEqual({ seeders: 1, leechers: 0, downloaded: 2 ** 40 + 1 })
    expect([asker.questions(), asker.faults()]).toEqual([[], []])
    // It still owes its completions.
    expect(asker.world.swarm.owed()).toBe(1)
  })

  test('and is forgotten before the answer comes leaves the answer to scrapes', () => {
    const asker = new Asker(1)
    const [hash] = asker.hashes as [Int32Array]
    asker.world.tell(hash, { left: 1n })
    asker.isAwaited(hash)
    expect(asker.questions()).toEqual([hashHex(hash)])
    asker.world.tell(hash, { event: EVENT.stopped })
    const { swarm, cutoffs } = asker.world
    swarm.shards[SHARD]!.sweep(new SweepCursor(), cutoffs, { removePeerless: true }, 1e6)
    expect(swarm.totals().torrents).toBe(0)
    asker.file(hash, 9)
    expect([asker.ask(hash), asker.faults()]).toEqual([9, []])
  })
})

test('a scrape learns whether a count may still come', () => {
  const asker = new Asker(QUESTIONS * 3)
  const [hash, ...others] = asker.hashes as [Int32Array, ...Int32Array[]]
  expect(asker.isAwaited(hash)).toBe(true)
  asker.questions()
  expect(asker.isAwaited(hash)).toBe(true)
  asker.file(hash, 0)
  expect(asker.isAwaited(hash)).toBe(false)
  // Questions beyond the room are not asked; torrents that share a place share a question.
  const awaited = others.filter((other) => asker.isAwaited(other)).length
  expect(awaited).toBeGreaterThanOrEqual(QUESTIONS)
  expect(awaited).toBeLessThan(others.length)
  expect(asker.questions()).toHaveLength(QUESTIONS)
})

test('a salvage forgets the counts and the questions', () => {
  const asker = new Asker(3)
  const [known, taken, asked] = asker.hashes as [Int32Array, Int32Array, Int32Array]
  asker.ask(known)
  asker.ask(taken)
  asker.questions()
  asker.file(known, 5)
  asker.ask(asked)
  new Int32Array(asker.world.memory.shards[SHARD]!.torrents)[HEADER.lock] = 2
  expect(asker.world.swarm.salvage(2)).toBe(1)
  expect(asker.questions()).toEqual([])
  asker.file(taken, 5)
  expect([known, taken, asked].map((hash) => asker.ask(hash))).toEqual([0, 0, 0])
  expect(asker.questions()).toHaveLength(3)
})

test('a salvage forgets them all, even after a salvage that died half-way', () => {
  const asker = new Asker(3)
  const { world, hashes } = asker
  const trap = new Trap()
  const torn = tornSwarm(world.memory, 2, trap)
  for (let steps = 0; ; steps++) {
    for (const hash of hashes) asker.ask(hash)
    new Int32Array(world.memory.shards[SHARD]!.torrents)[HEADER.lock] = 2
    trap.arm(steps, true)
    try {
      torn.shards[SHARD]!.torrents.stored.reset()
    } catch {}
    expect(world.swarm.salvage(2)).toBe(1)
    for (const hash of hashes) asker.ask(hash)
    expect(asker.questions()).toEqual(hashes.map(hashHex))
    expect(asker.faults()).toEqual([])
    if (!trap.sprung) return
  }
})

test('where completions are not stored no question is asked and no memory is touched', () => {
  const world = new World({})
  const [hash] = hashesOfShard(world.swarm, SHARD, 1) as [Int32Array]
  expect(world.swarm.scrape(hash, world.cutoffs, { ...NOTHING })).toBe(false)
  world.tell(hash, {})
  expect(world.swarm.scrape(hash, world.cutoffs, { ...NOTHING })).toBe(false)
  const taken = new Hashes(10)
  expect(takeLookups(world.swarm.shards[SHARD]!, taken, 10)).toBe(true)
  expect([taken.count, faults(world.memory, SHARD)]).toEqual([0, []])
})

test(`random questions and answers keep every count in its place (SEED=${seed})`, () => {
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
