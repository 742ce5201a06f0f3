/** A35: the tracker at a glance, live and over time. */
import { expect, test } from 'bun:test'
import { WEB } from '../../src/bittorrent.ts'
import { AT, CLOSED, OFFERS_DROPPED } from '../../src/memory/counters.ts'
import { Live } from '../../src/view/live.ts'
import { TOKEN } from '../support/api/cases.ts'
import { askWithToken, serve } from '../support/api/served-api.ts'
import { dechunk } from '../support/http-client.ts'
import { until } from '../support/until.ts'
import { meteredListener, metricSources } from '../support/view/metric-sources.ts'

/** A tracker that is looked at when the test says so. */
function watched() {
  let milliseconds = 1_800_000_000_000
  const listener = {
    ...meteredListener(1, { drops: 3 }),
    url: 'udp://0.0.0.0:6969',
    announceUrl: 'udp://tracker.example:6969/announce',
  }
  const live = new Live(
    () => metricSources({ milliseconds, listeners: [listener], degraded: 'memory is full' }),
    () => [listener],
  )
  return {
    live,
    tick(times = 1) {
      for (let i = 0; i < times; i++) {
        milliseconds += 1_000
        live.tick()
      }
    },
  }
}

test('the overview has alerts in words, listeners with their URLs, and figures', async () => {
  const { live, tick } = watched()
  await using api = await serve({ live })
  tick(2)
  const reply = await askWithToken(api.url, { path: '/api/v1/overview' })
  const overview = JSON.parse(`${dechunk(reply)}`)
  expect(overview).toMatchObject({
    version: '1.2.3',
    commit: null,
    now: 1_800_000_002,
    alerts: [{ level: 'critical', name: 'degraded', text: 'Memory is full.' }],
    listeners: [
      {
        url: 'udp://0.0.0.0:6969',
        announce_url: 'udp://tracker.example:6969/announce',
        buffer_drops: 3,
      },
    ],
    torrents: 3,
    seeders: 25,
    database: { works: true, owed: 8 },
    memory: { used: 1_024, limit: 4_096 },
    thread_deaths: 2,
  })
  expect(overview.listeners[0].served).toBeGreaterThan(0)
  expect(overview.refusals[0].count).toBeGreaterThanOrEqual(overview.refusals[1].count)
})

test('W51: a WebSocket listener has figures that others have not, and its peers are a family', async () => {
  const listeners = (['udp', 'ws'] as const).map((scheme) => ({
    ...meteredListener(1, { scheme }),
    url: `${scheme}://0.0.0.0:6969`,
    announceUrl: `${scheme}://tracker.example:6969`,
  }))
  const { counters } = listeners[1]!
  for (const row of counters.rows) for (const at of [AT.opened, AT.opened + 1]) row[at]! *= 100
  const { totals } = metricSources()
  const byFamily = [...totals.byFamily, { family: WEB, seeders: 1, leechers: 2 }]
  const live = new Live(
    () => metricSources({ listeners, totals: { ...totals, byFamily } }),
    () => listeners,
  )
  await using api = await serve({ live })
  const reply = await askWithToken(api.url, { path: '/api/v1/overview' })
  const overview = JSON.parse(`${dechunk(reply)}`)
  const both = (at: number) => counters.sum(at) + counters.sum(at + 1)
  const closed = CLOSED.reduce((sum, reason) => sum + both(AT[reason]), 0)
  expect(overview.listeners[0].web).toBeUndefined()
  expect(overview.listeners[1].web).toEqual({
    open: both(AT.opened) - closed,
    announces: both(AT.announces),
    offers_relayed: both(AT.relayedOffers),
    answers_relayed: both(AT.relayedAnswers),
    offers_dropped: OFFERS_DROPPED.reduce((sum, reason) => sum + both(AT[reason]), 0),
  })
  expect(overview.families.at(-1)).toEqual({ family: WEB, seeders: 1, leechers: 2 })
})

test('who watches gets it at once and then every second, and nothing after leaving', async () => {
  const { live, tick } = watched()
  await using api = await serve({ live })
  const leaving = new AbortController()
  const response = await fetch(`${api.url}/api/v1/live`, {
    headers: { authorization: `Bearer ${TOKEN}` },
    signal: leaving.signal,
  })
  expect(response.headers.get('content-type')).toBe('text/event-stream')
  let text = ''
  const reading = (async () => {
    try {
      for await (const part of response.body!) text += Buffer.from(part).toString()
    } catch {
      // It left.
    }
  })()
  const times = () => Array.from(text.matchAll(/^data: .*"now":(\d+)/gm), ([, now]) => Number(now))
  await until('the first overview', () => times().length === 1)
  tick(2)
  await until('two more', () => times().length === 3)
  expect(times()).toEqual([1_800_000_000, 1_800_000_001, 1_800_000_002])
  leaving.abort()
  await reading
})

test('history is of an hour unless a day is wanted', async () => {
  const { live, tick } = watched()
  await using api = await serve({ live })
  tick(121)
  const history = async (query: string) => {
    const reply = await askWithToken(api.url, { path: `/api/v1/history${query}` })
    return reply.status === 200 ? JSON.parse(`${dechunk(reply)}`) : `${reply.body}`
  }
  for (const query of ['', '?range=hour']) {
    const hour = await history(query)
    expect([hour.stepSeconds, hour.times.length]).toEqual([5, 24])
    expect(hour.series.torrents).toEqual(Array(24).fill(3))
  }
  const day = await history('?range=day')
  expect([day.stepSeconds, day.times.length]).toEqual([60, 2])
  expect(await history('?range=week')).toBe(
    'Failed to deserialize query string: unknown variant `week`, expected `hour` or `day`',
  )
})
