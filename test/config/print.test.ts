/** A configuration printed as TOML and JSON: order, masks, and that what is printed loads again. */
import { describe, expect, test } from 'bun:test'
import { loadBuiltIn } from '../../src/config/load.ts'
import { dump, exampleToml, toToml } from '../../src/config/print.ts'
import { loaded, loadToml, MINIMAL_2, MINIMAL_3 } from '../support/config/loading.ts'

const configOf = (toml: string) => loaded(loadToml(toml)).config

/** Something in every option. */
const FULL = `${MINIMAL_3}
[core.announce_policy]
interval = 300
[core.database]
driver = "postgresql"
host = "db"
user = "u"
password = "hunter2"
database = "d"
[[udp_trackers]]
cookie_lifetime = { secs = 90, nanos = 5 }
public_url = "udp://t.example:6969"
network = { external_ip = "203.0.113.7", ipv6_v6only = true }
[[udp_trackers]]
bind_address = "[::]:6868"
[[http_trackers]]
tls_config = { ssl_cert_path = "a \\"quoted\\" path\\u007f", ssl_key_path = 'C:\\k' }
[[websocket_trackers]]
allowed_origins = ["https://a.example", "http://localhost:8080"]
network = { on_reverse_proxy = true }
[http_api]
public_url = "https://t.example/"
[http_api.access_tokens]
admin = "hunter2"
"Zoë's token" = "hunter2"
grafana = { scope = "metrics", token = "hunter3" }
[runtime]
workers = 3
max_memory = "1GiB"
`

