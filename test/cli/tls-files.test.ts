/** The files of a `tls_config`: what is wrong with them, and that Bun can serve with exactly those that pass (docs/behaviours.md H18). */
import { beforeAll, describe, expect, test } from 'bun:test'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { judgeTls } from '../../src/cli/tls-files.ts'
import { certify } from '../support/certificate.ts'
import { workspace } from '../support/cli/workspace.ts'
import { MINIMAL_2, MINIMAL_3, rowsOf } from '../support/config/loading.ts'
import { serve } from '../support/servers/served-http.ts'
import { sharedDirectory } from '../support/temporary-directory.ts'

const room = sharedDirectory()
const { at } = room
const tlsOf = (cert: string, key: string) => ({ ssl_cert_path: at(cert), ssl_key_path: at(key) })

/** Further files, made by openssl. */
const MADE = `
openssl pkey -in one.key -aes256 -passout pass:secret -out locked8.key
openssl ec -in one.key -aes256 -passout pass:secret -out locked1.key
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:secp224r1 -nodes -days 2 -subj /CN=a -keyout odd.key -out odd.pem
openssl x509 -in one.pem -outform DER -out cert.der
openssl pkcs12 -export -in one.pem -inkey one.key -passout pass:secret -out both.p12
openssl ecparam -name prime256v1 -genkey -out params.key
openssl req -x509 -key params.key -days 2 -subj /CN=a -out params.pem
cat one.pem one.key > both.pem
cat one.key one.pem > htob.pem
cat other.pem one.pem > chain.pem
sed 's/$/\\r/' one.pem > windows.pem
sed 's/$/\\r/' one.key > windows.key
printf '\\357\\273\\277' | cat - one.pem > marked.pem
(echo 'Bag Attributes'; cat one.pem; echo 'and so on') > talk.pem
(cat one.pem; printf -- '-----BEGIN CERTIFICATE-----\\nAAAA\\n-----END CERTIFICATE-----\\n') > half.pem
`

beforeAll(async () => {
  await Promise.all([certify(room.path, 'one'), certify(room.path, 'other')])
  const made = Bun.spawn(['bash', '-e', '-c', MADE], {
    cwd: room.path,
    stdout: 'ignore',
    stderr: 'pipe',
  })
  if ((await made.exited) !== 0) throw new Error(await new Response(made.stderr).text())
  writeFileSync(at('empty'), '')
  writeFileSync(at('garbage'), 'SECRET garbage\n')
  mkdirSync(at('directory'))
})

const GOOD = [
  ['one.pem', 'one.key'],
  ['params.pem', 'params.key'],
  ['both.pem', 'both.pem'],
  ['htob.pem', 'htob.pem'],
  ['windows.pem', 'windows.key'],
  ['talk.pem', 'one.key'],
  ['marked.pem', 'one.key'],
  ['chain.pem', 'other.key'],
] as const

/** Certificate, key, and what is wrong with them. */
const BAD = rowsOf(`
gone.pem | one.key | gone.pem: no such file or directory
directory | directory | directory: is a directory | directory: is a directory
empty | one.key | empty holds no certificate in PEM form
one.pem | empty | empty holds no private key in PEM form
one.pem | other.key | other.key is not the key of ROOM/one.pem
chain.pem | one.key | one.key is not the key of ROOM/chain.pem
cert.der | one.key | cert.der holds no certificate in PEM form
one.pem | locked8.key | locked8.key holds a private key with a password
one.pem | locked1.key | locked1.key holds a private key with a password
one.key | one.pem | one.key holds no certificate in PEM form, but a private key | one.pem holds no private key in PEM form, but a certificate
garbage | one.key | garbage holds no certificate in PEM form
half.pem | one.key | half.pem holds no certificate in PEM form
both.p12 | both.p12 | both.p12 holds no certificate in PEM form | both.p12 holds no private key in PEM form
odd.pem | odd.key | odd.pem and ROOM/odd.key cannot be used (ERR_OSSL_EVP_UNSUPPORTED_ALGORITHM)
`)

describe('files that Bun serves with pass', () => {
  test.each(GOOD)('%s, %s', async (cert, key) => {
    const { faults, chain } = judgeTls(tlsOf(cert, key), '/')
    expect(faults).toEqual([])
    expect(chain[0]!.subject).toStartWith('CN=')
    await using tracker = await serve({ tls_config: tlsOf(cert, key) })
    const reply = await fetch(`${tracker.url}/health_check`, { tls: { rejectUnauthorized: false } })
    expect(reply.status).toBe(200)
  })
})

