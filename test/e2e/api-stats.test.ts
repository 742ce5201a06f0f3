/**
 * The figures of `GET /api/v1/stats` after requests to the running program, by family, transport and listener. The
 * ids in the names are those of docs/behaviours.md. Figures that a case does not name must not change.
 */

import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { withToken } from '../support/api/served-api.ts'
import { bothPrograms, launch } from '../support/e2e/program.ts'
import { overBothPaths, readsItself } from '../support/e2e/sockets.ts'
import {
  type Figures,
  type RunningTracker,
  runTracker,
  tomlOf,
} from '../support/e2e/tracker-process.ts'
import { announceQuery, get, percent } from '../support/http-client.ts'
import {
  type AnnounceFields,
  actionOf,
  announcePacket,
  hashOf,
  messageOf,
  scrapePacket,
  transactionOf,
  udpSocket,
} from '../support/udp-client.ts'
import { until } from '../support/until.ts'

const PROGRAMS = overBothPaths(bothPrograms())
/** Where the listeners stand in the configuration. */
const UDP = { four: 0, both: 1, unseen: 2 } as const
const HTTP = { four: 0, both: 1, unseen: 2, proxied: 3, external4: 4, external6: 5 } as const
const SEEN = 'tracker_usage_statistics = true'
const listener = (kind: 'udp' | 'http', address: string, ...rest: string[]) =>
  [`[[${kind}_trackers]]`, `bind_address = "${address}:0"`, ...rest, ''].join('\n')
const LISTENERS = [
  listener('udp', '127.0.0.1', SEEN),
  listener('udp', '[::]', SEEN),
  listener('udp', '127.0.0.1'),
  listener('http', '127.0.0.1', SEEN),
  listener('http', '[::]', SEEN),
  listener('http', '127.0.0.1', 'tracker_usage_statistics = false'),
  listener('http', '127.0.0.1', SEEN, 'network = { on_reverse_proxy = true }'),
  listener('http', '127.0.0.1', SEEN, 'network = { external_ip = "2.137.87.41" }'),
  listener('http', '127.0.0.1', SEEN, 'network = { external_ip = "2001:db8::9" }'),
].join('')

/** In the order of the answer (M1); those of the 2024 generation stand in the order of theirs. */
const FIELDS = `torrents seeders completed completed_in_session completed_persisted
  completed_persisted_enabled leechers tcp4_connections_handled tcp4_announces_handled
  tcp4_scrapes_handled tcp6_connections_handled tcp6_announces_handled tcp6_scrapes_handled
  udp_requests_discarded udp_requests_aborted udp_requests_banned udp_banned_ips_total
  udp_avg_connect_processing_time_ns udp_avg_announce_processing_time_ns
  udp_avg_scrape_processing_time_ns udp4_requests udp4_connections_handled udp4_announces_handled
  udp4_scrapes_handled udp4_responses udp4_errors_handled udp6_requests udp6_connections_handled
  udp6_announces_handled udp6_scrapes_handled udp6_responses udp6_errors_handled
  announces_refused_full`.split(/\s+/)
const OLD = `torrents seeders completed leechers tcp4_connections_handled tcp4_announces_handled
  tcp4_scrapes_handled tcp6_connections_handled tcp6_announces_handled tcp6_scrapes_handled
  udp4_connections_handled udp4_announces_handled udp4_scrapes_handled udp6_connections_handled
  udp6_announces_handled udp6_scrapes_handled`.split(/\s+/)

/** The differences of all figures but times and those of the swarm. */
const moved = (before: Figures, after: Figures) =>
  Object.fromEntries(
    FIELDS.slice(FIELDS.indexOf('tcp4_connections_handled'))
      .filter((name) => !name.startsWith('udp_avg') && after[name] !== before[name])
      .map((name) => [name, Number(after[name]) - Number(before[name])]),
  )

/** A client that connects before each question and sends each datagram once, so that all can be counted. */
async function counted(port: number, hostname = '127.0.0.1', from?: string) {
  const client = await udpSocket(port, hostname, from)
  const { ask, connect } = client
  return {
    ...client,
    announce: async (fields: AnnounceFields = {}) =>
      await ask(announcePacket(await connect(), fields)),
    scrape: async (hash: Uint8Array) => await ask(scrapePacket(await connect(), [hash])),
  }
}

