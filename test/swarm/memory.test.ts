/** Freed memory can be used by any shard, for any purpose and by any family. */
import { describe, expect, test } from 'bun:test'
import { EVENT, type Family, WEB } from '../../src/bittorrent.ts'
import { FAMILY_HEADER, HEADER } from '../../src/swarm/layout.ts'
import { OUTCOME } from '../../src/swarm/shard.ts'
import { dice, seed } from '../support/random.ts'
import { trackerOver } from '../support/servers/served-http.ts'
import {
  hashesOfShard,
  hashWords,
  listed,
  numberOf,
  THREE_FAMILIES,
  type Wish,
  World,
} from '../support/swarm/harness.ts'
import { faults } from '../support/swarm/whole.ts'

const KIB = 1024

/** Sweeps as the program does. */
function sweep(world: World): void {
  const clock = { seconds: () => world.now, milliseconds: () => world.now * 1000 }
  const tracker = trackerOver(world.swarm, clock, {
    peerTimeoutSeconds: world.lifetime,
    webPeerTimeoutSeconds: world.seatLifetime,
  })
  for (const moved of tracker.sweep()) expect(moved).toBe(true)
}

/** Announces `wishes` until one is not accepted. Returns how many were. */
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
  // The tables that grew with the torrents have shrunk again.
  for (const { torrents } of world.swarm.shards) {
    const { header } = torrents
    const widths = world.memory.families.map(
      (row) => header[row.header + FAMILY_HEADER.indexBuckets]!,
    )
    expect(Math.max(header[HEADER.torrentBuckets]!, ...widths)).toBe(1)
  }
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
  })

  test('a peak of one kind leaves room for an equal one of any other', () => {
    const world = new World({ bytes: 512 * KIB, families: THREE_FAMILIES })
    const many = Array.from({ length: 50_000 }, (_, n) => hashWords(n))
    const few = hashesOfShard(world.swarm, 3, 2)
    const peaks: Record<string, () => number> = {
      'peers of IPv4': () => spend(world, few, (peer) => ({ peer })),
      'peers of IPv6': () => spend(world, few, (peer) => ({ peer, family: 6 })),
      'peers of a third family': () => spend(world, few, (peer) => ({ peer, family: WEB })),
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
  })

  test('the peers that stay do not hold it: they are moved together', () => {
    const world = new World({ bytes: 4096 * KIB, families: THREE_FAMILIES })
    const familyOf = (n: number) => (n % 4 === 0 ? 6 : n % 8 === 2 ? WEB : 4)
    const hashes = Array.from({ length: 4_000 }, (_, n) => hashWords(n))
    const stays = (n: number) => n % 50 === 0
    for (const [n, hash] of hashes.entries())
      for (let peer = 0; peer < (stays(n) ? 3 : 1 + (n % 7)); peer++)
        world.tell(hash, { peer, want: 0, left: BigInt(peer % 2), family: familyOf(n) })
    // One of the torrents is large and lies in the middle.
    for (let peer = 0; peer < 3_000; peer++) world.tell(hashes[2_000]!, { peer, want: 0 })
    const peak = world.swarm.memory().used
    world.now += 60
    for (const [n, hash] of hashes.entries())
      if (stays(n))
        for (let peer = 0; peer < 3; peer++)
          world.tell(hash, { peer, want: 0, left: BigInt(peer % 2), family: familyOf(n) })
    for (let peer = 0; peer < 3_000; peer++)
      if (peer % 3 > 0) world.tell(hashes[2_000]!, { peer, want: 0 })
    world.now += 60
    const kept = hashes.filter((_, n) => stays(n))
    // No peer changes; expired ones are gone at the end.
    for (let round = 0; round < 3; round++) sweep(world)
    expect(faults(world.memory)).toEqual([])
    const fresh = new World({ bytes: 4096 * KIB, families: THREE_FAMILIES })
    for (const hash of kept)
      for (const peer of listed(world, hash)!.peers)
        fresh.tell(hash, { peer: numberOf(peer.endpoint), family: peer.family, left: peer.left })
    expect(world.swarm.totals()).toMatchObject({ torrents: 80, seeders: 2000 + 160, leechers: 80 })
    const { used } = world.swarm.memory()
    expect(used).toBeLessThan(peak / 3)
    expect(used).toBeLessThanOrEqual(fresh.swarm.memory().used * 1.05)
    for (const [n, hash] of hashes.entries())
      expect([n, listed(world, hash)?.peers.length]).toEqual([
        n,
        n === 2_000 ? 2_003 : stays(n) ? 3 : undefined,
      ])
  })
})