describe('TOML', () => {
  test.each([
    ['the least of schema 2.0.0', MINIMAL_2],
    ['the least of schema 3.0.0', MINIMAL_3],
    ['everything', FULL],
    ['empty lists', `udp_trackers = []\nhttp_trackers = []\nwebsocket_trackers = []\n${MINIMAL_3}`],
    [
      'a private tracker',
      `${MINIMAL_3.replace('private = false', 'private = true')}[core.private_mode]\n[core.database]\n`,
    ],
  ])('of %s loads again as the same', (_what, toml) => {
    const config = configOf(toml)
    const expected = {
      ...config,
      metadata: { ...config.metadata, schema_version: '3.0.0' as const },
    }
    for (const annotated of [false, true])
      expect(configOf(toToml(config, { secrets: true, annotated }))).toEqual(expected)
  })

  test('C3: of a minimal configuration is exactly the defaults', () => {
    expect(toToml(configOf(MINIMAL_2))).toBe(`[metadata]
app = "torrust-tracker"
purpose = "configuration"
schema_version = "3.0.0"

[logging]
trace_filter = "info"
trace_style = "full"

[core]
inactive_peer_cleanup_interval = 600
listed = false
private = false
tracker_usage_statistics = true

[core.announce_policy]
interval = 120
interval_min = 120
max_peers_per_announce = 74

[core.database]
driver = "sqlite3"
path = "./storage/tracker/lib/database/sqlite3.db"

[core.tracker_policy]
max_peer_timeout = 900
persistent_torrent_completed_stat = false
remove_peerless_torrents = true

[udp_tracker_server]
ip_bans_reset_interval_in_secs = 86400
max_connection_id_errors_per_ip = 10
connection_id_validation = "strict"

[health_check_api]
bind_address = "127.0.0.1:1313"

[abuse]
id_errors = "suppress"
max_new_rows_per_second = 100
max_connections_per_address = 512

[runtime]
workers = 0
max_memory = 0
`)
  })

  test('masks secrets unless they are asked for', () => {
    const config = configOf(FULL)
    for (const annotated of [false, true]) {
      expect(toToml(config, { annotated })).not.toContain('hunter')
      expect(toToml(config, { annotated })).toContain('admin = "***"')
      expect(toToml(config, { annotated })).toContain(
        'grafana = { token = "***", scope = "metrics" }\n',
      )
    }
    expect(toToml(config, { secrets: true }).match(/hunter[23]/g)).toHaveLength(4)
  })

  test('shows sizes with a unit, and explains a list once', () => {
    const toml = toToml(configOf(FULL), { annotated: true })
    expect(toml).toContain('max_memory = "1GiB"\n')
    expect(toml.match(/^# A UDP listener\./gm)).toHaveLength(1)
  })

  test('with a note after every option still loads', () => {
    const result = loaded(loadToml(FULL))
    const toml = toToml(result.config, { note: result.origin, secrets: true })
    expect(toml).toContain('interval = 300  # tracker.toml:11\n')
    expect(toml).toContain('interval_min = 120  # default\n')
    expect(toml).toMatch(/"Zoë's token" = "hunter2" {2}# tracker\.toml:\d+\n/)
    expect(configOf(toml)).toEqual(result.config)
  })
})

describe('the annotated example', () => {
  const example = exampleToml('fresh', true)

  test.each([true, false])('is the built-in default with a token: IPv6 %p', (hasIpv6) => {
    const { config, warnings } = loaded(loadToml(exampleToml('fresh', hasIpv6)))
    const builtIn = loadBuiltIn(hasIpv6).config
    expect(warnings).toEqual([])
    expect(config).toEqual({
      ...builtIn,
      http_api: {
        ...builtIn.http_api!,
        access_tokens: { admin: { token: 'fresh', scope: 'all' } },
      },
    })
  })

  test('has lines of at most 100 columns and documentation above every option', () => {
    const lines = example.split('\n')
    for (const [i, line] of lines.entries()) {
      expect(line.length).toBeLessThanOrEqual(100)
      if (/^(# )?[a-z_]+ = /.test(line) && !line.includes('fresh'))
        expect([line, lines[i - 1]]).toEqual([line, expect.stringMatching(/^# +[`A-Za-z]/)])
    }
  })

  test('loads with every comment of an option turned into the option', () => {
    // Options that only a database server has, the second form of a secret, and the two sections that exclude the default.
    const network = /^# (host|port|user|password(_file)?|database|secret_file) = /
    const lines = example.split('\n').map((line) => {
      if (network.test(line)) return line
      return line.replace(/^# (\[.*\]|[a-z_]+ = .*)$/, '$1')
    })
    const toml = lines.join('\n').replace('private = false', 'private = true')
    expect(toml).toContain('\n[http_trackers.tls_config]\n')
    const { config } = loaded(loadToml(toml))
    expect(config.websocket_trackers?.[0]?.allowed_origins).toEqual(['https://example.com'])
    expect(config.http_trackers?.[0]?.tls_config).not.toBeNull()
    expect(config.udp_trackers?.[0]?.public_url).not.toBeNull()
    expect(config.udp_trackers?.[0]?.network.external_ip).toBe('203.0.113.7')
    expect(config.core.private_mode).toEqual({ check_keys_expiration: true })
    expect(config.core.accounting).toMatchObject({
      level: 'users',
      webhook: { url: 'https://example.com/tracker-changes', secret: 'a long random text' },
    })
  })

  test('loads with the options of a database server', () => {
    const toml = example
      .replace(/^# (host|port|user|password|database) = /gm, '$1 = ')
      .replace('driver = "sqlite3"', 'driver = "mysql"')
      .replace(/^path = .*$/m, '')
    expect(loaded(loadToml(toml)).config.core.database?.driver).toBe('mysql')
  })
})

describe('the dump', () => {
  test('of all options has the documented order, nulls and masks', () => {
    const config = configOf(FULL)
    expect(dump(config)).not.toContain('hunter')
    expect(Object.keys(JSON.parse(dump(config)))).toEqual([
      ...['metadata', 'logging', 'core', 'udp_trackers', 'http_trackers', 'websocket_trackers'],
      ...['udp_tracker_server', 'http_api', 'health_check_api', 'abuse', 'runtime'],
    ])
    const { core, udp_trackers, http_trackers, websocket_trackers, http_api } = JSON.parse(
      dump(config),
    )
    expect(Object.keys(core)).toEqual(Object.keys(core).toSorted())
    expect(Object.entries(core.database)).toEqual([
      ['driver', 'postgresql'],
      ['host', 'db'],
      ['port', 5432],
      ['user', 'u'],
      ['password', '***'],
      ['database', 'd'],
    ])
    expect(core.private_mode).toBeNull()
    expect(udp_trackers[0].cookie_lifetime).toEqual({ secs: 90, nanos: 5 })
    expect(udp_trackers[1]).toEqual({
      bind_address: '[::]:6868',
      cookie_lifetime: { secs: 120, nanos: 0 },
      tracker_usage_statistics: false,
      public_url: null,
      network: { external_ip: null, on_reverse_proxy: false, ipv6_v6only: false },
    })
    expect(Object.keys(http_trackers[0])).toEqual([
      ...['bind_address', 'tls_config', 'tracker_usage_statistics', 'use_ip_from_query_string'],
      ...['public_url', 'network', 'public_page'],
    ])
    expect(websocket_trackers[0]).toEqual({
      bind_address: '0.0.0.0:8000',
      ...{ tls_config: null, tracker_usage_statistics: false, public_url: null },
      ...{ announce_interval: 120, peer_timeout: 300, max_offers: 10 },
      ...{ max_connections: 0, max_connections_per_ip: 0 },
      allowed_origins: ['https://a.example', 'http://localhost:8080'],
      network: { on_reverse_proxy: true, ipv6_v6only: false },
    })
    expect(http_api.access_tokens).toEqual({
      ...{ admin: '***', "Zoë's token": '***' },
      grafana: { token: '***', scope: 'metrics' },
    })
  })

  test('of a minimal configuration shows null for what is absent, indented by two spaces', () => {
    const text = dump(configOf(MINIMAL_3))
    expect(text).toStartWith('{\n  "metadata": {\n    "app": "torrust-tracker"')
    expect(JSON.parse(text)).toMatchObject({
      core: { database: null, private_mode: null },
      ...{ udp_trackers: null, http_trackers: null, websocket_trackers: null, http_api: null },
    })
  })

  test('of a 2.0.0 file masks the password that stood in its URL', () => {
    const url = 'mysql://root:hunter2@localhost:3306/torrust'
    const text = dump(configOf(`${MINIMAL_2}[core.database]\ndriver = "mysql"\npath = "${url}"`))
    expect(text).not.toContain('hunter')
    expect(text).toContain('"user": "root",\n      "password": "***"')
  })
})
