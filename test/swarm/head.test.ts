/** The heads of a swarm's buffers, and the reasons for which a thread refuses to attach. */
import { describe, expect, test } from 'bun:test'
import { openShard, readHead } from '../../src/swarm/head.ts'
import { FAMILIES, HEAD, HEADER, MAGIC, type ShardMemory, VERSION } from '../../src/swarm/layout.ts'
import { createSwarmMemory, SHARDS, Swarm, type SwarmMemory } from '../../src/swarm/swarm.ts'
import { hashWords, THREE_FAMILIES, World } from '../support/swarm/harness.ts'

const SEED = Int32Array.of(1, -2, 3, -4)
const SHARD = 3
const create = (persistent = true) => createSwarmMemory(64 * 1024, SEED, persistent)

describe.each([true, false])('the heads of a swarm (persistent: %p)', (persistent) => {
  const memory = create(persistent)

  test.each([0, SHARD, SHARDS - 1])('say what shard %d is', (shard) => {
    const { torrents, peers } = memory.shards[shard]!
    const head = readHead(torrents, HEADER.head)
    const capacity = openShard(memory.shards[shard]!, FAMILIES, shard)
    if (typeof head === 'string' || typeof capacity === 'string') throw new Error('refused')
    expect(head).toEqual({
      family: 0,
      capacity: capacity.torrents,
      ledger: persistent ? capacity.torrents : 0,
      halves: 0,
      shard,
      families: [4, 6],
      seed: SEED,
    })
    expect(capacity.torrents).toBeGreaterThanOrEqual((64 * 1024) / 68)
    for (const [i, { family, halves }] of FAMILIES.entries())
      expect(readHead(peers[i]!, 0)).toEqual({
        family,
        capacity: capacity.slots[i]!,
        ledger: 0,
        halves,
        shard,
        families: [],
        seed: SEED,
      })
  })
})

test('a head without the magic, which is written last, is not accepted', () => {
  const { torrents } = create().shards[0]!
  new Int32Array(torrents)[HEADER.head + HEAD.magic] = 0
  expect(readHead(torrents, HEADER.head)).toBe('begins with 0x00000000 instead of 0x4d525753')
})

