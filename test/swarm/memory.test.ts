/** Memory that is free again is for everybody: any shard, any kind, either family. */
import { describe, expect, test } from 'bun:test'
import { OUTCOME } from '../../src/swarm/shard.ts'
import { Tracker } from '../../src/tracker.ts'
import { hashesOfShard, hashWords, listed, type Wish, World } from './harness.ts'
import { faults } from './whole.ts'

const KIB = 1024

/** Sweeps as the program does. */
function sweep(world: World): void {
  const policy = {
    interval: 120,
    intervalMin: 120,
    maxPeers: 74,
    peerTimeoutSeconds: world.lifetime,
    retention: { removePeerless: true, keepCompleted: false },
  }
  const clock = { seconds: () => world.now, milliseconds: () => world.now * 1000 }
  for (const moved of new Tracker(world.swarm, policy, clock).sweep()) expect(moved).toBe(true)
}

/** Announces `wishes` until one is not done. How many were. */
function spend(world: World, hashes: readonly Int32Array[], wish: (n: number) => Wish): number {
  for (let n = 0; ; n++)
    if (world.tell(hashes[n % hashes.length]!, { want: 0, ...wish(n) }) !== OUTCOME.done) return n
}

function expire(world: World): void {
  world.now += world.lifetime
  sweep(world)
  expect(world.swarm.totals()).toMatchObject({ torrents: 0, seeders: 0, leechers: 0 })
  expect(faults(world.memory)).toEqual([])
  expect(world.swarm.memory().used).toBe(0)
}

describe('when all of max_memory is spent and expires', () => {
  test('on the ports of five torrents, new torrents and IPv6 peers are all accepted', () => {
    const world = new World({ bytes: 4 * 1024 * KIB })
    const five = Array.from({ length: 5 }, (_, n) => hashWords(n))
    expect(spend(world, five, (peer) => ({ peer }))).toBeGreaterThan(50_000)
    expire(world)
    for (let n = 0; n < 500; n++) expect(world.tell(hashWords(100 + n))).toBe(OUTCOME.done)
    for (let peer = 0; peer < 100; peer++)
      expect(world.tell(hashWords(100), { family: 6, peer })).toBe(OUTCOME.done)
    expect(faults(world.memory)).toEqual([])
  }, 60_000)

  test('a peak of one kind leaves room for an equal one of any other', () => {
    const world = new World({ bytes: 512 * KIB })
    const many = Array.from({ length: 50_000 }, (_, n) => hashWords(n))
    const few = hashesOfShard(world.swarm, 3, 2)
    const peaks: Record<string, () => number> = {
      'peers of IPv4': () => spend(world, few, (peer) => ({ peer })),
      'peers of IPv6': () => spend(world, few, (peer) => ({ peer, family: 6 })),
      torrents: () => spend(world, many, () => ({ family: 6 })),
      'peers elsewhere': () =>
        spend(world, hashesOfShard(world.swarm, 9, 40), (peer) => ({ peer })),
    }
    const before: Record<string, number> = {}
    for (const [name, peak] of Object.entries(peaks)) {
      before[name] = peak()
      expire(world)
    }
    expect(before['peers of IPv4']).toBeGreaterThan(5_000)
    for (const [name, peak] of Object.entries(peaks).reverse()) {
      expect([name, peak()]).toEqual([name, before[name]!])
      expire(world)
    }
  }, 60_000)

  test('those who stay do not keep it: they move together', () => {
    const world = new World({ bytes: 2048 * KIB })
    const hashes = Array.from({ length: 4_000 }, (_, n) => hashWords(n))
    const stays = (n: number) => n % 50 === 0
    for (const [n, hash] of hashes.entries())
      for (let peer = 0; peer < (stays(n) ? 3 : 1 + (n % 7)); peer++)
        world.tell(hash, { peer, want: 0, left: BigInt(peer % 2), family: n % 4 === 0 ? 6 : 4 })
    // One of them is large, and stands in the midst of it all.
    for (let peer = 0; peer < 3_000; peer++) world.tell(hashes[2_000]!, { peer, want: 0 })
    const peak = world.swarm.memory().used
    world.now += 60
    for (const [n, hash] of hashes.entries())
      if (stays(n))
        for (let peer = 0; peer < 3; peer++)
          world.tell(hash, { peer, want: 0, left: BigInt(peer % 2), family: n % 4 === 0 ? 6 : 4 })
    for (let peer = 0; peer < 3_000; peer++)
      if (peer % 3 > 0) world.tell(hashes[2_000]!, { peer, want: 0 })
    world.now += 60
    const kept = hashes.filter((_, n) => stays(n))
    // What the peers are is not to change; those who expire are gone when all is done.
    for (let round = 0; round < 3; round++) sweep(world)
    expect(faults(world.memory)).toEqual([])
    const fresh = new World({ bytes: 2048 * KIB })
    for (const hash of kept)
      for (const peer of listed(world, hash)!.peers)
        fresh.tell(hash, { peer: peerOf(peer.endpoint), family: peer.family, left: peer.left })
    expect(world.swarm.totals()).toMatchObject({ torrents: 80, seeders: 2000 + 160, leechers: 80 })
    const { used } = world.swarm.memory()
    expect(used).toBeLessThan(peak / 3)
    expect(used).toBeLessThanOrEqual(fresh.swarm.memory().used * 1.05)
    for (const [n, hash] of hashes.entries())
      expect([n, listed(world, hash)?.peers.length]).toEqual([
        n,
        n === 2_000 ? 2_003 : stays(n) ? 3 : undefined,
      ])
  }, 60_000)
})

/** Number of the peer with this endpoint, see `endpointOf`. */
const peerOf = (endpoint: string): number => {
  const [address, port] = [endpoint.slice(-8, -4), endpoint.slice(-4)]
  return (Number.parseInt(address, 16) << 2) | (Number.parseInt(port, 16) - 6881)
}
