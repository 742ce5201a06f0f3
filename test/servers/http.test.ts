/** The HTTP tracker over real sockets. Names begin with ids of docs/behaviours.md. */
import { describe, expect, test } from 'bun:test'
import { Board } from '../../src/memory/board.ts'
import type { Tracker } from '../../src/tracker.ts'
import type { BencodeDictionary } from '../../src/wire/bencode.ts'
import {
  announceQuery,
  ask,
  exchange,
  get,
  hashA,
  hashB,
  parseResponse,
  percent,
  type Reply,
} from '../support/http-client.ts'
import { makeTracker, serve } from '../support/servers/served-http.ts'
import { until } from '../support/until.ts'

const proxied = { network: { on_reverse_proxy: true } }
const from = (ip: string) => ({ 'X-Forwarded-For': ip })
const announcePath = (changes = {}) => `/announce?${announceQuery(changes)}`
const scrapePath = (...hashes: Buffer[]) =>
  `/scrape?${hashes.map((hash) => `info_hash=${percent(hash)}`).join('&')}`

/** `ip:port` of the peers in an answer of dictionaries. */
const peersOf = ({ value }: Reply) =>
  (value.get('peers') as BencodeDictionary[]).map(
    (peer) => `${Buffer.from(peer.get('ip') as Uint8Array)}:${peer.get('port')}`,
  )
const files = ({ value }: Reply) =>
  [...(value.get('files') as BencodeDictionary)].map(([hash, entry]) => [
    Buffer.from(hash, 'latin1').toString('hex'),
    Object.fromEntries(entry as BencodeDictionary),
  ])

describe('announce', () => {
  test('H8, H11: peers of the family that asks come first, and get the places when there are few', async () => {
    await using tracker = await serve(proxied)
    const join = (ip: string) => get(tracker.url, announcePath({ port: 1 }), from(ip))
    for (const ip of ['203.0.113.1', '2001:db8::1', '203.0.113.2', '2001:db8::2']) await join(ip)
    const ask = async (ip: string, numwant: number) =>
      peersOf(await get(tracker.url, announcePath({ left: 1, numwant, port: 9 }), from(ip)))
    expect((await ask('203.0.113.9', 2)).sort()).toEqual(['203.0.113.1:1', '203.0.113.2:1'])
    expect((await ask('2001:db8::9', 2)).sort()).toEqual(['2001:db8::1:1', '2001:db8::2:1'])
    const families = (peers: string[]) => peers.map((peer) => peer.split(':').length > 2)
    expect(families(await ask('203.0.113.9', 9))).toEqual([false, false, true, true, true])
    expect(families(await ask('2001:db8::9', 9))).toEqual([true, true, false, false, false])
  })

  test('H7, S8: the mandatory parameters alone get a compact answer', async () => {
    await using tracker = await serve({ tracker: makeTracker({ interval: 7, intervalMin: 5 }) })
    const optional = { downloaded: undefined, uploaded: undefined, left: undefined }
    const reply = await get(
      tracker.url,
      announcePath({ ...optional, event: undefined, compact: undefined, peer_addr: undefined }),
    )
    expect(reply.status).toBe(200)
    expect(reply.headers['content-type']).toBe('application/octet-stream')
    expect(reply.body.toString()).toBe(
      'd8:completei0e10:incompletei1e8:intervali7e12:min intervali5e5:peers0:6:peers60:e',
    )
  })

  test('H7: a compact answer lists the earlier peer in six bytes', async () => {
    await using tracker = await serve(proxied)
    await get(tracker.url, announcePath({ left: 1 }), from('203.0.113.7'))
    const { value } = await get(tracker.url, announcePath({ compact: 1 }), from('203.0.113.8'))
    const endpoint = Uint8Array.of(203, 0, 113, 7, 17548 >> 8, 17548 & 255)
    expect(value.get('peers')).toEqual(endpoint)
    expect(value.get('peers6')).toEqual(new Uint8Array())
    expect([value.get('interval'), value.get('min interval')]).toEqual([120, 120])
  })

  test('H9: numwant limits the peers, and 0 is none', async () => {
    await using tracker = await serve(proxied)
    for (let i = 1; i <= 5; i++)
      await get(tracker.url, announcePath({ left: 1 }), from(`203.0.113.${i}`))
    const asked = async (numwant: number) =>
      peersOf(await get(tracker.url, announcePath({ left: 1, numwant }), from('203.0.113.9')))
        .length
    expect([await asked(0), await asked(2), await asked(4294967295)]).toEqual([0, 2, 5])
  })

  test("H12: the peer's address is that of the connection, not peer_addr or ip", async () => {
    await using tracker = await serve()
    await get(tracker.url, announcePath({ left: 1, peer_addr: 'nonsense', ip: '203.0.113.7' }))
    const reply = await get(tracker.url, announcePath({ left: 1, port: 2 }))
    expect(peersOf(reply)).toEqual(['127.0.0.1:17548'])
  })

  test.each(['2.137.87.41', '2001:db8::1'])(
    'S9: a loopback peer is told under the external address %s',
    async (external_ip) => {
      await using tracker = await serve({ network: { external_ip } })
      await get(tracker.url, announcePath({ left: 1 }))
      const reply = await get(tracker.url, announcePath({ left: 1, port: 2 }))
      expect(peersOf(reply)).toEqual([`${external_ip}:17548`])
      expect(tracker.count('announces')).toEqual([2, 0]) // the family it came from
    },
  )
})

