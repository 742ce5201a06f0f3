/** The OpenAPI document describes every operation, and the cases of the API agree with it (docs/behaviours.md A29). */
import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { CASES } from '../support/api/cases.ts'
import { askWithToken, type Serving, serve } from '../support/api/served-api.ts'
import { dechunk } from '../support/http-client.ts'

type Schema = {
  $ref?: string
  content?: Record<string, { schema: object }>
  description?: string
}
type Operation = {
  summary: string
  security?: object[]
  parameters: { name: string; in: string; required?: boolean; schema: object }[]
  requestBody?: { content: Record<string, { schema: object }> }
  responses: Record<string, Schema>
}
type Document = {
  openapi: string
  info: { version: string }
  security: Record<string, string[]>[]
  paths: Record<string, Record<string, Operation>>
  components: { securitySchemes: object; responses: Record<string, Schema> }
}

let api: Serving
let document: Document
beforeAll(async () => {
  api = await serve()
  const reply = await askWithToken(api.url, { path: '/api/openapi.json' })
  expect([reply.status, reply.headers['content-type']]).toEqual([200, 'application/json'])
  document = JSON.parse(dechunk(reply).toString())
})
afterAll(() => api.stop(0))

test('has every operation', () => {
  expect(document.openapi).toBe('3.1.0')
  expect(document.info.version).toBe('1.2.3')
  const operations = Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.keys(methods).map((method) => `${method.toUpperCase()} ${path}`),
  )
  expect(operations.sort()).toEqual([
    'DELETE /api/v1/key/{seconds_valid_or_key}',
    'DELETE /api/v1/keys/bulk',
    'DELETE /api/v1/whitelist/bulk',
    'DELETE /api/v1/whitelist/{info_hash}',
    'GET /api/health_check',
    'GET /api/openapi.json',
    'GET /api/v1/keys',
    'GET /api/v1/keys/reload',
    'GET /api/v1/stats',
    'GET /api/v1/torrent/{info_hash}',
    'GET /api/v1/torrents',
    'GET /api/v1/whitelist',
    'GET /api/v1/whitelist/reload',
    'POST /api/v1/key/{seconds_valid_or_key}',
    'POST /api/v1/keys',
    'POST /api/v1/keys/bulk',
    'POST /api/v1/whitelist/bulk',
    'POST /api/v1/whitelist/{info_hash}',
  ])
})

const templateOf = (path: string): string | undefined => {
  const [bare = ''] = path.split('?')
  if (document.paths[bare]) return bare
  const template = Object.keys(document.paths).find(
    (known) => known.replace(/\{.*\}$/, '') === bare.replace(/[^/]*$/, '') && known.endsWith('}'),
  )
  return template
}

describe('shows every status and content type that the cases have', () => {
  test.each(CASES.map((one) => [one.name, one] as const))('%s', (_name, one) => {
    const template = templateOf(one.path)
    const operation = template && document.paths[template]?.[(one.method ?? 'GET').toLowerCase()]
    if (!operation) return expect([404, 405, 400, 500]).toContain(one.status)
    const shown = operation.responses[one.status]
    const response = shown?.$ref
      ? document.components.responses[shown.$ref.split('/').at(-1)!]
      : shown
    // A token that is given twice is a bad query everywhere.
    if (one.path.match(/token=/g)?.length !== 2) expect(response?.description).toBeString()
    if (one.type && response) expect(Object.keys(response.content ?? {})).toContain(one.type)
  })
})

test('every parameter of a path is described, and every operation but health needs a token', () => {
  for (const [path, methods] of Object.entries(document.paths))
    for (const operation of Object.values(methods)) {
      expect(operation.summary).not.toBe('')
      const name = /\{(.*)\}/.exec(path)?.[1]
      const inPath = operation.parameters.filter((one) => one.in === 'path')
      expect(inPath.map((one) => [one.name, one.required])).toEqual(name ? [[name, true]] : [])
      expect([path, operation.security]).toEqual([
        path,
        path === '/api/health_check' ? [] : undefined,
      ])
    }
  expect(document.security).toEqual([{ bearer: [] }, { token: [] }])
})
