/** A swarm at its memory limit answers as documented, loses nothing and never exceeds the limit (docs/behaviours.md S13). */
import { afterEach, describe, expect, mock, spyOn, test } from 'bun:test'
import { type AnnounceEvent, EVENT, type Family } from '../../src/bittorrent.ts'
import {
  chunkKib,
  FAMILIES,
  HEADER,
  TORRENT_BATCH,
  torrentBatchKib,
} from '../../src/swarm/layout.ts'
import { Cutoffs } from '../../src/swarm/peers.ts'
import { OUTCOME } from '../../src/swarm/shard.ts'
import { NaiveSwarm } from '../support/naive/swarm.ts'
import { dice, seed } from '../support/random.ts'
import type { HammerTask } from '../support/swarm/hammer-worker.ts'
import {
  hashesOfShard,
  hashHex,
  hashWords,
  listed,
  MAX,
  World,
  write,
} from '../support/swarm/harness.ts'
import { unfairness } from '../support/swarm/judge.ts'
import { faults } from '../support/swarm/whole.ts'

const KIB = 1024
const TORRENT_BATCH_KIB = torrentBatchKib(FAMILIES)
const { stopped } = EVENT

test(`a swarm short of memory agrees with the reference model (SEED=${seed})`, () => {
  const roll = dice()
  const world = new World({ seed, bytes: 96 * KIB })
  const twin = new NaiveSwarm()
  const hashes = [...hashesOfShard(world.swarm, 3, 250), ...hashesOfShard(world.swarm, 17, 250)]
  const { limit } = world.swarm.memory()
  expect(limit).toBe(96 * KIB)
  const largestNeed = Math.max(...FAMILIES.map(chunkKib), TORRENT_BATCH_KIB) * KIB
  const reached = { refused: 0, unremembered: 0, knownWhenSpent: 0, large: 0, cameBack: 0 }
  let spent = false
  let refusals = 0
  for (let step = 0; step < 9_000; step++) {
    // Few torrents with many peers, then many with few; between the two most announces are "stopped".
    const many = step % 3000 >= 1500
    const hash = hashes[many ? roll(hashes.length) : roll(3)]!
    const stopping = roll(100) < (step % 1000 < 700 ? 15 : 80)
    const wish = {
      family: (roll(2) === 0 ? 4 : 6) as Family,
      peer: roll(many ? 20 : 110),
      event: stopping ? stopped : (roll(3) as AnnounceEvent),
      left: BigInt(roll(2)),
    }
    const both = roll(2) === 0
    const name = hashHex(hash)
    const known = twin.torrents.get(name)?.peers.has(write(world.announce, hash, wish).endpoint)
    const outcome = world.tell(hash, wish, both)
    const { used } = world.swarm.memory()
    expect(used).toBeLessThanOrEqual(limit)
    if (outcome === OUTCOME.done) {
      if (spent && known) reached.knownWhenSpent++
      if (spent && !known && !stopping) reached.cameBack++
    } else {
      spent = true
      refusals++
      reached[outcome === OUTCOME.refused ? 'refused' : 'unremembered']++
      expect([known, stopping]).toEqual([known === undefined ? undefined : false, false])
      expect(limit - used).toBeLessThan(largestNeed)
    }
    const asker = write(world.announce, hash, wish)
    const memory = (['enough', 'no peer', 'no torrent'] as const)[outcome]
    const counts = twin.announce(name, asker, world.now, world.cutoffs, memory)
    const reply = both ? world.http : world.udp
    const { seeders, leechers, downloaded } = reply.answer
    expect({ step, seeders, leechers, downloaded }).toEqual({ step, ...counts })
    const torrent = twin.torrents.get(name)
    const want = stopping ? 0 : MAX
    const order = both ? [wish.family, wish.family === 4 ? 6 : 4] : [wish.family]
    const question = { asker, order, want, cutoffs: new Cutoffs() }
    if (torrent) expect([step, unfairness(reply.told(), torrent, question)]).toEqual([step, []])
    if (torrent?.large.has(wish.family)) reached.large++
    if (step % 50 === 0) expect(faults(world.memory)).toEqual([])
  }
  expect(world.swarm.totals()).toMatchObject({ torrents: twin.torrents.size, refusals })
  for (const [name, times] of Object.entries(reached))
    expect([name, times > 0]).toEqual([name, true])
})

