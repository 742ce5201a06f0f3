/** Torrents in the order of their info hashes, against sorting all of them. */
import { describe, expect, spyOn, test } from 'bun:test'
import { EVENT } from '../../src/bittorrent.ts'
import { Lock } from '../../src/memory/lock.ts'
import { HEADER } from '../../src/swarm/layout.ts'
import { SHARDS } from '../../src/swarm/swarm.ts'
import { SweepCursor } from '../../src/swarm/sweep.ts'
import { Listing, type TorrentSummary } from '../../src/view/listing.ts'
import { inOrder } from '../../src/view/order.ts'
import { dice, seed } from '../support/random.ts'
import {
  hashesOfShard,
  hashHex,
  hashWords,
  THREE_FAMILIES,
  World,
} from '../support/swarm/harness.ts'
import { until } from '../support/until.ts'

const HUGE = 2 ** 32 - 1
const OTHER = 2

async function read(
  world: World,
  offset: number,
  limit: number,
  cutoff = 0,
): Promise<TorrentSummary[]> {
  const parts = await Array.fromAsync(new Listing(world.swarm).list(cutoff, offset, limit))
  return parts.flat()
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

function fill(world: World, hashes: readonly Int32Array[], roll: (sides: number) => number): void {
  for (const hash of hashes)
    for (let peer = roll(3); peer >= 0; peer--)
      world.tell(hash, { peer, family: world.families[peer] ?? 4, left: BigInt(roll(2)), want: 0 })
}

/** All of the torrents as scrapes say it, sorted by the text of their hash. */
function naively(world: World, hashes: readonly Int32Array[]): TorrentSummary[] {
  const all = new Map(hashes.map((hash) => [hashHex(hash), world.scrape(hash)]))
  return [...all]
    .map(([infoHash, counts]) => ({ infoHash, ...counts }))
    .sort((one, other) => (one.infoHash < other.infoHash ? -1 : 1))
}

test(`pages agree with sorting all torrents (SEED=${seed})`, async () => {
  const roll = dice()
  const world = new World({ bytes: 64 * 2 ** 20, seed, families: THREE_FAMILIES })
  const hashes = crowd(5_000, roll)
  fill(world, hashes, roll)
  const all = naively(world, hashes)
  expect(await read(world, 0, HUGE)).toEqual(all)
  const edges = [0, 1, 2, 1999, 2000, 2001, 4999, 5000, 5001, HUGE, roll(5000), roll(5000)]
  for (const offset of edges)
    for (const limit of [0, 1, 2, 100, 1999, 2000, 2001, 5000, HUGE])
      expect([offset, limit, await read(world, offset, limit)]).toEqual([
        offset,
        limit,
        all.slice(offset, offset + limit),
      ])
})

test(`every boundary of a page is met exactly (SEED=${seed})`, async () => {
  const roll = dice()
  const world = new World({ bytes: 16 * 2 ** 20, seed })
  const hashes = crowd(60, roll)
  fill(world, hashes, roll)
  const all = naively(world, hashes)
  for (let offset = 0; offset <= 61; offset++)
    expect([offset, await read(world, offset, 7)]).toEqual([offset, all.slice(offset, offset + 7)])
})

test(`more torrents under one prefix than the buffer holds are all listed (SEED=${seed})`, async () => {
  const roll = dice()
  const world = new World({ bytes: 128 * 2 ** 20, seed })
  // 70,000 that differ only in their last three bytes, and some on either side.
  const same = Array.from({ length: 17 }, () => roll(256))
  const hashes = [
    ...Array.from({ length: 70_000 }, (_, i) => hashOf(roll, ...same, i >>> 16, i >>> 8, i)),
    ...Array.from({ length: 500 }, () => hashOf(roll)),
  ]
  for (const hash of hashes) world.tell(hash, { left: 1n, want: 0 })
  const all = hashes.map(hashHex).sort()
  const names = (rows: TorrentSummary[]) => rows.map(({ infoHash }) => infoHash)
  expect(names(await read(world, 0, HUGE))).toEqual(all)
  for (const offset of [0, 32_767, 32_768, 65_536, 69_999, 70_400])
    expect(names(await read(world, offset, 40_000))).toEqual(all.slice(offset, offset + 40_000))
})

test('an empty swarm has an empty list', async () => {
  const world = new World({})
  expect(await read(world, 0, HUGE)).toEqual([])
  expect(await read(world, HUGE, HUGE)).toEqual([])
})

test('a list of some thousand torrents is read in slices, and other tasks run between them', async () => {
  const world = new World({ bytes: 32 * 2 ** 20 })
  for (let n = 0; n < 9_000; n++) world.tell(hashWords(n), { want: 0 })
  let milliseconds = 0
  const clock = spyOn(performance, 'now').mockImplementation(() => (milliseconds += 2))
  let turns = 0
  let isReading = true
  const count = () => {
    turns++
    if (isReading) setImmediate(count)
  }
  setImmediate(count)
  const parts: number[] = []
  for await (const part of new Listing(world.swarm).list(0, 0, HUGE)) parts.push(part.length)
  isReading = false
  clock.mockRestore()
  expect(parts).toEqual([2_000, 2_000, 2_000, 2_000, 1_000])
  // Two looks at each shard, and at least one hold of each lock.
  expect(turns).toBeGreaterThan(3 * SHARDS)
})

describe('expired peers', () => {
  test('are counted as a scrape counts them, small swarms and large', async () => {
    const world = new World({})
    const small = hashWords(1)
    const large = hashWords(2)
    const fresh = hashWords(3)
    for (const family of [4, 6] as const) {
      for (let peer = 0; peer < 6; peer++)
        world.tell(small, { family, peer, left: BigInt(peer % 2) })
      for (let peer = 0; peer < 70; peer++) world.tell(large, { family, peer, left: 1n })
    }
    world.now += 60
    world.tell(small, { family: 6, peer: 9 })
    world.tell(fresh, { peer: 9, left: 1n })
    world.now += 60
    const listed = await read(world, 0, 10, world.cutoff)
    expect(listed).toEqual(naively(world, [small, large, fresh]))
    expect(listed.map(({ seeders, leechers }) => [seeders, leechers]).sort()).toEqual([
      [0, 1],
      [0, 140],
      [1, 0],
    ])
  })

  test('are not removed: a list changes nothing', async () => {
    const world = new World({})
    world.tell(hashWords(1), {})
    world.now += 1000
    expect(await read(world, 0, 10, world.cutoff)).toMatchObject([{ seeders: 0, leechers: 0 }])
    expect(world.swarm.totals()).toMatchObject({ torrents: 1, seeders: 1 })
  })
})

test('a completed torrent is listed with its count', async () => {
  const world = new World({})
  world.tell(hashWords(1), { peer: 1, left: 1n })
  world.tell(hashWords(1), { peer: 1, event: EVENT.completed })
  expect(await read(world, 0, 10)).toEqual([
    { infoHash: hashHex(hashWords(1)), seeders: 1, leechers: 0, downloaded: 1 },
  ])
})

describe('given info hashes', () => {
  test('are summed up in the order asked, repetitions repeated, unknown ones left out', async () => {
    const world = new World({})
    for (const n of [1, 2, 3]) world.tell(hashWords(n), { left: BigInt(n % 2) })
    const asked = [3, 9, 1, 3, 2, 8].map(hashWords)
    const rows = await new Listing(world.swarm).summaries(0, asked)
    expect(rows.map(({ infoHash }) => infoHash)).toEqual(
      [3, 1, 3, 2].map((n) => hashHex(hashWords(n))),
    )
    expect(rows.map(({ leechers }) => leechers)).toEqual([1, 1, 1, 0])
    expect(await new Listing(world.swarm).summaries(0, [])).toEqual([])
  })
})

describe('a shard that is locked', () => {
  const SHARD = 3
  function lockOne() {
    const world = new World({ thread: 1 })
    const [hash] = hashesOfShard(world.swarm, SHARD, 1) as [Int32Array]
    world.tell(hash, {})
    const lock = new Lock(world.memory.shards[SHARD]!.torrents, HEADER.lock, OTHER)
    lock.acquire()
    return { world, hash, lock }
  }

  test('is waited for, while other tasks run', async () => {
    const { world, hash, lock } = lockOne()
    const listing = new Listing(world.swarm, 60_000)
    let rows: TorrentSummary[] | undefined
    const reading = Array.fromAsync(listing.list(0, 0, 10)).then((parts) => {
      rows = parts.flat()
    })
    for (let turn = 0; turn < 50; turn++) await new Promise(setImmediate)
    expect([rows, lock.holder()]).toEqual([undefined, OTHER])
    lock.release()
    await until('the list', () => rows !== undefined)
    await reading
    expect(rows).toMatchObject([{ infoHash: hashHex(hash) }])
  })

  test('is given up after a while', async () => {
    const { world, hash, lock } = lockOne()
    const listing = new Listing(world.swarm, 20)
    const complaint = /a part of the swarm stayed locked for 20 ms/
    await expect(Array.fromAsync(listing.list(0, 0, 10))).rejects.toThrow(complaint)
    await expect(listing.summaries(0, [hash])).rejects.toThrow(complaint)
    expect(lock.holder()).toBe(OTHER)
  })
})

describe('while the list is read', () => {
  /** Reads all, and lets `meanwhile` run as often as a lock is released. */
  async function readWhile(
    world: World,
    meanwhile: (release: number) => void,
    offset = 0,
  ): Promise<string[]> {
    let releases = 0
    let isInside = false
    for (const { lock } of world.swarm.shards) {
      const release = lock.release.bind(lock)
      lock.release = () => {
        release()
        if (isInside) return
        isInside = true
        meanwhile(releases++)
        isInside = false
      }
    }
    const rows = await read(world, offset, HUGE)
    return rows.map(({ infoHash }) => infoHash)
  }
  const retention = { removePeerless: true }

  test('a torrent that is removed and comes again is not listed twice', async () => {
    const world = new World({})
    const hashes = hashesOfShard(world.swarm, 3, 30)
    for (const hash of hashes) world.tell(hash, {})
    const names = await readWhile(world, (release) => {
      // The first torrent, listed by now, comes back in the record of one that is not yet.
      if (release !== 0) return
      const [first, later] = [hashes[0]!, hashes[20]!]
      for (const hash of [first, later]) world.tell(hash, { event: EVENT.stopped })
      world.swarm.shards[3]!.sweep(new SweepCursor(), 0, retention, 1e6, 0)
      world.tell(first, {})
    })
    expect(names).toEqual(
      hashes
        .filter((_, n) => n !== 20)
        .map(hashHex)
        .sort(),
    )
  })

  test('a salvage that gives every torrent another record hides none of them', async () => {
    const world = new World({})
    const shard = 3
    const hashes = hashesOfShard(world.swarm, shard, 60)
    for (const hash of hashes) world.tell(hash, {})
    // The first ones went, so that a salvage moves all that are left.
    for (const hash of hashes.slice(0, 20)) world.tell(hash, { event: EVENT.stopped })
    world.swarm.shards[shard]!.sweep(new SweepCursor(), 0, retention, 1e6, 0)
    const names = await readWhile(world, (release) => {
      if (release !== 0) return
      new Int32Array(world.memory.shards[shard]!.torrents)[HEADER.lock] = OTHER
      expect(world.swarm.salvage(OTHER)).toBe(1)
    })
    expect(names).toEqual(hashes.slice(20).map(hashHex).sort())
  })

  test('a sweep that moves torrents to other records hides none of them', async () => {
    const world = new World({})
    const shard = world.swarm.shards[3]!
    const hashes = hashesOfShard(world.swarm, 3, 400)
    for (const hash of hashes) world.tell(hash, {})
    // The first ones went, so that a sweep moves the last ones to where the list has been.
    for (const hash of hashes.slice(0, 270)) {
      world.tell(hash, { event: EVENT.stopped })
      shard.torrents.remove(shard.torrents.find(hash, world.swarm.hash(hash)))
    }
    const names = await readWhile(world, (release) => {
      if (release === 1) shard.sweep(new SweepCursor(), 0, retention, 1e6, 0)
    })
    expect(shard.torrents.header[HEADER.torrentHigh]!).toBeLessThan(270)
    expect(names).toEqual(hashes.slice(270).map(hashHex).sort())
  })

  test('a sweep that moves a torrent while all are counted does not hide it', async () => {
    const world = new World({ bytes: 16 * 2 ** 20 })
    const shard = world.swarm.shards[3]!
    const { torrents } = shard
    // The first of the list stands behind the first stride of the count, with gaps before it.
    const hashes = hashesOfShard(world.swarm, 3, 4_200).sort((one, other) =>
      hashHex(one) < hashHex(other) ? 1 : -1,
    )
    for (const hash of hashes) world.tell(hash, { want: 0 })
    for (const hash of hashes.slice(0, 4_190)) {
      world.tell(hash, { event: EVENT.stopped })
      torrents.remove(torrents.find(hash, world.swarm.hash(hash)))
    }
    const { records } = torrents
    let strides = 0
    Object.defineProperty(torrents, 'records', {
      get: () => {
        if (++strides === 2) shard.sweep(new SweepCursor(), 0, retention, 1e6, 0)
        return records
      },
    })
    const rows = await read(world, 0, HUGE)
    expect(torrents.header[HEADER.torrentHigh]!).toBeLessThan(4_096)
    const names = hashes.slice(4_190).map(hashHex).reverse()
    expect(rows.map(({ infoHash }) => infoHash)).toEqual(names)
  })

  test.each(['counted', 'found'] as const)(
    'a shard that is being salvaged is waited for when its torrents are %s',
    async (look) => {
      const world = new World({})
      const [early] = hashesOfShard(world.swarm, 0, 1) as [Int32Array]
      const hashes = hashesOfShard(world.swarm, 3, 40)
      for (const hash of [early, ...hashes]) world.tell(hash, {})
      const memory = new Uint8Array(world.memory.shards[3]!.torrents)
      const whole = memory.slice()
      const { header } = world.swarm.shards[3]!.torrents
      let isSalvaged = false
      const begin = () => {
        if (isSalvaged) return
        isSalvaged = true
        world.swarm.shards[3]!.reset()
        header[HEADER.salvages]! |= 1
      }
      // All is counted before the first lock is taken, and the torrents of shard 3 are found later.
      const { lock } = world.swarm.shards[0]!
      const tryAcquire = lock.tryAcquire.bind(lock)
      lock.tryAcquire = (milliseconds) => {
        begin()
        return tryAcquire(milliseconds)
      }
      if (look === 'counted') begin()
      let rows: TorrentSummary[] | undefined
      const reading = read(world, 0, HUGE).then((all) => {
        rows = all
      })
      for (let turn = 0; turn < 50; turn++) await new Promise(setImmediate)
      expect([isSalvaged, rows]).toEqual([true, undefined])
      const salvages = header[HEADER.salvages]!
      memory.set(whole)
      header[HEADER.salvages] = salvages + 1
      await reading
      expect(rows).toHaveLength(41)
    },
  )

  /** Reads a page; `meanwhile` runs when all is counted and found, just before the first is copied. */
  function readAfter(world: World, meanwhile: () => void, offset: number, limit: number) {
    let isFirst = true
    for (const { lock } of world.swarm.shards) {
      const tryAcquire = lock.tryAcquire.bind(lock)
      lock.tryAcquire = (milliseconds) => {
        if (isFirst) {
          isFirst = false
          meanwhile()
        }
        return tryAcquire(milliseconds)
      }
    }
    return read(world, offset, limit)
  }
  const remove = (world: World, hashes: readonly Int32Array[]) => {
    for (const hash of hashes) world.tell(hash, { event: EVENT.stopped })
    for (const shard of world.swarm.shards) shard.sweep(new SweepCursor(), 0, retention, 1e6, 0)
  }

  test('a torrent that is removed leaves nothing behind in the list', async () => {
    const world = new World({})
    const roll = dice()
    // Free records look like a hash of zeroes. Many, because only the first shard is found by then.
    const hashes = Array.from({ length: 600 }, () => hashOf(roll, 0, 0))
    for (const hash of hashes) world.tell(hash, {})
    const rows = await readAfter(world, () => remove(world, hashes.slice(0, 500)), 0, HUGE)
    expect(rows.map(({ infoHash }) => infoHash)).toEqual(hashes.slice(500).map(hashHex).sort())
  })

  test('a torrent in the record of another is not listed in its place', async () => {
    const world = new World({})
    const hashes = hashesOfShard(world.swarm, 3, 30).toSorted((one, other) =>
      hashHex(one) < hashHex(other) ? -1 : 1,
    )
    for (const hash of hashes.slice(0, 29)) world.tell(hash, {})
    const takeOver = () => {
      remove(world, hashes.slice(0, 1))
      world.tell(hashes[29]!, {})
    }
    const rows = await readAfter(world, takeOver, 0, 3)
    expect(rows.map(({ infoHash }) => infoHash)).toEqual(hashes.slice(1, 4).map(hashHex))
  })

  test('torrents to be skipped that are gone by then are skipped behind them', async () => {
    const world = new World({})
    const roll = dice()
    const first = Array.from({ length: 20 }, () => hashOf(roll, 0x11, 0x11))
    const second = Array.from({ length: 20 }, () => hashOf(roll, 0x99, 0x99))
    for (const hash of [...first, ...second]) world.tell(hash, {})
    const rows = await readAfter(world, () => remove(world, first), 15, 5)
    expect(rows.map(({ infoHash }) => infoHash)).toEqual(second.map(hashHex).sort().slice(15))
  })

  test('torrents under a crowded prefix that are removed do not end the list', async () => {
    const roll = dice()
    const world = new World({ bytes: 128 * 2 ** 20 })
    const same = Array(18).fill(0x40)
    const crowded = Array.from({ length: 33_000 }, (_, i) => hashOf(roll, ...same, i >>> 8, i))
    const behind = Array.from({ length: 20 }, () => hashOf(roll, 0x90))
    for (const hash of [...crowded, ...behind]) world.tell(hash, { want: 0 })
    const listing = new Listing(world.swarm)
    const names: string[] = []
    let isFirst = true
    for await (const part of listing.list(0, 0, HUGE)) {
      names.push(...part.map(({ infoHash }) => infoHash))
      if (isFirst) {
        for (const hash of crowded) world.tell(hash, { event: EVENT.stopped })
        for (const shard of world.swarm.shards) shard.sweep(new SweepCursor(), 0, retention, 1e6, 0)
      }
      isFirst = false
    }
    expect(names.slice(-20)).toEqual(behind.map(hashHex).sort())
    expect(new Set(names).size).toBe(names.length)
  })
})

test(`lists stay in order and whole while two threads announce (SEED=${seed})`, async () => {
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
    worker.postMessage({ ...task, hashes: passing, steps: 30_000 })
    return { worker, done }
  })
  let isWorking = true
  const finished = Promise.all(workers.map(({ done }) => done)).finally(() => {
    isWorking = false
  })
  const known = new Set([...lasting, ...passing].map(hashHex))
  const retention = { removePeerless: true }
  let lists = 0
  for (; isWorking; lists++) {
    const names = (await read(world, 0, HUGE)).map(({ infoHash }) => infoHash)
    expect(names).toEqual(names.toSorted())
    const here = new Set(names)
    expect(here.size).toBe(names.length)
    expect(lasting.filter((hash) => !here.has(hashHex(hash)))).toEqual([])
    expect(names.filter((name) => !known.has(name))).toEqual([])
    for (const shard of world.swarm.shards) shard.sweep(new SweepCursor(), 0, retention, 500, 0)
  }
  await finished
  for (const { worker } of workers) worker.terminate()
  expect(lists).toBeGreaterThan(3)
})

test(`rows are sorted, however many bytes they have in common (SEED=${seed})`, () => {
  const roll = dice()
  for (let round = 0; round < 200; round++) {
    const rows = new Int32Array(roll(60) * 8)
    const bytes = new Uint8Array(rows.buffer)
    // Few different bytes, so that rows have long common prefixes and some are equal.
    for (let i = 0; i < bytes.length; i++) bytes[i] = i % 32 < 18 ? 0x7f + roll(2) : roll(3)
    const text = (row: number) => hashHex(rows.subarray(row * 8, row * 8 + 5))
    const all = new Set(Array.from({ length: rows.length / 8 }, (_, row) => text(row)))
    expect([...inOrder(rows, 8)].map(text)).toEqual([...all].sort())
  }
})
