/** What counts as a peer, a seeder and a download (docs/behaviours.md S1–S5, S12). */
import { describe, expect, test } from 'bun:test'
import { EVENT, WEB } from '../../src/bittorrent.ts'
import { SweepCursor } from '../../src/swarm/sweep.ts'
import {
  hashWords,
  inspect,
  listed,
  MAX,
  type Reply,
  rowOf,
  THREE_FAMILIES,
  World,
} from '../support/swarm/harness.ts'

const hash = hashWords(1)
const { none, completed, started, stopped } = EVENT
const GB = 2n ** 30n

const counts = ({ seeders, leechers, downloaded }: Reply['answer']) => [
  seeders,
  leechers,
  downloaded,
]

function sweep(world: World, removePeerless: boolean): void {
  for (const shard of world.swarm.shards)
    shard.sweep(new SweepCursor(), world.cutoffs, { removePeerless }, 1e6)
}

describe('S1: a peer is identified by its address and port', () => {
  test('two endpoints with one peer id are two peers', () => {
    const world = new World({})
    world.tell(hash, { peer: 1, id: 9 })
    world.tell(hash, { peer: 2, id: 9 })
    expect(listed(world, hash)?.peers).toHaveLength(2)
  })

  test('an endpoint that changes its peer id stays one peer, with the new id', () => {
    const world = new World({})
    world.tell(hash, { peer: 1, id: 8 })
    world.tell(hash, { peer: 1, id: 9 })
    world.tell(hash, { peer: 2 })
    const [told, ...more] = world.udp.told()
    expect(Buffer.from(told!.id, 'hex').toString()).toBe('-XX0001-000000000009')
    expect(more).toEqual([])
  })

  test('another client with its peer id can neither replace nor stop it', () => {
    const world = new World({})
    world.tell(hash, { peer: 1, id: 9, left: 5n })
    world.tell(hash, { peer: 2, id: 9, event: stopped })
    world.tell(hash, { peer: 3, id: 9, left: 7n })
    expect(listed(world, hash)?.peers.map((peer) => peer.left)).toEqual([5n, 7n])
  })

  test('another port, another address and another family are other peers', () => {
    const world = new World({})
    for (const peer of [0, 1, 4]) world.tell(hash, { peer })
    world.tell(hash, { family: 6, peer: 0 })
    expect(counts(world.udp.answer)).toEqual([4, 0, 0])
  })

  test.each([4, 6, WEB])(
    'every byte of an endpoint of family %d counts, in small and large',
    (family) => {
      for (const others of [0, 100]) {
        const world = new World({ families: THREE_FAMILIES })
        for (let peer = 100; peer < 100 + others; peer++)
          world.tell(hash, { family, peer, want: 0 })
        world.tell(hash, { family, peer: 0 })
        const { announce, swarm, now, cutoffs, udp } = world
        const bytes = rowOf(family).halves * 2
        for (let at = 0; at < bytes; at++) {
          announce.endpoint[at]! ^= 1
          swarm.announce(announce, now, cutoffs, MAX, udp.answer)
          announce.endpoint[at]! ^= 1
        }
        expect(udp.answer.seeders).toBe(others + 1 + bytes)
      }
    },
  )

  test('stays the same peer when everything else about it changes', () => {
    const world = new World({})
    world.tell(hash, { peer: 1, id: 1, left: 5n, uploaded: 1n, downloaded: 2n, event: started })
    world.now += 5
    world.tell(hash, { peer: 1, id: 2, uploaded: GB, downloaded: GB + 1n, event: completed })
    const replaced = { left: 0n, uploaded: GB, downloaded: GB + 1n, event: completed }
    expect(listed(world, hash)).toMatchObject({ peers: [{ ...replaced, seen: world.now }] })
    expect(listed(world, hash)?.peers).toHaveLength(1)
  })
})