/** Announces new peers until one is not stored. Returns how many were. */
function fillUp(world: World, hash: Int32Array, from = 0): number {
  for (let peer = from; ; peer++)
    if (world.tell(hash, { peer, want: 0 }) !== OUTCOME.done) return peer - from
}

describe('once the memory is spent', () => {
  test('a new torrent is refused and not stored', () => {
    const world = new World({ bytes: TORRENT_BATCH_KIB * KIB })
    const hashes = hashesOfShard(world.swarm, 3, TORRENT_BATCH + 1)
    for (const hash of hashes.slice(1)) expect(world.tell(hash)).toBe(OUTCOME.unremembered)
    expect(world.tell(hashes[0]!, { left: 1n })).toBe(OUTCOME.refused)
    expect(world.udp.told()).toEqual([])
    expect(listed(world, hashes[0]!)).toBeUndefined()
    expect(world.swarm.totals()).toMatchObject({ torrents: TORRENT_BATCH, refusals: 65 })
    expect(faults(world.memory)).toEqual([])
  })

  test('a new peer of a known torrent gets a full answer and is not stored', () => {
    const world = new World({ bytes: 20 * KIB })
    const hash = hashWords(1)
    const count = fillUp(world, hash)
    expect(world.tell(hash, { peer: 9000, left: 1n })).toBe(OUTCOME.unremembered)
    expect(world.udp.told()).toHaveLength(MAX)
    expect(world.udp.answer).toMatchObject({ seeders: count, leechers: 0 })
    expect(world.tell(hash, { peer: 9000, event: stopped })).toBe(OUTCOME.done)
    expect(listed(world, hash)?.peers).toHaveLength(count)
  })

  test('a known peer is served and updated as before', () => {
    const world = new World({ bytes: 20 * KIB })
    const hash = hashWords(1)
    const count = fillUp(world, hash)
    for (let peer = 0; peer < count; peer++) expect(world.tell(hash, { peer, left: 1n })).toBe(0)
    expect(world.udp.answer).toMatchObject({ seeders: 0, leechers: count })
    expect(faults(world.memory)).toEqual([])
  })

  test('a chunk without a place in the directory is given back', () => {
    const world = new World({})
    const [hash, passing] = hashesOfShard(world.swarm, 3, 2) as [Int32Array, Int32Array]
    // With 4,096 peers the directory and its memory are both full.
    for (let peer = 0; peer < 4096; peer++) world.tell(hash, { peer, want: 0 })
    for (let peer = 0; peer < 200; peer++) world.tell(passing, { peer, want: 0 })
    for (let peer = 0; peer < 200; peer++) world.tell(passing, { peer, event: stopped })
    const limit = new Int32Array(world.memory.budget, 0, 1)
    limit[0] = world.swarm.memory().used / KIB
    expect(world.tell(hash, { peer: 5000 })).toBe(OUTCOME.unremembered)
    expect(faults(world.memory)).toEqual([])
    limit[0]!++
    expect(world.tell(hash, { peer: 5000 })).toBe(OUTCOME.done)
    expect(faults(world.memory)).toEqual([])
  })

  test('freed memory is used again, any number of times', () => {
    const world = new World({ bytes: 96 * KIB })
    const [hash, other] = hashesOfShard(world.swarm, 3, 2) as [Int32Array, Int32Array]
    const count = fillUp(world, hash)
    const { used } = world.swarm.memory()
    for (let round = 0; round < 5; round++) {
      for (let peer = 0; peer < count; peer++) world.tell(hash, { peer, event: stopped })
      expect(fillUp(world, other)).toBe(count)
      for (let peer = 0; peer < count; peer++) world.tell(other, { peer, event: stopped })
      expect(fillUp(world, hash)).toBe(count)
      expect(world.swarm.memory().used).toBe(used)
    }
    expect(faults(world.memory)).toEqual([])
  })

  test('a salvage of the shard has room for every peer it held', () => {
    const world = new World({ bytes: 64 * KIB, seed })
    const roll = dice()
    const hashes = hashesOfShard(world.swarm, 3, 60)
    for (let i = 0; i < 20_000; i++)
      world.tell(hashes[Math.min(roll(60), roll(60))]!, {
        peer: roll(100),
        event: roll(3) === 0 ? stopped : EVENT.none,
        want: 0,
      })
    expect(world.swarm.totals().refusals).toBeGreaterThan(100)
    const { torrents, seeders } = world.swarm.totals()
    new Int32Array(world.memory.shards[3]!.torrents)[HEADER.lock] = 2
    expect(world.swarm.salvage(2)).toBe(1)
    expect(faults(world.memory)).toEqual([])
    expect(world.swarm.totals().torrents).toBe(torrents)
    // Runs grow again from small ones, so the last may have a few slots less.
    expect(world.swarm.totals().seeders).toBeGreaterThan(seeders - 64)
  })
})

