/** Private and listed trackers over both protocols. Names begin with ids of docs/behaviours.md. */
import { describe, expect, test } from 'bun:test'
import { Access, createAccessMemory } from '../../src/access/access.ts'
import { packKeys } from '../../src/access/keys.ts'
import { packHashes } from '../../src/access/whitelist.ts'
import type { RefusalSchema } from '../../src/refusal.ts'
import type { Tracker } from '../../src/tracker.ts'
import { run } from '../support/access/entries.ts'
import { announceQuery, get, hashA, hashB, percent, type Reply } from '../support/http-client.ts'
import { makeTracker, NOW_MILLISECONDS, serve } from '../support/servers/served-http.ts'
import { serveUdpAlone } from '../support/servers/served-udp.ts'
import {
  actionOf,
  announcePacket,
  connected,
  messageOf,
  readAnnounce,
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
}
/** The same of schema 3.0.0. */
const NEWER = {
  missing: 'Tracker authentication error: Missing authentication key',
  malformed: 'Tracker authentication error: Invalid format for authentication key param',
  unknown: 'Tracker authentication error: Failed to read key',
  expired: 'Tracker authentication error: Key has expired',
  unlisted: `Tracker whitelist error: The torrent: ${hashB.toString('hex')}, is not whitelisted`,
}

/** hashA is listed; GOOD is good for ever. */
function trackerOf(
  mode: 'listed' | 'private' | 'both',
  checksExpiration = true,
  schema: RefusalSchema = '2.0.0',
): Tracker {
  const access = new Access(
    createAccessMemory({
      listed: mode !== 'private',
      private: mode !== 'listed',
      checksExpiration,
      seed: Int32Array.of(3),
      whitelistCapacity: 10,
      keyCapacity: 10,
    })!,
    true,
  )
  access.whitelist?.add(packHashes(hashA).words)
  const keys = [
    { key: GOOD, validUntil: Infinity },
    { key: EXPIRED, validUntil: NOW_MILLISECONDS - 1 },
  ]
  if (access.keys) run(access.keys.putAll(packKeys(keys)))
  return makeTracker({ schema }, access)
}

