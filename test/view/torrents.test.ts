/** How the view shows torrents and their peers to the management API. */
import { describe, expect, test } from 'bun:test'
import { EVENT, WEB } from '../../src/bittorrent.ts'
import { Lock } from '../../src/memory/lock.ts'
import { HEADER } from '../../src/swarm/layout.ts'
import { SweepCursor } from '../../src/swarm/sweep.ts'
import { torrentView } from '../../src/view/torrents.ts'
import { hashHex, hashWords, inspect, THREE_FAMILIES, World } from '../support/swarm/harness.ts'
import { until } from '../support/until.ts'

const hash = hashWords(1)

describe.each([
  0n,
  1n,
  2n ** 31n,
  2n ** 32n - 1n,
  2n ** 32n,
  2n ** 53n + 1n,
  2n ** 63n,
  2n ** 64n - 1n,
])('a count of %p', (count) => {
  test.each(['uploaded', 'downloaded', 'left'] as const)('is shown exactly as %s', (field) => {
    const world = new World({})
    world.tell(hash, { peer: 1, left: 7n, uploaded: 8n, downloaded: 9n, [field]: count })
    const torrent = inspect(world.swarm, hash)
    expect(torrent).toMatchObject({
      peers: [{ left: 7n, uploaded: 8n, downloaded: 9n, [field]: count }],
    })
    expect(torrent).toMatchObject(
      field === 'left' && count === 0n ? { seeders: 1 } : { leechers: 1 },
    )
  })
})

test('a peer is shown with its endpoint, id, event and time', () => {
  const world = new World({})
  // In 2086, so that every bit of the second is used.
  world.now = 0xdabc_ba98
  world.tell(hash, { peer: 5, event: EVENT.started, left: 1n })
  world.tell(hash, { family: 6, peer: 6, event: EVENT.completed })
  const address = [0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]
  const shown = { seen: world.now, uploaded: 0n, downloaded: 0n }
  expect(inspect(world.swarm, hash)).toEqual({
    seeders: 1,
    leechers: 1,
    downloaded: 0,
    peers: [
      {
        ...shown,
        family: 4,
        endpoint: Uint8Array.of(10, 0, 0, 1, 6882 >> 8, 6882),
        peerId: new Uint8Array(Buffer.from('-XX0001-000000000005')),
        left: 1n,
        event: EVENT.started,
      },
      {
        ...shown,
        family: 6,
        endpoint: Uint8Array.of(...address, 6883 >> 8, 6883),
        peerId: new Uint8Array(Buffer.from('-XX0001-000000000006')),
        left: 0n,
        event: EVENT.completed,
      },
    ],
  })
})

test('a torrent that was read does not change with the swarm', () => {
  const world = new World({})
  world.tell(hash, { peer: 5 })
  const torrent = inspect(world.swarm, hash)
  const copy = structuredClone(torrent)
  world.tell(hash, { peer: 5, event: EVENT.stopped })
  world.tell(hash, { peer: 6 })
  expect(torrent).toEqual(copy)
})

test('an unknown torrent is not shown; one without peers is', () => {
  const world = new World({})
  expect(inspect(world.swarm, hash)).toBeUndefined()
  world.tell(hash, { peer: 5 })
  world.tell(hash, { peer: 5, event: EVENT.stopped })
  expect(inspect(world.swarm, hash)).toEqual({
    seeders: 0,
    leechers: 0,
    downloaded: 0,
    peers: [],
  })
})

test.each([
  [511, 4],
  [512, 6],
  [513, 4],
  [3000, 6],
  [511, WEB],
  [3000, WEB],
])('all of %d peers of family %d are listed, each once', (count, family) => {
  const world = new World({ bytes: 2 ** 21, families: THREE_FAMILIES })
  for (let peer = 0; peer < count; peer++)
    world.tell(hash, { family, peer, left: BigInt(peer % 2), want: 0 })
  const torrent = inspect(world.swarm, hash)
  if (torrent === undefined || torrent === 'busy') throw new Error('not shown')
  const ids = torrent.peers.map((peer) => Buffer.from(peer.peerId).toString())
  expect(new Set(ids).size).toBe(count)
  expect(torrent.peers).toHaveLength(count)
  expect(torrent.seeders).toBe(Math.ceil(count / 2))
})

test('expired peers are left out, also those of a large swarm', () => {
  const world = new World({})
  for (let peer = 0; peer < 100; peer++) world.tell(hash, { peer, left: 1n })
  world.now += 100
  world.tell(hash, { peer: 7 })
  const before = world.cutoffs
  before.addresses--
  expect(inspect(world.swarm, hash, world.cutoffs)).toMatchObject({ seeders: 1, leechers: 0 })
  expect(inspect(world.swarm, hash, before)).toMatchObject({ leechers: 99 })
})

