/** The HTTP client against servers that refuse, lie, dawdle and never stop. */

import { describe, expect, test } from 'bun:test'
import { askHttp, getHttp, HttpClient, openHttp } from '../../src/client/http.ts'
import { fakeHttpServer, respond, type Sender } from '../support/client/fake-http.ts'
import { failure, question, urlOf } from '../support/client/question.ts'
import { until } from '../support/until.ts'

const hash = new Uint8Array(20).fill(0xf2)
const LOCAL = { ip: '127.0.0.1', family: 4 } as const
const GOOD = 'd8:intervali5e5:peers0:e'

const announceAt = (port: number, path = '', milliseconds = 60_000) =>
  new HttpClient(urlOf(`http://tracker.invalid:${port}${path}`), LOCAL, { milliseconds }).announce(
    question,
  )

test('connects to the given address, and asks for the host of the URL', async () => {
  using server = await fakeHttpServer((_request, socket) => socket.write(respond(GOOD)))
  const answer = await announceAt(server.port, '/announce/KEY?a=%f2b')
  expect(answer.interval).toBe(5)
  const [line, ...head] = server.requests[0]!.split('\r\n')
  expect(line).toStartWith(`GET /announce/KEY?a=%f2b&info_hash=${'%F2'.repeat(20)}&peer_id=%2DXX`)
  expect(head).toContain(`Host: tracker.invalid:${server.port}`)
  await until('the connection to be closed', () => server.open() === 0)
})

test('a path that begins with slashes is not taken for another host', async () => {
  using server = await fakeHttpServer((_request, socket) => socket.write(respond(GOOD)))
  for (const path of ['//announce', '//[/announce', '//other.invalid:1/announce'])
    expect((await announceAt(server.port, path)).interval).toBe(5)
  for (const request of server.requests)
    expect(request).toContain(`Host: tracker.invalid:${server.port}\r\n`)
})

test('asks for several torrents at once', async () => {
  const body = `d5:filesd20:${'\xf2'.repeat(20)}d8:completei1e10:downloadedi2e10:incompletei3eeee`
  using server = await fakeHttpServer((_request, socket) =>
    socket.write(Buffer.from(respond(body), 'latin1')),
  )
  const url = urlOf(`http://127.0.0.1:${server.port}/announce`)
  const client = new HttpClient(url, LOCAL, { milliseconds: 60_000 })
  const { entries } = await client.scrape([hash, new Uint8Array(20)])
  expect([...entries]).toEqual([['f2'.repeat(20), { seeders: 1, downloaded: 2, leechers: 3 }]])
  expect(server.requests[0]).toStartWith(
    `GET /scrape?info_hash=${'%F2'.repeat(20)}&info_hash=${'%00'.repeat(20)} HTTP/1.1\r\n`,
  )
})

