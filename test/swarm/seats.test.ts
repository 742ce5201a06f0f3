/**
 * Peers that have a seat in the place of an address: which of them an announce is told, and how long they stay.
 * Numbers with W are those of the behaviours of WebTorrent.
 */
import { describe, expect, test } from 'bun:test'
import { EVENT, WEB } from '../../src/bittorrent.ts'
import { EPOCH, HEADER } from '../../src/swarm/layout.ts'
import { OUTCOME } from '../../src/swarm/shard.ts'
import { SweepCursor } from '../../src/swarm/sweep.ts'
import {
  arraysOf,
  hashesOfShard,
  hashWords,
  listed,
  numberOf,
  THREE_FAMILIES,
  World,
} from '../support/swarm/harness.ts'
import { faults } from '../support/swarm/whole.ts'

const hash = hashWords(1)
const { stopped } = EVENT
const worldOf = (bytes = 2 ** 20) => new World({ bytes, families: THREE_FAMILIES })

/** Numbers of the peers that the last answer over a WebSocket lists. */
const told = ({ udp }: World): number[] => udp.told().map(({ endpoint }) => numberOf(endpoint))

function sweep(world: World): void {
  for (const shard of world.swarm.shards)
    shard.sweep(new SweepCursor(), world.cutoffs, { removePeerless: true }, 1e6, world.now)
}

/** Peers of each family, IPv4 first. */
const counts = (world: World): number[] =>
  world.swarm.totals().byFamily.map(({ seeders, leechers }) => seeders + leechers)

describe('which seats an announce is told', () => {
  test.each([2, 40, 64, 65, 300])('W22: never its own, among %d', (peers) => {
    const world = worldOf()
    for (let peer = 0; peer < peers; peer++)
      world.tell(hash, { family: WEB, peer, left: BigInt(peer % 2), want: 0 })
    for (let peer = 0; peer < peers; peer++)
      for (const want of [1, 10, 1000]) {
        world.tell(hash, { family: WEB, peer, left: BigInt(peer % 2), want })
        expect(told(world)).toHaveLength(Math.min(want, peers - 1, 74))
        expect(told(world)).not.toContain(peer)
      }
  })

  test('W23: all of 500, within 2,000 announces that want five', () => {
    const world = worldOf()
    for (let peer = 0; peer < 500; peer++)
      world.tell(hash, { family: WEB, peer, left: BigInt(peer % 2), want: 0 })
    const reached = new Set<number>()
    let announces = 0
    for (; reached.size < 500 && announces < 2_000; announces++) {
      world.tell(hash, { family: WEB, peer: 900, left: 1n, want: 5 })
      for (const peer of told(world)) reached.add(peer)
    }
    expect(reached.size).toBe(500)
  })

  test.each([
    ['small', 20],
    ['large', 200],
  ])(
    'W24: a seeder in a %s swarm is told leechers first, and seeders when there are no others',
    (_size, seeders) => {
      const world = worldOf()
      const leechers = 8
      for (let peer = 0; peer < seeders + leechers; peer++)
        world.tell(hash, { family: WEB, peer, left: peer < seeders ? 0n : 1n, want: 0 })
      const isSeeder = (peer: number) => peer < seeders
      world.tell(hash, { family: WEB, peer: 0, want: 5 })
      expect(told(world).map(isSeeder)).toEqual(Array(5).fill(false))
      world.tell(hash, { family: WEB, peer: 0, want: 10 })
      expect(told(world).filter(isSeeder)).toHaveLength(2)
      for (let peer = seeders; peer < seeders + leechers; peer++)
        world.tell(hash, { family: WEB, peer, event: stopped })
      world.tell(hash, { family: WEB, peer: 0, want: 5 })
      expect(told(world).map(isSeeder)).toEqual(Array(5).fill(true))
    },
  )

  test('W48: none in an answer for another family, and no address in one for them', () => {
    const world = worldOf()
    for (const family of world.families)
      for (let peer = 0; peer < 5; peer++) world.tell(hash, { family, peer })
    for (const family of world.families) {
      world.tell(hash, { family, peer: 9 })
      expect(world.udp.told().every((peer) => peer.family === family)).toBe(true)
      // W49: whichever is listed, all are counted.
      const { seeders } = world.udp.answer
      expect(world.scrape(hash)).toEqual({ seeders, leechers: 0, downloaded: 0 })
    }
    expect(world.scrape(hash).seeders).toBe(18)
  })
})

