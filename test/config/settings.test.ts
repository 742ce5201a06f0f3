/** What every option accepts, and its default. */
import { describe, expect, test } from 'bun:test'
import { LIMITS } from '../../src/limits.ts'
import { loaded, loadToml, MINIMAL_3 } from '../support/config/loading.ts'

/** The minimal file with one more option: `line` in `section`. */
const withOption = (section: string, line: string) =>
  section === 'core' ? `${MINIMAL_3}${line}\n` : `${MINIMAL_3}[${section}]\n${line}\n`

const UDP = '[udp_trackers]'
const HTTP = '[http_trackers]'
const MYSQL = 'driver="mysql"\nhost="h"\nuser="u"\npassword="p"\ndatabase="d"\n'

describe('what is accepted', () => {
  test.each<[string, string, object]>([
    [
      'core.announce_policy',
      // A shorter timeout would cause a warning.
      'interval = 2147483647\n[core.tracker_policy]\nmax_peer_timeout = 2147483647',
      { core: { announce_policy: { interval: 2147483647 } } },
    ],
    [
      'core.announce_policy',
      'interval = 0\ninterval_min = 0',
      { core: { announce_policy: { interval: 0, interval_min: 0 } } },
    ],
    [
      'core.announce_policy',
      'max_peers_per_announce = 1',
      { core: { announce_policy: { max_peers_per_announce: 1 } } },
    ],
    [
      'core.announce_policy',
      `max_peers_per_announce = ${LIMITS.peersPerAnswer}`,
      { core: { announce_policy: { max_peers_per_announce: LIMITS.peersPerAnswer } } },
    ],
    ['core', 'inactive_peer_cleanup_interval = 0', { core: { inactive_peer_cleanup_interval: 0 } }],
    [
      'core.tracker_policy',
      'max_peer_timeout = 4294967295',
      { core: { tracker_policy: { max_peer_timeout: 4294967295 } } },
    ],
    [
      'core.database',
      '',
      {
        core: {
          database: { driver: 'sqlite3', path: './storage/tracker/lib/database/sqlite3.db' },
        },
      },
    ],
    [
      'core.database',
      MYSQL,
      {
        core: {
          database: {
            driver: 'mysql',
            host: 'h',
            port: 3306,
            user: 'u',
            password: 'p',
            database: 'd',
          },
        },
      },
    ],
    [
      'core.database',
      MYSQL.replace('mysql', 'postgresql'),
      { core: { database: { driver: 'postgresql', port: 5432 } } },
    ],
    [
      UDP,
      '',
      {
        udp_trackers: [
          {
            bind_address: { ip: '0.0.0.0', port: 6969 },
            cookie_lifetime: 120,
            tracker_usage_statistics: false,
            public_url: null,
            network: { external_ip: null, on_reverse_proxy: false, ipv6_v6only: false },
          },
        ],
      },
    ],
    [UDP, 'bind_address = "[::]:0"', { udp_trackers: [{ bind_address: { ip: '::', port: 0 } }] }],
    [
      UDP,
      'bind_address = "[2001:DB8:0:0::1]:65535"',
      { udp_trackers: [{ bind_address: { ip: '2001:db8::1', port: 65535 } }] },
    ],
    [
      UDP,
      'bind_address = "[fe80::1%2]:80"',
      { udp_trackers: [{ bind_address: { ip: 'fe80::1%2', port: 80 } }] },
    ],
    [
      UDP,
      'bind_address = "[::ffff:127.0.0.1]:80"',
      { udp_trackers: [{ bind_address: { ip: '127.0.0.1', port: 80 } }] },
    ],
    [
      UDP,
      'cookie_lifetime = { secs = 1, nanos = 500000000 }',
      { udp_trackers: [{ cookie_lifetime: 1.5 }] },
    ],
    [UDP, 'cookie_lifetime = { secs = 60 }', { udp_trackers: [{ cookie_lifetime: 60 }] }],
    [
      UDP,
      'public_url = "udp://tracker.example.com:6969/announce"',
      { udp_trackers: [{ public_url: 'udp://tracker.example.com:6969/announce' }] },
    ],
    [
      UDP,
      'network.external_ip = "2001:DB8::0:1"',
      { udp_trackers: [{ network: { external_ip: '2001:db8::1' } }] },
    ],
    [
      HTTP,
      '',
      {
        http_trackers: [
          {
            bind_address: { ip: '0.0.0.0', port: 7070 },
            tls_config: null,
            use_ip_from_query_string: false,
          },
        ],
      },
    ],
    [
      HTTP,
      'public_url = "https://t.example/announce"',
      { http_trackers: [{ public_url: 'https://t.example/announce' }] },
    ],
    [
      HTTP,
      'tls_config = { ssl_cert_path = "c.pem", ssl_key_path = "k.pem" }',
      { http_trackers: [{ tls_config: { ssl_cert_path: 'c.pem', ssl_key_path: 'k.pem' } }] },
    ],
    [
      'udp_tracker_server',
      'ip_bans_reset_interval_in_secs = 3600',
      { udp_tracker_server: { ip_bans_reset_interval_in_secs: 3600 } },
    ],
    [
      'http_api',
      '',
      { http_api: { bind_address: { ip: '127.0.0.1', port: 1212 }, access_tokens: {} } },
    ],
    [
      'http_api.access_tokens',
      '"any label" = "t"\n__proto__ = "u"',
      { http_api: { access_tokens: { 'any label': 't', ['__proto__']: 'u' } } },
    ],
    ['runtime', 'workers = 256', { runtime: { workers: 256 } }],
    ['abuse', 'max_connections_per_address = 0', { abuse: { max_connections_per_address: 0 } }],
    ['runtime', 'max_memory = 0', { runtime: { max_memory: 0 } }],
    ['runtime', 'max_memory = 16777216', { runtime: { max_memory: 16777216 } }],
    ['runtime', 'max_memory = "512MiB"', { runtime: { max_memory: 512 * 2 ** 20 } }],
    ['runtime', 'max_memory = "4 GiB"', { runtime: { max_memory: 4 * 2 ** 30 } }],
    ['runtime', 'max_memory = "2GB"', { runtime: { max_memory: 2e9 } }],
    ['abuse', 'max_new_rows_per_second = 0', { abuse: { max_new_rows_per_second: 0 } }],
    ['runtime', 'max_memory = "1.5gib"', { runtime: { max_memory: 1.5 * 2 ** 30 } }],
  ])('[%s] %s', (section, line, expected) => {
    const { config, warnings } = loaded(loadToml(withOption(section, line)))
    expect(config).toMatchObject(expected)
    expect(warnings).toEqual([])
  })
})
