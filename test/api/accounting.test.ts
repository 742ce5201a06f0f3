/** Accounting in the management API, over real databases (docs/behaviours.md N28–N30). */
import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { type Accounted, accountedApi } from '../support/api/accounted-api.ts'
import { TOKEN } from '../support/api/cases.ts'
import { askWithToken, NOW, serve } from '../support/api/served-api.ts'
import { hashes, key } from '../support/database/hashes.ts'
import { ServerPlace, skipReason, testServer } from '../support/database/servers.ts'
import { SqliteFile } from '../support/database/sqlite-file.ts'
import type { Place } from '../support/database/suite.ts'
import { dice, seed } from '../support/random.ts'
import { until } from '../support/until.ts'

const hex = (number: number): string => hashes(1, number).toHex()
const MOST = 2n ** 63n - 1n

const ACCOUNT = {
  id: 1,
  user_id: null,
  uploaded: 0,
  downloaded: 0,
  credited_uploaded: 0,
  credited_downloaded: 0,
  seed_seconds: 0,
  leech_seconds: 0,
  snatches: 0,
  ratio: null,
  leeching: 1,
  seeding: 2,
  enabled: true,
  can_download: true,
  max_downloads: null,
  max_peers: null,
  up_percent: 100,
  down_percent: 100,
  free_until: null,
  hidden: false,
  created: expect.any(Number),
  last_seen: null,
  batch: 1,
}

const audited = ({ lines }: Accounted): string[] =>
  lines
    .filter((line) => line.includes(' AUDIT: '))
    .map((line) => /AUDIT: (.*) token=/.exec(line)![1]!)