describe('S4: stopped', () => {
  test('from an unknown peer creates nothing', () => {
    const world = new World({})
    world.tell(hash, { event: stopped })
    expect(world.swarm.totals().torrents).toBe(0)
    expect(listed(world, hash)).toBeUndefined()
    expect(counts(world.udp.answer)).toEqual([0, 0, 0])
    world.tell(hash, { peer: 2 })
    world.tell(hash, { peer: 1, event: stopped })
    expect(listed(world, hash)?.peers).toHaveLength(1)
  })

  test('removes the peer; the answer has no peers and the counts without it', () => {
    const world = new World({})
    for (const peer of [1, 2, 3]) world.tell(hash, { peer, left: BigInt(peer - 1) })
    world.tell(hash, { peer: 1, event: stopped }, true)
    expect(world.http.told()).toEqual([])
    expect(counts(world.http.answer)).toEqual([0, 2, 0])
  })

  test('does not repeat the peers of an earlier answer', () => {
    const world = new World({})
    for (const peer of [1, 2, 3]) world.tell(hash, { peer })
    expect(world.udp.told()).toHaveLength(2)
    world.tell(hashWords(2), { event: stopped })
    expect(world.udp.told()).toEqual([])
  })
})

describe('S5: downloaded', () => {
  /** Announces as `event:left`, one after the other. */
  test.each([
    ['a leecher that completes', `started:${GB} completed:0`, 1],
    ['an unknown peer', 'completed:0', 0],
    ['a peer that was always a seeder', 'started:0 completed:0', 0],
    ['one that completes twice', 'none:1 completed:0 completed:0', 1],
    ['one that starts over for ever', 'started:1 completed:0 started:1 completed:0', 1],
    ['one that was a seeder already when it says so', 'started:1 none:0 completed:0', 1],
    ['one that says so with bytes left, then without', 'started:2 completed:1 completed:0', 1],
    ['one that first is seen completing with bytes left', 'completed:5 completed:0', 1],
    ['one whose bytes left need the high word', `started:${2n ** 32n} completed:0`, 1],
    ['one that leaves and comes again', 'started:1 completed:0 stopped:0 none:1 completed:0', 2],
    ['one that only falls to nothing left', 'started:1 none:0', 0],
  ])('of %s', (_who, steps, times) => {
    for (const others of [0, 80]) {
      const world = new World({})
      for (let peer = 0; peer < others; peer++) world.tell(hash, { peer, left: BigInt(peer % 2) })
      for (const step of steps.split(' ')) {
        const [event, left] = step.split(':') as [keyof typeof EVENT, string]
        world.tell(hash, { peer: 99, event: EVENT[event], left: BigInt(left) })
      }
      expect(world.udp.answer.downloaded).toBe(times)
      expect(world.swarm.totals()).toMatchObject({ downloads: times, completions: times })
      expect(world.scrape(hash).downloaded).toBe(times)
    }
  })

  test('is forgotten with its torrent; the completions since the start are kept', () => {
    const world = new World({})
    for (const [event, left] of [
      [started, 1n],
      [completed, 0n],
      [stopped, 0n],
    ] as const)
      world.tell(hash, { event, left })
    sweep(world, true)
    expect(world.swarm.totals()).toMatchObject({ torrents: 0, downloads: 0, completions: 1 })
    world.tell(hash, {})
    expect(world.udp.answer.downloaded).toBe(0)
  })
})

describe('S3: a peer with nothing left is a seeder', () => {
  test.each([
    [0n, 1],
    [1n, 0],
    [2n ** 32n, 0],
    [2n ** 64n - 1n, 0],
  ])('with %p bytes left', (left, seeders) => {
    const world = new World({})
    for (const event of [none, started, completed]) {
      world.tell(hash, { left, event })
      expect(world.udp.answer).toMatchObject({ seeders, leechers: 1 - seeders })
    }
  })
})

test('info hashes that differ in one word only are different torrents, also in one chain', () => {
  const world = new World({})
  const shard = world.swarm.shardOf(world.swarm.hash(hash))
  const hashes: Int32Array[] = []
  for (let at = 0; at < 5; at++)
    for (let word = 1, found = 0; found < 40; word++) {
      const other = hash.with(at, hash[at]! ^ word)
      if (world.swarm.shardOf(world.swarm.hash(other)) !== shard) continue
      hashes.push(other)
      found++
    }
  for (const [peer, other] of hashes.entries()) world.tell(other, { peer })
  expect(world.swarm.totals().torrents).toBe(200)
  for (const [peer, other] of hashes.entries()) {
    world.tell(other, { peer })
    expect(counts(world.udp.answer)).toEqual([1, 0, 0])
  }
})

test('S12: a scrape of an unknown torrent is zeroes and creates nothing', () => {
  const world = new World({})
  expect(world.scrape(hash)).toEqual({ seeders: 0, leechers: 0, downloaded: 0 })
  expect(inspect(world.swarm, hash)).toBeUndefined()
})
