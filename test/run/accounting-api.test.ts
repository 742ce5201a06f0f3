/** A whole tracker that keeps accounts, as a site uses it: over the management API and the webhook. */
import { expect, test } from 'bun:test'
import { TOKEN } from '../support/api/cases.ts'
import { askWithToken } from '../support/api/served-api.ts'
import { listeners } from '../support/configuration.ts'
import { key } from '../support/database/hashes.ts'
import { Mover } from '../support/e2e/movers.ts'
import { dechunk } from '../support/http-client.ts'
import { runCommand } from '../support/operate/running.ts'
import { startTracker } from '../support/started-tracker.ts'
import { temporaryDirectory } from '../support/temporary-directory.ts'
import { EVENT, hashOf } from '../support/udp-client.ts'
import { until } from '../support/until.ts'

const HASH = hashOf(7)
const hex = HASH.toHex()
const [FIRST, SECOND, THIRD] = [key(1), key(2), key(3)]

type Account = Readonly<Record<string, number | null>>
type Page = {
  readonly accounts: Account[]
  readonly records: Account[]
  readonly deleted: number[]
  readonly next: number
}

/** A site that keeps the bodies that it gets. */
function site() {
  const bodies: string[] = []
  const server = Bun.serve({
    hostname: '127.0.0.1',
    port: 0,
    async fetch(request) {
      bodies.push(await request.text())
      return new Response(null, { status: 204 })
    },
  })
  return {
    url: `http://127.0.0.1:${server.port}/`,
    bodies,
    pages: () => bodies.map((body): Page => JSON.parse(body)),
    [Symbol.dispose]: () => server.stop(true),
  }
}

async function privateTracker(path: string, webhook: string) {
  const tracker = await startTracker({
    workers: 2,
    isPrivate: true,
    core: `[core.database]
driver = "sqlite3"
path = "${path}"
[core.accounting]
level = "users"
${webhook}
`,
    rest: `${listeners()}
[http_api]
bind_address = "127.0.0.1:0"
[http_api.access_tokens]
admin = "${TOKEN}"
`,
  })
  const api = `http://127.0.0.1:${tracker.apiPort}`
  const ask = async (method: string, path: string, body?: object) => {
    const request = { method, path: `/api/v1/${path}`, ...(body && { body: JSON.stringify(body) }) }
    const reply = await askWithToken(api, request)
    return { status: reply.status, text: dechunk(reply).toString() }
  }
  return {
    tracker,
    api,
    where: {
      udpPort: tracker.ports.udp[0]!,
      http: `http://127.0.0.1:${tracker.ports.http[0]}`,
    },
    ask,
    async done(method: string, path: string, body?: object) {
      const { status, text } = await ask(method, path, body)
      if (status !== 200) throw new Error(`${method} ${path}: ${status} ${text}`)
      return JSON.parse(text)
    },
    [Symbol.asyncDispose]: () => tracker[Symbol.asyncDispose](),
  }
}

const webhookAt = (url: string): string =>
  `[core.accounting.webhook]\nurl = "${url}"\nsecret = "a secret of the tests"`

test('N25, N30: accounts outlive their keys, and no answer, post or line has a key or an address', async () => {
  using directory = temporaryDirectory()
  using receiver = site()
  await using running = await privateTracker(directory.at('tracker.db'), webhookAt(receiver.url))
  const { tracker, where, ask, done } = running
  const add = (key: string, user_id?: number) =>
    done('POST', 'keys', { key, seconds_valid: null, user_id })
  expect(await add(FIRST, 17)).toMatchObject({ account: 1, user_id: 17 })
  expect(await add(SECOND, 17)).toMatchObject({ account: 1, user_id: 17 })
  expect(await done('GET', 'keys')).toMatchObject([
    { key: FIRST, account: 1 },
    { key: SECOND, account: 1 },
  ])

  // Two announces within a moment may come from two threads in any order: a question stands between them.
  const settled = () => done('GET', 'accounts')
  // Over UDP and HTTP: even and odd numbers.
  const mover = (key: string, number: number) => new Mover(key, HASH, number, 100)
  const one = mover(FIRST, 2)
  await one.announce(where, EVENT.started)
  await settled()
  one.uploaded = 1_000
  one.downloaded = 4_000
  await one.announce(where)
  // What was announced before the question is in the answer.
  const moved = { uploaded: 1_000, downloaded: 4_000, ratio: 0.25, leeching: 1, seeding: 0 }
  expect(await done('GET', 'user/17')).toMatchObject(moved)
  expect(await done('GET', `torrent/${hex}`)).toMatchObject({ accounting: { balance: -3_000 } })

  // Another key for the account of one that leaked.
  expect(await done('PUT', `key/${FIRST}`, { new_key: THIRD })).toMatchObject({
    key: THIRD,
    account: 1,
  })
  for (const number of [2, 3]) await expect(mover(FIRST, number).announce(where)).rejects.toThrow()
  const next = mover(THIRD, 3)
  await next.announce(where, EVENT.started)
  await settled()
  next.uploaded = 500
  await next.announce(where)
  expect(await done('GET', 'account/1')).toMatchObject({ uploaded: 1_500 })
  expect(await ask('PUT', `key/${FIRST}`, { new_key: null })).toEqual({
    status: 404,
    text: '{"status":"err","reason":"the key is not known"}',
  })

  // The account stays when its keys go, and goes on with the next.
  for (const gone of [SECOND, THIRD]) await done('DELETE', `key/${gone}`)
  for (const number of [2, 3]) await expect(mover(THIRD, number).announce(where)).rejects.toThrow()
  expect(await done('GET', 'user/17')).toMatchObject({ uploaded: 1_500 })
  expect(await add(FIRST, 17)).toMatchObject({ account: 1 })

  // Switched off and on again.
  await done('PATCH', 'user/17', { enabled: false })
  for (const number of [2, 3]) await expect(mover(FIRST, number).announce(where)).rejects.toThrow()
  await done('PATCH', 'user/17', { enabled: true })
  for (const number of [2, 3]) await mover(FIRST, number).announce(where)

  const { batch } = await done('GET', 'account/1')
  await until('the site knows', () => receiver.pages().some(({ next }) => next >= batch))
  expect(receiver.pages().findLast(({ accounts }) => accounts.length > 0)!.accounts).toMatchObject([
    { id: 1, user_id: 17, uploaded: 1_500, enabled: true },
  ])
  const answers = await Promise.all(
    ['accounts', 'account/1/records', 'accounting/changes', 'accounting', 'accounting/flags'].map(
      (path) => ask('GET', path),
    ),
  )
  const texts = [...answers.map(({ text }) => text), ...receiver.bodies]
  for (const text of texts) {
    for (const secret of [FIRST, SECOND, THIRD]) expect(text).not.toContain(secret)
    expect(text).not.toContain('127.0.0.1')
  }
  const lines = tracker.lines.join('')
  for (const secret of [FIRST, SECOND, THIRD, 'a secret of the tests'])
    expect(lines).not.toContain(secret)

  // Erased: its key stays, and begins another account.
  expect(await done('DELETE', 'user/17')).toMatchObject({ id: 1, successor: 2 })
  expect(await ask('GET', 'account/1')).toMatchObject({ status: 404 })
  expect(await done('GET', `torrent/${hex}/records`)).toEqual([])
  await mover(FIRST, 2).announce(where, EVENT.started)
  expect(await done('GET', 'account/2')).toMatchObject({ uploaded: 0, leeching: 1 })
  await until('the site knows', () => receiver.pages().some(({ deleted }) => deleted.includes(1)))
})

