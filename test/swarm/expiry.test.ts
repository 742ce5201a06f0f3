/** Peers that fell silent and torrents nobody has: the swarm's share of decisions.md. */
import { describe, expect, test } from 'bun:test'
import { EVENT } from '../../src/bittorrent.ts'
import { SweepCursor } from '../../src/swarm/shard.ts'
import { hashWords, listed, MAX, type Reply, World } from './harness.ts'

const hash = hashWords(1)
const { completed, stopped } = EVENT

const counts = ({ seeders, leechers, downloaded }: Reply['answer']) => [
  seeders,
  leechers,
  downloaded,
]

function sweep(world: World, removePeerless: boolean): void {
  for (const shard of world.swarm.shards)
    shard.sweep(new SweepCursor(), world.cutoff, { removePeerless }, 1e6, 0)
}

describe('a peer that was silent for the time-out', () => {
  test.each([
    ['small', 10],
    ['large', 100],
  ])('is not told of a %s swarm, with or without a sweep', (_size, peers) => {
    const world = new World({})
    for (let peer = 0; peer < peers; peer++) world.tell(hash, { peer, left: BigInt(peer % 2) })
    world.now += world.lifetime - 1
    world.tell(hash, { peer: 500 })
    expect(world.udp.told()).toHaveLength(Math.min(MAX, peers))
    world.now++
    world.tell(hash, { peer: 500 })
    expect(world.udp.told()).toEqual([])
    sweep(world, false)
    expect(listed(world, hash)?.peers).toHaveLength(1)
  })

  test('is not counted in a small swarm, and not in a large one after the sweep', () => {
    const world = new World({})
    for (let peer = 0; peer < 10; peer++) world.tell(hash, { peer })
    for (let peer = 0; peer < 100; peer++) world.tell(hashWords(2), { peer })
    world.now += world.lifetime
    expect(world.scrape(hash)).toEqual({ seeders: 0, leechers: 0, downloaded: 0 })
    sweep(world, false)
    expect(world.scrape(hashWords(2))).toEqual({ seeders: 0, leechers: 0, downloaded: 0 })
    expect(world.swarm.totals()).toMatchObject({ torrents: 2, seeders: 0 })
  })

  test('is a new peer when it comes again', () => {
    const world = new World({})
    world.tell(hash, { left: 1n })
    world.now += world.lifetime
    world.tell(hash, { event: completed })
    expect(counts(world.udp.answer)).toEqual([1, 0, 0])
  })
})

describe('a sweep keeps a torrent', () => {
  test.each([
    [false, 0, 0, true],
    [false, 0, 1, true],
    [true, 1, 0, true],
    [true, 0, 1, false],
    [true, 0, 0, false],
    [true, 1, 1, true],
  ])('removing peerless %p, peers %d, downloaded %d: %p', (...row) => {
    const [removePeerless, peers, downloads, kept] = row
    const world = new World({})
    world.tell(hash, { left: 1n })
    if (downloads > 0) world.tell(hash, { event: completed })
    if (peers === 0) world.tell(hash, { event: stopped })
    sweep(world, removePeerless)
    expect(world.swarm.totals().torrents).toBe(kept ? 1 : 0)
    if (kept) expect(world.scrape(hash).downloaded).toBe(downloads)
  })

  test.each([1, 2, 3, 64, 1000])('whichever slices of %d it is swept in', (units) => {
    const world = new World({})
    for (let n = 0; n < 40; n++)
      for (let peer = 0; peer < (n % 8) ** 2 * 2; peer++)
        world.tell(hashWords(n), { family: n % 2 === 0 ? 4 : 6, peer, want: 0 })
    world.now += 60
    for (let n = 0; n < 40; n += 3) for (const peer of [0, 90]) world.tell(hashWords(n), { peer })
    world.now += 60
    let slices = 0
    for (const shard of world.swarm.shards) {
      const cursor = new SweepCursor()
      const retention = { removePeerless: true }
      while (!shard.sweep(cursor, world.cutoff, retention, units, 0)) slices++
    }
    expect(slices).toBeGreaterThanOrEqual(units === 1 ? 1000 : 0)
    expect(world.swarm.totals()).toMatchObject({ torrents: 14, seeders: 28, leechers: 0 })
  })
})
