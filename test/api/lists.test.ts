/** Lists of torrents, keys and the whitelist, long ones in particular: complete, in order, never all in memory. */
import { describe, expect, test } from 'bun:test'
import { brotliDecompressSync, gunzipSync, inflateSync, zstdDecompressSync } from 'node:zlib'
import type { TorrentSummary } from '../../src/view/listing.ts'
import { TOKEN } from '../support/api/cases.ts'
import { askWithToken, listing, serve, withToken } from '../support/api/served-api.ts'
import { ask, bytesOf, dechunk } from '../support/http-client.ts'
import { until } from '../support/until.ts'

const hash = (n: number): string => n.toString(16).padStart(40, '0')
const summary = (n: number): TorrentSummary => ({
  infoHash: hash(n),
  seeders: n % 7,
  leechers: n % 5,
  downloaded: n,
})
const summaries = (count: number) => Array.from({ length: count }, (_, n) => summary(n))
const shown = ({ infoHash, seeders, downloaded, leechers }: TorrentSummary) => ({
  info_hash: infoHash,
  seeders,
  completed: downloaded,
  leechers,
})

async function withTorrents(count: number) {
  const api = await serve()
  api.torrents.summaries = summaries(count)
  const list = async (query = '') => {
    const reply = await askWithToken(api.url, { path: `/api/v1/torrents${query}` })
    return { reply, torrents: JSON.parse(dechunk(reply).toString()) }
  }
  return { ...api, list, [Symbol.asyncDispose]: () => api.stop(0) }
}

describe('the list of torrents', () => {
  test('A15: has 4000 by default', async () => {
    await using api = await withTorrents(4_001)
    expect((await api.list()).torrents).toEqual(summaries(4_000).map(shown))
  })

  test.each([999, 1_000, 1_001, 50_000])('has all of %d', async (count) => {
    await using api = await withTorrents(count)
    expect((await api.list('?limit=4294967295')).torrents).toEqual(summaries(count).map(shown))
  })

  test.each(['identity', 'gzip', 'zstd'])(
    'stops when its reader stops, and is abandoned when the reader leaves: %s',
    async (coding) => {
      await using api = await withTorrents(1_000_000)
      const path = '/api/v1/torrents?limit=4294967295'
      const { promise: open, resolve } = Promise.withResolvers<void>()
      const socket = await Bun.connect({
        hostname: '127.0.0.1',
        port: api.address.port,
        socket: {
          open(self) {
            self.pause()
            self.write(bytesOf(withToken({ path, headers: { 'accept-encoding': coding } })))
            resolve()
          },
          data() {},
          error() {},
        },
      })
      await open
      await until('the list to begin', () => api.torrents.batches > 0)
      // It goes on until the kernel's buffers are full.
      let before = -1
      await until('the list to wait for its reader', async () => {
        const same = before === api.torrents.batches
        before = api.torrents.batches
        for (let turn = 0; turn < 20; turn++)
          await ask(api.url, { path: '/api/health_check', headers: {} })
        return same
      })
      expect(api.torrents.batches).toBeLessThan(900)
      socket.terminate()
      await until('the list to be abandoned', () => api.torrents.abandoned === 1)
      expect(api.reports).toEqual([])
    },
  )

  test('is abandoned when its reader left before it began', async () => {
    const asked = Promise.withResolvers<void>()
    const gate = Promise.withResolvers<void>()
    let isOver = false
    await using api = await serve({
      torrents: listing(async function* () {
        try {
          asked.resolve()
          await gate.promise
          for (;;) yield summaries(1_000)
        } finally {
          isOver = true
        }
      }),
    })
    const socket = await Bun.connect({
      hostname: '127.0.0.1',
      port: api.address.port,
      socket: {
        open: (self) => void self.write(bytesOf(withToken({ path: '/api/v1/torrents' }))),
        data() {},
        error() {},
      },
    })
    await asked.promise
    socket.terminate()
    // By the answers to later requests the server has seen that the client left.
    for (let i = 0; i < 5; i++) await ask(api.url, { path: '/api/health_check' })
    gate.resolve()
    await until('the list to be abandoned', () => isOver)
  })

  test('gives the event loop its turns, however fast its parts are made and taken', async () => {
    let began = 0
    let rang = false
    await using api = await serve({
      // Without turns no timer would run before the last batch is made: nothing here waits.
      torrents: listing(async function* () {
        yield summaries(1_000)
        setTimeout(() => {
          rang = true
        }, 0)
        for (; began < 20_000 && !rang; began++) yield [summary(began)]
      }),
    })
    const { status } = await askWithToken(api.url, { path: '/api/v1/torrents' })
    expect([status, rang]).toEqual([200, true])
    expect(began).toBeLessThan(20_000)
  })

  test('that breaks off is not taken for a whole one', async () => {
    await using api = await withTorrents(20_000)
    api.torrents.broken = 10
    for (const coding of ['identity', 'gzip', 'zstd']) {
      api.torrents.batches = 0
      const path = '/api/v1/torrents?limit=20000'
      const reply = await askWithToken(api.url, { path, headers: { 'accept-encoding': coding } })
      if (coding === 'identity') expect(reply.status).toBe(200)
      expect(reply.body.toString('latin1')).not.toEndWith('0\r\n\r\n')
      expect(() => dechunk(reply)).toThrow()
    }
    expect(api.reports).toEqual(['GET /api/v1/torrents: RangeError'])
  })

  test('that breaks off writes nothing on standard error', async () => {
    const script = `
      import { askWithToken, serve } from '${import.meta.dir}/../support/api/served-api.ts'
      const api = await serve()
      api.torrents.summaries = Array.from({ length: 20_000 }, () => (${JSON.stringify(summary(1))}))
      api.torrents.broken = 10
      const reply = await askWithToken(api.url, { path: '/api/v1/torrents?limit=20000' })
      console.log(reply.status)
      await api.stop(0)`
    const child = Bun.spawn(['bun', '-e', script], { stdout: 'pipe', stderr: 'pipe' })
    const [out, error] = await Promise.all([child.stdout.text(), child.stderr.text()])
    expect([out, error]).toEqual(['200\n', ''])
  })

  test.each([
    ['zstd', zstdDecompressSync],
    ['br', brotliDecompressSync],
    ['gzip', gunzipSync],
    ['deflate', inflateSync],
  ] as const)('comes compressed as %s, long or short', async (coding, decompress) => {
    for (const count of [1, 20_000]) {
      await using api = await withTorrents(count)
      const path = '/api/v1/torrents?limit=20000'
      const reply = await askWithToken(api.url, { path, headers: { 'accept-encoding': coding } })
      expect(reply.headers).toMatchObject({
        'content-encoding': coding,
        'content-type': 'application/json',
        vary: 'accept-encoding',
      })
      // The length of the compressed body if it is known, never that of the body before.
      const length = reply.headers['content-length'] ?? String(reply.body.length)
      expect(length).toBe(String(reply.body.length))
      expect(JSON.parse(decompress(dechunk(reply)).toString())).toEqual(summaries(count).map(shown))
    }
  })

  test('has no body for a HEAD, and is not made to the end', async () => {
    await using api = await withTorrents(100_000)
    const path = '/api/v1/torrents?limit=100000'
    const reply = await askWithToken(api.url, { method: 'HEAD', path })
    expect([reply.status, reply.body.length]).toEqual([200, 0])
    expect(reply.headers['content-type']).toBe('application/json')
    await until('the list to be abandoned', () => api.torrents.abandoned === 1)
    expect(api.torrents.batches).toBe(1)
  })
})

