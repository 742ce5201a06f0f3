/** Reading ahead is only a hint: it changes nothing, never fails, and what it found is not believed. */
import { expect, test } from 'bun:test'
import { EVENT } from '../../src/bittorrent.ts'
import { NIL, TORRENT } from '../../src/swarm/layout.ts'
import { dice, seed } from '../support/random.ts'
import { hashesOfShard, listed, THREE_FAMILIES, World } from '../support/swarm/harness.ts'
import { faults } from '../support/swarm/whole.ts'

const hashOf = (torrent: number) => Int32Array.of(torrent, torrent ^ 0x55, 3, 4, 5)

/** Every byte of every buffer of the swarm, hashed. */
const imageOf = ({ memory: { shards, budget } }: World) =>
  [...shards.flatMap(({ torrents, peers }) => [torrents, ...peers]), budget].map((buffer) =>
    Bun.hash(buffer),
  )

test(`reading ahead changes nothing and does not fail on torn memory (SEED=${seed})`, () => {
  const roll = dice()
  const world = new World({ bytes: 1024 * 1024, families: THREE_FAMILIES })
  const guess = () =>
    world.expect(
      Array.from(
        { length: 32 },
        () => [hashOf(roll(60)), world.families[roll(3)]!, roll(200)] as const,
      ),
    )
  guess()
  for (let step = 0; step < 2_000; step++) {
    const infoHash = hashOf(Math.min(roll(40), roll(40)))
    const family = world.families[roll(3)]!
    world.tell(infoHash, { peer: roll(200), family, left: BigInt(roll(2)) })
    if (step % 50 !== 0) continue
    const before = imageOf(world)
    guess()
    expect(imageOf(world)).toEqual(before)
  }
  const { seeders, leechers } = world.swarm.totals()
  expect(seeders + leechers).toBeGreaterThan(500)
  // Torn or foreign memory must not make it throw either.
  for (const { torrents, families } of world.swarm.shards) {
    const arrays = families.flatMap(({ arrays: { buckets, next, directory } }) => [
      buckets,
      next,
      directory,
    ])
    for (const words of [torrents.records, torrents.buckets, ...arrays])
      for (let i = 0; i < 2_000; i++) words[roll(words.length)] = roll(2 ** 32)
  }
  for (let i = 0; i < 100; i++) guess()
})

test('a chain without end, as torn memory may show one, is given up', () => {
  const world = new World({})
  const infoHash = hashOf(1)
  for (let peer = 0; peer < 100; peer++) world.tell(infoHash, { peer })
  const { torrents, families } = world.swarm.shardOf(world.swarm.hash(infoHash))
  const torrent = torrents.find(infoHash, world.swarm.hash(infoHash))
  const { hot, next } = families[0]!.arrays
  hot.fill(0)
  for (let slot = 0; slot < next.length; slot++) next[slot] = slot
  const read = () => world.expect(Array.from({ length: 32 }, (_, i) => [infoHash, 4, i] as const))
  read()
  torrents.records[torrent * TORRENT.words]!++
  torrents.records[torrent * TORRENT.words + TORRENT.next] = torrent
  read()
})

test.each([
  ['and nothing has taken its place', false],
  ['and another has its memory', true],
])('what is expected and gone by then is not believed to be there: %s', (_, replaced) => {
  const world = new World({})
  // Freed records are zeroes, too.
  const gone = new Int32Array(5)
  const home = world.swarm.shardOf(world.swarm.hash(gone))
  const [heir] = hashesOfShard(world.swarm, world.swarm.shards.indexOf(home), 1) as [Int32Array]
  const tell = (hash: Int32Array, peer: number, event: 0 | 3 = EVENT.none) =>
    world.tell(hash, { peer, event })
  for (const count of [1, 5, 100]) {
    const peers = Array.from({ length: count }, (_, peer) => peer)
    for (const peer of peers) tell(gone, peer)
    const { torrents } = home
    const before = torrents.find(gone, world.swarm.hash(gone))
    world.expect(peers.slice(-32).map((peer) => [gone, 4, peer] as const))
    for (const peer of peers) tell(heir, peer, EVENT.stopped)
    const other = torrents.find(heir, world.swarm.hash(heir))
    if (other !== NIL) torrents.remove(other)
    // Another thread, so that what is expected here stays so.
    const unexpected = new World({ memory: world.memory, thread: 2 })
    for (const peer of peers) unexpected.tell(gone, { peer, event: EVENT.stopped })
    torrents.remove(before)
    if (replaced) for (const peer of peers) tell(heir, peer)
    for (const peer of peers) tell(gone, peer)
    expect(listed(world, gone)?.peers.length).toBe(count)
    expect(listed(world, heir)?.peers.length).toBe(replaced ? count : undefined)
    expect(faults(world.memory)).toEqual([])
  }
})