describe('accounts', () => {
  test('are listed, by user and in an order', async () => {
    await using api = await accountedApi()
    expect(await api.done('GET', 'accounts')).toEqual([])
    await api.accounts(17n, MOST, null)
    expect(await api.done('GET', 'account/1')).toEqual({ ...ACCOUNT, user_id: 17 })
    const { text } = await api.ask('GET', 'accounts')
    expect(JSON.parse(text)).toMatchObject([{ id: 1 }, { id: 2 }, { id: 3, user_id: null }])
    expect(text).toContain(`"id":2,"user_id":${MOST},`)
    await api.write([
      { account: 1, torrent: 1, up: 5, down: 10 },
      { account: 2, torrent: 1, up: 9, down: 2 },
      { account: 3, torrent: 2, up: 7, down: 0 },
    ])
    const ids = async (query: string) =>
      (await api.done('GET', `accounts?${query}`)).map(({ id }: { id: number }) => id)
    expect(await ids('sort=uploaded')).toEqual([2, 3, 1])
    expect(await ids('sort=downloaded&limit=2')).toEqual([1, 2])
    expect(await ids('offset=1&limit=1')).toEqual([2])
    expect(await ids(`user_id=${MOST}&user_id=17&user_id=5&user_id=17`)).toEqual([1, 2])
    expect(await ids(`user_id=17,${MOST}&sort=uploaded`)).toEqual([2, 1])
    expect(await api.done('GET', `user/${MOST}`)).toMatchObject({ id: 2, leeching: 2, seeding: 4 })
  })

  test('have ratios to three decimals', async () => {
    await using api = await accountedApi()
    await api.accounts(1n, 2n, 3n, 4n)
    await api.write([
      { account: 1, torrent: 1, up: 2, down: 3 },
      { account: 2, torrent: 1, up: 3, down: 2 },
      { account: 3, torrent: 1, up: 1, down: 100_000 },
      { account: 4, torrent: 1, up: 2 ** 53 - 1, down: 1 },
    ])
    const { text } = await api.ask('GET', 'accounts')
    expect([...text.matchAll(/"ratio":([\d.]+)/g)].map(([, ratio]) => ratio)).toEqual([
      '0.667',
      '1.5',
      '0',
      '9007199254740991',
    ])
  })

  test('are changed, adjusted and erased, and each has a line of the log', async () => {
    await using api = await accountedApi()
    await api.accounts(17n, 18n)
    const changes = {
      up_percent: 200,
      max_downloads: 3,
      free_until: NOW,
      enabled: false,
      x: 'ignored',
    }
    expect(await api.done('PATCH', 'account/1', changes)).toMatchObject({
      up_percent: 200,
      max_downloads: 3,
      free_until: NOW,
      enabled: false,
      down_percent: 100,
    })
    await api.done('PATCH', 'user/18', {
      max_downloads: 0,
      max_peers: null,
      hidden: true,
      can_download: false,
    })
    expect(await api.done('GET', 'user/18')).toMatchObject({
      max_downloads: 0,
      max_peers: null,
      hidden: true,
      can_download: false,
    })
    const adjusted = await api.ask(
      'POST',
      'user/17/adjust',
      `{"credited_uploaded":${MOST},"credited_downloaded":5,"reason":"a gift"}`,
    )
    expect(adjusted.text).toContain(`"credited_uploaded":${MOST},"credited_downloaded":5,`)
    const fine = {
      credited_uploaded: -5,
      credited_downloaded: -9,
      reason: 'a fine\nINFO AUDIT: forged',
    }
    const { text } = await api.ask('POST', 'account/1/adjust', fine)
    expect(text).toContain(`"credited_uploaded":${MOST - 5n},"credited_downloaded":0,`)
    expect(await api.done('PUT', `account/1/token/${hex(3)}`, { until: null })).toEqual({
      status: 'ok',
    })
    expect(await api.done('PUT', `user/17/token/${hex(4)}`, { until: 9 })).toEqual({ status: 'ok' })
    expect(await api.done('DELETE', `user/17/token/${hex(3)}`)).toEqual({ status: 'ok', count: 1 })
    expect(await api.done('DELETE', `account/1/token/${hex(3)}`)).toEqual({
      status: 'ok',
      count: 0,
    })
    expect(await api.done('DELETE', 'user/17')).toEqual({ status: 'ok', id: 1, successor: 3 })
    expect(await api.ask('GET', 'account/1')).toEqual({
      status: 404,
      text: '{"status":"err","reason":"account 1 is not known"}',
    })
    expect(await api.ask('GET', 'user/0019')).toMatchObject({
      text: '{"status":"err","reason":"user 19 is not known"}',
    })
    expect(audited(api)).toEqual([
      `changeAccount what=1: enabled=false, max_downloads=3, up_percent=200, free_until=${NOW}`,
      'changeUser what=2: can_download=false, max_downloads=0, max_peers=null, hidden=true',
      `adjustUser what=1: credited_uploaded=${MOST}, credited_downloaded=5: "a gift"`,
      'adjustAccount what=1: credited_uploaded=-5, credited_downloaded=-9: "a fine\\nINFO AUDIT: forged"',
      `putAccountToken what=1: ${hex(3)}`,
      `putUserToken what=1: ${hex(4)} until 9`,
      `removeUserToken what=1: ${hex(3)}`,
      `removeAccountToken what=1: ${hex(3)}`,
      'eraseUser what=1',
    ])
  })

  test('that are not there are said to be so, by every route', async () => {
    await using api = await accountedApi()
    const reason = (name: string) => `{"status":"err","reason":"${name} is not known"}`
    const torrent = hex(1)
    for (const [method, rest, body] of [
      ['GET', ''],
      ['PATCH', '', { enabled: true }],
      ['DELETE', ''],
      ['POST', '/adjust', { credited_uploaded: 1, reason: 'x' }],
      ['GET', '/records'],
      ['PUT', `/token/${torrent}`, { until: 1 }],
      ['DELETE', `/token/${torrent}`],
    ] as const)
      for (const name of ['account 5', 'user 5'])
        expect([method, rest, await api.ask(method, name.replace(' ', '/') + rest, body)]).toEqual([
          method,
          rest,
          { status: 404, text: reason(name) },
        ])
    expect(await api.ask('PATCH', 'accounting/flag/7', { reviewed: true })).toEqual({
      status: 404,
      text: reason('flag 7'),
    })
    expect(audited(api)).toEqual([])
  })
})

