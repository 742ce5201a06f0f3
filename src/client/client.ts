/** What every client of a tracker can do, whatever the transport. */
import type { ScrapeEntry } from '../bittorrent.ts'
import type { AnnounceQuestion, AnnounceReply } from '../wire/udp-client.ts'

export interface ScrapeReply {
  /** By info hash in lower-case hexadecimal; a tracker may leave some out. */
  readonly entries: ReadonlyMap<string, ScrapeEntry>
  /** Transaction id of the UDP answer, signed. */
  readonly transaction?: number | undefined
}

/** One tracker at one address. Every request rejects with `ClientFailure` and nothing else. */
export interface TrackerClient extends Disposable {
  /** Most info hashes of one scrape. */
  readonly mostHashes: number
  /** Whether the peers that it announced leave the tracker together with it. */
  readonly takesPeersAlong: boolean
  announce(
    question: AnnounceQuestion,
  ): Promise<AnnounceReply & { readonly transaction?: number | undefined }>
  scrape(hashes: readonly Uint8Array[]): Promise<ScrapeReply>
}
