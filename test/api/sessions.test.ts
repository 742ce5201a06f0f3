/** A32: sessions of browsers. */
import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { Tokens } from '../../src/api/authentication.ts'
import { LoginLimit } from '../../src/api/login-limit.ts'
import { isOwn, mayBeOwn, Sessions } from '../../src/api/sessions.ts'
import { type Serving, serve } from '../support/api/served-api.ts'
import { ask, exchange, type Reply } from '../support/http-client.ts'

const HOURS = 3_600_000

/** A clock that the test moves. */
function movable() {
  const time = { now: 1_800_000_000_000 }
  return {
    time,
    clock: { milliseconds: () => time.now, seconds: () => Math.floor(time.now / 1000) },
  }
}
const cookieOf = (setCookie: string): string => setCookie.split(';')[0]!
const requestWith = (cookie: string, headers: Record<string, string> = {}, method = 'GET') =>
  new Request('http://tracker:1212/x', {
    method,
    headers: { host: 'tracker:1212', cookie, ...headers },
  })

describe('a session', () => {
  test('stands for its token until it is closed', () => {
    const sessions = new Sessions(movable().clock, 1212)
    const one = cookieOf(sessions.open('one', false))
    const two = cookieOf(sessions.open('two', false))
    expect(sessions.tokenOf(requestWith(`a=b; ${two}; c=d`))).toBe('two')
    expect(sessions.tokenOf(requestWith(one))).toBe('one')
    expect(sessions.close(requestWith(one))).toBe(
      'tracker_session_1212=; Path=/; Max-Age=0; HttpOnly; SameSite=Strict',
    )
    // A cookie that was copied before is worth nothing.
    expect(sessions.tokenOf(requestWith(one))).toBeUndefined()
    expect(sessions.tokenOf(requestWith(two))).toBe('two')
    for (const none of [
      '',
      'tracker_session_1212=',
      'tracker_session_1212',
      two.slice(0, -1),
      `x${two}`,
    ])
      expect(sessions.tokenOf(requestWith(none))).toBeUndefined()
  })

  test('is not readable by scripts, and not sent without TLS where there is some', () => {
    const sessions = new Sessions(movable().clock, 1)
    const rest = '; Path=/; Max-Age=604800; HttpOnly; SameSite=Strict'
    expect(sessions.open('a', false)).toMatch(new RegExp(`^tracker_session_1=[\\w-]{43}${rest}$`))
    expect(sessions.open('a', true)).toEndWith(`${rest}; Secure`)
  })

  test('ends after twelve hours without a request, and after seven days', () => {
    const { time, clock } = movable()
    const sessions = new Sessions(clock, 1)
    const idle = cookieOf(sessions.open('idle', false))
    const used = cookieOf(sessions.open('used', false))
    for (let hours = 0; hours < 7 * 24; hours += 12) {
      time.now += 12 * HOURS
      expect(sessions.tokenOf(requestWith(used))).toBe('used')
    }
    expect(sessions.tokenOf(requestWith(idle))).toBeUndefined()
    time.now += 1
    expect(sessions.tokenOf(requestWith(used))).toBeUndefined()
    time.now -= 1
    expect(sessions.tokenOf(requestWith(used))).toBeUndefined()
  })

  test('gives way to newer ones when there are a thousand, the one that was not used for longest first', () => {
    const sessions = new Sessions(movable().clock, 1)
    const [first, second] = [sessions.open('first', false), sessions.open('second', false)].map(
      cookieOf,
    )
    for (let i = 0; i < 998; i++) sessions.open('other', false)
    expect(sessions.tokenOf(requestWith(first!))).toBe('first')
    sessions.open('one more', false)
    expect(sessions.tokenOf(requestWith(first!))).toBe('first')
    expect(sessions.tokenOf(requestWith(second!))).toBeUndefined()
  })
})

test.each<[what: string, method: string, headers: Record<string, string>, own: boolean]>([
  ['an address that was typed', 'GET', { 'sec-fetch-site': 'none' }, true],
  ['a page of ours that reads', 'GET', { 'sec-fetch-site': 'same-origin' }, true],
  ['a program', 'GET', {}, true],
  ['a page of another port', 'GET', { 'sec-fetch-site': 'same-site' }, false],
  ['a page of another site', 'GET', { 'sec-fetch-site': 'cross-site' }, false],
  ['a page of ours that writes', 'POST', { origin: 'http://tracker:1212' }, true],
  ['the same behind a proxy with TLS', 'DELETE', { origin: 'https://tracker:1212' }, true],
  ['a program that writes', 'POST', {}, false],
  ['a write of another port', 'POST', { origin: 'http://tracker:8080' }, false],
  ['a write of a name that means this machine', 'POST', { origin: 'http://evil.example' }, false],
  ['a write of no origin', 'POST', { origin: 'null' }, false],
  ['a write of text', 'POST', { origin: 'tracker:1212' }, false],
  [
    'a read of another site with our origin',
    'GET',
    { origin: 'http://evil.example', 'sec-fetch-site': 'same-origin' },
    false,
  ],
])('a request of %s', (_what, method, headers, own) => {
  expect(isOwn(requestWith('', headers, method))).toBe(own)
})

