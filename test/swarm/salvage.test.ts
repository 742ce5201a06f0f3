/** What a salvage keeps, and what it makes of overwritten memory. */
import { describe, expect, spyOn, test } from 'bun:test'
import { Announce, Answer, EVENT } from '../../src/bittorrent.ts'
import {
  BATCH,
  FAMILIES,
  FAMILY_HEADER,
  HEADER,
  NIL,
  PART,
  RUN_GROUP_WORDS,
  RUN_MAPS,
  TORRENT,
  USED,
} from '../../src/swarm/layout.ts'
import { Cutoffs } from '../../src/swarm/peers.ts'
import { Swarm } from '../../src/swarm/swarm.ts'
import { dice, seed } from '../support/random.ts'
import {
  arraysOf,
  hashesOfShard,
  hashWords,
  listed,
  THREE_FAMILIES,
  World,
} from '../support/swarm/harness.ts'
import { Trap, tornSwarm } from '../support/swarm/torn.ts'
import { faults } from '../support/swarm/whole.ts'
import { topWordsOf } from '../support/swarm/whole-runs.ts'

const SHARD = 4
const DEAD = 2

/** As the control thread does when thread `DEAD` died with the lock. */
function salvage(world: World, shard = SHARD): void {
  new Int32Array(world.memory.shards[shard]!.torrents)[HEADER.lock] = DEAD
  expect(world.swarm.salvage(DEAD)).toBe(1)
  expect(faults(world.memory)).toEqual([])
}

test('a salvage between two changes keeps everything', () => {
  const world = new World({ persistent: true })
  const hashes = hashesOfShard(world.swarm, SHARD, 20)
  for (const [n, hash] of hashes.entries())
    for (let peer = 0; peer < n * 10; peer++)
      world.tell(hash, {
        family: peer % 3 === 0 ? 6 : 4,
        peer,
        left: BigInt(peer % 2) << 40n,
        uploaded: BigInt(peer) << 33n,
        event: peer % 5 === 0 ? EVENT.completed : EVENT.started,
        want: 0,
      })
  for (const hash of hashes)
    for (const peer of [1, 5, 7]) world.tell(hash, { peer, event: EVENT.completed })
  const before = hashes.map((hash) => listed(world, hash))
  const totals = world.swarm.totals()
  expect(totals.completions).toBeGreaterThan(40)
  const owed = world.swarm.owed()
  expect(owed).toBe(totals.completions)
  salvage(world)
  expect(world.swarm.owed()).toBe(owed)
  expect(hashes.map((hash) => listed(world, hash))).toEqual(before)
  expect(world.swarm.totals()).toEqual(totals)
})

test('a completion that was counted before a salvage is not counted again after it', () => {
  const world = new World({})
  const hash = hashWords(1)
  const shard = world.swarm.shards.indexOf(world.swarm.shardOf(world.swarm.hash(hash)))
  for (const peer of [1, 2, 3]) world.tell(hash, { peer, left: 1n })
  world.tell(hash, { peer: 1, event: EVENT.completed })
  world.tell(hash, { peer: 3 })
  salvage(world, shard)
  world.tell(hash, { peer: 1, event: EVENT.completed })
  expect(world.udp.answer.downloaded).toBe(1)
  // One that was not counted before is counted now.
  world.tell(hash, { peer: 2, event: EVENT.completed })
  expect(world.udp.answer.downloaded).toBe(2)
  // So is that of a peer that had nothing left by then, but once had.
  world.tell(hash, { peer: 3, event: EVENT.completed })
  expect(world.udp.answer.downloaded).toBe(3)
})

test('a thread that attaches in the middle of a salvage leaves the shard alone', () => {
  const world = new World({ bytes: 16 * 1024 })
  for (const hash of hashesOfShard(world.swarm, SHARD, 3)) world.tell(hash, {})
  const trap = new Trap()
  const shard = tornSwarm(world.memory, DEAD, trap).shards[SHARD]!
  const image = () => Bun.hash(world.memory.shards[SHARD]!.torrents)
  let writes = 0
  trap.step = () => {
    const before = image()
    new Swarm(world.memory, DEAD + 1, 1)
    expect([writes++, image()]).toEqual([writes - 1, before])
  }
  shard.salvage()
  trap.step = () => {}
  expect(writes).toBeGreaterThan(50)
  expect(faults(world.memory)).toEqual([])
})

