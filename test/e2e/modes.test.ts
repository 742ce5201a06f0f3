/**
 * Which clients the running program serves as a private, a listed, a private and listed, and a public tracker, over
 * HTTP and UDP (BEP 41), from the source and compiled. The ids in the names are those of docs/behaviours.md.
 */

import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { bothPrograms, launch } from '../support/e2e/program.ts'
import { overBothPaths } from '../support/e2e/sockets.ts'
import {
  outcome,
  type RunningTracker,
  runTracker,
  TOLD,
  tomlOf,
} from '../support/e2e/tracker-process.ts'
import { announceQuery, get, hashA, hashB } from '../support/http-client.ts'
import { dice, seed } from '../support/random.ts'
import { connected, hashOf, type UdpPeer, udpPeer, urlData } from '../support/udp-client.ts'
import { until } from '../support/until.ts'

const PROGRAMS = overBothPaths(bothPrograms())
const KEY = 'A1b2C3d4E5f6G7h8I9j0K1l2M3n4O5p6'
const EXPIRED = 'B1b2C3d4E5f6G7h8I9j0K1l2M3n4O5p6'
const UNKNOWN = 'C1b2C3d4E5f6G7h8I9j0K1l2M3n4O5p6'
const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex')
const ZEROES = [0, 0, 0]

/** A key in the path of an HTTP request, as clients may send it, and the outcome: a refusal, or one seeder. */
const HTTP_KEYS: readonly (readonly [name: string, key: string | undefined, told: string | 1])[] = [
  ['a good key', KEY, 1],
  ['a good key, escaped', KEY.replace('A', '%41'), 1],
  ['no key', undefined, TOLD.missing],
  ['a malformed key', 'INVALID_KEY', TOLD.malformed],
  ['a key that is too short', KEY.slice(1), TOLD.malformed],
  ['a key that is too long', `${KEY}0`, TOLD.malformed],
  ['a key with a blank', `%20${KEY.slice(1)}`, TOLD.malformed],
  ['a key that is no UTF-8', `%ff${KEY.slice(1)}`, TOLD.malformed],
  ['an unknown key', UNKNOWN, TOLD.unknown],
  ['a good key in other letters', KEY.toLowerCase(), TOLD.unknown],
  ['an expired key', EXPIRED, TOLD.expired],
]

const URL = `/announce/${KEY}`
/** `count` options without meaning (NOP). */
const nothing = (count: number) => Array<number>(count).fill(1)
/** Each text in an option of its own. */
const parts = (...texts: string[]) => texts.flatMap(urlData)
const UDP_KEYS: readonly (readonly [name: string, options: readonly number[], told: string | 1])[] =
  [
    ['in one option', urlData(URL), 1],
    ['before a query', urlData(`${URL}?a=b&c=${'d'.repeat(150)}`), 1],
    ['split over two options', parts(URL.slice(0, 20), URL.slice(20)), 1],
    ['split behind the slash', parts('/announce/', KEY), 1],
    ['split between every two letters', parts(...URL), 1],
    ['split by an empty option', parts(URL.slice(0, 5), '', URL.slice(5)), 1],
    ['behind options without meaning', [1, 1, 1, ...urlData(URL)], 1],
    [
      'split by options without meaning',
      [...urlData(URL.slice(0, 30)), 1, 1, ...urlData(URL.slice(30))],
      1,
    ],
    ['before the end option and more bytes', [...urlData(URL), 0, ...urlData('/x'), 255], 1],
    ['behind an unknown option', [3, 2, 0, 0, ...urlData(URL)], 1],
    [
      'split by an unknown option',
      [...urlData(URL.slice(0, 9)), 200, 3, 2, 2, 2, ...urlData(URL.slice(9))],
      1,
    ],
    ['in an option longer than the datagram', [2, 255, ...Buffer.from(URL)], 1],
    ['behind the end option', [0, ...urlData(URL)], TOLD.missing],
    ['in an option of another type', [9, URL.length, ...Buffer.from(URL)], TOLD.missing],
    ['not at all', [], TOLD.missing],
    ['in a path without one', urlData('/announce'), TOLD.missing],
    ['in a path with nothing behind the slash', urlData('/announce/'), TOLD.missing],
    ['in the query', urlData(`/announce?key=${KEY}`), 1],
    ['in another path', urlData(`/scrape/${KEY}`), TOLD.missing],
    ['without a path', urlData(KEY), TOLD.missing],
    ['in an option whose data is missing', [2], TOLD.missing],
    ['in an empty option', [2, 0], TOLD.missing],
    ['in the last bytes that are read', [...nothing(1496 - 98 - 44), ...urlData(URL)], 1],
    ['behind the bytes that are read', [...nothing(1496 - 98), ...urlData(URL)], TOLD.missing],
    ['too short', urlData(URL.slice(0, -1)), TOLD.malformed],
    ['too long', urlData(`${URL}0`), TOLD.malformed],
    ['with a path behind it', urlData(`${URL}/`), TOLD.malformed],
    ['escaped', urlData(URL.replace('A', '%41')), TOLD.malformed],
    ['with a NUL in it', urlData(URL.replace('A', '\0')), TOLD.malformed],
    ['with a letter of another alphabet', urlData(URL.replace('A', '\xe9')), TOLD.malformed],
    [
      'cut off by the end of the datagram',
      [2, URL.length, ...Buffer.from(URL.slice(0, 20))],
      TOLD.malformed,
    ],
    ['that is unknown', urlData(`/announce/${UNKNOWN}`), TOLD.unknown],
    ['that has expired', urlData(`/announce/${EXPIRED}`), TOLD.expired],
  ]

