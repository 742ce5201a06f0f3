/**
 * Findings of the checker (docs/behaviours.md T5) and of the monitor (T7): as JSON in the reference's shapes for
 * programs, and as text for people. Pure.
 */
import { aligned, plural, rounded } from '../text/figures.ts'
import type { Finding, Step } from './checks.ts'
import { FIGURES } from './latency.ts'
import type { Probe, Series } from './monitor.ts'
import { KINDS, type Kind, LISTS } from './target.ts'

export const isHealthy = ({ steps }: Finding): boolean =>
  steps.every(({ failure }) => failure === undefined)

/** `remote_addr` and `latency_ms` are ours, the rest is the reference's. */
export function findingDocument(finding: Finding): object {
  const { kind, url, remote, milliseconds, steps } = finding
  const about = {
    url,
    remote_addr: remote,
    latency_ms: milliseconds === undefined ? null : rounded(milliseconds, 3),
  }
  const report =
    kind === 'health'
      ? { ...about, result: outcome(steps[0]!) }
      : { ...about, results: steps.map((step) => [step.name, outcome(step)]) }
  return { [NAMES[kind]]: { [isHealthy(finding) ? 'Ok' : 'Err']: report } }
}

const NAMES = { udp: 'Udp', http: 'Http', health: 'Health' } as const

const outcome = ({ failure, found }: Step): { Ok: string | null } | { Err: string } =>
  failure === undefined ? { Ok: found ?? null } : { Err: failure }

/** What went wrong, in one line: `Announce: …; Scrape: …`. */
export const reasons = ({ kind, steps }: Finding): string =>
  steps
    .flatMap(({ name, failure }) =>
      failure === undefined ? [] : [kind === 'health' ? failure : `${name}: ${failure}`],
    )
    .join('; ')

/** A line for each finding and one for all of them, each with its newline. */
export function findingsText(findings: readonly Finding[]): string {
  const rows = findings.map((finding) => [
    isHealthy(finding) ? 'ok' : 'FAILED',
    finding.url,
    finding.remote,
    latency(finding.milliseconds),
  ])
  const lines = aligned(rows, 3).map((line, i) => `${line}  ${reasons(findings[i]!)}`.trimEnd())
  const failed = findings.filter((finding) => !isHealthy(finding)).length
  const all = `${findings.length} ${plural(findings.length, 'check')}`
  return [...lines, `${all}, ${failed === 0 ? 'all ok' : `${failed} failed`}`, ''].join('\n')
}

const latency = (milliseconds: number | undefined): string =>
  milliseconds === undefined ? '-' : `${milliseconds.toFixed(milliseconds < 100 ? 2 : 0)} ms`

/** One event of the monitor's stream. */
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
  elapsed_ms: rounded(milliseconds, 3),
  ...(message !== undefined && { message }),
})

/** The same as a line for people, without its newline. */
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

/** A table with a line for each series below its heading: latencies in milliseconds, then the last failure. */
export function monitorTable(series: readonly Series[]): string[] {
  const heading = ['target', 'address', 'probes', 'loss', ...FIGURES]
  const rows = series.map(({ target, remote, statistics }) => {
    const found = statistics.latencies
    return [
      target.url.href,
      remote,
      String(statistics.total),
      `${statistics.lossPercent.toFixed(1)} %`,
      ...FIGURES.map((name) => found?.[name].toFixed(2) ?? '-'),
    ]
  })
  return aligned([heading, ...rows], 2).map((line, i) =>
    [line, series[i - 1]?.statistics.lastFailure ?? []].flat().join('  '),
  )
}
