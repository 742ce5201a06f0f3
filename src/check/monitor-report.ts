/** What a monitor saw, for programs (spec/torrust-newest §6.2) and for people. Pure. */

import { aligned } from '../text/columns.ts'
import { LISTS } from './checker-configuration.ts'
import type { Probe, Series } from './monitor.ts'
import { latency, rounded } from './report.ts'
import { KINDS, type Kind } from './target.ts'

/** One line of the stream of events. */
export const probeDocument = ({
  series,
  sequence,
  status,
  milliseconds,
  message,
}: Probe): object => ({
  event: 'probe',
  sequence,
  url: series.target.url.href,
  remote_addr: series.remote,
  status,
  elapsed_ms: rounded(milliseconds),
  ...(message !== undefined && { message }),
})

/** The same in a line for people, without its newline. */
export const probeText = ({ series, sequence, status, milliseconds, message }: Probe): string =>
  `${series.target.url.href} (${series.remote}) #${sequence}: ${status}, ${latency(milliseconds)}${message === undefined ? '' : `: ${message}`}`

export function monitorDocument(series: readonly Series[], interrupted: boolean): object {
  const message = interrupted ? 'monitor interrupted' : 'monitor completed'
  const listed = (kind: Kind) =>
    series
      .filter(({ target }) => target.kind === kind)
      .map(({ target, remote, statistics }) => ({
        url: target.url.href,
        remote_addr: remote,
        status: {
          code: statistics.total > 0 && statistics.lost === 0 ? 'ok' : 'error',
          message,
          stats: statistics.document(),
        },
      }))
  return Object.fromEntries(KINDS.map((kind) => [LISTS[kind], listed(kind)]))
}

const FIGURES = ['last', 'min', 'average', 'p50', 'p90', 'p99', 'max'] as const

/** A table, one line for each series below its heading, with its last failure; latencies in milliseconds. */
export function monitorTable(series: readonly Series[]): string[] {
  const heading = ['target', 'address', 'probes', 'loss', ...FIGURES]
  const rows = series.map(({ target, remote, statistics }) => {
    const found = statistics.latencies
    return [
      target.url.href,
      remote,
      String(statistics.total),
      `${statistics.lossPercent.toFixed(1)} %`,
      ...FIGURES.map((name) => found?.[name]?.toFixed(2) ?? '-'),
    ]
  })
  return aligned([heading, ...rows], 2).map((line, i) =>
    [line, series[i - 1]?.statistics.lastFailure ?? []].flat().join('  '),
  )
}