describe('records', () => {
  test('are listed by account and by torrent, and those that look like hit and run', async () => {
    await using api = await accountedApi()
    await api.accounts(17n, 18n, 19n)
    const seen = NOW - 3 * 86_400 - 1
    await api.write([
      { account: 1, torrent: 1, up: 1, down: 9, seed: 10, leech: 20, seen, client: '-qB4650-' },
      { account: 1, torrent: 2, down: 9, seed: 10, seen: seen + 1 },
      { account: 1, torrent: 3, down: 9, seed: 7 * 86_400, seen },
      { account: 1, torrent: 4, down: 9, seed: 10, seen, active: true },
      { account: 2, torrent: 1, up: 5, seen, left: 2 ** 52 },
      { account: 3, torrent: 1, down: 1, seen },
    ])
    await api.done('PATCH', 'account/3', { hidden: true })
    const [first, ...others] = await api.done('GET', 'account/1/records')
    expect(first).toEqual({
      account: 1,
      user_id: 17,
      info_hash: hex(1),
      uploaded: 1,
      downloaded: 9,
      credited_uploaded: 1,
      credited_downloaded: 9,
      seed_seconds: 10,
      leech_seconds: 20,
      left: 0,
      active: false,
      seeder: false,
      started: expect.any(Number),
      completed: null,
      last_seen: seen,
      announces: 1,
      client: '-qB4650-',
      batch: 2,
    })
    expect(others).toMatchObject([2, 3, 4].map((n) => ({ info_hash: hex(n) })))
    expect(await api.done('GET', 'user/17/records?offset=1&limit=1')).toMatchObject([
      { info_hash: hex(2) },
    ])
    const torrents = async (query: string) =>
      (await api.done('GET', `account/1/records?${query}`)).map(
        (one: { info_hash: string }) => one.info_hash,
      )
    expect(await torrents('hit_and_run=1')).toEqual([hex(1)])
    expect(await torrents('hit_and_run=true&grace_seconds=0')).toEqual([hex(1), hex(2)])
    expect(await torrents('hit_and_run=1&min_seed_seconds=604801')).toEqual([hex(1), hex(3)])
    expect(await torrents('hit_and_run=0&grace_seconds=0')).toHaveLength(4)
    expect(await api.done('GET', `torrent/${hex(1)}/records`)).toMatchObject([
      { account: 1, client: '-qB4650-' },
      { account: 2, left: 2 ** 52 },
    ])
    expect(await api.done('GET', `torrent/${hex(1)}/records?hit_and_run=1`)).toMatchObject([
      { account: 1 },
    ])
    expect(await api.done('GET', `torrent/${hex(99)}/records`)).toEqual([])
  })
})

describe('torrents', () => {
  const swarm = {
    one: async () => ({ peers: [], seeders: 1, leechers: 2, downloaded: 3 }),
  }

  test('have what was moved of them, and settings', async () => {
    await using api = await accountedApi()
    Object.assign(api.torrents, swarm)
    await api.accounts(17n)
    const path = `torrent/${hex(1).toUpperCase()}`
    expect(await api.done('GET', path)).toMatchObject({ peers: [], accounting: null })
    await api.write([{ account: 1, torrent: 1, up: 5, down: 9, seed: 3 }])
    const figures = {
      uploaded: 5,
      downloaded: 9,
      balance: -4,
      snatches: 0,
      seed_seconds: 3,
      up_percent: 100,
      down_percent: 100,
      free_until: null,
      last_seen: expect.any(Number),
      batch: 2,
    }
    expect(await api.done('GET', path)).toMatchObject({ seeders: 1, accounting: figures })
    expect(await api.done('PATCH', `${path}/accounting`, { down_percent: 50 })).toEqual({
      info_hash: hex(1),
      ...figures,
      down_percent: 50,
      batch: 3,
    })
    const all = [hex(2), hex(1), hex(2).toUpperCase()]
    const bulk = 'torrents/accounting/bulk'
    expect(await api.done('PATCH', bulk, { info_hashes: all, free_until: 7 })).toEqual({
      status: 'ok',
      count: 2,
    })
    expect(await api.done('PATCH', bulk, { info_hashes: [], up_percent: 0 })).toMatchObject({
      count: 0,
    })
    expect((await api.done('GET', path)).accounting).toMatchObject({
      down_percent: 50,
      free_until: 7,
    })
    expect(audited(api)).toEqual([
      `changeTorrent what=${hex(1)}: down_percent=50`,
      'changeTorrents what=2 info_hashes: free_until=7',
      'changeTorrents what=0 info_hashes: up_percent=0',
    ])
  })

  test('are shown without it while the database fails, and without accounting', async () => {
    await using api = await accountedApi()
    Object.assign(api.torrents, swarm)
    await api.database.close()
    expect(await api.done('GET', `torrent/${hex(1)}`)).toEqual({
      info_hash: hex(1),
      seeders: 1,
      completed: 3,
      leechers: 2,
      peers: [],
    })
    expect(await api.ask('GET', 'account/1')).toMatchObject({
      status: 500,
      text: expect.stringContaining('failed to read account: '),
    })
  })
})

