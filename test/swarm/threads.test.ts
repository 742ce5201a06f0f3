/** Several threads in one shard: nothing is lost while they run, and at most one torrent when one dies. */
import { expect, test } from 'bun:test'
import { HEADER } from '../../src/swarm/layout.ts'
import { dice, seed } from '../support/random.ts'
import type { HammerResult, HammerTask } from '../support/swarm/hammer-worker.ts'
import {
  hashesOfShard,
  hashHex,
  hashWords,
  listed,
  THREE_FAMILIES,
  World,
} from '../support/swarm/harness.ts'
import { faults } from '../support/swarm/whole.ts'
import { repeated } from '../support/thorough.ts'

const SHARD = 9
const MAIN = 1

/** One turn of the event loop, in which other threads go on. */
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

function hammer(task: HammerTask) {
  const worker = new Worker(new URL('../support/swarm/hammer-worker.ts', import.meta.url).href)
  const result = new Promise<HammerResult>((resolve, reject) => {
    worker.onmessage = ({ data }) => resolve(data)
    worker.onerror = ({ message }) => reject(new Error(message))
  })
  const closed = new Promise((resolve) => worker.addEventListener('close', resolve))
  worker.postMessage(task)
  const steps = () => Atomics.load(new Int32Array(task.progress), task.thread)
  return {
    result,
    /** Resolves when the thread went on for `more` steps. */
    async goesOn(more: number): Promise<void> {
      for (const from = steps(); steps() < from + more; ) await turn()
    },
    async kill(): Promise<void> {
      worker.terminate()
      await closed
    },
  }
}

test(`two threads that announce to one shard leave exactly their own peers (SEED=${seed})`, async () => {
  const world = new World({ seed, thread: MAIN, persistent: true, families: THREE_FAMILIES })
  const hashes = [...hashesOfShard(world.swarm, SHARD, 8), hashWords(1_000_000)]
  const progress = new SharedArrayBuffer(64)
  const { memory } = world
  const task = { memory, hashes, progress, steps: repeated(20_000) }
  const one = hammer({ ...task, thread: 2, seed: seed + 2 })
  const two = hammer({ ...task, thread: 3, seed: seed + 4 })
  let results: HammerResult[] | undefined
  const finished = Promise.all([one.result, two.result]).then((both) => {
    results = both
  })
  // This thread reads all the while.
  let looks = 0
  for (; results === undefined; looks++) {
    const hash = hashes[looks % hashes.length]!
    const { lock } = world.swarm.shards[SHARD]!
    const peers = listed(world, hash)?.peers ?? []
    expect(new Set(peers.map((peer) => peer.endpoint)).size).toBe(peers.length)
    lock.acquire()
    const found = faults(memory, SHARD, MAIN)
    lock.release()
    expect(found).toEqual([])
    await turn()
  }
  await finished
  expect(looks).toBeGreaterThan(3)
  expect(faults(memory)).toEqual([])
  const sum = { torrents: hashes.length, seeders: 0, leechers: 0, downloads: 0 }
  for (const hash of hashes) {
    const parts = results!.map((result) => result.get(hashHex(hash))!)
    const seeders = parts.flatMap((part) => part.seeders).sort()
    const leechers = parts.flatMap((part) => part.leechers).sort()
    const downloaded = parts.reduce((total, part) => total + part.downloaded, 0)
    const torrent = listed(world, hash)!
    const side = (seeding: boolean) =>
      torrent.peers.filter((p) => (p.left === 0n) === seeding).map((p) => p.endpoint)
    expect(side(true)).toEqual(seeders)
    expect(side(false)).toEqual(leechers)
    expect(torrent.downloaded).toBe(downloaded)
    sum.seeders += seeders.length
    sum.leechers += leechers.length
    sum.downloads += downloaded
  }
  expect(world.swarm.totals()).toMatchObject({ ...sum, completions: sum.downloads })
  await Promise.all([one.kill(), two.kill()])
})

test(`W53: the shard and the other threads survive a thread that dies at any point (SEED=${seed})`, async () => {
  const roll = dice()
  const world = new World({ seed, thread: MAIN, persistent: true, families: THREE_FAMILIES })
  const hashes = hashesOfShard(world.swarm, SHARD, 8)
  const { lock } = world.swarm.shards[SHARD]!
  const progress = new SharedArrayBuffer(64)
  const { memory } = world
  const task = { memory, hashes, progress, steps: 0 }
  const survivor = hammer({ ...task, thread: 2, seed })
  await survivor.goesOn(1)
  // A torrent that no thread changes any more.
  const [quiet] = hashesOfShard(world.swarm, SHARD, 9).slice(8) as [Int32Array]
  const { torrents } = world.swarm.shards[SHARD]!
  const inQuiet = () => {
    for (let peer = 0; peer < 70; peer++) world.tell(quiet, { peer, left: BigInt(peer % 2) })
    return listed(world, quiet)
  }
  let untouched = inQuiet()
  let salvaged = 0
  let deaths = 0
  // Otherwise the deaths proved nothing.
  for (; deaths < 20 || (salvaged < 4 && deaths < 200); deaths++) {
    const victim = hammer({ ...task, thread: 3, seed: seed + deaths * 2 })
    await victim.goesOn(1 + roll(300))
    await victim.kill()
    // It died with this lock, with that of a shard it swept, or with none; locks of other threads are not seized.
    if (lock.holder() === 3) salvaged++
    // Seldom it dies in a sweep that looks at the quiet torrent, whose peers are then given up like those of any other.
    const isSwept =
      lock.holder() === 3 &&
      torrents.header[HEADER.busy] === torrents.find(quiet, world.swarm.hash(quiet))
    const held = world.swarm.shards.filter((shard) => shard.lock.holder() === 3)
    expect(held.length).toBeLessThan(2)
    expect(world.swarm.salvage(3)).toBe(held.length)
    lock.acquire()
    const found = faults(memory, SHARD, MAIN)
    lock.release()
    expect([deaths, found]).toEqual([deaths, []])
    if (isSwept) untouched = inQuiet()
    else expect(listed(world, quiet)).toEqual(untouched)
    await survivor.goesOn(100)
  }
  expect(salvaged).toBeGreaterThan(3)
  await survivor.kill()
  world.swarm.salvage(2)
  expect(faults(memory)).toEqual([])
})