const udpFigures = (family: 4 | 6, figures: Record<string, number>) =>
  Object.fromEntries(
    Object.entries(figures).map(([name, count]) => [
      `udp${family}_${name}${['requests', 'responses'].includes(name) ? '' : '_handled'}`,
      count,
    ]),
  )
const served = (kind: 'announces' | 'scrapes') => ({
  requests: 2,
  responses: 2,
  connections: 1,
  [kind]: 1,
})
const tcp = (family: 4 | 6, kind: 'announces' | 'scrapes', count = 1) => ({
  [`tcp${family}_connections_handled`]: count,
  [`tcp${family}_${kind}_handled`]: count,
})

type Deed = (tracker: RunningTracker) => Promise<unknown>
const http =
  (at: number, target: string, headers = {}, url = (all: readonly string[]) => all[at]!): Deed =>
  (tracker) =>
    get(url(tracker.http), target, headers)
const ANNOUNCE = `/announce?${announceQuery()}`
const SCRAPE = `/scrape?info_hash=${percent(hashOf(1))}`
const udp =
  (
    at: number,
    hostname: string,
    deed: (client: Awaited<ReturnType<typeof counted>>) => Promise<unknown>,
  ): Deed =>
  async (tracker) => {
    using client = await counted(tracker.udp[at]!, hostname)
    await deed(client)
  }
/** A client of a `[::]` listener that has an IPv4 address. */
const byIpv4 = (all: readonly string[]) => all[HTTP.both]!.replace('[::1]', '127.0.0.1')

const DEEDS: readonly (readonly [name: string, deed: Deed, figures: Record<string, number>])[] = [
  ['M2: an announce', http(HTTP.four, ANNOUNCE), tcp(4, 'announces')],
  ['M2: a scrape', http(HTTP.four, SCRAPE), tcp(4, 'scrapes')],
  ['M2: an announce over IPv6', http(HTTP.both, ANNOUNCE), tcp(6, 'announces')],
  ['M2: a scrape over IPv6', http(HTTP.both, SCRAPE), tcp(6, 'scrapes')],
  [
    'M2: an announce that names an IPv6 address of its own',
    http(HTTP.four, `/announce?${announceQuery({ peer_addr: '2001:db8::1' })}`),
    tcp(4, 'announces'),
  ],
  [
    'an announce over IPv4 at a listener of both families',
    http(HTTP.both, ANNOUNCE, {}, byIpv4),
    tcp(4, 'announces'),
  ],
  [
    'M2: an announce whose proxy names an IPv6 address',
    http(HTTP.proxied, ANNOUNCE, { 'x-forwarded-for': '1.2.3.4, 2001:db8::7' }),
    tcp(6, 'announces'),
  ],
  [
    'a scrape whose proxy names a mapped IPv4 address',
    http(HTTP.proxied, SCRAPE, { 'x-forwarded-for': '::ffff:1.2.3.4' }),
    tcp(4, 'scrapes'),
  ],
  [
    'M2: an announce that is stored under an IPv6 address',
    http(HTTP.external6, ANNOUNCE),
    tcp(4, 'announces'),
  ],
  ['M3: an announce that cannot be read', http(HTTP.four, '/announce?info_hash=x'), {}],
  ['M3: a scrape that cannot be read', http(HTTP.four, '/scrape'), {}],
  ['M3: an announce without the header of its proxy', http(HTTP.proxied, ANNOUNCE), {}],
  ['a health check', http(HTTP.four, '/health_check'), {}],
  ['an unknown path', http(HTTP.four, '/nothing'), {}],
  ['M7: an announce at a listener without statistics', http(HTTP.unseen, ANNOUNCE), {}],
  ['M7: a scrape at such a listener', http(HTTP.unseen, SCRAPE), {}],
  ['a request to the API', (tracker) => tracker.ask(withToken({ path: '/api/v1/torrents' })), {}],
  ...([4, 6] as const).flatMap((family) => {
    const by = (deed: Parameters<typeof udp>[2]) =>
      udp(family === 4 ? UDP.four : UDP.both, family === 4 ? '127.0.0.1' : '::1', deed)
    return [
      [
        `M2: a connect over IPv${family}`,
        by(({ connect }) => connect()),
        udpFigures(family, { requests: 1, responses: 1, connections: 1 }),
      ],
      [
        `M2: an announce over IPv${family}`,
        by(({ announce }) => announce()),
        udpFigures(family, served('announces')),
      ],
      [
        `M2: a scrape over IPv${family}`,
        by(({ scrape }) => scrape(hashOf(1))),
        udpFigures(family, served('scrapes')),
      ],
      [
        `M4: a malformed datagram over IPv${family} that is answered`,
        by(({ ask }) => ask(new Uint8Array(1496))),
        udpFigures(family, { requests: 1, responses: 1, errors: 1 }),
      ],
    ] as const
  }),
  [
    'an announce over IPv4 at a UDP listener of both families',
    udp(UDP.both, '127.0.0.1', ({ announce }) => announce()),
    udpFigures(4, served('announces')),
  ],
  [
    'M4: a datagram without an answer',
    udp(UDP.four, '127.0.0.1', async ({ send, connect }) => {
      send(Uint8Array.of(1))
      // Answered after the first was handled.
      await connect()
    }),
    udpFigures(4, { requests: 2, responses: 1, connections: 1 }),
  ],
  [
    'M7: an announce at a UDP listener without statistics',
    udp(UDP.unseen, '127.0.0.1', ({ announce }) => announce()),
    {},
  ],
]

