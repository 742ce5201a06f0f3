/** The dashboards of share/grafana: made from grafana/, and none of their queries is empty for a tracker at work. */
import { describe, expect, test } from 'bun:test'
import type { Dashboard, Panel } from '@grafana/grafana-foundation-sdk/dashboard'
import { listener } from '../../grafana/listener.ts'
import { overview } from '../../grafana/overview.ts'
import { certify } from '../support/certificate.ts'
import { hashes, key } from '../support/database/hashes.ts'
import { Crowd } from '../support/e2e/crowd.ts'
import { announceQuery, get, percent } from '../support/http-client.ts'
import { expectMade } from '../support/made-file.ts'
import { unknownNames } from '../support/monitoring/expressions.ts'
import { HAS_PROMETHEUS, readRules, startPrometheus } from '../support/monitoring/prometheus.ts'
import { ADMIN_TOKEN, databaseAt, listenersWith, TOKEN } from '../support/monitoring/trackers.ts'
import { startTracker, type TestTracker } from '../support/started-tracker.ts'
import { temporaryDirectory } from '../support/temporary-directory.ts'
import { announcePacket, connectPacket, scrapePacket, udpSocket } from '../support/udp-client.ts'
import { until } from '../support/until.ts'

const DASHBOARDS: readonly Dashboard[] = [overview, listener]

/** Every query of a dashboard, with where it stands. */
const queriesOf = ({ title, panels = [] }: Dashboard) =>
  panels
    .filter((panel): panel is Panel => panel.type !== 'row')
    .flatMap((panel) =>
      (panel.targets ?? []).map((target) => ({
        name: `${title} / ${panel.title} / ${'legendFormat' in target && target.legendFormat}`,
        expr: 'expr' in target ? String(target.expr) : '',
      })),
    )

test.each(DASHBOARDS.map((one) => [one.uid!, one] as const))(
  'the dashboard %s is the one that is shipped',
  async (uid, dashboard) => {
    await expectMade(
      `share/grafana/dashboards/${uid}.json`,
      `${JSON.stringify(dashboard, undefined, 2)}\n`,
    )
  },
)

describe.each(DASHBOARDS.map((one) => [one.title!, one] as const))('%s', (_title, dashboard) => {
  test('every panel says what it shows and in which unit, and has a place of its own', () => {
    const taken = new Set<string>()
    for (const panel of dashboard.panels ?? []) {
      if (!('targets' in panel)) continue
      expect(panel.description).toEndWith('.')
      expect([panel.title, panel.fieldConfig?.defaults.unit]).toEqual([
        panel.title,
        expect.stringMatching(/./),
      ])
      const { x, y, w, h } = panel.gridPos!
      expect(x + w).toBeLessThanOrEqual(24)
      for (let i = 0; i < w * h; i++) {
        const place = `${x + (i % w)} ${y + Math.floor(i / w)}`
        expect([panel.title, taken.has(place)]).toEqual([panel.title, false])
        taken.add(place)
      }
    }
  })

  test('every query names metrics and labels that there are, of the chosen tracker alone', () => {
    for (const { name, expr } of queriesOf(dashboard)) {
      expect([name, unknownNames(expr)]).toEqual([name, []])
      const selectors = expr.match(/\{[^}]*\}/g) ?? []
      for (const selector of selectors) expect(selector).toContain('instance="$tracker"')
      expect(selectors.length).toBeGreaterThan(0)
    }
  })
})

const TORRENTS = Array.from({ length: 8 }, (_, i) => hashes(1, 1 + i))
const UNLISTED = hashes(1, 100)
const KEY = key(1)

