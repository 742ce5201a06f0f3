/**
 * Hostile requests to the API of the running program, with and without a token: each gets its documented answer or
 * none, changes nothing, and does not disturb other clients. The whole output, at the most detailed level, holds
 * neither a key nor a token.
 */

import { afterAll, afterEach, beforeAll, describe, expect, test } from 'bun:test'
import { TOKEN } from '../support/api/cases.ts'
import { withToken } from '../support/api/served-api.ts'
import { bothPrograms } from '../support/e2e/program.ts'
import { OTHER_TOKEN, type RunningTracker, runTracker } from '../support/e2e/tracker-process.ts'
import { bytesOf, exchange, hashA, parseResponse, type Request } from '../support/http-client.ts'
import { dice, seed } from '../support/random.ts'

const PROGRAMS = bothPrograms()
const HASH = hashA.toString('hex')
const KEY = '0123456789abcdefghijklmnopqrstuv'
/** A well-formed key that does not exist. */
const STRANGE = 'Z1b2C3d4E5f6G7h8I9j0K1l2M3n4O5p6'
const MOST_BODY = 2_097_152
const AUTHORIZED = `Authorization: Bearer ${TOKEN}\r\n`
const CLOSE = 'Connection: close\r\n'

const post = (path: string, body: string | Uint8Array, headers = {}): Request =>
  withToken({ method: 'POST', path: `/api/v1/${path}`, body, headers })
const keyOf = (key: string): Request => post('keys', JSON.stringify({ key, seconds_valid: null }))
const secondsOf = (text: string): Request => post('keys', `{"key":null,"seconds_valid":${text}}`)
const to = (method: string, path: string): Request => withToken({ method, path: `/api/v1/${path}` })
const withoutToken = (method: string, path: string, headers = {}): Request => ({
  method,
  path,
  headers,
})

/** Name, request, and the possible statuses of the answer; 0: the connection is closed without one. */
type Attack = readonly [name: string, request: Request, ...statuses: number[]]

const TEXTS: readonly (readonly [name: string, text: string])[] = [
  ['nothing', ''],
  ['a quote', `'${STRANGE.slice(1)}`],
  ['SQL', `'; DROP TABLE keys; --${'a'.repeat(10)}`],
  ['a line break', `\n${STRANGE.slice(1)}`],
  ['a forged line of the log', `a\n2026-01-01T00:00:00.000000Z  INFO API: Started on: b`],
  ['a terminal’s commands', '\x1b[2J\x1b]0;title\x07'],
  ['NUL', `\0${STRANGE.slice(1)}`],
  ['one letter less', STRANGE.slice(1)],
  ['one letter more', `${STRANGE}0`],
  ['letters of another alphabet', 'é'.repeat(16)],
  ['wide digits', '０'.repeat(32)],
  ['a lone surrogate', '\ud800'.repeat(11)],
  ['names like members', '__proto__'],
  ['a path', '../../../../etc/passwd'],
  ['ten thousand letters', 'a'.repeat(10_000)],
]
const escaped = (text: string) =>
  Array.from(Buffer.from(text), (byte) => `%${byte.toString(16).padStart(2, '0')}`).join('')

