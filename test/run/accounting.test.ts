/** A running tracker that keeps accounts follows its configuration as far as it can, and says what needs a restart. */
import { describe, expect, test } from 'bun:test'
import { configuration } from '../support/configuration.ts'
import { SqliteFile } from '../support/database/sqlite-file.ts'
import { Mover } from '../support/e2e/movers.ts'
import { ask } from '../support/http-client.ts'
import { startTracker, type TestTracker } from '../support/started-tracker.ts'
import { hashOf } from '../support/udp-client.ts'
import { until } from '../support/until.ts'

const TOKEN = 'token'

type Wishes = { isPrivate?: boolean; accounting?: string; workers?: number }

const settings = (file: SqliteFile, { isPrivate = true, accounting, workers = 1 }: Wishes) => ({
  workers,
  isPrivate,
  core: `[core.database]\npath = "${file.path}"\n${accounting === undefined ? '' : `[core.accounting]\n${accounting}\n`}`,
  rest: `
[[udp_trackers]]
bind_address = "127.0.0.1:0"
[[http_trackers]]
bind_address = "127.0.0.1:0"
[http_api]
bind_address = "127.0.0.1:0"
[http_api.access_tokens]
admin = "${TOKEN}"
[health_check_api]
bind_address = "127.0.0.1:0"
`,
})

const whereIs = ({ ports }: TestTracker) => ({
  udpPort: ports.udp[0]!,
  http: `http://127.0.0.1:${ports.http[0]}`,
})

async function addKey({ apiPort }: TestTracker): Promise<string> {
  const body = JSON.stringify({ key: null, seconds_valid: null })
  const path = `/api/v1/keys?token=${TOKEN}`
  const headers = { 'content-type': 'application/json' }
  const reply = await ask(`http://127.0.0.1:${apiPort}`, { method: 'POST', path, body, headers })
  return JSON.parse(`${reply.body}`).key
}

describe('a reload', () => {
  test('changes percentages for what is announced after it', async () => {
    await using file = new SqliteFile()
    const users = 'level = "users"'
    const wishes = settings(file, { accounting: users })
    const tracker = await startTracker(wishes)
    await using stack = new AsyncDisposableStack()
    stack.use(tracker)
    const mover = new Mover(await addKey(tracker), hashOf(1), 2)
    const credited = () =>
      Number(file.sql('SELECT credited_uploaded FROM accounting_accounts')[0]![0])
    await mover.announce(whereIs(tracker))
    mover.uploaded = 10
    await mover.announce(whereIs(tracker))
    tracker.toml = configuration(settings(file, { accounting: `${users}\nup_percent = 300` }))
    expect(await tracker.reload('a test')).toEqual({
      applied: ['core.accounting.up_percent: 100 → 300'],
      restart: [],
      mistakes: [],
    })
    mover.uploaded = 20
    await mover.announce(whereIs(tracker))
    await until('40 bytes of credit', () => credited() === 40)
  })

  test.each<[string, Wishes, string[]]>([
    ['off', { isPrivate: false }, ['core.accounting: removed', 'core.private: true → false']],
    [
      'another level',
      { accounting: 'level = "torrents"' },
      ['core.accounting.level: "users" → "torrents"'],
    ],
    [
      'another interval',
      { accounting: 'level = "users"\nwrite_interval = 9' },
      ['core.accounting.write_interval: 1 → 9'],
    ],
  ])('to %s needs a restart', async (_what, next, restart) => {
    await using file = new SqliteFile()
    await using tracker = await startTracker(settings(file, { accounting: 'level = "users"' }))
    tracker.toml = configuration(settings(file, next))
    const result = await tracker.reload('a test')
    expect([result.applied, result.mistakes]).toEqual([[], []])
    expect(result.restart.toSorted()).toEqual(restart)
    const mover = new Mover(undefined, hashOf(1), 1)
    await expect(mover.announce(whereIs(tracker))).rejects.toThrow('authentication')
  })

  test('cannot make a tracker public whose accounts are of keys', async () => {
    await using file = new SqliteFile()
    await using tracker = await startTracker(settings(file, { accounting: 'level = "users"' }))
    tracker.toml = configuration(
      settings(file, { isPrivate: false, accounting: 'level = "users"' }),
    )
    const { mistakes } = await tracker.reload('a test')
    expect(mistakes).toEqual([expect.stringContaining('"users" needs `core.private = true`')])
  })
})

test("N25: another key is the account's on all threads at once", async () => {
  await using file = new SqliteFile()
  await using tracker = await startTracker(
    settings(file, { accounting: 'level = "users"', workers: 2 }),
  )
  const old = await addKey(tracker)
  const fresh = 'f'.repeat(32)
  const path = `/api/v1/key/${old}?token=${TOKEN}`
  const reply = await ask(`http://127.0.0.1:${tracker.apiPort}`, {
    method: 'PUT',
    path,
    body: JSON.stringify({ new_key: fresh }),
    headers: { 'content-type': 'application/json' },
  })
  expect(reply.status).toBe(200)
  // Each announce comes from another socket, so either thread may have it.
  for (let n = 0; n < 40; n++) {
    await new Mover(fresh, hashOf(1), n).announce(whereIs(tracker))
    await expect(new Mover(old, hashOf(1), n).announce(whereIs(tracker))).rejects.toThrow()
  }
})

test('N20: the webhook posts nothing more once the tracker is to stop', async () => {
  await using file = new SqliteFile()
  let posts = 0
  using site = Bun.serve({
    port: 0,
    hostname: '127.0.0.1',
    fetch() {
      posts++
      return new Response(null, { status: 503 })
    },
  })
  const webhook = `[core.accounting.webhook]\nurl = "${site.url}"\nsecret = "a long random text"`
  const tracker = await startTracker(settings(file, { accounting: `level = "users"\n${webhook}` }))
  await using stack = new AsyncDisposableStack()
  stack.use(tracker)
  await addKey(tracker)
  await until('a post', () => posts > 0)
  tracker.drain()
  // One may be under way.
  await Bun.sleep(200)
  const before = posts
  // It would have tried again by then.
  await Bun.sleep(2_500)
  expect(posts).toBe(before)
})