describe('behind a proxy', () => {
  const failure =
    'Error resolving peer IP: missing or invalid the right most X-Forwarded-For IP (mandatory on reverse proxy tracker configuration)'

  test('H14: the right-most address counts, and several header lines are one list', async () => {
    await using tracker = await serve(proxied)
    const head = `GET ${announcePath()} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n`
    await exchange(
      tracker.url,
      `${head}X-Forwarded-For: 203.0.113.1\r\nx-forwarded-for: 2001:db8::7,203.0.113.2 , ::ffff:203.0.113.3 \r\n\r\n`,
    )
    const reply = await get(tracker.url, announcePath({ left: 1 }), from('203.0.113.8'))
    expect(peersOf(reply)).toEqual(['203.0.113.3:17548'])
  })

  test.each([
    ['no header', undefined],
    ['INVALID IP', 'INVALID IP'],
    ['nothing', ''],
    ['a trailing comma', '203.0.113.7,'],
    ['garbage behind an address', '203.0.113.7, unknown'],
    ['a port', '203.0.113.7:80'],
    ['brackets', '[::1]'],
    ['a zone', 'fe80::1%eth0'],
    ['a leading zero', '01.2.3.4'],
    ['bytes that are no text', '\xff\xfe'],
  ])('H14: %s is refused, for announce and scrape', async (_what, chain) => {
    await using tracker = await serve(proxied)
    const headers: Record<string, string> = chain === undefined ? {} : from(chain)
    for (const path of [announcePath(), scrapePath(hashA)]) {
      const reply = await get(tracker.url, path, headers)
      expect([reply.status, reply.failure]).toEqual([200, failure])
    }
    expect(tracker.count('errors')).toEqual([2, 0])
    expect(tracker.count('announces')).toEqual([0, 0])
  })

  test('a client without a known address is counted as IPv4, whatever the request before it was', async () => {
    await using tracker = await serve(proxied)
    await get(tracker.url, announcePath(), from('2001:db8::7'))
    await get(tracker.url, announcePath())
    expect(tracker.count('announces')).toEqual([0, 1])
    expect(tracker.count('errors')).toEqual([1, 0])
  })

  test('the header means nothing to a listener that has no proxy', async () => {
    await using tracker = await serve()
    await get(tracker.url, announcePath({ left: 1 }), from('203.0.113.7'))
    const reply = await get(tracker.url, announcePath({ left: 1, port: 2 }), from('INVALID'))
    expect(peersOf(reply)).toEqual(['127.0.0.1:17548'])
  })

  test('H1: the health check needs no header', async () => {
    await using tracker = await serve(proxied)
    const reply = await get(tracker.url, '/health_check')
    expect(reply.status).toBe(200)
    expect(reply.headers['content-type']).toBe('application/json')
    expect(reply.body.toString()).toBe('{"status":"Ok"}')
  })
})

