/** The heads of a swarm's shards, and the reasons for which a thread refuses to attach. */
import { describe, expect, test } from 'bun:test'
import { readHead } from '../../src/swarm/head.ts'
import {
  FAMILIES,
  HEAD,
  HEADER,
  MAGIC,
  SHARDS,
  type ShardMemory,
  seedIn,
  VERSION,
} from '../../src/swarm/layout.ts'
import { createSwarmMemory, Swarm, type SwarmMemory } from '../../src/swarm/swarm.ts'
import { hashWords, THREE_FAMILIES, World } from '../support/swarm/harness.ts'

const SEED = Int32Array.of(1, -2, 3, -4)
const SHARD = 3
const create = (persistent = true) => createSwarmMemory(64 * 1024, SEED, persistent)

test.each([true, false])('a head says what the shard can hold (persistent: %p)', (persistent) => {
  const memory = create(persistent)
  for (const shard of [0, SHARD, SHARDS - 1]) {
    const { torrents, ledger, slots } = readHead(memory.shards[shard]!, FAMILIES, shard)
    expect(torrents).toBeGreaterThanOrEqual((64 * 1024) / 68)
    expect(ledger).toBe(persistent ? torrents : 0)
    expect(slots).toHaveLength(2)
    expect(seedIn(new Int32Array(memory.shards[shard]!.torrents))).toEqual(SEED)
  }
})

test('memory that was not opened yet is zeroes but for its heads, and the first to open it empties it', () => {
  const memory = create()
  const { torrents, peers } = memory.shards[SHARD]!
  const words = new Int32Array(torrents)
  const isHead = (at: number) => at >= HEADER.head && at < HEADER.words
  expect(words.findIndex((word, at) => word !== 0 && !isHead(at))).toBe(-1)
  const first = new World({ memory })
  first.tell(hashWords(1), {})
  expect(new World({ memory }).scrape(hashWords(1))).toMatchObject({ seeders: 1 })
  // The memory of peers is not touched before the first peer.
  expect(peers.every((buffer) => new Int32Array(buffer).every((word) => word === 0))).toBe(true)
})

describe('a thread that attaches refuses', () => {
  type Change = (head: Int32Array, shard: ShardMemory) => Partial<ShardMemory> | undefined
  const set =
    (...changes: readonly (readonly [word: number, value: number])[]): Change =>
    (head) => {
      for (const [word, value] of changes) head[word] = value
      return undefined
    }
  const room = (torrents: number) => set([HEAD.torrents, torrents], [HEAD.ledger, torrents])

  test.each<[string, Change, string]>([
    [
      'memory without the magic, which is written last',
      set([HEAD.magic, 0]),
      'begins with 0x00000000 instead of 0x4d525753',
    ],
    [
      'a later layout',
      set([HEAD.version, VERSION + 1]),
      `has layout version ${VERSION + 1}; this program knows ${VERSION}`,
    ],
    ['another shard', set([HEAD.shard, 4]), 'belongs to shard 4'],
    ['other families', set([HEAD.families + 1, 9]), 'is of families 4,9, not 4,6'],
    [
      'a ledger for fewer torrents than there are',
      set([HEAD.ledger, 64]),
      'has a ledger for 64 of 1024 torrents',
    ],
    ...[0, -64, 65].map(
      (torrents) =>
        [
          `room for ${torrents} torrents`,
          room(torrents),
          `cannot have room for ${torrents} torrents`,
        ] satisfies [string, Change, string],
    ),
    ['more torrents than fit', room(1088), 'has TORRENTS bytes for torrents, too few for 1088'],
    [
      'memory that is too short for a head',
      () => ({ torrents: new SharedArrayBuffer(64) }),
      'has 64 bytes, too few for a head',
    ],
    ['no slots', set([HEAD.slots, 0]), 'cannot have room for 0 peers of family 4'],
    [
      'more slots than fit',
      set([HEAD.slots, 1 << 20]),
      'has PEERS bytes for peers of family 4, too few for 1048576',
    ],
    [
      'a family without a buffer',
      (_head, { peers }) => ({ peers: peers.slice(0, 1) }),
      'has 0 bytes for peers of family 6, too few for 960',
    ],
  ])('%s', (_what, change, reason) => {
    const memory = create()
    const whole = memory.shards[SHARD]!
    const shard = { ...whole, ...change(new Int32Array(whole.torrents, HEADER.head * 4), whole) }
    const changed: SwarmMemory = { ...memory, shards: memory.shards.with(SHARD, shard) }
    const buffers = [shard.torrents, ...shard.peers]
    const before = buffers.map((buffer) => Bun.hash(buffer))
    const says = reason
      .replace('TORRENTS', `${shard.torrents.byteLength}`)
      .replace('PEERS', `${shard.peers[0]!.byteLength}`)
    expect(() => new Swarm(changed, 1, 1)).toThrow(new Error(`the memory of shard 3 ${says}`))
    expect(buffers.map((buffer) => Bun.hash(buffer))).toEqual(before)
  })

  test('a swarm of two families when three are expected, and the reverse', () => {
    const two = create()
    expect(() => new Swarm({ ...two, families: THREE_FAMILIES }, 1, 1)).toThrow(
      'the memory of shard 0 is of families 4,6, not 4,6,1',
    )
    const three = createSwarmMemory(64 * 1024, SEED, true, THREE_FAMILIES)
    expect(() => new Swarm({ ...three, families: FAMILIES }, 1, 1)).toThrow(
      'the memory of shard 0 is of families 4,6,1, not 4,6',
    )
  })
})

test('a second program of the same layout goes on with the memory of the first', () => {
  const first = new World({ seed: 5, persistent: true })
  for (let peer = 0; peer < 100; peer++) first.tell(hashWords(1), { peer, left: BigInt(peer % 2) })
  // New buffers with the same bytes, as from a file or another process, and no other information.
  const copy = (buffer: SharedArrayBuffer) => {
    const fresh = new SharedArrayBuffer(buffer.byteLength)
    new Uint8Array(fresh).set(new Uint8Array(buffer))
    return fresh
  }
  const { memory } = first
  const shards = memory.shards.map(({ torrents, peers }) => ({
    torrents: copy(torrents),
    peers: peers.map(copy),
  }))
  const { asked, budget } = memory
  const second = new World({ memory: { families: FAMILIES, shards, budget, asked } })
  expect(second.scrape(hashWords(1))).toEqual({ seeders: 50, leechers: 50, downloaded: 0 })
  second.tell(hashWords(1), { peer: 7, left: 0n })
  expect(second.scrape(hashWords(1))).toEqual({ seeders: 51, leechers: 49, downloaded: 0 })
  expect(first.scrape(hashWords(1))).toEqual({ seeders: 50, leechers: 50, downloaded: 0 })
})

test('the magic says SWRM in the byte order of this machine', () => {
  expect(new TextDecoder().decode(Int32Array.of(MAGIC))).toBe('SWRM')
})