const ATTACKS: readonly Attack[] = [
  ...TEXTS.flatMap(([name, text]): readonly Attack[] => [
    [`a key of ${name}`, keyOf(text), 400],
    [`a key of ${name} to be deleted`, to('DELETE', `key/${escaped(text)}`), 400, 404, 431],
    [`a time of ${name}`, to('POST', `key/${escaped(text)}`), 400, 404, 431],
    [`a torrent of ${name}`, to('GET', `torrent/${escaped(text)}`), 400, 404, 431],
    [`a listed torrent of ${name}`, to('POST', `whitelist/${escaped(text)}`), 400, 404, 431],
    [
      `torrents of ${name}`,
      to('GET', `torrents?info_hash=${HASH}&info_hash=${escaped(text)}`),
      400,
      431,
    ],
    [
      `many keys, one of ${name}`,
      post(
        'keys/bulk',
        JSON.stringify({
          keys: [null, text].map((key) => ({ key, seconds_valid: 1 })),
        }),
      ),
      400,
    ],
    [
      `many torrents, one of ${name}`,
      post('whitelist/bulk', JSON.stringify({ info_hashes: [HASH, text] })),
      400,
    ],
  ]),
  ...[
    '18446744073709551615',
    '18446744073709551616',
    '9223372036854775808',
    '-1',
    '-9223372036854775809',
    '1e30',
    '1e400',
    '0.5',
    '01',
    '0x10',
    'NaN',
    'Infinity',
    'true',
    '"60"',
    '[60]',
    '{}',
    `1${'0'.repeat(10_000)}`,
    `0.${'1'.repeat(10_000)}`,
  ].flatMap((number): readonly Attack[] => [
    [`seconds of ${number.slice(0, 30)}`, secondsOf(number), 400, 422],
    [
      `seconds in the path of ${number.slice(0, 30)}`,
      to('POST', `key/${encodeURIComponent(number)}`),
      ...(number === '01' ? [200] : [400, 431]),
    ],
  ]),
  ...['4294967296', '18446744073709551616', '9'.repeat(5_000), '-1', '1e3', '%00', '%ff'].flatMap(
    (number): readonly Attack[] =>
      ['torrents?limit', 'torrents?offset', 'keys?limit', 'whitelist?offset'].map((place) => [
        `${place}=${number.slice(0, 30)}`,
        to('GET', `${place}=${number}`),
        400,
      ]),
  ),
  ...[
    ['nothing', ''],
    ['brackets', '['.repeat(MOST_BODY)],
    ['braces', '{"":'.repeat(500_000)],
    ['half an object', `{"key":"${STRANGE}","seconds_valid":`],
    ['half a text', `{"key":"${STRANGE}`],
    ['a field twice', `{"key":"${STRANGE}","key":"${STRANGE}","seconds_valid":1}`],
    ['one field', `{"key":"${STRANGE}"}`],
    ['a list too long', `["${STRANGE}",1,1]`],
    ['a text', `"${STRANGE}"`],
    ['no UTF-8', Buffer.from(`{"key":"\xff${STRANGE}","seconds_valid":1}`, 'latin1')],
    ['a byte order mark', `\ufeff{"key":"${STRANGE}","seconds_valid":1}`],
    ['zeros', '\0'.repeat(100_000)],
    ['a broken escape', `{"key":"\\uZZZZ","seconds_valid":1}`],
    ['prototypes', '{"__proto__":{"key":null,"seconds_valid":1}}'],
  ].map(([name, body]): Attack => [`a body of ${name}`, post('keys', body!), 400, 422]),
  ['a body of one byte too many', post('keys', ' '.repeat(MOST_BODY + 1)), 413],
  [
    'a body that is too long by its own word',
    post('keys', '', { 'content-length': '9'.repeat(15) }),
    400,
    413,
  ],
  ...[
    'text/plain',
    'application/x-www-form-urlencoded',
    'multipart/form-data; boundary=a',
    'json',
    '',
    '\xff',
    'a'.repeat(5_000),
  ].map(
    (type): Attack => [
      `a body of the type ${type.slice(0, 40)}`,
      post('keys', `{"key":"${STRANGE}","seconds_valid":1}`, { 'content-type': type }),
      415,
    ],
  ),
  ...(
    [
      ['none', {}],
      ['an empty one', { authorization: 'Bearer ' }],
      ['a key', { authorization: `Bearer ${KEY}` }],
      ['half of it', { authorization: `Bearer ${TOKEN.slice(1)}` }],
      ['one and more', { authorization: `Bearer ${TOKEN} ${TOKEN}` }],
      ['another scheme', { authorization: `Token ${TOKEN}` }],
      ['a name and a password', { authorization: `Basic ${btoa(`admin:${TOKEN}`)}` }],
      ['bytes', { authorization: 'Bearer \xff\xfe' }],
      ['another header', { 'x-api-key': TOKEN }],
      ['a cookie', { cookie: `token=${TOKEN}` }],
    ] as const
  ).flatMap(([name, headers]): readonly Attack[] =>
    [
      ['DELETE', `/api/v1/key/${KEY}`],
      ['POST', `/api/v1/whitelist/${'0'.repeat(40)}`],
      ['GET', '/api/v1/keys'],
      ['GET', '/api/v1/stats'],
      ['GET', '/nowhere'],
    ].map(([method, path]) => [
      `a token of ${name} for ${method} ${path}`,
      withoutToken(method!, path!, headers),
      path === '/nowhere' ? 401 : 500,
    ]),
  ),
  ['a token twice', withoutToken('GET', `/api/v1/keys?token=${TOKEN}&token=${TOKEN}`), 400],
  ['a token in the fragment', withoutToken('GET', `/api/v1/keys#token=${TOKEN}`), 400, 500],
  ['a token of 20 KB', withoutToken('GET', `/api/v1/keys?token=${'a'.repeat(20_000)}`), 431],
  ...[
    '/api/v1/../v1/keys',
    '/api/v1/%2e%2e/%2e%2e/etc/passwd',
    '//api/v1/keys',
    '/api/v1//keys',
    '/api\\v1\\keys',
    '/api/v1/keys/',
    '/api/v1/keys;a=b',
    '/api/v1/keys%00',
    '/api/v1/keys%2Freload',
    '/API/V1/KEYS',
    '/.git/config',
    '/api/v1/key',
    `/${'a/'.repeat(5_000)}`,
    '/api/v1/constructor',
    '/api/v1/__proto__',
  ].map((path): Attack => [`the path ${path.slice(0, 40)}`, withToken({ path }), 404]),
  ...['PUT', 'PATCH', 'TRACE', 'OPTIONS', 'PROPFIND', 'DELETE'].map(
    (method): Attack => [`${method} keys`, to(method, 'keys'), 405],
  ),
]