describe('ip= where the listener believes it', () => {
  const believing = { use_ip_from_query_string: true }

  test.each([
    ['203.0.113.7', '203.0.113.7:17548'],
    ['2001:db8::7', '2001:db8::7:17548'],
    ['2001%3Adb8%3a%3A7', '2001:db8::7:17548'],
    ['::ffff:203.0.113.7', '203.0.113.7:17548'],
    ['0.0.0.0', '127.0.0.1:17548'],
    ['', '127.0.0.1:17548'],
  ])('%p makes the peer %s', async (ip, peer) => {
    await using tracker = await serve(believing)
    await get(tracker.url, announcePath({ left: 1, ip }))
    expect(peersOf(await get(tracker.url, announcePath({ left: 1, port: 2 })))).toEqual([peer])
  })

  test('H13: it goes before the external address and the proxy header', async () => {
    const network = { external_ip: '2.137.87.41', on_reverse_proxy: true }
    await using tracker = await serve({ ...believing, network })
    await get(tracker.url, announcePath({ left: 1, ip: '203.0.113.7' }), from('127.0.0.1'))
    const reply = await get(tracker.url, announcePath({ left: 1 }), from('203.0.113.8'))
    expect(peersOf(reply)).toEqual(['203.0.113.7:17548'])
  })

  test.each([
    ['example.org', 'DNS names are not supported for the announce ip parameter'],
    ['localhost', 'DNS names are not supported for the announce ip parameter'],
    ['1.2.3.4:80', 'The announce ip parameter must be an IPv4 or IPv6 literal'],
    ['01.2.3.4', 'The announce ip parameter must be an IPv4 or IPv6 literal'],
    ['[::1]', 'The announce ip parameter must be an IPv4 or IPv6 literal'],
    ['a_b.i2p~', 'The announce ip parameter must be an IPv4 or IPv6 literal'],
  ])('%s is refused', async (ip, words) => {
    await using tracker = await serve(believing)
    expect((await get(tracker.url, announcePath({ ip }))).failure).toBe(words)
  })
})

describe('scrape', () => {
  test('H16, S12: counts leechers and seeders; unknown torrents are zeroes, and are not created', async () => {
    await using tracker = await serve()
    const zero = { complete: 0, downloaded: 0, incomplete: 0 }
    const [a, b] = [hashA.toString('hex'), hashB.toString('hex')]
    const unknown = await get(tracker.url, scrapePath(hashA, hashB))
    expect(unknown.headers['content-type']).toBe('application/octet-stream')
    expect(files(unknown)).toEqual([
      [b, zero],
      [a, zero],
    ])
    await get(tracker.url, announcePath({ left: 1, event: 'started' }))
    const leecher = await get(tracker.url, scrapePath(hashA))
    expect(files(leecher)).toEqual([[a, { ...zero, incomplete: 1 }]])
    await get(tracker.url, announcePath({ left: 0 }))
    const seeder = await get(tracker.url, scrapePath(hashA, hashA))
    expect(files(seeder)).toEqual([[a, { complete: 1, downloaded: 1, incomplete: 0 }]])
  })
})

describe('keys', () => {
  const key = 'A1b2C3d4E5f6G7h8I9j0K1l2M3n4O5p6'

  test.each(['INVALID_KEY', `${key}x`, key.slice(1), '%ff', '..', `${key.slice(1)}%2f`])(
    'K6: %s is no key, even in public mode',
    async (bad) => {
      await using tracker = await serve()
      const paths = [announcePath(), scrapePath(hashA)].flatMap((path) => [
        path.replace('?', `/${bad}?`),
        `/${bad}${path}`,
      ])
      for (const path of paths) {
        const reply = await get(tracker.url, path)
        expect(reply.status).toBe(200)
        expect(reply.headers['content-type']).toBe('text/plain; charset=utf-8')
        expect(reply.failure).toBe(
          'Authentication error: Invalid format for authentication key param',
        )
      }
    },
  )

  test.each([key, key.replace('A', '%41')])('%s is ignored in public mode', async (good) => {
    await using tracker = await serve()
    expect((await get(tracker.url, announcePath().replace('?', `/${good}?`))).failure).toBe(
      undefined,
    )
    const scraped = await get(tracker.url, `/${good}${scrapePath(hashA)}`)
    expect(files(scraped)).toHaveLength(1)
  })
})

