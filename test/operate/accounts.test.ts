/** `tracker accounts`, and keys of users, against an API whose accounting stands in a real database. */
import { expect, test } from 'bun:test'
import { type Accounted, accountedApi } from '../support/api/accounted-api.ts'
import { TOKEN } from '../support/api/cases.ts'
import { serve } from '../support/api/served-api.ts'
import { hashes } from '../support/database/hashes.ts'
import { runCommand } from '../support/operate/running.ts'

const hex = (number: number): string => hashes(1, number).toHex()
const MOST = 2n ** 63n - 1n
const GIB = 2 ** 30

const run = ({ url }: { readonly url: string }, ...words: readonly string[]) =>
  runCommand([...words, '--url', url], { env: { TRACKER_TOKEN: TOKEN } })
async function done(api: { readonly url: string }, ...words: readonly string[]): Promise<string> {
  const { code, out, err } = await run(api, ...words)
  expect([code, err]).toEqual([0, ''])
  return out
}
const text = ['--format', 'text']

async function busy(): Promise<Accounted> {
  const api = await accountedApi()
  await api.accounts(17n, MOST, null)
  const seen = Date.UTC(2026, 10, 28, 3) / 1_000
  await api.write([
    {
      account: 1,
      torrent: 1,
      up: 3 * GIB,
      down: 2 * GIB,
      seed: 90_061,
      seen,
      active: true,
      seeder: true,
    },
    { account: 1, torrent: 2, down: GIB, seen, left: 5 },
    { account: 2, torrent: 1, up: GIB, creditedUp: 0, seen, active: true },
  ])
  return api
}

test('T11: accounts are listed with what was credited to them', async () => {
  await using api = await busy()
  expect(await done(api, 'accounts', 'list', ...text)).toBe(
    `account  user                 uploaded  downloaded  ratio  seeding  leeching                  seen
1        17                      3 GiB       3 GiB      1        2         1  2026-11-28 03:00 UTC
2        9223372036854775807   0 bytes     0 bytes      -        4         2  2026-11-28 03:00 UTC
3        -                     0 bytes     0 bytes      -        6         3                 never
`,
  )
  expect(
    JSON.parse(await done(api, 'accounts', 'list', '--sort', 'uploaded', '--limit', '1')),
  ).toMatchObject([{ id: 1, user_id: 17 }])
  expect(await done(api, 'accounts', 'list')).toContain(`"user_id":${MOST},`)
  await using empty = await accountedApi()
  expect(await done(empty, 'accounts', 'list', ...text)).toBe('There are no accounts.\n')
})

test('T11: an account is shown with what it moved of each torrent', async () => {
  await using api = await busy()
  await api.done('PATCH', 'account/1', {
    enabled: false,
    can_download: false,
    max_downloads: 2,
    max_peers: 0,
    up_percent: 200,
    free_until: Date.UTC(2027, 0, 1) / 1_000,
    hidden: true,
  })
  expect(await done(api, 'accounts', 'show', '1', ...text)).toBe(
    `account    1, user 17
credited   3 GiB up, 3 GiB down, ratio 1
moved      3 GiB up, 3 GiB down
seeded     1 d 1 h
completed  0 torrents
now        seeding 2, leeching 1
last seen  2026-11-28 03:00 UTC
settings   switched off, may not download, credited 200 % of uploads, 100 % of downloads, downloads free until 2027-01-01 00:00 UTC, 2 downloads at most, any clients, hidden

torrent                                   state    uploaded  downloaded   seeded                  seen
${hex(1)}  seeding     3 GiB       2 GiB  1 d 1 h  2026-11-28 03:00 UTC
${hex(2)}  gone      0 bytes       1 GiB      0 s  2026-11-28 03:00 UTC
`,
  )
  const shown = await done(api, 'accounts', 'show', '--user-id', `${MOST}`)
  expect(JSON.parse(shown)).toMatchObject({
    account: { id: 2 },
    records: [{ account: 2, info_hash: hex(1) }],
  })
  expect(shown).toContain(`"user_id":${MOST},`)
  expect(JSON.parse(await done(api, 'accounts', 'show', '1', '--limit', '1')).records).toHaveLength(
    1,
  )
})

test('T11: what is credited is adjusted, exactly', async () => {
  await using api = await busy()
  await api.done('POST', 'account/2/adjust', `{"credited_uploaded":${MOST},"reason":"x"}`)
  const words = ['accounts', 'adjust', '--user-id', `${MOST}`, '--reason', 'she asked']
  const out = await done(api, ...words, `--uploaded=-${MOST - 1n}`, '--downloaded', '+5')
  expect(JSON.parse(out)).toMatchObject({ credited_uploaded: 1, credited_downloaded: 5 })
  const one = ['accounts', 'adjust', '1', '--downloaded=-9999999999', '--reason', 'a gift']
  expect(await done(api, ...one, ...text)).toContain('credited   3 GiB up, 0 bytes down, ratio -\n')
})

test('T11: what cannot be done is said in one line', async () => {
  await using api = await busy()
  const failed = (message: string) => ({ code: 1, out: '', err: expect.stringContaining(message) })
  expect(await run(api, 'accounts', 'show', '9')).toEqual(
    failed(`${api.url}: account 9 is not known\n`),
  )
  expect(
    await run(api, 'accounts', 'adjust', '--user-id', '9', '--uploaded', '1', '--reason', 'x'),
  ).toEqual(failed(`${api.url}: user 9 is not known\n`))
  await using without = await serve()
  expect(await run(without, 'accounts', 'list')).toEqual(
    failed('accounting capability is disabled by configuration: see [core.accounting] there\n'),
  )
  expect(await run(without, 'keys', 'add', '--never', '--user-id', '5')).toEqual(
    failed('accounting capability is disabled by configuration'),
  )
  for (const [words, message] of [
    [['show'], 'needs either the number of an account or --user-id'],
    [['show', '1', '--user-id', '2'], 'needs either the number of an account or --user-id'],
    [['show', 'me'], 'me is no number of an account'],
    [
      ['show', '--user-id', `${MOST + 1n}`],
      `--user-id must be a whole number from 0 to ${MOST}, not ${MOST + 1n}`,
    ],
    [['adjust', '1', '--reason', 'x'], 'needs --uploaded or --downloaded, in bytes'],
    [['adjust', '1', '--uploaded', '5'], 'needs a --reason, which the log will have'],
    [
      ['adjust', '1', '--uploaded', '5GiB', '--reason', 'x'],
      '--uploaded must be a whole number of bytes, not 5GiB',
    ],
    [['list', '--limit', '0'], '--limit must be a whole number from 1 to 4294967295, not 0'],
  ] as const)
    expect(await run(api, 'accounts', ...words)).toEqual({
      code: 2,
      out: '',
      err: `tracker accounts ${words[0]}: ${message}. See tracker accounts ${words[0]} --help\n`,
    })
})
