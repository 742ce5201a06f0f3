/** Who may use the management API, and for what. */
import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { Tokens } from '../../src/api/authentication.ts'
import { scopeOf } from '../../src/api/paths.ts'
import type { Scope } from '../../src/config/model.ts'
import { type Serving, serve } from '../support/api/served-api.ts'
import { ask, dechunk } from '../support/http-client.ts'

const may = (scope: Scope, token: string) => ({ token, scope })

describe('without tokens every request is refused', () => {
  test.each([
    ['none', {}],
    ['an empty one', { empty: may('all', '') }],
  ])('%s', async (_name, tokens) => {
    await using api = await serve({ tokens: new Tokens(tokens) })
    const refused = async (path: string, headers = {}) =>
      (await ask(api.url, { path, headers })).body.toString()
    expect(await refused('/api/v1/stats?token=')).toContain('"token not valid"')
    expect(await refused('/api/v1/stats?token=undefined')).toContain('"token not valid"')
    expect(await refused('/api/v1/stats', { authorization: 'Bearer ' })).toContain('not valid')
    expect(await refused('/api/v1/stats')).toContain('"unauthorized"')
    expect((await ask(api.url, { path: '/api/health_check' })).status).toBe(200)
  })
})

test('A2: any token opens every route, whatever characters it has', async () => {
  const odd = 'a+b c&d=e%f/é"#'
  const [a, b, c] = ['first', odd, 'third'].map((token) => may('all', token))
  await using api = await serve({ tokens: new Tokens({ a: a!, b: b!, c: c! }) })
  const query = encodeURIComponent(odd)
  for (const token of ['first', query, query.replaceAll('%20', '+'), 'third'])
    expect((await ask(api.url, { path: `/api/v1/stats?token=${token}` })).status).toBe(200)
  for (const authorization of ['Bearer first', 'Bearer third'])
    expect((await ask(api.url, { path: '/api/v1/stats', headers: { authorization } })).status).toBe(
      200,
    )
})

describe('A31: a token', () => {
  const SCOPES = ['all', 'read', 'metrics'] as const
  const HASH = '3b245504cf5f11bbdbe1201cea6a6bf45aee1bc0'
  /** Its answer never ends. */
  const STREAM = '/api/v1/live'
  let api: Serving
  /** Method and path of every route that needs a token, and one path without a route. */
  let routes: (readonly [string, string])[]
  beforeAll(async () => {
    const tokens = Object.fromEntries(SCOPES.map((scope) => [`a ${scope}`, may(scope, scope)]))
    api = await serve({ tokens: new Tokens(tokens) })
    const document = JSON.parse(
      dechunk(await ask(api.url, { path: '/api/openapi.json' })).toString(),
    )
    const paths: [string, Record<string, { security: object[] }>][] = Object.entries(document.paths)
    routes = paths.flatMap(([path, operations]) =>
      Object.entries(operations).flatMap(([method, { security }]) =>
        security.length === 0 || path === STREAM ? [] : [[method.toUpperCase(), path] as const],
      ),
    )
    routes.push(['GET', '/api/v1/unknown'], ['GET', '/unknown'], ['POST', '/unknown'])
  })
  afterAll(() => api.stop(0))

  /** Whether the scope of the token of that name is good enough. */
  async function passes(scope: Scope, method: string, template: string): Promise<boolean> {
    const reply = await ask(api.url, {
      method,
      path: template.replace('{info_hash}', HASH).replace(/\{.*\}/, '60'),
      headers: { authorization: `Bearer ${scope}`, 'content-type': 'application/json' },
      ...(method !== 'GET' && method !== 'HEAD' && { body: 'not JSON' }),
    })
    if (reply.status !== 403) return true
    expect([reply.headers['content-type'], reply.body.toString()]).toEqual([
      'application/json',
      method === 'HEAD'
        ? ''
        : `{"status":"err","reason":"token a ${scope} may not do this: its scope is ${scope}"}`,
    ])
    return false
  }

  test('with the scope all opens every route', async () => {
    expect(routes.length).toBeGreaterThan(16)
    for (const [method, path] of routes)
      expect([method, path, await passes('all', method, path)]).toEqual([method, path, true])
  })

  test('with the scope read opens what changes nothing', async () => {
    api.permissions.asked.length = 0
    for (const [method, path] of routes) {
      const reads = method === 'GET' && !path.endsWith('/reload')
      expect([method, path, await passes('read', method, path)]).toEqual([method, path, reads])
    }
    expect(await passes('read', 'HEAD', '/api/v1/stats')).toBe(true)
    expect(await passes('read', 'HEAD', STREAM)).toBe(true)
    expect(await passes('metrics', 'HEAD', STREAM)).toBe(false)
    expect(await passes('read', 'HEAD', '/api/v1/keys/reload')).toBe(false)
    expect(api.permissions.asked).toEqual(['listWhitelist 0 4000', 'listKeys 0 4000'])
  })

  test('with the scope metrics opens these and nothing else', async () => {
    for (const [method, path] of routes) {
      const reads = ['/metrics', '/api/v1/metrics', '/session'].includes(path)
      expect([method, path, await passes('metrics', method, path)]).toEqual([method, path, reads])
    }
  })

  test('may be the password of basic authentication, for the metrics only', async () => {
    const authorization = `Basic ${btoa('prometheus:metrics')}`
    const status = async (path: string) =>
      (await ask(api.url, { path, headers: { authorization } })).status
    expect(await status('/metrics')).toBe(200)
    expect(await status('/api/v1/metrics?format=prometheus')).toBe(200)
    expect(await status('/api/v1/stats')).toBe(500)
  })

  test('is asked for its scope before the body is read', async () => {
    const before = api.garbage.counted
    const body = `"${'x'.repeat(1_000_000)}"`
    const headers = { authorization: 'Bearer read', 'content-type': 'application/json' }
    const reply = await ask(api.url, { method: 'POST', path: '/api/v1/keys', headers, body })
    expect(reply.status).toBe(403)
    expect(api.garbage.counted - before).toBeLessThan(1_000_000)
  })
})