/** Clients that are served and refused in many ways, again and again, until the scope ends. */
async function load(tracker: TestTracker): Promise<AsyncDisposable> {
  const [udp] = tracker.ports.udp
  const crowd = await Crowd.at(udp!, TORRENTS, KEY)
  const peer = await udpSocket(udp!)
  const id = await peer.connect()
  const [http, https] = [
    `http://127.0.0.1:${tracker.ports.http[0]}`,
    `https://127.0.0.1:${tracker.ports.http[1]}`,
  ]
  let isOver = false
  const ask = async () => {
    for (let n = 0; !isOver; n++) {
      // From one of 61 scrapes the time is taken.
      for (let i = 0; i < 40; i++) await peer.ask(scrapePacket(id, TORRENTS))
      peer.send(connectPacket(n))
      peer.send(announcePacket(id, { infoHash: UNLISTED }))
      // Forged: not answered, and after a while not read.
      peer.send(announcePacket(BigInt(n)))
      for (const hash of TORRENTS) {
        const announce = announceQuery({ info_hash: percent(hash), port: 2_000 + (n % 100) })
        for (const url of [http, https]) {
          await get(url, `/announce/${KEY}?${announce}`)
          await get(url, `/scrape/${KEY}?info_hash=${percent(hash)}`)
        }
        await get(https, `/announce?${announce}`)
        await get(http, `/announce/${KEY}?info_hash=1`)
      }
      peer.unread()
    }
  }
  const asking = ask()
  asking.catch(() => undefined)
  crowd.start()
  return {
    async [Symbol.asyncDispose]() {
      isOver = true
      try {
        await Promise.all([asking, crowd.stop()])
      } finally {
        peer[Symbol.dispose]()
        crowd[Symbol.dispose]()
      }
    },
  }
}

async function call({ apiPort }: TestTracker, method: string, path: string, body?: object) {
  const answer = await fetch(`http://127.0.0.1:${apiPort}/api/v1/${path}`, {
    method,
    headers: { authorization: `Bearer ${ADMIN_TOKEN}`, 'content-type': 'application/json' },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  })
  expect(answer.status).toBe(200)
}

test.skipIf(!HAS_PROMETHEUS || process.platform !== 'linux')(
  'a real Prometheus that scrapes a tracker at work answers every query of every panel with figures',
  async () => {
    using room = temporaryDirectory()
    const tls = await certify(room.path)
    await using tracker = await startTracker({
      workers: 2,
      isPrivate: true,
      listed: true,
      rest: listenersWith(tls),
      core: `inactive_peer_cleanup_interval = 1\n${databaseAt(room.at('tracker.db'))}[core.accounting]\nlevel = "users"\n`,
    })
    await call(tracker, 'POST', 'keys', { key: KEY, seconds_valid: null })
    await call(tracker, 'POST', 'whitelist/bulk', {
      info_hashes: TORRENTS.map((hash) => hash.toHex()),
    })
    await using prometheus = await startPrometheus({
      ports: [tracker.apiPort!],
      token: TOKEN,
      rules: await readRules(),
      seconds: 1,
    })
    await using _load = await load(tracker)
    const listeners = [
      `udp://127.0.0.1:${tracker.ports.udp[0]}`,
      `http://127.0.0.1:${tracker.ports.http[0]}`,
      `https://127.0.0.1:${tracker.ports.http[1]}`,
      `ws://127.0.0.1:${tracker.ports.webSocket[0]}`,
    ]
    /** Whether one of the listeners has figures: some metrics are only of UDP, others only of HTTPS or WebSockets. */
    const hasFigures = async (expr: string): Promise<boolean> => {
      for (const one of listeners) {
        const filled = expr
          .replaceAll('$tracker', `127.0.0.1:${tracker.apiPort}`)
          .replaceAll('$listener', one)
          .replaceAll('$__rate_interval', '5s')
        const series = await prometheus.query(filled)
        if (series.some(({ value }) => Number.isFinite(value))) return true
        if (!expr.includes('$listener')) return false
      }
      return false
    }
    const queries = DASHBOARDS.flatMap(queriesOf)
    expect(queries.length).toBeGreaterThan(50)
    for (const { name, expr } of queries)
      await until(`figures for ${name}: ${expr}`, () => hasFigures(expr))
    // The variables of the dashboards have values.
    expect(await prometheus.query('tracker_build_info')).toHaveLength(1)
    const known = await prometheus.query('count by (listener) (tracker_requests_total)')
    expect(known.map(({ metric }) => metric.listener).sort()).toEqual(listeners.sort())
    // Clients are refused, but it is well.
    const firing = (await prometheus.alerts()).filter(({ state }) => state === 'firing')
    expect(firing.map(({ labels }) => labels.alertname)).toEqual(['TrackerCertificateEnds'])
  },
)
