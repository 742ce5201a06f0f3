/**
 * What the alert rules are for, made to happen to real trackers, and seen by a real Prometheus. A minute of the rules is
 * a second here.
 */
import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { readFileSync } from 'node:fs'
import type { SwarmMemory } from '../../src/swarm/swarm.ts'
import { certify } from '../support/certificate.ts'
import { configuration } from '../support/configuration.ts'
import { hashes } from '../support/database/hashes.ts'
import { SqliteFile } from '../support/database/sqlite-file.ts'
import { Crowd } from '../support/e2e/crowd.ts'
import { launch, type Run, source } from '../support/e2e/program.ts'
import {
  HAS_PROMETHEUS,
  type Prometheus,
  type Rules,
  readRules,
  startPrometheus,
} from '../support/monitoring/prometheus.ts'
import { databaseAt, listenersWith, TOKEN } from '../support/monitoring/trackers.ts'
import { captureWorkers } from '../support/run/captured-workers.ts'
import { fillSwarm } from '../support/run/full-swarm.ts'
import { startTracker, type TestTracker } from '../support/started-tracker.ts'
import { temporaryDirectory } from '../support/temporary-directory.ts'
import { udpPeer, udpSocket } from '../support/udp-client.ts'
import { until } from '../support/until.ts'

const SCRAPE_SECONDS = 0.5

/** The same rules, sixty times faster. */
function hastened({ groups }: Rules): Rules {
  const duration = (text: string) =>
    text.replace(/(\d+)([mh])$/, (_, count, unit) => `${count * (unit === 'h' ? 60 : 1)}s`)
  const inside = (expr: string) =>
    expr
      .replaceAll(/\[(\d+[mh])\]/g, (_, range) => `[${duration(range)}]`)
      .replaceAll(/offset (\d+[mh])/g, (_, offset) => `offset ${duration(offset)}`)
  return {
    groups: groups.map(({ name, rules }) => ({
      name,
      rules: rules.map((rule) => ({
        ...rule,
        expr: inside(rule.expr),
        ...(rule.for !== undefined && { for: duration(rule.for) }),
      })),
    })),
  }
}