test.each(['after a death', 'after an error'])(
  'a salvage that fails %s empties the shard',
  (when) => {
    const world = new World({ persistent: true, families: THREE_FAMILIES })
    const shard = world.swarm.shards[SHARD]!
    const hashes = hashesOfShard(world.swarm, SHARD, 5)
    const fill = () => {
      for (const [n, hash] of hashes.entries())
        for (const family of world.families)
          for (let peer = 0; peer < 70; peer += n + 1) world.tell(hash, { family, peer })
    }
    fill()
    let created = 0
    const spy = spyOn(shard.torrents, 'addDownloads').mockImplementation(() => {
      if (++created === 3) throw new Error('a bug')
    })
    if (when === 'after a death') {
      new Int32Array(world.memory.shards[SHARD]!.torrents)[HEADER.lock] = DEAD
      expect(() => world.swarm.salvage(DEAD)).toThrow('a bug')
    } else
      expect(() =>
        shard.tryHold(() => {
          throw new Error('an error')
        }),
      ).toThrow('a bug')
    spy.mockRestore()
    expect([created, shard.lock.holder()]).toEqual([3, 0])
    expect(world.swarm.totals()).toMatchObject({ torrents: 0, seeders: 0, leechers: 0 })
    expect(faults(world.memory)).toEqual([])
    expect(world.swarm.audit()).toBe(true)
    expect(world.swarm.memory().used).toBe(0)
    fill()
    expect(world.swarm.totals().torrents).toBe(5)
    expect(faults(world.memory)).toEqual([])
  },
)

describe('a salvage does not accept', () => {
  /** Two torrents, records 0 and 1; how many peers each has after `scribble` and the salvage. */
  function salvaged(
    peers: readonly [number, number],
    scribble: (arrays: ReturnType<typeof arraysOf>) => void,
  ) {
    const world = new World({})
    const hashes = hashesOfShard(world.swarm, SHARD, 2)
    for (const [n, hash] of hashes.entries())
      for (let peer = 0; peer < peers[n]!; peer++) world.tell(hash, { peer, id: n, want: 0 })
    scribble(arraysOf(world.memory, world.memory.shards[SHARD]!))
    salvage(world)
    const told = hashes.map((hash) => listed(world, hash)?.peers ?? [])
    for (const [n, list] of told.entries())
      for (const { id } of list) expect(Buffer.from(id, 'hex').toString()).toEndWith(String(n))
    return told.map((list) => list.length)
  }
  const SECOND = TORRENT.words
  const BASE = FAMILIES[0]!.part! + PART.base
  const COUNT = FAMILIES[0]!.part! + PART.count

  test('that two torrents have the same slots', () => {
    const shared = salvaged([3, 3], ({ torrents: { records } }) => {
      records[SECOND + BASE] = records[BASE]!
    })
    expect(shared).toEqual([3, 0])
  })

  test('that two torrents have the same chunk', () => {
    const shared = salvaged([130, 130], ({ torrents: { records }, peers: [first] }) => {
      const { directory } = first!
      directory[records[BASE]! * 2 + 1] = directory[records[SECOND + BASE]! * 2 + 1]!
    })
    expect(shared).toEqual([66, 130])
  })

  test('that a free slot has a peer', () => {
    const more = salvaged([1, 0], ({ torrents: { records } }) => {
      records[COUNT] = 2
    })
    expect(more).toEqual([1, 0])
  })

  test('that a swarm without chunks has more than a chunk', () => {
    const many = salvaged([64, 64], ({ torrents: { records } }) => {
      records[COUNT] = NIL
    })
    expect(many).toEqual([64, 64])
  })

  test('that a swarm stands before the first slot', () => {
    const before = salvaged([3, 3], ({ torrents: { records } }) => {
      records[BASE] = -3
    })
    expect(before).toEqual([0, 3])
  })

  test('that there are chunks beyond the last', () => {
    const beyond = salvaged([130, 1], ({ torrents: { records }, peers: [first] }) => {
      const { directory } = first!
      directory[records[BASE]! * 2 + 1] = 100
    })
    expect(beyond).toEqual([66, 1])
  })
})

