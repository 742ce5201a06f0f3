/** The management API over TLS: the same answers, the token included. */

import { expect, test } from 'bun:test'
import { askWithToken, serve } from '../support/api/served-api.ts'
import { certify } from '../support/certificate.ts'
import { ask } from '../support/http-client.ts'
import { temporaryDirectory } from '../support/temporary-directory.ts'

test('requests are answered over TLS', async () => {
  using directory = temporaryDirectory()
  const { cert, key } = await certify(directory.path)
  const tls = { ssl_cert_path: cert, ssl_key_path: key }
  await using api = await serve({ tls })
  expect(api.url).toBe(`https://127.0.0.1:${api.address.port}`)
  const reply = await askWithToken(api.url, { path: '/api/v1/keys/reload' })
  expect([reply.status, reply.body.toString()]).toEqual([200, '{"status":"ok"}'])
  expect((await ask(api.url, { path: '/api/v1/keys/reload' })).status).toBe(500)
  const body = '{"key":null,"seconds_valid":60}'
  const added = await askWithToken(api.url, { method: 'POST', path: '/api/v1/keys', body })
  expect(JSON.parse(added.body.toString())).toMatchObject({ valid_until: 1_700_000_060 })
})
