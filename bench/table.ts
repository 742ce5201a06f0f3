/** Results as Markdown: medians over the rounds, and ratios to the limit and to other trackers. */
import { LIMIT, type Transport } from './contenders.ts'
import { FIELDS, type Result } from './run.ts'

/** Results of one contender, one per round; none = not found or failed, and why. */
export type Row = { name: string; results: Result[]; remark?: string }

const median = (values: number[]): number => {
  const sorted = values.toSorted((a, b) => a - b)
  const middle = sorted.length >> 1
  return sorted.length % 2 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2
}

const medians = (results: readonly Result[]): Result =>
  Object.fromEntries(
    FIELDS.map((field) => [field, median(results.map((result) => result[field]))]),
  ) as Result

const answers = (result: Result) => result.perSecond * result.seconds
/** Microseconds of CPU per response. */
const cpu = (result: Result) => ((result.userMs + result.systemMs) * 1000) / answers(result)
const share = (part: number) => `${(part * 100).toFixed(0)} %`
const thousands = (value: number) => `${(value / 1000).toFixed(1)}k`
const milliseconds = (us: number) => (us / 1000).toFixed(2)

type Column = readonly [title: string, cell: (result: Result, to: Peers) => string]
/** Medians of the contenders that others are compared with, where they ran. */
type Peers = Readonly<Record<string, Result>>

const ratio = (to: string, of: (result: Result) => number): Column['1'] => {
  return (result, peers) => (peers[to] ? (of(result) / of(peers[to])).toFixed(2) : '–')
}

const columns = (limit: string): readonly Column[] => [
  ['responses/s', (r) => thousands(r.perSecond)],
  [`÷ ${limit}`, ratio(limit, (r) => r.perSecond)],
  ['÷ opentracker', ratio('opentracker', (r) => r.perSecond)],
  ['÷ tracker', ratio('tracker', (r) => r.perSecond)],
  ['core busy', (r) => share((r.userMs + r.systemMs) / 1000 / r.seconds)],
  [
    'CPU µs/response (user)',
    (r) => `${cpu(r).toFixed(2)} (${share(r.userMs / (r.userMs + r.systemMs))})`,
  ],
  [`per CPU ÷ ${limit}`, ratio(limit, (r) => 1 / cpu(r))],
  ['per CPU ÷ opentracker', ratio('opentracker', (r) => 1 / cpu(r))],
  ['RSS MB', (r) => (r.residentKb / 1024).toFixed(1)],
  ['p50 ms', (r) => milliseconds(r.p50)],
  ['p90', (r) => milliseconds(r.p90)],
  ['p99', (r) => milliseconds(r.p99)],
  ['p99.9', (r) => milliseconds(r.p999)],
  ['peers/answer', (r) => r.peersPerAnswer.toFixed(1)],
  ['errors', (r) => `${r.errors + r.malformed}`],
  ['lost', (r) => `${r.lost + r.unsent}`],
  ['generator spare', (r) => share(r.generatorIdle)],
]

export function table(transport: Transport, rows: readonly Row[]): string {
  const ran = rows.filter((row) => row.results.length > 0)
  const peers: Peers = Object.fromEntries(ran.map((row) => [row.name, medians(row.results)]))
  const chosen = columns(LIMIT[transport])
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`
  const lines = [
    line(['server', ...chosen.map(([title]) => title)]),
    line(['---', ...chosen.map(() => '---:')]),
    ...ran.map((row) =>
      line([row.name, ...chosen.map(([, cell]) => cell(peers[row.name]!, peers))]),
    ),
  ]
  const remarks = rows
    .filter((row) => row.remark)
    .map((row) => `${row.name}: ${row.remark?.trim().replaceAll(/\s*\n\s*/g, ' · ')}`)
  return [...lines, ...(remarks.length ? ['', ...remarks] : [])].join('\n')
}
