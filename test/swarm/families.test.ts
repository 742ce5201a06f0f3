/**
 * The family of WebTorrent peers, whose endpoints are not addresses: it takes one row of the table, and
 * costs nothing where it is absent. Its peers also take part in the tests swarm, torn, salvage, memory, expiry, threads.
 */
import { describe, expect, spyOn, test } from 'bun:test'
import { EVENT, WEB } from '../../src/bittorrent.ts'
import {
  Carver,
  carveTorrents,
  chunkKib,
  FAMILIES,
  FAMILY_HEADER,
  HEADER,
  NIL,
  PART,
  sizeOf,
  torrentBatchKib,
  WEB_ROW,
} from '../../src/swarm/layout.ts'
import { Cutoffs } from '../../src/swarm/peers.ts'
import { OUTCOME } from '../../src/swarm/shard.ts'
import { createSwarmMemory } from '../../src/swarm/swarm.ts'
import { SweepCursor } from '../../src/swarm/sweep.ts'
import { Listing } from '../../src/view/listing.ts'
import { dice, seed } from '../support/random.ts'
import {
  arraysOf,
  endpointOf,
  hashesOfShard,
  hashHex,
  hashWords,
  hex,
  inspect,
  listed,
  THREE_FAMILIES,
  World,
} from '../support/swarm/harness.ts'
import { faults } from '../support/swarm/whole.ts'

const KIB = 1024
const hash = hashWords(1)
const three = (persistent = false) => new World({ families: THREE_FAMILIES, persistent })

describe('without WebTorrent peers', () => {
  test.each([true, false])('nothing is reserved for it (persistent: %p)', (persistent) => {
    const world = new World({ persistent })
    const [shard] = world.memory.shards
    expect(shard!.peers).toHaveLength(2)
    const capacity = { torrents: 640, ledger: persistent ? 640 : 0 }
    const size = (families: typeof FAMILIES) =>
      sizeOf((carver) => carveTorrents(carver, capacity, families))
    expect(size(THREE_FAMILIES) - size(FAMILIES)).toBe(640 * PART.words * 4)
    // The only arrays beside the records are those of the ledger.
    const { torrents } = arraysOf(world.memory, shard!)
    expect(torrents.beside).toHaveLength(persistent ? 4 : 0)
    expect(torrents.parts.every(({ buffer }) => buffer === torrents.records.buffer)).toBe(true)
  })

  test('nothing is paid for it', () => {
    const [torrents, peers] = [torrentBatchKib(FAMILIES), FAMILIES.map(chunkKib)]
    expect([torrents, peers]).toEqual([5, [4, 5]])
    const world = new World({})
    world.tell(hash, { family: 4 })
    expect(world.swarm.memory().used).toBe(9 * KIB)
    world.tell(hash, { family: 6 })
    expect(world.swarm.memory().used).toBe(14 * KIB)
  })

  test('an announce of it is refused by an error, and changes nothing', () => {
    const world = new World({})
    world.tell(hash, { peer: 1 })
    const before = listed(world, hash)
    expect(() => world.tell(hash, { family: WEB })).toThrow('no family 1 in this swarm')
    expect(() => world.tell(hashWords(2), { family: WEB })).toThrow('no family 1 in this swarm')
    expect(listed(world, hash)).toEqual(before)
    expect(world.swarm.totals()).toMatchObject({ torrents: 1, seeders: 1 })
    expect(faults(world.memory)).toEqual([])
  })

  test('a list of it stays empty, and those behind it are filled', () => {
    const [two, all] = [new World({}), three()]
    for (const family of [4, 6]) two.tell(hash, { family, peer: 1 })
    const answer = all.http.prepare(WEB, true)
    two.tell(hash, { peer: 2 })
    two.swarm.announce(two.announce, two.now, two.cutoffs, 74, answer)
    expect(all.http.told().map(({ family }) => family)).toEqual([4, 6])
  })
})

describe('the family of WebTorrent peers without announces', () => {
  /** Announces, scrapes and sweeps of the other families, many times. */
  function live(world: World): void {
    const roll = dice()
    const hashes = hashesOfShard(world.swarm, 3, 90)
    for (let step = 0; step < 4_000; step++) {
      const words = hashes[roll(3) === 0 ? roll(90) : roll(2)]!
      const event = roll(4) === 0 ? EVENT.stopped : EVENT.none
      const family = roll(2) === 0 ? 4 : 6
      world.tell(words, { family, peer: roll(150), event, left: BigInt(roll(2)) }, roll(2) === 0)
      if (roll(10) === 0) world.scrape(words)
      if (roll(20) === 0) world.now += 20
      if (roll(200) > 0) continue
      const cursor = new SweepCursor()
      while (!world.swarm.shards[3]!.sweep(cursor, world.cutoffs, { removePeerless: true }, 50));
    }
  }

  test(`touches no memory of its own (SEED=${seed})`, () => {
    const world = three(true)
    using lower = spyOn(world.swarm.shards[3]!.torrents, 'lower')
    live(world)
    expect(lower.mock.results.filter(({ value }) => value !== NIL).length).toBeGreaterThan(0)
    const { torrents, peers } = arraysOf(world.memory, world.memory.shards[3]!)
    expect(torrents.parts[2]!.every((word) => word === 0)).toBe(true)
    expect(peers[2]!.hot.length).toBeGreaterThan(0)
    const header = torrents.header.subarray(WEB_ROW.header, WEB_ROW.header + FAMILY_HEADER.words)
    expect(header.every((word) => word === 0)).toBe(true)
    expect(new Int32Array(world.memory.shards[3]!.peers[2]!).every((word) => word === 0)).toBe(true)
  })

  test(`is not read by announces and scrapes (SEED=${seed})`, () => {
    const world = three()
    const roll = dice()
    for (const { families } of world.swarm.shards)
      for (const room of [families[2]!, families[2]!.slots])
        for (const name of Object.getOwnPropertyNames(Object.getPrototypeOf(room)))
          Object.defineProperty(room, name, {
            value: () => {
              throw new Error(`asked for ${name}`)
            },
          })
    for (let step = 0; step < 2_000; step++) {
      const words = hashWords(roll(4))
      const event = roll(4) === 0 ? EVENT.stopped : EVENT.none
      const wish = { family: roll(2) === 0 ? 4 : 6, peer: roll(150), event, left: BigInt(roll(2)) }
      expect(world.tell(words, wish)).toBe(OUTCOME.done)
      if (roll(5) === 0) world.scrape(words)
      if (roll(20) === 0) world.now += 20
    }
  })

  test('is paid for with the torrents: 1 KiB for 64', () => {
    const world = three()
    world.tell(hash, { family: 4 })
    expect(world.swarm.memory().used).toBe((6 + 4) * KIB)
    world.tell(hash, { family: WEB })
    expect(world.swarm.memory().used).toBe((6 + 4 + chunkKib(WEB_ROW)) * KIB)
    expect(chunkKib(WEB_ROW)).toBe(5)
  })
})

