/** `tracker bench` as typed: what it refuses, what it prints, how it ends. */
import { describe, expect, test } from 'bun:test'
import { lookup } from 'node:dns/promises'
import { networkInterfaces } from 'node:os'
import { joinPort } from '../../src/wire/address.ts'
import { answerWell } from '../support/bench/good-tracker.ts'
import { keepAliveServer } from '../support/bench/keep-alive.ts'
import { webTracker } from '../support/bench/web-tracker.ts'
import { workspace } from '../support/cli/workspace.ts'
import { respond } from '../support/client/fake-http.ts'
import { actionOf, answerTo, type Behaviour, fakeUdpTracker } from '../support/client/fake-udp.ts'

const connects: Behaviour = (request, answer) => {
  if (actionOf(request) === 0) answerWell(request, answer)
}
const SHORT = ['--duration', '1', '--timeout', '60']
/** For trackers that never answer. */
const IMPATIENT = ['--duration', '1', '--timeout', '0.3']

const bench = async (...words: string[]) => {
  using here = workspace()
  return await here.run(['bench', ...words])
}

describe('wrong usage ends with 2 and one line', () => {
  const URL = 'udp://127.0.0.1:1'
  test.each([
    [[], 'tracker bench: needs a command: udp, http or ws. See tracker bench --help'],
    [['udp'], 'tracker bench udp: needs an argument: URL. See'],
    [['udp', 'nonsense'], 'tracker bench udp: URL nonsense: the port is missing. See'],
    [
      ['udp', 'http://127.0.0.1:1'],
      'tracker bench udp: URL must begin with udp://, not http://. See',
    ],
    [['http', URL], 'tracker bench http: URL must begin with http:// or https://, not udp://. See'],
    [
      ['udp', URL, '--duration', '601'],
      'tracker bench udp: --duration must be from 0.1 to 600 seconds, not 601. See',
    ],
    [
      ['udp', URL, '--window', '257'],
      '--window must be a whole number from 1 to 256, not 257. See',
    ],
    [['http', 'http://127.0.0.1:1', '--window', '2'], 'unknown option --window'],
    [['ws', URL], 'tracker bench ws: URL must begin with ws:// or wss://, not udp://. See'],
    [['ws', 'http://a'], 'URL must begin with ws:// or wss://, not http://. See'],
    [['ws', 'ws://a:0'], 'tracker bench ws: URL ws://a:0: the port cannot be 0. See'],
    [['ws', 'wss://me:pass@a'], 'URL wss://***@a: a user name or password cannot be sent. See'],
    [['ws', 'ws://a', '--offers', '21'], '--offers must be a whole number from 0 to 20, not 21'],
    [['ws', 'ws://a', '--numwant', '5'], 'unknown option --numwant'],
    [['udp', URL, '--close'], 'unknown option --close'],
    [
      ['udp', URL, '--torrents', '9', '--peers', '8'],
      '--peers must be at least the number of torrents, 9, not 8. See',
    ],
  ])('%j', async (words, message) => {
    const { code, out, err } = await bench(...words)
    expect([code, out]).toEqual([2, ''])
    expect(err).toContain(message)
    expect(err).toMatch(/^tracker bench[^\n]+ --help\n$/)
  })
})

describe('a tracker elsewhere', () => {
  /** An address of this machine outside the loopback. */
  const outer = Object.values(networkInterfaces())
    .flatMap((addresses) => addresses ?? [])
    .find(({ family, internal }) => family === 'IPv4' && !internal)?.address

  test.each(['udp://192.0.2.1:6969', 'udp://[2001:db8::1]:6969'])('%s is refused', async (url) => {
    const { code, out, err } = await bench('udp', url)
    expect([code, out]).toEqual([2, ''])
    expect(err).toMatch(
      /^tracker bench udp: URL leads to [^ ]+, which is not this machine's loopback: [^\n]+ --i-own-this-target\. See [^\n]+\n$/,
    )
  })

  test.skipIf(!outer)('gets no packet without --i-own-this-target', async () => {
    using tracker = await fakeUdpTracker(outer!, answerWell)
    const url = `${outer}:${tracker.port}`
    expect((await bench('udp', url)).code).toBe(2)
    expect(tracker.received()).toBe(0)
    const { code, out } = await bench('udp', url, ...SHORT, '--i-own-this-target')
    expect(code).toBe(0)
    const report = JSON.parse(out)
    expect(report.configuration.rate).toBe(1_000)
    expect(report.requests).toBeWithin(1, 1_001)
    // Plus the connect that found it, which may have been repeated.
    expect(tracker.received() - report.requests).toBeWithin(1, 4)
  })

  test('redirects do not take the load to another server', async () => {
    using there = await keepAliveServer(({ write }) => write(respond('d8:intervali5e5:peers0:e')))
    using here = await keepAliveServer(({ write }) =>
      write(respond('', '302 Found', `Location: http://127.0.0.1:${there.port}/announce\r\n`)),
    )
    const { code, err } = await bench('http', `http://127.0.0.1:${here.port}/announce`, ...SHORT)
    expect(code).toBe(1)
    expect(err).toMatch(
      /^tracker bench: not one of \d+ announces was answered: \d+ refused \(HTTP status 302\)\n$/,
    )
    expect(there.requests()).toBe(0)
  })
})