describe('files that Bun does not serve with are reported, with a remedy and without their contents', () => {
  test.each(BAD)('%s, %s', async (cert = '', key = '', ...told) => {
    const { faults } = judgeTls(tlsOf(cert, key), '/')
    expect(faults.map(({ wrong }) => wrong)).toEqual(
      told.map((words) => at(words.replaceAll('ROOM', room.path))),
    )
    for (const { kind, remedy, wrong } of faults) {
      expect(remedy).toMatch(/^[a-z`][^\n]+[^.]$/)
      expect(remedy + wrong).not.toContain('SECRET')
      expect(kind).toBe(/no such file|is a directory/.test(wrong) ? 'missing' : 'bad')
    }
    await expect(serve({ tls_config: tlsOf(cert, key) })).rejects.toThrow(
      faults[0]!.kind === 'missing' ? 'tls config missing: ' : 'bad tls config: ',
    )
  })

  test('a pipe does not block', async () => {
    expect(Bun.spawnSync(['mkfifo', at('pipe')]).exitCode).toBe(0)
    expect(judgeTls(tlsOf('pipe', 'one.key'), '/').faults.map(({ wrong }) => wrong)).toEqual([
      `${at('pipe')}: is not a regular file`,
    ])
  })
})

const QUIET = '[health_check_api]\nbind_address = "127.0.0.1:0"\n[runtime]\nmax_memory = "64MiB"\n'

describe('the configuration', () => {
  const http = (cert: string, key: string) => `[core.database]\npath = "made/tracker.db"\n
[[http_trackers]]
bind_address = "127.0.0.1:0"
tls_config = { ssl_cert_path = "${cert}", ssl_key_path = "${key}" }
`
  const files = () =>
    Object.fromEntries(
      ['one.pem', 'one.key', 'other.key', 'cert.der'].map((name) => [
        name,
        readFileSync(at(name), 'latin1'),
      ]),
    )

  test('is refused by check and by the start, with every place, and nothing is created', async () => {
    const toml = `${MINIMAL_3}${http('gone.pem', 'one.key')}${QUIET}[http_api]
bind_address = "127.0.0.1:0"
[http_api.tls_config]
ssl_cert_path = "one.pem"
ssl_key_path = "other.key"
`
    using here = workspace({ ...files(), 'tracker.toml': toml })
    const told = {
      code: 78,
      out: '',
      err: `tracker: 2 mistakes in tracker.toml
tracker.toml:14:16: http_trackers.0.tls_config.ssl_cert_path: tls config missing: ${here.path}/gone.pem: no such file or directory: relative paths start in the directory where the tracker is started
tracker.toml:23:1: http_api.tls_config.ssl_key_path: bad tls config: other.key is not the key of one.pem: name the two files that were made together, like privkey.pem and fullchain.pem of one directory
`,
    }
    for (const words of [['config', 'check'], []]) expect(await here.run(words)).toEqual(told)
    expect(await Bun.file(join(here.path, 'made')).exists()).toBe(false)
    // These look at the text only.
    for (const words of ['print', 'migrate'])
      expect(await here.run(['config', words])).toMatchObject({ code: 0 })
  })

  test('of schema 2.0.0 is reported by its own names, and so is an override', async () => {
    const toml = `${MINIMAL_2}${http('one.pem', 'one.key').replace('tls', 'tsl')}`
      .replace('[core.database]\npath = "made/tracker.db"\n', '')
      .replace('"one.key"', '"other.key"')
    using here = workspace({ ...files(), 'tracker.toml': toml })
    const { code, err } = await here.run(['config', 'check'])
    expect([code, err.split('\n')[1]]).toEqual([
      78,
      expect.stringMatching(
        /^tracker\.toml:12:\d+: http_trackers\.0\.tsl_config\.ssl_key_path: bad tls config: other\.key /,
      ),
    ])
    const name = 'TORRUST_TRACKER_CONFIG_OVERRIDE_HTTP_TRACKERS__0__TSL_CONFIG__SSL_KEY_PATH'
    expect((await here.run(['config', 'check'], { [name]: 'one.key' })).code).toBe(0)
  })
})