describe('statistics', () => {
  const ipv6 = { bind_address: { ip: '::', port: 0 } }
  const local = (url: string, host: string) => url.replace('[::]', host)

  test.each([
    ['127.0.0.1', [1, 0], '6:\x7f\x00\x00\x01'],
    ['[::1]', [0, 1], '0:'],
  ] as const)(
    'M2: a client from %s of a dual-stack listener is of its own family',
    async (host, counted, peers) => {
      await using tracker = await serve(ipv6)
      const url = local(tracker.url, host)
      await get(url, announcePath({ left: 1, peer_addr: '2001:db8::1' }))
      expect(tracker.count('announces')).toEqual([...counted])
      await get(url, scrapePath(hashA))
      expect(tracker.count('scrapes')).toEqual([...counted])
      const reply = await get(url, announcePath({ left: 1, port: 2, compact: 1 }))
      expect(reply.body.toString('latin1')).toContain(`5:peers${peers}`)
    },
  )

  test('errors and requests of other routes are counted apart', async () => {
    await using tracker = await serve()
    await get(tracker.url, announcePath({ port: 'a' }))
    await get(tracker.url, '/scrape?info_hash=1')
    await get(tracker.url, '/favicon.ico')
    await get(tracker.url, announcePath())
    expect(tracker.count('received')).toEqual([4, 0])
    expect(tracker.count('errors')).toEqual([2, 0])
    expect(tracker.count('malformed')).toEqual([1, 0])
    expect(tracker.count('announces')).toEqual([1, 0])
    expect(tracker.count('scrapes')).toEqual([0, 0])
    expect(tracker.count('responses')).toEqual([4, 0])
  })
})

describe('routes', () => {
  test.each([
    '/',
    '/announce/',
    '/announce//',
    '/announce/K/',
    '/announce//K',
    '/announce/K/x',
    '//announce',
    '/K/announce/',
    '/K/announce/x',
    '/x/K/announce',
    '/K/health_check',
    '/scrape/',
    '/health_check/',
    '/Announce',
    '/%61nnounce',
    '/x/../announce',
  ])('%s is not found', async (path) => {
    await using tracker = await serve()
    const reply = await get(tracker.url, `${path}?${announceQuery()}`)
    expect([reply.status, reply.body.length]).toEqual([404, 0])
  })

  const request = async (url: string, line: string) =>
    parseResponse(await exchange(url, `${line} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n`))

  test.each(['POST', 'PUT', 'DELETE', 'PATCH', 'OPTIONS', 'TRACE', 'PROPFIND'])(
    '%s is not allowed where GET is, and not found elsewhere',
    async (method) => {
      await using tracker = await serve()
      const withKey = ['/announce/K', '/K/announce', '/scrape/K', '/K/scrape']
      for (const path of [announcePath(), '/scrape', '/health_check', ...withKey]) {
        const reply = await request(tracker.url, `${method} ${path}`)
        expect([reply.status, reply.body.length, reply.headers.allow]).toEqual([405, 0, 'GET,HEAD'])
      }
      expect((await request(tracker.url, `${method} /announce/K/x`)).status).toBe(404)
      expect(tracker.count('announces')).toEqual([0, 0])
    },
  )

  test('H2: HEAD gets the head of an answer and changes nothing', async () => {
    await using tracker = await serve()
    for (const path of [announcePath(), '/announce/K', '/K/announce', scrapePath(hashA)]) {
      const reply = await request(tracker.url, `HEAD ${path}`)
      expect([reply.status, reply.body.length]).toEqual([200, 0])
      expect(reply.headers['content-type']).toBe('application/octet-stream')
    }
    expect((await request(tracker.url, 'HEAD /health_check')).status).toBe(200)
    expect((await request(tracker.url, 'HEAD /nowhere')).status).toBe(404)
    expect(tracker.count('announces')).toEqual([0, 0])
    const [[, entry] = []] = files(await get(tracker.url, scrapePath(hashA)))
    expect(entry).toEqual({ complete: 0, downloaded: 0, incomplete: 0 })
  })
})

test('an unexpected error is answered 500, reported once, and the next request is served', async () => {
  const real = makeTracker()
  let broken = true
  const tracker = {
    rules: real.rules,
    announce: (...all: Parameters<Tracker['announce']>) => {
      if (broken) throw new RangeError('a bug')
      return real.announce(...all)
    },
    scrape: () => {
      throw new RangeError('a bug')
    },
  } as unknown as Tracker
  await using serving = await serve({ tracker })
  for (const path of [announcePath(), announcePath(), scrapePath(hashA)]) {
    const reply = await get(serving.url, path)
    expect([reply.status, reply.body.length]).toEqual([500, 0])
  }
  expect(serving.reports).toEqual(['announce: RangeError', 'scrape: RangeError'])
  broken = false
  expect((await get(serving.url, announcePath())).value.get('complete')).toBe(1)
})

test('a refusal of the tracker is a failure reason', async () => {
  const { rules } = makeTracker()
  const tracker = { rules, announce: () => 'full' } as unknown as Tracker
  await using serving = await serve({ tracker })
  expect((await get(serving.url, announcePath())).failure).toBe(
    'Tracker error: tracker is full, come back later',
  )
  expect(serving.count('errors')).toEqual([1, 0])
})

