/** Torrents in the order of their info hashes, against sorting all of them. */
import { afterEach, describe, expect, spyOn, test } from 'bun:test'
import { EVENT } from '../../src/bittorrent.ts'
import { HEADER } from '../../src/swarm/layout.ts'
import { Cutoffs } from '../../src/swarm/peers.ts'
import { SweepCursor } from '../../src/swarm/sweep.ts'
import { Listing, type TorrentSummary } from '../../src/view/listing.ts'
import { hashesFrom, type Order, orderOf, type Sort } from '../../src/view/order.ts'
import { dice, seed } from '../support/random.ts'
import { captureWorkers } from '../support/run/captured-workers.ts'
import {
  hashesOfShard,
  hashHex,
  hashWords,
  THREE_FAMILIES,
  World,
} from '../support/swarm/harness.ts'

const HUGE = 2 ** 32 - 1
/** More torrents than are put in order at once. */
const MANY = 9_000
const retention = { removePeerless: true }

type Options = ConstructorParameters<typeof Listing>[1]
const listings: Listing[] = []
function listingOf(world: World, options?: Options): Listing {
  const listing = new Listing(world.swarm, options)
  listings.push(listing)
  return listing
}
afterEach(() => {
  for (const listing of listings.splice(0)) listing[Symbol.dispose]()
})

const read = async (
  listing: Listing,
  offset: number,
  limit: number,
  cutoffs = new Cutoffs(),
  sortBy?: Sort,
): Promise<TorrentSummary[]> =>
  (await Array.fromAsync(listing.list(cutoffs, offset, limit, sortBy))).flat()

/** What `orderOf` finds, as text. */
const ordered = (world: World): string[] | undefined => {
  const order = orderOf(world.swarm, 'info_hash')
  return (
    order &&
    (Buffer.from(hashesFrom(order, 0, HUGE).buffer)
      .toString('hex')
      .match(/.{40}/g) ??
      [])
  )
}

/** Info hash of `bytes`, the rest random. */
function hashOf(roll: (sides: number) => number, ...bytes: number[]): Int32Array {
  const whole = Uint8Array.from({ length: 20 }, (_, i) => bytes[i] ?? roll(256))
  return new Int32Array(whole.buffer)
}

/** `count` torrents, most of them under a few prefixes, as an attacker may choose them. */
function crowd(count: number, roll: (sides: number) => number): Int32Array[] {
  const prefixes = [
    [],
    [0],
    [0xff, 0xff, 0xff, 0xff],
    [0x80, 0x00, 0x7f],
    Array(17).fill(0x5a),
    Array(18).fill(0x80),
  ]
  return Array.from({ length: count }, () => hashOf(roll, ...prefixes[roll(prefixes.length)]!))
}

/** All of the torrents as scrapes say it, sorted by the text of their hash. */
function naively(world: World, hashes: readonly Int32Array[]): TorrentSummary[] {
  const all = new Map(hashes.map((hash) => [hashHex(hash), world.scrape(hash)]))
  return [...all]
    .map(([infoHash, counts]) => ({ infoHash, ...counts }))
    .sort((one, other) => (one.infoHash < other.infoHash ? -1 : 1))
}

/** A swarm whose order is made by a thread. */
function crowded(): { world: World; hashes: Int32Array[] } {
  const world = new World({ bytes: 32 * 2 ** 20 })
  const hashes = Array.from({ length: MANY }, (_, n) => hashWords(n))
  for (const hash of hashes) world.tell(hash, { want: 0 })
  return { world, hashes }
}

function remove(world: World, hashes: readonly Int32Array[]): void {
  for (const hash of hashes) world.tell(hash, { event: EVENT.stopped })
  for (const shard of world.swarm.shards)
    shard.sweep(new SweepCursor(), new Cutoffs(), retention, 1e6)
}

test.each([60, 5_000, 12_000])(
  `pages of %d torrents agree with sorting all of them (SEED=${seed})`,
  async (count) => {
    const roll = dice()
    const world = new World({ bytes: 64 * 2 ** 20, seed, families: THREE_FAMILIES })
    const hashes = crowd(count, roll)
    for (const hash of hashes)
      for (let peer = roll(3); peer >= 0; peer--)
        world.tell(hash, { peer, family: world.families[peer]!, left: BigInt(roll(2)), want: 0 })
    const all = naively(world, hashes)
    const listing = listingOf(world, { keptMilliseconds: 60_000 })
    expect(await read(listing, 0, HUGE)).toEqual(all)
    const edges = [0, 1, 1999, 2000, 2001, count - 1, count, count + 1, HUGE, roll(count)]
    for (const offset of edges)
      for (const limit of [0, 1, 2, 100, 1999, 2000, 2001, HUGE])
        expect([offset, limit, await read(listing, offset, limit)]).toEqual([
          offset,
          limit,
          all.slice(offset, offset + limit),
        ])
  },
)

