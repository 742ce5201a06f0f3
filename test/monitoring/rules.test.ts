/** What Prometheus reads in share/prometheus: it is valid, it names metrics that there are, and each alert is tested. */
import { describe, expect, test } from 'bun:test'
import { join } from 'node:path'
import { unknownNames } from '../support/monitoring/expressions.ts'
import { HAS_PROMETHEUS, readConfig, readRules, shared } from '../support/monitoring/prometheus.ts'
import { runProgram } from '../support/run-program.ts'
import { temporaryDirectory } from '../support/temporary-directory.ts'

const NAMES = [
  'prometheus.yml',
  'prometheus.container.yml',
  'tracker.rules.yml',
  'tracker.rules.test.yml',
]
const texts = Object.fromEntries(
  await Promise.all(NAMES.map(async (name) => [name, await shared(name)] as const)),
)
const { groups } = await readRules()
const rules = groups.flatMap((group) => group.rules)

describe.skipIf(!HAS_PROMETHEUS)('promtool', () => {
  test.each([
    'check config prometheus.yml',
    // Its token is where Docker puts it.
    'check config --syntax-only prometheus.container.yml',
    'check rules tracker.rules.yml',
    'test rules tracker.rules.test.yml',
  ])('%s', async (words) => {
    using room = temporaryDirectory({ ...texts, 'tracker.token': 'secret\n' })
    const done = await runProgram(['promtool', ...words.split(' ')], { cwd: room.path })
    expect(done).toEqual({ code: 0, out: expect.stringContaining('SUCCESS'), err: '' })
  })
})

test('the rules name only metrics and labels that there are', () => {
  for (const { alert, expr } of rules) expect([alert, unknownNames(expr)]).toEqual([alert, []])
  const wrong = 'sum by (kind) (rate(tracker_refused_total[5m])) > up{job="a",kind="b"}'
  expect(unknownNames(wrong)).toEqual(['tracker_refused_total', 'up has no kind'])
})

test('every alert says how bad it is, what happened and what to do', () => {
  expect(new Set(rules.map(({ alert }) => alert)).size).toBe(rules.length)
  for (const { alert, labels, annotations } of rules) {
    expect(alert).toStartWith('Tracker')
    expect(Object.keys(labels)).toEqual(['severity'])
    expect(['critical', 'warning']).toContain(labels.severity!)
    expect(Object.keys(annotations)).toEqual(['summary', 'description'])
    expect(annotations.summary).toStartWith('{{ $labels.instance }}: ')
    expect(annotations.description!.length).toBeGreaterThan(100)
  }
})

test('the page for operators names every alert, and no other', async () => {
  const page = await Bun.file(join(import.meta.dir, '../../docs/operate.md')).text()
  const named = Array.from(page.matchAll(/`(Tracker[A-Z]\w+)`/g), ([, name]) => name!)
  expect(named.sort()).toEqual(rules.map(({ alert }) => alert).sort())
})

test('a rule that looks at a metric of every process looks only at trackers', () => {
  for (const { expr } of rules)
    for (const [name, after] of expr.matchAll(/\b(?:up|process_\w+)(.*)/g))
      expect([name, after]).toEqual([name, expect.stringContaining('job="tracker"')])
})

test('every alert has a test in which it fires, and one in which it does not', () => {
  const { tests } = Bun.YAML.parse(texts['tracker.rules.test.yml']!) as {
    tests: {
      name: string
      promql_expr_test: { expr: string; exp_samples: { labels: string }[] }[]
    }[]
  }
  for (const { alert } of rules) {
    const looks = tests
      .filter(({ name }) => name.split(',')[0] === alert)
      .flatMap((one) => one.promql_expr_test)
    const fired = looks.filter(({ exp_samples }) =>
      exp_samples.some(({ labels }) => labels.includes(`alertname="${alert}",alertstate="firing"`)),
    )
    const silent = looks.filter(({ exp_samples }) => exp_samples.length === 0)
    expect([alert, fired.length > 0, silent.length > 0]).toEqual([alert, true, true])
  }
})

test('the configuration of the container differs only in where the tracker and the token are', async () => {
  const [own, container] = [
    await readConfig('prometheus.yml'),
    await readConfig('prometheus.container.yml'),
  ]
  const [scrape] = own.scrape_configs
  expect(container).toEqual({
    ...own,
    scrape_configs: [
      {
        ...scrape!,
        authorization: { credentials_file: '/run/secrets/metrics_token' },
        static_configs: [{ targets: ['tracker:1212'] }],
      },
    ],
  })
})