test('N29: completions are told, and the webhook follows the configuration and goes on after a restart', async () => {
  using directory = temporaryDirectory()
  using receiver = site()
  using other = site()
  const path = directory.at('tracker.db')
  let told = ''
  {
    await using running = await privateTracker(path, webhookAt(receiver.url))
    const { tracker, where, api, done } = running
    await done('POST', 'keys', { key: FIRST, seconds_valid: null, user_id: 4 })
    const leaving = new AbortController()
    const { body } = await fetch(`${api}/api/v1/accounting/events?after=0`, {
      headers: { authorization: `Bearer ${TOKEN}` },
      signal: leaving.signal,
    })
    const listening = (async () => {
      for await (const part of body!) told += Buffer.from(part)
    })().catch(() => {})
    const mover = new Mover(FIRST, HASH, 2, 100)
    await mover.announce(where, EVENT.started)
    await done('GET', 'accounts')
    mover.downloaded = 100
    mover.left = 0
    await mover.announce(where, EVENT.completed)
    await until('it is told', () => told.includes('event: completed'))
    expect(told).toContain(`event: completed\ndata: {"account":1,"info_hash":"${hex}","at":`)
    await until('its figures, too', () => told.includes('"snatches":1'))
    leaving.abort()
    await listening

    await until('the site knows', () =>
      receiver.bodies.some((text) => text.includes('"snatches":1')),
    )
    tracker.toml = tracker.toml.replace(receiver.url, other.url)
    expect((await tracker.reload('a test')).mistakes).toEqual([])
    await done('PATCH', 'account/1', { hidden: true })
    await until('the other knows', () => other.bodies.length > 0)
    // It goes on where the first one was.
    expect(other.pages()[0]).toMatchObject({ accounts: [{ id: 1, hidden: true }], records: [] })
    await done('GET', 'accounts')
    mover.uploaded = 77
    await mover.announce(where)
  }
  // What was written at the end comes after the restart.
  await using _again = await privateTracker(path, webhookAt(other.url))
  await until('the rest', () => other.bodies.some((text) => text.includes('"uploaded":77')))
  const order = [...receiver.pages(), ...other.pages()].map(({ next }) => next)
  expect(order).toEqual(order.toSorted((a, b) => a - b))
})

test('T11: keys of users, and their accounts, on the command line', async () => {
  using directory = temporaryDirectory()
  await using running = await privateTracker(directory.at('tracker.db'), '')
  const run = async (...words: readonly string[]) => {
    const { code, out, err } = await runCommand([...words, '--url', running.api], {
      env: { TRACKER_TOKEN: TOKEN },
    })
    expect([code, err]).toEqual([0, ''])
    return out
  }
  const text = ['--format', 'text']
  const user = `${2n ** 63n - 1n}`
  const add = ['keys', 'add', FIRST, '--never', '--user-id', user]
  expect(await run(...add, ...text)).toBe(`${FIRST}  never expires  account 1, user ${user}\n`)
  expect(await run('keys', 'add', SECOND, '--never', ...text)).toBe(
    `${SECOND}  never expires  account 2\n`,
  )
  expect(await run('keys', 'list')).toContain(`"account":1,"user_id":${user}}`)
  expect(await run('accounts', 'show', '--user-id', user, ...text)).toContain(
    `account    1, user ${user}\n`,
  )
})
