/** The image as its users run it: built from the Dockerfile, read-only, without a shell, not as root. */

import { expect, test } from 'bun:test'
import {
  chmodSync,
  chownSync,
  existsSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { version } from '../../package.json' with { type: 'json' }
import { configuration, listeners } from '../support/configuration.ts'
import { built, canRunImages, container, volumes } from '../support/container/image.ts'
import { freePort } from '../support/e2e/program.ts'
import { hashOf, udpPeer } from '../support/udp-client.ts'

// A slow machine starts a container three times within it.
const image = built()
const imageTest = test.skipIf(!canRunImages)

const templates = join(import.meta.dir, '../../share/default/config')
const template = (driver: string) =>
  readFileSync(join(templates, `tracker.container.${driver}.toml`), 'utf8')

const OVERRIDE = 'TORRUST_TRACKER_CONFIG_OVERRIDE_'
const DRIVER = `${OVERRIDE}CORE__DATABASE__DRIVER`
const PATH = 'TORRUST_TRACKER_CONFIG_TOML_PATH'
const LAST_LINE = / INFO TRACKER: Tracker successfully shutdown\.\n$/

/** The templates' listeners on ports that are free here; the health check's is where the probe asks. */
async function ports(driver?: string): Promise<Record<string, string>> {
  const health = await freePort()
  return {
    HEALTH_CHECK_API_PORT: `${health}`,
    [`${OVERRIDE}HEALTH_CHECK_API__BIND_ADDRESS`]: `127.0.0.1:${health}`,
    [`${OVERRIDE}UDP_TRACKERS__0__BIND_ADDRESS`]: '127.0.0.1:0',
    [`${OVERRIDE}HTTP_TRACKERS__0__BIND_ADDRESS`]: '127.0.0.1:0',
    ...(driver !== undefined && {
      [DRIVER]: driver,
      [`${OVERRIDE}HTTP_API__BIND_ADDRESS`]: '127.0.0.1:0',
      [`${OVERRIDE}HTTP_API__ACCESS_TOKENS__ADMIN`]: 'a token of this test',
    }),
  }
}

imageTest('its configuration is the one of the reference, without root', () => {
  expect(image().configuration).toMatchObject({
    User: '1000:1000',
    ExposedPorts: { '6969/udp': {}, '7070/tcp': {}, '1212/tcp': {}, '1313/tcp': {} },
    Volumes: {
      '/var/lib/torrust/tracker': {},
      '/var/log/torrust/tracker': {},
      '/etc/torrust/tracker': {},
    },
    Entrypoint: ['/usr/bin/tracker'],
    Cmd: ['container'],
    StopSignal: 'SIGTERM',
    Healthcheck: {
      Test: ['CMD', '/usr/bin/tracker', 'health'],
      Interval: 5e9,
      Timeout: 5e9,
      StartPeriod: 3e9,
      Retries: 3,
    },
    Labels: {
      'org.opencontainers.image.title': 'tracker',
      'org.opencontainers.image.licenses': 'AGPL-3.0-only',
      'org.opencontainers.image.version': version,
    },
  })
  const env = image().configuration.Env.filter((line) => !line.startsWith('PATH='))
  expect(env.toSorted()).toEqual([
    'API_PORT=1212',
    'HEALTH_CHECK_API_PORT=1313',
    'HTTP_PORT=7070',
    'TORRUST_TRACKER_CONFIG_TOML_PATH=/etc/torrust/tracker/tracker.toml',
    'TZ=Etc/UTC',
    'UDP_PORT=6969',
    'USER_ID=1000',
  ])
})

imageTest('it holds the executable, what that needs, the templates, and no shell', () => {
  const files = [...new Bun.Glob('**/*').scanSync({ cwd: image().root, onlyFiles: true })]
  const strange = files.filter(
    (file) => !/^(usr\/)?lib(64)?\/([^/]*-linux-gnu\/)?(lib[^/]*|ld-[^/]*)\.so\.\d+$/.test(file),
  )
  expect(strange.sort()).toEqual(
    [
      'etc/nsswitch.conf',
      'usr/bin/tracker',
      'usr/share/doc/tracker/LICENSE',
      ...readdirSync(templates).map((name) => `usr/share/torrust/default/config/${name}`),
    ].sort(),
  )
  for (const volume of Object.keys(image().configuration.Volumes)) {
    const { uid, gid, mode } = statSync(join(image().root, volume))
    expect([volume, uid, gid, (mode & 0o777).toString(8)]).toEqual([volume, 1000, 1000, '770'])
    expect(statSync(join(image().root, volume, '..')).uid).toBe(0)
  }
})

imageTest('without options it serves, keeps nothing, is healthy and stops in time', async () => {
  using mounted = volumes()
  await using running = await container(image(), mounted, { env: await ports() })
  const { udp_trackers, http_trackers } = await running.services()
  using peer = await udpPeer(Number(udp_trackers[0]!.split(':')[1]))
  expect((await peer.announce(hashOf(1))).seeders).toBe(1)
  expect((await fetch(`${http_trackers[0]}/health_check`)).status).toBe(200)

  const status = readFileSync(`/proc/${running.first()}/status`, 'utf8')
  expect(status).toMatch(/^NSpid:\t\d+\t1$/m)
  expect(status).toMatch(/^Uid:\t1000\t1000\t1000\t1000$/m)
  expect(status).toMatch(/^CapEff:\t0+$/m)

  const probe = running.exec(image().configuration.Healthcheck.Test.slice(1))
  expect([probe.exitCode, probe.stderr.toString()]).toEqual([0, ''])
  expect(JSON.parse(probe.stdout.toString())).toMatchObject({ status: 'Ok' })

  const { code, out, err } = await running.stop()
  expect([code, err]).toEqual([0, ''])
  expect(out).toMatch(LAST_LINE)
  expect(readFileSync(mounted.at('etc', 'tracker.toml'), 'utf8')).toBe(template('no-persistence'))
  const { uid, mode } = statSync(mounted.at('etc', 'tracker.toml'))
  expect([uid, mode & 0o777]).toEqual([1000, 0o600])
  expect(readdirSync(mounted.at('lib'))).toEqual([])
})

imageTest('keeps its data in SQLite, and the configuration that it wrote once', async () => {
  using mounted = volumes()
  const env = await ports('sqlite3')
  for (const start of [1, 2]) {
    await using running = await container(image(), mounted, { env })
    await running.services()
    const { code, err } = await running.stop()
    expect([start, code, err]).toEqual([start, 0, ''])
    expect(readFileSync(mounted.at('etc', 'tracker.toml'), 'utf8')).toBe(template('sqlite3'))
    expect(readdirSync(mounted.at('lib', 'database'))).toEqual(['sqlite3.db'])
  }
  // With another driver, it says why the file stays.
  const { [DRIVER]: _, ...withoutDriver } = env
  await using running = await container(image(), mounted, { env: withoutDriver })
  await running.services()
  const { code, err } = await running.stop()
  expect([code, err]).toEqual([
    0,
    'tracker container: /etc/torrust/tracker/tracker.toml stays the template ' +
      'tracker.container.sqlite3.toml: remove it to get tracker.container.no-persistence.toml\n',
  ])
})

imageTest('it serves with a mounted configuration, which stays as it is', async () => {
  using mounted = volumes()
  const own = configuration({ core: '[core.database]\npath = "own.db"', rest: listeners() })
  writeFileSync(mounted.at('etc', 'tracker.toml'), own)
  await using running = await container(image(), mounted, {
    env: { [DRIVER]: 'sqlite3' },
    readOnly: ['etc'],
  })
  await running.services()
  const { code, out, err } = await running.stop()
  expect([code, err]).toEqual([0, ''])
  expect(out).toContain('CONFIGURATION: Read from /etc/torrust/tracker/tracker.toml\n')
  expect(readFileSync(mounted.at('etc', 'tracker.toml'), 'utf8')).toBe(own)
  // Relative paths lead to a volume.
  expect(readdirSync(mounted.at('lib'))).toEqual(['own.db'])
})

imageTest('configuration from the environment needs no file', async () => {
  using mounted = volumes()
  const env = { TORRUST_TRACKER_CONFIG_TOML: configuration() }
  await using running = await container(image(), mounted, { env })
  await running.services()
  const { code, err } = await running.stop()
  expect([code, err]).toEqual([0, ''])
  expect(readdirSync(mounted.at('etc'))).toEqual([])
})

imageTest('a configuration at another path is not created', async () => {
  using mounted = volumes()
  const env = { [PATH]: '/etc/torrust/tracker/mine.toml' }
  await using running = await container(image(), mounted, { env })
  const { code, err } = await running.ended()
  expect(code).toBe(78)
  expect(err).toContain('no such file or directory: /etc/torrust/tracker/mine.toml')
  expect(readdirSync(mounted.at('etc'))).toEqual([])
})

imageTest(
  'if the configuration cannot be written it serves with the template, and says so',
  async () => {
    using mounted = volumes()
    const env = await ports('sqlite3')
    await using running = await container(image(), mounted, { env, readOnly: ['etc'] })
    await running.services()
    const { code, err } = await running.stop()
    expect([code, err]).toEqual([
      0,
      'tracker container: /etc/torrust/tracker/tracker.toml cannot be written (read-only file system): ' +
        'serving with the template tracker.container.sqlite3.toml instead\n',
    ])
    expect(readdirSync(mounted.at('lib', 'database'))).toEqual(['sqlite3.db'])
  },
)

imageTest('an unknown database is refused before anything is created', async () => {
  using mounted = volumes()
  await using running = await container(image(), mounted, { env: { [DRIVER]: 'mariadb' } })
  const { code, out, err } = await running.ended()
  expect([code, out]).toEqual([78, ''])
  expect(err).toContain(`${DRIVER}: core.database.driver: expected "sqlite3", `)
  expect(err).toEndWith('found "mariadb", did you mean mysql?\n')
  expect(readdirSync(mounted.at('etc'))).toEqual([])
})

imageTest('volumes of another user are reported with what to type', async () => {
  using mounted = volumes()
  chownSync(mounted.at('lib'), 1200, 1300)
  chmodSync(mounted.at('lib'), 0o700)
  const env = await ports('sqlite3')
  await using running = await container(image(), mounted, { env })
  expect(await running.ended()).toEqual({
    code: 1,
    out: '',
    err:
      'tracker container: /var/lib/torrust/tracker is not writable for user 1000:1000 (permission denied): ' +
      'chown -R 1000:1000 what is mounted there\n',
  })
  // Read-only, there is nothing to chown.
  chownSync(mounted.at('lib'), 1000, 1000)
  await using second = await container(image(), mounted, { env, readOnly: ['lib'] })
  const { code, err } = await second.ended()
  expect([code, err]).toEqual([
    1,
    'tracker container: /var/lib/torrust/tracker is not writable for user 1000:1000 (read-only file system): ' +
      'mount a volume there\n',
  ])
})

imageTest.each([
  ['file', 'tracker.toml'],
  ['directory', ''],
])(
  'a configuration whose %s it may not read is never replaced by a template',
  async (_what, name) => {
    using mounted = volumes()
    writeFileSync(mounted.at('etc', 'tracker.toml'), configuration())
    chownSync(mounted.at('etc', name), 0, 0)
    chmodSync(mounted.at('etc', name), 0o700)
    await using running = await container(image(), mounted, { env: await ports() })
    expect(await running.ended()).toEqual({
      code: 1,
      out: '',
      err:
        'tracker container: /etc/torrust/tracker/tracker.toml is not readable for user 1000:1000 (permission denied): ' +
        'chown -R 1000:1000 what is mounted there\n',
    })
  },
)

imageTest('it runs as another user than USER_ID, with a warning', async () => {
  using mounted = volumes(1234)
  await using running = await container(image(), mounted, { env: await ports(), user: 1234 })
  await running.services()
  const { code, err } = await running.stop()
  expect([code, err]).toEqual([
    0,
    'tracker container: runs as user 1234, though USER_ID is 1000: ' +
      'start the container with --user, or set USER_ID=1234\n',
  ])
})

imageTest('started as root it gives the volumes to USER_ID and keeps no privileges', async () => {
  using mounted = volumes(0)
  const outside = join(mounted.path, 'outside')
  writeFileSync(outside, '')
  symlinkSync(outside, mounted.at('lib', 'link'))
  writeFileSync(mounted.at('lib', 'old.db'), '', { mode: 0o600 })
  const env = { ...(await ports('sqlite3')), USER_ID: '1500' }
  await using running = await container(image(), mounted, { env, user: 0 })
  await running.services()
  for (const task of readdirSync(`/proc/${running.first()}/task`)) {
    const status = readFileSync(`/proc/${running.first()}/task/${task}/status`, 'utf8')
    expect(status).toMatch(/^Uid:\t1500\t1500\t1500\t1500$/m)
    expect(status).toMatch(/^Gid:\t1500\t1500\t1500\t1500$/m)
    expect(status).toMatch(/^Groups:\t1500 $/m)
    expect(status).toMatch(/^CapPrm:\t0+$/m)
  }
  const { code, err } = await running.stop()
  expect([code, err]).toEqual([0, ''])
  const owners = ['lib', 'log', 'etc'].map((name) => statSync(join(mounted.path, name)))
  expect(
    owners.map(({ uid, gid, mode }) => `${uid}:${gid} ${(mode & 0o7777).toString(8)}`),
  ).toEqual(Array(3).fill('1500:1500 2770'))
  for (const file of ['lib/old.db', 'lib/database/sqlite3.db', 'etc/tracker.toml'])
    expect([file, statSync(join(mounted.path, file)).uid]).toEqual([file, 1500])
  expect(statSync(outside).uid).toBe(0)
})

imageTest.each(['', '999', '0', 'root'])('started as root it refuses USER_ID=%s', async (id) => {
  using mounted = volumes(0)
  const env = { ...(await ports()), USER_ID: id }
  await using running = await container(image(), mounted, { env, user: 0 })
  expect(await running.ended()).toEqual({
    code: 1,
    out: '',
    err: 'tracker container: ERROR: USER_ID is not set, or less than 1000\n',
  })
  expect(statSync(mounted.at('etc')).uid).toBe(0)
  expect(existsSync(mounted.at('etc', 'tracker.toml'))).toBe(false)
})

imageTest('other commands of the executable can be run as well', async () => {
  using mounted = volumes()
  await using running = await container(image(), mounted, { words: ['--version'] })
  expect(await running.ended()).toEqual({ code: 0, out: `tracker ${version}\n`, err: '' })
})