test('flags are listed, newest first, and marked as looked at', async () => {
  await using api = await accountedApi()
  await api.accounts(17n)
  const flag = {
    account: 1,
    infoHash: hashes(1, 1),
    bytes: 2 ** 50,
    seconds: 60,
    times: 2,
  } as const
  await api.write(
    [],
    [
      { ...flag, kind: 'speed', at: 1_700_000_000 },
      { ...flag, kind: 'shared_id', at: 1_700_009_000 },
    ],
  )
  const [newer, older] = await api.done('GET', 'accounting/flags')
  expect(newer).toMatchObject({ kind: 'shared_id', reviewed: null })
  expect(older).toEqual({
    id: expect.any(Number),
    kind: 'speed',
    at: 1_700_000_000,
    account: 1,
    info_hash: hex(1),
    bytes: 2 ** 50,
    seconds: 60,
    times: 2,
    reviewed: null,
  })
  const path = `accounting/flag/${older.id}`
  expect(await api.done('PATCH', path, { reviewed: true })).toEqual({ ...older, reviewed: NOW })
  expect(await api.done('GET', 'accounting/flags?offset=1')).toMatchObject([{ reviewed: NOW }])
  expect(await api.done('PATCH', path, { reviewed: false })).toEqual(older)
  expect(audited(api)).toEqual([
    `reviewFlag what=${older.id}: reviewed=true`,
    `reviewFlag what=${older.id}: reviewed=false`,
  ])
})

test('how it fares', async () => {
  await using api = await accountedApi()
  expect(await api.done('GET', 'accounting')).toEqual({
    level: 'users',
    batch: 0,
    owed_records: 3,
    owed_bytes: 2 ** 40,
    lag_seconds: 1,
    events_lost: 0,
    sessions: 4,
    trouble: null,
  })
})