test('W51: seats are counted until their own time-out has passed, in a torrent and in a list', async () => {
  const world = new World({ families: THREE_FAMILIES })
  world.seatLifetime = 30
  for (const family of [4, WEB])
    for (let peer = 0; peer < 5; peer++) world.tell(hash, { family, peer, left: BigInt(peer % 2) })
  const view = torrentView(world.swarm, () => world.cutoffs)
  const counts = async () => {
    const [one, [other]] = [await view.one(world.announce.words), await view.some(hash)]
    return [one, other].map((torrent) => [torrent?.seeders, torrent?.leechers])
  }
  world.now += 29
  expect(await counts()).toEqual(Array(2).fill([6, 4]))
  world.now++
  expect(await counts()).toEqual(Array(2).fill([3, 2]))
})

describe('between two slices of a large swarm', () => {
  /** Reads 1,500 peers, of which `meanwhile` changes some after the first slice. */
  function readWhile(meanwhile: (world: World) => void) {
    const world = new World({})
    for (let peer = 0; peer < 1500; peer++) world.tell(hash, { peer, want: 0 })
    const { lock } = world.swarm.shardOf(world.swarm.hash(hash))
    const release = lock.release.bind(lock)
    lock.release = () => {
      release()
      lock.release = release
      meanwhile(world)
    }
    const torrent = inspect(world.swarm, hash)
    if (torrent === undefined || torrent === 'busy') throw new Error('not shown')
    const ids = torrent.peers.map((peer) => Buffer.from(peer.peerId).toString())
    expect(new Set(ids).size).toBe(ids.length)
    return { ids, torrent }
  }

  test('a peer that moved down into a hole is not listed twice', () => {
    const { ids } = readWhile((world) => world.tell(hash, { peer: 5, event: EVENT.stopped }))
    expect(ids).toHaveLength(1499)
  })

  test.each(['lost all its peers', 'is removed'])('a torrent that %s ends the list', (what) => {
    const { torrent } = readWhile((world) => {
      for (let peer = 0; peer < 1500; peer++) world.tell(hash, { peer, event: EVENT.stopped })
      if (what !== 'is removed') return
      const shard = world.swarm.shardOf(world.swarm.hash(hash))
      shard.sweep(new SweepCursor(), world.cutoffs, { removePeerless: true }, 10)
      expect(world.swarm.totals().torrents).toBe(0)
    })
    expect(torrent.peers).toHaveLength(512)
  })
})

/** A torrent of two peers, its lock, and the view of the swarm. */
function makeView(longestWait?: number) {
  const world = new World({})
  world.tell(hash, { peer: 1 })
  world.now += 60
  world.tell(hash, { peer: 2, left: 1n })
  const shard = world.swarm.shards.indexOf(world.swarm.shardOf(world.swarm.hash(hash)))
  const lock = new Lock(world.memory.shards[shard]!.torrents, HEADER.lock, 2)
  return { world, lock, view: torrentView(world.swarm, () => world.cutoffs, longestWait) }
}

test('the view shows a torrent with its peers, several by info hash, and a page of all', async () => {
  const { view } = makeView()
  const summary = { infoHash: hashHex(hash), seeders: 1, leechers: 1, downloaded: 0 }
  expect(await view.one(hash)).toMatchObject({ seeders: 1, leechers: 1, peers: [{}, {}] })
  expect(await view.one(hashWords(2))).toBeUndefined()
  expect(await view.some(Int32Array.of(...hash, ...hashWords(2), ...hash))).toEqual([
    summary,
    summary,
  ])
  expect(await Array.fromAsync(view.page(0, 10))).toEqual([[summary]])
  expect(await Array.fromAsync(view.page(1, 10))).toEqual([])
})

test('the view counts a peer as gone by the clock of the moment', async () => {
  const { view, world } = makeView()
  world.now += world.lifetime - 60
  expect(await view.one(hash)).toMatchObject({ seeders: 0, leechers: 1 })
  expect(await view.some(hash)).toMatchObject([{ seeders: 0, leechers: 1 }])
  expect(await Array.fromAsync(view.page(0, 1))).toMatchObject([[{ seeders: 0, leechers: 1 }]])
})

test('the view waits for a torrent that is locked, while other tasks run', async () => {
  const { view, lock } = makeView(60_000)
  lock.acquire()
  let shown = 0
  const asking = Promise.all([
    view.one(hash).then(() => shown++),
    view.some(hash).then(() => shown++),
    Array.fromAsync(view.page(0, 1)).then(() => shown++),
  ])
  for (let turn = 0; turn < 50; turn++) await new Promise(setImmediate)
  expect([shown, lock.holder()]).toEqual([0, 2])
  lock.release()
  await until('all three', () => shown === 3)
  await asking
})

test('the view gives up when it stays locked', async () => {
  const { view, lock } = makeView(20)
  lock.acquire()
  const locked = 'a part of the swarm stayed locked for 20 ms'
  await expect(view.one(hash)).rejects.toThrow(locked)
  await expect(view.some(hash)).rejects.toThrow(locked)
  await expect(Array.fromAsync(view.page(0, 1))).rejects.toThrow(locked)
})
