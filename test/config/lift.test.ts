/** Schema 2.0.0, early and late, as the model of 3.0.0 (docs/behaviours.md C1). */
import { describe, expect, test } from 'bun:test'
import type { Config } from '../../src/config/model.ts'
import {
  complaints,
  loaded,
  loadToml,
  MINIMAL_2,
  MINIMAL_3,
  rowsOf,
} from '../support/config/loading.ts'

const configOf = (toml: string): Config => loaded(loadToml(MINIMAL_2 + toml)).config

const database = (driver: string, url: string) =>
  `[core.database]\ndriver = "${driver}"\npath = "${url}"\n`

describe('schema 2.0.0', () => {
  test('with only what is mandatory gives the defaults of schema 3.0.0, and a database', () => {
    const new3 = loaded(loadToml(`${MINIMAL_3}[core.database]`)).config
    expect(configOf('')).toEqual({
      ...new3,
      metadata: { ...new3.metadata, schema_version: '2.0.0' },
    })
  })

  test('a mistake is reported in the names of the file', () => {
    const toml = `${MINIMAL_2.replace('"info"', '"Info"')}[core.net]\nexternal_ip = "x"\n[[udp_trackers]]\n[[http_trackers]]`
    expect(complaints(loadToml(toml))).toEqual([
      expect.stringMatching(
        /^tracker\.toml:5:1: logging\.threshold: expected .* found "Info", did you mean info\?$/,
      ),
      'tracker.toml:10:1: core.net.external_ip: expected an IP address, found "x"',
    ])
  })

  test('core.net goes to every listener', () => {
    const config = configOf(
      '[core.net]\nexternal_ip = "203.0.113.7"\non_reverse_proxy = true\n[[udp_trackers]]\n[[http_trackers]]\n',
    )
    const network = { external_ip: '203.0.113.7', on_reverse_proxy: true, ipv6_v6only: false }
    expect(config.udp_trackers?.[0]?.network).toEqual(network)
    expect(config.http_trackers?.[0]?.network).toEqual(network)
  })

  test('C19: a WebSocket listener may stand in it, and follows what holds for all unless it says otherwise', () => {
    const { config, warnings } = loaded(
      loadToml(`${MINIMAL_2}tracker_usage_statistics = false
[core.net]
external_ip = "203.0.113.7"
on_reverse_proxy = true
[[websocket_trackers]]
bind_address = "[::]:80"
[[websocket_trackers]]
bind_address = "[::]:81"
tracker_usage_statistics = true
network = { on_reverse_proxy = false, ipv6_v6only = true }
tls_config = { ssl_cert_path = "c", ssl_key_path = "k" }
`),
    )
    expect(warnings).toEqual([])
    expect(config.websocket_trackers).toMatchObject([
      {
        tracker_usage_statistics: false,
        network: { on_reverse_proxy: true, ipv6_v6only: false },
      },
      {
        tracker_usage_statistics: true,
        network: { on_reverse_proxy: false, ipv6_v6only: true },
        tls_config: { ssl_cert_path: 'c', ssl_key_path: 'k' },
      },
    ])
  })

  test.each(['0.0.0.0', '::', '0:0::0', '::ffff:0.0.0.0'])(
    'the external address %s means "none"',
    (ip) => {
      const config = configOf(`[core.net]\nexternal_ip = "${ip}"\n[[udp_trackers]]\n`)
      expect(config.udp_trackers?.[0]?.network.external_ip).toBeNull()
    },
  )

  test('the options of each listener are kept', () => {
    const config = configOf(`
[[udp_trackers]]
bind_address = "[::]:6969"
cookie_lifetime = { secs = 60, nanos = 0 }
tracker_usage_statistics = false
ipv6_v6only = true
max_connection_id_errors_per_ip = 25
[[http_trackers]]
ipv6_v6only = true
[http_trackers.tsl_config]
ssl_cert_path = "c"
ssl_key_path = "k"
[http_api]
tsl_config = { ssl_cert_path = "a", ssl_key_path = "b" }
`)
    expect(config.udp_trackers?.[0]).toMatchObject({
      cookie_lifetime: 60,
      tracker_usage_statistics: false,
      network: { ipv6_v6only: true },
    })
    expect(config.udp_tracker_server.max_connection_id_errors_per_ip).toBe(25)
    expect(config.http_trackers?.[0]).toMatchObject({
      tls_config: { ssl_cert_path: 'c', ssl_key_path: 'k' },
      network: { ipv6_v6only: true },
    })
    expect(config.http_api?.tls_config).toEqual({ ssl_cert_path: 'a', ssl_key_path: 'b' })
  })

  test.each([
    ['nothing said', '', true],
    ['the one switch off', 'tracker_usage_statistics = false\n', false],
  ])('with %s a listener is counted like everything else: %#', (_what, line, counted) => {
    const config = configOf(`${line}[[udp_trackers]]\n[[http_trackers]]\n`)
    expect(config.udp_trackers?.[0]?.tracker_usage_statistics).toBe(counted)
    expect(config.http_trackers?.[0]?.tracker_usage_statistics).toBe(counted)
  })

  test('of several limits for wrong connection ids the largest applies, with a warning', () => {
    const toml = `${MINIMAL_2}
[[udp_trackers]]
max_connection_id_errors_per_ip = 20
[[udp_trackers]]
bind_address = "0.0.0.0:6868"
max_connection_id_errors_per_ip = 30
`
    const { config, warnings } = loaded(loadToml(toml))
    expect(config.udp_tracker_server.max_connection_id_errors_per_ip).toBe(30)
    expect(warnings).toEqual([expect.stringContaining('share one limit')])
    const wrong = { UDP_TRACKERS__1__MAX_CONNECTION_ID_ERRORS_PER_IP: 'x' }
    expect(complaints(loadToml(toml, wrong))).toEqual([expect.stringContaining('found "x"')])
  })

  test('the two statistics options that schema 3.0.0 ties together are independent', () => {
    const { core } = configOf(
      'tracker_usage_statistics = false\n[core.tracker_policy]\npersistent_torrent_completed_stat = true\n',
    )
    expect(core.tracker_usage_statistics).toBe(false)
    expect(core.tracker_policy.persistent_torrent_completed_stat).toBe(true)
  })

  test('an unknown option is a warning, and so is one of schema 3.0.0', () => {
    const { config, warnings } = loaded(
      loadToml(`mode = "public"
${MINIMAL_2}
on_reverse_proxi = true
[core.database]
host = "h"
[[http_trackers]]
ssl_enabled = false
tls_config = { ssl_cert_path = "c", ssl_key_path = "k" }
[http_api]
enabled = true
[udp_tracker_server]
max_connection_id_errors_per_ip = 99
[toString]
[runtime]
workers = 2
wrokers = 3
`),
    )
    expect(warnings).toEqual([
      'tracker.toml:1:1: mode: unknown option, ignored',
      'tracker.toml:11:1: core.on_reverse_proxi: unknown option, ignored',
      'tracker.toml:13:1: core.database.host: unknown option, ignored',
      'tracker.toml:15:1: http_trackers.0.ssl_enabled: unknown option, ignored',
      'tracker.toml:16:1: http_trackers.0.tls_config: an option of schema 3.0.0, ignored in a file of 2.0.0, did you mean tsl_config?',
      'tracker.toml:18:1: http_api.enabled: unknown option, ignored',
      'tracker.toml:19:1: udp_tracker_server: an option of schema 3.0.0, ignored in a file of 2.0.0, did you mean udp_trackers.max_connection_id_errors_per_ip?',
      'tracker.toml:21:1: toString: unknown option, ignored',
      'tracker.toml:24:1: runtime.wrokers: unknown option, ignored, did you mean workers?',
    ])
    expect(config.http_trackers?.[0]?.tls_config).toBeNull()
    expect(config.udp_tracker_server.max_connection_id_errors_per_ip).toBe(10)
    expect(config.runtime.workers).toBe(2)
  })

  test('of a level by both of its names the one of this schema applies', () => {
    const toml = MINIMAL_2.replace('threshold', 'trace_filter = "warn"\nthreshold')
    expect(loaded(loadToml(toml)).config.logging.trace_filter).toBe('info')
  })

  test.each([
    ['[logging]\ntreshold = "info"', 'threshold'],
    ['[core.nett]', 'net'],
    ['[core.database]\npth = "x"', 'path'],
    ['[[udp_trackers]]\nipv6_v6onli = true', 'ipv6_v6only'],
  ])('a misspelt name of this schema is a warning with the right one: %p', (toml, name) => {
    const file = toml.startsWith('[logging]')
      ? MINIMAL_2.replace('[logging]', toml)
      : MINIMAL_2 + toml
    const { warnings } = loaded(loadToml(file))
    expect(warnings).toEqual([expect.stringContaining(`did you mean ${name}?`)])
  })

  test.each([
    'core.database',
    'core.net',
    'core',
    'udp_trackers',
    'http_api',
    'runtime',
    'logging',
  ])('a number where %s should be is a mistake, not a crash', (path) => {
    const key = path.replaceAll('.', '__')
    const mistakes = complaints(
      loadToml(`${MINIMAL_2}[[udp_trackers]]\n[[http_trackers]]\n`, { [key]: '1' }),
    )
    expect(mistakes.join('\n')).toContain(`${path}: expected a`)
  })
})

