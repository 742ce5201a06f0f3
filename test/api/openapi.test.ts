/** The OpenAPI document describes every operation, and the cases of the API agree with it (docs/behaviours.md A29). */
import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { CASES } from '../support/api/cases.ts'
import { type Serving, serve } from '../support/api/served-api.ts'
import { ask, dechunk } from '../support/http-client.ts'

type Described = {
  $ref?: string
  content?: Record<string, { schema: object }>
  description?: string
}
type Operation = {
  operationId: string
  security?: object[]
  parameters: { name: string; in: string; required: boolean; schema: object }[]
  requestBody?: { content: Record<string, { schema: object }> }
  responses: Record<string, Described>
}
type Document = {
  openapi: string
  info: { version: string }
  security: Record<string, string[]>[]
  paths: Record<string, Record<string, Operation>>
  components: { responses: Record<string, Described>; schemas: Record<string, object> }
}

let api: Serving
let document: Document
let text: string
beforeAll(async () => {
  api = await serve()
  text = dechunk(await ask(api.url, { path: '/api/openapi.json' })).toString()
  document = JSON.parse(text)
})
afterAll(() => api.stop(0))

test('has every operation, each with an id of its own', () => {
  expect(document.openapi).toBe('3.1.0')
  expect(document.info.version).toBe('1.2.3')
  const operations = Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, { operationId, security }]) =>
      [operationId, method.toUpperCase(), path, ...(security?.length === 0 ? ['open'] : [])].join(
        ' ',
      ),
    ),
  )
  expect(operations.sort()).toEqual([
    'addKey POST /api/v1/keys',
    'addKeys POST /api/v1/keys/bulk',
    'addManyToWhitelist POST /api/v1/whitelist/bulk',
    'addToWhitelist POST /api/v1/whitelist/{info_hash}',
    'adjustAccount POST /api/v1/account/{id}/adjust',
    'adjustUser POST /api/v1/user/{user_id}/adjust',
    'changeAccount PATCH /api/v1/account/{id}',
    'changeTorrent PATCH /api/v1/torrent/{info_hash}/accounting',
    'changeTorrents PATCH /api/v1/torrents/accounting/bulk',
    'changeUser PATCH /api/v1/user/{user_id}',
    'deleteKey DELETE /api/v1/key/{seconds_valid_or_key}',
    'deleteKeys DELETE /api/v1/keys/bulk',
    'eraseAccount DELETE /api/v1/account/{id}',
    'eraseUser DELETE /api/v1/user/{user_id}',
    'generateKey POST /api/v1/key/{seconds_valid_or_key}',
    'getAbout GET / open',
    'getAccount GET /api/v1/account/{id}',
    'getAccounting GET /api/v1/accounting',
    'getChanges GET /api/v1/accounting/changes',
    'getConfiguration GET /api/v1/config',
    'getHealth GET /api/health_check open',
    'getHistory GET /api/v1/history',
    'getLog GET /api/v1/log',
    'getMetrics GET /api/v1/metrics',
    'getOpenApi GET /api/openapi.json open',
    'getOverview GET /api/v1/overview',
    'getSession GET /session',
    'getStatistics GET /api/v1/stats',
    'getTorrent GET /api/v1/torrent/{info_hash}',
    'getUser GET /api/v1/user/{user_id}',
    'liftBan DELETE /api/v1/bans/{address}',
    'liftBans DELETE /api/v1/bans',
    'listAccountRecords GET /api/v1/account/{id}/records',
    'listAccounts GET /api/v1/accounts',
    'listBans GET /api/v1/bans',
    'listFlags GET /api/v1/accounting/flags',
    'listKeys GET /api/v1/keys',
    'listTorrentRecords GET /api/v1/torrent/{info_hash}/records',
    'listTorrents GET /api/v1/torrents',
    'listUserRecords GET /api/v1/user/{user_id}/records',
    'listWhitelist GET /api/v1/whitelist',
    'login POST /session open',
    'logout DELETE /session open',
    'putAccountToken PUT /api/v1/account/{id}/token/{info_hash}',
    'putUserToken PUT /api/v1/user/{user_id}/token/{info_hash}',
    'reload POST /api/v1/reload',
    'reloadKeys GET /api/v1/keys/reload',
    'reloadWhitelist GET /api/v1/whitelist/reload',
    'removeAccountToken DELETE /api/v1/account/{id}/token/{info_hash}',
    'removeFromWhitelist DELETE /api/v1/whitelist/{info_hash}',
    'removeManyFromWhitelist DELETE /api/v1/whitelist/bulk',
    'removeUserToken DELETE /api/v1/user/{user_id}/token/{info_hash}',
    'replaceKey PUT /api/v1/key/{seconds_valid_or_key}',
    'reviewFlag PATCH /api/v1/accounting/flag/{id}',
    'scrapeMetrics GET /metrics',
    'watchChanges GET /api/v1/accounting/events',
    'watchOverview GET /api/v1/live',
  ])
  expect(document.security).toEqual([{ bearer: [] }, { token: [] }])
})