describe('says what is wrong with', () => {
  const where = 'http://tracker.invalid:PORT/announce'
  test.each<[string, string, string, string]>([
    ['a refusal', respond('d14:failure reason7:go awaye'), 'refusal', 'go away'],
    [
      'a refusal with a status',
      respond('d14:failure reason2:nee', '403 Forbidden'),
      'refusal',
      'ne',
    ],
    ['a status', respond('x', '404 Not Found'), 'status', `${where}: HTTP status 404 Not Found`],
    [
      'a redirect',
      respond('', '302 Found', 'Location: /login\r\n'),
      'status',
      `${where}: HTTP status 302 Found, moved to http://tracker.invalid:PORT/login`,
    ],
    [
      'a page',
      respond('<html>\n\x1b[2Jhello'),
      'garbage',
      `${where}: no bencoded answer (not a digit at byte 0); it begins with "<html> [2Jhello"`,
    ],
    ['nothing', respond(''), 'garbage', `${where}: no bencoded answer (empty)`],
    [
      'a dictionary',
      respond('de'),
      'garbage',
      `${where}: an announce without interval; it begins with "de"`,
    ],
  ])('%s', async (_what, answer, kind, message) => {
    using server = await fakeHttpServer((_request, socket) => socket.write(answer))
    const [what, said] = await failure(announceAt(server.port))
    expect([what, said.replaceAll(/:\d{4,}/g, ':PORT')]).toEqual([kind, message])
  })

  test('another protocol', async () => {
    using server = await fakeHttpServer((_request, socket) => {
      socket.write('SSH-2.0-OpenSSH_9.2\r\n')
      socket.end()
    })
    const [kind, message] = await failure(announceAt(server.port))
    expect([kind, message.replace(/\(.*/, '(')]).toEqual(['garbage', `${where}: no HTTP answer (`])
  })

  test('a connection that closes', async () => {
    using server = await fakeHttpServer((_request, socket) => socket.end())
    expect(await failure(announceAt(server.port))).toEqual([
      'garbage',
      `${where}: the connection was closed before an answer came`,
    ])
  })

  test('a port where nothing listens', async () => {
    const gone = await fakeHttpServer(() => {})
    gone[Symbol.dispose]()
    expect(await failure(announceAt(gone.port))).toEqual([
      'connect',
      `${where}: nothing listens there (connection refused)`,
    ])
  })
})

describe('ends in time, and closes the connection, when', () => {
  const dawdle = (head: string, each: string) => {
    const timers: Timer[] = []
    return {
      behave: (_request: string, socket: { write(text: string): unknown }) => {
        socket.write(head)
        timers.push(setInterval(() => socket.write(each), 20))
      },
      stop: () => timers.forEach(clearInterval),
    }
  }

  test.each([
    ['nothing comes', '', ''],
    ['the head comes byte by byte', 'HTTP/1.1 200 OK\r\n', 'X'],
    ['the body comes byte by byte', 'HTTP/1.1 200 OK\r\nContent-Length: 99999\r\n\r\n', 'd'],
  ])('%s', async (_what, head, each) => {
    const { behave, stop } = dawdle(head, each)
    using server = await fakeHttpServer(behave)
    expect(await failure(announceAt(server.port, '', 400))).toEqual([
      'timeout',
      'http://tracker.invalid:PORT/announce: no answer within 0.4 s',
    ])
    await until('the connection to be closed', () => server.open() === 0)
    stop()
  })

  test('the body never ends', async () => {
    using server = await fakeHttpServer((_request, socket) => {
      socket.write('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n')
      const chunk = `10000\r\n${'d'.repeat(0x10000)}\r\n`
      for (let i = 0; i < 64; i++) socket.write(chunk)
    })
    expect(await failure(announceAt(server.port))).toEqual([
      'garbage',
      'http://tracker.invalid:PORT/announce: the answer is longer than 1 MiB',
    ])
    await until('the connection to be closed', () => server.open() === 0)
  })

  test('the answer is compressed although it should not be', async () => {
    const encoded = (encoding: string, body: Uint8Array) =>
      Buffer.concat([
        Buffer.from(
          `HTTP/1.1 200 OK\r\nContent-Encoding: ${encoding}\r\nContent-Length: ${body.length}\r\n\r\n`,
        ),
        body,
      ])
    const answers = [
      encoded('gzip', Bun.gzipSync(Buffer.from(GOOD))),
      encoded('gzip', Buffer.from(GOOD)),
    ]
    using server = await fakeHttpServer((_request, socket) => socket.write(answers.shift()!))
    expect((await announceAt(server.port)).interval).toBe(5)
    expect(await failure(announceAt(server.port))).toEqual([
      'garbage',
      'http://tracker.invalid:PORT/announce: the answer cannot be decompressed (ZlibError)',
    ])
  })

  test('a small body decompresses to a large one', async () => {
    const bomb = Bun.gzipSync(new Uint8Array(64 * 2 ** 20))
    using server = await fakeHttpServer((_request, socket) => {
      socket.write(
        `HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: ${bomb.length}\r\n\r\n`,
      )
      socket.write(bomb)
    })
    expect((await failure(announceAt(server.port)))[1]).toEndWith('longer than 1 MiB')
  })
})

test('fetches anything small', async () => {
  using server = await fakeHttpServer((_request, socket) =>
    socket.write(respond('{"status":"Ok"}', '503 Service Unavailable')),
  )
  const url = new URL(`http://127.0.0.1:${server.port}/health_check`)
  const { status, statusText, body } = await getHttp(url, { milliseconds: 60_000 })
  expect([status, statusText, Buffer.from(body).toString()]).toEqual([
    503,
    'Service Unavailable',
    '{"status":"Ok"}',
  ])
})

test('sends what it is told to, and takes as much as it is told to', async () => {
  using server = await fakeHttpServer((_request, socket) =>
    socket.write(respond('x'.repeat(2_000))),
  )
  const url = new URL(`http://127.0.0.1:${server.port}/a?b=c`)
  const request = { milliseconds: 60_000, method: 'DELETE', headers: { 'X-A': 'b' }, body: '{}' }
  expect((await askHttp(url, { ...request, mostBytes: 2_000 })).body).toHaveLength(2_000)
  const [head = '', body] = server.requests[0]!.split('\r\n\r\n')
  expect([head.split('\r\n')[0], body]).toEqual(['DELETE /a?b=c HTTP/1.1', '{}'])
  expect(head.toLowerCase()).toContain('\r\nx-a: b\r\n')
  expect(await failure(askHttp(url, { ...request, mostBytes: 1_999 }))).toEqual([
    'garbage',
    'http://127.0.0.1:PORT/a: the answer is longer than 2 KiB',
  ])
})

describe('an answer that goes on', () => {
  const HEAD = 'HTTP/1.1 200 OK\r\n\r\n'
  async function open(behave: (socket: Sender) => void, milliseconds = 60_000) {
    const server = await fakeHttpServer((_request, socket) => behave(socket))
    const stop = new AbortController()
    const url = new URL(`http://127.0.0.1:${server.port}/`)
    return { server, stop, opening: openHttp(url, { milliseconds }, stop.signal) }
  }
  const text = (part: IteratorResult<Uint8Array, void>) =>
    part.value && Buffer.from(part.value).toString()

  test('comes part by part, until the server ends it', async () => {
    let sender: Sender | undefined
    const { server, opening } = await open((socket) => {
      sender = socket
      socket.write(`${HEAD}one`)
    })
    using _ = server
    const { status, parts } = await opening
    expect([status, text(await parts.next())]).toEqual([200, 'one'])
    sender!.write('two')
    expect(text(await parts.next())).toBe('two')
    sender!.end()
    expect((await parts.next()).done).toBe(true)
  })

  test('ends when it is to stop, and the connection is closed', async () => {
    const { server, stop, opening } = await open((socket) => socket.write(`${HEAD}one`))
    using _ = server
    const { parts } = await opening
    await parts.next()
    const next = parts.next()
    stop.abort()
    expect((await next).done).toBe(true)
    await until('the connection to be closed', () => server.open() === 0)
  })

  test.each([
    ['begins', ''],
    ['goes on', `${HEAD}one`],
  ])('is given up when it never %s', async (_what, sent) => {
    const { server, opening } = await open((socket) => socket.write(sent), 400)
    using _ = server
    const reading = (async () => {
      for await (const _part of (await opening).parts);
    })()
    expect(await failure(reading)).toEqual([
      'timeout',
      'http://127.0.0.1:PORT/: no answer within 0.4 s',
    ])
    await until('the connection to be closed', () => server.open() === 0)
  })
})