describe('a thread that attaches refuses', () => {
  const torrentHead = ({ torrents }: ShardMemory) =>
    new Int32Array(torrents, HEADER.head * 4, HEAD.words)
  const peerHead = ({ peers }: ShardMemory, i: number) => new Int32Array(peers[i]!, 0, HEAD.words)
  type Change = (shard: ShardMemory) => ShardMemory | undefined
  const set =
    (head: (shard: ShardMemory) => Int32Array, word: number, value: number): Change =>
    (shard) => {
      head(shard)[word] = value
      return undefined
    }
  const peers4 = (shard: ShardMemory) => peerHead(shard, 0)
  const peers6 = (shard: ShardMemory) => peerHead(shard, 1)

  test.each<[string, Change, string]>([
    [
      'torrents with another magic',
      set(torrentHead, HEAD.magic, 0x5357_524d),
      'the buffer of torrents of shard 3 begins with 0x5357524d instead of 0x4d525753',
    ],
    [
      'torrents of a later layout',
      set(torrentHead, HEAD.version, VERSION + 1),
      'the buffer of torrents of shard 3 has layout version 2; this program knows 1',
    ],
    [
      'torrents of a layout before the first',
      set(torrentHead, HEAD.version, 0),
      'the buffer of torrents of shard 3 has layout version 0; this program knows 1',
    ],
    [
      'peers in place of torrents',
      set(torrentHead, HEAD.family, 4),
      'the buffer of torrents of shard 3 holds peers of family 4',
    ],
    [
      'torrents of another shard',
      set(torrentHead, HEAD.shard, 4),
      'the buffer of torrents of shard 3 belongs to shard 4',
    ],
    [
      'torrents of other families',
      set(torrentHead, HEAD.families + 1, 9),
      'the buffer of torrents of shard 3 is of families 4,9, not 4,6',
    ],
    [
      'a ledger for fewer torrents than there are',
      set(torrentHead, HEAD.ledger, 64),
      'the buffer of torrents of shard 3 has a ledger for 64 of 1024 torrents',
    ],
    [
      'more torrents than the buffer has room for',
      (shard) => {
        torrentHead(shard)[HEAD.capacity] = 1088
        torrentHead(shard)[HEAD.ledger] = 1088
        return undefined
      },
      'the buffer of torrents of shard 3 has BYTES bytes, too few for a capacity of 1088',
    ],
    ...[0, -64, 65].map((capacity): [string, Change, string] => [
      `a capacity of ${capacity} torrents`,
      (shard) => {
        torrentHead(shard)[HEAD.capacity] = capacity
        torrentHead(shard)[HEAD.ledger] = capacity
        return undefined
      },
      `the buffer of torrents of shard 3 cannot have a capacity of ${capacity}`,
    ]),
    [
      'a buffer of torrents that is too short for a head',
      (shard) => ({ ...shard, torrents: new SharedArrayBuffer(64) }),
      'the buffer of torrents of shard 3 has 64 bytes, too few for a head',
    ],
    [
      'peers with another magic',
      set(peers4, HEAD.magic, 0),
      'the buffer of peers of family 4 of shard 3 begins with 0x00000000 instead of 0x4d525753',
    ],
    [
      'peers of another layout',
      set(peers6, HEAD.version, -1),
      'the buffer of peers of family 6 of shard 3 has layout version -1; this program knows 1',
    ],
    [
      'the buffers of two families in each other’s place',
      ({ torrents, peers }) => ({ torrents, peers: peers.toReversed() }),
      'the buffer of peers of family 4 of shard 3 holds peers of family 6',
    ],
    [
      'endpoints of another size',
      set(peers6, HEAD.halves, 3),
      'the buffer of peers of family 6 of shard 3 has endpoints of 6 bytes, not 18',
    ],
    [
      'peers of another shard',
      set(peers4, HEAD.shard, 2),
      'the buffer of peers of family 4 of shard 3 belongs to shard 2',
    ],
    [
      'peers with another seed',
      set(peers6, HEAD.seed + 3, 4),
      'the buffer of peers of family 6 of shard 3 has another seed than the torrents',
    ],
    [
      'more slots than the buffer has room for',
      set(peers4, HEAD.capacity, 1 << 20),
      'the buffer of peers of family 4 of shard 3 has BYTES bytes, too few for a capacity of 1048576',
    ],
    [
      'no slots at all',
      set(peers4, HEAD.capacity, 0),
      'the buffer of peers of family 4 of shard 3 cannot have a capacity of 0',
    ],
    [
      'a family without a buffer',
      ({ torrents, peers }) => ({ torrents, peers: peers.slice(0, 1) }),
      'the buffer of peers of family 6 of shard 3 is missing',
    ],
  ])('%s', (_what, change, reason) => {
    const memory = create()
    const whole = memory.shards[SHARD]!
    const shard = change(whole) ?? whole
    const changed: SwarmMemory = { ...memory, shards: memory.shards.with(SHARD, shard) }
    const buffers = [shard.torrents, ...shard.peers]
    const before = buffers.map((buffer) => Bun.hash(buffer))
    const bytes = reason.includes('peers') ? shard.peers[0]!.byteLength : shard.torrents.byteLength
    expect(() => new Swarm(changed, 1, 1)).toThrow(new Error(reason.replace('BYTES', `${bytes}`)))
    expect(buffers.map((buffer) => Bun.hash(buffer))).toEqual(before)
  })

  test('a swarm of two families when three are expected, and the reverse', () => {
    const two = create()
    expect(() => new Swarm({ ...two, families: THREE_FAMILIES }, 1, 1)).toThrow(
      'the buffer of torrents of shard 0 is of families 4,6, not 4,6,7',
    )
    const three = createSwarmMemory(64 * 1024, SEED, true, THREE_FAMILIES)
    expect(() => new Swarm({ ...three, families: FAMILIES }, 1, 1)).toThrow(
      'the buffer of torrents of shard 0 is of families 4,6,7, not 4,6',
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
