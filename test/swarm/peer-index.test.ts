/** The length of the chains in the index of large swarms. swarm.test.ts tests that it finds what it holds. */
import { expect, test } from 'bun:test'
import type { PeerFamily } from '../../src/bittorrent.ts'
import { FAMILY_HEADER, NIL } from '../../src/swarm/layout.ts'
import { dice, seed } from '../support/random.ts'
import {
  arraysOf,
  hashWords,
  MAX,
  rowOf,
  THREE_FAMILIES,
  World,
  write,
} from '../support/swarm/harness.ts'

const PEERS = 60_000

/** The number of entries in the fullest bucket, and in all buckets. */
function chains(world: World, family: PeerFamily): { longest: number; all: number } {
  let longest = 0
  let all = 0
  for (const memory of world.memory.shards) {
    const arrays = arraysOf(world.memory, memory)
    const { next, buckets } = arrays.peers[world.families.indexOf(family)]!
    const row = rowOf(family)
    const count = arrays.torrents.header[row.header + FAMILY_HEADER.indexBuckets]!
    for (let bucket = 0; bucket < count; bucket++) {
      let length = 0
      for (let slot = buckets[bucket]!; slot !== NIL; slot = next[slot]!) length++
      longest = Math.max(longest, length)
      all += length
    }
  }
  return { longest, all }
}

/** Endpoint bytes that an attacker can vary: `n` goes into these two, counted from the end. */
const VARIED = [
  ['ports', 2],
  ['addresses', 4],
] as const

for (const { family, halves } of THREE_FAMILIES)
  test.each(VARIED)(
    `a swarm of family ${family} with many %s has no long chain (SEED=${seed})`,
    (_, at) => {
      const roll = dice()
      const world = new World({
        bytes: 32 * 2 ** 20,
        seed: roll(2 ** 31),
        families: THREE_FAMILIES,
      })
      const { announce, udp } = world
      const size = halves * 2
      for (let n = 0; n < PEERS; n++) {
        write(announce, hashWords(1), { family, want: 0 })
        const view = new DataView(announce.endpoint.buffer, announce.endpoint.byteOffset, size)
        view.setUint16(size - at, n)
        const answer = udp.prepare(family, false)
        world.swarm.announce(announce, world.now, world.cutoffs, MAX, answer)
      }
      // As many buckets as entries: by chance ten meet in one of them, and twenty never.
      const { longest, all } = chains(world, family)
      expect(all).toBe(PEERS)
      expect(longest).toBeLessThan(20)
    },
  )
