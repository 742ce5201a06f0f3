/**
 * Private and listed trackers over both protocols, and requests with two faults: who is served, what is reported, and
 * what is counted. Both transports check in one order: bans and connection id, syntax of the key, key, whitelist, the
 * peer's own address. Names begin with ids of docs/behaviours.md.
 */
import { describe, expect, test } from 'bun:test'
import { Access, createAccessMemory } from '../../src/access/access.ts'
import { packKeys } from '../../src/access/keys.ts'
import { packHashes } from '../../src/access/whitelist.ts'
import { COUNTERS } from '../../src/memory/counters.ts'
import type { RuleValues } from '../../src/rules.ts'
import { run } from '../support/access/entries.ts'
import { listeners } from '../support/configuration.ts'
import { announceQuery, get, hashA, hashB, percent, type Reply } from '../support/http-client.ts'
import { CAN_FORGE, forge } from '../support/raw-udp.ts'
import { overBothPaths } from '../support/servers/both-paths.ts'
import { makeTracker, NOW_MILLISECONDS, serve } from '../support/servers/served-http.ts'
import { serveUdpAlone } from '../support/servers/served-udp.ts'
import { startTracker } from '../support/started-tracker.ts'
import {
  actionOf,
  announcePacket,
  connected,
  connectPacket,
  messageOf,
  readAnnounce,
  scrapePacket,
  transactionOf,
  urlData,
} from '../support/udp-client.ts'

const GOOD = 'A1b2C3d4E5f6G7h8I9j0K1l2M3n4O5p6'
const EXPIRED = 'B1b2C3d4E5f6G7h8I9j0K1l2M3n4O5p6'
const UNKNOWN = 'C1b2C3d4E5f6G7h8I9j0K1l2M3n4O5p6'
const TEXT = {
  missing: 'Authentication error: Missing authentication key param for private tracker',
  malformed: 'Authentication error: Invalid format for authentication key param',
  unknown: 'Authentication error: Failed to read key',
  expired: 'Authentication error: Key has expired',
  unlisted: `Tracker error: The torrent: ${hashB.toString('hex')}, is not whitelisted`,
  announceId: 'tracker announce error: Connection cookie error',
  scrapeId: 'Connection cookie error',
  unforwarded:
    'Error resolving peer IP: missing or invalid the right most X-Forwarded-For IP (mandatory on reverse proxy tracker configuration)',
  name: 'DNS names are not supported for the announce ip parameter',
  literal: 'The announce ip parameter must be an IPv4 or IPv6 literal',
}

type Mode = 'listed' | 'private' | 'both'

/** hashA is listed; GOOD is good for ever. Without a mode it is public. */
function trackerOf(mode?: Mode, rules: Partial<RuleValues> = {}, checksExpiration = true) {
  if (mode === undefined) return makeTracker(rules)
  const memory = createAccessMemory({
    listed: mode !== 'private',
    private: mode !== 'listed',
    checksExpiration,
    seed: Int32Array.of(3),
    whitelistCapacity: 10,
    keyCapacity: 10,
  })
  const access = new Access(memory!, true)
  access.whitelist?.put(packHashes(hashA))
  const keys = [
    { key: GOOD, validUntil: Infinity },
    { key: EXPIRED, validUntil: NOW_MILLISECONDS - 1 },
  ]
  if (access.keys) run(access.keys.putAll(packKeys(keys)))
  return makeTracker(rules, access)
}