const servers = (['mysql', 'postgresql'] as const).map((driver) => ({
  driver,
  server: testServer(driver),
}))
const PLACES: readonly [string, undefined | (() => Promise<Place>)][] = [
  ['SQLite', async () => SqliteFile.place()],
  ...servers.map(({ driver, server }): (typeof PLACES)[number] => [
    server ? driver : `${driver}, ${skipReason(driver)}`,
    server && (() => ServerPlace.on(server)),
  ]),
]
describe.each(PLACES)('%s', (_name, make) => {
  test.skipIf(make === undefined)(
    'N28: a copy of all changes is what the accounts are, however it was read',
    async () => {
      await using api = await accountedApi(await make!())
      await api.accounts(17n, 19n, 20n, null)
      const copy = {
        accounts: new Map<number, { id: number }>(),
        torrents: new Map<string, object>(),
        records: new Map<string, object>(),
      }
      let after = 0
      const read = async (limit: number) => {
        const page = await api.done('GET', `accounting/changes?after=${after}&limit=${limit}`)
        for (const one of page.accounts) copy.accounts.set(one.id, one)
        for (const one of page.torrents) copy.torrents.set(one.info_hash, one)
        for (const one of page.records) copy.records.set(`${one.account} ${one.info_hash}`, one)
        for (const id of page.deleted) {
          copy.accounts.delete(id)
          for (const name of copy.records.keys())
            if (name.startsWith(`${id} `)) copy.records.delete(name)
        }
        return page as { next: number; is_last: boolean }
      }
      for (let round = 0; round < 12; round++) {
        await api.write(
          Array.from({ length: 5 }, (_, i) => ({
            account: 1 + ((round + i) % 3),
            torrent: 1 + ((round * i) % 4),
            peer: i,
            up: 10 + i,
            down: round,
            active: round % 2 === 0,
          })),
        )
        if (round === 5) await api.done('PATCH', 'account/1', { down_percent: 0 })
        if (round === 7)
          await api.done('POST', 'account/1/adjust', { credited_uploaded: 500, reason: 'x' })
        if (round === 8) await api.done('PATCH', `torrent/${hex(9)}/accounting`, { up_percent: 0 })
        if (round === 11) await api.done('DELETE', 'user/20')
        // A page is read twice, some are not read for a while.
        if (round % 3 === 0) {
          await read(4)
          after = (await read(4)).next
        }
      }
      for (let isLast = false; !isLast; ) {
        const page = await read(7)
        expect(page.next).toBeGreaterThanOrEqual(after)
        after = page.next
        isLast = page.is_last
      }
      const accounts = await api.done('GET', 'accounts')
      expect(accounts).toHaveLength(4)
      expect([...copy.accounts.values()].toSorted((a, b) => a.id - b.id)).toEqual(
        accounts.map(
          ({ leeching: _l, seeding: _s, ...figures }: { leeching: number; seeding: number }) =>
            figures,
        ),
      )
      for (const { id } of accounts)
        expect(
          [...copy.records].filter(([name]) => name.startsWith(`${id} `)).map(([, one]) => one),
        ).toEqual(expect.arrayContaining(await api.done('GET', `account/${id}/records`)))
      expect(copy.torrents.get(hex(9))).toMatchObject({ up_percent: 0, uploaded: 0 })
      expect(copy.accounts.has(3)).toBe(false)
      expect([...copy.records.keys()].some((name) => name.startsWith('3 '))).toBe(false)
      expect(await api.done('GET', `accounting/changes?after=${after}`)).toMatchObject({
        accounts: [],
        records: [],
        torrents: [],
        deleted: [],
        next: after,
        is_last: true,
      })
      expect(api.store.settlements).toBeGreaterThan(5)
    },
  )

  test.skipIf(make === undefined)(
    'N30: what is erased is in no answer, and no answer has a key or an address',
    async () => {
      await using api = await accountedApi(await make!())
      await api.accounts(17n, 18n)
      const flag = {
        kind: 'speed',
        at: 5,
        account: 1,
        infoHash: hashes(1, 1),
        bytes: 1,
        seconds: 1,
        times: 1,
      } as const
      await api.write(
        [
          { account: 1, torrent: 1, up: 5 },
          { account: 2, torrent: 1, up: 6 },
        ],
        [flag],
      )
      await api.done('PUT', `account/1/token/${hex(1)}`, { until: null })
      await api.done('DELETE', 'account/1')
      const all = await Promise.all(
        ['accounts', `torrent/${hex(1)}/records`, 'accounting/flags', 'accounting/changes'].map(
          (path) => api.ask('GET', path),
        ),
      )
      for (const { text } of all) {
        expect(text).not.toMatch(/"(id|account)":1[,}]/)
        expect(text).not.toContain(key(1))
        expect(text).not.toContain(key(2))
        expect(text).not.toContain('127.0.0.1')
      }
      expect(JSON.parse(all[3]!.text)).toMatchObject({ deleted: [1] })
      expect(api.lines.join('')).not.toContain(key(1))
    },
  )
})

