/** Hostile bytes on the HTTP port get documented answers or a closed connection, and harm no other client. */

import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { LIMITS } from '../../src/limits.ts'
import {
  announceQuery,
  exchange,
  get,
  hashA,
  parseResponse,
  percent,
} from '../support/http-client.ts'
import { dice, seed } from '../support/random.ts'
import { type Serving, serve } from '../support/servers/served-http.ts'

let tracker: Serving
beforeAll(async () => {
  tracker = await serve()
})

const QUERY = announceQuery({ compact: 1, left: 1 })
const HOST = 'Host: a\r\nConnection: close\r\n\r\n'
const line = (target: string, head = HOST) => `GET ${target} HTTP/1.1\r\n${head}`
const ask = async (bytes: string) => parseResponse(await exchange(tracker.url, bytes))

afterAll(async () => {
  // None of this became a peer, and none of it was an internal error.
  const scraped = await get(tracker.url, `/scrape?info_hash=${percent(hashA)}`)
  expect(scraped.body.toString('latin1')).toEndWith(
    'd8:completei0e10:downloadedi0e10:incompletei0eeee',
  )
  expect(tracker.reports).toEqual([])
  expect(tracker.count('announces')).toEqual([0, 0])
  await tracker.stop(0)
})

describe('the request line', () => {
  test.each([
    ['17 KiB', 17 * 1024],
    ['65,000 bytes', 65_000],
    ['70,000 bytes', 70_000],
    ['a megabyte', 2 ** 20],
  ])(
    'of %s is answered 431 without a body, and the connection is closed',
    async (_what, length) => {
      const reply = await ask(line(`/announce?${QUERY}&a=${'b'.repeat(length)}`))
      expect([reply.status, reply.body.length]).toEqual([431, 0])
    },
  )

  test('of 12 KiB still gets its failure reason, with an echo that is cut', async () => {
    const reply = await ask(line(`/announce?${'b'.repeat(12 * 1024)}`))
    expect(reply.failure).toBe(
      `Bad request. Cannot parse query params: invalid param ${'b'.repeat(LIMITS.echo)}...`,
    )
  })

  test.each([
    ['a percent sign at the end', `info_hash=${'a'.repeat(20)}%&peer_id=x&port=1`],
    ['half an escape at the end', `peer_id=x&port=1&info_hash=${'a'.repeat(20)}%f`],
    [
      'raw bytes from 0x80 on',
      `info_hash=${'\xff'.repeat(20)}&peer_id=${'\x80'.repeat(20)}&port=1`,
    ],
    ['raw UTF-8', `info_hash=${'\xc3\xa9'.repeat(20)}&peer_id=x&port=1`],
    ['everything twice, the first of each wrong', `info_hash=1&peer_id=1&port=a&${QUERY}`],
    ['nothing that is asked for', 'a=b'],
    ['a thousand ampersands', '&'.repeat(1_000)],
    ['a thousand equals signs', '='.repeat(1_000)],
    ['a thousand question marks', '?'.repeat(1_000)],
    ['only a fragment', `#${QUERY}`],
    ['quotes and brackets', `port="<>'&${QUERY}`],
    ['a bencoded answer to be repeated', 'd5:peers0:e'],
  ])('with %s gets a failure reason', async (_what, query) => {
    const reply = await ask(line(`/announce?${query}`))
    expect([reply.status, reply.headers['content-type']]).toEqual([
      200,
      'text/plain; charset=utf-8',
    ])
    expect(reply.failure).toStartWith('Bad request. Cannot parse query params')
    expect([...reply.value.keys()]).toEqual(['failure reason'])
  })

  test.each([
    ['a space in it', line(`/announce?a= b&${QUERY}`)],
    ['a control character', line(`/announce?a=\x01&${QUERY}`)],
    ['a NUL', line(`/announce?a=\0&${QUERY}`)],
    ['a tab', line(`/announce?a=\t&${QUERY}`)],
    ['no slash', line(`announce?${QUERY}`)],
    ['no version', `GET /announce?${QUERY}\r\n${HOST}`],
    ['version 3.7', `GET /announce?${QUERY} HTTP/3.7\r\n${HOST}`],
    ['bare line feeds', `GET /announce?${QUERY} HTTP/1.1\nHost: a\n\n`],
    ['the preface of HTTP/2', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'],
    ['a TLS greeting', '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03garbage\r\n\r\n'],
    ['no Host', line(`/announce?${QUERY}`, '\r\n')],
    [
      'two lengths',
      line(`/announce?${QUERY}`, `Content-Length: 1\r\nTransfer-Encoding: chunked\r\n${HOST}`),
    ],
  ])('with %s is refused by the HTTP layer without a body', async (_what, bytes) => {
    const reply = await ask(bytes)
    expect(reply.status).toBeWithin(400, 506)
    expect(reply.body.length).toBe(0)
  })

  test('with an unknown method closes the connection', async () => {
    expect((await exchange(tracker.url, `FOO /announce?${QUERY} HTTP/1.1\r\n${HOST}`)).length).toBe(
      0,
    )
  })
})

describe('the headers', () => {
  test.each([
    [300, 'X-A: b\r\n'],
    [5_000, 'X-A: b\r\n'],
    [1, `X-A: ${'b'.repeat(20_000)}\r\n`],
    [1, `${'X'.repeat(20_000)}: b\r\n`],
  ])('%d times too many of them are answered 431', async (times, header) => {
    const reply = await ask(line(`/announce?${QUERY}`, header.repeat(times) + HOST))
    expect([reply.status, reply.body.length]).toEqual([431, 0])
  })

  test('the Host can neither move the query nor break the answer', async () => {
    const path = `/scrape?info_hash=${percent(hashA)}`
    const expected = (await get(tracker.url, path)).body
    const odd = [
      '',
      'a b',
      'q:99999',
      '[::1',
      'a@b:c@d',
      '\xff\xfe',
      '%',
      'a%00b',
      '..',
      'x'.repeat(8_000),
    ]
    for (let code = 0x21; code < 0x7f; code++)
      odd.push(`a${String.fromCharCode(code)}b?info_hash=1#`)
    for (const host of odd) {
      const reply = await ask(`GET ${path} HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`)
      if (reply.status !== 400) expect([host, reply.body]).toEqual([host, expected])
    }
    const without = await ask(`GET ${path} HTTP/1.0\r\n\r\n`)
    expect(without.body).toEqual(expected)
  })

  test('nor can it turn an unknown path into a known one', async () => {
    for (const host of ['', 'a', 'abc', 'abc/announce?', 'tracker'])
      for (const path of ['/x/y/announce', '/x', '/announce/'])
        for (const method of ['GET', 'POST']) {
          const reply = await ask(
            `${method} ${path}?${QUERY} HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`,
          )
          expect([host, path, reply.status]).toEqual([host, path, 404])
        }
  })
})

describe('the body', () => {
  const HEALTH = 'GET /health_check HTTP/1.1\r\nHost: a\r\n'

  test.each([
    ['with a length', 'Content-Length: 3\r\n\r\nabc'],
    ['in chunks', 'Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n'],
  ])('of a GET %s is read past, and the next request is answered', async (_what, body) => {
    const bytes = await exchange(tracker.url, `${HEALTH}${body}${HEALTH}Connection: close\r\n\r\n`)
    expect(bytes.toString().match(/"status":"Ok"/g)).toHaveLength(2)
  })

  test('that is too long is answered 413 without a body', async () => {
    const reply = await ask(`POST /announce HTTP/1.1\r\nHost: a\r\nContent-Length: 70000\r\n\r\n`)
    expect([reply.status, reply.body.length]).toEqual([413, 0])
  })
})

test('requests in one piece are answered in their order', async () => {
  const one = (query: string) => `GET /announce?${query} HTTP/1.1\r\nHost: a\r\n`
  const bytes = await exchange(
    tracker.url,
    `${one('a')}\r\n${one('b')}\r\n${one('c')}Connection: close\r\n\r\n`,
  )
  expect(bytes.toString().match(/invalid param ./g)).toEqual([
    'invalid param a',
    'invalid param b',
    'invalid param c',
  ])
})

/** Sends bytes and is gone before anything can come back. */
async function hitAndRun(bytes: string): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>()
  const socket = await Bun.connect({
    hostname: '127.0.0.1',
    port: tracker.address.port,
    socket: { data() {}, close: () => resolve(), error: () => resolve() },
  })
  socket.write(Buffer.from(bytes, 'latin1'))
  socket.terminate()
  await promise
}

