/** The swarm as the management API is shown it. */
import { expect, test } from 'bun:test'
import { Lock } from '../../src/memory/lock.ts'
import { HEADER } from '../../src/swarm/layout.ts'
import { torrentView } from '../../src/view/torrents.ts'
import { hashHex, hashWords, World } from '../support/swarm/harness.ts'
import { until } from '../support/until.ts'

const hash = hashWords(1)

function make(longestWait?: number) {
  const world = new World({})
  world.tell(hash, { peer: 1 })
  world.now += 60
  world.tell(hash, { peer: 2, left: 1n })
  const shard = world.swarm.shards.indexOf(world.swarm.shardOf(world.swarm.hash(hash)))
  const lock = new Lock(world.memory.shards[shard]!.torrents, HEADER.lock, 2)
  return { world, lock, view: torrentView(world.swarm, () => world.cutoff, longestWait) }
}

test('shows a torrent with its peers, some by name, and a page of all', async () => {
  const { view } = make()
  const summary = { infoHash: hashHex(hash), seeders: 1, leechers: 1, downloaded: 0 }
  expect(await view.one(hash)).toMatchObject({ seeders: 1, leechers: 1, peers: [{}, {}] })
  expect(await view.one(hashWords(2))).toBeUndefined()
  expect(await view.some([hash, hashWords(2), hash])).toEqual([summary, summary])
  expect(await Array.fromAsync(view.page(0, 10))).toEqual([[summary]])
  expect(await Array.fromAsync(view.page(1, 10))).toEqual([])
})

test('counts a peer as gone by the clock of the moment', async () => {
  const { view, world } = make()
  world.now += world.lifetime - 60
  expect(await view.one(hash)).toMatchObject({ seeders: 0, leechers: 1 })
  expect(await view.some([hash])).toMatchObject([{ seeders: 0, leechers: 1 }])
  expect(await Array.fromAsync(view.page(0, 1))).toMatchObject([[{ seeders: 0, leechers: 1 }]])
})

test('waits for a torrent that is locked, while everything else goes on', async () => {
  const { view, lock } = make(60_000)
  lock.acquire()
  let shown = 0
  const asking = Promise.all([
    view.one(hash).then(() => shown++),
    view.some([hash]).then(() => shown++),
    Array.fromAsync(view.page(0, 1)).then(() => shown++),
  ])
  for (let turn = 0; turn < 50; turn++) await new Promise(setImmediate)
  expect(shown).toBe(0)
  lock.release()
  await until('all three', () => shown === 3)
  await asking
})

test('gives up when it stays locked', async () => {
  const { view, lock } = make(20)
  lock.acquire()
  const locked = 'a part of the swarm stayed locked for 20 ms'
  await expect(view.one(hash)).rejects.toThrow(locked)
  await expect(view.some([hash])).rejects.toThrow(locked)
  await expect(Array.fromAsync(view.page(0, 1))).rejects.toThrow(locked)
})
