/** The WebSocket client against trackers that refuse, lie, dawdle and go away. */
import { describe, expect, test } from 'bun:test'
import { readFileSync } from 'node:fs'
import { EVENT } from '../../src/bittorrent.ts'
import { announce, scrape } from '../../src/client/ask.ts'
import { WebSocketClient } from '../../src/client/websocket.ts'
import { certify } from '../support/certificate.ts'
import { fakeHttpServer, respond } from '../support/client/fake-http.ts'
import { answering, type Behave, fakeWebSocketTracker } from '../support/client/fake-websocket.ts'
import { failure, question, urlOf } from '../support/client/question.ts'
import { sharedDirectory } from '../support/temporary-directory.ts'
import { until } from '../support/until.ts'

const LOCAL = { ip: '127.0.0.1', family: 4 } as const
const room = sharedDirectory()

const clientAt = (port: number, path = '/announce', milliseconds = 60_000) =>
  new WebSocketClient(urlOf(`ws://tracker.invalid:${port}${path}`), LOCAL, { milliseconds })

/** The announce, after which the client is closed. */
async function announceAt(...where: Parameters<typeof clientAt>) {
  using client = clientAt(...where)
  return await client.announce(question)
}

const latin1 = (bytes: Uint8Array) => Buffer.from(bytes).toString('latin1')

test('connects to the given address, asks for the host and path of the URL, and takes its peers along', async () => {
  using tracker = fakeWebSocketTracker(answering)
  using client = clientAt(tracker.port, '//announce/KEY?a=%f2b')
  expect(await client.announce({ ...question, event: EVENT.started })).toMatchObject({
    interval: 120,
    seeders: 1,
    leechers: 2,
    peers: [],
  })
  expect(await client.scrape([question.infoHash])).toEqual({
    entries: new Map([['f2'.repeat(20), { seeders: 1, leechers: 2, downloaded: 3 }]]),
  })
  // One connection for both.
  expect(tracker.requests).toEqual([
    { path: '//announce/KEY?a=%f2b', host: `tracker.invalid:${tracker.port}` },
  ])
  client[Symbol.dispose]()
  await until('the connection to be closed', () => tracker.open() === 0)
  const peer = { info_hash: latin1(question.infoHash), peer_id: latin1(question.peerId) }
  expect(tracker.messages).toMatchObject([
    { action: 'announce', event: 'started', ...peer },
    { action: 'scrape', info_hash: peer.info_hash },
    { action: 'announce', event: 'stopped', ...peer },
  ])
})

test('a peer that has stopped is not stopped again', async () => {
  using tracker = fakeWebSocketTracker(answering)
  {
    using client = clientAt(tracker.port)
    await client.announce({ ...question, event: EVENT.started })
    await client.announce({ ...question, event: EVENT.stopped })
  }
  await until('the connection to be closed', () => tracker.open() === 0)
  expect(tracker.messages.map(({ event }) => event)).toEqual(['started', 'stopped'])
})

test('any URL and any number of hashes', async () => {
  using tracker = fakeWebSocketTracker(answering)
  const url = urlOf(`ws://localhost:${tracker.port}`)
  const options = { milliseconds: 60_000, family: 4 } as const
  expect(await announce(url, question, options)).toMatchObject({ seeders: 1, family: 4 })
  const hashes = Array.from({ length: 60 }, (_, i) => new Uint8Array(20).fill(i))
  const { entries } = await scrape(url, hashes, options)
  expect([...entries.values()].map(({ seeders }) => seeders)).toEqual([
    ...Array.from({ length: 50 }, (_, i) => i + 1),
    ...Array.from({ length: 10 }, (_, i) => i + 1),
  ])
})

test('over IPv6', async () => {
  using tracker = fakeWebSocketTracker(answering, { hostname: '::1' })
  const url = urlOf(`ws://[::1]:${tracker.port}/announce`)
  expect(await announce(url, question, { milliseconds: 60_000 })).toMatchObject({ family: 6 })
  expect(tracker.requests[0]?.host).toBe(`[::1]:${tracker.port}`)
  const named = urlOf(`ws://tracker.invalid:${tracker.port}/announce`)
  using client = new WebSocketClient(named, { ip: '::1', family: 6 }, { milliseconds: 60_000 })
  expect((await client.announce(question)).interval).toBe(120)
})

test('messages about others do not answer, and do not end the wait', async () => {
  using tracker = fakeWebSocketTracker((message, socket) => {
    socket.send(JSON.stringify({ ...message, offer: {}, offer_id: '', interval: 1 }))
    socket.send(JSON.stringify({ action: 'scrape', files: {} }))
    socket.send(JSON.stringify({ ...message, info_hash: 'x', interval: 1 }))
    answering(message, socket)
  })
  expect((await announceAt(tracker.port)).interval).toBe(120)
})

test('after a request that failed, another connection is made', async () => {
  using tracker = fakeWebSocketTracker((message, socket) => {
    if (tracker.messages.length === 1) socket.close(1008, 'try again')
    else answering(message, socket)
  })
  using client = clientAt(tracker.port)
  expect(await failure(client.announce(question))).toEqual([
    'garbage',
    'ws://tracker.invalid:PORT/announce: the connection was closed before an answer came (1008 try again)',
  ])
  expect((await client.announce(question)).interval).toBe(120)
})

