/** The WebTorrent load against trackers that relay, and against broken and hostile ones. */
import { describe, expect, test } from 'bun:test'
import { createHash } from 'node:crypto'
import type { Tally } from '../../src/bench/tally.ts'
import { keepAliveServer } from '../support/bench/keep-alive.ts'
import { IMPATIENT, loadWebSocket } from '../support/bench/short-load.ts'
import { webTracker } from '../support/bench/web-tracker.ts'
import { certify } from '../support/certificate.ts'
import { source } from '../support/e2e/program.ts'
import { runTracker } from '../support/e2e/tracker-process.ts'
import { temporaryDirectory } from '../support/temporary-directory.ts'
import { until } from '../support/until.ts'

const GUID = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11'
const enoughOfAll = ({ kinds, answersReceived }: Tally) =>
  kinds[1]!.answers > 200 && kinds[2]!.answers > 0 && answersReceived > 50

/** The head with which a server accepts an upgrade. */
function accepted(request: string): string {
  const key = /sec-websocket-key: (\S+)/i.exec(request)![1]
  const accept = createHash('sha1').update(`${key}${GUID}`).digest('base64')
  return `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`
}

test.each(['ws', 'wss'] as const)(
  'our tracker over %s and the load count the same',
  async (scheme) => {
    using directory = temporaryDirectory()
    const { cert, key } = await certify(directory.path)
    const tls = `tls_config = { ssl_cert_path = "${cert}", ssl_key_path = "${key}" }`
    const listeners = `
[[websocket_trackers]]
bind_address = "127.0.0.1:0"
tracker_usage_statistics = true
${scheme === 'wss' ? tls : ''}
`
    await using tracker = await runTracker(source, { listeners })
    const port = Number(
      /WEBSOCKET TRACKER: Started on: \w+:\/\/127\.0\.0\.1:(\d+)/.exec(tracker.run.text.out)![1],
    )
    const { tally, total } = await loadWebSocket({
      port,
      tls: scheme === 'wss',
      insecure: true,
      mix: 'mixed',
      // Each sends and is sent less than a tracker allows.
      clients: 40,
      answers: 50,
      enough: enoughOfAll,
    })
    expect([total.errors, total.malformed, total.lost, tally.strays]).toEqual([0, 0, 0, 0])
    const [, announces, scrapes] = tally.kinds.map(({ answers }) => answers)
    const stats = await until('the sockets are closed', async () => {
      const now = await tracker.stats()
      return now.ws_connections_open === 0 && now
    })
    expect(stats).toMatchObject({
      ws4_connections_handled: 40,
      ws4_announces_handled: announces,
      ws4_scrapes_handled: scrapes,
      ws_peers: 0,
    })
    // The last ones may be under way when the load ends.
    expect(tally.offersReceived).toBeWithin(
      Number(stats.ws4_offers_relayed) - 20,
      Number(stats.ws4_offers_relayed) + 1,
    )
    expect(tally.answersReceived).toBeWithin(tally.answersSent - 40, tally.answersSent + 1)
    expect(tally.answersReceived).toBeWithin(1, Number(stats.ws4_answers_relayed) + 1)
  },
)