describe('the listener', () => {
  test('leaves nothing behind when it is closed: a tracker that is reloaded opens many', async () => {
    const gone: number[] = []
    const registry = new FinalizationRegistry((number: number) => void gone.push(number))
    const open = async (number: number) => {
      await using tracker = await serve()
      registry.register(tracker.tracker, number)
    }
    const most = 8
    for (let i = 0; i < most; i++) await open(i)
    await until('the first are collected', () => {
      Bun.gc(true)
      // The last may still be on the stack.
      return gone.length >= most - 2
    })
  })

  test('an IPv6-only listener leaves the IPv4 port of the same number free', async () => {
    await using six = await serve({
      bind_address: { ip: '::', port: 0 },
      network: { ipv6_v6only: true },
    })
    const { port } = six.address
    await using four = await serve({ bind_address: { ip: '0.0.0.0', port } })
    await get(`http://[::1]:${port}`, announcePath())
    await get(`http://127.0.0.1:${port}`, announcePath())
    expect([six.count('announces'), four.count('announces')]).toEqual([
      [0, 1],
      [1, 0],
    ])
  })

  test('stopping answers what has arrived, closes every connection and frees the port', async () => {
    const tracker = await serve()
    const answers: string[] = []
    const closed = Promise.withResolvers<void>()
    const first = Promise.withResolvers<void>()
    const client = await Bun.connect({
      hostname: '127.0.0.1',
      port: tracker.address.port,
      socket: {
        data(_socket, bytes) {
          answers.push(bytes.toString())
          first.resolve()
        },
        close: () => closed.resolve(),
      },
    })
    const question = `GET ${announcePath()} HTTP/1.1\r\nHost: a\r\n\r\n`
    client.write(question)
    await first.promise
    client.write(question)
    await tracker.stop(1_000)
    await closed.promise
    expect(answers).toHaveLength(2)
    await using again = await serve({ bind_address: tracker.address })
    expect(again.address.port).toBe(tracker.address.port)
  })

  test('stopping does not wait for a half-sent request longer than its grace', async () => {
    const tracker = await serve()
    const closed = Promise.withResolvers<void>()
    const opened = Promise.withResolvers<void>()
    const client = await Bun.connect({
      hostname: '127.0.0.1',
      port: tracker.address.port,
      socket: { data: () => opened.resolve(), close: () => closed.resolve() },
    })
    client.write('GET /health_check HTTP/1.1\r\nHost: a\r\n\r\nGET /announce?')
    await opened.promise
    await tracker.stop(10)
    await closed.promise
  })
})

describe('the page for people', () => {
  const page = new Board(1_000)
  page.put('<li>udp://HOST:6969/announce</li>')

  test('is there only where the listener shows it', async () => {
    await using hidden = await serve({ page })
    expect((await get(hidden.url, '/')).status).toBe(404)
    await using none = await serve({ public_page: true })
    expect((await get(none.url, '/')).status).toBe(404)
    await using empty = await serve({ public_page: true, page: new Board(10) })
    expect((await get(empty.url, '/')).status).toBe(404)
    await using shown = await serve({ public_page: true, page })
    const reply = await get(shown.url, '/')
    expect([reply.status, reply.headers['content-type'], reply.headers['x-frame-options']]).toEqual(
      [200, 'text/html; charset=utf-8', 'DENY'],
    )
    expect((await ask(shown.url, { method: 'HEAD', path: '/' })).status).toBe(200)
    expect((await ask(shown.url, { method: 'POST', path: '/' })).status).toBe(404)
    expect(shown.count('malformed')).toEqual([1, 0])
  })

  test.each([
    ['tracker.example', 'tracker.example'],
    ['tracker.example:7070', 'tracker.example'],
    ['192.0.2.1:80', '192.0.2.1'],
    ['[2001:db8::1]:7070', '[2001:db8::1]'],
    ['<script>', 'HOST'],
    ['a"b', 'HOST'],
    ['a/b', 'HOST'],
    ['a b', 'HOST'],
  ])('names the host that was asked for: %s', async (host, shown) => {
    await using tracker = await serve({ public_page: true, page })
    const reply = await get(tracker.url, '/', { host })
    // Some hosts are none for the server, which then answers itself.
    if (reply.status === 200) expect(`${reply.body}`).toBe(`<li>udp://${shown}:6969/announce</li>`)
    else expect([reply.status, shown]).toEqual([400, 'HOST'])
  })
})