describe.each(PROGRAMS)('%s', (name, program) => {
  let tracker: RunningTracker
  beforeAll(async () => {
    tracker = await runTracker(program, { listeners: LISTENERS })
  })
  afterAll(() => tracker[Symbol.asyncDispose]())

  test.skipIf(process.platform !== 'linux')('is what it is called', () => {
    expect(readsItself(tracker.run.child.pid)).toBe(!name.includes('read by Bun'))
  })

  test('M1: all figures begin at zero', async () => {
    const { body } = await tracker.ask(withToken({ path: '/api/v1/stats' }))
    const stats: Figures = JSON.parse(body)
    expect(Object.keys(stats)).toEqual(FIELDS)
    expect(FIELDS.filter((name) => OLD.includes(name))).toEqual(OLD)
    const { completed_persisted_enabled: enabled, ...numbers } = stats
    expect(enabled).toBe(false)
    expect(new Set(Object.values(numbers))).toEqual(new Set([0]))
  })

  test.each(DEEDS)('%s', async (_name, deed, figures) => {
    const before = await tracker.stats()
    await deed(tracker)
    expect(moved(before, await tracker.stats())).toEqual(figures)
  })

  test('H12, H14, S9: a peer is stored under the address it came from', async () => {
    const forwarded = '203.0.113.195,2001:db8:85a3:8d3:1319:8a2e:370:7348,150.172.238.178'
    for (const [i, [at, headers, address]] of (
      [
        [HTTP.four, {}, '127.0.0.1:17548'],
        [HTTP.external4, {}, '2.137.87.41:17548'],
        [HTTP.external6, {}, '[2001:db8::9]:17548'],
        [HTTP.both, {}, '[::1]:17548'],
        [HTTP.proxied, { 'x-forwarded-for': forwarded }, '150.172.238.178:17548'],
      ] as const
    ).entries()) {
      const hash = hashOf(100 + i)
      await tracker.announce({ hash, at, headers, query: { ip: '9.9.9.9' } })
      const { peers } = await tracker.call('GET', `torrent/${Buffer.from(hash).toString('hex')}`)
      expect(peers).toEqual([expect.objectContaining({ peer_addr: address })])
    }
  })

  test('H14: without the header of its proxy neither an announce nor a scrape is served', async () => {
    const words =
      'Error resolving peer IP: missing or invalid the right most X-Forwarded-For IP (mandatory on reverse proxy tracker configuration)'
    const at = HTTP.proxied
    for (const headers of [{}, { 'x-forwarded-for': 'INVALID IP' }]) {
      expect(await tracker.told({ at, headers })).toBe(words)
      expect(await tracker.scrape([hashOf(1)], undefined, at, headers)).toBe(words)
    }
  })

  test('U9: a UDP client gets peers of its own family, whatever the listener serves', async () => {
    const infoHash = hashOf(200)
    for (const [i, [at, hostname, bytes]] of (
      [
        [UDP.four, '127.0.0.1', 20],
        [UDP.both, '127.0.0.1', 20 + 6],
        [UDP.both, '::1', 20],
        [UDP.both, '::1', 20 + 18],
        [UDP.four, '127.0.0.1', 20 + 2 * 6],
      ] as const
    ).entries()) {
      using client = await counted(tracker.udp[at]!, hostname)
      const answer = await client.announce({ infoHash, port: 1_000 + i, left: 1n })
      expect([hostname, answer.length]).toEqual([hostname, bytes])
    }
  })

  test('U5, M4: wrong connection ids are counted as errors, then as banned', async () => {
    using client = await counted(tracker.udp[UDP.four]!, '127.0.0.1', '127.0.0.9')
    const before = await tracker.stats()
    for (let time = 0; time < 11; time++) {
      const answer = await client.ask(announcePacket(BigInt(time), { transaction: time }))
      expect([actionOf(answer), transactionOf(answer), messageOf(answer)]).toEqual([
        3,
        time,
        'tracker announce error: Connection cookie error',
      ])
    }
    client.send(announcePacket(11n))
    const banned = async () => (await tracker.stats()).udp_requests_banned === 1
    await until('the ban', banned)
    expect(moved(before, await tracker.stats())).toEqual({
      ...udpFigures(4, { requests: 12, responses: 11, errors: 11 }),
      udp_requests_banned: 1,
      udp_banned_ips_total: 1,
    })
  })

  test('M5: the mean processing times appear after enough requests', async () => {
    using client = await counted(tracker.udp[UDP.four]!)
    const id = await client.connect()
    for (let time = 0; time < 61; time++) await client.ask(announcePacket(id))
    for (let time = 0; time < 61; time++) await client.ask(scrapePacket(id, [hashOf(1)]))
    const stats = await tracker.stats()
    for (const kind of ['announce', 'scrape']) {
      const time = stats[`udp_avg_${kind}_processing_time_ns`]
      expect(time).toBeGreaterThan(0)
      expect(Number.isInteger(time)).toBe(true)
    }
  })

  test('M6: Prometheus gets the same figures in the same order, the boolean as a number', async () => {
    const stats = await tracker.stats()
    const { headers, body } = await tracker.ask(
      withToken({ path: '/api/v1/stats?format=prometheus' }),
    )
    expect(headers['content-type']).toBe('text/plain; version=0.0.4')
    expect(body.split('\n')).toEqual(FIELDS.map((name) => `${name} ${Number(stats[name])}`))
  })

  test('logs no secret', () => tracker.stop())

  test.each([
    [
      'M7: where statistics are off',
      { core: 'tracker_usage_statistics = false', listeners: LISTENERS },
    ],
    ['M7: where no listener has them on', { listeners: LISTENERS.replaceAll(SEEN, '') }],
  ])('%s nothing is counted', async (_name, settings) => {
    await using quiet = await runTracker(program, settings)
    const before = await quiet.stats()
    for (const [, deed] of DEEDS) await deed(quiet)
    const after = await quiet.stats()
    expect(moved(before, after)).toEqual({})
    expect(after.torrents).toBe(2)
    expect(after.seeders).toBeGreaterThan(0)
    await quiet.stop()
  })

  test('M7: with schema 2.0.0 listeners have statistics', async () => {
    const listeners = listener('http', '127.0.0.1')
    const toml = tomlOf({ schema: '2.0.0', database: false, listeners })
    await using run = await launch(program, { toml })
    const { http_trackers } = await run.services()
    const [, api] = await run.says(/INFO API: Started on: (\S+)/)
    await get(http_trackers[0]!, ANNOUNCE)
    const reply = await fetch(`${api}/api/v1/stats?token=MyAccessToken`)
    expect(await reply.json()).toMatchObject({ torrents: 1, ...tcp(4, 'announces') })
  })
})
