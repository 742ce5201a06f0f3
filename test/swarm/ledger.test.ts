/** The completions the swarm owes the database: each is handed over once, however long that takes. */
import { describe, expect, test } from 'bun:test'
import { EVENT } from '../../src/bittorrent.ts'
import { Lock } from '../../src/memory/lock.ts'
import { addStored, hasOwed, OwedTorrents, takeOwed } from '../../src/storage/owed.ts'
import { HEADER, MOST } from '../../src/swarm/layout.ts'
import { SweepCursor } from '../../src/swarm/sweep.ts'
import { Listing } from '../../src/view/listing.ts'
import { dice, seed } from '../support/random.ts'
import type { HammerResult, HammerTask } from '../support/swarm/hammer-worker.ts'
import { arraysOf, hashesOfShard, hashHex, inspect, World } from '../support/swarm/harness.ts'
import { faults } from '../support/swarm/whole.ts'

const SHARD = 6
const DEAD = 2
const LARGEST = Number.MAX_SAFE_INTEGER

class Lender {
  readonly world: World
  readonly hashes: Int32Array[]
  readonly dues = new OwedTorrents(1_000)

  constructor(persistent = true) {
    this.world = new World({ persistent })
    this.hashes = hashesOfShard(this.world.swarm, SHARD, 12)
  }
  get shard() {
    return this.world.swarm.shards[SHARD]!
  }
  complete(n: number, peer = 1): void {
    this.world.tell(this.hashes[n]!, { peer, left: 1n })
    this.world.tell(this.hashes[n]!, { peer, event: EVENT.completed })
  }
  stop(n: number, peer = 1): void {
    this.world.tell(this.hashes[n]!, { peer, event: EVENT.stopped })
  }
  sweep(): void {
    const retention = { removePeerless: true }
    this.shard.sweep(new SweepCursor(), this.world.cutoffs, retention, 1e6)
  }
  /** `[number of the hash, owed, wanted]` of each entry that was taken. */
  take(most = 100): [number, number, boolean][] {
    this.dues.count = 0
    expect(takeOwed(this.shard, this.dues, most)).toBe(true)
    expect(faults(this.world.memory, SHARD)).toEqual([])
    const names = this.hashes.map(hashHex)
    return Array.from({ length: this.dues.count }, (_, i) => [
      names.indexOf(hashHex(this.dues.words.subarray(i * 5, i * 5 + 5))),
      this.dues.owed[i]!,
      this.dues.wanted[i] === 1,
    ])
  }
  answer(n: number, stored: number): void {
    expect(addStored(this.world.swarm, this.hashes[n]!, 0, stored)).toBe(true)
    expect(faults(this.world.memory, SHARD)).toEqual([])
  }
  /** As the control thread does when thread `DEAD` died with the lock. */
  salvage(): void {
    new Int32Array(this.world.memory.shards[SHARD]!.torrents)[HEADER.lock] = DEAD
    expect(this.world.swarm.salvage(DEAD)).toBe(1)
    expect(faults(this.world.memory, SHARD)).toEqual([])
  }
  downloaded(n: number): number {
    return this.world.scrape(this.hashes[n]!).downloaded
  }
}

test('where completions are not kept there is no ledger, and no memory for one', () => {
  const lender = new Lender(false)
  for (const n of [0, 1, 2]) lender.complete(n)
  const { torrents } = arraysOf(lender.world.memory, lender.world.memory.shards[SHARD]!)
  expect([torrents.owed.length, torrents.stored.length, hasOwed(lender.shard)]).toEqual([
    0,
    0,
    false,
  ])
  expect(lender.take()).toEqual([])
  lender.answer(0, 7)
  expect(lender.downloaded(0)).toBe(1)
  lender.salvage()
  expect(lender.take()).toEqual([])
})