describe('says what is wrong with', () => {
  const where = 'ws://tracker.invalid:PORT/announce'
  test.each<[string, string, string, string]>([
    ['a status', respond('x', '403 Forbidden'), 'status', 'HTTP status 403, and no WebSocket'],
    ['a page', respond('<html>'), 'status', 'HTTP status 200, and no WebSocket'],
    [
      'a redirect',
      respond('', '302 Found', 'Location: /login\r\n'),
      'status',
      'HTTP status 302, and no WebSocket',
    ],
    ['another protocol', 'd5:hello', 'garbage', 'no HTTP answer (HPE_INVALID_CONSTANT)'],
    [
      'a wrong key',
      'HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: no\r\n\r\n',
      'garbage',
      'no HTTP answer (Mismatch websocket accept header)',
    ],
  ])('%s', async (_what, answer, kind, message) => {
    using server = await fakeHttpServer((_request, socket) => socket.write(answer))
    const asking = announceAt(server.port, '/announce/0123456789abcdef0123456789abcdef')
    expect(await failure(asking)).toEqual([kind, `${where}/***: ${message}`])
  })

  test.each<[string, Behave, string, string]>([
    [
      'a refusal',
      ({ action, info_hash }, socket) =>
        socket.send(JSON.stringify({ action, info_hash, 'failure reason': 'go\naway' })),
      'refusal',
      'go away',
    ],
    [
      'a message that is no JSON',
      (_message, socket) => socket.send('\x1b[2Jhello'),
      'garbage',
      `${where}: no JSON; it begins with "[2Jhello"`,
    ],
    [
      'an answer without interval',
      ({ action, info_hash }, socket) => socket.send(JSON.stringify({ action, info_hash })),
      'garbage',
      `${where}: an announce without interval; it begins with ${JSON.stringify('{"action":"announce","info_hash":"òòòòòò')}`,
    ],
    [
      'a long message',
      (message, socket) =>
        socket.send(JSON.stringify({ ...message, interval: 1, pad: 'x'.repeat(2 ** 20) })),
      'garbage',
      `${where}: the answer is longer than 1 MiB`,
    ],
    [
      'a binary message',
      (_message, socket) => socket.send(Buffer.from('{}')),
      'garbage',
      `${where}: a binary message, which browsers cannot read`,
    ],
    [
      'a connection that breaks',
      (_message, socket) => socket.terminate(),
      'garbage',
      `${where}: the connection was closed before an answer came (1006)`,
    ],
  ])('%s', async (_what, behave, kind, message) => {
    using tracker = fakeWebSocketTracker(behave)
    const [found, said] = await failure(announceAt(tracker.port))
    expect([found, said.replace(/\(1006.*\)/, '(1006)')]).toEqual([kind, message])
  })

  test('a port where nothing listens', async () => {
    const port = (() => {
      using tracker = fakeWebSocketTracker(answering)
      return tracker.port
    })()
    expect(await failure(announceAt(port))).toEqual([
      'connect',
      `${where}: nothing listens there (connection refused)`,
    ])
  })

  test('silence, before and after the upgrade, and the connection is given up', async () => {
    using server = await fakeHttpServer(() => {})
    const late = ['timeout', `${where}: no answer within 0.2 s`]
    expect(await failure(announceAt(server.port, '/announce', 200))).toEqual(late as never)
    await until('the connection to be closed', () => server.open() === 0)
    // The next request does not wait for the same connection.
    using client = clientAt(server.port, '/announce', 200)
    for (let i = 0; i < 2; i++)
      expect(await failure(client.announce(question))).toEqual(late as never)
    expect(server.requests).toHaveLength(3)
    using tracker = fakeWebSocketTracker(() => {})
    expect(await failure(announceAt(tracker.port, '/announce', 200))).toEqual(late as never)
    await until('the connection to be closed', () => tracker.open() === 0)
  })
})

describe('over TLS', () => {
  const options = { milliseconds: 60_000 }
  const secure = async (behave: Behave = answering) => {
    const { cert, key } = await certify(room.path)
    const tls = { cert: readFileSync(cert, 'utf8'), key: readFileSync(key, 'utf8') }
    return fakeWebSocketTracker(behave, { tls })
  }

  test('an untrusted certificate is refused, and accepted if asked for', async () => {
    using tracker = await secure()
    const url = urlOf(`wss://tracker.invalid:${tracker.port}`)
    using careful = new WebSocketClient(url, LOCAL, options)
    expect(await failure(careful.announce(question))).toEqual([
      'tls',
      'wss://tracker.invalid:PORT/: TLS handshake failed: self signed certificate (DEPTH_ZERO_SELF_SIGNED_CERT)',
    ])
    using careless = new WebSocketClient(url, LOCAL, { ...options, insecure: true })
    expect((await careless.announce(question)).interval).toBe(120)
  })

  test('a tracker without TLS is named so', async () => {
    using tracker = fakeWebSocketTracker(answering)
    const url = urlOf(`wss://tracker.invalid:${tracker.port}`)
    using client = new WebSocketClient(url, LOCAL, options)
    const [kind, message] = await failure(client.announce(question))
    expect(kind).toBe('tls')
    expect(message).toEndWith('(EPROTO)')
  })
})
