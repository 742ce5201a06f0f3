/** A database that fails or is missing, answers that take too long, and bugs of ours. */
import { describe, expect, test } from 'bun:test'
import { DatabaseError } from '../../src/database/contract.ts'
import { NEEDS_DATABASE, TOKEN } from '../support/api/cases.ts'
import { askWithToken, listing, noStats, serve, withToken } from '../support/api/served-api.ts'
import { ask, bytesOf, exchange, parseResponse } from '../support/http-client.ts'
import { until } from '../support/until.ts'

const HASH = '3b245504cf5f11bbdbe1201cea6a6bf45aee1bc0'
const KEY = '0123456789abcdefghijklmnopqrstuv'
const NO_TABLE = 'The Sqlite3 query was malformed: no such table: "keys"'

describe('a database that fails', () => {
  test.each(
    NEEDS_DATABASE.flatMap(([id, method, path, body, reason, newer = reason]) => [
      [id, method, path, '2.0.0' as const, body, reason] as const,
      [id, method, path, '3.0.0' as const, body, newer] as const,
    ]),
  )(
    'A25, %s: %s %s reports it in the words of schema %s',
    async (_id, method, path, schema, body, reason) => {
      await using api = await serve({ schema })
      api.permissions.failure = new DatabaseError('refused', NO_TABLE)
      const reply = await askWithToken(api.url, { method, path, ...(body && { body }) })
      expect([reply.status, reply.headers['content-type'], reply.body.toString()]).toEqual([
        500,
        'text/plain; charset=utf-8',
        `Unhandled rejection: Err { reason: "${reason}: The Sqlite3 query was malformed: no such table: \\"keys\\"" }`,
      ])
      expect(api.reports).toEqual([])
    },
  )
})

describe('an unforeseen error', () => {
  const failing = () => {
    throw new TypeError(`of ${TOKEN}`)
  }

  test('is a 500 that reveals nothing, and is reported once', async () => {
    await using api = await serve({ stats: failing })
    for (let time = 0; time < 3; time++) {
      const reply = await askWithToken(api.url, { path: '/api/v1/stats' })
      expect([reply.status, reply.body.toString()]).toEqual([
        500,
        'Unhandled rejection: Err { reason: "internal server error" }',
      ])
    }
    expect(api.reports).toEqual(['GET /api/v1/stats: TypeError'])
  })

  test('may come from the permission store', async () => {
    await using api = await serve()
    api.permissions.failure = new TypeError(`of ${KEY}`)
    const reply = await askWithToken(api.url, { method: 'DELETE', path: `/api/v1/key/${KEY}` })
    expect([reply.status, reply.body.toString()]).toEqual([
      500,
      'Unhandled rejection: Err { reason: "internal server error" }',
    ])
    expect(api.reports).toHaveLength(1)
    expect(api.reports[0]).not.toContain(KEY)
  })

  test('may come from the first batch of a list', async () => {
    await using api = await serve()
    api.torrents.summaries = [{ infoHash: HASH, seeders: 0, leechers: 0, downloaded: 0 }]
    api.torrents.broken = 0
    expect((await askWithToken(api.url, { path: '/api/v1/torrents' })).status).toBe(500)
    expect(api.reports).toEqual(['GET /api/v1/torrents: RangeError'])
  })
})

describe('an answer that takes too long', () => {
  test('is 408 without a body, and the connection ends', async () => {
    await using api = await serve({ limitMilliseconds: 20 })
    const gate = Promise.withResolvers<void>()
    api.permissions.gate = gate.promise
    const request = { path: '/api/v1/keys/reload', headers: { connection: 'keep-alive' } }
    const reply = await askWithToken(api.url, request)
    expect([reply.status, reply.body.length, reply.headers.connection]).toEqual([408, 0, 'close'])
    expect(reply.headers['content-type']).toBeUndefined()
    // The late result is dropped, and does no harm.
    api.permissions.failure = new DatabaseError('late', 'too late')
    gate.resolve()
    api.permissions.gate = Promise.resolve()
    await until('the API to answer on', async () => {
      return (await ask(api.url, { path: '/api/health_check' })).status === 200
    })
    expect(api.reports).toEqual([])
  })

  test('because the body does not come is 408, and nothing is done', async () => {
    await using api = await serve({ limitMilliseconds: 20 })
    const body = '{"key":null,"seconds_valid":60}'
    const headers = { 'content-length': String(body.length + 1) }
    const bytes = bytesOf(withToken({ method: 'POST', path: '/api/v1/keys', headers, body }))
    expect(parseResponse(await exchange(api.url, bytes)).status).toBe(408)
    expect(api.permissions.asked).toEqual([])
  })

  test('is not waited for by a request without a token', async () => {
    await using api = await serve({ limitMilliseconds: 60_000 })
    const headers = { 'content-length': '1000' }
    const reply = await ask(api.url, { method: 'POST', path: '/api/v1/keys', headers, body: '{' })
    expect([reply.status, reply.body.toString()]).toEqual([
      500,
      'Unhandled rejection: Err { reason: "unauthorized" }',
    ])
  })

  test('does not keep its list alive', async () => {
    const gate = Promise.withResolvers<void>()
    let returned = false
    await using api = await serve({
      limitMilliseconds: 20,
      torrents: listing(async function* () {
        try {
          await gate.promise
          for (;;)
            yield Array.from({ length: 1_000 }, () => ({
              infoHash: HASH,
              seeders: 0,
              leechers: 0,
              downloaded: 0,
            }))
        } finally {
          returned = true
        }
      }),
    })
    expect((await askWithToken(api.url, { path: '/api/v1/torrents' })).status).toBe(408)
    gate.resolve()
    await until('the list to be abandoned', () => returned)
  })
})

test('M1, M6: stats show what there is, and the boolean is a number for Prometheus', async () => {
  const shown = { ...noStats, torrents: 1, seeders: 1, completed_persisted_enabled: true }
  await using api = await serve({ stats: () => shown })
  const json = await askWithToken(api.url, { path: '/api/v1/stats' })
  expect(json.body.toString()).toBe(JSON.stringify(shown))
  const lines = await askWithToken(api.url, { path: '/api/v1/stats?format=prometheus' })
  expect(lines.body.toString().split('\n')).toContain('completed_persisted_enabled 1')
  expect(lines.body.toString().split('\n')).toHaveLength(33)
})