test('A31: a route may name the scope that it needs', () => {
  const detail = { security: [{ bearer: ['metrics'] }] }
  expect(scopeOf({ method: 'GET', hooks: { detail } })).toBe('metrics')
  expect(scopeOf({ method: 'GET', hooks: {} })).toBe('read')
  for (const method of ['POST', 'PUT', 'DELETE', 'PATCH', 'OPTIONS'])
    expect(scopeOf({ method, hooks: {} })).toBe('all')
})

describe('the tokens', () => {
  const tokens = new Tokens({ admin: may('all', 'a'), grafana: may('metrics', 'm') })
  const request = (authorization?: string, query = '') =>
    new Request(`http://x/metrics${query}`, { headers: authorization ? { authorization } : {} })
  const basic = (pair: string) => `Basic ${Buffer.from(pair).toString('base64')}`

  test('say whose a token is', () => {
    expect(tokens.check(request('Bearer m'), 'metrics')).toEqual({
      name: 'grafana',
      scope: 'metrics',
    })
    expect(tokens.check(request('Bearer a'), 'metrics').name).toBe('admin')
    expect(tokens.find('m')?.name).toBe('grafana')
    expect(tokens.find('x')).toBeUndefined()
    expect(tokens.find('')).toBeUndefined()
  })

  test('A31: may be the password of basic authentication, for metrics only', () => {
    for (const pair of ['prometheus:m', ':m', 'm'])
      expect(tokens.check(request(basic(pair)), 'metrics').name).toBe('grafana')
    for (const pair of ['m:', 'm:x', 'prometheus:', 'x:m:'])
      expect(() => tokens.check(request(basic(pair)), 'metrics')).toThrow('token not valid')
    for (const needed of ['read', 'all'] as const)
      expect(() => tokens.check(request(basic('x:a')), needed)).toThrow('unknown token provided')
    // Those of a proxy in front do not shadow the token.
    expect(tokens.check(request(basic('proxy:x'), '?token=m'), 'metrics').name).toBe('grafana')
    expect(() => tokens.check(request('Digest x'), 'metrics')).toThrow('unknown token provided')
  })

  test('are replaced from one request to the next', () => {
    const tokens = new Tokens({ old: may('all', 'o') })
    expect(tokens.check(request('Bearer o'), 'all').name).toBe('old')
    tokens.replace({ next: may('read', 'n') })
    expect(() => tokens.check(request('Bearer o'), 'read')).toThrow('token not valid')
    expect(tokens.check(request('Bearer n'), 'read').name).toBe('next')
    expect(() => tokens.check(request('Bearer n'), 'all')).toThrow(
      'token next may not do this: its scope is read',
    )
  })
})
