/** What trackers answer as the reference's clients print it (spec/torrust-newest §6.2), for programs. Pure. */
import type { ScrapeAnswer } from '../client/ask.ts'
import { ClientFailure } from '../client/failure.ts'
import type { AnnounceAnswer, AnnounceQuestion } from '../client/question.ts'
import type { Scheme } from '../client/tracker-url.ts'
import { joinPort } from '../wire/address.ts'
import { hexOf } from './read-question.ts'

/** What came of an announce. */
export interface Outcome {
  readonly question: AnnounceQuestion
  readonly told: AnnounceAnswer | ClientFailure
}

/**
 * What was told about one torrent, or about each of several by its hash, in their order; undefined: there was one
 * torrent, and nothing was told.
 */
export function announceDocument(scheme: Scheme, outcomes: readonly Outcome[]): object | undefined {
  const isSingle = outcomes.length === 1
  const documentOf = ({ told }: Outcome): object | undefined => {
    if (!(told instanceof ClientFailure)) return answerDocument(scheme, told)
    const { kind, message } = told
    return refusalDocument(scheme, told) ?? (isSingle ? undefined : { error: { kind, message } })
  }
  if (isSingle) return documentOf(outcomes[0]!)
  return Object.fromEntries(
    outcomes.map((outcome) => [hexOf(outcome.question.infoHash), documentOf(outcome)]),
  )
}

/** Every member is always there; null: the tracker did not say. */
function answerDocument(scheme: Scheme, answer: AnnounceAnswer): object {
  const { interval, seeders, leechers, peers } = answer
  if (scheme === 'udp')
    return {
      [`AnnounceIpv${answer.family}`]: {
        transaction_id: answer.transaction,
        announce_interval: interval,
        leechers,
        seeders,
        peers: peers.map(({ ip, port }) => joinPort(ip, port)),
      },
    }
  return {
    complete: seeders,
    incomplete: leechers,
    interval,
    'min interval': answer.minInterval ?? null,
    // Compact answers tell no peer ids.
    peers: peers.map(({ ip, port, id }) => ({ ip, 'peer id': id ? [...id] : null, port })),
  }
}

/** In the order of `hashes`; those that the tracker left out are left out. */
export function scrapeDocument(
  scheme: Scheme,
  hashes: readonly string[],
  { entries, transaction }: ScrapeAnswer,
): object {
  const found = hashes.flatMap((hash) => {
    const entry = entries.get(hash)
    return entry ? [{ hash, ...entry }] : []
  })
  if (scheme === 'udp')
    return {
      Scrape: {
        transaction_id: transaction,
        torrent_stats: found.map(({ seeders, downloaded, leechers }) => ({
          seeders,
          completed: downloaded,
          leechers,
        })),
      },
    }
  return Object.fromEntries(
    found.map(({ hash, seeders, downloaded, leechers }) => [
      hash,
      { complete: seeders, downloaded, incomplete: leechers },
    ]),
  )
}

/** What the tracker said instead of an answer; undefined: it said nothing of use. */
export function refusalDocument(scheme: Scheme, failure: ClientFailure): object | undefined {
  if (failure.kind !== 'refusal') return undefined
  return scheme === 'udp'
    ? { Error: { transaction_id: failure.transaction, message: failure.message } }
    : { 'failure reason': failure.message }
}

/** For the standard error: the tracker said nothing about some torrents. */
export const truncationDocument = (requested: number, returned: number, message: string) => ({
  warning: { kind: 'scrape_response_truncated', requested, returned, message },
})