describe('W39: the time-out of seats', () => {
  /** 12 peers of IPv4, and as many as `seats` of the web, all announced now. */
  function filled(seats: number): World {
    const world = worldOf()
    world.seatLifetime = 30
    for (let peer = 0; peer < 12; peer++) world.tell(hash, { peer })
    for (let peer = 0; peer < seats; peer++) world.tell(hash, { family: WEB, peer, want: 0 })
    return world
  }

  test.each([12, 300])('passes while addresses stay: %d seats', (seats) => {
    const world = filled(seats)
    world.now += 29
    world.tell(hash, { family: WEB, peer: 900 })
    expect(told(world)).toHaveLength(Math.min(74, seats))
    world.now++
    world.tell(hash, { family: WEB, peer: 900 })
    expect(told(world)).toEqual([])
    expect(counts(world)).toEqual([12, 0, seats > 64 ? seats + 1 : 1])
    sweep(world)
    expect(counts(world)).toEqual([12, 0, 1])
    expect(faults(world.memory)).toEqual([])
  })

  test.each([12, 300])('may be longer than that of addresses: %d seats', (seats) => {
    const world = filled(seats)
    world.seatLifetime = 1_000
    world.now += world.lifetime
    world.tell(hash, { family: WEB, peer: 900, want: 1_000 })
    expect(told(world)).toHaveLength(Math.min(74, seats))
    expect(counts(world)).toEqual([0, 0, seats + 1])
    sweep(world)
    expect(counts(world)).toEqual([0, 0, seats + 1])
    world.now += 1_000
    sweep(world)
    expect(world.swarm.totals()).toMatchObject({ torrents: 0, seeders: 0 })
  })

  test.each(['an announce over UDP', 'a scrape'])('is applied by %s, too', (by) => {
    const world = filled(12)
    world.now += 30
    if (by === 'a scrape') expect(world.scrape(hash).seeders).toBe(12)
    else {
      world.tell(hash, { peer: 3 })
      expect(world.udp.answer.seeders).toBe(12)
    }
    expect(counts(world)).toEqual([12, 0, 0])
  })

  test('begins anew for a seat in a torrent whose earlier seats are gone', () => {
    const world = filled(1)
    world.tell(hash, { family: WEB, peer: 0, event: stopped })
    world.now += 29
    world.tell(hash, { family: WEB, peer: 5 })
    world.now += 29
    // Nothing is due yet, so nothing is looked at.
    const shard = world.swarm.shardOf(world.swarm.hash(hash))
    const torrent = shard.torrents.find(hash, world.swarm.hash(hash))
    expect(shard.families[2]!.oldest(torrent)).toBe(world.now - 29 - EPOCH)
    expect(world.scrape(hash).seeders).toBe(13)
    world.now++
    expect(world.scrape(hash).seeders).toBe(12)
  })

  test('W50: a torrent of seats alone stays while they live, and goes with the last', () => {
    const world = worldOf()
    world.seatLifetime = 30
    for (let peer = 0; peer < 3; peer++) world.tell(hash, { family: WEB, peer })
    world.now += 29
    world.tell(hash, { family: WEB, peer: 1 })
    world.now += 29
    sweep(world)
    expect(world.swarm.totals()).toMatchObject({ torrents: 1, seeders: 1 })
    world.now++
    sweep(world)
    expect(world.swarm.totals()).toMatchObject({ torrents: 0, seeders: 0 })
    expect(world.swarm.memory().used).toBe(0)
  })
})

describe('W53: a shard that a dead thread held', () => {
  test('keeps its seats and their time-out, in torrents that it was not changing', () => {
    const world = worldOf()
    world.seatLifetime = 30
    const [quiet, busy] = hashesOfShard(world.swarm, 4, 2) as [Int32Array, Int32Array]
    for (let peer = 0; peer < 100; peer++) {
      world.tell(quiet, { family: WEB, peer, left: BigInt(peer % 2), want: 0 })
      world.tell(busy, { family: WEB, peer, want: 0 })
    }
    world.now += 10
    for (let peer = 0; peer < 20; peer++)
      world.tell(quiet, { family: WEB, peer, left: BigInt(peer % 2), want: 0 })
    const before = listed(world, quiet)
    const { header } = arraysOf(world.memory, world.memory.shards[4]!).torrents
    header[HEADER.busy] = world.swarm.shards[4]!.torrents.find(busy, world.swarm.hash(busy))
    header[HEADER.lock] = 2
    expect(world.swarm.salvage(2)).toBe(1)
    expect(faults(world.memory)).toEqual([])
    expect(listed(world, quiet)).toEqual(before)
    expect(world.scrape(busy)).toEqual({ seeders: 0, leechers: 0, downloaded: 0 })
    expect(counts(world)).toEqual([0, 0, 100])
    world.now += 20
    sweep(world)
    expect(seatCount(world, quiet)).toBe(20)
    world.now += 10
    sweep(world)
    expect(world.swarm.totals().torrents).toBe(0)
  })
  const seatCount = (world: World, words: Int32Array) => listed(world, words)?.peers.length
})

test('W52: once the memory is spent a new seat is served and not remembered, and known ones go on', () => {
  const world = worldOf(64 * 1024)
  let peer = 0
  while (world.tell(hash, { family: WEB, peer, want: 0 }) === OUTCOME.done) peer++
  expect(peer).toBeGreaterThan(64)
  world.tell(hash, { family: WEB, peer, want: 5 })
  expect(told(world)).toHaveLength(5)
  expect(world.tell(hash, { family: WEB, peer: 3, left: 1n })).toBe(OUTCOME.done)
  expect(world.udp.answer).toMatchObject({ seeders: peer - 1, leechers: 1 })
  let refused = 0
  for (let n = 2; n < 1_000; n++)
    if (world.tell(hashWords(n), { family: WEB }) === OUTCOME.refused) refused++
  expect(refused).toBeGreaterThan(0)
  expect(faults(world.memory)).toEqual([])
})