describe('the database of schema 2.0.0', () => {
  test.each(
    rowsOf(`
sqlite3 | ./x.db | {"driver":"sqlite3","path":"./x.db"}
mysql | mysql://user:secret@mysql:3307/torrust | {"driver":"mysql","host":"mysql","port":3307,"user":"user","password":"secret","database":"torrust"}
postgresql | postgresql://u:p@h/d | {"driver":"postgresql","host":"h","port":5432,"user":"u","password":"p","database":"d"}
postgresql | postgres://u:p@h/d | {"driver":"postgresql","host":"h"}
mysql | mariadb://u:p@h/d | {"driver":"mysql","host":"h"}
mysql | mysql://u%40x:p%2F%3A@h/d | {"user":"u@x","password":"p/:"}
mysql | mysql://root@localhost/torrust | {"user":"root","password":"","port":3306}
mysql | mysql://u:p@[::1]:3306/d | {"host":"::1"}
`),
  )('%s at %s', (driver, url, json) => {
    expect(configOf(database(driver!, url!)).core.database).toMatchObject(JSON.parse(json!))
  })

  const NO_URL = (name: string) => `path for ${name} driver should be a valid URL: expected `
  test.each([
    ['mysql', 'hunter2', NO_URL('MySQL')],
    ['mysql', 'http://u:hunter2@h/d', NO_URL('MySQL')],
    ['postgresql', 'mysql://u:hunter2@h/d', NO_URL('PostgreSQL')],
    ['mysql', 'mysql://u:hunter2%@h/d', NO_URL('MySQL')],
    ['mysql', 'mysql://h/d', NO_URL('MySQL')],
    ['mysql', 'mysql://u:hunter2@h', NO_URL('MySQL')],
    ['sqlite3', 'mysql://u:hunter2@h/d', 'found the URL of a database server'],
  ])('%s at %s is refused without repeating it', (driver, url, words) => {
    const mistakes = complaints(loadToml(MINIMAL_2 + database(driver, url)))
    expect(mistakes).toEqual([expect.stringContaining(`core.database.path: `)])
    expect(mistakes[0]).toContain(words)
    expect(mistakes[0]).not.toContain('hunter2')
  })

  test('a server without a path: the message shows the form of the URL', () => {
    const mistakes = complaints(loadToml(MINIMAL_2, { CORE__DATABASE__DRIVER: 'mysql' }))
    expect(mistakes).toEqual([expect.stringContaining('mysql://user:password@host:port/database')])
  })

  test('options of the URL are ignored with a warning', () => {
    const { warnings } = loaded(loadToml(MINIMAL_2 + database('mysql', 'mysql://u:p@h/d?ssl=1')))
    expect(warnings).toEqual([expect.stringContaining('ignored')])
  })
})
