/** The result of a load test, as a JSON document and as text. */

import type { Histogram } from '../memory/histogram.ts'
import { aligned, plural, rounded } from '../text/figures.ts'
import type { Ended, Load } from './load.ts'
import type { configurationOf } from './plan.ts'
import { KINDS, type KindTally } from './tally.ts'

type LoadReport = ReturnType<typeof reportOf>

export function reportOf(
  configuration: ReturnType<typeof configurationOf>,
  load: Load,
  generatorCpu: number,
) {
  const { tally } = load
  const isWeb = 'offers' in configuration
  const used = KINDS.map((name, kind) => [name, tally.kinds[kind]!] as const).filter(
    ([, { requests }]) => requests > 0,
  )
  return {
    configuration,
    ended: load.ended,
    /** Time of sending. */
    seconds: rounded(load.seconds, 3),
    answers_per_second: rounded(load.answersPerSecond, 1),
    ...countsOf(tally.total()),
    kinds: Object.fromEntries(used.map(([name, counts]) => [name, countsOf(counts)])),
    /** The addresses of UDP and HTTP answers; of WebTorrent, what went from peer to peer. A document leaves out the others. */
    peers_told: isWeb ? undefined : tally.peersTold,
    offers_received: isWeb ? tally.offersReceived : undefined,
    answers_sent: isWeb ? tally.answersSent : undefined,
    answers_received: isWeb ? tally.answersReceived : undefined,
    bytes_sent: tally.bytesSent,
    bytes_received: tally.bytesReceived,
    /** Datagrams or messages that answer no request in flight. */
    strays: tally.strays,
    unsent: tally.unsent,
    socket_errors: tally.socketErrors,
    floods: tally.floods,
    reconnects: tally.reconnects,
    error_texts: tally.texts,
    other_error_texts: tally.otherTexts,
    /** Processor time of the load test itself in cores: near 1 it was the limit, not the tracker. */
    generator_cpu: rounded(generatorCpu, 2),
  }
}

type Counts = ReturnType<typeof countsOf>

/** `requests` is the sum of the next four. The latency is null if there was no answer. */
const countsOf = ({ requests, answers, errors, malformed, lost, latency }: KindTally) => ({
  requests,
  answers,
  errors,
  malformed,
  lost,
  latency_ms: latencyOf(latency),
})

const latencyOf = (histogram: Histogram) =>
  histogram.count === 0
    ? null
    : {
        p50: rounded(histogram.percentile(0.5), 4),
        p90: rounded(histogram.percentile(0.9), 4),
        p99: rounded(histogram.percentile(0.99), 4),
        p999: rounded(histogram.percentile(0.999), 4),
        max: rounded(histogram.max, 4),
      }

const ENDINGS: Readonly<Record<Ended, string>> = {
  duration: '',
  interrupted: ', interrupted',
  silence: ', given up: the tracker fell silent',
}

const HEAD = ['', 'requests', 'answers', 'errors', 'malformed', 'lost']
const LATENCY_HEAD = ['p50 ms', 'p90', 'p99', 'p99.9', 'max']

export function reportText(report: LoadReport): string {
  const { configuration: asked } = report
  const load = [
    `${asked.clients} ${plural(asked.clients, 'client')} with ${asked.window} in flight`,
    asked.rate === null ? 'no rate limit' : `${asked.rate} requests/s`,
    `${asked.torrents} ${plural(asked.torrents, 'torrent')}, ${asked.peers} ${plural(asked.peers, 'peer')}, ${asked.seeders_percent} % seeders`,
  ]
  const rows = [
    [...HEAD, ...LATENCY_HEAD],
    ...Object.entries(report.kinds).map(([name, counts]) => row(name, counts)),
    row('all', report),
  ]
  const oddities = [
    [report.peers_told === undefined ? 'stray messages' : 'stray datagrams', report.strays],
    ['unsent', report.unsent],
    ['socket errors', report.socket_errors],
    ['floods', report.floods],
    ['reconnects', asked.close ? 0 : report.reconnects],
  ] as const
  const lines = [
    `${asked.url} at ${asked.address}, ${asked.mix}: ${load.join(', ')}`,
    `${report.answers_per_second} answers/s in ${report.seconds} s${ENDINGS[report.ended]}`,
    '',
    ...aligned(rows, 1),
    '',
    `${exchanged(report)}, ${megabytes(report.bytes_sent)} sent, ${megabytes(report.bytes_received)} received`,
    ...oddities.filter(([, count]) => count > 0).map(([name, count]) => `${name} ${count}`),
    ...report.error_texts.map(({ text, count }) => `${count} × ${text}`),
    ...(report.other_error_texts > 0 ? [`${report.other_error_texts} × other errors`] : []),
    `the load test itself used ${report.generator_cpu} cores`,
  ]
  return `${lines.join('\n')}\n`
}

const exchanged = (report: LoadReport): string =>
  report.peers_told === undefined
    ? `offers received ${report.offers_received}, answers sent ${report.answers_sent}, received ${report.answers_received}`
    : `peers told ${report.peers_told}`

const row = (name: string, counts: Counts): string[] => {
  const { p50, p90, p99, p999, max } = counts.latency_ms ?? {}
  return [
    name,
    ...[counts.requests, counts.answers, counts.errors, counts.malformed, counts.lost].map(String),
    ...[p50, p90, p99, p999, max].map((milliseconds) => milliseconds?.toFixed(2) ?? '-'),
  ]
}

const megabytes = (bytes: number): string => `${(bytes / 1e6).toFixed(1)} MB`