const BY = {
  seeders: ({ seeders }: TorrentSummary) => seeders,
  leechers: ({ leechers }: TorrentSummary) => leechers,
  completed: ({ downloaded }: TorrentSummary) => downloaded,
  peers: ({ seeders, leechers }: TorrentSummary) => seeders + leechers,
}

test.each([60, 9_000])(
  `A41: pages of %d torrents by each figure agree with sorting all of them (SEED=${seed})`,
  async (count) => {
    const roll = dice()
    const world = new World({ bytes: 64 * 2 ** 20, seed, families: THREE_FAMILIES })
    const hashes = crowd(count, roll)
    for (const hash of hashes)
      for (let peer = roll(4); peer >= 0; peer--) {
        const whose = { peer, family: world.families[peer % 3]! }
        world.tell(hash, { ...whose, left: 1n, want: 0 })
        if (roll(2) === 0) world.tell(hash, { ...whose, event: EVENT.completed, want: 0 })
      }
    const all = naively(world, hashes)
    const listing = listingOf(world, { keptMilliseconds: 60_000 })
    for (const [sortBy, figure] of Object.entries(BY)) {
      const sorted = all.toSorted((one, other) => figure(other) - figure(one))
      const page = (offset: number, limit: number) =>
        read(listing, offset, limit, undefined, sortBy as Sort)
      expect([sortBy, await page(0, HUGE)]).toEqual([sortBy, sorted])
      for (const offset of [1, 1999, 2001, count - 1, count, roll(count)])
        for (const limit of [1, 2001])
          expect([sortBy, offset, await page(offset, limit)]).toEqual([
            sortBy,
            offset,
            sorted.slice(offset, offset + limit),
          ])
    }
    expect(await read(listing, 0, HUGE)).toEqual(all)
  },
)

test('A41: a torrent that was completed more often than a word can count comes first', async () => {
  const world = new World({ persistent: true })
  const [most, more] = [1, 2].map(hashWords) as [Int32Array, Int32Array]
  for (const [hash, count] of [
    [most, 2 ** 40],
    [more, 2 ** 31],
  ] as const) {
    world.tell(hash, {})
    const shard = world.swarm.shardOf(world.swarm.hash(hash))
    const torrent = shard.torrents.find(hash, world.swarm.hash(hash))
    shard.torrents.addDownloads(torrent, count)
  }
  const rows = await read(listingOf(world), 0, 9, undefined, 'completed')
  expect(rows.map(({ infoHash }) => infoHash)).toEqual([hashHex(most), hashHex(more)])
})

test('an empty swarm has an empty list', async () => {
  const listing = listingOf(new World({}))
  expect(await read(listing, 0, HUGE)).toEqual([])
  expect(await read(listing, HUGE, HUGE)).toEqual([])
})

test('a long list is given in parts, and other tasks run between and within them', async () => {
  const world = new World({ bytes: 32 * 2 ** 20 })
  for (let n = 0; n < 5_000; n++) world.tell(hashWords(n), { want: 0 })
  let milliseconds = 0
  using clock = spyOn(performance, 'now').mockImplementation(() => (milliseconds += 2))
  let turns = 0
  let isReading = true
  const count = () => {
    turns++
    if (isReading) setImmediate(count)
  }
  setImmediate(count)
  const parts: number[] = []
  for await (const part of listingOf(world).list(new Cutoffs(), 0, HUGE)) parts.push(part.length)
  isReading = false
  expect(clock).toHaveBeenCalled()
  expect(parts).toEqual([2_000, 2_000, 1_000])
  // A turn is over at the second look at the clock.
  expect(turns).toBeGreaterThan(2_000)
})