test('rules that are sixty times faster differ in nothing else', async () => {
  const [rules, fast] = [await readRules(), hastened(await readRules())]
  const text = JSON.stringify(rules)
  expect(text).toMatch(/\d[mh]\]/)
  expect(JSON.stringify(fast)).not.toMatch(/\d[mh](\]|\)|")/)
  expect(JSON.stringify(fast).replaceAll(/\d+s/g, '')).toBe(
    text.replaceAll(/\d+[mh](?=[\]")])/g, ''),
  )
})

describe.skipIf(!HAS_PROMETHEUS || process.platform !== 'linux')('a real Prometheus sees', () => {
  const scope = new AsyncDisposableStack()
  let prometheus: Prometheus
  /** With hardly any memory. */
  let small: TestTracker
  let swarm: SwarmMemory
  /** With a database, two threads and a certificate for five days. */
  let whole: TestTracker
  let file: SqliteFile
  let workers: ReturnType<typeof captureWorkers>
  let crowd: Crowd
  /** A process of its own, which may be stopped. */
  let alone: { readonly run: Run; readonly api: number; readonly udp: number }

  beforeAll(async () => {
    const room = scope.use(temporaryDirectory())
    const tls = await certify(room.path, 'tracker', { days: 5 })
    workers = scope.use(captureWorkers())
    small = scope.use(await startTracker({ workers: 2, maxMemory: '16MiB', rest: listenersWith() }))
    swarm = workers.of(1).setup.swarm
    file = scope.use(new SqliteFile())
    whole = scope.use(
      await startTracker({ workers: 2, rest: listenersWith(tls), core: databaseAt(file.path) }),
    )
    const run = scope.use(
      await launch(source, { toml: configuration({ workers: 1, rest: listenersWith() }) }),
    )
    const port = async (service: string) =>
      Number((await run.says(new RegExp(`INFO ${service}: Started on: \\S+:(\\d+)`)))[1])
    alone = { run, udp: await port('UDP TRACKER'), api: await port('API') }
    crowd = scope.use(await Crowd.at(whole.ports.udp[0]!, [hashes(1)]))
    prometheus = scope.use(
      await startPrometheus({
        ports: [small.apiPort!, whole.apiPort!, alone.api],
        token: TOKEN,
        rules: hastened(await readRules()),
        seconds: SCRAPE_SECONDS,
      }),
    )
    await until('all to be scraped', async () => {
      const up = await prometheus.query('up == 1')
      return up.length === 3
    })
  })
  afterAll(() => scope.disposeAsync())

  test('a certificate near its end', async () => {
    const { labels, annotations } = await prometheus.fires(
      'TrackerCertificateEndsSoon',
      whole.apiPort!,
    )
    expect(annotations.summary).toMatch(
      /^127\.0\.0\.1:\d+: the certificate of https:\/\/127\.0\.0\.1:\d+ ends in 4d 23h \d+m \d+s$/,
    )
    expect(labels.severity).toBe('warning')
  })

  test('that memory is full', async () => {
    using peer = await udpPeer(small.ports.udp[0]!)
    for (let i = 0; i < 20; i++) await peer.announce(hashes(1))
    fillSwarm(swarm)
    await expect(peer.announce(hashes(1, 2))).rejects.toThrow('tracker is full')
    const { annotations } = await prometheus.fires('TrackerFull', small.apiPort!)
    expect(annotations.summary).toEndWith(': memory is full, announces are refused')
    await prometheus.fires('TrackerDegraded', small.apiPort!)
    await prometheus.fires('TrackerNearlyFull', small.apiPort!)
  })

  test('datagrams that the system drops', async () => {
    using client = await udpSocket(alone.udp)
    const junk = new Uint8Array(1_400)
    const { pid } = alone.run.child
    let isFiring = false
    const fired = prometheus.fires('TrackerDropsDatagrams', alone.api).finally(() => {
      isFiring = true
    })
    while (!isFiring) {
      const before = droppedAt(alone.udp)
      process.kill(pid, 'SIGSTOP')
      try {
        await until('the buffer to be full', () => {
          for (let i = 0; i < 1_000; i++) client.send(junk)
          return droppedAt(alone.udp) > before + 2_000
        })
      } finally {
        process.kill(pid, 'SIGCONT')
      }
      await Bun.sleep(SCRAPE_SECONDS * 2_000)
    }
    expect((await fired).labels.listener).toBe(`udp://127.0.0.1:${alone.udp}`)
  })

  test('that a tracker is down', async () => {
    alone.run.child.kill('SIGKILL')
    const { labels } = await prometheus.fires('TrackerDown', alone.api)
    expect(labels.severity).toBe('critical')
  })

  test('that a thread died', async () => {
    workers.of(1).worker.terminate()
    await prometheus.fires('TrackerThreadDied', whole.apiPort!)
  })

  test('that the database is away, and completed downloads wait for it', async () => {
    crowd.start()
    {
      using _lock = file.locked()
      await prometheus.fires('TrackerDatabaseAway', whole.apiPort!)
      const { annotations } = await prometheus.fires('TrackerDatabaseBehind', whole.apiPort!)
      expect(annotations.summary).toMatch(/: \d+ completed downloads wait for the database/)
    }
    await until('the alert to be over', async () => {
      const alerts = await prometheus.alerts()
      return !alerts.some(({ labels }) => labels.alertname === 'TrackerDatabaseAway')
    })
  })

  test('that announces no longer arrive, where they did', async () => {
    await crowd.stop()
    await prometheus.fires('TrackerSilent', small.apiPort!)
    await prometheus.fires('TrackerSilent', whole.apiPort!)
  })
})

/** Datagrams that the system dropped for want of room at the sockets of that port. */
const droppedAt = (port: number): number =>
  Array.from(
    readFileSync('/proc/net/udp', 'latin1').matchAll(
      new RegExp(
        `:${port.toString(16).toUpperCase().padStart(4, '0')} 00000000:0000 .* (\\d+) *$`,
        'gm',
      ),
    ),
    ([, drops]) => Number(drops),
  ).reduce((sum, drops) => sum + drops, 0)
