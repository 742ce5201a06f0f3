/** The management API over TLS: the same answers, the token included. */
import { expect, test } from 'bun:test'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { ask, askWithToken, serve } from './fixture.ts'

test('requests are answered over TLS', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'api-tls-'))
  const tls = { ssl_cert_path: join(directory, 'cert'), ssl_key_path: join(directory, 'key') }
  try {
    const made = Bun.spawn(
      [
        ...['openssl', 'req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1'],
        ...['-nodes', '-days', '2', '-subj', '/CN=tracker.invalid'],
        ...['-keyout', tls.ssl_key_path, '-out', tls.ssl_cert_path],
      ],
      { stdout: 'ignore', stderr: 'ignore' },
    )
    expect(await made.exited).toBe(0)
    await using api = await serve({ tls })
    expect(api.url).toBe(`https://127.0.0.1:${api.address.port}`)
    const reply = await askWithToken(api.url, { path: '/api/v1/keys/reload' })
    expect([reply.status, reply.body.toString()]).toEqual([200, '{"status":"ok"}'])
    expect((await ask(api.url, { path: '/api/v1/keys/reload' })).status).toBe(500)
    const body = '{"key":null,"seconds_valid":60}'
    const added = await askWithToken(api.url, { method: 'POST', path: '/api/v1/keys', body })
    expect(JSON.parse(added.body.toString())).toMatchObject({ valid_until: 1_700_000_060 })
  } finally {
    await rm(directory, { recursive: true })
  }
})
