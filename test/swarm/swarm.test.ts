/** The swarm against a simple model of it: long random runs, with every structure checked on the way. */
import { expect, test } from 'bun:test'
import { type AnnounceEvent, EVENT, type PeerFamily, WEB } from '../../src/bittorrent.ts'
import { FAMILIES, HEADER } from '../../src/swarm/layout.ts'
import type { Cutoffs } from '../../src/swarm/peers.ts'
import { OUTCOME } from '../../src/swarm/shard.ts'
import { SweepCursor } from '../../src/swarm/sweep.ts'
import { isGone, type NaivePeer, NaiveSwarm, type NaiveTorrent } from '../support/naive/swarm.ts'
import { dice, seed } from '../support/random.ts'
import {
  byEndpoint,
  hashesOfShard,
  hashHex,
  hashWords,
  listed,
  MAX,
  numberOf,
  THREE_FAMILIES,
  type Wish,
  World,
  write,
} from '../support/swarm/harness.ts'
import { unfairness } from '../support/swarm/judge.ts'
import { faults } from '../support/swarm/whole.ts'
import { sample, THOROUGH } from '../support/thorough.ts'

const naivelyListed = (torrent: NaiveTorrent | undefined) => {
  if (!torrent) return undefined
  const peers = [...torrent.peers.values()].map((peer) => {
    const { leeched: _, counted: __, ...shown } = peer
    return shown
  })
  return { ...torrent.counts(), peers: peers.sort(byEndpoint) }
}

/** A sweep that was interrupted by announces may have removed some expired peers, and no others. */
function reconcile(
  world: World,
  hash: Int32Array,
  torrent: NaiveTorrent,
  cutoffs: Cutoffs,
): number {
  const here = new Set(listed(world, hash)!.peers.map((peer) => peer.endpoint))
  let forgotten = 0
  for (const peer of [...torrent.peers.values()])
    if (!here.has(peer.endpoint) && isGone(peer, cutoffs)) {
      torrent.delete(peer.endpoint)
      forgotten++
    }
  return forgotten
}

const isLeecher = (peer: NaivePeer): boolean => peer.left > 0n
const counter = (roll: (sides: number) => number): bigint => {
  const word = () => BigInt([0, 1, 0xffff_ffff, roll(2 ** 31)][roll(4)]!)
  return (word() << 32n) | word()
}

const KINDS = [
  ['two families', FAMILIES],
  ['WebTorrent peers beside them', THREE_FAMILIES],
] as const

