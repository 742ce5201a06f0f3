/**
 * The management API of the running program, from the source and compiled. The ids in the names are those of
 * docs/behaviours.md.
 *
 * Not tested here, because they do not apply to a running program: a stopped service in O2 (no listener can be stopped
 * alone; servers/health-api.test.ts), the whitelist in memory of a tracker that is not listed (A23: its database is
 * read instead), M1 with a million torrents (bench), U14 (no system sends from port 0; servers/udp.test.ts).
 */

import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { CASES, expectedIn, NEEDS_DATABASE, TOKEN } from '../support/api/cases.ts'
import { withToken } from '../support/api/served-api.ts'
import { bothPrograms, launch } from '../support/e2e/program.ts'
import {
  OTHER_TOKEN,
  type RunningTracker,
  runTracker,
  tomlOf,
} from '../support/e2e/tracker-process.ts'
import { hashA, hashB } from '../support/http-client.ts'
import { hashOf } from '../support/udp-client.ts'
import { until } from '../support/until.ts'

const PROGRAMS = bothPrograms()
const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex')
const KEY = '0123456789abcdefghijklmnopqrstuv'
const [SMALL, LARGE] = [hex(hashB), hex(hashA)]

describe.each(PROGRAMS)('%s', (_program, program) => {
  describe('an empty tracker', () => {
    let tracker: RunningTracker
    beforeAll(async () => {
      tracker = await runTracker(program)
    })
    afterAll(() => tracker[Symbol.asyncDispose]())

    test.each(CASES.map((one) => [one.name, one] as const))('%s', async (_name, one) => {
      const { status, headers, body } = await tracker.ask(one)
      const expected = expectedIn('3.0.0', one)
      expect({
        status,
        type: headers['content-type'],
        allow: headers.allow,
        id: typeof headers['x-request-id'],
        body,
      }).toEqual({
        status: one.status,
        type: one.type,
        allow: one.allow,
        id: 'string',
        body: expected instanceof RegExp ? expect.stringMatching(expected) : expected,
      })
    })

    test('A9, O2: health names every service in both generations’ fields', async () => {
      const reply = await fetch(`${tracker.health}/health_check`)
      expect([reply.status, reply.headers.get('content-type')]).toEqual([200, 'application/json'])
      const [udp, http, api] = [
        `127.0.0.1:${tracker.udp[0]}`,
        tracker.http[0]!.slice('http://'.length),
        tracker.api.slice('http://'.length),
      ]
      expect(await reply.text()).toBe(
        JSON.stringify({
          status: 'Ok',
          message: '',
          details: [
            {
              service_binding: `udp://${udp}`,
              binding: udp,
              service_type: 'udp_tracker',
              public_url: null,
              info: `checking the udp tracker health check at: ${udp}`,
              result: { Ok: 'Connected' },
            },
            {
              service_binding: `http://${http}/`,
              binding: http,
              service_type: 'http_tracker',
              public_url: null,
              info: `checking http tracker health check at: http://${http}/health_check`,
              result: { Ok: '200 OK' },
            },
            {
              service_binding: `http://${api}/`,
              binding: api,
              service_type: 'tracker_rest_api',
              public_url: null,
              info: `checking api health check at: http://${api}/api/health_check`,
              result: { Ok: '200 OK' },
            },
          ],
          database: { driver: 'sqlite3', result: { Ok: 'Connected' } },
          memory: { used: 0, limit: 64 * 2 ** 20 },
        }),
      )
    })

    test('logs no secret', () => tracker.stop())
  })

  describe('with torrents and keys', () => {
    let tracker: RunningTracker
    beforeAll(async () => {
      tracker = await runTracker(program)
    })
    afterAll(() => tracker[Symbol.asyncDispose]())
    const page = (query: string) => tracker.call('GET', `torrents${query}`)
    const summary = (hash: string, seeders: number, leechers: number) => ({
      info_hash: hash,
      seeders,
      completed: 0,
      leechers,
    })

    test('M1: one seeder is one torrent and one seeder', async () => {
      await tracker.announce({ hash: hashB })
      expect(await tracker.stats()).toMatchObject({
        torrents: 1,
        seeders: 1,
        completed: 0,
        leechers: 0,
      })
    })

    test('A13, A14: lists are sorted by info hash, in pages, or in the order asked', async () => {
      expect(await page('')).toEqual([summary(SMALL, 1, 0)])
      await tracker.announce({ query: { left: 5, event: 'started' } })
      const [small, large] = [summary(SMALL, 1, 0), summary(LARGE, 0, 1)]
      for (const [query, expected] of [
        ['', [small, large]],
        ['?limit=1', [small]],
        ['?offset=1', [large]],
        ['?offset=1&limit=1', [large]],
        ['?offset=2', []],
        ['?limit=0', []],
        [`?info_hash=${SMALL}&info_hash=${SMALL}`, [small, small]],
        [`?info_hash=${LARGE}&info_hash=${hex(hashOf(9))}&info_hash=${SMALL}`, [large, small]],
        [`?info_hash=${LARGE.toUpperCase()}&limit=0&offset=7`, [large]],
      ] as const)
        expect([query, await page(query)]).toEqual([query, expected])
      const { body } = await tracker.ask(withToken({ path: '/api/v1/torrents?limit=1' }))
      expect(body).toBe(`[{"info_hash":"${SMALL}","seeders":1,"completed":0,"leechers":0}]`)
    })

    test('A11: a torrent lists its peers, every field in order', async () => {
      const before = Math.floor(Date.now() / 1000) * 1000
      using peer = await tracker.peer()
      await peer.announce(hashOf(7), { left: 3, port: 6881, event: 2 })
      const query = { peer_id: '-qB0000-000000000000', uploaded: 7, downloaded: '9007199254740993' }
      await tracker.announce({ hash: hashOf(7), query })
      const { body } = await tracker.ask(withToken({ path: `/api/v1/torrent/${hex(hashOf(7))}` }))
      const moments = Array.from(body.matchAll(/"updated\w*":(\d+)/g), ([, ms]) => Number(ms))
      expect(moments).toHaveLength(6)
      for (const moment of moments) {
        expect(moment).toBeGreaterThanOrEqual(before)
        expect(moment).toBeLessThanOrEqual(Date.now())
      }
      const [first, second] = [moments[0], moments[3]]
      expect(moments).toEqual([first, first, first, second, second, second] as number[])
      const peerText = (id: string, client: string, port: number, moment: number, counts: string) =>
        `{"peer_id":{"id":"0x${Buffer.from(id).toString('hex')}","client":${client}},"peer_addr":"127.0.0.1:${port}","updated":${moment},"updated_milliseconds_ago":${moment},"updated_at_ms":${moment},${counts}}`
      expect(body).toBe(
        `{"info_hash":"${hex(hashOf(7))}","seeders":1,"completed":0,"leechers":1,"peers":[${[
          peerText(
            '-TT0001-abcdefghijkl',
            '"TuoTu"',
            6881,
            first!,
            '"uploaded":0,"downloaded":0,"left":3,"event":"Started"',
          ),
          peerText(
            '-qB0000-000000000000',
            '"qBittorrent"',
            17548,
            second!,
            '"uploaded":7,"downloaded":9007199254740993,"left":0,"event":"Completed"',
          ),
        ].join(',')}]}`,
      )
    })

    test('A12: an unknown torrent is no failure', async () => {
      expect(await tracker.call('GET', `torrent/${hex(hashOf(99))}`)).toBe('torrent not known')
    })

    test('A2: every token is accepted, in the header and in the query', async () => {
      const query = new URLSearchParams({ token: OTHER_TOKEN })
      for (const request of [
        { path: '/api/v1/stats', headers: { authorization: `Bearer ${OTHER_TOKEN}` } },
        { path: '/api/v1/stats', headers: { authorization: `Bearer ${TOKEN}` } },
        { path: `/api/v1/stats?${query}` },
        { path: `/api/v1/stats?token=${TOKEN}` },
      ])
        expect((await tracker.ask(request)).status).toBe(200)
    })

    test('A23: the whitelist is stored though the tracker is not listed', async () => {
      await tracker.call('POST', `whitelist/${LARGE.toUpperCase()}`)
      expect(tracker.sql('SELECT info_hash FROM whitelist')).toEqual([[LARGE]])
      expect(await tracker.told({ hash: hashOf(8) })).toBe(1)
      await tracker.call('DELETE', `whitelist/${LARGE}`)
      expect(tracker.sql('SELECT info_hash FROM whitelist')).toEqual([])
      expect(await page(`?info_hash=${LARGE}`)).toEqual([summary(LARGE, 0, 1)])
    })

    test('A17, A18, K7: a key is answered as it is stored', async () => {
      const expires = async (form: object, seconds: number) => {
        const from = Math.floor(Date.now() / 1000)
        const { key, valid_until, expiry_time } = await tracker.call('POST', 'keys', form)
        expect(key).toMatch(/^[0-9A-Za-z]{32}$/)
        expect(valid_until).toBeGreaterThanOrEqual(from + seconds)
        expect(valid_until).toBeLessThanOrEqual(Math.floor(Date.now() / 1000) + seconds)
        const text = new Date(valid_until * 1000).toISOString().replace('T', ' ').slice(0, 19)
        expect(expiry_time).toMatch(new RegExp(`^${text}(\\.\\d{3})? UTC$`))
        const row = `SELECT valid_until FROM keys WHERE key = '${key}'`
        expect(tracker.sql(row)).toEqual([[valid_until]])
        return key
      }
      const generated = await expires({ key: null, seconds_valid: 100 }, 100)
      expect(await expires({ key: KEY, seconds_valid: 100 }, 100)).toBe(KEY)
      expect(generated).not.toBe(KEY)
      for (const key of [null, KEY.toUpperCase()])
        expect(await tracker.call('POST', 'keys', { key, seconds_valid: null })).toEqual({
          key: key ?? expect.stringMatching(/^[0-9A-Za-z]{32}$/),
          valid_until: null,
          expiry_time: null,
        })
      expect(tracker.sql('SELECT count(*) FROM keys WHERE valid_until IS NULL')).toEqual([[2]])
    })

    test('A17: keys of the epoch are shown to the second', async () => {
      tracker.sql('DELETE FROM keys')
      tracker.sql(
        `INSERT INTO keys (key, valid_until) VALUES ('${KEY}', 60), ('a${KEY.slice(1)}', 0)`,
      )
      const { body, headers } = await tracker.ask(withToken({ path: '/api/v1/keys' }))
      expect(headers['content-type']).toBe('application/json; charset=utf-8')
      expect(body).toBe(
        `[{"key":"${KEY}","valid_until":60,"expiry_time":"1970-01-01 00:01:00 UTC"},{"key":"a${KEY.slice(1)}","valid_until":0,"expiry_time":"1970-01-01 00:00:00 UTC"}]`,
      )
    })

    describe('and with its tables dropped', () => {
      beforeAll(() => {
        tracker.sql('DROP TABLE whitelist; DROP TABLE keys')
      })
      test.each(
        NEEDS_DATABASE.map(
          ([, method, path, body, reason, newer = reason]) => [method, path, body, newer] as const,
        ),
      )('A25: %s %s fails', async (method, path, body, reason) => {
        const content = body === undefined ? {} : { body }
        const reply = await tracker.ask(withToken({ method, path, ...content }))
        expect([reply.status, reply.headers['content-type']]).toEqual([
          500,
          'text/plain; charset=utf-8',
        ])
        expect(reply.body).toStartWith(
          `Unhandled rejection: Err { reason: "${reason}: The Sqlite3 query was malformed: no such table: `,
        )
        expect(await tracker.told()).toBe(1)
      })
    })

    test('logs no secret', () => tracker.stop())
  })

  describe('without a database', () => {
    let tracker: RunningTracker
    beforeAll(async () => {
      tracker = await runTracker(program, { database: false })
    })
    afterAll(() => tracker[Symbol.asyncDispose]())

    test.each(NEEDS_DATABASE.map(([, method, path, body]) => [method, path, body] as const))(
      'A26: %s %s is a conflict',
      async (method, path, body) => {
        const content = body === undefined ? {} : { body }
        const reply = await tracker.ask(withToken({ method, path, ...content }))
        const what = path.includes('whitelist') ? 'whitelist' : 'auth keys'
        expect([reply.status, reply.headers['content-type'], reply.body]).toEqual([
          409,
          'application/json',
          `{"status":"err","reason":"${what} capability is disabled by configuration"}`,
        ])
      },
    )

    test('everything else is served', async () => {
      expect(await tracker.told()).toBe(1)
      expect(await tracker.call('GET', 'torrents')).toEqual([
        { info_hash: LARGE, seeders: 1, completed: 0, leechers: 0 },
      ])
      expect(await tracker.stats()).toMatchObject({
        torrents: 1,
        completed_persisted_enabled: false,
      })
    })

    test('logs no secret', () => tracker.stop())
  })

  test('O2: the health of a tracker without services is None', async () => {
    const toml = tomlOf({ database: false, listeners: '' }).replace(/\[http_api\][^[]+/, '')
    await using run = await launch(program, { toml })
    const { health_checks } = await run.services()
    const reply = await fetch(health_checks[0]!)
    expect([reply.status, await reply.text()]).toEqual([
      200,
      '{"status":"None","message":"","details":[],"memory":{"used":0,"limit":67108864}}',
    ])
  })

  test('A2: an API without a token gets one generated, which is accepted', async () => {
    const toml = tomlOf({ database: false }).replace(/access_tokens = .*/, '')
    await using run = await launch(program, { toml })
    const [, api] = await run.says(/INFO API: Started on: (\S+)/)
    const [, token] = await until(
      'a token',
      () => /token for this run: (\S+)/.exec(run.text.err) ?? undefined,
    )
    const ask = (shown = '') => fetch(`${api}/api/v1/stats?token=${shown}`)
    expect([(await ask(token)).status, (await ask()).status]).toEqual([200, 500])
    expect((await run.stop()).out).not.toContain(token!)
  })
})
