/** What becomes of the seats of a thread that died: their peers leave, as when a socket closes. */
import { describe, expect, test } from 'bun:test'
import { EVENT, WEB } from '../../src/bittorrent.ts'
import { SweepCursor } from '../../src/swarm/sweep.ts'
import {
  hashesOfShard,
  hashWords,
  listed,
  numberOf,
  THREE_FAMILIES,
  threadOf,
  World,
} from '../support/swarm/harness.ts'
import { faults } from '../support/swarm/whole.ts'

const hash = hashWords(1)
const { stopped } = EVENT
const worldOf = () => new World({ bytes: 4 * 2 ** 20, families: THREE_FAMILIES })

/** Peers of each family, IPv4 first. */
const counts = (world: World): number[] =>
  world.swarm.totals().byFamily.map(({ seeders, leechers }) => seeders + leechers)

function sweep(world: World): void {
  for (const shard of world.swarm.shards)
    shard.sweep(new SweepCursor(), world.cutoffs, { removePeerless: true }, 1e6, world.now)
}

describe('the seats of a thread that died', () => {
  /** `addresses` peers of IPv4 and `seats` of the web in each torrent; every other one is a leecher. */
  function filled(hashes: readonly Int32Array[], addresses: number, seats: number): World {
    const world = worldOf()
    const wish = (peer: number) => ({ peer, left: BigInt(peer % 2), want: 0 })
    for (const words of hashes) {
      for (let peer = 0; peer < addresses; peer++) world.tell(words, wish(peer))
      for (let peer = 0; peer < seats; peer++) world.tell(words, { family: WEB, ...wish(peer) })
    }
    return world
  }
  /** Numbers of the web peers of a torrent. */
  const seatsOf = (world: World, words: Int32Array): number[] =>
    (listed(world, words)?.peers ?? [])
      .filter(({ family }) => family === WEB)
      .map(({ endpoint }) => numberOf(endpoint))
      .sort((a, b) => a - b)
  const DEAD = 2
  const others = (seats: number) =>
    Array.from({ length: seats }, (_, peer) => peer).filter((peer) => threadOf(peer) !== DEAD)

  test.each([1, 12, 64, 65, 100, 3_000])(
    'W34: are removed, of %d in a torrent, as if each had stopped',
    (seats) => {
      const hashes = [hash, hashWords(2)]
      const [world, twin] = [filled(hashes, 20, seats), filled(hashes, 20, seats)]
      for (const moved of world.swarm.forgetThread(DEAD)) expect(moved).toBe(true)
      expect(faults(world.memory)).toEqual([])
      for (const words of hashes)
        for (let peer = 0; peer < seats; peer++)
          if (threadOf(peer) === DEAD) twin.tell(words, { family: WEB, peer, event: stopped })
      expect(world.swarm.totals()).toEqual(twin.swarm.totals())
      expect([...world.swarm.shards[0]!.counts]).toEqual([...twin.swarm.shards[0]!.counts])
      for (const words of hashes) {
        expect(seatsOf(world, words)).toEqual(others(seats))
        expect(world.scrape(words)).toEqual(twin.scrape(words))
        expect(listed(world, words)).toEqual(listed(twin, words))
      }
      expect(faults(world.memory)).toEqual([])
    },
  )

  test('are removed a few at a time, and others have the lock in between', () => {
    const world = filled([hash], 20, 3_000)
    const shard = world.swarm.shardOf(world.swarm.hash(hash))
    let before = 3_000
    let slices = 0
    for (const moved of world.swarm.forgetThread(DEAD)) {
      expect([moved, shard.lock.holder()]).toEqual([true, 0])
      const here = seatsOf(world, hash).length
      expect(before - here).toBeLessThanOrEqual(250)
      if (here < before) slices++
      before = here
    }
    expect(before).toBe(2_000)
    expect(slices).toBeGreaterThanOrEqual(3_000 / 250)
  })

  test('are removed although seeders move up between two slices', () => {
    const world = filled([hash], 0, 3_000)
    let newcomer = 10_000
    for (const _ of world.swarm.forgetThread(DEAD)) {
      // Each newcomer is a leecher and moves the first seeder to the end.
      for (let i = 0; i < 100; i++, newcomer++)
        if (threadOf(newcomer) !== DEAD)
          world.tell(hash, { family: WEB, peer: newcomer, left: 1n, want: 0 })
    }
    expect(seatsOf(world, hash).filter((peer) => threadOf(peer) === DEAD)).toEqual([])
    expect(seatsOf(world, hash).length).toBeGreaterThan(2_000)
    expect(faults(world.memory)).toEqual([])
  })

  test('are removed although a sweep moves the torrents between two slices', () => {
    const world = worldOf()
    const hashes = hashesOfShard(world.swarm, 3, 900)
    for (const words of hashes) for (const peer of [1, 2]) world.tell(words, { family: WEB, peer })
    // All but the last torrents go, so that these take their records.
    for (const words of hashes.slice(0, 700))
      for (const peer of [1, 2]) world.tell(words, { family: WEB, peer, event: stopped })
    let slices = 0
    for (const _ of world.swarm.forgetThread(DEAD)) if (slices++ % 2 === 0) sweep(world)
    expect(slices).toBeGreaterThan(3)
    for (const words of hashes.slice(700)) expect(seatsOf(world, words)).toEqual([2])
    expect(world.swarm.totals()).toMatchObject({ torrents: 200, seeders: 200 })
    expect(faults(world.memory)).toEqual([])
  })

  test('wait for a lock that another thread holds', () => {
    const world = filled([hash], 3, 12)
    const { lock } = world.swarm.shardOf(world.swarm.hash(hash))
    const other = new World({ memory: world.memory, thread: 7 })
    const held = other.swarm.shardOf(other.swarm.hash(hash)).lock
    held.acquire()
    const moves: boolean[] = []
    for (const moved of world.swarm.forgetThread(DEAD)) {
      moves.push(moved)
      if (!moved) {
        expect([lock.holder(), counts(world)[2]]).toEqual([7, 12])
        held.release()
      }
    }
    expect(moves.filter((moved) => !moved)).toHaveLength(1)
    expect(seatsOf(world, hash)).toEqual(others(12))
  })
  test('are looked for only in torrents that have seats', () => {
    const world = filled([hash], 3, 12)
    for (let n = 10; n < 300; n++) world.tell(hashWords(n))
    for (const { families } of world.swarm.shards) {
      const peers = families[2]!
      const { count } = peers
      peers.count = (torrent) => {
        const found = count.call(peers, torrent)
        expect(found).toBeGreaterThan(0)
        return found
      }
    }
    for (const moved of world.swarm.forgetThread(DEAD)) expect(moved).toBe(true)
    expect(counts(world)).toEqual([293, 0, 8])
  })

  test('are none in a swarm without WebTorrent peers', () => {
    const world = new World({})
    world.tell(hash)
    expect([...world.swarm.forgetThread(DEAD)]).toEqual([])
  })
})
