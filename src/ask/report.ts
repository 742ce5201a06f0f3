/**
 * What trackers answer, and why they do not: as JSON for programs, in the shapes of the reference's clients
 * (docs/behaviours.md T1), and as text for people. Pure.
 */
import type { AnnounceAnswer, ScrapeAnswer } from '../client/ask.ts'
import { ClientFailure } from '../client/failure.ts'
import { requestPath, type Scheme } from '../client/tracker-url.ts'
import { aligned } from '../text/figures.ts'
import { oneLine } from '../text/printable.ts'
import { joinPort } from '../wire/address.ts'
import type { AnnounceQuestion } from '../wire/udp-client.ts'
import type { Questions } from './read-question.ts'

/** The result of one announce. */
export interface Outcome {
  readonly question: AnnounceQuestion
  readonly result: AnnounceAnswer | ClientFailure
}

/**
 * The result for one torrent, or an object with the results for several by info hash, in their order; undefined:
 * there was one torrent, and no answer.
 */
export function announceDocument(scheme: Scheme, outcomes: readonly Outcome[]): object | undefined {
  const isSingle = outcomes.length === 1
  const documentOf = ({ result }: Outcome): object | undefined => {
    if (!(result instanceof ClientFailure)) return answerDocument(scheme, result)
    const { kind, message } = result
    return refusalDocument(scheme, result) ?? (isSingle ? undefined : { error: { kind, message } })
  }
  if (isSingle) return documentOf(outcomes[0]!)
  return Object.fromEntries(
    outcomes.map((outcome) => [outcome.question.infoHash.toHex(), documentOf(outcome)]),
  )
}

/** Every member is always present; null: the tracker left it out. */
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
    // Compact answers have no peer ids.
    peers: peers.map(({ ip, port, id }) => ({ ip, 'peer id': id ? [...id] : null, port })),
  }
}

/** In the order of `hashes`, without those that the tracker left out. */
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

/** The tracker's own refusal; undefined: the failure is another. */
export function refusalDocument(scheme: Scheme, failure: ClientFailure): object | undefined {
  if (failure.kind !== 'refusal') return undefined
  return scheme === 'udp'
    ? { Error: { transaction_id: failure.transaction, message: failure.message } }
    : { 'failure reason': failure.message }
}

/** For the standard error: the tracker left out some torrents. */
export const truncationDocument = (requested: number, returned: number, message: string) => ({
  warning: { kind: 'scrape_response_truncated', requested, returned, message },
})

/** A paragraph for each torrent that got an answer. */
export const announceText = (questions: Questions, outcomes: readonly Outcome[]): string =>
  outcomes
    .flatMap(({ question, result }) =>
      result instanceof ClientFailure ? [] : answerText(questions, question, result),
    )
    .join('\n')

function answerText(
  { url, where }: Questions,
  question: AnnounceQuestion,
  answer: AnnounceAnswer,
): string {
  // Peers of a WebTorrent tracker have no addresses: it passes their messages on.
  const hasAddresses = url.protocol !== 'websocket'
  const { interval, minInterval, peers } = answer
  const least =
    minInterval === undefined || minInterval === interval
      ? ''
      : ` (at least ${duration(minInterval)})`
  const figures = [
    ['torrent', question.infoHash.toHex()],
    [
      'announced',
      `${hasAddresses ? `port ${question.port}, ` : ''}peer id ${peerId(question.peerId)}`,
    ],
    ['seeders', String(answer.seeders)],
    ['leechers', String(answer.leechers)],
    ...(answer.downloaded === undefined ? [] : [['downloaded', String(answer.downloaded)]]),
    ['interval', `${duration(interval)}${least}`],
    ...(hasAddresses ? [['peers', String(peers.length)]] : []),
  ]
  const found = peers.map(({ ip, port, id }) => [oneLine(joinPort(ip, port)), id ? peerId(id) : ''])
  return lines([
    `${where} over IPv${answer.family}`,
    ...aligned(figures, 2),
    ...aligned(found, 2).map((line) => `  ${line}`),
  ])
}

/** A table with a line for each of `hashes` below its heading. */
export function scrapeText(
  where: string,
  hashes: readonly string[],
  { entries, family }: ScrapeAnswer,
): string {
  const rows = hashes.map((hash) => {
    const entry = entries.get(hash)
    const figures = entry ? [entry.seeders, entry.downloaded, entry.leechers] : ['-', '-', '-']
    return [hash, ...figures.map(String)]
  })
  const heading = ['torrent', 'seeders', 'downloaded', 'leechers']
  return lines([`${where} over IPv${family}`, ...aligned([heading, ...rows], 1)])
}

/** What went wrong and what may help, in one line. */
export function failureText(
  { kind, message }: ClientFailure,
  what: 'announce' | 'scrape',
  { url, where }: Questions,
  compact = true,
): string {
  if (kind === 'refusal') return `${where}: the tracker refuses: ${message || 'it gives no reason'}`
  if (/\(EPROTO\)$/.test(message))
    return `${message}; it may speak ${url.protocol === 'http' ? 'http' : 'ws'}:// only`
  if (kind === 'tls') return `${message}; --insecure accepts any certificate`
  if (url.protocol === 'websocket')
    return kind === 'status' ? `${message}; the tracker may be at another path` : message
  if (!compact && /: HTTP status 4/.test(message))
    return `${message}; it may serve the compact form only: leave out --compact 0`
  if (/: HTTP status 404\b|: (no bencoded|an? \w+ with)/.test(message))
    return requestPath(url.path, what) === `/${what}`
      ? `${message}; the tracker may be at another path, or want a key in it`
      : `${message}; is the path right? Most trackers are at ${where}/announce`
  return message
}

const DURATION = new Intl.DurationFormat('en', { style: 'short' })

/** `30 s`, `27 min, 32 sec`, `1 hr, 30 min` */
const duration = (seconds: number): string =>
  seconds < 60
    ? `${seconds} s`
    : DURATION.format({
        hours: Math.floor(seconds / 3600),
        minutes: Math.floor(seconds / 60) % 60,
        seconds: seconds % 60,
      })

/** As text if it is printable ASCII, otherwise as hexadecimal digits. */
function peerId(id: Uint8Array): string {
  const text = Buffer.from(id).toString('latin1')
  return /^[\x20-\x7e]+$/.test(text) ? text : id.toHex()
}

const lines = (all: readonly string[]): string => all.map((line) => `${line}\n`).join('')
