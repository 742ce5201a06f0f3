/** Findings as the reference's checker prints them (spec/torrust-console-tools §3.3), and for people. Pure. */

import { aligned } from '../text/columns.ts'
import type { Finding, Step } from './checks.ts'

/** Milliseconds with three decimals, as numbers of a document; null: there is none. */
export const rounded = (milliseconds: number | undefined): number | null =>
  milliseconds === undefined ? null : Math.round(milliseconds * 1000) / 1000

export const isWell = ({ steps }: Finding): boolean =>
  steps.every(({ failure }) => failure === undefined)

/** `remote_addr` and `latency_ms` beside what the reference tells. */
export function findingDocument(finding: Finding): object {
  const { kind, url, remote, milliseconds, steps } = finding
  const about = { url, remote_addr: remote, latency_ms: rounded(milliseconds) }
  const report =
    kind === 'health'
      ? { ...about, result: outcome(steps[0]!) }
      : { ...about, results: steps.map((step) => [step.name, outcome(step)]) }
  return { [NAMES[kind]]: { [isWell(finding) ? 'Ok' : 'Err']: report } }
}

const NAMES = { udp: 'Udp', http: 'Http', health: 'Health' } as const

const outcome = ({ failure, told }: Step): { Ok: string | null } | { Err: string } =>
  failure === undefined ? { Ok: told ?? null } : { Err: failure }

/** What went wrong, in one line: `Announce: …; Scrape: …`. */
export const reasons = ({ kind, steps }: Finding): string =>
  steps
    .flatMap(({ name, failure }) =>
      failure === undefined ? [] : [kind === 'health' ? failure : `${name}: ${failure}`],
    )
    .join('; ')

/** One line for each finding and one for all, each with its newline. */
export function findingsText(findings: readonly Finding[]): string {
  const rows = findings.map((finding) => [
    isWell(finding) ? 'ok' : 'FAILED',
    finding.url,
    finding.remote,
    latency(finding.milliseconds),
  ])
  const lines = aligned(rows, 3).map((line, i) => `${line}  ${reasons(findings[i]!)}`.trimEnd())
  const failed = findings.filter((finding) => !isWell(finding)).length
  const all = findings.length === 1 ? '1 check' : `${findings.length} checks`
  return [...lines, `${all}, ${failed === 0 ? 'all ok' : `${failed} failed`}`, ''].join('\n')
}

export const latency = (milliseconds: number | undefined): string =>
  milliseconds === undefined ? '-' : `${milliseconds.toFixed(milliseconds < 100 ? 2 : 0)} ms`