test('what a tracker relays is counted, and a share of the offers answered', async () => {
  using tracker = webTracker()
  const { tally, total } = await loadWebSocket({
    port: tracker.port,
    path: '/announce/KEY',
    clients: 5,
    mix: 'mixed',
    answers: 50,
    enough: enoughOfAll,
  })
  expect([total.errors, total.malformed, total.lost, tally.strays]).toEqual([0, 0, 0, 0])
  const [, announces, scrapes] = tally.kinds.map(({ answers }) => answers)
  expect(tracker.announces().length).toBe(announces!)
  expect(tracker.seen.filter(({ action }) => action === 'scrape').length).toBe(scrapes!)
  expect([...tracker.paths]).toEqual(['/announce/KEY'])
  expect(tracker.binary).toEqual([])
  const answers = tracker.seen.filter(({ answer }) => answer)
  // Some of the last ones may be under way when the load ends.
  expect(tally.answersSent).toBeWithin(answers.length, answers.length + 20)
  expect(tally.offersReceived + tally.answersReceived).toBeWithin(
    tracker.relayed() - 20,
    tracker.relayed() + 1,
  )
  expect(tally.answersSent / tally.offersReceived).toBeWithin(0.3, 0.7)
  const offered = new Map(
    tracker
      .announces()
      .flatMap(({ peer_id, info_hash, offers }) =>
        offers!.map(({ offer_id }) => [offer_id, [peer_id, info_hash]] as const),
      ),
  )
  for (const { offer_id, to_peer_id, info_hash } of answers)
    expect(offered.get(offer_id!)).toEqual([to_peer_id!, info_hash])
})

test('a peer stays on its socket, and announces `started` once', async () => {
  using tracker = webTracker()
  await loadWebSocket({ port: tracker.port, clients: 3, enough: ({ replies }) => replies > 400 })
  const places = new Map<string, Set<string>>()
  for (const { peer_id, info_hash } of tracker.announces())
    places.set(peer_id, (places.get(peer_id) ?? new Set()).add(info_hash))
  expect([...places.keys()].sort()).toEqual([0, 1, 2].map((i) => `-TB0100-00000000000${i}`))
  const started = tracker.announces().filter(({ event }) => event === 'started')
  expect(started.length).toBe(100)
  // Later announces name torrents in which the socket has announced itself.
  const known = new Set(started.map(({ peer_id, info_hash }) => peer_id + info_hash))
  const strangers = tracker.announces().filter((m) => !known.has(m.peer_id + m.info_hash))
  expect(strangers.length).toBeLessThan(10)
})

test('an answer to an answer is no answer to an announce', async () => {
  using tracker = webTracker({ answersAnswers: true })
  const settings = { clients: 4, mix: 'mixed', answers: 100 } as const
  const { tally, total } = await loadWebSocket({ port: tracker.port, ...settings })
  expect(total.lost).toBe(0)
  expect(total.answers).toBe(total.requests)
  expect(tally.strays).toBeWithin(tally.answersSent / 2, tally.answersSent + 1)
})

test('a rate is kept', async () => {
  using tracker = webTracker()
  const { total, run } = await loadWebSocket({ port: tracker.port, rate: 300, clients: 8 })
  expect(total.requests).toBeWithin(100, 1 + 300 * run.seconds)
})

test('over TLS, the certificate is verified unless --insecure', async () => {
  using directory = temporaryDirectory()
  const tls = await certify(directory.path)
  using tracker = webTracker({ tls })
  const settings = { port: tracker.port, tls: true }
  const fine = await loadWebSocket({ ...settings, insecure: true })
  expect(fine.total.lost).toBe(0)
  const enough = ({ socketErrors }: Tally) => socketErrors > 0
  const doubted = await loadWebSocket({ ...settings, enough })
  expect(doubted.total.requests).toBe(0)
})

test('a ping is answered with its payload', async () => {
  const pongs: string[] = []
  using server = await keepAliveServer(({ before, request, write }) => {
    if (before === 0) {
      write(accepted(request))
      write(Buffer.from([0x89, 3, 1, 2, 3]))
    } else pongs.push(Buffer.from(request, 'latin1').toString('hex'))
  })
  const enough = () => pongs.some((hex) => hex.includes('8a8300000000010203'))
  await loadWebSocket({ port: server.port, clients: 1, ...IMPATIENT, enough })
})

