/** The HTTP load against our tracker, and against broken and hostile servers. */

import { describe, expect, test } from 'bun:test'
import type { Load } from '../../src/bench/load.ts'
import type { Tally } from '../../src/bench/tally.ts'
import { joinPort } from '../../src/wire/address.ts'
import { type Exchange, keepAliveServer } from '../support/bench/keep-alive.ts'
import { IMPATIENT, loadHttp } from '../support/bench/short-load.ts'
import { certify } from '../support/certificate.ts'
import { respond } from '../support/client/fake-http.ts'
import { source } from '../support/e2e/program.ts'
import { runTracker } from '../support/e2e/tracker-process.ts'
import { temporaryDirectory } from '../support/temporary-directory.ts'

/** Most connections of two clients that rest for a tenth of a second after each failure. */
const mostAfterRests = ({ seconds }: Load): number => 2 * (2 + seconds * 10)

const GOOD = 'd8:intervali5e5:peers12:abcdefghijkle'
const SCRAPED = `d5:filesd20:${'x'.repeat(20)}d8:completei1e10:downloadedi2e10:incompletei3eeee`

const good = ({ request, write }: Exchange) =>
  write(respond(request.startsWith('GET /scrape') ? SCRAPED : GOOD))

test.each([
  ['127.0.0.1', 4, false],
  ['::1', 6, false],
  ['127.0.0.1', 4, true],
] as const)('our tracker at %s and the load count the same', async (ip, family, closes) => {
  const listeners = `
[[http_trackers]]
bind_address = "${joinPort(ip, 0)}"
tracker_usage_statistics = true
`
  await using tracker = await runTracker(source, { listeners })
  const { tally, total } = await loadHttp({
    port: Number(new URL(tracker.http[0]!).port),
    address: { ip, family },
    host: ip,
    mix: 'mixed',
    clients: 5,
    closes,
    enough: ({ kinds }) => kinds[1]!.answers > 100 && kinds[2]!.answers > 0,
  })
  expect([total.errors, total.malformed, total.lost]).toEqual([0, 0, 0])
  const [, announces, scrapes] = tally.kinds.map(({ answers }) => answers)
  expect(tally.peersTold).toBeGreaterThan(announces!)
  if (closes) expect(tally.reconnects).toBeWithin(total.answers - 5, total.answers + 1)
  else expect(tally.reconnects).toBe(0)
  const stats = await tracker.stats()
  expect(Number(stats.seeders) + Number(stats.leechers)).toBe(100)
  expect(stats).toMatchObject({
    torrents: 50,
    [`tcp${family}_announces_handled`]: announces,
    [`tcp${family}_scrapes_handled`]: scrapes,
  })
})

test('a rate is kept', async () => {
  using server = await keepAliveServer(good)
  const settings = { rate: 300, clients: 8 }
  const { total, run } = await loadHttp({ port: server.port, ...settings })
  expect(total.requests).toBeWithin(100, 1 + 300 * run.seconds)
  expect(server.requests()).toBe(total.requests)
  // A client connects when it is first due, which at this rate few may be.
  expect(server.connections()).toBeWithin(1, 8 + 1)
})

test('over TLS, the certificate is verified unless --insecure', async () => {
  using directory = temporaryDirectory()
  const tls = await certify(directory.path)
  using server = await keepAliveServer(good, { tls })
  const settings = { port: server.port, tls: true }
  const fine = await loadHttp({ ...settings, insecure: true })
  expect(fine.total.lost).toBe(0)
  const enough = ({ socketErrors }: Tally) => socketErrors > 0
  const doubted = await loadHttp({ ...settings, enough })
  expect(doubted.total.requests).toBe(0)
})

describe('servers that close every connection', () => {
  test.each<[string, (exchange: Exchange) => void]>([
    [
      'announce it',
      ({ write, close }) => {
        write(respond(GOOD, '200 OK', 'Connection: close\r\n'))
        close()
      },
    ],
    [
      'do not announce it',
      ({ write, close }) => {
        write(respond(GOOD))
        close()
      },
    ],
    [
      'mark the end of the answer by it',
      ({ write, close }) => {
        write(`HTTP/1.0 200 OK\r\n\r\n${GOOD}`)
        close()
      },
    ],
    [
      'close it when the second request comes',
      (exchange) => (exchange.before === 0 ? good(exchange) : exchange.close()),
    ],
  ])('and %s', async (_what, behave) => {
    using server = await keepAliveServer(behave)
    const { tally, total } = await loadHttp({ port: server.port })
    expect([total.answers, total.lost]).toEqual([total.requests, 0])
    expect(tally.reconnects).toBeGreaterThan(total.answers - 5)
  })
})

test('a connection that the server announces to close is not used again', async () => {
  using server = await keepAliveServer(({ before, write }) => {
    if (before === 0) write(respond(GOOD, '200 OK', 'Connection: close\r\n'))
  })
  const { total } = await loadHttp({ port: server.port })
  expect(total.answers).toBe(total.requests)
})

