/** What the doctor says about the certificates of listeners. */

import { beforeAll, expect, test } from 'bun:test'
import { chmodSync, copyFileSync, readFileSync, writeFileSync } from 'node:fs'
import { certificates } from '../../src/doctor/certificates.ts'
import type { Context } from '../../src/doctor/finding.ts'
import { systemClock } from '../../src/time/clock.ts'
import { certify } from '../support/certificate.ts'
import { findingsOn, running } from '../support/doctor/machines.ts'
import { sharedDirectory } from '../support/temporary-directory.ts'

const HOST = 'tracker.example'
const DAYS = 90
const room = sharedDirectory()

beforeAll(async () => {
  await certify(room.path, 'ca', { host: 'ca.example', days: DAYS })
  await certify(room.path, 'alone', { host: HOST, days: DAYS })
  await sign('leaf', `DNS:${HOST},IP:192.0.2.7`)
  const [leaf, ca, alone] = ['leaf.pem', 'ca.pem', 'alone.pem'].map((name) =>
    readFileSync(room.at(name), 'utf8'),
  )
  writeFileSync(room.at('fullchain.pem'), `${leaf}${ca}`)
  writeFileSync(room.at('wrongchain.pem'), `${leaf}${alone}`)
  writeFileSync(room.at('garbage.pem'), 'no certificate at all\n')
  copyFileSync(room.at('leaf.key'), room.at('open.key'))
  chmodSync(room.at('open.key'), 0o644)
})

/** Makes a certificate signed by the authority. */
async function sign(name: string, names: string): Promise<void> {
  const made = Bun.spawn(
    [
      ...['openssl', 'req', '-x509', '-CA', 'ca.pem', '-CAkey', 'ca.key', '-newkey', 'ec'],
      ...['-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', `${DAYS}`],
      ...['-subj', `/CN=${name}`, '-addext', `subjectAltName=${names}`],
      ...['-keyout', `${name}.key`, '-out', `${name}.pem`],
    ],
    { cwd: room.path, stdout: 'ignore', stderr: 'pipe' },
  )
  if ((await made.exited) !== 0) throw new Error(await new Response(made.stderr).text())
}

/** Status and text of the findings about one HTTP tracker, `later` and a half days from now. */
async function look(
  { cert = 'fullchain.pem', key = 'leaf.key', url = `https://${HOST}/announce` },
  later = 0,
  { bind = '127.0.0.1:1', context = {} as Partial<Context> } = {},
): Promise<string[][]> {
  const config = `[[http_trackers]]
bind_address = "${bind}"
${url && `public_url = "${url}"`}
tls_config = { ssl_cert_path = "${cert}", ssl_key_path = "${key}" }`
  const clock = systemClock.seconds() + (later + 0.5) * 86_400
  const setting = { config, clock, context: { cwd: room.path, ...context } }
  const findings = await findingsOn([certificates], {}, setting)
  return findings.map(({ status, found }) => [
    status,
    found.replace('http_trackers.0: ', '').replaceAll(room.path, 'CWD'),
  ])
}

test('a certificate with its chain, key and name, in its time, is fine', async () => {
  const well = [['ok', `fullchain.pem is valid for ${DAYS - 1} more days`]]
  expect(await look({})).toEqual(well)
  expect(await look({ url: 'https://192.0.2.7:7070/announce' })).toEqual(well)
  expect(await look({ url: '' })).toEqual(well)
  // A proxy speaks with the clients of this one.
  expect(await look({ url: 'http://other.example/announce' })).toEqual(well)
})

