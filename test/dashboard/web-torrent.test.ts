/** W51: what the dashboard shows of WebSocket listeners and their peers, in a browser. */
import { expect, test } from 'bun:test'
import { EVENT, WEB } from '../../src/bittorrent.ts'
import { Dashboard } from '../../src/dashboard/assets.ts'
import { AT, ListenerCounters } from '../../src/memory/counters.ts'
import { Live } from '../../src/view/live.ts'
import { TOKEN } from '../support/api/cases.ts'
import { listing, serve } from '../support/api/served-api.ts'
import { CHROMIUM, seen, startBrowser, visit } from '../support/dashboard/browser.ts'
import { until } from '../support/until.ts'
import { meteredListener, metricSources } from '../support/view/metric-sources.ts'

const HASH = '3b245504cf5f11bbdbe1201cea6a6bf45aee1bc0'

/** A tracker with a UDP and a WebSocket listener, of which only the latter has done something. */
function watched() {
  let milliseconds = Date.now()
  const listeners = (['udp', 'ws'] as const).map((scheme) => ({
    ...meteredListener(0, { scheme, counters: new ListenerCounters(1) }),
    url: `${scheme}://0.0.0.0:6969`,
    announceUrl: `${scheme}://tracker.example:6969`,
  }))
  const row = listeners[1]!.counters.row(0)
  row[AT.opened] = 1_250
  row[AT.closedIdle] = 16
  row[AT.announces] = 5_000
  row[AT.relayedOffers] = 21_000
  row[AT.relayedAnswers] = 4_200
  row[AT.offersToSlow] = 77
  const { totals } = metricSources()
  const byFamily = [...totals.byFamily, { family: WEB, seeders: 1_000, leechers: 234 }]
  const live = new Live(
    () => metricSources({ milliseconds, listeners, totals: { ...totals, byFamily } }),
    () => listeners,
  )
  for (let second = 0; second < 61; second++) {
    milliseconds += 1_000
    row[AT.announces]! += 40
    row[AT.relayedOffers]! += 120
    live.tick()
  }
  return live
}

/** Two peers of one socket, and one of another kind. */
const torrent = () => {
  const peer = {
    seen: Math.floor(Date.now() / 1000),
    uploaded: 0n,
    downloaded: 0n,
    left: 0n,
    event: EVENT.started,
  }
  const idOf = (text: string) => new Uint8Array(Buffer.from(text))
  const seat = (last: number) =>
    Uint8Array.of(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255, 255, 192, 0, 2, 9, 16, 1, 1, 0, 0, 0, last, 0)
  return {
    seeders: 3,
    leechers: 0,
    downloaded: 0,
    peers: [
      { ...peer, family: WEB, endpoint: seat(1), peerId: idOf('-WW0300-aaaaaaaaaaaa') },
      { ...peer, family: WEB, endpoint: seat(2), peerId: idOf('-WW0300-bbbbbbbbbbbb') },
      { ...peer, family: 4, endpoint: idOf('abcdef'), peerId: idOf('-TR3000-cccccccccccc') },
    ],
  }
}

test.skipIf(CHROMIUM === null)(
  'W51: connections, announces and relayed messages of a WebSocket listener, and its peers',
  async () => {
    await using api = await serve({
      live: watched(),
      pages: new Dashboard(),
      torrents: { ...listing(async function* () {}), one: async () => torrent() },
    })
    await using browser = await startBrowser()
    await using visited = await visit(browser, api.url, { token: TOKEN })
    const { page, go } = visited
    const figures = page.getByLabel('WebTorrent', { exact: true })
    await figures.waitFor()
    expect(await seen(figures)).toMatch(
      /ws:\/\/0\.0\.0\.0:6969\s+1,234\s+7,440\s+28,320\s+4,200\s+77/,
    )
    await page.getByRole('button', { name: 'Copy ws://tracker.example:6969' }).waitFor()
    expect(await seen(page.getByLabel('Requests in the last second'))).toMatch(/WebSocket\s+40\s/)
    await until(
      'three charts more',
      async () => (await page.locator('.chart canvas').count()) === 9,
    )
    const peers = page.getByLabel('Summary').getByTitle('IPv4: 60, IPv6: 12, WebTorrent: 1,234')
    expect(await peers.count()).toBe(1)

    await go(`torrents/${HASH}`, 'Torrent')
    await page.getByRole('heading', { name: '3 peers' }).waitFor()
    const rows = await page.getByLabel('Peers').getByRole('row').allInnerTexts()
    expect(rows.filter((row) => /^192\.0\.2\.9:4097 WebTorrent\s/.test(row))).toHaveLength(2)
    expect(rows.filter((row) => row.includes('WebTorrent'))).toHaveLength(2)
    expect(visited.complaints).toEqual([])
    expect(visited.foreign).toEqual([])
  },
)
