/** The management API as clients see it: every case of `cases.ts` over a raw socket. */
import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { CASES, expectedIn } from '../support/api/cases.ts'
import { type Serving, serve } from '../support/api/served-api.ts'
import { ask, dechunk } from '../support/http-client.ts'

let api: Serving
beforeAll(async () => {
  api = await serve()
})
afterAll(async () => {
  expect(api.reports).toEqual([])
  await api.stop(0)
})

describe.each(['3.0.0', '2.0.0'] as const)('the API of schema %s answers', (schema) => {
  let api: Serving
  beforeAll(async () => {
    api = await serve({ schema })
  })
  afterAll(() => api.stop(0))

  test.each(CASES.map((one) => [one.name, one] as const))('%s', async (_name, one) => {
    const reply = await ask(api.url, one)
    const expected = expectedIn(schema, one)
    expect({
      status: reply.status,
      type: reply.headers['content-type'],
      allow: reply.headers.allow,
      challenge: reply.headers['www-authenticate'],
      body: dechunk(reply).toString(),
    }).toEqual({
      status: one.status,
      type: one.method === 'HEAD' ? undefined : one.type,
      allow: one.allow,
      challenge: one.challenge,
      body: expected instanceof RegExp ? expect.stringMatching(expected) : expected,
    })
  })
})

describe('HEAD has the head of GET, and no body', () => {
  const gets = CASES.filter(({ method }) => method === undefined)
  test.each(gets.map((one) => [one.name, one] as const))('%s', async (_name, one) => {
    const headers = { 'x-request-id': 'the same', ...one.headers }
    const [get, head] = [
      await ask(api.url, { ...one, headers }),
      await ask(api.url, { ...one, headers, method: 'HEAD' }),
    ]
    const { date: _of, ...expected } = get.headers
    // The generated request ids differ, and a list that grew meanwhile has another length.
    expect([head.status, head.body.length]).toEqual([get.status, 0])
    expect(head.headers).toMatchObject(expected)
  })
})
