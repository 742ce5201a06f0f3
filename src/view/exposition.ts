/**
 * The metrics as scrapers and clients read them: text of Prometheus (format 0.0.4) or of OpenMetrics 1.0, and the
 * JSON of the reference (docs/behaviours.md M8–M10).
 */
import { type Labels, type Metric, type MetricSources, metricsOf, type Sample } from './metrics.ts'

/** A line of text, or a sample of JSON: the parts of a distribution are lines of their own. */
type Line = { readonly suffix: string; readonly labels: Labels; readonly value: number }

function* linesOf({ labels, value }: Sample): Generator<Line> {
  if (typeof value === 'number') {
    yield { suffix: '', labels, value }
    return
  }
  const { bounds, counts, sum } = value
  let count = 0
  for (const [i, more] of counts.entries()) {
    count += more
    const le = i < bounds.length ? String(bounds[i]) : '+Inf'
    yield { suffix: '_bucket', labels: { ...labels, le }, value: count }
  }
  yield { suffix: '_sum', labels, value: sum }
  yield { suffix: '_count', labels, value: count }
}

export const TEXT_FORMATS = {
  prometheus: 'text/plain; version=0.0.4; charset=utf-8',
  openmetrics: 'application/openmetrics-text; version=1.0.0; charset=utf-8',
} as const
type TextFormat = keyof typeof TEXT_FORMATS

const ESCAPES: Readonly<Record<string, string>> = { '\\': '\\\\', '"': '\\"', '\n': '\\n' }
const quote = (value: string): string => `"${value.replaceAll(/[\\"\n]/g, (one) => ESCAPES[one]!)}"`

/** No digits below a nanosecond, which are noise. */
const printNumber = (value: number): string =>
  String(Number.isInteger(value) ? value : Number(value.toFixed(9)))

function printLabels(labels: Labels): string {
  const pairs = Object.keys(labels)
    .sort()
    .map((name) => `${name}=${quote(labels[name]!)}`)
  return pairs.length === 0 ? '' : `{${pairs.join(',')}}`
}

/**
 * The reference has gauges whose names end like those of counters, which checkers refuse: they are of no declared
 * type then.
 */
function typeOf({ type, name }: Metric, format: TextFormat): string {
  if (type !== 'gauge' || !name.endsWith('_total')) return type
  return format === 'prometheus' ? 'untyped' : 'unknown'
}

/** In OpenMetrics a counter is called without the ending that its samples have. */
const familyOf = ({ type, name }: Metric, format: TextFormat): string =>
  format === 'openmetrics' && type === 'counter' ? name.replace(/_total$/, '') : name

function printMetric(metric: Metric, sources: MetricSources, format: TextFormat): string {
  const lines = Array.from(metric.read(sources)).flatMap((sample) =>
    Array.from(
      linesOf(sample),
      ({ suffix, labels, value }) =>
        `${metric.name}${suffix}${printLabels(labels)} ${printNumber(value)}`,
    ),
  )
  if (lines.length === 0) return ''
  const family = familyOf(metric, format)
  return `# HELP ${family} ${metric.help}\n# TYPE ${family} ${typeOf(metric, format)}\n${lines.join('\n')}\n`
}

/** Names that no checker takes: their unit is written as `ns`. */
const isRefused = ({ unit }: Metric): boolean => unit === 'nanoseconds'

/** All metrics; `strict`: without those that a checker of the format refuses. */
export function printText(
  sources: MetricSources,
  format: TextFormat,
  { strict = false } = {},
): string {
  const shown = metricsOf(sources).filter((metric) => !(strict && isRefused(metric)))
  const text = shown.map((metric) => printMetric(metric, sources, format))
  // The reference separates metrics by blank lines; OpenMetrics allows none.
  if (format === 'openmetrics') return `${text.join('')}# EOF\n`
  return text.filter((one) => one !== '').join('\n')
}

/** Clients of the reference know counters, which are whole numbers, and gauges; no distributions. */
export function printJson(sources: MetricSources): string {
  const recordedAt = new Date(sources.milliseconds).toISOString().replace('Z', '+00:00')
  return JSON.stringify({
    metrics: metricsOf(sources).flatMap((metric) => jsonOf(metric, sources, recordedAt)),
  })
}

function jsonOf(metric: Metric, sources: MetricSources, recordedAt: string): object[] {
  const { name, unit, help: description } = metric
  const isHistogram = metric.type === 'histogram'
  const suffixes = isHistogram ? ['_bucket', '_sum', '_count'] : ['']
  const lines = Array.from(metric.read(sources)).flatMap((sample) => Array.from(linesOf(sample)))
  return suffixes.map((suffix) => {
    const isCount = isHistogram ? suffix !== '_sum' : metric.type === 'counter'
    const isWhole = isHistogram || unit !== 'seconds'
    return {
      type: isCount && isWhole ? 'counter' : 'gauge',
      name: name + suffix,
      unit: suffix === '_bucket' || suffix === '_count' ? 'count' : unit,
      description,
      samples: lines
        .filter((line) => line.suffix === suffix)
        .map(({ labels, value }) => ({
          value,
          recorded_at: recordedAt,
          labels: Object.keys(labels)
            .sort()
            .map((label) => ({ name: label, value: labels[label]! })),
        })),
    }
  })
}