test(`damaged requests of clients that do not wait harm no other client (SEED=${seed})`, async () => {
  const roll = dice()
  const bad = `/announce?${QUERY.replace('port=', 'prt=')}`
  for (let i = 0; i < 500; i++) {
    const whole = line([bad, '/scrape?info_hash=1', '/health_check', '*'][roll(4)]!)
    const at = roll(whole.length)
    const junk = Array.from({ length: roll(4) }, () => String.fromCharCode(roll(256))).join('')
    await hitAndRun(
      [whole, whole.slice(0, at), whole.slice(0, at) + junk + whole.slice(at)][roll(3)]!,
    )
  }
  expect((await get(tracker.url, '/health_check')).status).toBe(200)
})

test('a client that keeps asking and never reads costs bounded memory', async () => {
  const { promise, resolve } = Promise.withResolvers<void>()
  const requests = Buffer.from('GET /health_check HTTP/1.1\r\nHost: a\r\n\r\n'.repeat(5_000))
  const push = (socket: { write(bytes: Uint8Array): number }) => {
    while (socket.write(requests) === requests.length);
  }
  const socket = await Bun.connect({
    hostname: '127.0.0.1',
    port: tracker.address.port,
    socket: {
      open: (opened) => void opened.pause(),
      drain: push,
      data() {},
      close: () => resolve(),
    },
  })
  push(socket)
  // Its buffers are full: whether the server has closed it or waits, others are served.
  expect((await get(tracker.url, '/health_check')).status).toBe(200)
  socket.terminate()
  await promise
})

/** Resolves when the server closes the connection, whatever is trickled into it until then. */
async function closedByServer(first: string, trickle: string | undefined): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>()
  const socket = await Bun.connect({
    hostname: '127.0.0.1',
    port: tracker.address.port,
    socket: { data() {}, close: () => resolve(), error: () => resolve() },
  })
  if (first !== '') socket.write(first)
  const timer = trickle && setInterval(() => void socket.write(trickle), 500)
  await promise
  clearInterval(timer || undefined)
}

// Bun's own limit is 12 seconds, in steps of 4.
test('every slow client is disconnected in the end, however it trickles', async () => {
  const head = 'GET /health_check HTTP/1.1\r\nHost: a\r\n'
  await Promise.all([
    closedByServer('', undefined),
    closedByServer(head, undefined),
    closedByServer(head, 'X-A: b\r\n'),
    closedByServer('GET /announce?', 'a'),
    closedByServer(`${head}\r\n`, undefined),
    closedByServer(`${head}\r\n${head}`, 'X-A: b\r\n'),
    closedByServer(`${head}Content-Length: 1000\r\n\r\n`, 'x'),
    closedByServer(`${head}Transfer-Encoding: chunked\r\n\r\n`, '1\r\nx\r\n'),
  ])
})
