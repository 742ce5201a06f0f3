/** Reading ahead is only a hint: it changes nothing and never fails. */
import { expect, test } from 'bun:test'
import { Prefetch } from '../../src/swarm/prefetch.ts'
import { dice, seed } from '../support/random.ts'
import { THREE_FAMILIES, World } from '../support/swarm/harness.ts'

const hashesOf = (torrents: readonly number[]) =>
  Int32Array.from(torrents.flatMap((torrent) => [torrent, torrent ^ 0x55, 3, 4, 5]))

/** Every byte of every buffer of the swarm, hashed. */
const imageOf = ({ memory: { shards, budget } }: World) =>
  [...shards.flatMap(({ torrents, peers }) => [torrents, ...peers]), budget].map((buffer) =>
    Bun.hash(buffer),
  )

test(`reading ahead changes nothing and does not fail on torn memory (SEED=${seed})`, () => {
  const roll = dice()
  const world = new World({ bytes: 1024 * 1024, families: THREE_FAMILIES })
  const prefetch = new Prefetch(world.swarm, 32)
  prefetch.load(hashesOf([1, 2, 3]), 3)
  for (let step = 0; step < 2_000; step++) {
    const infoHash = hashesOf([Math.min(roll(40), roll(40))])
    const family = world.families[roll(3)]!
    world.tell(infoHash, { peer: roll(200), family, left: BigInt(roll(2)) })
    if (step % 50 !== 0) continue
    const before = imageOf(world)
    prefetch.load(hashesOf(Array.from({ length: 32 }, () => roll(60))), 32)
    expect(imageOf(world)).toEqual(before)
  }
  const { seeders, leechers } = world.swarm.totals()
  expect(seeders + leechers).toBeGreaterThan(500)
  // Torn or foreign memory must not make it throw either.
  for (const { torrents } of world.swarm.shards)
    for (let i = 0; i < 2_000; i++) torrents.records[roll(torrents.records.length)] = roll(2 ** 32)
  for (let i = 0; i < 100; i++)
    prefetch.load(hashesOf(Array.from({ length: 32 }, () => roll(60))), 32)
})