test.each(sample(KINDS))(
  `W72: a long random run with %s agrees with the reference model (SEED=${seed})`,
  (_, rows) => {
    const roll = dice()
    const world = new World({ seed, families: rows })
    world.seatLifetime = 35
    const { families } = world
    const hasSeats = families.includes(WEB)
    const twin = new NaiveSwarm()
    const hashes = [
      ...hashesOfShard(world.swarm, 17, 2),
      hashWords(1_000_000),
      ...hashesOfShard(world.swarm, 3, 12),
    ]
    // By torrent and family: about how many peers there should be; it wanders over 0, 32, 64 and 128.
    // The torrents after the first five are the many that have hardly a peer.
    const targets = hashes.map((_, at) =>
      families.map((_, i) => (at < 5 ? [140, 70, 100][i]! : i === 0 ? 1 : 0)),
    )
    const sweeps = new Map<number, SweepCursor>()
    const reached = {
      grewLarge: 0,
      becameSmall: 0,
      toSeeder: 0,
      toLeecher: 0,
      completed: 0,
      stoppedKnown: 0,
      stoppedUnknown: 0,
      expiredAtOnce: 0,
      expiredInLarge: 0,
      sweptAmongAnnounces: 0,
      forgotTorrent: 0,
      cut: 0,
      otherFamilyFilled: 0,
      clockWentBack: 0,
      salvaged: 0,
      // Only where there are seats.
      seatsForgotten: 0,
      seatsExpiredFirst: 0,
    }
    for (let step = 0; step < 6_000 * families.length; step++) {
      const leap = roll(1200)
      if (leap === 0) world.now += roll(130)
      else if (leap < 10) world.now -= roll(3)
      else if (leap < 30) world.now++
      if (leap > 0 && leap < 10) reached.clockWentBack++
      const at = roll(roll(6) === 0 ? hashes.length : 5)
      const hash = hashes[at]!
      const name = hashHex(hash)
      const kind = roll(families.length)
      const family = families[kind]!
      if (at < 5 && roll(60) === 0) targets[at]![kind] = [0, 0, 20, 70, 90, 140][roll(6)]!
      const before = twin.torrents.get(name)
      const size = before?.of(family).length ?? 0
      const peer = roll(220)
      const stopping = size > targets[at]![kind]! ? roll(5) > 0 : roll(20) === 0
      const wish: Wish = {
        family,
        // "stopped" mostly comes from a peer that is in the swarm.
        peer: stopping && size > 0 && roll(8) > 0 ? numberOfAny(before!, family, roll) : peer,
        id: roll(5),
        event: stopping ? EVENT.stopped : (roll(3) as AnnounceEvent),
        left: roll(3) === 0 ? counter(roll) : 0n,
        uploaded: counter(roll),
        downloaded: counter(roll),
        want: [-1, 0, 1, 7, 30, 50, 74, 75, 1000][roll(9)]!,
        // With an external address, a client may be known by the other family.
        asked: roll(8) === 0 ? 4 : family,
      }
      const both = roll(2) === 0
      const asked = wish.asked!
      const asker = write(world.announce, hash, wish)
      const { cutoffs } = world
      const old = before?.peers.get(asker.endpoint)
      const wasLarge = before?.large.has(family) ?? false
      const stale = [...(before?.peers.values() ?? [])].filter((p) => isGone(p, cutoffs)).length
      const hadStaleSeats = peersOfKind(before, true).some((p) => isGone(p, cutoffs))
      const completions = twin.completions

      if (roll(3) === 0) {
        // Some of it comes true: at once, later, or after the peer has moved or gone.
        const guesses = Array.from({ length: roll(32) }, () => {
          const guess = hashes[roll(roll(6) === 0 ? hashes.length : 5)]!
          return [guess, families[roll(families.length)]!, roll(220)] as const
        })
        world.expect([...guesses, [hash, family, wish.peer!]])
      }
      expect(world.tell(hash, wish, both)).toBe(OUTCOME.done)
      const counts = twin.announce(name, asker, world.now, cutoffs)
      const reply = both ? world.http : world.udp
      const { seeders, leechers, downloaded } = reply.answer
      expect({ step, seeders, leechers, downloaded }).toEqual({ step, ...counts })

      const torrent = twin.torrents.get(name)
      const told = reply.told()
      const want = stopping ? 0 : wish.want! < 0 ? MAX : Math.min(MAX, wish.want!)
      const order = both ? [asked, ...families.filter((other) => other !== asked)] : [asked]
      const question = { asker, order, want, cutoffs }
      if (torrent) expect([step, unfairness(told, torrent, question)]).toEqual([step, []])
      else expect(told).toEqual([])

      const isLarge = torrent?.large.has(family) ?? false
      if (!wasLarge && isLarge) reached.grewLarge++
      if (wasLarge && !isLarge) reached.becameSmall++
      if (stopping) reached[old ? 'stoppedKnown' : 'stoppedUnknown']++
      else if (old && isLeecher(old) !== asker.left > 0n)
        reached[isLeecher(old) ? 'toSeeder' : 'toLeecher']++
      reached.completed += twin.completions - completions
      const left = [...(torrent?.peers.values() ?? [])].filter((p) => isGone(p, cutoffs)).length
      if (stale > left) reached.expiredAtOnce++
      const haveOlderStayed = peersOfKind(before, false).some(({ seen }) => seen <= cutoffs.seats)
      if (stale > left && hadStaleSeats && haveOlderStayed) reached.seatsExpiredFirst++
      if (left > 0) reached.expiredInLarge++
      if (told.length === want && (torrent?.peers.size ?? 0) > want + 1) reached.cut++
      if (told.some((p) => p.family !== asked)) reached.otherFamilyFilled++

      if (roll(800) === 0) {
        const dead = 1 + roll(3)
        const { seeders, leechers } = world.swarm.totals()
        for (const moved of world.swarm.forgetThread(dead)) expect(moved).toBe(true)
        twin.forgetThread(dead)
        const totals = world.swarm.totals()
        reached.seatsForgotten += seeders + leechers - totals.seeders - totals.leechers
        expectTotals(world, twin)
      }
      if (roll(2500) === 0) {
        // As the control thread does when thread 2 died with every lock.
        for (const { torrents } of world.memory.shards) new Int32Array(torrents)[HEADER.lock] = 2
        reached.salvaged += world.swarm.salvage(2)
        twin.salvage()
        expect(listed(world, hash)).toEqual(naivelyListed(torrent))
      }
      if (roll(10) === 0) expect(world.scrape(hash)).toEqual(twin.scrape(name, cutoffs))
      if (roll(40) === 0) {
        const shard = [3, 17][roll(2)]!
        const cursor = sweeps.get(shard) ?? new SweepCursor()
        const retention = { removePeerless: false }
        const done = world.swarm.shards[shard]!.sweep(cursor, cutoffs, retention, 1 + roll(40))!
        if (done) sweeps.delete(shard)
        else sweeps.set(shard, cursor)
        const isHere = (words: Int32Array) =>
          world.swarm.shardOf(world.swarm.hash(words)) === world.swarm.shards[shard]
        for (const swept of hashes.filter(isHere)) {
          const known = twin.torrents.get(hashHex(swept))
          if (known) reached.sweptAmongAnnounces += reconcile(world, swept, known, cutoffs)
        }
      }
      if (roll(100) === 0) {
        const removePeerless = roll(4) > 0
        for (const shard of world.swarm.shards) {
          const cursor = new SweepCursor()
          while (!shard.sweep(cursor, cutoffs, { removePeerless }, 1 + roll(60)));
        }
        sweeps.clear()
        const torrents = twin.torrents.size
        twin.sweep(cutoffs, removePeerless)
        reached.forgotTorrent += torrents - twin.torrents.size
        expect(world.swarm.totals().torrents).toBe(twin.torrents.size)
        for (const hash of hashes)
          expect(listed(world, hash)).toEqual(naivelyListed(twin.torrents.get(hashHex(hash))))
      }
      if (step % 40 === 0) {
        expect(faults(world.memory)).toEqual([])
        expect(listed(world, hash)).toEqual(naivelyListed(torrent))
      }
    }
    expectTotals(world, twin)
    for (const [name, times] of Object.entries(reached))
      expect([name, times > 0]).toEqual([name, hasSeats || !name.startsWith('seats')])
  },
)

