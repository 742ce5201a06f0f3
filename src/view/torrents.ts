/** The swarm as the management API is shown it. It only reads, and waits for no lock for long. */
import type { TorrentView } from '../api/operation.ts'
import type { Swarm } from '../swarm/swarm.ts'
import { finish } from '../time/turns.ts'
import { peersOf } from './inspect.ts'
import { Listing } from './listing.ts'

/**
 * `cutoff`: second at or before which a peer was last seen that counts as gone. Every method rejects when a
 * part of the swarm stays locked for `longestWaitMilliseconds`; without it, as long as time/turns.ts says.
 */
export function torrentView(
  swarm: Swarm,
  cutoff: () => number,
  longestWaitMilliseconds?: number,
): TorrentView {
  const listing = new Listing(swarm, longestWaitMilliseconds)
  return {
    one: (words) => finish(peersOf(swarm, words, cutoff()), longestWaitMilliseconds),
    some: (hashes) => listing.summaries(cutoff(), hashes),
    page: (offset, limit) => listing.list(cutoff(), offset, limit),
  }
}
