/**
 * Findings of the checker (docs/behaviours.md T5) and of the monitor (T7): as JSON in the reference's shapes for
 * programs, and as text for people. Pure.
 */
import { aligned, plural, rounded } from '../text/figures.ts'
import type { Finding, Step } from './checks.ts'
import { isWell, type Probe, probesOf, type Series } from './monitor.ts'
import { KINDS, LISTS, OPTIONAL_KIND } from './targets.ts'

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

const NAMES = { udp: 'Udp', http: 'Http', websocket: 'WebSocket', health: 'Health' } as const

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

export function monitorDocument(all: readonly Series[], interrupted: boolean): object {
  const message = interrupted ? 'monitor interrupted' : 'monitor completed'
  const documentOf = (series: Series) => ({
    url: series.target.url.href,
    remote_addr: series.remote,
    status: { code: isWell(series) ? 'ok' : 'error', message, stats: statisticsOf(series) },
  })
  return Object.fromEntries(
    KINDS.flatMap((kind) => {
      const those = all.filter(({ target }) => target.kind === kind)
      if (kind === OPTIONAL_KIND && those.length === 0) return []
      return [[LISTS[kind], those.map(documentOf)]]
    }),
  )
}

/** The reference's members and more. Latencies are null while there is no answer. */
function statisticsOf(series: Series): object {
  const { counts, lastFailure } = series
  const total = probesOf(series)
  const figures = latenciesOf(series)
  return {
    total,
    timeouts: counts.timeout,
    timeout_percent: percentage(counts.timeout, total),
    errors: counts.error,
    loss_percent: percentage(total - counts.ok, total),
    ...Object.fromEntries(
      figures.map(([name, value]) => [`${name}_ms`, value === null ? null : rounded(value, 3)]),
    ),
    last_failure: lastFailure,
  }
}

const percentage = (part: number, whole: number): number =>
  whole === 0 ? 0 : rounded((part / whole) * 100, 3)

/** Names and milliseconds; null: there is no answer yet. */
export function latenciesOf({ latencies, last, sum }: Series) {
  const { count, min, max } = latencies
  const of = (value: number) => (count === 0 ? null : value)
  return [
    ['last', of(last)],
    ['min', of(min)],
    ['average', of(sum / count)],
    ['p50', of(latencies.percentile(0.5))],
    ['p90', of(latencies.percentile(0.9))],
    ['p99', of(latencies.percentile(0.99))],
    ['max', of(max)],
  ] as const
}

/** A table with a line for each series below its heading: latencies in milliseconds, then the last failure. */
export function monitorText(all: readonly Series[]): string {
  const rows = all.map((series) => {
    const total = probesOf(series)
    return [
      series.target.url.href,
      series.remote,
      String(total),
      `${percentage(total - series.counts.ok, total).toFixed(1)} %`,
      ...latenciesOf(series).map(([, value]) => value?.toFixed(2) ?? '-'),
    ]
  })
  const heading = ['target', 'address', 'probes', 'loss', 'last', 'min', 'average']
  const table = aligned([[...heading, 'p50', 'p90', 'p99', 'max'], ...rows], 2)
  const lines = table.map((line, i) => [line, all[i - 1]?.lastFailure ?? ''].join('  ').trimEnd())
  return [...lines, ''].join('\n')
}