describe('what is malformed changes nothing', () => {
  const SHAPE = 'Failed to deserialize the JSON body into the target type: '
  const LIMIT = `an integer from 0 to ${2 ** 31 - 1}, or null`
  const MEMBERS =
    '`enabled`, `can_download`, `max_downloads`, `max_peers`, `up_percent`, `down_percent`, `free_until`, `hidden`'
  const NOTHING = `missing field, expected one of ${MEMBERS}`
  const NO_SETTINGS = 'missing field, expected one of `up_percent`, `down_percent`, `free_until`'
  const invalid = (member: string, found: string, expected: string) =>
    `${member}: invalid value: ${found}, expected ${expected}`
  const percent = (found: string) => invalid('up_percent', found, 'an integer from 0 to 1000')
  const amount = (found: string) =>
    invalid('credited_uploaded', found, `an integer from ${-MOST - 1n} to ${MOST}`)
  let api: Accounted
  beforeAll(async () => {
    api = await accountedApi()
    await api.accounts(17n)
  })
  afterAll(() => api[Symbol.asyncDispose]())

  const MALFORMED: [method: string, path: string, body: string, status: number, text: string][] = [
    ['PATCH', 'account/1', '{}', 422, NOTHING],
    ['PATCH', 'account/1', '{"up_precent":5}', 422, NOTHING],
    ['PATCH', 'account/1', '[]', 422, 'invalid type: sequence, expected a map'],
    ['PATCH', 'account/1', 'null', 422, 'invalid type: null, expected a map'],
    ['PATCH', 'account/1', '{"up_percent":1001}', 422, percent('integer `1001`')],
    ['PATCH', 'account/1', '{"up_percent":-1}', 422, percent('integer `-1`')],
    ['PATCH', 'account/1', '{"up_percent":0.5}', 422, percent('floating point `0.5`')],
    ['PATCH', 'account/1', '{"up_percent":1e999}', 422, percent('floating point `Infinity`')],
    ['PATCH', 'account/1', '{"up_percent":"5"}', 422, percent('string "5"')],
    ['PATCH', 'account/1', '{"up_percent":null}', 422, percent('null')],
    [
      'PATCH',
      'account/1',
      '{"up_percent":99999999999999999999}',
      422,
      percent('integer `99999999999999999999`'),
    ],
    [
      'PATCH',
      'account/1',
      '{"max_peers":2147483648}',
      422,
      invalid('max_peers', 'integer `2147483648`', LIMIT),
    ],
    [
      'PATCH',
      'user/17',
      '{"max_downloads":-1}',
      422,
      invalid('max_downloads', 'integer `-1`', LIMIT),
    ],
    ['PATCH', 'user/17', '{"enabled":0}', 422, invalid('enabled', 'integer `0`', 'a boolean')],
    ['PATCH', 'user/17', '{"hidden":null}', 422, invalid('hidden', 'null', 'a boolean')],
    ['PATCH', 'user/17', '{"enabled":true,"enabled":false}', 422, 'duplicate field in an object'],
    ['PATCH', 'user/17', '{"toString":1}', 422, NOTHING],
    ['PATCH', 'user/17', '{"free_until":8640000000001}', 422, 'free_until: invalid value: '],
    ['POST', 'account/1/adjust', '{"credited_uploaded":1}', 422, 'missing field `reason`'],
    [
      'POST',
      'account/1/adjust',
      '{"reason":"x"}',
      422,
      'missing field, expected one of `credited_uploaded`',
    ],
    [
      'POST',
      'account/1/adjust',
      '{"credited_uploaded":1,"reason":""}',
      422,
      'reason: invalid value: string ""',
    ],
    [
      'POST',
      'account/1/adjust',
      `{"credited_uploaded":1,"reason":"${'x'.repeat(201)}"}`,
      422,
      'reason: invalid',
    ],
    [
      'POST',
      'account/1/adjust',
      `{"credited_uploaded":${MOST + 1n},"reason":"x"}`,
      422,
      amount(`integer \`${MOST + 1n}\``),
    ],
    [
      'POST',
      'account/1/adjust',
      `{"credited_uploaded":${-MOST - 2n},"reason":"x"}`,
      422,
      amount(`integer \`${-MOST - 2n}\``),
    ],
    [
      'POST',
      'account/1/adjust',
      '{"credited_uploaded":1e18,"reason":"x"}',
      422,
      amount('integer `1000000000000000000`'),
    ],
    ['POST', 'account/1/adjust', '{"credited_uploaded":null,"reason":"x"}', 422, amount('null')],
    ['PUT', `account/1/token/${hex(1)}`, '{}', 422, 'missing field `until`'],
    ['PUT', `account/1/token/${hex(1)}`, '{"until":-1}', 422, 'until: invalid value: integer `-1`'],
    [
      'PUT',
      'account/1/token/xyz',
      '{"until":1}',
      400,
      'Invalid URL: invalid infohash param: string "xyz"',
    ],
    ['PATCH', `torrent/${hex(1)}/accounting`, '{"enabled":true}', 422, NO_SETTINGS],
    [
      'PATCH',
      'torrent/x/accounting',
      '{"up_percent":1}',
      400,
      'Invalid URL: invalid infohash param',
    ],
    ['PATCH', 'torrents/accounting/bulk', '{"up_percent":1}', 422, 'missing field `info_hashes`'],
    ['PATCH', 'torrents/accounting/bulk', `{"info_hashes":["${hex(1)}"]}`, 422, NO_SETTINGS],
    [
      'PATCH',
      'torrents/accounting/bulk',
      `{"info_hashes":["${hex(1)}","x"],"up_percent":1}`,
      400,
      'Invalid URL: nothing was done: info_hashes[1]: ',
    ],
    [
      'PATCH',
      'accounting/flag/x',
      '{"reviewed":true}',
      400,
      'Invalid URL: invalid flag: string "x"',
    ],
    ['PATCH', 'accounting/flag/1', '{"reviewed":1}', 422, 'reviewed: invalid value: integer `1`'],
    [
      'PATCH',
      'account/0x1',
      '{"hidden":true}',
      400,
      'Invalid URL: invalid account: string "0x1", expected a number',
    ],
    ['PATCH', 'account/1e3', '{"hidden":true}', 400, 'Invalid URL: invalid account: string "1e3"'],
    [
      'PATCH',
      `user/${MOST + 1n}`,
      '{"hidden":true}',
      400,
      `Invalid URL: invalid user id: string "${MOST + 1n}"`,
    ],
    [
      'PUT',
      `key/${key(1)}`,
      '{"new_key":"short"}',
      400,
      'Invalid URL: invalid auth key: string "short"',
    ],
    ['PUT', `key/${key(1)}`, '{}', 422, 'missing field `new_key`'],
    [
      'POST',
      'keys',
      '{"key":null,"seconds_valid":null,"user_id":-1}',
      422,
      'user_id: invalid value: integer `-1`',
    ],
    [
      'POST',
      'keys',
      `{"key":null,"seconds_valid":null,"user_id":${MOST + 1n}}`,
      422,
      'user_id: invalid value: ',
    ],
    [
      'POST',
      'keys',
      '{"key":null,"seconds_valid":null,"user_id":"17"}',
      422,
      'user_id: invalid value: string "17"',
    ],
    [
      'GET',
      'accounts?sort=id%20',
      '',
      400,
      'Failed to deserialize query string: unknown variant `id `',
    ],
    ['GET', 'accounts?user_id=', '', 400, 'Failed to deserialize query string: user_id: '],
    ['GET', `accounts?user_id=${MOST + 1n}`, '', 400, 'Invalid URL: invalid user id: '],
    [
      'GET',
      `accounts?user_id=${Array.from({ length: 201 }, (_, i) => i)}`,
      '',
      400,
      'Failed to deserialize query string: user_id: more than 200',
    ],
    ['GET', 'accounts?offset=-1', '', 400, 'Failed to deserialize query string: '],
    [
      'GET',
      'account/1/records?hit_and_run=yes',
      '',
      400,
      'Failed to deserialize query string: unknown variant `yes`',
    ],
    [
      'GET',
      'account/1/records?grace_seconds=1.5',
      '',
      400,
      'Failed to deserialize query string: grace_seconds: ',
    ],
    ['GET', 'accounting/changes?after=-1', '', 400, 'Failed to deserialize query string: after: '],
    ['GET', 'accounting/changes?limit=1e3', '', 400, 'Failed to deserialize query string: limit: '],
    ['GET', 'accounting/events?after=x', '', 400, 'Failed to deserialize query string: after: '],
  ]
  const named = MALFORMED.map(
    (one) => [`${one[0]} ${one[1].slice(0, 60)} ${one[2].slice(0, 60)}`, ...one] as const,
  )
  test.each(named)('%s', async (_name, method, path, body, status, text) => {
    const reply = await api.ask(method, path, body === '' ? undefined : body)
    const shape = status === 422 ? SHAPE : ''
    expect(reply).toEqual({ status, text: expect.stringContaining(shape + text) })
    expect(await api.done('GET', 'account/1')).toEqual({ ...ACCOUNT, user_id: 17 })
    expect(audited(api)).toEqual([])
  })

  test('random bodies are refused, or do what they say', async () => {
    const roll = dice()
    const values = [
      '0',
      '1',
      '-1',
      '1000',
      '1001',
      '0.5',
      '1e400',
      '""',
      'null',
      'true',
      '[]',
      '{}',
      `${MOST}`,
      `${2n ** 64n}`,
    ]
    const names = [
      'up_percent',
      'free_until',
      'max_peers',
      'hidden',
      'credited_uploaded',
      'reason',
      'until',
      '__proto__',
    ]
    await using other = await accountedApi()
    await other.accounts(1n)
    for (let time = 0; time < 500; time++) {
      const members = Array.from(
        { length: roll(4) },
        () => `"${names[roll(8)]}":${values[roll(14)]}`,
      )
      const [method, path] = (
        [
          ['PATCH', 'account/1'],
          ['POST', 'user/1/adjust'],
          ['PUT', `user/1/token/${hex(1)}`],
          ['PATCH', `torrent/${hex(1)}/accounting`],
        ] as const
      )[roll(4)]!
      const body = `{${members}}`
      const { status } = await other.ask(method, path, body)
      expect({ seed, method, path, body, status: [200, 400, 422].includes(status) }).toMatchObject({
        status: true,
      })
    }
    expect(other.reports).toEqual([])
    const { up_percent, max_peers } = await other.done('GET', 'account/1')
    expect(up_percent <= 1_000 && (max_peers === null || max_peers >= 0)).toBe(true)
  })
})