describe('HTTP', () => {
  const path = (kind: 'announce' | 'scrape', key: string | undefined, query: string) =>
    `/${kind}${key === undefined ? '' : `/${key}`}?${query}`
  const announce = (key?: string, changes: Record<string, string> = {}) =>
    path('announce', key, announceQuery(changes))
  const scrape = (key?: string, hash: Uint8Array = hashA) =>
    path('scrape', key, `info_hash=${percent(hash)}`)
  const ofB = { info_hash: percent(hashB) }
  const proxied = { network: { on_reverse_proxy: true } }
  const from = (ip: string) => ({ 'X-Forwarded-For': ip })
  /** Seeders of every hash. */
  const seeders = (reply: Reply) =>
    [...(reply.value.get('files') as Map<string, Map<string, number>>).values()].map((entry) =>
      entry.get('complete'),
    )

  test('K2: of listed and unlisted torrents only the former are served and stored', async () => {
    await using tracker = await serve({ tracker: trackerOf('listed') })
    const reply = await get(tracker.url, announce(undefined, ofB))
    expect([reply.status, reply.failure]).toEqual([200, TEXT.unlisted])
    expect(reply.headers['content-type']).toBe('text/plain; charset=utf-8')
    expect([tracker.count('announces'), tracker.count('errors')]).toEqual([
      [0, 0],
      [1, 0],
    ])
    expect((await get(tracker.url, announce())).value.get('complete')).toBe(1)
  })

  test('K3: a scrape has zeroes for the one, numbers for the other', async () => {
    await using tracker = await serve({ tracker: trackerOf('listed') })
    await get(tracker.url, announce())
    const both = `${scrape()}&info_hash=${percent(hashB)}`
    expect(seeders(await get(tracker.url, both)).sort()).toEqual([0, 1])
    expect(seeders(await get(tracker.url, scrape()))).toEqual([1])
    expect(seeders(await get(tracker.url, scrape(undefined, hashB)))).toEqual([0])
    expect(tracker.count('scrapes')).toEqual([3, 0])
  })

  test.each<[form: string, path: string, query: string, text: keyof typeof TEXT | 'served']>([
    ['K4: a good key', `/REQUEST/${GOOD}`, '', 'served'],
    ['a good key, escaped', `/REQUEST/${GOOD.replace('A', '%41')}`, '', 'served'],
    ['K4: no key', '/REQUEST', '', 'missing'],
    ['K6: a malformed key', '/REQUEST/INVALID_KEY', '', 'malformed'],
    ['K4: an unknown key', `/REQUEST/${UNKNOWN}`, '', 'unknown'],
    ['K4: an expired key', `/REQUEST/${EXPIRED}`, '', 'expired'],
    ['K16: a good key before the last segment', `/${GOOD}/REQUEST`, '', 'served'],
    ['one that is escaped', `/${GOOD.replace('A', '%41')}/REQUEST`, '', 'served'],
    [
      'one that is unknown, whatever the query says',
      `/${UNKNOWN}/REQUEST`,
      `&key=${GOOD}`,
      'unknown',
    ],
    ['one that is malformed, too', '/INVALID_KEY/REQUEST', `&key=${GOOD}`, 'malformed'],
    ['an unknown key and a good passkey', `/REQUEST/${UNKNOWN}`, `&passkey=${GOOD}`, 'unknown'],
    ['K16: a good passkey', '/REQUEST', `&passkey=${GOOD}`, 'served'],
    ['K16: a good key in the query', '/REQUEST', `&key=${GOOD}`, 'served'],
    ['one behind that of the client', '/REQUEST', `&key=1F2E3D4C&key=${GOOD}&a=b`, 'served'],
    ['an expired passkey', '/REQUEST', `&passkey=${EXPIRED}`, 'expired'],
    ['an unknown passkey', '/REQUEST', `&passkey=${UNKNOWN}`, 'unknown'],
    ['the random key of a client', '/REQUEST', '&key=1F2E3D4C', 'missing'],
    ['a passkey that is too long', '/REQUEST', `&passkey=${GOOD}0`, 'missing'],
    ['a parameter of another name', '/REQUEST', `&sitekey=${GOOD}`, 'missing'],
    ['a key in the fragment', '/REQUEST', `#&key=${GOOD}`, 'missing'],
  ])('private: an announce and a scrape with %s', async (_form, path, query, text) => {
    await using tracker = await serve({ tracker: trackerOf('private') })
    await get(tracker.url, announce(GOOD, { port: '1' }))
    const ask = (request: string, parameters: string) =>
      get(tracker.url, `${path.replace('REQUEST', request)}?${parameters}${query}`)
    const failure = text === 'served' ? undefined : TEXT[text]
    const announced = await ask('announce', announceQuery())
    expect([announced.status, announced.failure]).toEqual([200, failure])
    expect(tracker.count('announces')).toEqual([text === 'served' ? 2 : 1, 0])
    const scraped = await ask('scrape', `info_hash=${percent(hashA)}`)
    // K5: only a key that is none is a failure of a scrape.
    if (text === 'malformed') expect(scraped.failure).toBe(failure)
    else expect(seeders(scraped)).toEqual([text === 'served' ? 2 : 0])
    expect(tracker.count('scrapes')).toEqual([text === 'malformed' ? 0 : 1, 0])
    expect(tracker.count('responses')).toEqual([3, 0])
  })

  test('K7: expired keys are good where expiry is not checked', async () => {
    await using tracker = await serve({ tracker: trackerOf('private', {}, false) })
    expect((await get(tracker.url, announce(EXPIRED))).value.get('complete')).toBe(1)
    expect(seeders(await get(tracker.url, scrape(EXPIRED)))).toEqual([1])
  })

  test('the key of one request is not that of the next', async () => {
    await using tracker = await serve({ tracker: trackerOf('private') })
    await get(tracker.url, announce(GOOD))
    expect((await get(tracker.url, announce())).failure).toBe(TEXT.missing)
    expect(seeders(await get(tracker.url, scrape()))).toEqual([0])
  })

  test('K11: schema 3.0.0 refuses in the words of its generation', async () => {
    await using tracker = await serve({ tracker: trackerOf('both', { schema: '3.0.0' }) })
    const told = async (path: string) => (await get(tracker.url, path)).failure
    expect(await told(announce())).toBe('Tracker authentication error: Missing authentication key')
    expect(await told(announce(GOOD, ofB))).toBe(
      TEXT.unlisted.replace('Tracker error', 'Tracker whitelist error'),
    )
  })

  test('H3, K9: announces: query, syntax of the key, key, whitelist, address', async () => {
    await using it = await serve({
      ...proxied,
      use_ip_from_query_string: true,
      tracker: trackerOf('both'),
    })
    const told = async (path: string) => (await get(it.url, path)).failure
    expect(await told(announce('bad', { ...ofB, port: 'x', ip: 'name' }))).toContain('port')
    for (const ip of ['name', '[::1]', '0.0.0.0', '']) {
      expect(await told(announce('bad', { ...ofB, ip }))).toBe(TEXT.malformed)
      expect(await told(announce(undefined, { ...ofB, ip }))).toBe(TEXT.missing)
      expect(await told(announce(UNKNOWN, { ...ofB, ip }))).toBe(TEXT.unknown)
      expect(await told(announce(GOOD, { ...ofB, ip }))).toBe(TEXT.unlisted)
    }
    expect(await told(announce(GOOD, { ip: 'name' }))).toBe(TEXT.name)
    expect(await told(announce(GOOD, { ip: '[::1]' }))).toBe(TEXT.literal)
    expect(await told(announce(GOOD, { ip: '0.0.0.0' }))).toBe(TEXT.unforwarded)
    expect(await told(announce(GOOD))).toBe(TEXT.unforwarded)
    expect(await told(announce(GOOD, { ip: '203.0.113.7' }))).toBeUndefined()
    expect(it.count('errors')).toEqual([21, 0])
    expect(it.count('announces')).toEqual([1, 0])
    expect(it.count('responses')).toEqual([22, 0])
  })

  test('H3: scrapes: query, syntax of the key, address; a key that is not good makes zeroes', async () => {
    await using it = await serve({ ...proxied, tracker: trackerOf('both') })
    const told = async (path: string, headers = {}) => (await get(it.url, path, headers)).failure
    expect(await told('/scrape/bad?info_hash=1')).toContain('info_hash')
    expect(await told(scrape('bad'))).toBe(TEXT.malformed)
    expect(await told(scrape(UNKNOWN))).toBe(TEXT.unforwarded)
    expect(await told(scrape(undefined, hashB))).toBe(TEXT.unforwarded)
    expect(await told(scrape(UNKNOWN), from('203.0.113.7'))).toBeUndefined()
    expect([it.count('errors'), it.count('scrapes')]).toEqual([
      [4, 0],
      [1, 0],
    ])
  })

  test('a request counts for the family of the client, whatever address it announces', async () => {
    await using it = await serve({
      ...proxied,
      use_ip_from_query_string: true,
      tracker: trackerOf('listed'),
    })
    const ask = (changes: Record<string, string>, client: string) =>
      get(it.url, announce(undefined, changes), from(client))
    await ask({ ip: '2001:db8::7' }, '203.0.113.7')
    await ask({ ip: '203.0.113.7' }, '2001:db8::7')
    await ask({ ip: '203.0.113.7', ...ofB }, '2001:db8::7')
    await ask({ ip: 'name' }, '2001:db8::7')
    expect([it.count('announces'), it.count('errors'), it.count('responses')]).toEqual([
      [1, 1],
      [0, 2],
      [1, 3],
    ])
  })

  test('an address that is believed decides which peers come first', async () => {
    await using it = await serve({ ...proxied, use_ip_from_query_string: true })
    const ask = async (changes: Record<string, string | number>, client: string) =>
      (await get(it.url, path('announce', undefined, announceQuery(changes)), from(client))).value
    await ask({ left: 1, compact: 1 }, '203.0.113.1')
    await ask({ left: 1, compact: 1 }, '2001:db8::1')
    const told = await ask({ left: 1, compact: 1, numwant: 1, ip: '2001:db8::9' }, '203.0.113.9')
    expect([told.get('peers'), told.get('peers6')]).toEqual([
      new Uint8Array(),
      expect.objectContaining({ length: 18 }),
    ])
  })
})