test('names its schemas, and every reference leads somewhere', () => {
  expect(Object.keys(document.components.schemas).sort()).toEqual([
    'About',
    'Account',
    'AccountChanges',
    'AccountFigures',
    'AccountedTorrent',
    'Accounting',
    'Adjustment',
    'AuthKey',
    'Ban',
    'Changes',
    'Counted',
    'Done',
    'Erased',
    'Flag',
    'Health',
    'History',
    'InfoHash',
    'InfoHashes',
    'Key',
    'Keys',
    'LogLine',
    'Login',
    'Metrics',
    'NewKey',
    'NewKeys',
    'Option',
    'Overview',
    'Peer',
    'Record',
    'Refused',
    'Reload',
    'Replacement',
    'Review',
    'Session',
    'Statistics',
    'Token',
    'Torrent',
    'TorrentChanges',
    'TorrentSummary',
    'TorrentsChanges',
  ])
  const { schemas, responses } = document.components
  for (const [, kind, name = ''] of text.matchAll(/"#\/components\/(schemas|responses)\/(\w+)"/g))
    expect(Object.keys(kind === 'schemas' ? schemas : responses)).toContain(name)
  // What is only ours is not shown.
  expect(text).not.toMatch(/"(?:shownAs|\$id|error)":/)
})

test('shows what is checked', () => {
  const { schemas } = document.components
  expect(schemas.InfoHash).toMatchObject({ type: 'string', pattern: '^[0-9a-fA-F]{40}$' })
  expect(schemas.NewKey).toMatchObject({
    type: 'object',
    required: ['key', 'seconds_valid'],
    properties: {
      key: { anyOf: [{ $ref: '#/components/schemas/Key' }, { type: 'null' }] },
      seconds_valid: {
        anyOf: [{ type: 'integer', minimum: 0, maximum: 8_200_000_000_000 }, { type: 'null' }],
      },
    },
  })
  expect(document.paths['/api/v1/torrents']?.get?.parameters).toMatchObject([
    { name: 'offset', in: 'query', schema: { minimum: 0, maximum: 4294967295, maxLength: 0 } },
    { name: 'limit', in: 'query', schema: { minimum: 0, maximum: 4294967295, maxLength: 0 } },
    {
      name: 'info_hash',
      in: 'query',
      schema: { type: 'array', items: { $ref: '#/components/schemas/InfoHash' } },
    },
    { name: 'sort', in: 'query', required: false },
  ])
  for (const [path, methods] of Object.entries(document.paths))
    for (const { parameters } of Object.values(methods)) {
      const names = [...path.matchAll(/\{(.*?)\}/g)].map(([, name = '']) => name)
      const inPath = parameters.filter((one) => one.in === 'path')
      expect(inPath.map((one) => [one.name, one.required])).toEqual(
        names.map((name) => [name, true]),
      )
    }
})

const templateOf = (path: string): string | undefined => {
  const [bare = ''] = path.split('?')
  if (document.paths[bare]) return bare
  const segments = bare.split('/')
  return Object.keys(document.paths).find((known) => {
    const own = known.split('/')
    return (
      own.length === segments.length &&
      own.every((one, i) => one === segments[i] || one.startsWith('{'))
    )
  })
}

describe('shows every status and content type that the cases have', () => {
  test.each(CASES.map((one) => [one.name, one] as const))('%s', (_name, one) => {
    const template = templateOf(one.path)
    const operation = template && document.paths[template]?.[(one.method ?? 'GET').toLowerCase()]
    if (!operation) return expect([404, 405, 400, 401, 500]).toContain(one.status)
    const shown = operation.responses[one.status]
    const response = shown?.$ref
      ? document.components.responses[shown.$ref.split('/').at(-1)!]
      : shown
    // A token that is given twice is a bad query everywhere.
    if (one.path.match(/token=/g)?.length !== 2) expect(response?.description).toBeString()
    if (one.type && response) expect(Object.keys(response.content ?? {})).toContain(one.type)
  })
})
