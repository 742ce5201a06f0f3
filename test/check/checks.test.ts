/** Checks of healthy trackers, and of trackers that lose, lie, refuse and keep silent (docs/behaviours.md T4, T5). */
import { describe, expect, test } from 'bun:test'
import { findingsText } from '../../src/check/report.ts'
import { inParallel } from '../../src/client/in-parallel.ts'
import { checkOf, documentsOf, httpServer, OPTIONS, udpTracker } from '../support/check/targets.ts'
import { respond } from '../support/client/fake-http.ts'
import { actionOf, answerTo, type Behaviour } from '../support/client/fake-udp.ts'
import { answering, fakeWebSocketTracker } from '../support/client/fake-websocket.ts'
import { startTracker } from '../support/started-tracker.ts'
import { udpPeer } from '../support/udp-client.ts'
import { until } from '../support/until.ts'

const OK = { Ok: null }
const ANNOUNCED = 'd8:intervali5e5:peers0:e'
const SCRAPED = 'd5:filesdee'
/** For trackers that never answer. */
const IMPATIENT = { milliseconds: 1_500 }

test('a healthy tracker, in the shapes of the reference', async () => {
  await using tracker = await startTracker()
  const { ports, healthPort } = tracker
  const urls = [
    `udp://127.0.0.1:${ports.udp[0]}`,
    `http://127.0.0.1:${ports.http[0]}/announce`,
    `http://127.0.0.1:${healthPort}/health_check`,
  ]
  const about = { remote_addr: '127.0.0.1:PORT', latency_ms: 1 }
  const udp = ['Setup', 'Connect', 'Announce', 'Scrape'].map((step) => [step, OK])
  const http = ['Announce', 'Scrape'].map((step) => [step, OK])
  expect(await documentsOf(urls)).toEqual([
    { Udp: { Ok: { url: 'udp://127.0.0.1:PORT', ...about, results: udp } } },
    { Http: { Ok: { url: 'http://127.0.0.1:PORT/announce', ...about, results: http } } },
    {
      Health: {
        Ok: {
          url: 'http://127.0.0.1:PORT/health_check',
          ...about,
          result: { Ok: '200 OK' },
        },
      },
    },
  ])
  // The peer is gone again, and no download was counted.
  using peer = await udpPeer(ports.udp[0]!)
  expect(await peer.scrape(OPTIONS.infoHash)).toEqual({ seeders: 0, leechers: 0, downloaded: 0 })
})

test('the announced peer is removed again, over UDP', async () => {
  const announces: { event: number; peer: string; port: number; left: number }[] = []
  using tracker = await udpTracker((request) => {
    if (actionOf(request) !== 1) return false
    announces.push({
      event: request.getInt32(80),
      peer: Buffer.from(request.buffer, request.byteOffset + 36, 20).toString('latin1'),
      port: request.getUint16(96),
      left: request.getInt32(68),
    })
    return false
  })
  await checkOf([`127.0.0.1:${tracker.port}`])
  const [started, stopped] = announces
  expect(announces).toHaveLength(2)
  expect(started).toMatchObject({
    event: 2,
    left: 0,
    peer: expect.stringMatching(/^-TK0100-\d{12}$/),
  })
  expect(stopped).toEqual({ ...started!, event: 3 })
})

test('the announced peer is removed again, over HTTP', async () => {
  using server = await httpServer((request) =>
    respond(request.startsWith('GET /announce') ? ANNOUNCED : SCRAPED),
  )
  const [finding] = await checkOf([`http://127.0.0.1:${server.port}`])
  expect(finding).toMatchObject({
    steps: [{ name: 'Announce' }, { name: 'Scrape' }],
    left: undefined,
  })
  const asked = server.requests.map((request) => request.split(' ')[1]!.match(/^\/\w+|event=\w+/g))
  expect(asked).toEqual([
    ['/announce', 'event=started'],
    ['/scrape'],
    ['/announce', 'event=stopped'],
  ])
  const peers = server.requests.map((request) => /peer_id=([^&]+)&port=(\d+)/.exec(request)?.[0])
  expect(peers[2]).toBe(peers[0]!)
})

test('a WebTorrent tracker, which forgets the peer with its connection', async () => {
  using tracker = fakeWebSocketTracker(answering)
  const url = 'ws://127.0.0.1:PORT/announce'
  expect(await documentsOf([url.replace('PORT', `${tracker.port}`)])).toEqual([
    {
      WebSocket: {
        Ok: {
          url,
          remote_addr: '127.0.0.1:PORT',
          latency_ms: 1,
          results: [
            ['Announce', OK],
            ['Scrape', OK],
          ],
        },
      },
    },
  ])
  await until('the connection to be closed', () => tracker.open() === 0)
  expect(tracker.messages.map(({ event, action }) => event ?? action)).toEqual([
    'started',
    'scrape',
    'stopped',
  ])
  // Many say nothing to a peer that stops.
  using silent = fakeWebSocketTracker((message, socket) => {
    if (message.event !== 'stopped') answering(message, socket)
  })
  const [well] = await checkOf([url.replace('PORT', `${silent.port}`)])
  expect(well!.left).toBeUndefined()
  await until('the peer to be stopped', () => silent.messages.at(-1)?.event === 'stopped')
  using server = await httpServer(respond('no', '403 Forbidden'))
  const [finding] = await checkOf([`ws://127.0.0.1:${server.port}`])
  expect(finding!.steps.map(({ failure }) => failure)).toEqual([
    'HTTP status 403, and no WebSocket',
    'HTTP status 403, and no WebSocket',
  ])
})