describe('HTTP', () => {
  const announce = (key?: string, changes: Record<string, string> = {}) =>
    `/announce${key === undefined ? '' : `/${key}`}?${announceQuery(changes)}`
  const scrape = (hash: Uint8Array, key?: string) =>
    `/scrape${key === undefined ? '' : `/${key}`}?info_hash=${percent(hash)}`
  const ofB = { info_hash: percent(hashB) }
  /** Seeders of every hash. */
  const seeders = (reply: Reply) =>
    [...(reply.value.get('files') as Map<string, Map<string, number>>).values()].map((entry) =>
      entry.get('complete'),
    )

  describe('listed', () => {
    test('K2: an unlisted torrent is refused by name and nothing is stored', async () => {
      await using tracker = await serve({ tracker: trackerOf('listed') })
      const reply = await get(tracker.url, announce(undefined, ofB))
      expect([reply.status, reply.failure]).toEqual([200, TEXT.unlisted])
      expect(reply.headers['content-type']).toBe('text/plain; charset=utf-8')
      expect([tracker.count('announces'), tracker.count('errors')]).toEqual([
        [0, 0],
        [1, 0],
      ])
    })
    test('K2: a listed torrent is served', async () => {
      await using tracker = await serve({ tracker: trackerOf('listed') })
      expect((await get(tracker.url, announce())).value.get('complete')).toBe(1)
    })
    test('K3: a scrape has zeroes for the one, numbers for the other', async () => {
      const tracker = trackerOf('listed')
      await using serving = await serve({ tracker })
      await get(serving.url, announce())
      const both = `${scrape(hashA)}&info_hash=${percent(hashB)}`
      expect(seeders(await get(serving.url, both)).sort()).toEqual([0, 1])
      expect(seeders(await get(serving.url, scrape(hashA)))).toEqual([1])
      expect(seeders(await get(serving.url, scrape(hashB)))).toEqual([0])
      expect(serving.count('scrapes')).toEqual([3, 0])
    })
  })

  describe('private', () => {
    test.each([
      ['K4: a good key', GOOD, undefined],
      ['a good key, escaped', GOOD.replace('A', '%41'), undefined],
      ['K4: no key', undefined, TEXT.missing],
      ['K6: a malformed key', 'INVALID_KEY', TEXT.malformed],
      ['K4: an unknown key', UNKNOWN, TEXT.unknown],
      ['an expired key', EXPIRED, TEXT.expired],
    ])('an announce with %s', async (_what, key, failure) => {
      await using tracker = await serve({ tracker: trackerOf('private') })
      const reply = await get(tracker.url, announce(key))
      expect([reply.status, reply.failure]).toEqual([200, failure])
      expect(tracker.count('announces')).toEqual([failure === undefined ? 1 : 0, 0])
      expect(tracker.count('responses')).toEqual([1, 0])
    })
    test.each([
      ['K5: a good key', GOOD, 1],
      ['K5: no key', undefined, 0],
      ['K5: an unknown key', UNKNOWN, 0],
      ['an expired key', EXPIRED, 0],
    ])('a scrape with %s is no failure', async (_what, key, seen) => {
      await using tracker = await serve({ tracker: trackerOf('private') })
      await get(tracker.url, announce(GOOD))
      expect(seeders(await get(tracker.url, scrape(hashA, key)))).toEqual([seen])
      expect(tracker.count('scrapes')).toEqual([1, 0])
    })
    test('K6: a scrape with a malformed key is a failure', async () => {
      await using tracker = await serve({ tracker: trackerOf('private') })
      expect((await get(tracker.url, scrape(hashA, 'INVALID_KEY'))).failure).toBe(TEXT.malformed)
      expect(tracker.count('scrapes')).toEqual([0, 0])
    })
    test('K7: expired keys are good where expiry is not checked', async () => {
      await using tracker = await serve({ tracker: trackerOf('private', false) })
      expect((await get(tracker.url, announce(EXPIRED))).value.get('complete')).toBe(1)
      expect(seeders(await get(tracker.url, scrape(hashA, EXPIRED)))).toEqual([1])
    })
    test.each<[form: string, path: string, query: string, text: keyof typeof TEXT | 'served']>([
      ['before the last segment', `/${GOOD}/REQUEST`, '', 'served'],
      ['before it, escaped', `/${GOOD.replace('A', '%41')}/REQUEST`, '', 'served'],
      ['before it, unknown', `/${UNKNOWN}/REQUEST`, `&key=${GOOD}`, 'unknown'],
      ['before it, malformed', '/INVALID_KEY/REQUEST', `&key=${GOOD}`, 'malformed'],
      ['as passkey', '/REQUEST', `&passkey=${GOOD}`, 'served'],
      ['as key', '/REQUEST', `&key=${GOOD}`, 'served'],
      ['as key, behind that of the client', '/REQUEST', `&key=1F2E3D4C&key=${GOOD}&a=b`, 'served'],
      ['as an expired passkey', '/REQUEST', `&passkey=${EXPIRED}`, 'expired'],
      ['as an unknown passkey', '/REQUEST', `&passkey=${UNKNOWN}`, 'unknown'],
      ['as the random key of a client', '/REQUEST', '&key=1F2E3D4C', 'missing'],
      ['as a passkey that is too long', '/REQUEST', `&passkey=${GOOD}0`, 'missing'],
      ['as a parameter of another name', '/REQUEST', `&sitekey=${GOOD}`, 'missing'],
      ['behind the last segment, unknown', `/REQUEST/${UNKNOWN}`, `&passkey=${GOOD}`, 'unknown'],
    ])('K16: a key %s', async (_form, path, query, text) => {
      await using tracker = await serve({ tracker: trackerOf('private') })
      await get(tracker.url, announce(GOOD))
      const ask = (request: string, parameters: string) =>
        get(tracker.url, `${path.replace('REQUEST', request)}?${parameters}${query}`)
      const failure = text === 'served' ? undefined : TEXT[text]
      expect((await ask('announce', announceQuery())).failure).toBe(failure)
      const scraped = await ask('scrape', `info_hash=${percent(hashA)}`)
      if (text === 'malformed') expect(scraped.failure).toBe(failure)
      else expect(seeders(scraped)).toEqual([text === 'served' ? 1 : 0])
    })
    test('the key of one request is not that of the next', async () => {
      await using tracker = await serve({ tracker: trackerOf('private') })
      await get(tracker.url, announce(GOOD))
      expect((await get(tracker.url, announce())).failure).toBe(TEXT.missing)
      expect(seeders(await get(tracker.url, scrape(hashA)))).toEqual([0])
    })
  })

  test('K11: schema 3.0.0 refuses in the words of its generation', async () => {
    await using tracker = await serve({ tracker: trackerOf('both', true, '3.0.0') })
    const told = async (path: string) => (await get(tracker.url, path)).failure
    expect(await told(announce('INVALID_KEY'))).toBe(NEWER.malformed)
    expect(await told(scrape(hashA, 'INVALID_KEY'))).toBe(NEWER.malformed)
    expect(await told(announce(UNKNOWN))).toBe(NEWER.unknown)
    expect(await told(announce(EXPIRED))).toBe(NEWER.expired)
    expect(await told(announce())).toBe(NEWER.missing)
    expect(await told(announce(GOOD, ofB))).toBe(NEWER.unlisted)
  })

  test('H3: errors come in the order query, key format, key, whitelist, address', async () => {
    await using tracker = await serve({
      tracker: trackerOf('both'),
      network: { on_reverse_proxy: true },
    })
    const told = async (path: string) => (await get(tracker.url, path)).failure
    expect(await told(announce('INVALID_KEY', { ...ofB, port: 'x' }))).toContain('port')
    expect(await told(announce('INVALID_KEY', ofB))).toBe(TEXT.malformed)
    expect(await told(announce(UNKNOWN, ofB))).toBe(TEXT.unknown)
    expect(await told(announce(undefined, ofB))).toBe(TEXT.missing)
    expect(await told(announce(GOOD, ofB))).toBe(TEXT.unlisted)
    expect(await told(announce(GOOD))).toContain('Error resolving peer IP')
    expect(await told(scrape(hashA))).toContain('Error resolving peer IP')
  })
})