describe('events', () => {
  /** What comes over a socket until `isEnough`. */
  async function listen(
    api: Accounted,
    path: string,
    isEnough: (text: string) => boolean,
    id?: string,
  ) {
    const leaving = new AbortController()
    const reply = await fetch(`${api.url}/api/v1/${path}`, {
      headers: {
        authorization: `Bearer ${TOKEN}`,
        ...(id !== undefined && { 'last-event-id': id }),
      },
      signal: leaving.signal,
    })
    expect([reply.status, reply.headers.get('content-type')]).toEqual([200, 'text/event-stream'])
    let text = ''
    for await (const part of reply.body!) {
      text += Buffer.from(part)
      if (isEnough(text)) break
    }
    leaving.abort()
    return text
  }

  test('N29: follow Last-Event-ID, or `after`, or begin now', async () => {
    await using api = await accountedApi()
    await api.accounts(17n, 18n)
    await api.write([{ account: 1, torrent: 1, up: 5 }])
    const page = (await api.ask('GET', 'accounting/changes?after=1')).text
    const event = `id: 2\nevent: changes\ndata: ${page}\n\n`
    const hasPage = (text: string) => text.includes('event: changes') && text.endsWith('\n\n')
    const path = 'accounting/events'
    expect(await listen(api, path, hasPage, '1')).toBe(`retry: 2000\n\n${event}`)
    expect(await listen(api, `${path}?after=1`, hasPage)).toBe(`retry: 2000\n\n${event}`)
    expect(await listen(api, `${path}?after=2`, hasPage, '1')).toContain(event)
    for (const id of [undefined, 'x', '-1', '99999999999999999999']) {
      const heard = listen(api, path, hasPage, id)
      await Bun.sleep(20)
      await api.write([{ account: 2, torrent: 1, up: 5 }])
      expect(await heard).not.toContain('"id":1,')
    }
    await until('the streams are closed', () => api.store.followers === 0)
  })
})

