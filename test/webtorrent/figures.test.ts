/** What a whole tracker says of its WebSocket clients: statistics, metrics, torrents and peers. */
import { expect, test } from 'bun:test'
import { get, percent } from '../support/http-client.ts'
import { ADMIN_TOKEN, listenersWith } from '../support/monitoring/trackers.ts'
import { startTracker, type TestTracker } from '../support/started-tracker.ts'
import { connected } from '../support/udp-client.ts'
import { until } from '../support/until.ts'
import { announce, answerTo, id, offers, Speaker, scrape } from '../support/webtorrent/speaker.ts'

const HASH = Buffer.from(id('one'))

async function call({ apiPort }: TestTracker, path: string): Promise<string> {
  const headers = { authorization: `Bearer ${ADMIN_TOKEN}` }
  return await (await fetch(`http://127.0.0.1:${apiPort}/${path}`, { headers })).text()
}

/** The figures of WebSockets that are not zero. */
async function figuresOf(tracker: TestTracker) {
  const stats = Object.entries(JSON.parse(await call(tracker, 'api/v1/stats')))
  return Object.fromEntries(stats.filter(([name, figure]) => name.startsWith('ws') && figure !== 0))
}

test('W49, W51: what WebSocket clients do is counted, and they are peers like others', async () => {
  const shownIn = 'tracker_usage_statistics = true'
  const rest = listenersWith().replace('[[websocket_trackers]]', `$&\n${shownIn}`)
  await using tracker = await startTracker({ workers: 2, rest })
  const { ports } = tracker
  const open = () => Speaker.open(`ws://127.0.0.1:${ports.webSocket[0]}/announce`)
  using seeder = await open()
  using leecher = await open()
  await seeder.ask(announce('one', '-WW0300-seeder', { left: 0 }))
  await leecher.ask(announce('one', '-WW0300-leecher', { left: 5, ...offers('first', 'second') }))
  const offer = await seeder.next()
  seeder.send(answerTo(offer, '-WW0300-seeder'))
  expect((await leecher.next()).answer).toBeDefined()
  // A second answer, and a message that is none.
  seeder.send(answerTo(offer, '-WW0300-seeder'))
  await seeder.ask('{}')
  expect(await figuresOf(tracker)).toEqual({
    ws4_connections_handled: 2,
    ws4_announces_handled: 2,
    ws4_offers_relayed: 1,
    ws4_answers_relayed: 1,
    ws4_errors_handled: 1,
    ws4_requests: 5,
    ws4_responses: 3,
    ws_connections_open: 2,
    ws_offers_dropped: 1,
    ws_answers_refused: 1,
    ws_peers: 2,
  })

  using udp = await connected(ports.udp[0]!)
  const { seeders, leechers } = await udp.announce({ infoHash: HASH, left: 7, port: 6881 })
  expect([seeders, leechers]).toEqual([1, 2])
  const counts = { complete: 1, incomplete: 2, downloaded: 0 }
  expect((await leecher.ask(scrape('one'))).files).toEqual({ [id('one')]: counts })
  const scraped = await get(
    `http://127.0.0.1:${ports.http[0]}`,
    `/scrape?info_hash=${percent(HASH)}`,
  )
  expect(`${scraped.body}`).toContain('d8:completei1e10:downloadedi0e10:incompletei2ee')
  const hash = HASH.toString('hex')
  expect(JSON.parse(await call(tracker, 'api/v1/torrents'))).toEqual([
    { info_hash: hash, seeders: 1, completed: 0, leechers: 2 },
  ])
  const { peers } = JSON.parse(await call(tracker, `api/v1/torrent/${hash}`))
  type Shown = { peer_id: { client: string }; peer_addr: string; left: number; protocol?: string }
  const shown = peers.map(({ peer_id, peer_addr, left, protocol }: Shown) => {
    return [peer_id.client, peer_addr.replace(/:[1-9]\d*$/, ''), left, protocol]
  })
  expect(shown.sort()).toEqual(
    [
      [null, '127.0.0.1', 7, undefined],
      ['WebTorrent', '127.0.0.1', 0, 'webtorrent'],
      ['WebTorrent', '127.0.0.1', 5, 'webtorrent'],
    ].sort(),
  )

  const metrics = await call(tracker, 'metrics')
  expect(metrics).toContain('tracker_peers{family="webtorrent",role="leecher"} 1\n')
  const openIn = (text: string) =>
    Array.from(
      text.matchAll(
        /^websocket_tracker_server_connections_open\{client_address_ip_family="inet",.*listener="ws:\/\/127\.0\.0\.1:\d+".*\} (\d+)$/gm,
      ),
      ([, figure]) => Number(figure),
    )
  expect(openIn(metrics)).toEqual([2])
  leecher.close()
  await until('one connection and its peer', async () => {
    const { ws_connections_open, ws_peers } = await figuresOf(tracker)
    return ws_connections_open === 1 && ws_peers === 1
  })
  expect(openIn(await call(tracker, 'metrics'))).toEqual([1])
})
