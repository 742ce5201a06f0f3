/** Hostile requests, with a token and without: a documented answer or a closed connection, and no harm. */
import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { LIMITS } from '../../src/limits.ts'
import { HTTP_REQUEST } from '../../src/servers/garbage.ts'
import { TOKEN } from '../support/api/cases.ts'
import { askWithToken, type Serving, serve, withToken } from '../support/api/served-api.ts'
import { ask, bytesOf, exchange, parseResponse, type Request } from '../support/http-client.ts'
import { dice, seed } from '../support/random.ts'

const MOST_BODY = 2_097_152
const HASH = '3b245504cf5f11bbdbe1201cea6a6bf45aee1bc0'
const AUTHORIZED = `Authorization: Bearer ${TOKEN}\r\n`
const CLOSE = 'Connection: close\r\n'
const TOO_LONG = 'Failed to buffer the request body: length limit exceeded'
const BULK = '/api/v1/whitelist/bulk'

let api: Serving
beforeAll(async () => {
  api = await serve()
})
afterAll(async () => {
  // None of the requests did anything, and none met a bug of ours.
  expect((await ask(api.url, { path: '/api/health_check' })).body.toString()).toBe(
    '{"status":"Ok"}',
  )
  expect(api.permissions.asked.filter((what) => !what.startsWith('reload'))).toEqual([])
  expect(api.reports).toEqual([])
  await api.stop(0)
})

const send = async (bytes: string | Uint8Array) => parseResponse(await exchange(api.url, bytes))
const reload = (head: string, target = '/api/v1/keys/reload') =>
  send(`GET ${target} HTTP/1.1\r\n${head}${AUTHORIZED}${CLOSE}\r\n`)

