/** Expressions of Prometheus, as far as tests read them. */
import { METRICS } from '../../../src/view/metrics.ts'

/** The labels of each series, of which a histogram has three. `up` and `ALERTS` are Prometheus' own. */
const SERIES = new Map<string, readonly string[]>([
  ...METRICS.flatMap(({ name, type, labels }) =>
    type === 'histogram'
      ? ['_bucket', '_sum', '_count'].map((end) => [name + end, labels] as const)
      : [[name, labels] as const],
  ),
  ['up', []],
  ['ALERTS', ['alertname', 'alertstate', 'severity', 'listener', 'thread']],
])
const WORDS = ['and', 'or', 'unless', 'on', 'ignoring', 'by', 'without', 'offset', 'bool']

/** Names in an expression that are no metrics of ours, and labels that are not those of their metric. */
export function unknownNames(expr: string): readonly string[] {
  const plain = expr.replaceAll(/"[^"]*"/g, '""')
  const labels = Array.from(plain.matchAll(/(\w+)\{([^}]*)\}/g)).flatMap(([, metric, selector]) =>
    Array.from(selector!.matchAll(/\w+(?=\s*[=!])/g), ([label]) => label)
      .filter((label) => !['job', 'instance', ...(SERIES.get(metric!) ?? [])].includes(label))
      .map((label) => `${metric} has no ${label}`),
  )
  // What stands in selectors, in ranges and behind `by` is no metric, nor is what stands before a bracket.
  const metrics = Array.from(
    plain
      .replaceAll(/\{[^}]*\}|\[[^\]]*\]/g, '')
      .replaceAll(/\b(?:by|without|on|ignoring)\s*\([^)]*\)/g, '')
      .matchAll(/\b[a-zA-Z_]\w*\b(?!\s*\()/g),
    ([name]) => name,
  )
  return [...metrics.filter((name) => !SERIES.has(name) && !WORDS.includes(name)), ...labels]
}