describe('the ledger', () => {
  test('holds a torrent from its first announce on, once', () => {
    const lender = new Lender()
    lender.world.scrape(lender.hashes[0]!)
    lender.stop(0)
    expect([hasOwed(lender.shard), lender.take()]).toEqual([false, []])
    for (const peer of [1, 2]) lender.world.tell(lender.hashes[0]!, { peer })
    expect([hasOwed(lender.shard), lender.take()]).toEqual([true, [[0, 0, true]]])
    expect([hasOwed(lender.shard), lender.take()]).toEqual([false, []])
  })

  test('adds up the completions of a torrent', () => {
    const lender = new Lender()
    for (const n of [3, 1, 2]) lender.complete(n)
    for (const peer of [2, 3]) lender.complete(1, peer)
    expect(lender.world.swarm.owed()).toBe(5)
    expect(lender.take(2)).toEqual([
      [2, 1, true],
      [1, 3, true],
    ])
    lender.complete(3, 2)
    expect(lender.take()).toEqual([[3, 2, true]])
    expect(lender.world.swarm.owed()).toBe(0)
  })

  test('gives torrents that owe completions before those that only want a stored count, the oldest first', () => {
    const lender = new Lender()
    for (const n of [4, 0, 5, 3]) lender.world.tell(lender.hashes[n]!, { peer: 1 })
    lender.complete(5)
    expect(lender.take(3)).toEqual([
      [5, 1, true],
      [4, 0, true],
      [0, 0, true],
    ])
    lender.complete(4)
    expect(lender.take()).toEqual([
      [4, 1, true],
      [3, 0, true],
    ])
  })

  test('gives no more than there is room for', () => {
    const lender = new Lender()
    for (const n of [0, 1, 2]) lender.complete(n)
    const small = new OwedTorrents(2)
    expect(takeOwed(lender.shard, small, 100)).toBe(true)
    expect(small.count).toBe(2)
    expect(takeOwed(lender.shard, small, 100)).toBe(true)
    expect(small.count).toBe(2)
    expect(lender.take()).toEqual([[0, 1, true]])
  })

  test('waits for a stored count until it arrives, and takes it once', () => {
    const lender = new Lender()
    lender.complete(0)
    expect(lender.take()).toEqual([[0, 1, true]])
    lender.complete(0, 2)
    expect(lender.take()).toEqual([[0, 1, true]])
    lender.answer(0, 40)
    expect(lender.downloaded(0)).toBe(42)
    lender.answer(0, 40)
    expect(lender.downloaded(0)).toBe(42)
    lender.complete(0, 3)
    expect(lender.take()).toEqual([[0, 1, false]])
    expect(lender.downloaded(0)).toBe(43)
    expect(lender.world.swarm.totals()).toMatchObject({ downloads: 43, completions: 3 })
  })

  test.each([
    [MOST - 1, MOST + 1],
    [MOST, MOST + 2],
    [2 ** 40, 2 ** 40 + 2],
    [LARGEST - 2, LARGEST],
    [LARGEST, LARGEST],
    [2 ** 63, LARGEST],
    [-5, 2],
    [Number.NaN, 2],
  ])('adds to a stored count of %p: %p', (stored, shown) => {
    const lender = new Lender()
    lender.complete(0)
    lender.answer(0, stored)
    lender.complete(0, 2)
    // Whatever can be shown, the database gets every completion.
    expect(lender.take()).toEqual([[0, 2, false]])
    expect(lender.downloaded(0)).toBe(shown)
    expect(faults(lender.world.memory, SHARD)).toEqual([])
    expect(lender.world.swarm.totals()).toMatchObject({ downloads: shown, completions: 2 })
    lender.salvage()
    expect(lender.downloaded(0)).toBe(shown)
    expect(lender.world.swarm.totals().downloads).toBe(shown)
  })

  test('counts completions on when all of them together outgrow a word', () => {
    const lender = new Lender()
    const many = 2 ** 31 + 5
    for (const n of [0, 1, 2]) {
      lender.complete(n)
      lender.answer(n, many)
    }
    lender.complete(3)
    expect(lender.world.swarm.totals()).toMatchObject({ downloads: 3 * many + 4, completions: 4 })
    for (const n of [0, 1, 2]) lender.stop(n)
    lender.take()
    lender.sweep()
    expect(faults(lender.world.memory, SHARD)).toEqual([])
    expect(lender.world.swarm.totals()).toMatchObject({ torrents: 1, downloads: 1 })
    // The next torrent in its place inherits no count.
    lender.complete(4)
    expect(lender.downloaded(4)).toBe(1)
  })

  test('a count beyond a word is shown exactly in the management API', async () => {
    const lender = new Lender()
    lender.complete(0)
    lender.answer(0, 2 ** 45)
    const { cutoffs } = lender.world
    const [hash] = lender.hashes
    expect(inspect(lender.world.swarm, hash!, cutoffs)).toMatchObject({ downloaded: 2 ** 45 + 1 })
    const listing = new Listing(lender.world.swarm)
    const [listed] = await Array.fromAsync(listing.list(cutoffs, 0, 10))
    expect(listed).toMatchObject([{ downloaded: 2 ** 45 + 1 }])
    expect(await listing.summaries(cutoffs, hash!)).toMatchObject([{ downloaded: 2 ** 45 + 1 }])
  })

  test('a stored count that comes after its torrent is forgotten goes to no other torrent', () => {
    const lender = new Lender()
    lender.answer(0, 7)
    expect(lender.downloaded(0)).toBe(0)
    lender.world.tell(lender.hashes[0]!, {})
    expect(lender.take()).toEqual([[0, 0, true]])
  })

  test('leaves alone a shard that another thread has locked', () => {
    const lender = new Lender()
    lender.complete(0)
    const other = new Lock(lender.world.memory.shards[SHARD]!.torrents, HEADER.lock, DEAD)
    other.acquire()
    expect(takeOwed(lender.shard, lender.dues, 10)).toBe(false)
    expect(addStored(lender.world.swarm, lender.hashes[0]!, 0, 5)).toBe(false)
    expect([other.holder(), lender.dues.count]).toEqual([DEAD, 0])
    other.release()
    expect(lender.take()).toEqual([[0, 1, true]])
  })
})