/** Refusals of a UDP client without a good key. */
const REFUSED = [TOLD.missing, TOLD.malformed, TOLD.unknown, TOLD.expired]

describe.each(PROGRAMS)('%s', (_program, program) => {
  describe('private', () => {
    let tracker: RunningTracker
    let peer: UdpPeer
    beforeAll(async () => {
      tracker = await runTracker(program, { mode: 'private' })
      peer = await tracker.peer()
      await tracker.addKey(60, KEY)
      await tracker.addKey(0, EXPIRED)
      const expired = async () => (await tracker.told({ key: EXPIRED })) === TOLD.expired
      await until('the key to expire', expired)
      expect(await tracker.told({ key: KEY })).toBe(1)
    })
    afterAll(() => {
      peer[Symbol.dispose]()
      return tracker[Symbol.asyncDispose]()
    })
    const over = (options: readonly number[], hash = hashOf(60)) =>
      outcome(peer.announce(hash, { options }))

    test.each(HTTP_KEYS)('K4, K6, K7: an HTTP announce with %s', async (_name, key, told) => {
      const { status, failure, value } = await tracker.announce(key === undefined ? {} : { key })
      expect([status, failure ?? value.get('complete')]).toEqual([200, told])
    })

    test.each(HTTP_KEYS)('K5, K6: an HTTP scrape with %s', async (_name, key, told) => {
      // Zeroes without a good key; a failure only for a malformed one.
      const seen = [ZEROES, told === 1 ? [1, 0, 0] : ZEROES]
      const scraped = await tracker.scrape([hashA, hashB], key)
      expect(scraped).toEqual(told === TOLD.malformed ? told : seen)
    })

    test.each(UDP_KEYS)('K10: a UDP announce with the key %s', async (_name, options, told) => {
      expect(await over(options)).toBe(told)
    })

    test('K10: noise in place of options is no key, and does no harm', async () => {
      const roll = dice()
      const good = urlData(URL)
      for (let time = 0; time < 200; time++) {
        const noise = Array.from({ length: roll(300) }, () => roll(time % 2 ? 4 : 256))
        expect([seed, noise, await over(noise)]).toEqual([seed, noise, TOLD.missing])
        const spoiled = [...good]
        spoiled.splice(roll(good.length), roll(3), ...noise.slice(0, roll(4)))
        const told = await over(spoiled)
        const known = told === 1 || REFUSED.includes(told as never)
        expect([seed, spoiled, told, known]).toEqual([seed, spoiled, told, true])
      }
      expect(await over(good)).toBe(1)
    })

    test('K5: a UDP scrape carries no key and is answered with zeroes', async () => {
      expect(await over(urlData(URL), hashOf(61))).toBe(1)
      for (const hash of [hashOf(61), hashOf(62)])
        expect(await peer.scrape(hash)).toEqual({ seeders: 0, downloaded: 0, leechers: 0 })
      expect(await tracker.scrape([hashOf(61)], KEY)).toEqual([[1, 0, 0]])
    })

    test('M3: refused announces are errors in the figures, zeroed scrapes are scrapes', async () => {
      const before = await tracker.stats()
      const since = async (name: string) =>
        Number((await tracker.stats())[name]) - Number(before[name])
      expect(await tracker.told()).toBe(TOLD.missing)
      expect(await tracker.scrape([hashA])).toEqual([ZEROES])
      expect(await over([])).toBe(TOLD.missing)
      await peer.scrape(hashA)
      expect(await since('tcp4_announces_handled')).toBe(0)
      expect(await since('tcp4_scrapes_handled')).toBe(1)
      expect(await since('tcp4_connections_handled')).toBe(1)
      expect(await since('udp4_announces_handled')).toBe(0)
      expect(await since('udp4_errors_handled')).toBeGreaterThan(0)
      expect(await since('udp4_scrapes_handled')).toBeGreaterThan(0)
    })

    test('a refused announce stores nothing', async () => {
      await over([], hashOf(63))
      await tracker.told({ hash: hashOf(63), key: UNKNOWN })
      expect(await tracker.call('GET', `torrent/${hex(hashOf(63))}`)).toBe('torrent not known')
    })

    test('logs no secret', () => tracker.stop())
  })

  describe('listed', () => {
    let tracker: RunningTracker
    let peer: UdpPeer
    beforeAll(async () => {
      tracker = await runTracker(program, { mode: 'listed' })
      peer = await tracker.peer()
      await tracker.call('POST', `whitelist/${hex(hashA)}`)
    })
    afterAll(() => {
      peer[Symbol.dispose]()
      return tracker[Symbol.asyncDispose]()
    })

    test('K2: an unlisted torrent is refused and not stored', async () => {
      const { status, failure } = await tracker.announce({ hash: hashB })
      expect([status, failure]).toEqual([200, TOLD.unlisted(hashB)])
      expect(await outcome(peer.announce(hashB))).toBe(TOLD.unlistedUdp(hashB))
      expect(await tracker.call('GET', `torrent/${hex(hashB)}`)).toBe('torrent not known')
    })

    test('K2, K3: a listed torrent is served and known', async () => {
      expect(await tracker.told()).toBe(1)
      expect(await peer.announce(hashA, { left: 1 })).toMatchObject({ seeders: 1, leechers: 1 })
      expect(await tracker.scrape([hashA])).toEqual([[1, 0, 1]])
      expect(await peer.scrape(hashA)).toEqual({ seeders: 1, downloaded: 0, leechers: 1 })
    })

    test('K3: a torrent that is no longer listed is zeroes, though it has peers', async () => {
      const whitelist = (method: string) => tracker.call(method, `whitelist/${hex(hashOf(3))}`)
      await whitelist('POST')
      await tracker.announce({ hash: hashOf(3) })
      expect(await tracker.scrape([hashOf(3), hashA])).toEqual([
        [1, 0, 0],
        [1, 0, 1],
      ])
      await whitelist('DELETE')
      expect(await tracker.scrape([hashOf(3), hashA])).toEqual([ZEROES, [1, 0, 1]])
      expect(await peer.scrape(hashOf(3))).toEqual({ seeders: 0, downloaded: 0, leechers: 0 })
      // The operator still sees it, and listing it again shows it at once.
      const torrent = await tracker.call('GET', `torrent/${hex(hashOf(3))}`)
      expect([torrent.seeders, torrent.peers.length]).toEqual([1, 1])
      await whitelist('POST')
      expect(await tracker.scrape([hashOf(3)])).toEqual([[1, 0, 0]])
    })

    test('K6: any well-formed key is ignored, a malformed one refused', async () => {
      expect(await tracker.told({ key: UNKNOWN })).toBe(1)
      expect(await tracker.told({ key: 'short' })).toBe(TOLD.malformed)
      expect(await outcome(peer.announce(hashA, { options: urlData('/announce/short') }))).toBe(2)
    })

    test('logs no secret', () => tracker.stop())
  })

  test('K9: private and listed: the key is checked first, over both protocols', async () => {
    await using tracker = await runTracker(program, { mode: 'both' })
    using peer = await tracker.peer()
    await tracker.addKey(null, KEY)
    await tracker.call('POST', `whitelist/${hex(hashA)}`)
    for (const [key, hash, told, toldUdp = told] of [
      [undefined, hashB, TOLD.missing],
      ['short', hashB, TOLD.malformed],
      [UNKNOWN, hashB, TOLD.unknown],
      [undefined, hashA, TOLD.missing],
      [KEY, hashB, TOLD.unlisted(hashB), TOLD.unlistedUdp(hashB)],
      // The seeder of the line above is still there.
      [KEY, hashA, 1, 2],
    ] as const) {
      const options = key === undefined ? [] : urlData(`/announce/${key}`)
      const named = key === undefined ? {} : { key }
      expect([key, await tracker.told({ hash, ...named })]).toEqual([key, told])
      const over = await outcome(peer.announce(hash, { options }))
      expect([key, over]).toEqual([key, toldUdp])
    }
    expect(await tracker.scrape([hashA, hashB], KEY)).toEqual([ZEROES, [2, 0, 0]])
    expect(await tracker.scrape([hashA, hashB])).toEqual([ZEROES, ZEROES])
    expect(await peer.scrape(hashA)).toEqual({ seeders: 0, downloaded: 0, leechers: 0 })
    await tracker.stop()
  })

  describe('public', () => {
    let tracker: RunningTracker
    beforeAll(async () => {
      tracker = await runTracker(program)
    })
    afterAll(() => tracker[Symbol.asyncDispose]())

    test('K6: a well-formed key is accepted though none is needed', async () => {
      using peer = await tracker.peer()
      for (const key of [undefined, UNKNOWN]) {
        expect(await tracker.told(key === undefined ? {} : { key })).toBe(1)
        expect(await tracker.scrape([hashA], key)).toEqual([[1, 0, 0]])
      }
      for (const key of ['short', `${KEY}0`, '%ff'.repeat(32)]) {
        expect(await tracker.told({ key })).toBe(TOLD.malformed)
        expect(await tracker.scrape([hashA], key)).toBe(TOLD.malformed)
      }
      for (const [, options] of UDP_KEYS)
        expect(await outcome(peer.announce(hashOf(4), { options }))).toBe(1)
    })

    test('H16, S12: a scrape creates no torrents, and answers a hundred hashes at most', async () => {
      const { torrents } = await tracker.stats()
      const hashes = Array.from({ length: 101 }, (_, i) => hashOf(100 + i))
      expect(await tracker.scrape(hashes)).toHaveLength(100)
      expect(await tracker.scrape([hashOf(9), hashOf(9)])).toEqual([ZEROES])
      expect((await tracker.stats()).torrents).toBe(torrents!)
    })

    test('U10: over UDP a scrape answers seventy-four hashes, in the order asked', async () => {
      using client = await connected(tracker.udp[0]!)
      await client.announce({ infoHash: hashOf(8), left: 1n })
      const hashes = [hashOf(8), hashOf(9), hashOf(8), ...Array(72).fill(hashOf(7))]
      const entries = await client.scrape(...hashes)
      expect(entries).toHaveLength(74)
      expect(entries.slice(0, 4)).toEqual([
        [0, 0, 1],
        [0, 0, 0],
        [0, 0, 1],
        [0, 0, 0],
      ])
    })

    test('U8, S6: the number wanted is capped; zero and less mean the most', async () => {
      using peer = await tracker.peer()
      for (let port = 1; port <= 80; port++)
        await peer.announce(hashOf(5), { left: 1, port, want: 1 })
      for (const [want, told] of [
        [-1, 74],
        [0, 74],
        [1_000, 74],
        [2, 2],
      ] as const) {
        const { peers } = await peer.announce(hashOf(5), { left: 1, want, port: 1_000 })
        expect([want, peers.length]).toEqual([want, told])
      }
    })

    test('logs no secret', () => tracker.stop())
  })

  test('K11: a file of schema 2.0.0 gets the texts of its generation, over HTTP, UDP and in the API', async () => {
    const tables = 'driver = "sqlite3"\n'
    const toml = tomlOf({ schema: '2.0.0', mode: 'private', tables })
    await using run = await launch(program, { toml })
    const { udp_trackers, http_trackers } = await run.services()
    const [, api] = await run.says(/INFO API: Started on: (\S+)/)
    const missing = 'Authentication error: Missing authentication key param for private tracker'
    const http = await get(http_trackers[0]!, `/announce?${announceQuery()}`)
    expect(http.failure).toBe(missing)
    using peer = await udpPeer(Number(udp_trackers[0]!.split(':')[1]))
    expect(await outcome(peer.announce(hashA))).toBe(missing)
    const page = await fetch(`${api}/api/v1/torrents?offset=x&token=MyAccessToken`)
    expect(await page.text()).toBe(
      'Failed to deserialize query string: invalid digit found in string',
    )
  })
})