describe('trackers that answer otherwise', () => {
  test('a refusal', async () => {
    using tracker = webTracker({
      behave: ({ action, info_hash }, socket) => {
        socket.send(JSON.stringify({ action, info_hash, 'failure reason': 'go\naway' }))
      },
    })
    const { tally, total } = await loadWebSocket({ port: tracker.port })
    expect(total.errors).toBe(total.requests)
    expect(tally.texts).toEqual([{ text: 'go away', count: total.errors }])
  })

  test.each<[string, string]>([
    ['no JSON', '<html>'],
    ['a list', '[]'],
    ['no counts', '{"action":"announce","info_hash":"HASH","interval":5}'],
    [
      'a fraction',
      '{"action":"announce","info_hash":"HASH","interval":5.5,"complete":1,"incomplete":1}',
    ],
    ['no hash', '{"action":"announce","interval":5,"complete":1,"incomplete":1}'],
  ])('%s', async (_what, text) => {
    using tracker = webTracker({
      behave: ({ info_hash }, socket) => {
        socket.send(text.replace('"HASH"', JSON.stringify(info_hash)))
      },
    })
    const { total } = await loadWebSocket({ port: tracker.port })
    expect(total.malformed).toBe(total.requests)
  })

  test('the answer to another announce', async () => {
    using tracker = webTracker({
      behave: (_message, socket) => {
        const counts = { interval: 5, complete: 1, incomplete: 1 }
        socket.send(JSON.stringify({ action: 'announce', info_hash: 'x'.repeat(20), ...counts }))
      },
    })
    const enough = (tally: Tally) => tally.total().lost > 1
    const { tally, total } = await loadWebSocket({ port: tracker.port, ...IMPATIENT, enough })
    expect([total.answers, total.lost]).toEqual([0, total.requests])
    expect(tally.strays).toBeGreaterThan(0)
  })

  test('nothing', async () => {
    using tracker = webTracker({ behave: () => {} })
    const enough = (tally: Tally) => tally.total().lost > 1
    const { total } = await loadWebSocket({ port: tracker.port, ...IMPATIENT, enough })
    expect(total.lost).toBe(total.requests)
  })

  test('by closing', async () => {
    using tracker = webTracker({ behave: (_message, socket) => socket.close(1008, 'no') })
    const enough = ({ reconnects }: Tally) => reconnects >= 4
    const { tally, total, run } = await loadWebSocket({ port: tracker.port, enough })
    expect(total.lost).toBe(total.requests)
    // Each socket is opened again after a rest, not in a busy loop.
    expect(tally.reconnects).toBeWithin(4, 2 * (2 + run.seconds * 10))
  })

  test('with another status than 101', async () => {
    using tracker = webTracker({ refuse: 503 })
    const enough = ({ socketErrors }: Tally) => socketErrors >= 4
    const { tally, total } = await loadWebSocket({ port: tracker.port, enough })
    expect(total.requests).toBe(0)
    expect(tally.texts).toEqual([
      { text: 'HTTP status 503 Service Unavailable', count: tally.socketErrors },
    ])
  })

  test.each<[string, (request: string) => string | Uint8Array]>([
    ['an upgrade that accepts another key', () => accepted('sec-websocket-key: x')],
    ['something other than HTTP', () => 'hello\r\n\r\n'],
    ['a head without an end', () => 'x'.repeat(20_000)],
    ['frames that are none', (request) => `${accepted(request)}\xff\xff\xff\xff`],
    [
      'a message that never ends',
      (request) =>
        Buffer.concat([Buffer.from(accepted(request)), Buffer.from('817f00000000ffffffff', 'hex')]),
    ],
  ])('%s', async (_what, reply) => {
    using server = await keepAliveServer(({ before, request, write }) => {
      if (before === 0) write(reply(request))
    })
    const enough = ({ socketErrors }: Tally) => socketErrors >= 4
    const { total } = await loadWebSocket({ port: server.port, enough })
    expect([total.answers, total.lost]).toEqual([0, total.requests])
  })

  test('nothing listens there', async () => {
    const gone = webTracker()
    gone[Symbol.dispose]()
    const enough = ({ socketErrors }: Tally) => socketErrors >= 4
    const { total } = await loadWebSocket({ port: gone.port, enough })
    expect(total.requests).toBe(0)
  })
})