test('N33: where only torrents are accounted, keys have no users', async () => {
  await using api = await accountedApi()
  const { status } = api.store
  api.store.status = () => ({ ...status(), level: 'torrents' })
  const text = '{"status":"err","reason":"accounting capability is disabled by configuration"}'
  const form = { key: key(1), seconds_valid: null }
  expect(await api.ask('POST', 'keys', { ...form, user_id: 17 })).toEqual({ status: 409, text })
  expect(await api.ask('PUT', `key/${key(1)}`, { new_key: null })).toEqual({ status: 409, text })
  expect(await api.done('POST', 'keys', form)).toEqual({
    key: key(1),
    valid_until: null,
    expiry_time: null,
  })
  expect(await api.done('GET', 'accounting')).toMatchObject({ level: 'torrents' })
})

describe('without accounting', () => {
  test('every route says so, and keys of users are refused', async () => {
    await using api = await serve()
    const paths = [
      'accounts',
      'account/1',
      'user/1',
      'account/1/records',
      `torrent/${hex(1)}/records`,
    ]
    const ask = async (method: string, path: string, body?: object) => {
      const reply = await askWithToken(api.url, {
        method,
        path: `/api/v1/${path}`,
        ...(body && { body: JSON.stringify(body) }),
      })
      return [reply.status, reply.body.toString()]
    }
    const refused = [
      409,
      '{"status":"err","reason":"accounting capability is disabled by configuration"}',
    ]
    for (const path of [
      ...paths,
      'accounting',
      'accounting/changes',
      'accounting/events',
      'accounting/flags',
    ])
      expect(await ask('GET', path)).toEqual(refused)
    expect(await ask('DELETE', 'account/1')).toEqual(refused)
    expect(await ask('PUT', `key/${key(1)}`, { new_key: null })).toEqual(refused)
    const form = { key: null, seconds_valid: null, user_id: 17 }
    expect(await ask('POST', 'keys', form)).toEqual(refused)
    expect(await ask('POST', 'keys/bulk', { keys: [form] })).toEqual(refused)
    expect(api.permissions.asked).toEqual([])
    expect((await ask('POST', 'keys', { ...form, user_id: null }))[0]).toBe(200)
  })
})
