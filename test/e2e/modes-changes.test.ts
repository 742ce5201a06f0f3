/**
 * Keys, whitelist and counts of the running program, from the source and compiled: changes while it runs, and what
 * a restart keeps. The ids in the names are those of docs/behaviours.md.
 */

import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { NEEDS_DATABASE } from '../support/api/cases.ts'
import { withToken } from '../support/api/served-api.ts'
import { bothPrograms } from '../support/e2e/program.ts'
import { outcome, type RunningTracker, runTracker, TOLD } from '../support/e2e/tracker-process.ts'
import { hashA, hashB } from '../support/http-client.ts'
import { sharedDirectory } from '../support/temporary-directory.ts'
import { EVENT, hashOf, type UdpPeer, urlData } from '../support/udp-client.ts'
import { until } from '../support/until.ts'

const PROGRAMS = bothPrograms()
const KEY = 'A1b2C3d4E5f6G7h8I9j0K1l2M3n4O5p6'
const OTHER = 'B1b2C3d4E5f6G7h8I9j0K1l2M3n4O5p6'
const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex')
const ZEROES = [0, 0, 0]
const optionsOf = (key: string) => urlData(`/announce/${key}`)

/** UDP sockets, and as many HTTP connections, that ask at once: enough for every thread to get some. */
const SOCKETS = 24

/** The outcome of an announce with that key over HTTP, and over UDP: 'served', or the refusal. */
const both = async (
  tracker: RunningTracker,
  peer: UdpPeer,
  key: string,
  hash: Uint8Array = hashA,
) => [
  await tracker.told({ key, hash }).then((told) => (typeof told === 'number' ? 'served' : told)),
  await outcome(peer.announce(hash, { options: optionsOf(key) })).then((told) =>
    typeof told === 'number' ? 'served' : told,
  ),
]
const SERVED = ['served', 'served']
const twice = (told: string) => [told, told]
const unlisted = (hash: Uint8Array) => [TOLD.unlisted(hash), TOLD.unlistedUdp(hash)]