describe('two threads that need the last free memory', () => {
  afterEach(() => mock.restore())

  test('cannot both take it', () => {
    const world = new World({ bytes: TORRENT_BATCH_KIB * KIB })
    const words = new Int32Array(world.memory.budget)
    const real = Atomics.compareExchange
    let raced = 0
    const spy = spyOn(Atomics, 'compareExchange')
    spy.mockImplementation(((array: Int32Array, at: number, old: number, fresh: number) => {
      // Just before this thread takes it, another one does.
      if (array.buffer === world.memory.budget && raced++ === 0)
        Atomics.add(words, 1, TORRENT_BATCH_KIB)
      return real(array, at, old, fresh)
    }) as typeof Atomics.compareExchange)
    expect(world.tell(hashWords(1))).toBe(OUTCOME.refused)
    expect(raced).toBe(1)
    expect(world.swarm.memory().used).toBe(world.swarm.memory().limit)
  })

  test(`never use more than is allowed, at any moment (SEED=${seed})`, async () => {
    const world = new World({ bytes: 120 * KIB, seed })
    const hashes = Array.from({ length: 200 }, (_, n) => hashWords(n))
    const progress = new SharedArrayBuffer(64)
    const { memory } = world
    const workers = [2, 3].map((thread) => {
      const worker = new Worker(new URL('../support/swarm/hammer-worker.ts', import.meta.url).href)
      const done = new Promise((resolve) => {
        worker.onmessage = resolve
      })
      const task: HammerTask = {
        memory,
        thread,
        seed: seed + thread,
        hashes,
        steps: 4000,
        progress,
      }
      worker.postMessage(task)
      return { worker, done }
    })
    let working = true
    const finished = Promise.all(workers.map(({ done }) => done)).then(() => {
      working = false
    })
    const { limit } = world.swarm.memory()
    while (working) {
      let most = 0
      for (let look = 0; look < 1000; look++) most = Math.max(most, world.swarm.memory().used)
      expect(most).toBeLessThanOrEqual(limit)
      await new Promise((resolve) => setImmediate(resolve))
    }
    await finished
    for (const { worker } of workers) worker.terminate()
    expect(world.swarm.totals().refusals).toBeGreaterThan(10)
    expect(faults(memory)).toEqual([])
  })
})

test('what is charged for others shares the limit, and an audit leaves it there', () => {
  const world = new World({ bytes: 96 * KIB })
  const { swarm } = world
  world.tell(hashWords(1))
  const own = swarm.memory().used
  expect(own).toBeGreaterThan(0)
  const rest = (96 * KIB - own) / KIB
  expect(swarm.charge(rest + 1)).toBe(false)
  expect(swarm.memory().used).toBe(own)
  expect(swarm.charge(rest)).toBe(true)
  expect(swarm.charge(1)).toBe(false)
  for (let audit = 0; audit < 2; audit++) {
    expect(swarm.audit()).toBe(true)
    expect(swarm.memory().used).toBe(96 * KIB)
  }
  expect(swarm.charge(-rest)).toBe(true)
  expect(swarm.audit()).toBe(true)
  expect(swarm.memory().used).toBe(own)
})
