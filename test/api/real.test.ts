/** The cases again, with a real SQLite database, access tables and swarm behind the API. */
import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { Access, createAccessMemory } from '../../src/access/access.ts'
import { openSqlite } from '../../src/database/sqlite.ts'
import { Log } from '../../src/log.ts'
import { Permissions } from '../../src/storage/permissions.ts'
import { WatchedDatabase } from '../../src/storage/watched-database.ts'
import { createSwarmMemory, Swarm } from '../../src/swarm/swarm.ts'
import { systemClock } from '../../src/time/clock.ts'
import { torrentView } from '../../src/view/torrents.ts'
import { CASES, NEEDS_DATABASE } from '../support/api/cases.ts'
import { askWithToken, type Serving, serve } from '../support/api/served-api.ts'
import { SqliteFile } from '../support/database/sqlite-file.ts'
import { ask, dechunk } from '../support/http-client.ts'

const stack = new AsyncDisposableStack()
const lines: string[] = []
let file: SqliteFile
let access: Access
let api: Serving

beforeAll(async () => {
  file = stack.use(new SqliteFile())
  const database = await openSqlite(file.config)
  stack.defer(() => database.close())
  const small = { whitelistCapacity: 1_000, keyCapacity: 1_000 }
  const rules = {
    listed: true,
    private: true,
    checksExpiration: true,
    seed: Int32Array.of(1),
    ...small,
  }
  access = new Access(createAccessMemory(rules)!, true)
  const style = { filter: 'debug', style: 'full', colour: false } as const
  const log = new Log(
    style,
    () => 0,
    (line) => lines.push(line),
  )
  const clock = systemClock
  const watched = new WatchedDatabase({ database, clock, log })
  const permissions = stack.use(new Permissions({ database: watched, access, clock, log }))
  const swarm = new Swarm(createSwarmMemory(16 * 1024 * 1024, Int32Array.of(1)), 1, 1)
  api = stack.use(await serve({ permissions, torrents: torrentView(swarm, () => 0) }))
})
afterAll(async () => {
  expect(api.reports).toEqual([])
  await stack.disposeAsync()
})

describe('the API on real parts answers', () => {
  test.each(CASES.map((one) => [one.name, one] as const))('%s', async (_name, one) => {
    const reply = await ask(api.url, one)
    expect({
      status: reply.status,
      type: reply.headers['content-type'],
      allow: reply.headers.allow,
      body: dechunk(reply).toString(),
    }).toEqual({
      status: one.status,
      type: one.type,
      allow: one.allow,
      body:
        one.expected instanceof RegExp ? expect.stringMatching(one.expected) : (one.expected ?? ''),
    })
  })
})

test('A18, A21, A23: what was changed is in the database and seen by every thread', async () => {
  const hash = '00112233445566778899aabbccddeeff00112233'
  const key = 'abcdefghijklmnopqrstuvwxyz012345'
  const add = (path: string, body?: string) =>
    askWithToken(api.url, { method: 'POST', path, ...(body && { body }) })
  const remove = (path: string) => askWithToken(api.url, { method: 'DELETE', path })
  const [listed, known] = [access.whitelist!.size, access.keys!.size]
  await add(`/api/v1/whitelist/${hash}`)
  await add('/api/v1/keys', `{"key":"${key}","seconds_valid":null}`)
  expect([access.whitelist!.size - listed, access.keys!.size - known]).toEqual([1, 1])
  expect(file.sql(`SELECT info_hash FROM whitelist WHERE info_hash = '${hash}'`)).toHaveLength(1)
  expect(file.sql(`SELECT valid_until FROM keys WHERE key = '${key}'`)).toEqual([[null]])
  await remove(`/api/v1/whitelist/${hash}`)
  await remove(`/api/v1/key/${key}`)
  expect([access.whitelist!.size - listed, access.keys!.size - known]).toEqual([0, 0])
  expect(file.sql(`SELECT info_hash FROM whitelist WHERE info_hash = '${hash}'`)).toEqual([])
  expect(file.sql(`SELECT valid_until FROM keys WHERE key = '${key}'`)).toEqual([])
})

test('A18: the latest accepted expiry is stored and shown to the second', async () => {
  const body = '{"key":null,"seconds_valid":8000000000000}'
  const reply = await askWithToken(api.url, { method: 'POST', path: '/api/v1/keys', body })
  const { key, valid_until, expiry_time } = JSON.parse(reply.body.toString())
  expect(expiry_time).toMatch(/^\+25\d{4}-/)
  expect(file.sql(`SELECT valid_until FROM keys WHERE key = '${key}'`)).toEqual([
    [BigInt(valid_until)],
  ])
})

describe('with the tables dropped', () => {
  beforeAll(() => void file.sql('DROP TABLE whitelist; DROP TABLE keys'))
  test.each(NEEDS_DATABASE)('A25, %s: %s %s fails', async (_id, method, path, body, reason) => {
    const reply = await askWithToken(api.url, { method, path, ...(body && { body }) })
    expect([reply.status, reply.headers['content-type']]).toEqual([
      500,
      'text/plain; charset=utf-8',
    ])
    expect(reply.body.toString()).toStartWith(
      `Unhandled rejection: Err { reason: "${reason}: The Sqlite3 query was malformed: `,
    )
  })
})

test('no key and no token was written to the log', () => {
  for (const line of lines) expect(line).not.toMatch(/[0-9A-Za-z]{32}|MyAccessToken/)
})