describe.each(PROGRAMS)('%s', (_program, program) => {
  describe('private and listed, with two threads', () => {
    let tracker: RunningTracker
    let peer: UdpPeer
    const sockets: UdpPeer[] = []
    beforeAll(async () => {
      tracker = await runTracker(program, { mode: 'both' })
      peer = await tracker.peer()
      for (let count = 0; count < SOCKETS; count++) sockets.push(await tracker.peer())
    })
    afterAll(() => {
      for (const socket of [peer, ...sockets]) socket[Symbol.dispose]()
      return tracker[Symbol.asyncDispose]()
    })
    /** The outcomes of announces over all sockets and connections, without duplicates. */
    const outcomes = async (key: string, hash: Uint8Array) => {
      const told = await Promise.all(
        sockets.flatMap((socket) => [
          outcome(socket.announce(hash, { options: optionsOf(key) })),
          tracker.told({ key, hash }),
        ]),
      )
      return [...new Set(told.map((one) => (typeof one === 'number' ? 'served' : one)))]
    }

    test('K8: a change holds for every client from the next request on', async () => {
      const key = await tracker.addKey(null)
      const [one, other] = [hashOf(1), hashOf(2)]
      for (let round = 0; round < 5; round++) {
        expect((await outcomes(key, one)).sort()).toEqual(unlisted(one).sort())
        await tracker.call('POST', `whitelist/${hex(one)}`)
        expect(await outcomes(key, one)).toEqual(['served'])
        await tracker.call('DELETE', `whitelist/${hex(one)}`)
      }
      for (let round = 0; round < 5; round++) {
        const hashes = { info_hashes: [hex(one), hex(other)] }
        await tracker.call('POST', 'whitelist/bulk', hashes)
        await tracker.call('POST', 'keys', { key: KEY, seconds_valid: 60 })
        expect(await outcomes(KEY, other)).toEqual(['served'])
        await tracker.call('DELETE', `key/${KEY}`)
        expect(await outcomes(KEY, other)).toEqual([TOLD.unknown])
        await tracker.call('DELETE', 'whitelist/bulk', hashes)
        expect((await outcomes(key, other)).sort()).toEqual(unlisted(other).sort())
      }
    })

    test('A18, A20, K7: keys of every kind are good', async () => {
      await tracker.call('POST', `whitelist/${hex(hashA)}`)
      for (const [method, target, form] of [
        ['POST', 'keys', { key: null, seconds_valid: 100 }],
        ['POST', 'keys', { key: 'a'.repeat(32), seconds_valid: 100 }],
        ['POST', 'keys', { key: null, seconds_valid: null }],
        ['POST', 'keys', { key: 'b'.repeat(32), seconds_valid: null }],
        ['POST', 'keys', { key: 'c'.repeat(32), seconds_valid: 8_200_000_000_000 }],
        ['POST', 'key/60', undefined],
      ] as const) {
        const { key } = await tracker.call(method, target, form)
        expect([target, form, await both(tracker, peer, key)]).toEqual([target, form, SERVED])
        expect(await tracker.scrape([hashA], key)).not.toEqual([ZEROES])
      }
    })

    test('K7: a key is good for as long as it was made for, and no longer', async () => {
      const began = performance.now()
      const key = await tracker.addKey(1)
      const seen: string[][] = []
      await until('it to expire', async () => {
        seen.push(await both(tracker, peer, key))
        return seen.at(-1)![0] === TOLD.expired
      })
      expect(performance.now() - began).toBeGreaterThan(990)
      const first = seen.findIndex((told) => told.includes(TOLD.expired))
      expect(seen.slice(0, first).every((told) => Bun.deepEquals(told, SERVED))).toBe(true)
      expect(await both(tracker, peer, key)).toEqual(twice(TOLD.expired))
      expect(await tracker.scrape([hashA], key)).toEqual([ZEROES])
      // An expired key stays stored.
      const keys: { key: string }[] = await tracker.call('GET', 'keys')
      expect(keys.map((one) => one.key)).toContain(key)
    })

    test('A22, K13: a reload takes the keys from the database', async () => {
      const second = Math.floor(Date.now() / 1000)
      const row = (key: string, validUntil: unknown) =>
        `INSERT INTO keys (key, valid_until) VALUES ('${key}', ${validUntil});`
      const [good, late, negative, past] = ['d', 'e', 'f', 'g'].map((letter) => letter.repeat(32))
      await tracker.addKey(null, OTHER)
      tracker.sql(
        `DELETE FROM keys WHERE key = '${OTHER}';` +
          row(good!, 'NULL') +
          row(late!, second + 1_000) +
          row(negative!, -second - 1_000) +
          row(past!, second - 1_000) +
          // Invalid rows are skipped.
          row('short', 'NULL') +
          row('h'.repeat(32), `'text'`) +
          row('%'.repeat(32), 'NULL'),
      )
      expect(await both(tracker, peer, OTHER)).toEqual(SERVED)
      for (const key of [good!, late!, negative!, past!])
        expect(await both(tracker, peer, key)).toEqual(twice(TOLD.unknown))
      expect(await tracker.call('GET', 'keys/reload')).toEqual({ status: 'ok' })
      expect(await both(tracker, peer, OTHER)).toEqual(twice(TOLD.unknown))
      for (const key of [good!, late!, negative!])
        expect([key, await both(tracker, peer, key)]).toEqual([key, SERVED])
      expect(await both(tracker, peer, past!)).toEqual(twice(TOLD.expired))
      expect(await both(tracker, peer, 'h'.repeat(32))).toEqual(twice(TOLD.unknown))
    })

    test('A24, K13: a reload takes the whitelist from the database', async () => {
      const key = await tracker.addKey(null)
      const hash = hashOf(0xab)
      await tracker.call('POST', `whitelist/${hex(hashB)}`)
      tracker.sql(
        `DELETE FROM whitelist WHERE info_hash = '${hex(hashB)}';
         INSERT INTO whitelist (info_hash) VALUES ('${hex(hash)}'), ('short'), ('${'x'.repeat(40)}')`,
      )
      const told = async () => [
        await both(tracker, peer, key, hashB),
        await both(tracker, peer, key, hash),
      ]
      expect(await told()).toEqual([SERVED, unlisted(hash)])
      expect(await tracker.call('GET', 'whitelist/reload')).toEqual({ status: 'ok' })
      expect(await told()).toEqual([unlisted(hashB), SERVED])
    })

    test('A25, K12: a change that the database refuses changes nothing', async () => {
      const key = await tracker.addKey(null, '0123456789abcdefghijklmnopqrstuv')
      await tracker.call('POST', 'whitelist/3b245504cf5f11bbdbe1201cea6a6bf45aee1bc0')
      tracker.sql('DROP TABLE whitelist; DROP TABLE keys')
      for (const [, method, path, body] of NEEDS_DATABASE) {
        const content = body === undefined ? {} : { body }
        const { status } = await tracker.ask(withToken({ method, path, ...content }))
        expect([method, path, status]).toEqual([method, path, 500])
        expect(await both(tracker, peer, key, hashB)).toEqual(SERVED)
      }
      const form = JSON.stringify({ key: OTHER, seconds_valid: 60 })
      const added = await tracker.ask(
        withToken({ method: 'POST', path: '/api/v1/keys', body: form }),
      )
      expect(added.status).toBe(500)
      expect(added.body).not.toContain(OTHER)
      expect(await both(tracker, peer, OTHER, hashB)).toEqual(twice(TOLD.unknown))
    })

    test('logs no secret', () => tracker.stop())
  })

  test('K7: without the check of expiry expired keys are good, over both protocols', async () => {
    const tables = '[core.private_mode]\ncheck_keys_expiration = false\n'
    await using tracker = await runTracker(program, { mode: 'private', tables })
    using peer = await tracker.peer()
    const key = await tracker.addKey(0)
    tracker.sql(`INSERT INTO keys (key, valid_until) VALUES ('${OTHER}', 1)`)
    expect(await both(tracker, peer, OTHER)).toEqual(twice(TOLD.unknown))
    await tracker.call('GET', 'keys/reload')
    for (const expired of [key, OTHER]) {
      expect(await both(tracker, peer, expired)).toEqual(SERVED)
      expect(await tracker.scrape([hashA], expired)).toEqual([[2, 0, 0]])
    }
    expect(await both(tracker, peer, KEY)).toEqual(twice(TOLD.unknown))
    await tracker.stop()
  })

  describe('a restart keeps', () => {
    const room = sharedDirectory()
    const persistent = '[core.tracker_policy]\npersistent_torrent_completed_stat = true\n'
    const open = (tables = persistent) =>
      runTracker(program, { mode: 'both', room: room.path, tables })
    const figures = async (tracker: RunningTracker) => {
      const stats = await tracker.stats()
      return [
        'completed',
        'completed_in_session',
        'completed_persisted',
        'torrents',
        'seeders',
      ].map((name) => stats[name])
    }
    const complete = async (peer: UdpPeer, port: number) => {
      const options = optionsOf(KEY)
      await peer.announce(hashA, { left: 1, event: EVENT.started, port, options })
      await peer.announce(hashA, { left: 0, event: EVENT.completed, port, options })
    }
    const scraped = async (tracker: RunningTracker, expected: readonly number[]) =>
      await until(`${expected}`, async () =>
        Bun.deepEquals(await tracker.scrape([hashA], KEY), [expected]),
      )
    let temporary: string

    test('S5, D5: a completion, counted once and stored', async () => {
      await using tracker = await open()
      using peer = await tracker.peer()
      expect(await tracker.stats()).toMatchObject({ completed_persisted_enabled: true })
      await tracker.addKey(null, KEY)
      temporary = await tracker.addKey(100_000)
      await tracker.call('POST', `whitelist/${hex(hashA)}`)
      await complete(peer, 1_000)
      await complete(peer, 1_001)
      expect(await tracker.scrape([hashA], KEY)).toEqual([[2, 2, 0]])
      await until('both to be stored', async () =>
        Bun.deepEquals(await figures(tracker), [2, 2, 2, 1, 2]),
      )
      expect(tracker.sql('SELECT info_hash, completed FROM torrents')).toEqual([[hex(hashA), 2]])
      await complete(peer, 1_002)
      await tracker.stop()
      expect(tracker.sql('SELECT info_hash, completed FROM torrents')).toEqual([[hex(hashA), 3]])
    })

    test('K15, D5, H16: keys, whitelist and counts, but no peers', async () => {
      await using tracker = await open()
      using peer = await tracker.peer()
      expect(await figures(tracker)).toEqual([3, 0, 3, 0, 0])
      // A scrape alone looks the count up, and creates no torrent.
      await scraped(tracker, [0, 3, 0])
      expect(await figures(tracker)).toEqual([3, 0, 3, 0, 0])
      const options = optionsOf(temporary)
      expect(await peer.announce(hashA, { left: 1, port: 2_000, options })).toEqual({
        seeders: 0,
        leechers: 1,
        peers: [],
      })
      expect(await both(tracker, peer, KEY, hashB)).toEqual(unlisted(hashB))
      expect(await both(tracker, peer, OTHER)).toEqual(twice(TOLD.unknown))
      await scraped(tracker, [0, 3, 1])
      await complete(peer, 2_001)
      await scraped(tracker, [1, 4, 1])
      expect((await figures(tracker))[1]).toBe(1)
      await tracker.call('DELETE', `key/${temporary}`)
      await tracker.call('DELETE', `whitelist/${hex(hashA)}`)
      await tracker.stop()
      expect(tracker.sql('SELECT completed FROM torrents')).toEqual([[4]])
    })

    test('removals; and counts are not looked up where they are not kept', async () => {
      await using tracker = await open('')
      using peer = await tracker.peer()
      expect(await both(tracker, peer, temporary)).toEqual(twice(TOLD.unknown))
      expect(await both(tracker, peer, KEY)).toEqual(unlisted(hashA))
      await tracker.call('POST', `whitelist/${hex(hashA)}`)
      expect(await both(tracker, peer, KEY)).toEqual(SERVED)
      await complete(peer, 3_000)
      expect(await tracker.scrape([hashA], KEY)).toEqual([[3, 1, 0]])
      expect(await tracker.stats()).toMatchObject({
        completed: 1,
        completed_persisted: 0,
        completed_persisted_enabled: false,
      })
      await tracker.stop()
      expect(tracker.sql('SELECT completed FROM torrents')).toEqual([[4]])
    })
  })
})
