/** How refused and failed calls are logged, and what is never in the log. */
import { describe, expect, test } from 'bun:test'
import { Answer } from '../../src/api/answers.ts'
import { FailedCalls, LINES_PER_MINUTE } from '../../src/api/failed-calls.ts'
import { DatabaseError } from '../../src/database/contract.ts'
import type { Level } from '../../src/log/level.ts'
import { Log } from '../../src/log/log.ts'
import { TOKEN } from '../support/api/cases.ts'
import { askWithToken, serve } from '../support/api/served-api.ts'
import { ask } from '../support/http-client.ts'

const NOT_FOUND = new Answer(404)
const FAILED = new Answer(500, 'text/plain', 'no')
const ID = '0f9e21cb-9d5b-4e0f-8a3e-0d0a3f4c9c57'
const KEY = '0123456789abcdefghijklmnopqrstuv'

describe('one line is logged for', () => {
  test('a call without a valid token, at ERROR, with the request id of the answer', async () => {
    await using api = await serve()
    const headers = { 'x-request-id': ID }
    await ask(api.url, { path: `/api/v1/stats?token=${KEY}`, headers })
    expect(api.lines).toEqual([
      // The address, once for a while: audit.test.ts.
      expect.stringContaining(' WARN AUDIT: refused '),
      expect.stringMatching(
        new RegExp(
          `^2023-11-14T22:13:20.000000Z ERROR API: response call=GET /api/v1/stats latency_ms=\\d+ status_code=500 request_id=${ID} body=Unhandled rejection: Err . reason: "token not valid" .\n$`,
        ),
      ),
    ])
    const { headers: answered } = await ask(api.url, { path: '/api/v1/torrents' })
    expect(api.lines).toHaveLength(3)
    expect(api.lines[2]).toContain(`request_id=${answered['x-request-id']} `)
  })

  test('a failure, at ERROR', async () => {
    await using api = await serve()
    api.permissions.failure = new DatabaseError('refused', 'database is locked')
    await askWithToken(api.url, { method: 'DELETE', path: `/api/v1/key/${KEY}` })
    expect(api.lines).toHaveLength(1)
    expect(api.lines[0]).toContain(' ERROR API: response call=DELETE /api/v1/key/:')
    expect(api.lines[0]).toContain('failed to delete key: database is locked')
    expect(api.lines[0]).not.toContain(KEY)
  })

  test('a mistake or a time-out, at DEBUG', async () => {
    await using api = await serve({ limitMilliseconds: 1 })
    api.permissions.gate = new Promise(() => {})
    await askWithToken(api.url, { method: 'GET', path: '/api/v1/keys/reload' })
    await askWithToken(api.url, { path: '/nowhere' })
    expect(api.lines).toEqual([
      expect.stringContaining('DEBUG API: response call=GET /api/v1/keys/reload latency_ms='),
      expect.stringContaining('DEBUG API: response call=GET latency_ms='),
    ])
    expect(api.lines[0]).toContain(' status_code=408 request_id=')
    expect(api.lines[1]).toContain(' status_code=404 request_id=')
  })
})

test('a call that changes nothing is not logged, and no token, key or path of any call is', async () => {
  await using api = await serve()
  for (const path of ['stats', 'torrents', 'keys', 'whitelist', 'health_check'])
    await askWithToken(api.url, { path: `/api/v1/${path}`.replace('v1/health', 'health') })
  expect(api.lines).toEqual([])
  await ask(api.url, { path: `/api/v1/key/${KEY}?token=${TOKEN}` })
  await ask(api.url, { path: `/${KEY}?token=${TOKEN}x` })
  expect(api.lines).toHaveLength(3)
  for (const line of api.lines)
    for (const secret of [KEY, TOKEN]) expect(line).not.toContain(secret)
})

test('the request id of a client cannot begin a line', async () => {
  await using api = await serve()
  const headers = { 'x-request-id': 'a\tb' }
  const reply = await ask(api.url, { path: '/api/v1/stats', headers })
  expect(reply.headers['x-request-id']).toMatch(/^[0-9a-f-]{36}$/)
  expect(api.lines[0]).toContain(`request_id=${reply.headers['x-request-id']} `)
})

describe('a flood of failed calls', () => {
  function logging(filter: Level) {
    const lines: string[] = []
    const clock = { now: 1_000_000, seconds: () => 0, milliseconds: () => clock.now }
    const log = new Log({ filter, style: 'full', colour: false }, clock.milliseconds, (line) =>
      lines.push(line),
    )
    const failed = new FailedCalls(log, clock)
    const fail = (answer: Parameters<FailedCalls['log']>[0]['answer'], times = 1) => {
      for (let i = 0; i < times; i++) failed.log({ call: 'GET', answer, id: ID, milliseconds: 1 })
    }
    return { lines, clock, fail }
  }

  test('has a limited number of lines per minute, and a later line has the number of suppressed ones', () => {
    const { lines, clock, fail } = logging('info')
    fail(FAILED, 10_000)
    expect(lines).toHaveLength(LINES_PER_MINUTE)
    clock.now += 59_999
    fail(FAILED)
    expect(lines).toHaveLength(LINES_PER_MINUTE)
    clock.now += 1
    fail(FAILED, 2)
    expect(lines).toHaveLength(LINES_PER_MINUTE + 2)
    expect(lines.at(-2)).toEndWith(` suppressed=${10_001 - LINES_PER_MINUTE}\n`)
    expect(lines.at(-1)).not.toContain('suppressed')
  })

  test('is still logged after the clock was set back', () => {
    const { lines, clock, fail } = logging('info')
    fail(FAILED, LINES_PER_MINUTE)
    clock.now -= 3_600_000
    fail(FAILED)
    expect(lines).toHaveLength(LINES_PER_MINUTE + 1)
  })

  test('at DEBUG leaves the lines of failures alone', () => {
    const { lines, fail } = logging('debug')
    fail(NOT_FOUND, 1_000)
    expect(lines).toHaveLength(LINES_PER_MINUTE)
    fail(FAILED)
    expect(lines.at(-1)).toContain(' ERROR API: ')
  })

  test('at DEBUG is not even counted when that level is off', () => {
    const { lines, fail } = logging('info')
    fail(NOT_FOUND, 1_000)
    expect(lines).toEqual([])
  })
})
