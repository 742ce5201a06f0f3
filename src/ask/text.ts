/** What trackers answer, and why they do not, for people. Pure. */

import type { ScrapeAnswer } from '../client/ask.ts'
import { ClientFailure, printable } from '../client/failure.ts'
import type { AnnounceAnswer, AnnounceQuestion } from '../client/question.ts'
import { requestPath } from '../client/tracker-url.ts'
import { aligned } from '../text/columns.ts'
import { joinPort } from '../wire/address.ts'
import type { Outcome } from './document.ts'
import { hexOf, type Questions } from './read-question.ts'

/** A paragraph for each torrent about which there is an answer. */
export const announceText = (where: string, outcomes: readonly Outcome[]): string =>
  outcomes
    .flatMap(({ question, told }) =>
      told instanceof ClientFailure ? [] : answerText(where, question, told),
    )
    .join('\n')

function answerText(where: string, question: AnnounceQuestion, answer: AnnounceAnswer): string {
  const { interval, minInterval, peers } = answer
  const least =
    minInterval === undefined || minInterval === interval
      ? ''
      : ` (at least ${duration(minInterval)})`
  const figures = [
    ['torrent', hexOf(question.infoHash)],
    ['announced', `port ${question.port}, peer id ${peerId(question.peerId)}`],
    ['seeders', String(answer.seeders)],
    ['leechers', String(answer.leechers)],
    ...(answer.downloaded === undefined ? [] : [['downloaded', String(answer.downloaded)]]),
    ['interval', `${duration(interval)}${least}`],
    ['peers', String(peers.length)],
  ]
  const found = peers.map(({ ip, port, id }) => [
    printable(joinPort(ip, port)),
    id ? peerId(id) : '',
  ])
  return lines([
    `${where} over IPv${answer.family}`,
    ...aligned(figures, 2),
    ...aligned(found, 2).map((line) => `  ${line}`),
  ])
}

/** A table, one line for each of `hashes` below its heading. */
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
  if (/\(EPROTO\)$/.test(message)) return `${message}; it may speak http:// only`
  if (kind === 'tls') return `${message}; --insecure accepts any certificate`
  if (!compact && /: HTTP status 4/.test(message))
    return `${message}; it may serve the compact form only: leave out --compact 0`
  if (/: HTTP status 404\b|: (no bencoded|an? \w+ with)/.test(message))
    return requestPath(url.path, what) === `/${what}`
      ? `${message}; the tracker may be at another path, or want a key in it`
      : `${message}; is the path right? Most trackers are at ${where}/announce`
  return message
}

/** Whole seconds as `30 min`, `1 h 30 min` or `27 min 32 s`. */
function duration(seconds: number): string {
  if (seconds < 60) return `${seconds} s`
  const parts = [
    [Math.floor(seconds / 3600), 'h'],
    [Math.floor(seconds / 60) % 60, 'min'],
    [seconds % 60, 's'],
  ] as const
  return parts
    .filter(([count]) => count > 0)
    .map(([count, unit]) => `${count} ${unit}`)
    .join(' ')
}

/** As it is if a terminal can show it, else as hexadecimal digits. */
function peerId(id: Uint8Array): string {
  const text = Buffer.from(id).toString('latin1')
  return /^[\x20-\x7e]+$/.test(text) ? text : hexOf(id)
}

const lines = (all: readonly string[]): string => all.map((line) => `${line}\n`).join('')