describe('UDP', () => {
  async function serveTracker(tracker: Tracker) {
    const server = await serveUdpAlone(false, { tracker })
    const client = await connected(server.port)
    return {
      ...client,
      count: server.count,
      /** The failure, or how many seeders there are. */
      async told(hash: Uint8Array, options: readonly number[] = []): Promise<string | number> {
        const answer = await client.ask(announcePacket(client.id, { infoHash: hash, options }))
        return actionOf(answer) === 3 ? messageOf(answer) : readAnnounce(answer).seeders
      },
      [Symbol.dispose]() {
        client[Symbol.dispose]()
        server[Symbol.dispose]()
      },
    }
  }

  test('K2: an unlisted torrent is refused in the words of HTTP, within the length of the question', async () => {
    using tracker = await serveTracker(trackerOf('listed'))
    const answer = await tracker.ask(announcePacket(tracker.id, { infoHash: hashB }))
    expect([actionOf(answer), messageOf(answer)]).toEqual([3, TEXT.unlisted])
    expect(answer.length).toBeLessThanOrEqual(98)
    expect(await tracker.told(hashA)).toBe(1)
    expect([tracker.count('announces'), tracker.count('errors')]).toEqual([1, 1])
  })

  test('K3: listed: zeroes for unlisted torrents, numbers for listed ones', async () => {
    using tracker = await serveTracker(trackerOf('listed'))
    await tracker.told(hashA)
    expect(await tracker.scrape(hashA, hashB, hashA)).toEqual([
      [1, 0, 0],
      [0, 0, 0],
      [1, 0, 0],
    ])
    expect(tracker.count('scrapes')).toBe(1)
  })

  test.each([
    ['a good key', urlData(`/announce/${GOOD}`), 1],
    ['a good key and a query', urlData(`/announce/${GOOD}?a=b`), 1],
    ['a good key before the last segment', urlData(`/${GOOD}/announce`), 1],
    ['a good passkey', urlData(`/announce?passkey=${GOOD}`), 1],
    ['the random key of a client', urlData('/announce?key=1F2E3D4C'), TEXT.missing],
    ['an unknown key before the last segment', urlData(`/${UNKNOWN}/announce`), TEXT.unknown],
    ['no options', [], TEXT.missing],
    ['no key', urlData('/announce'), TEXT.missing],
    ['a malformed key', urlData('/announce/short'), TEXT.malformed],
    ['an unknown key', urlData(`/announce/${UNKNOWN}`), TEXT.unknown],
    ['an expired key', urlData(`/announce/${EXPIRED}`), TEXT.expired],
  ])('K10: private: an announce with %s', async (_what, options, expected) => {
    using tracker = await serveTracker(trackerOf('private'))
    expect(await tracker.told(hashB, options)).toBe(expected)
    expect(tracker.count('announces')).toBe(expected === 1 ? 1 : 0)
  })

  test('private: the key of one datagram is not that of the next', async () => {
    using tracker = await serveTracker(trackerOf('private'))
    expect(await tracker.told(hashB, urlData(`/announce/${GOOD}`))).toBe(1)
    expect(await tracker.told(hashB)).toBe(TEXT.missing)
    expect(await tracker.told(hashB, urlData(`/announce/${GOOD.slice(1)}`))).toBe(TEXT.malformed)
  })

  test('K5: private: scrapes carry no key and are answered with zeroes', async () => {
    using tracker = await serveTracker(trackerOf('private'))
    expect(await tracker.told(hashA, urlData(`/announce/${GOOD}`))).toBe(1)
    expect(await tracker.scrape(hashA, hashB)).toEqual([
      [0, 0, 0],
      [0, 0, 0],
    ])
    expect(tracker.count('scrapes')).toBe(1)
  })

  test('K9: private and listed: the key comes first', async () => {
    using tracker = await serveTracker(trackerOf('both'))
    const good = urlData(`/announce/${GOOD}`)
    expect(await tracker.told(hashB)).toBe(TEXT.missing)
    expect(await tracker.told(hashB, good)).toBe(TEXT.unlisted)
    expect(await tracker.told(hashA, good)).toBe(1)
  })

  test('K11: schema 3.0.0 refuses in the words of its generation, as far as they fit', async () => {
    using tracker = await serveTracker(trackerOf('both', true, '3.0.0'))
    expect(await tracker.told(hashA)).toBe(NEWER.missing)
    expect(await tracker.told(hashA, urlData('/announce/short'))).toBe(NEWER.malformed)
    expect(await tracker.told(hashA, urlData(`/announce/${UNKNOWN}`))).toBe(NEWER.unknown)
    expect(await tracker.told(hashB, urlData(`/announce/${GOOD}`))).toBe(TEXT.unlisted)
  })

  test('a wrong connection id is told before anything of keys', async () => {
    using tracker = await serveTracker(trackerOf('private'))
    const answer = await tracker.ask(announcePacket(tracker.id ^ 1n))
    expect(messageOf(answer)).toBe('tracker announce error: Connection cookie error')
  })

  test('U15: public: options are tolerated, whatever they say', async () => {
    using tracker = await serveTracker(makeTracker())
    for (const options of [urlData('/announce/short'), [2], [2, 255, 1], [0, 0, 0]])
      expect(await tracker.told(hashA, options)).toBe(1)
  })
})