overBothPaths('UDP', (isDirect) => {
  const ALWAYS: readonly string[] = ['received', 'responses', 'bytesReceived', 'bytesSent']
  /** Wrong connection ids that are answered before they have consequences. */
  const LIMIT = 2

  async function scene(
    idErrors: 'suppress' | 'ban' | 'serve' = 'suppress',
    mode?: Mode,
    rules: Partial<RuleValues> = {},
  ) {
    const tracker = trackerOf(mode, { idErrors, banLimit: LIMIT, ...rules })
    const server = await serveUdpAlone(isDirect, { tracker, ip: '::' })
    const client = await connected(server.port)
    const counts = () => new Map(COUNTERS.map((name) => [name, server.count(name)]))
    let before = counts()
    return {
      server,
      client,
      wrong: client.id ^ 1n,
      /** Counters that grew since it was called last, but for those that always do. */
      counted(): Record<string, number> {
        const now = counts()
        const grown = COUNTERS.map((name) => [name, now.get(name)! - before.get(name)!] as const)
        before = now
        // Every refusal has its reason.
        const refused = ['errors', 'unanswered', 'banned'] as const
        expect(server.refusals()).toBe(refused.reduce((sum, name) => sum + now.get(name)!, 0))
        return Object.fromEntries(grown.filter(([name, by]) => by > 0 && !ALWAYS.includes(name)))
      },
      async told(packet: Uint8Array): Promise<string> {
        const answer = await client.ask(packet)
        return actionOf(answer) === 3 ? messageOf(answer) : 'served'
      },
      /** The failure of an announce, or how many seeders there are. */
      async announced(infoHash: Uint8Array, url?: string): Promise<string | number> {
        const options = url === undefined ? [] : urlData(url)
        const answer = await client.ask(announcePacket(client.id, { infoHash, options }))
        return actionOf(answer) === 3 ? messageOf(answer) : readAnnounce(answer).seeders
      },
      /** Sends wrong ids until they have consequences. */
      async becomeGuilty(): Promise<void> {
        for (let i = 0; i <= LIMIT; i++) await client.ask(announcePacket(client.id ^ 1n))
        this.counted()
      },
      /** Whether `packets` stay unanswered: a neighbour's connect behind them is served after them. */
      async isSilent(...packets: Uint8Array[]): Promise<boolean> {
        for (const packet of packets) client.send(packet)
        using neighbour = await connected(server.port, '127.0.0.1', '127.0.0.2')
        neighbour.send(connectPacket(5))
        expect(transactionOf(await neighbour.receive())).toBe(5)
        return client.unread().length === 0
      },
      [Symbol.dispose]() {
        client[Symbol.dispose]()
        server[Symbol.dispose]()
      },
    }
  }

  test('K2, K3: of unlisted torrents there are no announces, and zeroes', async () => {
    using it = await scene('suppress', 'listed')
    // In the words of HTTP, within the length of the question.
    expect(await it.announced(hashB)).toBe(TEXT.unlisted)
    expect(await it.announced(hashA)).toBe(1)
    expect(await it.client.scrape(hashA, hashB, hashA)).toEqual([
      [1, 0, 0],
      [0, 0, 0],
      [1, 0, 0],
    ])
    expect(it.counted()).toEqual({ announces: 1, errors: 1, scrapes: 1 })
  })

  test.each<[what: string, url: string | undefined, told: keyof typeof TEXT | 'served']>([
    ['a good key', `/announce/${GOOD}`, 'served'],
    ['a good key and a query', `/announce/${GOOD}?a=b`, 'served'],
    ['a good key before the last segment', `/${GOOD}/announce`, 'served'],
    ['a good passkey', `/announce?passkey=${GOOD}`, 'served'],
    ['no options', undefined, 'missing'],
    ['no key', '/announce', 'missing'],
    ['the random key of a client', '/announce?key=1F2E3D4C', 'missing'],
    ['a malformed key', '/announce/short', 'malformed'],
    ['an unknown key', `/announce/${UNKNOWN}`, 'unknown'],
    ['an unknown key before the last segment', `/${UNKNOWN}/announce`, 'unknown'],
    ['an expired key', `/announce/${EXPIRED}`, 'expired'],
  ])('K10, K16: private: an announce with %s', async (_what, url, told) => {
    using it = await scene('suppress', 'private')
    expect(await it.announced(hashB, url)).toBe(told === 'served' ? 1 : TEXT[told])
    expect(it.server.count('announces')).toBe(told === 'served' ? 1 : 0)
  })

  test('K5: private: scrapes carry no key, and the key of one datagram is not that of the next', async () => {
    using it = await scene('suppress', 'private')
    expect(await it.announced(hashB, `/announce/${GOOD}`)).toBe(1)
    expect(await it.announced(hashB)).toBe(TEXT.missing)
    expect(await it.announced(hashB, `/announce/${GOOD.slice(1)}`)).toBe(TEXT.malformed)
    expect(await it.client.scrape(hashA, hashB)).toEqual([
      [0, 0, 0],
      [0, 0, 0],
    ])
  })

  test('K11: schema 3.0.0 refuses in the words of its generation, as far as they fit', async () => {
    using it = await scene('suppress', 'both', { schema: '3.0.0' })
    expect(await it.announced(hashA)).toBe(
      'Tracker authentication error: Missing authentication key',
    )
    expect(await it.announced(hashB, `/announce/${GOOD}`)).toBe(TEXT.unlisted)
  })

  test('U15: public: options are tolerated, whatever they say', async () => {
    using it = await scene()
    for (const options of [urlData('/announce/short'), [2], [2, 255, 1], [0, 0, 0]])
      expect(await it.told(announcePacket(it.client.id, { options }))).toBe('served')
  })

  test('a wrong id is reported before key and whitelist', async () => {
    using it = await scene('suppress', 'both')
    const packet = announcePacket(it.wrong, { infoHash: hashB, options: urlData('/announce/bad') })
    expect(await it.told(packet)).toBe(TEXT.announceId)
    expect(it.counted()).toEqual({ errors: 1, connectionIdErrors: 1 })
    expect(await it.told(scrapePacket(it.wrong, [hashA]))).toBe(TEXT.scrapeId)
    expect(it.counted()).toEqual({ errors: 1, connectionIdErrors: 1 })
  })

  test('a wrong id that is not insisted on is counted, and key and whitelist hold all the same', async () => {
    using it = await scene('serve', 'both')
    const announce = (key: string, infoHash: Uint8Array) =>
      it.told(announcePacket(it.wrong, { infoHash, options: urlData(`/announce/${key}`) }))
    for (let i = 0; i <= LIMIT * 2; i++) {
      expect(await announce(UNKNOWN, hashA)).toBe(TEXT.unknown)
      expect(it.counted()).toEqual({ errors: 1, connectionIdErrors: 1 })
    }
    expect(await announce(GOOD, hashB)).toBe(TEXT.unlisted)
    expect(it.counted()).toEqual({ errors: 1, connectionIdErrors: 1 })
    expect(await announce(GOOD, hashA)).toBe('served')
    expect(it.counted()).toEqual({ announces: 1, connectionIdErrors: 1 })
    expect(await it.told(scrapePacket(it.wrong, [hashA]))).toBe('served')
    expect(it.counted()).toEqual({ scrapes: 1, connectionIdErrors: 1 })
  })

  test('K9: a malformed key is reported before the whitelist, and not asked for where no key is', async () => {
    using it = await scene('suppress', 'both')
    const packet = (options: number[]) => announcePacket(it.client.id, { infoHash: hashB, options })
    expect(await it.told(packet(urlData('/announce/bad')))).toBe(TEXT.malformed)
    expect(await it.told(packet(urlData('/announce')))).toBe(TEXT.missing)
    expect(await it.told(packet(urlData(`/announce/${UNKNOWN}`)))).toBe(TEXT.unknown)
    expect(await it.told(packet(urlData(`/announce/${GOOD}`)))).toBe(TEXT.unlisted)
    expect(it.counted()).toEqual({ errors: 4 })
    using listed = await scene('suppress', 'listed')
    const bad = announcePacket(listed.client.id, {
      infoHash: hashB,
      options: urlData('/announce/bad'),
    })
    expect(await listed.told(bad)).toBe(TEXT.unlisted)
  })

  test('an invalid request is reported before its connection id, which does not count', async () => {
    using it = await scene()
    for (let i = 0; i <= LIMIT * 2; i++) {
      expect(await it.told(announcePacket(it.wrong, { port: 0 }))).toBe(
        "bad request: Port can't be 0",
      )
      expect(it.counted()).toEqual({ errors: 1 })
    }
  })

  test('suppress: only wrong ids and junk are dropped, an old id is told', async () => {
    using it = await scene('suppress', 'private')
    await it.becomeGuilty()
    expect(await it.isSilent(announcePacket(it.wrong), scrapePacket(it.wrong, [hashA]))).toBe(true)
    expect(it.counted()).toEqual({ connects: 2, banned: 2, connectionIdErrors: 2 })
    expect(await it.isSilent(new Uint8Array(99).fill(0xff))).toBe(true)
    expect(it.counted()).toEqual({ connects: 2, banned: 1 })
    // Too short for a transaction id: bans do not apply.
    expect(await it.isSilent(new Uint8Array(15))).toBe(true)
    expect(it.counted()).toEqual({ connects: 2, malformed: 1 })
    expect(await it.told(announcePacket(it.client.id))).toBe(TEXT.missing)
    expect(it.counted()).toEqual({ errors: 1 })
    for (const seconds of [121, -3]) {
      it.server.time.now += seconds * 1000
      expect(await it.told(announcePacket(it.client.id))).toBe(TEXT.announceId)
      expect(it.counted()).toEqual({ errors: 1, connectionIdErrors: 1 })
      it.server.time.now -= seconds * 1000
    }
  })

  test('ban: everything is dropped, before anything else of it is looked at', async () => {
    using it = await scene('ban', 'both')
    await it.becomeGuilty()
    const packets = [
      announcePacket(it.client.id, { infoHash: hashA, options: urlData(`/announce/${GOOD}`) }),
      announcePacket(it.wrong),
      announcePacket(it.client.id, { infoHash: hashB }),
      scrapePacket(it.client.id, [hashA]),
      connectPacket(9),
      new Uint8Array(99).fill(0xff),
      new Uint8Array(15),
      new Uint8Array(0),
    ]
    expect(await it.isSilent(...packets)).toBe(true)
    expect(it.counted()).toEqual({ connects: 2, banned: packets.length })
    it.server.time.now += 121_000
    expect(await it.isSilent(announcePacket(it.client.id))).toBe(true)
    expect(it.counted()).toEqual({ connects: 2, banned: 1 })
  })

  test('ban: ids that are only old never lead to it', async () => {
    using it = await scene('ban')
    it.server.time.now += 121_000
    for (let i = 0; i <= LIMIT * 2; i++)
      expect(await it.told(announcePacket(it.client.id))).toBe(TEXT.announceId)
    expect(it.counted()).toEqual({ errors: 5, connectionIdErrors: 5 })
  })

  test.skipIf(!CAN_FORGE)('port 0 is reported before a ban', async () => {
    using it = await scene('ban')
    await it.becomeGuilty()
    const ip = '127.0.0.1'
    forge({ ip, port: 0 }, { ip, port: it.server.port }, connectPacket())
    expect(await it.isSilent(connectPacket(1))).toBe(true)
    // Bun hands out no such datagram.
    expect(it.counted()).toEqual({ connects: 2, banned: 1, ...(isDirect && { discarded: 1 }) })
  })

  test('an error longer than its datagram is dropped and counted as unanswered, not as an error', async () => {
    using it = await scene()
    // The text for a scrape fits no scrape of no hash; a datagram of 16 bytes has room for 8 characters.
    expect(await it.isSilent(new Uint8Array(16).fill(0xff))).toBe(true)
    expect(it.counted()).toEqual({ connects: 2, unanswered: 1 })
  })
})

test('an address that is banned for its connection ids is served over HTTP', async () => {
  await using tracker = await startTracker({
    rest: `${listeners()}[abuse]\nid_errors = "ban"\n`,
  })
  using client = await connected(tracker.ports.udp[0]!)
  for (let i = 0; i <= 10; i++) await client.ask(announcePacket(client.id ^ 1n))
  client.send(connectPacket())
  await expect(client.receive(100)).rejects.toThrow('no answer')
  const url = `http://127.0.0.1:${tracker.ports.http[0]}`
  expect((await get(url, `/announce?${announceQuery()}`)).value.get('complete')).toBe(1)
  const { value } = await get(url, `/scrape?info_hash=${percent(hashA)}`)
  expect(value.get('files')).toHaveProperty('size', 1)
})