test.each([
  ['compact, of both families', `5:peers6:${'x'.repeat(6)}6:peers636:${'y'.repeat(36)}`, 3],
  [
    'that trackers list one by one',
    '5:peersld2:ip9:192.0.2.14:porti12345eed2:ip3:::14:porti2eee',
    2,
  ],
])('peers are counted: %s', async (_what, peers, count) => {
  using server = await keepAliveServer(({ write }) => write(respond(`d8:intervali5e${peers}e`)))
  const { tally, total } = await loadHttp({ port: server.port })
  expect([total.answers, tally.peersTold]).toEqual([total.requests, total.requests * count])
})

test('an answer in pieces is one answer', async () => {
  using server = await keepAliveServer(({ write }) => {
    const [first, ...rest] = respond(GOOD).match(/[\s\S]{1,20}/g)!
    write(first!)
    const timer = setInterval(() => {
      const next = rest.shift()
      if (next === undefined) clearInterval(timer)
      else write(next)
    }, 1)
  })
  const { tally, total } = await loadHttp({ port: server.port })
  expect([total.answers, tally.peersTold]).toEqual([total.requests, total.requests * 2])
})

describe('broken and hostile servers', () => {
  test('a silent one', async () => {
    using server = await keepAliveServer(() => {})
    const enough = (tally: Tally) => tally.total().lost > 1
    const { total } = await loadHttp({ port: server.port, ...IMPATIENT, enough })
    expect(total.lost).toBe(total.requests)
  })

  test('one that does not listen', async () => {
    const gone = await keepAliveServer(() => {})
    gone[Symbol.dispose]()
    const enough = ({ socketErrors }: Tally) => socketErrors >= 10
    const { tally, total, run } = await loadHttp({ port: gone.port, enough })
    expect(total.requests).toBe(0)
    // Each client tries again after a rest, not in a busy loop.
    expect(tally.socketErrors).toBeWithin(10, mostAfterRests(run))
  })

  test.each<[string, string]>([
    ['something other than HTTP', 'hello\r\n\r\n'],
    ['another document', respond('<html></html>')],
    ['bencode that is not an announce answer', respond('d3:fooi1ee')],
    ['half a peer', respond('d8:intervali5e5:peers8:abcdefghe')],
    ['an empty body', respond('')],
    ['two answers to one request', respond(GOOD) + respond(GOOD)],
    ['an answer that never ends', `HTTP/1.1 200 OK\r\n\r\n${'x'.repeat(200_000)}`],
  ])('one that sends %s', async (_what, reply) => {
    using server = await keepAliveServer(({ write }) => write(reply))
    const { total } = await loadHttp({ port: server.port })
    expect(total.malformed).toBe(total.requests)
  })

  test.each([
    [respond('d14:failure reason5:go one'), 'go on'],
    [respond('', '503 Busy'), 'HTTP status 503'],
    [respond('d14:failure reason2:noe', '403 Forbidden'), 'no'],
  ])('one that refuses: %j', async (reply, text) => {
    using server = await keepAliveServer(({ write }) => write(reply))
    const { tally, total } = await loadHttp({ port: server.port })
    expect(total.errors).toBe(total.requests)
    expect(tally.texts).toEqual([{ text, count: total.errors }])
  })

  test.each<[string, (exchange: Exchange) => void]>([
    ['at once', ({ close }) => close()],
    [
      'in the middle',
      ({ write, close }) => {
        write(respond(GOOD).slice(0, -5))
        close()
      },
    ],
  ])('one that closes %s', async (_what, behave) => {
    using server = await keepAliveServer(behave)
    const enough = (tally: Tally) => tally.total().lost >= 10
    const { total, run } = await loadHttp({ port: server.port, enough })
    expect(total.requests).toBeWithin(10, mostAfterRests(run))
    expect(total.lost).toBe(total.requests)
  })

  test.each([undefined, 20])('one that closes before a request, at rate %d', async (rate) => {
    using server = await keepAliveServer(good, { greet: (socket) => socket.end() })
    const enough = () => server.connections() >= 10
    const settings = rate === undefined ? {} : { rate, clients: 64 }
    const { total, run } = await loadHttp({ port: server.port, ...settings, enough })
    expect(total.answers).toBe(0)
    // No more than the rate allows.
    const most = rate === undefined ? mostAfterRests(run) : 3 + rate * run.seconds
    expect(server.connections()).toBeWithin(10, most)
  })

  test('one that sends bytes without a request', async () => {
    using server = await keepAliveServer((exchange) => {
      good(exchange)
      setTimeout(() => exchange.write('x'), 10)
    })
    const enough = ({ strays }: Tally) => strays > 2
    const { tally, total } = await loadHttp({ port: server.port, rate: 20, clients: 1, enough })
    expect(tally.strays).toBeWithin(3, total.requests + 1)
  })
})
