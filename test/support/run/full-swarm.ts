/** Fills the memory of a tracker with torrents, as a serving thread of its own would. */
import { Announce, Answer } from '../../../src/bittorrent.ts'
import { Cutoffs } from '../../../src/swarm/peers.ts'
import { Swarm, type SwarmMemory } from '../../../src/swarm/swarm.ts'

/** When there are as many, every shard has refused some: the last has some room when the first has none. */
const REFUSALS = 50_000

/** `memory`: of a tracker whose threads `captureWorkers` knows. The first torrent has only zeros for a hash. */
export function fillSwarm(memory: SwarmMemory): void {
  const swarm = new Swarm(memory, 99, 1)
  const announce = new Announce()
  const answer = new Answer([])
  const now = Math.floor(Date.now() / 1000)
  for (let n = 0; swarm.totals().refusals < REFUSALS; n++) {
    announce.words[0] = n
    swarm.announce(announce, now, new Cutoffs(), 0, answer)
  }
}
