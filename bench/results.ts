/** Results as Markdown tables: medians over the rounds, and ratios to the server that others are compared with. */
import type { Row } from './rounds.ts'
import type { Result } from './run.ts'

/** Medians of every server that ran, by name. */
type Others<R> = Readonly<Record<string, R>>
/** `all`: the results of all rounds, for what a median would hide. */
type Cell<R> = (result: R, others: Others<R>, all: readonly R[]) => string
export type Column<R> = readonly [title: string, cell: Cell<R>]

export const median = (values: readonly number[]): number => {
  const sorted = values.toSorted((a, b) => a - b)
  const middle = sorted.length >> 1
  return sorted.length % 2 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2
}

const medians = <R extends Record<string, number>>(results: readonly R[]): R =>
  Object.fromEntries(
    Object.keys(results[0]!).map((field) => [field, median(results.map((r) => r[field]!))]),
  ) as R

const answers = (result: Result) => result.perSecond * result.seconds
/** Microseconds of CPU per response. */
export const cpu = (result: Result) => ((result.userMs + result.systemMs) * 1000) / answers(result)
const share = (part: number) => `${(part * 100).toFixed(0)} %`
export const thousands = (value: number) => `${(value / 1000).toFixed(1)}k`
export const milliseconds = (value: number) => value.toFixed(2)

/** The ratio of a figure to that of the server `to`. */
export const ratio = <R>(to: string, of: (result: R) => number): Cell<R> => {
  return (result, others) => (others[to] ? (of(result) / of(others[to])).toFixed(2) : '–')
}

/** The largest of all rounds. */
export const largest = <R>(of: (result: R) => number): Cell<R> => {
  return (_result, _others, all) => milliseconds(Math.max(...all.map(of)))
}

export const RATE: Column<Result> = ['responses/s', (r) => thousands(r.perSecond)]
export const RELAYED: Column<Result> = ['relayed/s', (r) => thousands(r.relayedPerSecond)]
export const CORE: Column<Result> = [
  'core busy',
  (r) => share((r.userMs + r.systemMs) / 1000 / r.seconds),
]
export const CPU: Column<Result> = [
  'CPU µs/response (user)',
  (r) => `${cpu(r).toFixed(2)} (${share(r.userMs / (r.userMs + r.systemMs))})`,
]
export const MEMORY: Column<Result> = ['RSS MB', (r) => (r.residentKb / 1024).toFixed(1)]
export const LATENCY: readonly Column<Result>[] = [
  ['p50 ms', (r) => milliseconds(r.p50)],
  ['p90', (r) => milliseconds(r.p90)],
  ['p99', (r) => milliseconds(r.p99)],
  ['p99.9', (r) => milliseconds(r.p999)],
]
/** The longest of all rounds, and what tells whether it was the server: the generator, and others on the same core. */
export const LONGEST: readonly Column<Result>[] = [
  ['longest', largest((r) => r.longest)],
  ['longest silence ms', largest((r) => r.longestSilence)],
  ["generator's longest pause ms", largest((r) => r.generatorPause)],
  ['waited for the core', (r) => share(r.waitedMs / 1000 / r.seconds)],
]
/** Failures, and whether the load generator was the limit. */
export const DOUBTS: readonly Column<Result>[] = [
  ['peers/answer', (r) => r.peersPerAnswer.toFixed(1)],
  ['errors', (r) => `${r.errors + r.malformed}`],
  ['lost', (r) => `${r.lost}`],
  ['generator spare', (r) => share(r.generatorIdle)],
]

/** Of every server that ran. */
export const mediansOf = <R extends Record<string, number>>(rows: readonly Row<R>[]): Others<R> =>
  Object.fromEntries(
    rows.filter(({ results }) => results.length > 0).map((row) => [row.name, medians(row.results)]),
  )

export function table<R extends Record<string, number>>(
  columns: readonly Column<R>[],
  rows: readonly Row<R>[],
): string {
  const ran = rows.filter((row) => row.results.length > 0)
  const others = mediansOf(rows)
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`
  const cells = ({ name, results }: Row<R>) =>
    columns.map(([, cell]) => cell(others[name]!, others, results))
  const lines = [
    line(['server', ...columns.map(([title]) => title)]),
    line(['---', ...columns.map(() => '---:')]),
    ...ran.map((row) => line([row.name, ...cells(row)])),
  ]
  const remarks = rows
    .filter((row) => row.remark)
    .map((row) => `${row.name}: ${row.remark?.trim().replaceAll(/\s*\n\s*/g, ' · ')}`)
  return [...lines, ...(remarks.length ? ['', ...remarks] : [])].join('\n')
}

export type Line = Readonly<Record<string, number | string>>

/** Prints rows whose cells are all numbers, but for names: milliseconds with fractions, others without. */
export function printLines(lines: readonly Line[]): void {
  const row = (cells: readonly string[]) => console.log(`| ${cells.join(' | ')} |`)
  const names = Object.keys(lines[0]!)
  row(names)
  row(names.map((name) => (typeof lines[0]![name] === 'string' ? '---' : '---:')))
  for (const line of lines) row(names.map((name) => cell(name, line[name]!)))
}

const cell = (name: string, value: number | string) =>
  typeof value === 'string' ? value : value.toFixed(/\bms\b/.test(name) ? 2 : 0)