test('A41: torrents are asked for in the order that the query names, and that of before without one', async () => {
  const asked: unknown[] = []
  await using api = await serve({
    torrents: listing(async function* (...page) {
      asked.push(page)
      yield []
    }),
  })
  for (const query of ['', '?sort=info_hash', '?sort=seeders&limit=5', '?offset=1&sort=peers'])
    await askWithToken(api.url, { path: `/api/v1/torrents${query}` })
  expect(asked).toEqual([
    [0, 4000, undefined],
    [0, 4000, 'info_hash'],
    [0, 5, 'seeders'],
    [1, 4000, 'peers'],
  ])
})

describe('the lists of keys and whitelist', () => {
  test('A27: are fetched from the database some thousands at a time', async () => {
    await using api = await serve()
    for (let n = 0; n < 10_000; n++) {
      api.permissions.whitelist.add(hash(n))
      const key = String(n).padStart(32, '0')
      api.permissions.keys.set(key, { key, expires: n % 2 === 0 ? null : BigInt(n) * 1_500n })
    }
    const hashes = await askWithToken(api.url, { path: '/api/v1/whitelist?limit=20000' })
    expect(JSON.parse(dechunk(hashes).toString())).toEqual(
      Array.from({ length: 10_000 }, (_, n) => hash(n)),
    )
    const keys = await askWithToken(api.url, { path: '/api/v1/keys?offset=1&limit=9000' })
    expect(keys.headers['content-type']).toBe('application/json; charset=utf-8')
    const list = JSON.parse(dechunk(keys).toString())
    expect(list).toHaveLength(9_000)
    expect(list.slice(0, 2)).toEqual([
      { key: `${'0'.repeat(31)}1`, valid_until: 1, expiry_time: '1970-01-01 00:00:01.500 UTC' },
      { key: `${'0'.repeat(31)}2`, valid_until: null, expiry_time: null },
    ])
    expect(api.permissions.asked).toEqual([
      'listWhitelist 0 4096',
      'listWhitelist 4096 4096',
      'listWhitelist 8192 4096',
      'listKeys 1 4096',
      'listKeys 4097 4096',
      'listKeys 8193 808',
    ])
  })
})

test('a list is complete on a connection that is used again', async () => {
  await using api = await withTorrents(3_000)
  const request = `GET /api/v1/torrents HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer ${TOKEN}\r\n\r\n`
  let bytes = ''
  let closed = false
  const socket = await Bun.connect({
    hostname: '127.0.0.1',
    port: api.address.port,
    socket: {
      data(_socket, part) {
        bytes += part.toString('latin1')
      },
      close() {
        closed = true
      },
      error() {},
    },
  })
  // One after the other: Bun closes the connection on a request that arrives while a list is being sent.
  for (let time = 0; time < 3; time++) {
    bytes = ''
    socket.write(request)
    await until('the list to end', () => closed || bytes.endsWith('\r\n0\r\n\r\n'))
    expect([closed, bytes.match(/HTTP\/1\.1 200 OK/g)?.length]).toEqual([false, 1])
    const body = Buffer.from(bytes.slice(bytes.indexOf('\r\n\r\n') + 4), 'latin1')
    const list = dechunk({ headers: { 'transfer-encoding': 'chunked' }, body }).toString()
    expect(JSON.parse(list)).toEqual(summaries(3_000).map(shown))
  }
  socket.terminate()
})