/** Peers that come, announce, and leave, half of them without "stopped". */
class Crowd {
  readonly world: World
  readonly #hashes: readonly Int32Array[]
  readonly #roll: (sides: number) => number
  #next = 0
  /** By peer: where it is, when it goes, and when it announced last. */
  readonly peers = new Map<number, { torrent: number; family: Family; end: number; seen: number }>()

  constructor(world: World, hashes: readonly Int32Array[], roll: (sides: number) => number) {
    this.world = world
    this.#hashes = hashes
    this.#roll = roll
  }

  /** `minutes` pass, and about `arrivals` peers come to the first `torrents`, a share of them over IPv6. */
  pass(minutes: number, arrivals: number, torrents: number, percent6: number): void {
    const roll = this.#roll
    this.world.now += minutes * 60
    const { now } = this.world
    for (const [peer, at] of this.peers)
      if (at.end <= now) {
        if (roll(2) === 0) this.#say(peer, at, EVENT.stopped)
        this.peers.delete(peer)
      } else if (at.seen + 1800 <= now) this.#say(peer, at, EVENT.none)
    for (let i = 0; i < arrivals; i++) {
      // A few torrents have hundreds of peers, most have a few.
      const popular = Math.min(roll(torrents), roll(torrents), roll(torrents), roll(torrents))
      const torrent = roll(2) === 0 ? roll(torrents) : roll(3) === 0 ? popular >>> 6 : popular
      const family = roll(100) < percent6 ? 6 : 4
      const at = { torrent, family, end: now + 900 + roll(4) * roll(5000), seen: 0 } as const
      this.peers.set(this.#next, at)
      this.#say(this.#next++, at, EVENT.started)
    }
  }

  /** KiB of a new swarm in which only the present peers have announced. */
  fresh(): number {
    const fresh = new World({ bytes: this.world.swarm.memory().limit, seed })
    for (const { hash, peers } of this.#hashes.map((hash) => ({ hash, peers: this.#listed(hash) })))
      for (const { endpoint, family, left } of peers)
        fresh.tell(hash, { peer: numberOf(endpoint), family, left, want: 0 })
    return fresh.swarm.memory().used
  }

  #listed(hash: Int32Array) {
    return listed(this.world, hash)?.peers ?? []
  }
  #say(
    peer: number,
    at: { torrent: number; family: Family; seen: number },
    event: 0 | 2 | 3,
  ): void {
    at.seen = this.world.now
    const wish = { peer: peer % 250_000, family: at.family, event, left: BigInt(peer % 3), want: 0 }
    expect(this.world.tell(this.#hashes[at.torrent]!, wish)).toBe(OUTCOME.done)
  }
}

test(`after hours of churn a swarm uses no more memory than its present peers need (SEED=${seed})`, () => {
  const world = new World({ bytes: 8 * 1024 * KIB, seed })
  world.lifetime = 4500
  const crowd = new Crowd(world, hashesOfShard(world.swarm, 3, 2_500), dice())
  const most = { before: 0, after: 0 }
  for (let minute = 0; minute < 7 * 60; minute += 5) {
    crowd.pass(5, minute === 0 ? 5_000 : 300, 2_500, 20)
    if (minute % 10 > 0) continue
    const before = world.swarm.memory().used
    sweep(world)
    if (minute < 120 || minute % 60 > 0) continue
    const fresh = crowd.fresh()
    most.before = Math.max(most.before, before / fresh)
    most.after = Math.max(most.after, world.swarm.memory().used / fresh)
  }
  const { seeders, leechers } = world.swarm.totals()
  expect(seeders + leechers).toBeGreaterThan(3_000)
  expect(most.before).toBeLessThan(1.15)
  expect(most.after).toBeLessThan(1.1)
  expect(faults(world.memory)).toEqual([])
})

test(`after a year of changing load all of the memory can be used (SEED=${seed})`, () => {
  const roll = dice()
  const bytes = 400 * KIB
  const world = new World({ bytes, seed })
  world.lifetime = 4500
  const hashes = hashesOfShard(world.swarm, 5, 800)
  const crowd = new Crowd(world, hashes, roll)
  let most = 0
  for (let day = 0; day < 365; day++) {
    // Many torrents in winter, IPv6 in spring, a few large swarms in autumn, and one day a week without announces.
    const arrivals = day % 7 === 0 ? 5 : 50 + (day % 50) * 2
    const torrents = day % 120 < 60 ? 800 : 60
    for (const minutes of [700, 40, 40, 30, 30])
      crowd.pass(minutes, arrivals, torrents, day % 90 < 45 ? 10 : 80)
    sweep(world)
    sweep(world)
    most = Math.max(most, world.swarm.memory().used)
    if (day % 60 === 0) expect(faults(world.memory)).toEqual([])
  }
  expect(most).toBeGreaterThan(bytes / 10)
  crowd.pass(3 * 24 * 60, 0, 1, 0)
  expire(world)
  const room = (of: World) => spend(of, hashesOfShard(of.swarm, 11, 3), (peer) => ({ peer }))
  expect(room(world)).toBe(room(new World({ bytes, seed })))
})

test('memory that a dead thread had reserved but not used is given back', () => {
  const world = new World({})
  world.tell(hashWords(1))
  const { used } = world.swarm.memory()
  // It died after it changed the sum and before it changed its shard's account.
  Atomics.add(new Int32Array(world.memory.budget), 1, 4)
  new Int32Array(world.memory.shards[0]!.torrents)[HEADER.lock] = 2
  // A shard whose lock is held is settled later.
  world.swarm.shards[9]!.lock.acquire()
  expect(world.swarm.salvage(2)).toBe(1)
  expect(world.swarm.memory().used).toBe(used + 4 * KIB)
  expect(world.swarm.audit()).toBe(false)
  world.swarm.shards[9]!.lock.release()
  sweep(world)
  expect(world.swarm.memory().used).toBe(used)
  expect(world.swarm.shards.every(({ lock }) => lock.holder() === 0)).toBe(true)
})

test('a torrent that is moved keeps its completions and what it owes', () => {
  const world = new World({ persistent: true })
  const hashes = Array.from({ length: 6_000 }, (_, n) => hashWords(n))
  for (const hash of hashes) world.tell(hash, { want: 0 })
  const kept = hashes.slice(-200)
  const place = (hash: Int32Array) => {
    const key = world.swarm.hash(hash)
    const { torrents } = world.swarm.shardOf(key)
    return { torrents, torrent: torrents.find(hash, key) }
  }
  for (const [n, hash] of kept.entries()) {
    const { torrents, torrent } = place(hash)
    torrents.addDownloads(torrent, 2 ** 40 + n)
    if (n % 2 === 0) torrents.ledger.owe(torrent, n + 1)
  }
  const before = kept.map((hash) => place(hash).torrent)
  world.now += 60
  for (const hash of kept) world.tell(hash, { want: 0 })
  world.now += world.lifetime - 30
  sweep(world)
  const after = kept.map((hash) => place(hash).torrent)
  expect(after.filter((torrent, n) => torrent < before[n]!).length).toBeGreaterThan(100)
  for (const [n, hash] of kept.entries()) {
    const { torrents, torrent } = place(hash)
    expect(torrents.downloaded(torrent)).toBe(2 ** 40 + n)
    expect(torrents.ledger.owed(torrent)).toBe(n % 2 === 0 ? n + 1 : 0)
  }
  expect(faults(world.memory)).toEqual([])
})