/** Bytes that are not a request, or half of one. */
const head = (line: string, ...headers: string[]) =>
  `${line}\r\nHost: a\r\n${headers.map((header) => `${header}\r\n`).join('')}`
const BYTES: readonly (readonly [
  name: string,
  bytes: string | Uint8Array,
  ...statuses: number[],
])[] = [
  ['zeros', new Uint8Array(1_000), 0, 400],
  [
    'the beginning of TLS',
    Uint8Array.of(22, 3, 1, 2, 0, 1, 0, 1, 252, 3, 3, 13, 10, 13, 10),
    0,
    400,
  ],
  [
    'a UDP connect',
    Uint8Array.of(0, 0, 4, 23, 39, 16, 25, 128, 0, 0, 0, 0, 0, 0, 0, 1, 13, 10, 13, 10),
    0,
    400,
  ],
  ['the preface of HTTP/2', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 0, 400, 500, 505],
  ['no version', 'GET /api/v1/keys\r\n\r\n', 0, 400, 505],
  ['a NUL in the path', `${head('GET /api/v1/ke\0ys HTTP/1.1', CLOSE.trim())}\r\n`, 0, 400, 505],
  ['a NUL in a header', `${head('GET /api/v1/keys HTTP/1.1', 'X: \0', CLOSE.trim())}\r\n`, 0, 400],
  [
    'ten thousand headers',
    `${head('GET /api/v1/keys HTTP/1.1')}${'X: y\r\n'.repeat(10_000)}\r\n`,
    431,
  ],
  [
    'two lengths',
    `${head('POST /api/v1/keys HTTP/1.1', 'Content-Length: 5', 'Content-Length: 6')}${AUTHORIZED}\r\n{"key`,
    400,
  ],
  [
    'a length and chunks',
    `${head('POST /api/v1/keys HTTP/1.1', 'Content-Length: 4', 'Transfer-Encoding: chunked')}${AUTHORIZED}\r\n0\r\n\r\n`,
    400,
  ],
  [
    'chunks that are none',
    `${head('POST /api/v1/keys HTTP/1.1', 'Content-Type: application/json', 'Transfer-Encoding: chunked')}${AUTHORIZED}\r\nzz\r\n{}\r\n`,
    400,
  ],
  [
    'a request behind the body of another',
    `${head('POST /api/v1/keys/reload HTTP/1.1', 'Content-Length: 4')}${AUTHORIZED}\r\nGET ${head('/api/v1/stats HTTP/1.1', CLOSE.trim())}\r\n`,
    0,
    400,
    405,
  ],
]

