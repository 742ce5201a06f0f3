/** M8, M9: the metrics as text and as JSON. */
import { expect, test } from 'bun:test'
import { AT } from '../../src/memory/counters.ts'
import { printJson, printText } from '../../src/view/exposition.ts'
import { METRICS } from '../../src/view/metrics.ts'
import { runProgram } from '../support/run-program.ts'
import { temporaryDirectory } from '../support/temporary-directory.ts'
import {
  METERED_ACCOUNTING,
  meteredListener,
  metricSources,
} from '../support/view/metric-sources.ts'

const sources = metricSources({
  accounting: METERED_ACCOUNTING,
  listeners: [
    meteredListener(1, { publicUrl: 'udp://a"b\\c\nd:1' }),
    meteredListener(9, { scheme: 'https', certificateEnds: 1_900_000_000, drops: 3 }),
    meteredListener(99, { scheme: 'wss', address: { ip: '::1', port: 8000 } }),
  ],
})
/** The lines of one metric. */
const linesOf = (text: string, name: string) =>
  text.split('\n').filter((line) => line.replace(/^# (HELP|TYPE) /, '').startsWith(name))

test('text of Prometheus has a help, a type and the samples of each metric', () => {
  const text = printText(sources, 'prometheus')
  expect(linesOf(text, 'tracker_peers')).toEqual([
    '# HELP tracker_peers Peers in all swarms; a client counts in each of its swarms.',
    '# TYPE tracker_peers gauge',
    'tracker_peers{family="ipv4",role="seeder"} 20',
    'tracker_peers{family="ipv4",role="leecher"} 40',
    'tracker_peers{family="ipv6",role="seeder"} 5',
    'tracker_peers{family="ipv6",role="leecher"} 7',
  ])
  expect(linesOf(text, 'tracker_sweep_longest_lock_seconds')[2]).toBe(
    'tracker_sweep_longest_lock_seconds 0.0005',
  )
  // Metrics are separated by blank lines, as in the reference.
  expect(text).toContain('\n\n# HELP tracker_peers ')
  expect(text).not.toContain('\n\n\n')
  expect(text).toEndWith('\n')
})

test('a distribution is the number of values up to each bound, their sum and their number', () => {
  const lines = linesOf(printText(sources, 'prometheus'), 'tracker_database_request_duration')
  const seconds = 'tracker_database_request_duration_seconds'
  expect(lines[1]).toBe(`# TYPE ${seconds} histogram`)
  // It was 2 ms: between 2^20 and 2^21 ns.
  expect(lines.slice(2, 17)).toEqual([
    ...Array.from({ length: 13 }, (_, i) => `${seconds}_bucket{le="${2 ** (i + 8) / 1e9}"} 0`),
    ...[13, 14].map((i) => `${seconds}_bucket{le="${2 ** (i + 8) / 1e9}"} 1`),
  ])
  expect(lines.slice(-3)).toEqual([
    `${seconds}_bucket{le="+Inf"} 1`,
    `${seconds}_sum 0.002`,
    `${seconds}_count 1`,
  ])
})

test('values of labels are quoted, and labels sorted', () => {
  const [, , line] = linesOf(printText(sources, 'prometheus'), 'udp_tracker_server_errors_total')
  expect(line).toStartWith(
    'udp_tracker_server_errors_total{client_address_ip_family="inet",client_address_ip_type="plain",public_url="udp://a\\"b\\\\c\\nd:1",server_binding_address_ip_family="inet",',
  )
})

test('M9: a gauge that is named like a counter has no type', () => {
  const name = 'swarm_coordination_registry_torrents_total'
  const typeOf = (text: string) => linesOf(text, `${name} `)[1]
  expect(typeOf(printText(sources, 'prometheus'))).toBe(`# TYPE ${name} untyped`)
  expect(typeOf(printText(sources, 'openmetrics'))).toBe(`# TYPE ${name} unknown`)
})

test('OpenMetrics calls counters without their ending, has no blank lines, and an end', () => {
  const text = printText(sources, 'openmetrics')
  expect(linesOf(text, 'tracker_sweeps')).toEqual([
    '# HELP tracker_sweeps Sweeps that removed expired peers.',
    '# TYPE tracker_sweeps counter',
    'tracker_sweeps_total 4',
  ])
  expect(text).not.toContain('\n\n')
  expect(text).toEndWith('\n# EOF\n')
})

test('M8: JSON has the forms of the reference', () => {
  const { metrics } = JSON.parse(printJson(sources)) as {
    metrics: { name: string; type: string; samples: unknown[] }[]
  }
  const of = (name: string) => metrics.find((metric) => metric.name === name)
  expect(of('udp_tracker_server_requests_banned_total')).toMatchObject({
    type: 'counter',
    unit: 'count',
    samples: [
      {
        value: 2 * (1 + AT.banned),
        recorded_at: '2027-01-15T08:00:00.123+00:00',
        labels: [
          { name: 'client_address_ip_family', value: 'inet' },
          { name: 'client_address_ip_type', value: 'plain' },
          { name: 'public_url', value: 'udp://a"b\\c\nd:1' },
          { name: 'server_binding_address_ip_family', value: 'inet' },
          { name: 'server_binding_address_ip_type', value: 'plain' },
          { name: 'server_binding_ip', value: '0.0.0.0' },
          { name: 'server_binding_port', value: '6969' },
          { name: 'server_binding_protocol', value: 'udp' },
        ],
      },
      {},
    ],
  })
  expect(of('udp_tracker_server_performance_avg_processing_time_ns')).toMatchObject({
    type: 'gauge',
    unit: 'nanoseconds',
  })
  // Typed clients know nothing else, and read counters as whole numbers.
  for (const { name, type, samples } of metrics) {
    expect(['counter', 'gauge']).toContain(type)
    if (type !== 'counter') continue
    for (const sample of samples as { value: number }[])
      expect([name, Number.isInteger(sample.value)]).toEqual([name, true])
  }
  expect(of('tracker_request_duration_seconds_bucket')!.type).toBe('counter')
  expect(of('tracker_request_duration_seconds_sum')!.type).toBe('gauge')
  expect(of('process_cpu_seconds_total')!.type).toBe('gauge')
})

test('strict text leaves out what a checker refuses, and nothing else', () => {
  const namesIn = (text: string) =>
    new Set(Array.from(text.matchAll(/^# TYPE (\S+)/gm), ([, name]) => name!))
  const whole = namesIn(printText(sources, 'prometheus'))
  expect(whole).toEqual(new Set(METRICS.map(({ name }) => name)))
  whole.delete('udp_tracker_server_performance_avg_processing_time_ns')
  expect(namesIn(printText(sources, 'prometheus', { strict: true }))).toEqual(whole)
})

test.skipIf(Bun.which('promtool') === null)(
  'M9: the checker of Prometheus finds nothing',
  async () => {
    const check = async (text: string) => {
      using room = temporaryDirectory({ text })
      return await runProgram(['sh', '-c', 'promtool check metrics < "$0"', room.at('text')])
    }
    const strict = printText(sources, 'prometheus', { strict: true })
    expect(await check(strict)).toEqual({ code: 0, out: '', err: '' })
    // It does look.
    expect((await check(printText(sources, 'prometheus'))).code).not.toBe(0)
  },
)

test('N26: while nothing is accounted, neither text nor JSON names a metric of it', () => {
  const off = metricSources()
  expect(printText(off, 'prometheus') + printJson(off)).not.toContain('accounting')
  expect(printJson(metricSources({ accounting: METERED_ACCOUNTING }))).toContain(
    'tracker_accounting_sessions',
  )
})
