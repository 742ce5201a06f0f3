import { expect, test } from 'bun:test'
import { Prefetch } from '../../src/swarm/prefetch.ts'
import { dice, seed } from '../support/random.ts'
import { World } from '../support/swarm/harness.ts'

const hashesOf = (torrents: readonly number[]) =>
  Int32Array.from(torrents.flatMap((torrent) => [torrent, torrent ^ 0x55, 3, 4, 5]))

/** Everything a shard holds, as text. */
const imageOf = (world: World) =>
  world.swarm.shards.map(({ torrents }) => Bun.hash(torrents.header).toString()).join()

test(`reading ahead changes nothing, whatever it meets (SEED=${seed})`, () => {
  const roll = dice()
  const world = new World({})
  const prefetch = new Prefetch(world.swarm, 32)
  prefetch.load(hashesOf([1, 2, 3]), 3)
  for (let step = 0; step < 2_000; step++) {
    const infoHash = hashesOf([roll(40)])
    world.tell(infoHash, { peer: roll(200), family: roll(4) === 0 ? 6 : 4, left: BigInt(roll(2)) })
    if (step % 50 !== 0) continue
    const before = imageOf(world)
    prefetch.load(hashesOf(Array.from({ length: 32 }, () => roll(60))), 32)
    expect(imageOf(world)).toBe(before)
  }
  // Torn or foreign memory must not make it throw either.
  for (const { torrents } of world.swarm.shards)
    for (let i = 0; i < 2_000; i++) torrents.records[roll(torrents.records.length)] = roll(2 ** 32)
  for (let i = 0; i < 100; i++)
    prefetch.load(hashesOf(Array.from({ length: 32 }, () => roll(60))), 32)
})