describe('a body', () => {
  const json = (body: string | Uint8Array, headers = {}) =>
    askWithToken(api.url, { method: 'POST', path: BULK, body, headers })
  /** An empty list of `length` bytes. */
  const padded = (length: number) => `{"info_hashes":[${' '.repeat(length - 18)}]}`

  test('of 2,097,152 bytes is read, and of one more is not', async () => {
    expect((await json(padded(MOST_BODY))).body.toString()).toBe('{"status":"ok","count":0}')
    const reply = await json(padded(MOST_BODY + 1))
    expect([reply.status, reply.headers['content-type'], reply.body.toString()]).toEqual([
      413,
      'text/plain; charset=utf-8',
      TOO_LONG,
    ])
    expect(reply.headers['x-request-id']).toBeString()
  })

  test('in chunks has the same limit', async () => {
    const chunked = (body: string) =>
      send(
        `POST ${BULK} HTTP/1.1\r\nHost: a\r\n${AUTHORIZED}${CLOSE}Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n${body.length.toString(16)}\r\n${body}\r\n0\r\n\r\n`,
      )
    expect((await chunked(padded(MOST_BODY))).body.toString()).toBe('{"status":"ok","count":0}')
    const reply = await chunked(padded(MOST_BODY + 1))
    expect([reply.status, reply.body.toString()]).toEqual([413, TOO_LONG])
  })

  test('of ten million bytes is refused, whether it arrives or not, with a token and without', async () => {
    expect((await json(padded(10_000_000))).status).toBe(413)
    for (const length of ['10000000', '99999999999999999999']) {
      const headers = { 'content-length': length }
      expect([400, 413]).toContain((await json('', headers)).status)
      const request = { method: 'POST', path: BULK, headers }
      expect([400, 413]).toContain((await ask(api.url, request)).status)
    }
  })

  test('is not read without a token', async () => {
    for (const headers of [{ 'content-length': '1000' }, { 'transfer-encoding': 'chunked' }]) {
      const reply = await ask(api.url, { method: 'POST', path: BULK, headers })
      expect([reply.status, reply.body.toString()]).toEqual([
        500,
        'Unhandled rejection: Err { reason: "unauthorized" }',
      ])
    }
  })

  test('of a route without a body is skipped', async () => {
    const head = `POST /api/v1/keys/reload HTTP/1.1\r\nHost: a\r\n${AUTHORIZED}Content-Length: 5\r\n`
    const next = `GET /api/v1/keys/reload HTTP/1.1\r\nHost: a\r\n${AUTHORIZED}${CLOSE}\r\n`
    const bytes = (await exchange(api.url, `${head}\r\nGET /${next}`)).toString()
    expect(bytes).toMatch(/^HTTP\/1\.1 405 /)
    expect(bytes).toEndWith('{"status":"ok"}')
  })

  test('that breaks off does nothing', async () => {
    const body = `{"info_hashes":["${HASH}"]}`
    for (const headers of [
      { 'content-length': String(body.length + 5) },
      { 'transfer-encoding': 'chunked' },
    ]) {
      const bytes = bytesOf(withToken({ method: 'POST', path: BULK, headers }))
      const chunk = 'content-length' in headers ? '' : `${body.length.toString(16)}\r\n`
      const { promise, resolve } = Promise.withResolvers<void>()
      const socket = await Bun.connect({
        hostname: '127.0.0.1',
        port: api.address.port,
        socket: { data() {}, close: () => resolve(), error: () => resolve() },
      })
      socket.write(Buffer.concat([bytes, Buffer.from(chunk + body)]))
      socket.end()
      await promise
    }
  })

  test.each([
    ['a hundred thousand brackets', '['.repeat(100_000)],
    ['two million brackets', '['.repeat(MOST_BODY - 1)],
    ['brackets in an unknown member', `{"x":${'['.repeat(1_000_000)}`],
    ['braces in an unknown member', `{"x":${'{"":'.repeat(500_000)}`],
    ['brackets that close', `{"x":${'['.repeat(1_000_000)}${']'.repeat(1_000_000)}}`],
    ['many lists in lists', `{"x":[${`${'['.repeat(100)}${']'.repeat(100)},`.repeat(10_000)}1]}`],
    ['many numbers of 20 digits', `{"x":[${'99999999999999999999,'.repeat(95_000)}1]}`],
    ['a number of a million digits', `{"info_hashes":${'9'.repeat(1_000_000)}}`],
    ['a fraction of a million digits', `{"x":0.${'1'.repeat(1_000_000)}}`],
    ['an exponent of a million digits', `{"info_hashes":1e${'9'.repeat(1_000_000)}}`],
    ['a million numbers', `{"info_hashes":[${'1,'.repeat(1_000_000)}1]}`],
    ['a million names', `{${'"":0,'.repeat(400_000)}"":0}`],
    ['a name of a million letters', `{"${'a'.repeat(1_000_000)}":[}`],
    ['a text of a million letters', `{"info_hashes":"${'a'.repeat(1_000_000)}"}`],
    ['a text of escapes', `{"info_hashes":"${'\\u0000'.repeat(300_000)}"}`],
    ['many texts with escapes', `{"info_hashes":[${'"\\n",'.repeat(300_000)}5]}`],
    ['a word of a million letters', 'a'.repeat(1_000_000)],
    ['a million lines', `${'\n'.repeat(1_000_000)}x`],
    ['zeros', '\0'.repeat(1_000)],
    ['a byte order mark', '\ufeff{"info_hashes":[]}'],
    ['prototypes', '{"__proto__":{"info_hashes":[]},"constructor":[],"toString":1}'],
    ['an object without a text', '{"info_hashes":[{"toString":1}]}'],
  ])('of %s is refused briefly', async (_what, body) => {
    const reply = await json(body)
    expect([400, 422]).toContain(reply.status)
    expect(reply.headers['content-type']).toBe('text/plain; charset=utf-8')
    expect(reply.body.length).toBeLessThan(500 + 12 * LIMITS.echo)
  })

  test('of 128 levels is read, and of one more is not', async () => {
    const nested = (levels: number) =>
      json(`{"info_hashes":[],"x":${'['.repeat(levels - 1)}${']'.repeat(levels - 1)}}`)
    expect((await nested(128)).status).toBe(200)
    expect((await nested(129)).body.toString()).toBe(
      'Failed to parse the request body as JSON: recursion limit exceeded',
    )
  })

  test('that is not UTF-8 is refused', async () => {
    const bytes = Buffer.from('{"info_hashes":["\xff\xfe"]}', 'latin1')
    const reply = await json(bytes)
    expect([reply.status, reply.body.toString()]).toEqual([
      400,
      expect.stringMatching(/^Failed to parse the request body as JSON: ./),
    ])
  })

  test('with fifty thousand mistakes names a hundred', async () => {
    const reply = await json(JSON.stringify({ info_hashes: Array(50_000).fill('x'.repeat(30)) }))
    expect(reply.status).toBe(400)
    expect(reply.body.toString()).toEndWith('; and more')
    expect(reply.body.toString().match(/info_hashes\[/g)).toHaveLength(100)
  })

  test.each([
    ['POST', 'keys', LIMITS.bulkKeys],
    ['DELETE', 'keys', LIMITS.bulkKeys],
    ['POST', 'whitelist', LIMITS.bulkInfoHashes],
    ['DELETE', 'whitelist', LIMITS.bulkInfoHashes],
  ])('of %s %s/bulk has %d elements, and one more is too many', async (method, what, most) => {
    const name = what === 'keys' ? 'keys' : 'info_hashes'
    const element = method === 'POST' && what === 'keys' ? { key: 'x', seconds_valid: 1 } : 'x'
    const answer = async (count: number) => {
      const body = JSON.stringify({ [name]: Array(count).fill(element) })
      const path = `/api/v1/${what}/bulk`
      const reply = await askWithToken(api.url, { method, path, body })
      expect(reply.status).toBe(400)
      return reply.body.toString()
    }
    expect(await answer(most)).toContain(`${name}[0]`)
    expect(await answer(most + 1)).toBe(
      `Invalid URL: nothing was done: ${name} has more than ${most} elements`,
    )
  })

  test('of random bytes never does anything', async () => {
    const roll = dice()
    const bits = [...'{}[],:"\\u1-.e \n\xff', 'null', 'info_hashes']
    for (let time = 0; time < 300; time++) {
      const body = Array.from({ length: roll(30) }, () => bits[roll(bits.length)]).join('')
      const reply = await json(Buffer.from(body, 'latin1'))
      const refused = reply.status === 400 || reply.status === 422
      expect({ seed, body, refused }).toEqual({ seed, body, refused: true })
    }
  })
})

describe('the head of a request', () => {
  test.each([
    ['a target of 17 KiB', `/api/v1/stats?a=${'b'.repeat(17 * 1024)}`, ''],
    ['a megabyte of target', `/api/v1/stats?a=${'b'.repeat(2 ** 20)}`, ''],
    ['five thousand headers', '/api/v1/stats', 'X-A: b\r\n'.repeat(5_000)],
    ['a token of 20 KB', '/api/v1/stats', `Authorization: Bearer ${'b'.repeat(20_000)}\r\n`],
  ])('with %s is answered 431', async (_what, target, headers) => {
    const reply = await send(`GET ${target} HTTP/1.1\r\nHost: a\r\n${headers}${CLOSE}\r\n`)
    expect([reply.status, reply.body.length]).toEqual([431, 0])
  })

  test.each([
    ['a thousand parameters', `?${'a=b&'.repeat(1_000)}`],
    ['a thousand ampersands', `?${'&'.repeat(1_000)}`],
    ['a thousand question marks', '?'.repeat(1_000)],
    ['broken escapes', '?%=%&%f=%zz&%'],
    ['bytes that are not UTF-8', '?%ff=%fe&a=%c3'],
    ['a fragment with tokens', '?a=b#&token=wrong&token=wrong'],
    ['names like members', '?__proto__=1&constructor=1&toString=1'],
    ['nothing after the question mark', '?'],
  ])('with %s is as good as without', async (_what, query) => {
    const reply = await reload('Host: a\r\n', `/api/v1/keys/reload${query}`)
    expect([reply.status, reply.body.toString()]).toEqual([200, '{"status":"ok"}'])
  })

  test('a token after a second question mark does not count', async () => {
    const reply = await ask(api.url, { path: `/api/v1/keys/reload??token=${TOKEN}` })
    expect(reply.body.toString()).toContain('"unauthorized"')
  })

  test.each([
    ['', 'a', 'ab', 'abc', 'a:1', 'a b', '[::1', 'a@b', '%', '..', 'a/api/v1/stats?', 'a#', '\xff'],
  ])('the Host moves neither path nor query', async (...hosts) => {
    for (const host of hosts) {
      for (const [path, status] of [
        ['/api/v1/keys/reload', 200],
        ['/x/api/v1/keys/reload', 404],
        ['/api/v1/keys/reload/', 404],
        ['/', 200],
      ] as const) {
        const reply = await reload(`Host: ${host}\r\n`, path)
        if (reply.status !== 400) expect([host, path, reply.status]).toEqual([host, path, status])
        const refused = await send(`GET ${path} HTTP/1.1\r\nHost: ${host}\r\n${CLOSE}\r\n`)
        const secret = path.startsWith('/api/v1') ? [400, 500] : [400, 401]
        if (path !== '/') expect(secret).toContain(refused.status)
      }
    }
  })

  test.each([
    ['http://tracker/api/v1/keys/reload', 200],
    ['http://other:1212/api/v1/keys/reload', 200],
    ['https://other/api/v1/keys/reload', 200],
    ['http://other/api/v1/keys/reload/', 404],
  ])('the absolute target %s means its path', async (target, status) => {
    expect((await reload('Host: a\r\n', target)).status).toBe(status)
    expect((await send(`GET ${target} HTTP/1.1\r\nHost: a\r\n${CLOSE}\r\n`)).status).toBe(500)
  })

  test.each([
    ['no slash', 'GET api/v1/stats HTTP/1.1\r\nHost: a\r\n\r\n'],
    ['a space', 'GET /api/v1/torrent/  HTTP/1.1\r\nHost: a\r\n\r\n'],
    ['the asterisk', 'OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n'],
  ])('with %s never gets past the door', async (_what, bytes) => {
    const { status } = await send(bytes)
    expect([400, 500, 505]).toContain(status)
  })

  test('with any other method has the same answer', async () => {
    for (const method of ['CONNECT', 'TRACE', 'PATCH', 'PROPFIND', 'QUERY', 'OPTIONS'])
      for (const [headers, status] of [
        ['', 500],
        [AUTHORIZED, 405],
      ] as const) {
        const head = `${method} /api/v1/stats HTTP/1.1\r\nHost: a\r\n${headers}${CLOSE}\r\n`
        const reply = await send(head)
        if (method !== 'CONNECT') expect([method, reply.status]).toEqual([method, status])
        expect(Object.keys(reply.headers).filter((name) => name.startsWith('access-'))).toEqual([])
      }
  })
})

describe('a request id', () => {
  const idFor = async (id: string) =>
    (await ask(api.url, { path: '/api/health_check', headers: { 'x-request-id': id } })).headers[
      'x-request-id'
    ]
  const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/

  test('of the client is sent back', async () => {
    for (const id of ['1', 'a b', '!"#$%&()*+,-./:;<=>?@[]^_`{|}~', 'x'.repeat(200)])
      expect(await idFor(id)).toBe(id)
  })

  test('that is too long, empty or not ASCII is replaced', async () => {
    for (const id of ['x'.repeat(201), '', 'é', 'a\tb']) expect(await idFor(id)).toMatch(UUID)
  })

  test('is generated, a different one each time', async () => {
    const made = new Set<string | undefined>()
    for (let time = 0; time < 5; time++) {
      const { headers } = await ask(api.url, { path: time === 0 ? '/x' : '/api/health_check' })
      expect(headers['x-request-id']).toMatch(UUID)
      made.add(headers['x-request-id'])
    }
    expect(made.size).toBe(5)
  })
})

describe('garbage is counted for', () => {
  /** Bytes of garbage that a request counts. */
  async function counted(request: Request): Promise<number> {
    const before = api.garbage.counted
    await ask(api.url, request)
    return api.garbage.counted - before
  }

  test.each([
    { path: '/api/health_check' },
    withToken({ path: '/api/v1/keys/reload' }),
    { path: '/api/v1/nowhere' },
  ])('$path, more for a longer target', async (request) => {
    const short = await counted({ ...request, path: `${request.path}?` })
    expect(short).toBeGreaterThan(HTTP_REQUEST)
    const long = await counted({ ...request, path: `${request.path}?${'a'.repeat(10_000)}` })
    expect(long - short).toBe(10_000)
  })

  test('a body that was read, several times its bytes, and not for one that was not', async () => {
    const request = { method: 'POST', path: '/api/v1/keys', body: 'x'.repeat(100_000) }
    expect(await counted(withToken(request))).toBeGreaterThan(300_000)
    expect(await counted(request)).toBe(await counted({ ...request, body: '' }))
  })

  test('an answer, several times its bytes, whether in one piece or in parts', async () => {
    const torrent = { infoHash: HASH, seeders: 0, leechers: 0, downloaded: 0 }
    api.torrents.summaries = new Array(5_000).fill(torrent)
    for (const path of ['/api/openapi.json', '/api/v1/torrents']) {
      const { body } = await ask(api.url, withToken({ path }))
      expect(await counted(withToken({ path }))).toBeGreaterThan(3 * body.length)
    }
  })
})

test('requests that arrive in one piece are answered in order, each on its own', async () => {
  const one = (target: string, head = '') => `GET ${target} HTTP/1.1\r\nHost: a\r\n${head}`
  const bytes = await exchange(
    api.url,
    [
      one('/api/v1/keys/reload', AUTHORIZED),
      one('/api/v1/keys/reload'),
      one('/api/v1/nowhere', AUTHORIZED),
      one('/api/health_check', CLOSE),
    ]
      .join('\r\n')
      .concat('\r\n'),
  )
  expect(bytes.toString().match(/HTTP\/1\.1 \d+|\{.*\}/g)).toEqual([
    'HTTP/1.1 200',
    '{"status":"ok"}',
    'HTTP/1.1 500',
    '{ reason: "unauthorized" }',
    'HTTP/1.1 404',
    'HTTP/1.1 200',
    '{"status":"Ok"}',
  ])
})

test('random paths are never more than a bad parameter', async () => {
  const roll = dice()
  const escapes = ['%2e', '%2F', '%00', '%f', '%ff', '%E2%80%AE']
  const bits = [...'/.%a\\;+:*~|^', ...escapes, '//', '..', 'api', 'v1', 'key', 'torrent', 'reload']
  for (let time = 0; time < 500; time++) {
    const noise = Array.from({ length: 1 + roll(8) }, () => bits[roll(bits.length)]).join('')
    const path = `/api/v1/${['torrent/', 'key/', 'whitelist/', '', 'keys/'][roll(5)]}${noise}`
    const method = ['GET', 'DELETE', 'OPTIONS', 'HEAD'][roll(4)]!
    const { status } = await askWithToken(api.url, { method, path })
    const calm = [200, 400, 404, 405].includes(status)
    expect({ seed, method, path, status, calm }).toEqual({ seed, method, path, status, calm: true })
    // `..` may lead out of /api/v1.
    expect([401, 500]).toContain((await ask(api.url, { method, path })).status)
  }
})