test(`a salvage makes a consistent shard of memory that was overwritten at random (SEED=${seed})`, () => {
  const roll = dice()
  const world = new World({ bytes: 512 * 1024, persistent: true, families: THREE_FAMILIES })
  const hashes = hashesOfShard(world.swarm, SHARD, 24)
  const { torrents, peers: all } = arraysOf(world.memory, world.memory.shards[SHARD]!)
  const { header, records, buckets } = torrents
  const value = () => [0, 1, roll(70), roll(2000), roll(2 ** 32), 0xffff_ffff][roll(6)]!
  /** A random place in the words of `batches` batches. */
  const scribble = (runs: Int32Array, batches: number) => {
    const groups = Math.ceil(batches / 32) * RUN_GROUP_WORDS
    const at = roll(groups + RUN_MAPS.count)
    if (groups > 0) runs[at < groups ? topWordsOf(runs) + at : at - groups] = value()
  }
  for (let round = 0; round < 150; round++) {
    for (let i = 0; i < 400; i++) {
      const hash = hashes[Math.min(roll(24), roll(24), roll(24))]!
      const event = roll(4) === 0 ? EVENT.stopped : EVENT.none
      const family = world.families[roll(3)]!
      world.tell(hash, { family, peer: roll(150), left: BigInt(roll(2)), event, want: 0 })
    }
    const high = header[HEADER.torrentHigh]!
    for (let scribbles = 1 + roll(12); scribbles > 0; scribbles--) {
      const at = roll(high) * TORRENT.words
      const other = roll(high) * TORRENT.words
      const isUsed = (records[at + TORRENT.flags]! & USED) !== 0
      const kind = roll(3)
      const peers = all[kind]!
      const { header: totals } = THREE_FAMILIES[kind]!
      const chunks = header[totals + FAMILY_HEADER.slotHigh]! / 64
      const kinds = [
        // The whole record except its info hash and downloads.
        () => (records[at + TORRENT.next] = value()),
        () => {
          if (isUsed) records[at + TORRENT.flags + roll(8)] = value()
        },
        () => {
          if (isUsed) records[at + 8 + roll(8)] = value()
        },
        () => {
          if (isUsed) torrents.parts[2]![roll(high) * PART.words + roll(PART.words)] = value()
        },
        () => records.copyWithin(at, other, other + TORRENT.words),
        () => (peers.directory[roll(256)] = value()),
        () => (peers.chunkTorrent[roll(chunks)] = value()),
        () => (peers.chunkOrdinal[roll(chunks)] = value()),
        () => (peers.next[roll(chunks * 64)] = value()),
        () => (peers.buckets[roll(256)] = value()),
        () => (peers.hot[roll(chunks * 64 * peers.stride)] = value()),
        () => (peers.details[roll(chunks * 64 * 11)] = value()),
        // All runs except their ends.
        () => (header[totals + FAMILY_HEADER.slotRuns + 1 + roll(2)] = value()),
        () => (header[totals + FAMILY_HEADER.directoryRuns + 1 + roll(2)] = value()),
        () => (header[HEADER.torrentRuns + 1 + roll(2)] = value()),
        () => scribble(peers.slotRuns, chunks),
        () => scribble(peers.directoryRuns, header[totals + FAMILY_HEADER.directoryHigh]! / BATCH),
        () => scribble(torrents.runs, high / BATCH),
        () => (header[totals + roll(4)] = value()),
        () => (buckets[roll(64)] = value()),
        () => (header[HEADER.torrents] = value()),
        () => (header[HEADER.busy] = value()),
        () => (header[HEADER.ledgerFirst + roll(4)] = value()),
        () => (torrents.ledgerNext[roll(high)] = value()),
        () => (torrents.ledgerPrevious[roll(high)] = value()),
        () => (torrents.owed[roll(high)] = value()),
      ]
      kinds[roll(kinds.length)]!()
    }
    salvage(world)
  }
})

test('an error that changes nothing leaves the shard as it is, and frees it', () => {
  const world = new World({})
  const [hash] = hashesOfShard(world.swarm, SHARD, 1)
  world.tell(hash!, { peer: 1 })
  const shard = world.swarm.shards[SHARD]!
  const { header } = shard.torrents
  const before = header[HEADER.salvages]!
  const broken = () => {
    throw new Error('while reading')
  }
  expect(() => shard.tryRead(broken)).toThrow('while reading')
  const unknown = new Announce()
  unknown.family = 77 as never
  expect(() =>
    world.swarm.announce(unknown, 1_700_000_000, new Cutoffs(), 1, new Answer([])),
  ).toThrow('no family 77')
  expect([header[HEADER.salvages], header[HEADER.lock]]).toEqual([before, 0])
  expect(listed(world, hash!)?.peers).toHaveLength(1)
})