describe('WebTorrent peers', () => {
  test('W48, W49: are counted with the others, and listed only in answers that ask for them', () => {
    const world = three()
    for (const family of world.families)
      for (let peer = 0; peer < 10; peer++)
        world.tell(hash, { family, peer, left: BigInt(peer % 2) })
    for (const family of world.families) {
      world.tell(hash, { family, peer: 0 })
      expect(world.udp.answer).toMatchObject({ seeders: 15, leechers: 15 })
      const told = world.udp.told()
      expect([told.length, new Set(told.map((peer) => peer.family))]).toEqual([
        9,
        new Set([family]),
      ])
    }
    expect(world.scrape(hash)).toMatchObject({ seeders: 15, leechers: 15 })
    expect(world.swarm.totals()).toMatchObject({ seeders: 15, leechers: 15 })
  })

  test('W51: are listed with their endpoints, after the peers with addresses', async () => {
    const world = three()
    for (const family of [WEB, 6, 4])
      world.tell(hash, { family, peer: 5, left: BigInt(family & 1) })
    const torrent = inspect(world.swarm, hash)
    if (torrent === undefined || torrent === 'busy') throw new Error('not shown')
    expect(torrent.peers.map(({ family, endpoint }) => [family, hex(endpoint)])).toEqual(
      [4, 6, WEB].map((family) => [family, hex(endpointOf(family, 5))]),
    )
    const summary = { infoHash: hashHex(hash), seeders: 2, leechers: 1, downloaded: 0 }
    const pages = new Listing(world.swarm).list(new Cutoffs(), 0, 10)
    expect(await Array.fromAsync(pages)).toEqual([[summary]])
    world.now += world.lifetime
    expect(await new Listing(world.swarm).summaries(world.cutoffs, hash)).toEqual([
      { ...summary, seeders: 0, leechers: 0 },
    ])
  })

  test('move with their torrent and leave nothing behind', () => {
    const world = three(true)
    const hashes = hashesOfShard(world.swarm, 3, 400)
    for (const words of hashes) world.tell(words, { family: WEB, peer: 1 })
    const [last] = hashes.slice(-1) as [Int32Array]
    for (let peer = 0; peer < 100; peer++) world.tell(last, { family: WEB, peer })
    for (const words of hashes.slice(0, 300)) world.tell(words, { family: WEB, peer: 1, event: 3 })
    const kept = hashes.slice(300)
    const before = kept.map((words) => listed(world, words))
    const shard = world.swarm.shards[3]!
    const { torrents } = shard
    for (let round = 0; round < 3; round++)
      shard.sweep(new SweepCursor(), new Cutoffs(), { removePeerless: true }, 1e6)
    expect(torrents.header[HEADER.torrentHigh]!).toBeLessThan(200)
    expect(kept.map((words) => listed(world, words))).toEqual(before)
    expect(faults(world.memory)).toEqual([])
  })
})

test('every array by torrent is moved, cleared and released with the records', () => {
  // No other array has a length that is a multiple of this.
  const torrents = 64 * 1009
  const carve = (carver: Carver) =>
    carveTorrents(carver, { torrents, ledger: torrents }, THREE_FAMILIES)
  const arrays = carve(new Carver(new SharedArrayBuffer(sizeOf(carve))))
  const found = new Set<Int32Array>()
  for (const [name, value] of Object.entries(arrays))
    for (const array of [value].flat())
      if (
        array instanceof Int32Array &&
        name !== 'records' &&
        name !== 'buckets' &&
        array.length % torrents === 0
      )
        found.add(array)
  expect(found.size).toBe(5)
  expect(new Set(arrays.beside.map(({ words }) => words))).toEqual(found)
  for (const { words, stride } of arrays.beside) expect(words.length).toBe(torrents * stride)
})

test('rows that the layout has no place for are refused', () => {
  const beside = { ...FAMILIES[0]!, part: undefined }
  const wide = { ...FAMILIES[0]!, bits: 26 }
  for (const rows of [[beside, FAMILIES[1]!], [wide], Array(6).fill(FAMILIES[0]!)])
    expect(() => createSwarmMemory(2 ** 20, Int32Array.of(1), false, rows)).toThrow('do not fit')
})