test('expired peers are counted as a scrape counts them, and nothing is removed', async () => {
  const world = new World({})
  const [small, large, fresh] = [1, 2, 3].map(hashWords) as [Int32Array, Int32Array, Int32Array]
  for (const family of [4, 6] as const) {
    for (let peer = 0; peer < 6; peer++) world.tell(small, { family, peer, left: BigInt(peer % 2) })
    for (let peer = 0; peer < 70; peer++) world.tell(large, { family, peer, left: 1n })
  }
  world.now += 60
  world.tell(small, { family: 6, peer: 9 })
  world.tell(fresh, { peer: 9, left: 1n })
  world.tell(fresh, { peer: 9, event: EVENT.completed })
  world.now += 60
  const before = world.swarm.totals()
  const listed = await read(listingOf(world), 0, 10, world.cutoffs)
  expect(world.swarm.totals()).toEqual(before)
  expect(listed).toEqual(naively(world, [small, large, fresh]))
  expect(
    listed.map(({ seeders, leechers, downloaded }) => [seeders, leechers, downloaded]).sort(),
  ).toEqual([
    [0, 140, 0],
    [1, 0, 0],
    [1, 0, 1],
  ])
})

describe('while the torrents are read', () => {
  /** The order, read while `meanwhile` happens between the words of info hash number `n` and its check. */
  function orderWhile(world: World, n: number, meanwhile: () => void): string[] | undefined {
    const { swarm } = world
    const { hash } = swarm
    let reads = 0
    using _ = spyOn(swarm, 'hash').mockImplementation((words, at) => {
      if (at !== undefined && words.length > 5 && reads++ === n) meanwhile()
      return hash.call(swarm, words, at)
    })
    const names = ordered(world)
    expect(reads).toBeGreaterThan(n)
    return names
  }
  const names = (hashes: readonly Int32Array[]) => hashes.map(hashHex).sort()

  test('a sweep that moves torrents hides none of them and lists none twice', () => {
    const world = new World({})
    const hashes = hashesOfShard(world.swarm, 3, 400)
    const { torrents } = world.swarm.shards[3]!
    for (const hash of hashes) world.tell(hash, {})
    // The first ones went, so that a sweep moves the last ones to where the reading comes later.
    for (const hash of hashes.slice(0, 270)) {
      world.tell(hash, { event: EVENT.stopped })
      torrents.remove(torrents.find(hash, world.swarm.hash(hash)))
    }
    const found = orderWhile(world, 100, () => remove(world, []))
    expect(torrents.header[HEADER.torrentHigh]!).toBeLessThan(270)
    expect(found).toEqual(names(hashes.slice(270)))
  })

  test('torrents that come leave room for those that were there', () => {
    const world = new World({})
    // Records come by 64: there is none to spare.
    const here = [...hashesOfShard(world.swarm, 3, 64), ...hashesOfShard(world.swarm, 20, 64)]
    for (const hash of here) world.tell(hash, {})
    const later = hashesOfShard(world.swarm, 20, 128).slice(64)
    const found = orderWhile(world, 0, () => {
      for (const hash of later) world.tell(hash, {})
    })
    expect(found).toEqual(expect.arrayContaining(here.map(hashHex)))
  })

  test('a record that another torrent gets makes no torrent that never was there', () => {
    const world = new World({})
    const hashes = hashesOfShard(world.swarm, 3, 31)
    for (const hash of hashes.slice(0, 30)) world.tell(hash, {})
    const { torrents } = world.swarm.shards[3]!
    const [gone, come] = [hashes[20]!, hashes[30]!]
    const at = torrents.find(gone, world.swarm.hash(gone))
    const found = orderWhile(world, 9, () => {
      remove(world, [gone])
      world.tell(come, {})
      expect(torrents.find(come, world.swarm.hash(come))).toBe(at)
    })
    expect(found).toEqual(names(hashes.slice(0, 30).filter((hash) => hash !== gone)))
  })

  test('a salvage hides nothing: they are read again', () => {
    const world = new World({})
    const hashes = hashesOfShard(world.swarm, 3, 60)
    for (const hash of hashes) world.tell(hash, {})
    const salvage = () => {
      new Int32Array(world.memory.shards[3]!.torrents)[HEADER.lock] = 2
      expect(world.swarm.salvage(2)).toBe(1)
    }
    expect(orderWhile(world, 30, salvage)).toBeUndefined()
    expect(ordered(world)).toEqual(names(hashes))
  })

  test('a shard that is being salvaged is waited for', async () => {
    const world = new World({})
    for (const hash of hashesOfShard(world.swarm, 3, 40)) world.tell(hash, {})
    const { header } = world.swarm.shards[3]!.torrents
    header[HEADER.salvages]! |= 1
    let rows: TorrentSummary[] | undefined
    const reading = read(listingOf(world), 0, HUGE).then((all) => {
      rows = all
    })
    for (let turn = 0; turn < 50; turn++) await new Promise(setImmediate)
    expect(rows).toBeUndefined()
    header[HEADER.salvages]!++
    await reading
    expect(rows).toHaveLength(40)
  })

  test(`two threads that announce hide nothing that lasts (SEED=${seed})`, async () => {
    const world = new World({ bytes: 64 * 2 ** 20, seed })
    const lasting = Array.from({ length: 3_000 }, (_, n) => hashWords(n))
    for (const hash of lasting) world.tell(hash, { want: 0 })
    const passing = Array.from({ length: 3_000 }, (_, n) => hashWords(10_000 + n))
    const progress = new SharedArrayBuffer(64)
    const workers = [2, 3].map((thread) => {
      const worker = new Worker(new URL('../support/swarm/hammer-worker.ts', import.meta.url).href)
      const done = new Promise((resolve, reject) => {
        worker.onmessage = resolve
        worker.onerror = ({ message }) => reject(new Error(message))
      })
      const task = { memory: world.memory, thread, seed: seed + thread * 2, progress }
      worker.postMessage({ ...task, hashes: passing, steps: 15_000 })
      return { worker, done }
    })
    let isWorking = true
    const finished = Promise.all(workers.map(({ done }) => done)).finally(() => {
      isWorking = false
    })
    const known = new Set(names([...lasting, ...passing]))
    let lists = 0
    for (; isWorking; lists++) {
      const found = ordered(world)!
      expect(found).toEqual(found.toSorted())
      const here = new Set(found)
      expect(here.size).toBe(found.length)
      expect(names(lasting).filter((name) => !here.has(name))).toEqual([])
      expect(found.filter((name) => !known.has(name))).toEqual([])
      for (const shard of world.swarm.shards)
        shard.sweep(new SweepCursor(), new Cutoffs(), retention, 500)
      await new Promise(setImmediate)
    }
    await finished
    for (const { worker } of workers) worker.terminate()
    expect(lists).toBeGreaterThan(3)
  })
})

