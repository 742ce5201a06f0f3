/** Who changed what, and who tried with a wrong token (docs/behaviours.md A37). */
import { expect, test } from 'bun:test'
import { REFUSED_LINES } from '../../src/api/audit.ts'
import { Tokens } from '../../src/api/authentication.ts'
import { TOKEN } from '../support/api/cases.ts'
import { askWithToken, type Serving, serve } from '../support/api/served-api.ts'
import { ask } from '../support/http-client.ts'

const KEY = '0123456789abcdefghijklmnopqrstuv'
const HASH = '3b245504cf5f11bbdbe1201cea6a6bf45aee1bc0'

const audited = ({ lines }: Serving): string[] =>
  lines.filter((line) => line.includes(' AUDIT: ')).map((line) => line.slice(28, -1))
const json = (value: object) => JSON.stringify(value)

test.each<[action: string, method: string, path: string, body: object | undefined, what: string]>([
  ['addKey', 'POST', 'keys', { key: KEY, seconds_valid: 60 }, ' what=0123…'],
  ['addKey', 'POST', 'keys', { key: null, seconds_valid: null }, ' what=gene…'],
  ['generateKey', 'POST', 'key/3600', undefined, ' what=gene…'],
  ['deleteKey', 'DELETE', `key/${KEY}`, undefined, ' what=0123…'],
  ['addKeys', 'POST', 'keys/bulk', { keys: [{ key: KEY, seconds_valid: 1 }] }, ' what=1 keys'],
  ['deleteKeys', 'DELETE', 'keys/bulk', { keys: [KEY] }, ' what=0123…'],
  ['reloadKeys', 'GET', 'keys/reload', undefined, ''],
  ['addToWhitelist', 'POST', `whitelist/${HASH}`, undefined, ` what=${HASH}`],
  ['removeFromWhitelist', 'DELETE', `whitelist/${HASH.toUpperCase()}`, undefined, ` what=${HASH}`],
  [
    'addManyToWhitelist',
    'POST',
    'whitelist/bulk',
    { info_hashes: [HASH, HASH] },
    ' what=2 info_hashes',
  ],
  [
    'removeManyFromWhitelist',
    'DELETE',
    'whitelist/bulk',
    { info_hashes: [HASH.toUpperCase()], 'of no name we know': [1] },
    ` what=${HASH}`,
  ],
  ['reloadWhitelist', 'GET', 'whitelist/reload', undefined, ''],
  ['liftBan', 'DELETE', 'bans/192.0.2.1', undefined, ' what=192.0.2.1'],
  ['liftBans', 'DELETE', 'bans', undefined, ''],
])('A37: %s has one line (%s %s)', async (action, method, path, body, what) => {
  await using api = await serve()
  if (action.startsWith('delete')) api.permissions.keys.set(KEY, { key: KEY, expires: null })
  const request = { method, path: `/api/v1/${path}`, ...(body && { body: json(body) }) }
  expect((await askWithToken(api.url, request)).status).toBe(200)
  expect(audited(api)).toEqual([` INFO AUDIT: ${action}${what} token=test from=127.0.0.1`])
  for (const secret of [KEY, TOKEN, 'generated0']) expect(api.lines.join('')).not.toContain(secret)
})

test('A37: what changes nothing has none', async () => {
  await using api = await serve()
  for (const path of ['stats', 'torrents', 'keys', 'whitelist', 'log'])
    expect((await askWithToken(api.url, { path: `/api/v1/${path}` })).status).toBe(200)
  api.permissions.failure = new Error('no')
  for (const [method, path] of [
    ['POST', `whitelist/${HASH}`],
    ['POST', 'whitelist/not-a-hash'],
    ['GET', 'keys/reload'],
  ] as const)
    expect(
      (await askWithToken(api.url, { method, path: `/api/v1/${path}` })).status,
    ).toBeGreaterThan(399)
  expect(audited(api)).toEqual([])
})

test('A37: a wrong token has a warning with the address, a missing one has none', async () => {
  const tokens = new Tokens({ reader: { token: TOKEN, scope: 'read' } })
  await using api = await serve({ tokens })
  await ask(api.url, { path: '/api/v1/stats' })
  expect(audited(api)).toEqual([])
  await ask(api.url, { path: `/api/v1/stats?token=${KEY}` })
  await askWithToken(api.url, { method: 'DELETE', path: `/api/v1/whitelist/${HASH}` })
  await ask(api.url, { path: `/nowhere?token=${KEY}` })
  expect(audited(api)).toEqual([
    ' WARN AUDIT: refused call=GET /api/v1/stats reason=token not valid from=127.0.0.1',
    ' WARN AUDIT: refused call=DELETE /api/v1/whitelist/:info_hash reason=token reader may not do this: its scope is read from=127.0.0.1',
    ' WARN AUDIT: refused call=GET reason=token not valid from=127.0.0.1',
  ])
  for (let i = 0; i < 50; i++) await ask(api.url, { path: `/api/v1/stats?token=${KEY}` })
  expect(audited(api)).toHaveLength(REFUSED_LINES)
  for (const secret of [KEY, TOKEN]) expect(api.lines.join('')).not.toContain(secret)
})
