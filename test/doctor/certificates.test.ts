/** What the doctor says about the certificates of listeners. */

import { beforeAll, describe, expect, test } from 'bun:test'
import { chmodSync, readFileSync, writeFileSync } from 'node:fs'
import { certificates } from '../../src/doctor/certificates.ts'
import { systemClock } from '../../src/time/clock.ts'
import { certify } from '../support/certificate.ts'
import { findingsOn } from '../support/doctor/machines.ts'
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
  writeFileSync(
    room.at('broken.pem'),
    '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n',
  )
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
): Promise<[string, string][]> {
  const config = `[[http_trackers]]
public_url = "${url}"
tls_config = { ssl_cert_path = "${cert}", ssl_key_path = "${key}" }`
  const clock = systemClock.seconds() + (later + 0.5) * 86_400
  const findings = await findingsOn(
    [certificates],
    {},
    { config, clock, context: { cwd: room.path } },
  )
  return findings.map(({ status, found }) => [status, found])
}

describe('a certificate', () => {
  test('with its chain, key and name, in its time, is fine', async () => {
    expect(await look({})).toEqual([
      ['ok', `http_trackers[0]: fullchain.pem is valid for ${DAYS - 1} more days`],
    ])
    expect(await look({ url: 'https://192.0.2.7:7070/announce' })).toEqual([
      ['ok', expect.any(String)],
    ])
  })

  test('is a warning two weeks before its end, and a problem after it', async () => {
    expect((await look({}, DAYS - 15)).map(([status]) => status)).toEqual(['ok'])
    const nearly = await look({}, DAYS - 10)
    expect(nearly.map(([status]) => status)).toEqual(['warning', 'warning'])
    expect(nearly[0]![1]).toContain('fullchain.pem expires in 9 days, on 2')
    expect(nearly[1]![1]).toContain('certificate number 2 in fullchain.pem expires in')
    const over = await look({}, DAYS + 1)
    expect(over[0]).toEqual(['problem', expect.stringContaining('fullchain.pem expired on 2')])
  })

  test('is a problem before its time', async () => {
    const early = await look({}, -2)
    expect(early[0]).toEqual(['problem', expect.stringContaining('is not valid before 2')])
  })

  test('must be for the host of the public_url', async () => {
    for (const host of ['other.example', '192.0.2.8', '[2001:db8::1]'])
      expect(await look({ url: `https://${host}:8443/announce` })).toEqual([
        [
          'problem',
          `http_trackers[0]: fullchain.pem is not for ${host.replace(/[[\]]/g, '')}, the host of its public_url, but for DNS:${HOST}, IP Address:192.0.2.7`,
        ],
      ])
    // A proxy speaks with the clients then.
    expect((await look({ url: 'http://other.example/announce' }))[0]![0]).toBe('ok')
  })

  test.each(['leaf.pem', 'wrongchain.pem'])(
    'without the one that signed it is refused by many clients: %s',
    async (cert) => {
      expect(await look({ cert })).toEqual([
        [
          'warning',
          expect.stringContaining('does not hold the certificate that signed it (CN=ca.example)'),
        ],
      ])
    },
  )

  test('that is self-signed is a warning', async () => {
    expect(await look({ cert: 'alone.pem', key: 'alone.key' })).toEqual([
      ['warning', expect.stringContaining('alone.pem is self-signed')],
    ])
  })

  test.each([
    ['garbage.pem', ''],
    ['broken.pem', ''],
    ['leaf.key', ', but a private key'],
  ])('is not found in %s', async (cert, but) => {
    expect(await look({ cert })).toEqual([
      ['problem', `http_trackers[0]: ${cert} holds no certificate in PEM form${but}`],
    ])
  })

  test('that cannot be read is named with its whole path, and so is the key', async () => {
    expect(await look({ cert: 'gone.pem', key: '.' })).toEqual([
      ['problem', `http_trackers[0]: ${room.at('gone.pem')} does not exist`],
      ['problem', `http_trackers[0]: ${room.path} is a directory`],
    ])
  })
})

describe('a key', () => {
  test('must belong to the certificate', async () => {
    expect(await look({ key: 'alone.key' })).toEqual([
      ['problem', 'http_trackers[0]: alone.key is not the key of fullchain.pem'],
    ])
  })

  test('must be a private key', async () => {
    expect(await look({ key: 'garbage.pem' })).toEqual([
      ['problem', expect.stringContaining('garbage.pem holds no private key in PEM form')],
    ])
  })

  test('must not be readable by all users', async () => {
    chmodSync(room.at('leaf.key'), 0o644)
    expect(await look({})).toEqual([
      ['warning', 'http_trackers[0]: every user of this machine can read the private key leaf.key'],
    ])
    chmodSync(room.at('leaf.key'), 0o600)
  })
})

test('without any certificate the check is skipped', async () => {
  expect(await findingsOn([certificates], {})).toEqual([
    { check: 'certificates', status: 'skipped', found: 'no listener has a tls_config' },
  ])
})