describe('A13: a large swarm', () => {
  test('is put in order by one thread for all requests, which ends with it', async () => {
    const { world } = crowded()
    using workers = captureWorkers()
    const listing = listingOf(world, { keptMilliseconds: 60_000 })
    const pages = [0, 100, 8_900].map((offset) => read(listing, offset, 100))
    for (const page of await Promise.all(pages)) expect(page).toHaveLength(100)
    expect(await read(listing, 200, 100)).toHaveLength(100)
    expect(workers.all).toHaveLength(1)
    while (!workers.all[0]!.ended) await Bun.sleep(1)
  })

  test('A41: is put in order by one thread after the other, however many orders are wanted', async () => {
    const { world } = crowded()
    using workers = captureWorkers()
    const listing = listingOf(world, { keptMilliseconds: 60_000 })
    let most = 0
    const looking = setInterval(() => {
      most = Math.max(most, workers.all.filter(({ ended }) => !ended).length)
    }, 1)
    const sorts = ['info_hash', 'seeders', 'peers', 'seeders'] as const
    const pages = await Promise.all(sorts.map((sortBy) => read(listing, 0, 100, undefined, sortBy)))
    clearInterval(looking)
    expect(pages.map(({ length }) => length)).toEqual([100, 100, 100, 100])
    // One that is told to end takes a moment.
    expect([workers.all.length, most <= 2]).toEqual([3, true])
  })

  test('A41: has 100,000 torrents by a figure, and all by info hash', async () => {
    const world = new World({ bytes: 128 * 2 ** 20 })
    for (let n = 0; n < 100_010; n++) world.tell(hashWords(n), { want: 0 })
    const largest = [99, 100_001].map(hashWords)
    for (const hash of largest) world.tell(hash, { peer: 2, want: 0 })
    const listing = listingOf(world, { keptMilliseconds: 60_000 })
    const rows = await read(listing, 0, HUGE, undefined, 'peers')
    expect(rows).toHaveLength(100_000)
    expect(rows.slice(0, 2).map(({ infoHash }) => infoHash)).toEqual(largest.map(hashHex).sort())
    expect(await read(listing, 100_000, HUGE, undefined, 'peers')).toEqual([])
    expect(await read(listing, 100_000, HUGE)).toHaveLength(10)
  })

  test('A41: is not put in order for lists that still wait when the tracker stops', async () => {
    const { world } = crowded()
    using workers = captureWorkers()
    const listing = listingOf(world, { url: 'data:text/javascript,setInterval(() => {}, 1e6)' })
    const readings = [read(listing, 0, 1), read(listing, 0, 1, undefined, 'peers')]
    listing[Symbol.dispose]()
    const [first, second] = await Promise.allSettled(readings)
    expect(first).toMatchObject({ reason: { message: expect.stringContaining('thread ended') } })
    expect(second).toMatchObject({ reason: { message: expect.stringContaining('tracker stops') } })
    expect(workers.all).toHaveLength(1)
  })

  test('gives back the memory of its order when it is not used any more', async () => {
    const { world } = crowded()
    using workers = captureWorkers()
    const reading = read(listingOf(world, { keptMilliseconds: 1 }), 0, 1)
    const { promise, resolve } = Promise.withResolvers<Order>()
    workers.all[0]!.worker.addEventListener('message', ({ data }) => resolve(data))
    const { hashes, places } = await promise
    expect(places).toHaveLength(MANY)
    expect(await reading).toHaveLength(1)
    while (hashes.length + places.length > 0) await Bun.sleep(1)
  })

  test('keeps its order for a while: what came since is not in it, what went is left out', async () => {
    const { world, hashes } = crowded()
    const listing = listingOf(world, { keptMilliseconds: 60_000 })
    const before = await read(listing, 0, HUGE)
    world.tell(hashWords(MANY), {})
    const gone = hashes.filter((hash) => hashHex(hash) < before[50]!.infoHash)
    remove(world, gone)
    expect(gone).toHaveLength(50)
    expect(await read(listing, 0, 2_500)).toEqual(before.slice(50, 2_550))
    expect(await read(listing, 2_000, HUGE)).toEqual(before.slice(2_000))
  })

  test('is put in order again afterwards, also in the middle of a list', async () => {
    const { world, hashes } = crowded()
    const listing = listingOf(world, { keptMilliseconds: 0 })
    const all = hashes.map(hashHex).sort()
    const rows: string[] = []
    for await (const part of listing.list(new Cutoffs(), 0, HUGE)) {
      rows.push(...part.map(({ infoHash }) => infoHash))
      // All that was listed so far is gone from the next order.
      if (rows.length === 2_000)
        remove(
          world,
          hashes.filter((hash) => hashHex(hash) <= rows.at(-1)!),
        )
      await Bun.sleep(5)
    }
    expect(rows).toEqual(all)
  })

  const FAULTS = {
    'cannot start': { url: 'data:text/javascript,throw new Error("broken")', says: 'broken' },
    'ends without a word': { url: 'data:text/javascript,0', says: 'the thread ended' },
    hangs: { url: 'data:text/javascript,setInterval(() => {}, 1e6)', says: 'within 100 ms' },
  }
  test.each(Object.entries(FAULTS))(
    'a thread that %s fails the lists that wait, and no later one',
    async (_what, { url, says }) => {
      const { world } = crowded()
      using workers = captureWorkers()
      // However busy the machine is, the others fail before their time is over.
      const sortMilliseconds = says.startsWith('within') ? 100 : 60_000
      const listing = listingOf(world, { url, sortMilliseconds })
      for (let round = 1; round < 3; round++) {
        const both = await Promise.allSettled([read(listing, 0, 1), read(listing, 5, 1)])
        for (const result of both) {
          const { message } = (result as PromiseRejectedResult).reason
          expect(message).toStartWith('the torrents were not put in order')
          expect(message).toContain(says)
        }
        await Bun.sleep(5)
        expect(workers.all).toHaveLength(round)
      }
      while (!workers.all.every(({ ended }) => ended)) await Bun.sleep(1)
    },
  )

  test('ends its thread when the tracker stops', async () => {
    const { world } = crowded()
    using workers = captureWorkers()
    const listing = listingOf(world, { url: 'data:text/javascript,setInterval(() => {}, 1e6)' })
    const reading = read(listing, 0, 1)
    listing[Symbol.dispose]()
    await expect(reading).rejects.toThrow('the thread ended')
    while (!workers.all[0]!.ended) await Bun.sleep(1)
  })
})
