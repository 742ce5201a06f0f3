/** The findings as text for people. Pure. */

import { several } from '../text/figures.ts'
import type { Examined } from './examine.ts'
import type { Status } from './finding.ts'

export interface Summary {
  readonly ok: number
  readonly warnings: number
  readonly problems: number
  readonly skipped: number
}

export function summarise(examined: readonly Examined[]): Summary {
  const statuses = examined.flatMap(({ findings }) => findings.map(({ status }) => status))
  const times = (status: Status): number => statuses.filter((one) => one === status).length
  return {
    ok: times('ok'),
    warnings: times('warning'),
    problems: times('problem'),
    skipped: times('skipped'),
  }
}

const COLOURS: Readonly<Record<Status, number>> = { ok: 32, warning: 33, problem: 31, skipped: 90 }
const STATUS_WIDTH = 'problem'.length

export function printFindings(examined: readonly Examined[], colour: boolean): string {
  const paint = (text: string, code: number) => (colour ? `\x1b[${code}m${text}\x1b[0m` : text)
  const width = Math.max(
    0,
    ...examined.flatMap(({ findings }) => findings.map(({ check }) => check.length)),
  )
  const indent = ' '.repeat(2 + STATUS_WIDTH + 2)
  const groups = examined.map(({ title, findings }) => [
    paint(title, 1),
    ...findings.flatMap(({ check, status, found, advice = [] }) => [
      `  ${paint(status.padEnd(STATUS_WIDTH), COLOURS[status])}  ${check.padEnd(width)}  ${found}`,
      ...advice.map((line) => `${indent}→ ${line}`),
    ]),
  ])
  const { ok, warnings, problems, skipped } = summarise(examined)
  const last = `${several(problems, 'problem')}, ${several(warnings, 'warning')}, ${ok} ok, ${skipped} skipped`
  return `${groups.map((lines) => lines.join('\n')).join('\n\n')}\n\n${last}\n`
}