test('of a WebSocket listener must be for its name, too, if it has that of an HTTP listener', async () => {
  const config = (url: string) => `[[http_trackers]]
bind_address = "127.0.0.1:1"
tls_config = { ssl_cert_path = "fullchain.pem", ssl_key_path = "leaf.key" }
[[websocket_trackers]]
bind_address = "127.0.0.1:1"
${url}`
  const found = async (url: string) => {
    const setting = { config: config(url), clock: systemClock.seconds() + 60 }
    const findings = await findingsOn(
      [certificates],
      {},
      { ...setting, context: { cwd: room.path } },
    )
    return findings.filter((one) => one.found.startsWith('websocket_trackers.0: '))
  }
  expect(await found('')).toEqual([])
  expect(await found(`public_url = "wss://other.example"`)).toMatchObject([
    { status: 'problem', found: expect.stringContaining('but public_url says other.example') },
  ])
  expect(await found(`public_url = "ws://other.example"`)).toMatchObject([{ status: 'ok' }])
})

test.each([
  [DAYS - 15, 'ok', / is valid for 14 more days$/],
  [DAYS - 10, 'warning', /^fullchain\.pem expires in 9 days, on 2/],
  [DAYS + 1, 'problem', /^fullchain\.pem expired on 2/],
  [-2, 'problem', /^fullchain\.pem is not valid before 2/],
])('after %d of its days it is: %s', async (days, status, found) => {
  const findings = await look({}, days)
  expect(findings[0]).toEqual([status, expect.stringMatching(found)])
  // The signer has the same days.
  if (status === 'warning')
    expect(findings[1]![1]!).toStartWith('fullchain.pem, certificate 2, expires in')
})

const NAMES = `DNS:${HOST}, IP Address:192.0.2.7`
const NO_SIGNER = /does not hold the certificate that signed it \(CN=ca\.example\)$/
test.each([
  [
    { url: 'https://other.example/' },
    'problem',
    `fullchain.pem is for ${NAMES}, but public_url says other.example`,
  ],
  [{ url: 'https://192.0.2.8/' }, 'problem', /but public_url says 192\.0\.2\.8$/],
  [{ url: 'https://[2001:db8::1]:8443/' }, 'problem', /but public_url says 2001:db8::1$/],
  [{ cert: 'leaf.pem' }, 'warning', NO_SIGNER],
  [{ cert: 'wrongchain.pem' }, 'warning', NO_SIGNER],
  [{ cert: 'alone.pem', key: 'alone.key' }, 'warning', 'alone.pem is self-signed'],
  [{ cert: 'garbage.pem' }, 'problem', 'garbage.pem holds no certificate in PEM form'],
  [{ cert: 'gone.pem' }, 'problem', 'CWD/gone.pem: no such file or directory'],
  [{ key: 'alone.key' }, 'problem', 'alone.key is not the key of fullchain.pem'],
  [{ key: 'open.key' }, 'warning', 'every user of this machine can read the private key open.key'],
])('%j: %s', async (files, status, found) => {
  const text = typeof found === 'string' ? found : expect.stringMatching(found)
  expect(await look(files)).toEqual([[status, text]])
})

test('the running tracker must serve the certificate of the file', async () => {
  const serve = (cert: string, key: string) =>
    Bun.listen({
      hostname: '127.0.0.1',
      port: 0,
      tls: { cert: Bun.file(room.at(cert)), key: Bun.file(room.at(key)) },
      socket: { data() {} },
    })
  using same = serve('leaf.pem', 'leaf.key')
  using other = serve('alone.pem', 'alone.key')
  using silent = Bun.listen({ hostname: '127.0.0.1', port: 0, socket: { data() {} } })
  const from = (port: number) => {
    const service = { service: `https://127.0.0.1:${port}`, status: 'Ok', message: '' } as const
    const tracker = running({ services: [service] })
    return look({}, 0, { bind: `127.0.0.1:${port}`, context: { tracker, milliseconds: 500 } })
  }
  expect(await from(same.port)).toEqual([['ok', expect.any(String)]])
  const replaced = 'fullchain.pem is not the certificate that the running tracker serves'
  expect(await from(other.port)).toEqual([['warning', replaced]])
  expect(await from(silent.port)).toEqual([['skipped', expect.stringMatching(/: no answer$/)]])
})

test('without any certificate there is nothing to look at', async () => {
  expect(await findingsOn([certificates], {})).toMatchObject([{ status: 'skipped' }])
})