test.each<[what: string, headers: Record<string, string>, own: boolean]>([
  ['a page of ours', { 'sec-fetch-site': 'same-origin' }, true],
  ['a page of ours that says so', { origin: 'http://tracker:1212' }, true],
  ['an address that was typed, or followed from a letter', { 'sec-fetch-site': 'none' }, false],
  ['an image in a page of another port, without TLS', {}, false],
])('a GET that changes something, of %s', (_what, headers, own) => {
  expect(isOwn(requestWith('', headers), true)).toBe(own)
})

test.each([
  ['127.0.0.1', null, true],
  ['[::1]', null, true],
  ['192.0.2.1', null, true],
  ['localhost', null, true],
  ['tracker.localhost', null, true],
  ['evil.example', null, false],
  ['127.0.0.1.evil.example', null, false],
  ['localhost.evil.example', null, false],
  ['', null, false],
  ['tracker.example', 'https://tracker.example/api', true],
  ['evil.example', 'https://tracker.example/api', false],
])('an API of this machine alone may be called %s (public_url %s): %s', (host, url, may) => {
  expect(mayBeOwn(host, url)).toBe(may)
})

describe('wrong tokens', () => {
  test('slow their address down, and no other', () => {
    const { time, clock } = movable()
    const limit = new LoginLimit(clock)
    for (let i = 0; i < 5; i++) {
      expect(limit.wait('192.0.2.1')).toBe(0)
      limit.failed('192.0.2.1')
    }
    expect(limit.wait('192.0.2.1')).toBe(30)
    // As an IPv6 socket has it.
    expect(limit.wait('::ffff:192.0.2.1')).toBe(30)
    expect(limit.wait('192.0.2.2')).toBe(0)
    time.now += 29_000
    expect(limit.wait('192.0.2.1')).toBe(1)
    time.now += 1_000
    expect(limit.wait('192.0.2.1')).toBe(0)
    limit.failed('192.0.2.1')
    expect(limit.wait('192.0.2.1')).toBe(30)
    time.now += 10 * 60_000
    for (let i = 0; i < 5; i++) limit.failed('192.0.2.1')
    expect(limit.wait('192.0.2.1')).toBe(30)
  })

  test('count for the whole /64 that one client has', () => {
    const limit = new LoginLimit(movable().clock)
    for (let i = 0; i < 5; i++) limit.failed(`2001:db8:1:2::${i}`)
    expect(limit.wait('2001:db8:1:2:ffff::1')).toBe(30)
    expect(limit.wait('2001:db8:1:3::1')).toBe(0)
  })

  test('are remembered of so many addresses', () => {
    const limit = new LoginLimit(movable().clock)
    for (let i = 0; i < 5; i++) limit.failed('192.0.2.1')
    for (let i = 0; i < 9_999; i++) limit.failed(`10.0.${i >> 8}.${i & 255}`)
    expect(limit.wait('192.0.2.1')).toBe(30)
    limit.failed('10.9.9.9')
    expect(limit.wait('192.0.2.1')).toBe(0)
  })
})