describe('a sweep', () => {
  test('keeps a torrent that owes the database completions', () => {
    const lender = new Lender()
    lender.complete(0)
    lender.answer(0, 0)
    lender.stop(0)
    lender.sweep()
    expect(lender.take()).toEqual([[0, 1, false]])
    lender.sweep()
    expect(lender.world.swarm.totals().torrents).toBe(0)
  })

  test('keeps a torrent whose owed completions were taken while its stored count is on its way', () => {
    const lender = new Lender()
    lender.complete(0)
    lender.take()
    lender.stop(0)
    lender.sweep()
    lender.answer(0, 9)
    expect(lender.downloaded(0)).toBe(10)
    lender.sweep()
    expect(lender.world.swarm.totals().torrents).toBe(0)
  })

  test('forgets those that only wait for their count, wherever they stand in the ledger', () => {
    const lender = new Lender()
    for (const n of [0, 1, 2, 3, 4, 5]) lender.world.tell(lender.hashes[n]!, { peer: 1 })
    lender.complete(1)
    lender.complete(4)
    for (const n of [0, 1, 2, 4, 5]) lender.stop(n)
    lender.sweep()
    expect(faults(lender.world.memory)).toEqual([])
    expect(lender.world.swarm.totals().torrents).toBe(3)
    expect(lender.take()).toEqual([
      [4, 1, true],
      [1, 1, true],
      [3, 0, true],
    ])
  })
})

test('a salvage keeps every owed completion and every wanted count', () => {
  const lender = new Lender()
  for (const n of [0, 1, 2, 3]) lender.complete(n)
  lender.take(3)
  lender.answer(0, 5)
  lender.answer(1, 6)
  for (const peer of [2, 3]) lender.complete(1, peer)
  lender.salvage()
  const taken = lender.take().sort()
  expect(taken).toEqual([
    [0, 1, false],
    [1, 2, false],
    [2, 0, true],
    [3, 0, true],
  ])
  expect([lender.downloaded(0), lender.downloaded(1)]).toEqual([6, 9])
})

