/** Which answers are compressed, and how (docs/behaviours.md A8). */
import { describe, expect, test } from 'bun:test'
import { gunzipSync } from 'node:zlib'
import { preferredCoding } from '../../src/api/compression.ts'
import { askWithToken, serve } from '../support/api/served-api.ts'
import { ask, dechunk } from '../support/http-client.ts'

test.each([
  [null, undefined],
  ['', undefined],
  ['gzip', 'gzip'],
  ['x-gzip', 'gzip'],
  ['GZIP', 'gzip'],
  ['br', 'br'],
  ['zstd', 'zstd'],
  ['deflate', 'deflate'],
  ['gzip, deflate, br, zstd', 'zstd'],
  ['gzip, deflate, br', 'br'],
  ['deflate, gzip;q=1.0, *;q=0.5', 'gzip'],
  ['gzip;q=0.5, deflate;q=0.8', 'deflate'],
  ['zstd;q=0.1,br;q=0.100,gzip;q=0.10', 'zstd'],
  ['gzip;q=0', undefined],
  ['gzip;q=0.000', undefined],
  ['gzip; q=0.5', 'gzip'],
  ['gzip ; q=0.5', 'gzip'],
  ['identity', undefined],
  ['identity, gzip', 'gzip'],
  ['identity;q=1, gzip;q=0.5', undefined],
  ['gzip;q=2', undefined],
  ['gzip;q=-1', undefined],
  ['gzip;q=x, br;q=0.1', 'br'],
  ['gzip;q=0.1234', undefined],
  ['*', undefined],
  ['compress, exi', undefined],
  [',,;;q=,', undefined],
  [`${'a,'.repeat(4_000)}br`, 'br'],
])('%p: %p', (accept, coding) => {
  expect(preferredCoding(accept)).toBe(coding as ReturnType<typeof preferredCoding>)
})

describe('compression', () => {
  const headers = { 'accept-encoding': 'gzip' }

  test('applies to errors as well', async () => {
    await using api = await serve()
    const reply = await ask(api.url, { path: '/api/v1/stats', headers })
    expect([reply.status, reply.headers['content-encoding']]).toEqual([500, 'gzip'])
    expect(gunzipSync(dechunk(reply)).toString()).toContain('unauthorized')
  })

  test('leaves out answers below 32 bytes, which do not vary', async () => {
    await using api = await serve()
    for (const path of [
      '/api/health_check',
      '/api/v1/keys/reload',
      '/api/v1/torrents',
      '/api/v1/x',
    ]) {
      const reply = await askWithToken(api.url, { path, headers })
      expect([path, reply.headers['content-encoding'], reply.headers.vary]).toEqual([
        path,
        undefined,
        undefined,
      ])
    }
  })

  test('leaves out answers to clients that do not accept it, and those vary', async () => {
    await using api = await serve()
    for (const method of ['GET', 'HEAD']) {
      const reply = await askWithToken(api.url, { method, path: '/api/v1/stats' })
      expect(reply.headers).toMatchObject({ vary: 'accept-encoding' })
      expect(reply.headers['content-encoding']).toBeUndefined()
      expect(Number(reply.headers['content-length'])).toBeGreaterThan(32)
    }
  })
})