test('a peer that the tracker keeps is reported', async () => {
  using tracker = await udpTracker((request, answer) => {
    if (actionOf(request) !== 1 || request.getInt32(80) !== 3) return false
    answer(Buffer.concat([answerTo(request, 3), Buffer.from('too early')]))
    return true
  })
  const [finding] = await checkOf([`127.0.0.1:${tracker.port}`])
  expect(finding!.steps.every(({ failure }) => failure === undefined)).toBe(true)
  expect(finding!.left).toBe('refused by the tracker: too early')
})

test('the peer is removed even if its announce got no answer', async () => {
  const events: number[] = []
  using tracker = await udpTracker((request) => {
    if (actionOf(request) !== 1) return false
    events.push(request.getInt32(80))
    return true
  })
  const [finding] = await checkOf([`127.0.0.1:${tracker.port}`], IMPATIENT)
  expect(finding!.steps.map(({ failure }) => failure)).toEqual([
    undefined,
    undefined,
    'no answer within 1.5 s',
    undefined,
  ])
  expect([events[0], events.at(-1)]).toEqual([2, 3])
  expect(finding!.left).toBe('no answer')
})

/** What goes wrong with a single answer is tested in test/client. */
describe('a UDP tracker', () => {
  const refuses =
    (action: number): Behaviour =>
    (request, answer) => {
      if (actionOf(request) === action)
        answer(Buffer.concat([answerTo(request, 3), Buffer.from('\x1b[2J\nno')]))
    }
  test.each([
    ['refuses to connect', refuses(0), 0, 'Connect', 2],
    ['is silent', () => {}, 0, 'Connect', 2],
    // After Connect, announce and scrape are both tried.
    ['refuses an announce', refuses(1), 1, 'Announce', 4],
    ['refuses a scrape', refuses(2), 2, 'Scrape', 4],
  ] as [string, Behaviour, number, string, number][])(
    'that %s',
    async (_name, behave, action, step, steps) => {
      using tracker = await udpTracker((request, answer) => {
        if (actionOf(request) !== action) return false
        behave(request, answer)
        return true
      })
      const [finding] = await checkOf([`127.0.0.1:${tracker.port}`], action === 0 ? IMPATIENT : {})
      const failed = finding!.steps.filter(({ failure }) => failure !== undefined)
      const failure = /^(refused by the tracker: \[2J no|no answer within 1\.5 s)$/
      expect(failed).toEqual([{ name: step, failure: expect.stringMatching(failure) }])
      expect(finding!.steps).toHaveLength(steps)
    },
  )

  test('whose name has no address', async () => {
    const said = (url: string, remote_addr: string, step: string) => {
      const results = [[step, { Err: 'no such host: tracker.invalid' }]]
      return { Err: { url, remote_addr, latency_ms: null, results } }
    }
    expect(await documentsOf(['tracker.invalid:6969', 'http://tracker.invalid'])).toEqual([
      { Udp: said('udp://tracker.invalid:6969', 'tracker.invalid:6969', 'Setup') },
      { Http: said('http://tracker.invalid/', 'tracker.invalid:80', 'Announce') },
    ])
  })
})

test.each([
  ['refuses', respond('d14:failure reason6:no keye'), /^refused by the tracker: no key$/],
  ['is a web page', respond('<html>'), /no bencoded answer .* "<html>"/],
  ['is silent', '', /^no answer within 1\.5 s$/],
])('an HTTP tracker that %s', async (_name, answer, failure) => {
  using server = await httpServer(answer)
  const [finding] = await checkOf([`http://127.0.0.1:${server.port}`], IMPATIENT)
  const text = expect.stringMatching(failure)
  expect(finding!.steps).toEqual(['Announce', 'Scrape'].map((name) => ({ name, failure: text })))
})

test('findings are in the order of the targets, whichever answers first', async () => {
  using slow = await udpTracker((request) => actionOf(request) === 0)
  using quick = await udpTracker()
  const urls = [`127.0.0.1:${slow.port}`, `127.0.0.1:${quick.port}`]
  const findings = await checkOf(urls, IMPATIENT)
  expect(findings.map(({ url }) => url)).toEqual(urls.map((url) => `udp://${url}`))
  const lines = findingsText(findings)
    .replaceAll(/:\d+/g, ':PORT')
    .replaceAll(/ +/g, ' ')
    .replace(/[\d.]+ ms/, '1 ms')
  expect(lines).toBe(`FAILED udp://127.0.0.1:PORT 127.0.0.1:PORT - Connect: no answer within 1.5 s
ok udp://127.0.0.1:PORT 127.0.0.1:PORT 1 ms
2 checks, 1 failed
`)
})

test('no more than 32 are asked at a time, and all in the end', async () => {
  let now = 0
  let most = 0
  const items = Array.from({ length: 100 }, (_, i) => i)
  const doubled = await inParallel(items, 32, async (item) => {
    most = Math.max(most, ++now)
    await Bun.sleep(1)
    now--
    return item * 2
  })
  expect([most, now]).toEqual([32, 0])
  expect(doubled).toEqual(items.map((item) => item * 2))
})