test(`in a long random life the database gets every completion once (SEED=${seed})`, () => {
  const roll = dice()
  const lender = new Lender()
  const database = new Map<number, number>()
  const completions = new Map<number, number>()
  const add = (map: Map<number, number>, n: number, more: number) =>
    map.set(n, (map.get(n) ?? 0) + more)
  const reached = { forgotten: 0, cameBack: 0, salvaged: 0, late: 0 }
  /** Torrents that were taken and are looked up at some moment between two batches. */
  let hand: [number, number, boolean][] = []
  let looked = new Map<number, number>()
  let peer = 0
  const seen = new Set<number>()
  for (let step = 0; step < 6_000; step++) {
    const n = Math.min(roll(12), roll(12))
    const before = lender.world.swarm.totals().torrents
    const kind = roll(12)
    if (kind < 4) {
      lender.complete(n, ++peer)
      add(completions, n, 1)
      lender.stop(n, peer)
      if (seen.has(n)) reached.cameBack++
      seen.add(n)
    } else if (kind < 6) {
      lender.world.tell(lender.hashes[n]!, { peer: 0 })
      lender.stop(n, 0)
    } else if (kind < 9) lender.sweep()
    else if (kind === 9 && roll(4) === 0) {
      lender.salvage()
      reached.salvaged++
    } else if (hand.length === 0 && looked.size === 0) {
      hand = lender.take(1 + roll(6))
      looked = new Map(
        hand.filter(([, , wanted]) => wanted).map(([n]) => [n, database.get(n) ?? 0]),
      )
    } else if (looked.size > 0) {
      // Answers arrive one by one; the completions are written only after the last.
      const [[answered, stored]] = [...looked] as [[number, number]]
      looked.delete(answered)
      const here = lender.downloaded(answered)
      lender.answer(answered, stored)
      if (stored > 0 && lender.downloaded(answered) === here) reached.late++
    } else {
      for (const [owing, owed] of hand) add(database, owing, owed)
      hand = []
    }
    reached.forgotten += Math.max(0, before - lender.world.swarm.totals().torrents)
    if (step % 20 === 0) expect([step, faults(lender.world.memory, SHARD)]).toEqual([step, []])
  }
  for (const [answered, stored] of looked) lender.answer(answered, stored)
  for (const [owing, owed] of hand) add(database, owing, owed)
  for (const [n, owed, wanted] of lender.take(1_000)) {
    if (wanted) lender.answer(n, database.get(n) ?? 0)
    add(database, n, owed)
  }
  for (const [n, times] of completions) expect([n, database.get(n)]).toEqual([n, times])
  for (const n of lender.hashes.keys()) {
    const key = lender.world.swarm.hash(lender.hashes[n]!)
    // Torrents still in memory are shown with all their completions.
    if (lender.shard.torrents.find(lender.hashes[n]!, key) >= 0)
      expect([n, lender.downloaded(n)]).toEqual([n, database.get(n) ?? 0])
  }
  for (const [name, times] of Object.entries(reached))
    expect([name, times > 0]).toEqual([name, true])
})

test(`two threads complete torrents while a third takes what they owe (SEED=${seed})`, async () => {
  const world = new World({ seed, persistent: true })
  const hashes = hashesOfShard(world.swarm, SHARD, 8)
  const shard = world.swarm.shards[SHARD]!
  const workers = [2, 3].map((thread) => {
    const worker = new Worker(new URL('../support/swarm/hammer-worker.ts', import.meta.url).href)
    const done = new Promise<HammerResult>((resolve, reject) => {
      worker.onmessage = ({ data }) => resolve(data)
      worker.onerror = ({ message }) => reject(new Error(message))
    })
    const task: HammerTask = {
      memory: world.memory,
      thread,
      seed: seed + thread * 2,
      hashes,
      steps: 20_000,
      progress: new SharedArrayBuffer(64),
    }
    worker.postMessage(task)
    return { worker, done }
  })
  let working = true
  const finished = Promise.all(workers.map(({ done }) => done)).finally(() => {
    working = false
  })
  const dues = new OwedTorrents(3)
  const told = new Map<string, number>()
  const take = () => {
    dues.count = 0
    if (!takeOwed(shard, dues, 3)) return true
    for (let i = 0; i < dues.count; i++) {
      const name = hashHex(dues.words.subarray(i * 5, i * 5 + 5))
      told.set(name, (told.get(name) ?? 0) + dues.owed[i]!)
      if (dues.wanted[i] === 1) while (!addStored(world.swarm, dues.words, i * 5, 1_000));
    }
    return dues.count > 0
  }
  for (let turns = 0; working; turns++) {
    take()
    if (turns % 50 === 0) {
      shard.lock.acquire()
      const found = faults(world.memory, SHARD, 1)
      shard.lock.release()
      expect(found).toEqual([])
    }
    await new Promise((resolve) => setImmediate(resolve))
  }
  const results = await finished
  while (take());
  for (const { worker } of workers) worker.terminate()
  expect(faults(world.memory)).toEqual([])
  for (const hash of hashes) {
    const name = hashHex(hash)
    const completions = results.reduce((sum, result) => sum + result.get(name)!.downloaded, 0)
    expect([name, told.get(name)]).toEqual([name, completions])
    expect(world.scrape(hash).downloaded).toBe(completions + 1_000)
  }
})