test('the result is one JSON document whose figures add up', async () => {
  using tracker = await fakeUdpTracker('127.0.0.1', answerWell)
  const words = ['--rate', '500', '--seeders', '20', '--seed', '9']
  const { code, out, err } = await bench('udp', `localhost:${tracker.port}`, ...SHORT, ...words)
  expect([code, err]).toEqual([0, ''])
  expect(out).toMatch(/^\{[^\n]+\}\n$/)
  const report = JSON.parse(out)
  expect(report.configuration).toEqual({
    url: `udp://localhost:${tracker.port}`,
    address: `127.0.0.1:${tracker.port}`,
    mix: 'mixed',
    duration_seconds: 1,
    rate: 500,
    clients: 8,
    window: 20,
    torrents: 10_000,
    peers: 20_000,
    seeders_percent: 20,
    numwant: 30,
    timeout_seconds: 60,
    seed: 9,
  })
  expect(report).toMatchObject({ ended: 'duration', errors: 0, malformed: 0, lost: 0 })
  expect(report.requests).toBeWithin(1, 501)
  expect(report.answers).toBe(report.requests)
  expect(report.seconds).toBeGreaterThanOrEqual(1)
  for (const figure of ['requests', 'answers', 'errors', 'malformed', 'lost']) {
    const kinds: Record<string, Record<string, number>> = report.kinds
    expect(Object.values(kinds).reduce((sum, kind) => sum + kind[figure]!, 0)).toBe(report[figure])
  }
  const { p50, p90, p99, p999, max } = report.latency_ms
  expect([p50, p90, p99, p999, max]).toEqual([p50, p90, p99, p999, max].toSorted((a, b) => a - b))
  expect(p50).toBeGreaterThan(0)
})

test('of a WebTorrent tracker it says what was relayed', async () => {
  using tracker = webTracker()
  const words = ['--clients', '4', '--torrents', '5', '--offers', '3', '--answers', '40', '--ascii']
  const url = `ws://127.0.0.1:${tracker.port}/x`
  const { code, out, err } = await bench('ws', url, ...SHORT, '--rate', '200', ...words)
  expect([code, err]).toEqual([0, ''])
  const report = JSON.parse(out)
  expect(report.configuration).toEqual({
    url,
    address: `127.0.0.1:${tracker.port}`,
    mix: 'mixed',
    duration_seconds: 1,
    rate: 200,
    clients: 4,
    window: 1,
    torrents: 5,
    peers: 100,
    seeders_percent: 75,
    offers: 3,
    answers_percent: 40,
    ascii: true,
    timeout_seconds: 60,
    seed: 1,
  })
  expect(report.answers).toBe(report.requests)
  const { offers_received, answers_sent, answers_received } = report
  expect(offers_received).toBeGreaterThan(report.kinds.announce.answers)
  expect(answers_sent).toBeWithin(offers_received * 0.2, offers_received * 0.6)
  expect(answers_received).toBeWithin(1, answers_sent + 1)
  expect(report).not.toHaveProperty('peers_told')
  const text = await bench('ws', url, ...SHORT, '--mix', 'announce', '--format', 'text')
  expect(text.out).toMatch(
    /\noffers received [1-9]\d*, answers sent 0, received 0, \d+\.\d MB sent/,
  )
})

test('as text the result is a table', async () => {
  using server = await keepAliveServer(({ write }) =>
    write(respond('d8:intervali5e5:peers6:abcdefe')),
  )
  const url = `http://127.0.0.1:${server.port}/announce`
  const { code, out } = await bench('http', url, ...SHORT, '--mix', 'announce', '--format', 'text')
  expect(code).toBe(0)
  expect(out).toStartWith(`${url} at 127.0.0.1:${server.port}, announce: 64 clients`)
  expect(out).toMatch(
    /\n {10}requests {2}answers {2}errors {2}malformed {2}lost {2}p50 ms .*\nannounce +(\d+) +\1 +0 +0 +0 .*\nall +\1 +\1 /,
  )
  expect(out).toMatch(/\npeers told [1-9]\d*, \d+\.\d MB sent/)
})

