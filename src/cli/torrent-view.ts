/** The swarm as the management API is shown it. It only reads, and waits for no lock for long. */
import type { TorrentView } from '../servers/api/parts.ts'
import { peersOf } from '../swarm/inspect.ts'
import { Listing } from '../swarm/listing.ts'
import { patiently } from '../swarm/patience.ts'
import type { Swarm } from '../swarm/swarm.ts'

/**
 * `cutoff`: second at or before which a peer was last seen that counts as gone. Every method rejects when a
 * part of the swarm stays locked for `longestWaitMilliseconds`; without it, as long as patience.ts says.
 */
export function torrentView(
  swarm: Swarm,
  cutoff: () => number,
  longestWaitMilliseconds?: number,
): TorrentView {
  const listing = new Listing(swarm, longestWaitMilliseconds)
  return {
    one: async (words) => {
      const look = () => {
        const torrent = peersOf(swarm, words, cutoff(), 0)
        return torrent === 'busy' ? undefined : { torrent }
      }
      const { torrent } = await patiently(look, longestWaitMilliseconds)
      return torrent
    },
    some: (hashes) => listing.summaries(cutoff(), hashes),
    page: (offset, limit) => listing.list(cutoff(), offset, limit),
  }
}
