/** Peers that stopped announcing, and torrents without peers (docs/behaviours.md S10, S11). */
import { describe, expect, test } from 'bun:test'
import { Announce, Answer, EVENT, PeerList, WEB } from '../../src/bittorrent.ts'
import { SweepCursor } from '../../src/swarm/sweep.ts'
import { anyone, policy, trackerOver } from '../support/servers/served-http.ts'
import {
  hashWords,
  listed,
  MAX,
  type Reply,
  THREE_FAMILIES,
  World,
} from '../support/swarm/harness.ts'
import { faults } from '../support/swarm/whole.ts'

const hash = hashWords(1)
const { completed, stopped } = EVENT

const counts = ({ seeders, leechers, downloaded }: Reply['answer']) => [
  seeders,
  leechers,
  downloaded,
]

function sweep(world: World, removePeerless: boolean): void {
  for (const shard of world.swarm.shards)
    shard.sweep(new SweepCursor(), world.cutoffs, { removePeerless }, 1e6, world.now)
}

describe('S10: a peer that did not announce for the time-out', () => {
  test.each([
    ['small', 10],
    ['large', 100],
  ])('is not listed in answers of a %s swarm, with or without a sweep', (_size, peers) => {
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

  test('is a new peer when it announces again', () => {
    const world = new World({})
    world.tell(hash, { left: 1n })
    world.now += world.lifetime
    world.tell(hash, { event: completed })
    expect(counts(world.udp.answer)).toEqual([1, 0, 0])
  })
})

describe('S11: a sweep keeps a torrent', () => {
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

  test.each([1, 2, 3, 64, 1000])('the same when swept in slices of %d', (units) => {
    const world = new World({ families: THREE_FAMILIES })
    for (let n = 0; n < 40; n++)
      for (let peer = 0; peer < (n % 8) ** 2 * 2; peer++)
        world.tell(hashWords(n), { family: [4, 6, WEB][n % 3]!, peer, want: 0 })
    world.now += 60
    for (let n = 0; n < 40; n += 3) for (const peer of [0, 90]) world.tell(hashWords(n), { peer })
    world.now += 60
    let slices = 0
    for (const shard of world.swarm.shards) {
      const cursor = new SweepCursor()
      const retention = { removePeerless: true }
      while (!shard.sweep(cursor, world.cutoffs, retention, units)) slices++
    }
    expect(slices).toBeGreaterThanOrEqual(units === 1 ? 1000 : 0)
    expect(world.swarm.totals()).toMatchObject({ torrents: 14, seeders: 28, leechers: 0 })
  })
})

describe('S10: a clock that was ahead for a moment', () => {
  const DAY = 86_400

  const familyOf = (peer: number) => [4, 6, WEB][peer % 3]!

  /** Peers of all families announce, the first two thirds while the clock is a day ahead. */
  function ahead(peers: number): World {
    const world = new World({ families: THREE_FAMILIES })
    world.now += DAY
    for (let peer = 0; peer < peers; peer++) {
      if (peer === Math.ceil((peers * 2) / 3)) world.now -= DAY
      world.tell(hash, { peer, family: familyOf(peer), left: BigInt(peer % 5) })
    }
    // The jump of the clock alone expires no peer.
    expect(world.swarm.totals().seeders + world.swarm.totals().leechers).toBe(peers)
    return world
  }

  test.each([
    ['a small swarm', 12],
    ['a large swarm', 300],
  ])('leaves no peer in %s for longer than the time-out after the sweep', (_size, peers) => {
    const world = ahead(peers)
    sweep(world, true)
    expect(listed(world, hash)!.peers.every(({ seen }) => seen === world.now)).toBe(true)
    expect(faults(world.memory)).toEqual([])
    world.now += world.lifetime - 1
    sweep(world, true)
    expect(listed(world, hash)?.peers).toHaveLength(peers)
    world.now++
    world.tell(hash, { peer: 5_000 })
    expect(world.udp.told()).toEqual([])
    sweep(world, true)
    expect(listed(world, hash)?.peers).toHaveLength(1)
  })

  test('leaves no silent peer in a small swarm that gets announces, even without a sweep', () => {
    const world = new World({})
    world.now += DAY
    for (let peer = 0; peer < 5; peer++) world.tell(hash, { peer })
    world.now -= DAY
    world.tell(hash, { peer: 5_000 })
    world.now += world.lifetime
    world.tell(hash, { peer: 5_001 })
    expect(counts(world.udp.answer)).toEqual([1, 0, 0])
  })

  test('and is set back expires no peer that goes on announcing', () => {
    const world = ahead(300)
    for (let peer = 0; peer < 30; peer++) world.tell(hashWords(2), { peer })
    world.now -= 3_600
    for (let passed = 0; passed < world.lifetime * 3; passed += 50) {
      for (let peer = 0; peer < 300; peer++) world.tell(hash, { peer, family: familyOf(peer) })
      for (let peer = 0; peer < 30; peer++) world.tell(hashWords(2), { peer })
      expect(world.swarm.totals().seeders).toBe(330)
      world.now += 50
      sweep(world, true)
      expect(world.swarm.totals().seeders).toBe(330)
      expect(world.scrape(hash).seeders).toBe(300)
    }
  })
})

test('S10: the tracker lists no peer that was seen while its clock was ahead, once the time-out has passed', () => {
  const { swarm } = new World({})
  let now = 1_700_000_000
  const clock = { seconds: () => now, milliseconds: () => now * 1000 }
  const tracker = trackerOver(swarm, clock)
  const announce = new Announce()
  const answer = new Answer([new PeerList(4, new Uint16Array(3 * 74))])
  const tell = (port: number) => {
    announce.port = port
    tracker.announce(anyone, announce, { externalIp: undefined }, answer)
    return answer.seeders
  }
  now += 86_400
  for (let port = 1; port <= 100; port++) tell(port)
  now -= 86_400
  const sweepAll = () => {
    for (const moved of tracker.sweep()) expect(moved).toBe(true)
  }
  sweepAll()
  expect(tell(101)).toBe(101)
  now += policy.peerTimeoutSeconds
  sweepAll()
  expect(tell(102)).toBe(1)
})
