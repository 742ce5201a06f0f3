/** Chains of the index of large swarms, in memory; that it finds what it holds is tested in swarm.test.ts. */
import { expect, test } from 'bun:test'
import { endpointBytes, type Family } from '../../src/bittorrent.ts'
import { FAMILY_HEADER, HEADER, NIL } from '../../src/swarm/layout.ts'
import { dice, seed } from '../support/random.ts'
import { arraysOf, hashWords, MAX, World, write } from '../support/swarm/harness.ts'

const PEERS = 60_000

/** Entries of the fullest bucket, and of all buckets. */
function chains(world: World, family: Family): { longest: number; all: number } {
  let longest = 0
  let all = 0
  for (const memory of world.memory.shards) {
    const arrays = arraysOf(world.memory, memory)
    const { next, buckets } = family === 4 ? arrays.peers4 : arrays.peers6
    const totals = family === 4 ? HEADER.v4 : HEADER.v6
    const count = arrays.torrents.header[totals + FAMILY_HEADER.indexBuckets]!
    for (let bucket = 0; bucket < count; bucket++) {
      let length = 0
      for (let slot = buckets[bucket]!; slot !== NIL; slot = next[slot]!) length++
      longest = Math.max(longest, length)
      all += length
    }
  }
  return { longest, all }
}

/** What a stranger can vary in an endpoint: `n` goes into these two of its bytes, counted from the end. */
const VARIED = [
  ['ports', 2],
  ['addresses', 4],
] as const

for (const family of [4, 6] as const)
  test.each(VARIED)(
    `an IPv${family} swarm of many %s has no long chain (SEED=${seed})`,
    (_, at) => {
      const roll = dice()
      const world = new World({ bytes: 32 * 2 ** 20, seed: roll(2 ** 31) })
      const { announce, udp } = world
      const size = endpointBytes(family)
      for (let n = 0; n < PEERS; n++) {
        write(announce, hashWords(1), { family, want: 0 })
        const view = new DataView(announce.endpoint.buffer, announce.endpoint.byteOffset, size)
        view.setUint16(size - at, n)
        udp.answer.family = family
        world.swarm.announce(announce, world.now, world.cutoff, MAX, udp.answer)
      }
      // As many buckets as entries: by chance ten meet in one of them, and twenty never.
      const { longest, all } = chains(world, family)
      expect(all).toBe(PEERS)
      expect(longest).toBeLessThan(20)
    },
  )