/** The peers with seats, or those with addresses. */
const peersOfKind = (torrent: NaiveTorrent | undefined, isSeat: boolean): NaivePeer[] =>
  [...(torrent?.peers.values() ?? [])].filter(({ family }) => (family === WEB) === isSeat)

/** The number of a random peer of `family`. */
function numberOfAny(
  torrent: NaiveTorrent,
  family: PeerFamily,
  roll: (sides: number) => number,
): number {
  const peers = torrent.of(family)
  return numberOf(peers[roll(peers.length)]!.endpoint)
}

function expectTotals(world: World, twin: NaiveSwarm): void {
  const sum = { torrents: twin.torrents.size, seeders: 0, leechers: 0, downloads: 0 }
  for (const torrent of twin.torrents.values()) {
    const { seeders, leechers, downloaded } = torrent.counts()
    sum.seeders += seeders
    sum.leechers += leechers
    sum.downloads += downloaded
  }
  const totals = { ...sum, completions: twin.completions }
  expect(world.swarm.totals()).toMatchObject(totals)
}

/** Announces between two looks at all of the memory. */
const SELDOM = THOROUGH ? 100 : 500

test.each(sample(KINDS))(
  `a swarm of %s grows over many chunks and falls back to nothing (SEED=${seed})`,
  (_, rows) => {
    const roll = dice()
    const world = new World({ seed, bytes: 8 * 1024 * 1024, families: rows })
    const { families } = world
    const twin = new NaiveSwarm()
    const [hash] = hashesOfShard(world.swarm, 0, 1)
    const neighbours = hashesOfShard(world.swarm, 0, 40).slice(1)
    const name = hashHex(hash!)
    const say = (words: Int32Array, wish: Wish) => {
      const asker = write(world.announce, words, wish)
      expect(world.tell(words, wish)).toBe(OUTCOME.done)
      const counts = twin.announce(hashHex(words), asker, world.now, world.cutoffs)
      const { seeders, leechers, downloaded } = world.udp.answer
      expect({ seeders, leechers, downloaded }).toEqual(counts)
    }
    const highest = [1200, 700, 1300]
    for (const [i, family] of families.entries())
      for (let peer = 0; peer < highest[i]!; peer++) {
        say(hash!, { family, peer, left: BigInt(roll(2)) })
        // Small swarms are allocated between the chunks.
        if (peer % 8 === 0)
          say(neighbours[roll(neighbours.length)]!, {
            family: families[roll(families.length)]!,
            peer,
          })
        if (peer % SELDOM === 0) expect(faults(world.memory, 0)).toEqual([])
      }
    expect(listed(world, hash!)).toEqual(naivelyListed(twin.torrents.get(name)))
    for (const family of families)
      while (twin.torrents.get(name)!.of(family).length > 0) {
        const peer = numberOfAny(twin.torrents.get(name)!, family, roll)
        const event = roll(3) === 0 ? EVENT.none : EVENT.stopped
        say(hash!, { family, peer, event, left: BigInt(roll(2)) })
        if (roll(SELDOM) === 0) expect(faults(world.memory, 0)).toEqual([])
      }
    expect(faults(world.memory, 0)).toEqual([])
    expect(listed(world, hash!)).toEqual(naivelyListed(twin.torrents.get(name)))
    expectTotals(world, twin)
  },
)