describe('over the API', () => {
  let api: Serving
  let tokens: Tokens
  beforeAll(async () => {
    tokens = new Tokens({
      boss: { token: 'all', scope: 'all' },
      guest: { token: 'read', scope: 'read' },
    })
    api = await serve({ tokens, publicUrl: 'http://tracker' })
  })
  afterAll(() => api.stop(0))

  // The client of these tests names the host `tracker`.
  const ORIGIN = 'http://tracker'
  const own = () => ({ origin: ORIGIN, 'content-type': 'application/json' })
  const login = (token: string, headers: Record<string, string> = own()): Promise<Reply> =>
    ask(api.url, { method: 'POST', path: '/session', headers, body: JSON.stringify({ token }) })
  const cookieFor = async (token: string) =>
    cookieOf(String((await login(token)).headers['set-cookie']))
  const HASH = '3b245504cf5f11bbdbe1201cea6a6bf45aee1bc0'

  test('a token becomes a cookie that opens what the token opens', async () => {
    const reply = await login('read')
    expect([reply.status, `${reply.body}`, reply.headers['cache-control']]).toEqual([
      200,
      '{"name":"guest","scope":"read"}',
      'no-store',
    ])
    const cookie = cookieOf(String(reply.headers['set-cookie']))
    expect(cookie).not.toContain('read')
    const get = (path: string) => ask(api.url, { path, headers: { cookie } })
    expect(`${(await get('/session')).body}`).toBe('{"name":"guest","scope":"read"}')
    expect((await get('/api/v1/stats')).status).toBe(200)
    const path = `/api/v1/whitelist/${HASH}`
    const refused = await ask(api.url, {
      method: 'POST',
      path,
      headers: { cookie, origin: ORIGIN },
    })
    expect([refused.status, `${refused.body}`]).toEqual([
      403,
      '{"status":"err","reason":"token guest may not do this: its scope is read"}',
    ])
  })

  test('a change needs a page of ours', async () => {
    const cookie = await cookieFor('all')
    const change = async (headers: Record<string, string>) =>
      (await ask(api.url, { method: 'POST', path: `/api/v1/whitelist/${HASH}`, headers })).status
    expect(await change({ cookie, origin: ORIGIN })).toBe(200)
    // Under /api/v1 this is how a request without a token is refused.
    expect(await change({ cookie })).toBe(500)
    expect(await change({ cookie, origin: 'http://evil.example' })).toBe(500)
    expect(await change({ cookie, origin: ORIGIN, 'sec-fetch-site': 'same-site' })).toBe(500)
    expect(await change({ authorization: 'Bearer all', origin: 'http://evil.example' })).toBe(200)
    const read = async (headers: Record<string, string>) =>
      (await ask(api.url, { path: '/api/v1/whitelist/reload', headers })).status
    expect(await read({ cookie, 'sec-fetch-site': 'same-origin' })).toBe(200)
    expect(await read({ cookie })).toBe(500)
  })

  test('a session ends with its logout, and with its token', async () => {
    const cookie = await cookieFor('all')
    const status = async (one: string) =>
      (await ask(api.url, { path: '/session', headers: { cookie: one } })).status
    expect(await status(cookie)).toBe(200)
    const headers = { cookie, origin: ORIGIN }
    const logout = await ask(api.url, { method: 'DELETE', path: '/session', headers })
    expect(logout.headers['set-cookie']).toContain('Max-Age=0')
    expect(await status(cookie)).toBe(401)
    const another = await cookieFor('read')
    expect(await status(another)).toBe(200)
    tokens.replace({ boss: { token: 'all', scope: 'all' } })
    expect(await status(another)).toBe(401)
  })

  test('what a session watches ends with its logout, and not with that of a stranger', async () => {
    const cookie = await cookieFor('all')
    const logout = (headers: Record<string, string>) =>
      ask(api.url, { method: 'DELETE', path: '/session', headers: { origin: ORIGIN, ...headers } })
    const response = await fetch(`${api.url}/api/v1/log?follow=true`, { headers: { cookie } })
    let isOver = false
    const watching = response.text().then(() => {
      isOver = true
    })
    await logout({})
    // An end would have come by the answer to the third.
    for (let i = 0; i < 3; i++) await logout({ cookie: `${cookie}x` })
    expect(isOver).toBeFalse()
    await logout({ cookie })
    await watching
  })

  test('a name that leads to this machine is not ours', async () => {
    const host = 'evil.example'
    const reply = await login('all', { ...own(), host, origin: `http://${host}` })
    expect([reply.status, `${reply.body}`]).toEqual([
      403,
      '{"status":"err","reason":"this API is not called evil.example: set http_api.public_url if it is reached by that name"}',
    ])
  })

  test('other sites cannot log in, and guessing is slow', async () => {
    expect((await login('all', { ...own(), origin: 'http://evil.example' })).status).toBe(403)
    expect((await login('all', { 'content-type': 'application/json' })).status).toBe(403)
    for (let i = 0; i < 5; i++) expect((await login('wrong')).status).toBe(401)
    const late = await login('all')
    expect([late.status, late.headers['retry-after']]).toEqual([429, '30'])
    expect(late.headers['set-cookie']).toBeUndefined()
  })

  test('a body that is no login is refused like any other', async () => {
    const post = async (body: string, type = 'application/json') =>
      (
        await ask(api.url, {
          method: 'POST',
          path: '/session',
          headers: { origin: ORIGIN, 'content-type': type },
          body,
        })
      ).status
    expect(await post('{"token":1}')).toBe(422)
    expect(await post('{}')).toBe(422)
    expect(await post('{')).toBe(400)
    expect(await post('token=all', 'application/x-www-form-urlencoded')).toBe(415)
    // Strangers may send it: nothing of a long one is read, nor of one that may become long.
    expect(await post(`{"token":"${'a'.repeat(32 * 1024)}"}`)).toBe(413)
    const chunked = await exchange(
      api.url,
      `POST /session HTTP/1.1\r\nHost: a\r\nOrigin: http://a\r\nConnection: close\r\n` +
        'Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n',
    )
    expect(`${chunked}`).toStartWith('HTTP/1.1 411 ')
  })
})
