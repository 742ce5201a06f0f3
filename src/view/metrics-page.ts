/** The page docs/metrics.md, made from the table of metrics. */
import { BINDING, CLIENT, isReference, METRICS, type Metric } from './metrics.ts'

/** The labels that many metrics of the reference have, by one word. */
function shortLabels(labels: readonly string[]): string {
  const isOf = (group: readonly string[]) => group.every((label) => labels.includes(label))
  const groups = [
    ['binding', BINDING],
    ['client', CLIENT],
  ] as const
  const found = groups.filter(([, group]) => isOf(group))
  const rest = labels.filter(
    (label) => !found.some(([, group]) => group.some((one) => one === label)),
  )
  return [...found.map(([word]) => word), ...rest.map((label) => `\`${label}\``)].join(', ')
}

/** In columns, as the formatter of the repository lays out tables. */
function table(metrics: readonly Metric[]): string {
  const rows = [
    ['name', 'type', 'unit', 'labels', 'what it says'],
    ...metrics.map(({ name, type, unit, labels, help }) => [
      `\`${name}\``,
      type,
      unit ?? '',
      shortLabels(labels),
      help,
    ]),
  ]
  const widths = rows[0]!.map((_, i) => Math.max(...rows.map((row) => row[i]!.length)))
  const line = (cells: readonly string[], fill = ' ') =>
    `| ${cells.map((cell, i) => cell.padEnd(widths[i]!, fill)).join(' | ')} |`
  const [head, ...body] = rows
  return [
    line(head!),
    line(
      widths.map(() => ''),
      '-',
    ),
    ...body.map((row) => line(row)),
  ].join('\n')
}

const list = (labels: readonly string[]): string => labels.map((one) => `\`${one}\``).join(', ')

export const printPage = (): string => `# Metrics

The API gives all of them at \`GET /api/v1/metrics\` (JSON, or text with \`?format=prometheus\`), and to scrapers at
\`GET /metrics\`; both want a token. A metric without samples is absent from the text. Counters begin at zero when the
tracker starts, and those of a listener when it is added.

In the columns of labels _binding_ stands for ${list(BINDING)}
(only where the listener has one); _client_ for ${list(CLIENT)}.

This page is made from the table in \`src/view/metrics.ts\`, in a clone of the source: \`MAKE_FILES=1 bun test test/view/metrics.test.ts\`.

## Ours

${table(METRICS.filter((metric) => !isReference(metric)))}

## Of the Torrust Tracker

Under its names and with its labels, for dashboards that know them. Those with a binding
show only listeners with \`tracker_usage_statistics = true\`, and none while \`core.tracker_usage_statistics\` is off.

${table(METRICS.filter(isReference))}

What differs from the original:

- Names of gauges that end in \`_total\` have no type in the text, and \`GET /metrics\` leaves out
  \`udp_tracker_server_performance_avg_processing_time_ns\`: checkers of the format refuse such names.
- No label tells the software of a client, which could write there what it likes.
- There is no \`swarm_coordination_registry_unique_peers_total\`, which would cost memory for each peer.
- \`udp_tracker_server_ips_banned_total\` counts as the original does: every address that showed one wrong connection id.
`