test(`every peer of a large swarm is listed in some answer (SEED=${seed})`, () => {
  const world = new World({ seed })
  const hash = hashWords(1)
  for (let peer = 0; peer < 1000; peer++)
    world.tell(hash, { peer, left: BigInt(peer % 2), want: 0 })
  for (const left of [0n, 1n]) {
    const told = new Map<string, number>()
    for (let ask = 0; ask < 1000; ask++) {
      world.tell(hash, { peer: ask, left: BigInt(ask % 2), want: 50 })
      world.tell(hash, { peer: 2000, left, want: 50 })
      for (const { endpoint } of world.udp.told()) told.set(endpoint, (told.get(endpoint) ?? 0) + 1)
    }
    // A seeder gets the 500 leechers, a leecher gets all peers.
    expect(told.size).toBe(left === 0n ? 500 : 1000)
    const mean = 50_000 / told.size
    expect(Math.max(...told.values())).toBeLessThan(mean * 2.5)
    expect(Math.min(...told.values())).toBeGreaterThan(mean / 2.5)
  }
})

test('an answer skips 64 expired peers of a large swarm and is still full', () => {
  const world = new World({})
  const hash = hashWords(1)
  for (let peer = 0; peer < 100; peer++) world.tell(hash, { peer })
  world.now += 60
  for (let peer = 64; peer < 100; peer++) world.tell(hash, { peer })
  world.now += 60
  world.tell(hash, { peer: 99, left: 1n, want: 10 })
  expect(world.udp.told()).toHaveLength(10)
})

test.each([
  ['small', 5],
  ['large', 65],
])('a %s swarm whose size moves around a limit is not moved each time', (_size, peers) => {
  const world = new World({})
  const hash = hashWords(1)
  for (let peer = 0; peer < peers; peer++) world.tell(hash, { peer })
  const shard = world.swarm.shardOf(world.swarm.hash(hash))
  const place = () => [
    shard.families[0]!.slots.isLarge(0),
    ...Array.from({ length: 3 }, (_, position) => shard.families[0]!.slots.slotAt(0, position)),
  ]
  const before = place()
  for (let round = 0; round < 3; round++) {
    world.tell(hash, { peer: peers - 1, event: EVENT.stopped })
    expect(place()).toEqual(before)
    world.tell(hash, { peer: peers - 1 })
    expect(place()).toEqual(before)
  }
})
