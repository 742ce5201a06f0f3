import { beforeAll, expect, test } from 'bun:test'
import { probeHttp } from '../../src/servers/probe.ts'
import { certify } from '../support/certificate.ts'
import { announceQuery, exchange, get, parseResponse } from '../support/http-client.ts'
import { serve } from '../support/servers/served-http.ts'
import { sharedDirectory } from '../support/temporary-directory.ts'

const directory = sharedDirectory()
const { at } = directory
const tls = (cert: string, key: string) => ({
  tls_config: {
    ssl_cert_path: cert && at(cert),
    ssl_key_path: key && at(key),
  },
})

beforeAll(async () => {
  await Promise.all([certify(directory.path, 'one'), certify(directory.path, 'other')])
  await Bun.write(at('garbage.pem'), 'SECRET garbage')
})

test('announces are answered over TLS', async () => {
  await using tracker = await serve(tls('one.pem', 'one.key'))
  expect(tracker.url).toBe(`https://127.0.0.1:${tracker.address.port}`)
  const reply = await get(tracker.url, `/announce?${announceQuery()}`)
  expect(reply.value.get('complete')).toBe(1)
  expect(tracker.count('announces')).toEqual([1, 0])
})

test('the health probe speaks TLS to it, whatever name its certificate has', async () => {
  await using tracker = await serve(tls('one.pem', 'one.key'))
  expect(await probeHttp('https', tracker.address, '/health_check')).toEqual({ Ok: '200 OK' })
})

test('a client without TLS is disconnected, and the next one is served', async () => {
  await using tracker = await serve(tls('one.pem', 'one.key'))
  const plain = tracker.url.replace('https:', 'http:')
  const refused = parseResponse(await exchange(plain, 'GET /announce HTTP/1.1\r\nHost: a\r\n\r\n'))
  expect(refused.status).not.toBe(200)
  expect((await get(tracker.url, '/health_check')).status).toBe(200)
})

test.each([
  ['no-such.pem', 'one.key'],
  ['one.pem', 'no-such.key'],
  ['', 'one.key'],
  ['one.pem', ''],
])('H18: a missing file (%p, %p) is "tls config missing"', async (cert, key) => {
  await expect(serve(tls(cert, key))).rejects.toThrow('tls config missing: cannot read ')
})

test.each([
  ['garbage.pem', 'one.key'],
  ['one.pem', 'garbage.pem'],
  ['one.pem', 'other.key'],
])(
  'files that do not fit (%s, %s) are a "bad tls config", and are not shown',
  async (cert, key) => {
    const fault = await serve(tls(cert, key)).then(
      () => 'it started',
      (error: Error) => error.message,
    )
    expect(fault).toStartWith('bad tls config: ')
    expect(fault).not.toContain('SECRET')
    expect(fault).not.toContain('\n')
  },
)