describe.each(PROGRAMS)('%s', (_program, program) => {
  let tracker: RunningTracker
  beforeAll(async () => {
    tracker = await runTracker(program, { mode: 'both' })
    await tracker.addKey(null, KEY)
    await tracker.call('POST', `whitelist/${HASH}`)
    await tracker.told({ key: KEY })
  })
  afterAll(() => tracker[Symbol.asyncDispose]())

  /** Nothing has changed, and clients are served. */
  const stands = async () => {
    expect(await tracker.call('GET', 'whitelist')).toEqual([HASH])
    expect(tracker.sql('SELECT key, valid_until FROM keys')).toEqual([[KEY, null]])
    expect(tracker.sql('SELECT info_hash FROM whitelist')).toEqual([[HASH]])
    expect(await tracker.stats()).toMatchObject({ torrents: 1, seeders: 1, leechers: 0 })
    expect(await tracker.told({ key: KEY })).toBe(1)
    const { status } = await tracker.ask({ path: '/api/health_check' })
    expect(status).toBe(200)
  }
  const send = async (bytes: string | Uint8Array) => {
    const answer = await exchange(tracker.api, bytes)
    return {
      ...parseResponse(answer),
      status: answer.length === 0 ? 0 : parseResponse(answer).status,
    }
  }

  describe('is sent', () => {
    afterEach(stands)

    test.each(ATTACKS)('%s', async (_name, request, ...statuses) => {
      const { status, headers, body } = await send(bytesOf(request))
      expect(statuses).toContain(status)
      // The answer stays short, whatever was sent.
      if (status !== 200) expect(body.length).toBeLessThan(2_000)
      if (status >= 400) {
        const type = headers['content-type'] ?? 'text/plain; charset=utf-8'
        expect(['text/plain; charset=utf-8', 'application/json']).toContain(type)
        expect(body.toString()).not.toContain(TOKEN)
      }
      // The one valid request made a key.
      if (status === 200) tracker.sql(`DELETE FROM keys WHERE key <> '${KEY}'`)
    })

    test.each(BYTES)('bytes that are not a request: %s', async (_name, bytes, ...statuses) => {
      expect(statuses).toContain((await send(bytes)).status)
    })

    test('clients that leave in the middle of a head or a body', async () => {
      const whole = bytesOf(keyOf(STRANGE))
      const leave = (length: number) => {
        const { promise, resolve } = Promise.withResolvers<void>()
        void Bun.connect({
          hostname: '127.0.0.1',
          port: Number(new URL(tracker.api).port),
          socket: {
            open(socket) {
              socket.write(whole.subarray(0, length))
              socket.flush()
              socket.terminate()
            },
            data() {},
            close: () => resolve(),
            error() {},
          },
        })
        return promise
      }
      for (let length = 0; length < whole.length; length += 5) await leave(length)
    })

    test('a hundred silent clients beside the others', async () => {
      const sockets = await Promise.all(
        Array.from({ length: 100 }, () =>
          Bun.connect({
            hostname: '127.0.0.1',
            port: Number(new URL(tracker.api).port),
            socket: { open: (socket) => void socket.write('GET /api'), data() {}, error() {} },
          }),
        ),
      )
      await stands()
      for (const socket of sockets) socket.terminate()
    })

    test('noise in paths, queries and bodies', async () => {
      const roll = dice()
      const bits = [
        '/',
        '..',
        '%2e',
        '%00',
        '%',
        '?',
        '&',
        '=',
        '"',
        '{',
        '}',
        '[',
        ']',
        ',',
        ':',
        '\\',
        'null',
        'key',
        'seconds_valid',
        'keys',
        'info_hash',
        '-1',
        'x9',
        'token',
        'é',
        // A letter short of a key, which no other bit adds: a key that is unknown would be answered 500.
        STRANGE.slice(1),
        HASH.slice(3),
      ]
      const noise = (most: number) =>
        Array.from({ length: roll(most) }, () => bits[roll(bits.length)]).join('')
      for (let time = 0; time < 300; time++) {
        const method = ['GET', 'POST', 'DELETE'][roll(3)]!
        const place = [
          'keys',
          'key/',
          'whitelist/',
          'whitelist/bulk',
          'keys/bulk',
          'torrent/',
          'torrents?',
          '',
        ][roll(8)]
        const path = `/api/v1/${place}${encodeURI(noise(6))}`
        const body = method === 'GET' ? {} : { body: noise(20) }
        const { status } = await send(bytesOf(withToken({ method, path, ...body })))
        const calm = [200, 400, 404, 405, 415, 422].includes(status)
        expect({ seed, method, path, body, status, calm }).toMatchObject({ calm: true })
        const stranger = await send(bytesOf({ method, path, ...body }))
        // 400: not a request; 401: `..` led out of /api/v1.
        const refused = [400, 401, 500].includes(stranger.status)
        expect({ seed, method, path, stranger: stranger.status, refused }).toMatchObject({
          refused: true,
        })
      }
    })
  })

  test('its whole output holds neither a key nor a token, and no forged line', async () => {
    for (const token of [TOKEN, OTHER_TOKEN])
      await tracker.ask({ path: `/api/v1/keys?${new URLSearchParams({ token })}` })
    const out = await tracker.stop()
    expect(out).not.toContain(STRANGE.slice(5))
    expect(out.match(/INFO API: Started on/g)).toHaveLength(1)
    // Refused tokens are answered 500 and logged, a limited number of times a minute, some with the address.
    const refused =
      / ERROR API: response call=[A-Z]+(?: \/api\/\S+)? latency_ms=\d+ status_code=500 /
    for (const line of out.split('\n'))
      if (!refused.test(line)) expect(line).not.toMatch(/ERROR|WARN (?!UDP|AUDIT: refused )/)
  })
})