describe('nothing to measure ends with 1', () => {
  test.each([
    ['udp', 'udp://127.0.0.1:1', 'udp://127.0.0.1:1: nothing listens there (connection refused)'],
    [
      'http',
      'http://127.0.0.1:1/announce',
      'http://127.0.0.1:1/scrape: nothing listens there (connection refused)',
    ],
    ['udp', 'nowhere.invalid:1', 'no such host: nowhere.invalid'],
    ['ws', 'ws://127.0.0.1:1', 'ws://127.0.0.1:1/: nothing listens there (connection refused)'],
  ])('%s %s', async (transport, url, message) => {
    expect(await bench(transport, url)).toEqual({
      code: 1,
      out: '',
      err: `tracker bench: ${message}\n`,
    })
  })

  test('a silent tracker', async () => {
    using tracker = await fakeUdpTracker('127.0.0.1', () => {})
    const { code, out, err } = await bench('udp', `127.0.0.1:${tracker.port}`, ...IMPATIENT)
    expect([code, out]).toEqual([1, ''])
    expect(err).toBe(`tracker bench: udp://127.0.0.1:${tracker.port}: no answer within 0.3 s\n`)
  })

  test.each<[string, Parameters<typeof webTracker>[0], string]>([
    ['that accepts no upgrade', { refuse: 404 }, 'URL: HTTP status 404, and no WebSocket'],
    ['without an answer', { behave: () => {} }, 'URL: no answer within 0.3 s'],
    [
      'that closes',
      { behave: (_, socket) => socket.close(1008, 'no') },
      'URL: the connection was closed before an answer came (1008 no)',
    ],
    [
      'that answers with something else',
      { behave: (_, socket) => void socket.send('hello') },
      'URL: no JSON; it begins with "hello"',
    ],
    [
      'that refuses',
      { behave: (_, socket) => void socket.send('{"failure reason":"no"}') },
      'the tracker refuses: no',
    ],
  ])('a WebTorrent tracker %s', async (_what, settings, message) => {
    using tracker = webTracker(settings)
    const url = `ws://127.0.0.1:${tracker.port}/`
    const { code, out, err } = await bench('ws', url, ...IMPATIENT)
    expect([code, out]).toEqual([1, ''])
    expect(err).toBe(`tracker bench: ${message.replace('URL', url)}\n`)
  })

  test('a tracker that answers connects only', async () => {
    using tracker = await fakeUdpTracker('127.0.0.1', connects)
    const words = ['--clients', '1', '--window', '20', '--duration', '1', '--timeout', '2']
    const { code, out, err } = await bench('udp', `127.0.0.1:${tracker.port}`, ...words)
    expect(code).toBe(1)
    const { kinds } = JSON.parse(out)
    const { requests, lost } = kinds.announce
    expect([kinds.connect.answers > 0, lost]).toEqual([true, requests])
    expect(err).toBe(`tracker bench: not one of ${requests} announces was answered: ${lost} lost\n`)
  })

  test.each([
    ['garbage', '<html></html>', 'malformed', 'answered with garbage'],
    ['a refusal', 'd14:failure reason5:no\n\x1b[e', 'errors', 'refused (no [)'],
  ])('a server that answers with %s', async (_what, body, figure, why) => {
    using server = await keepAliveServer(({ write }) => write(respond(body)))
    const { code, out, err } = await bench('http', `http://127.0.0.1:${server.port}`, ...SHORT)
    expect(code).toBe(1)
    const { [figure]: count, requests } = JSON.parse(out).kinds.announce
    expect([requests > 0, count]).toEqual([true, requests])
    expect(err).toBe(
      `tracker bench: not one of ${requests} announces was answered: ${requests} ${why}\n`,
    )
  })
})

const families = new Set((await lookup('localhost', { all: true })).map(({ family }) => family))
test.skipIf(families.size < 2)(
  'of a host with two addresses, the one that answers is used',
  async () => {
    for (const address of ['127.0.0.1', '::1']) {
      using tracker = await fakeUdpTracker(address, answerWell)
      const { code, out } = await bench('udp', `localhost:${tracker.port}`, ...SHORT)
      expect(code).toBe(0)
      expect(JSON.parse(out).configuration.address).toBe(joinPort(address, tracker.port))
    }
  },
)

test('a tracker that refuses the first question ends it with the reason', async () => {
  using tracker = await fakeUdpTracker('127.0.0.1', (request, answer) =>
    answer(Buffer.concat([answerTo(request, 3), Buffer.from('go away')])),
  )
  expect(await bench('udp', `127.0.0.1:${tracker.port}`, ...SHORT)).toEqual({
    code: 1,
    out: '',
    err: 'tracker bench: the tracker refuses: go away\n',
  })
})

test('a tracker that ends in the middle is a failure, with the result until then', async () => {
  let asked = 0
  using tracker = await fakeUdpTracker('127.0.0.1', (request, answer) => {
    if (asked++ < 500) answerWell(request, answer)
  })
  const words = ['--duration', '5', '--timeout', '1.5', '--rate', '2000']
  const { code, out, err } = await bench('udp', `127.0.0.1:${tracker.port}`, ...words)
  expect(code).toBe(1)
  expect(err).toMatch(
    /^tracker bench: no answer came in the last \d\.\d s: did the tracker end\?\n$/,
  )
  expect(JSON.parse(out).answers).toBeWithin(1, 501)
})
