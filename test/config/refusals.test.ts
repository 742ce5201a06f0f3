/** What every option refuses, and in which words. */
import { describe, expect, test } from 'bun:test'
import { LIMITS } from '../../src/limits.ts'
import { complaints, loadToml, MINIMAL_2, MINIMAL_3 } from '../support/config/loading.ts'

/** The minimal file with one more option: `line` in `section`. */
const withOption = (section: string, line: string) =>
  section === 'core' ? `${MINIMAL_3}${line}\n` : `${MINIMAL_3}[${section}]\n${line}\n`

const UDP = '[udp_trackers]'
const HTTP = '[http_trackers]'
const MYSQL = 'driver="mysql"\nhost="h"\nuser="u"\npassword="p"\ndatabase="d"\n'

describe('what is refused', () => {
  test.each<[string, string, string]>([
    [
      'core.announce_policy',
      'interval = 2147483648',
      'interval: expected a whole number from 0 to 2147483647, found 2147483648',
    ],
    ['core.announce_policy', 'interval = -1', 'found -1'],
    ['core.announce_policy', 'interval = 1.0', 'found 1'],
    ['core.announce_policy', 'interval = "1"', 'found "1"'],
    ['core.announce_policy', 'interval = true', 'found true'],
    ['core.announce_policy', 'interval = [1]', 'found a list'],
    ['core.announce_policy', 'interval = {}', 'found a table'],
    ['core.announce_policy', 'interval = nan', 'found NaN'],
    ['core.announce_policy', 'interval = 1979-05-27', 'found a date'],
    [
      'core.announce_policy',
      'interval_min = 2147483648',
      'interval_min: expected a whole number from 0 to 2147483647',
    ],
    [
      'core.announce_policy',
      'max_peers_per_announce = 0',
      'expected a whole number from 1 to 1000, found 0',
    ],
    ['core.announce_policy', `max_peers_per_announce = ${LIMITS.peersPerAnswer + 1}`, 'found 1001'],
    ['core', 'tracker_usage_statistics = 1', 'expected true or false, found 1'],
    ['core', 'inactive_peer_cleanup_interval = -1', 'expected a whole number'],
    [
      'core.tracker_policy',
      'max_peer_timeout = 4294967296',
      'from 0 to 4294967295, found 4294967296',
    ],
    [
      'core.net',
      'external_ip = "1.2.3.4"',
      'core.net: schema 3.0.0 has no such option, it has `network` of each listener',
    ],
    [
      'core.database',
      'driver = "SQLite3"',
      'expected "sqlite3", "mysql" or "postgresql", found "SQLite3"',
    ],
    [
      'core.database',
      'host = "h"',
      'core.database.host: SQLite database configuration only accepts the `path` field',
    ],
    [
      'core.database',
      'path = ""',
      'core.database.path: expected a string that is not empty, found ""',
    ],
    [
      'core.database',
      'path = "mysql://u:p@h/d"',
      'found the URL of a database server, but driver is sqlite3',
    ],
    [
      'core.database',
      `${MYSQL}path = "x"`,
      'core.database.path: network database configuration does not accept the `path` field',
    ],
    [
      'core.database',
      MYSQL.replace('host="h"', ''),
      'network database configuration requires a `host` field',
    ],
    [
      'core.database',
      MYSQL.replace('user="u"', ''),
      'network database configuration requires a `user` field',
    ],
    [
      'core.database',
      MYSQL.replace('password="p"', ''),
      'network database configuration requires a `password` field',
    ],
    [
      'core.database',
      MYSQL.replace('database="d"', ''),
      'network database configuration requires a `database` field',
    ],
    [
      'core.database',
      MYSQL.replace('"p"', '" \\t"'),
      'network database configuration requires a non-empty `password` field',
    ],
    [
      'core.database',
      `${MYSQL}port = 0`,
      'core.database.port: expected a whole number from 1 to 65535, found 0',
    ],
    [
      'logging',
      'threshold = "info"',
      'schema 3.0.0 has no such option, it has `logging.trace_filter`',
    ],
    [
      UDP,
      'bind_address = "localhost:6969"',
      'expected an address and port like "0.0.0.0:6969" or "[::]:6969", found "localhost:6969"',
    ],
    [UDP, 'bind_address = "0.0.0.0"', 'found "0.0.0.0"'],
    [UDP, 'bind_address = "0.0.0.0:65536"', 'found "0.0.0.0:65536"'],
    [UDP, 'bind_address = ":::6969"', 'found ":::6969"'],
    [UDP, 'bind_address = "[1.2.3.4]:6969"', 'found "[1.2.3.4]:6969"'],
    [UDP, 'bind_address = "01.2.3.4:6969"', 'found "01.2.3.4:6969"'],
    [UDP, 'bind_address = 6969', 'found 6969'],
    [
      UDP,
      'cookie_lifetime = 120',
      'udp_trackers.0.cookie_lifetime: expected { secs = 0 to 4294967295, nanos = 0 to 999999999 }, more than 0 in all, found 120',
    ],
    [UDP, 'cookie_lifetime = { secs = 0, nanos = 0 }', 'more than 0 in all, found 0'],
    [UDP, 'cookie_lifetime = { secs = 1, nanos = 1000000000 }', 'found 1000000000 for nanos'],
    [UDP, 'cookie_lifetime = { seconds = 1 }', 'found the key "seconds"'],
    [UDP, 'public_url = "http://x"', "public_url: invalid scheme 'http': expected 'udp'"],
    [UDP, 'public_url = "tracker"', "public_url: invalid URL 'tracker'"],
    [UDP, 'public_url = "udp:6969"', "public_url: invalid URL 'udp:6969'"],
    [
      HTTP,
      'public_url = "udp://x"',
      "public_url: invalid scheme 'udp': expected 'http' or 'https'",
    ],
    [HTTP, 'public_url = 1', "public_url: expected a URL, 'http' or 'https', found 1"],
    [
      UDP,
      'network.external_ip = "0.0.0.0"',
      'wildcard/unspecified IP address is not a valid external IP, found "0.0.0.0"',
    ],
    [
      UDP,
      'network.external_ip = "::"',
      'wildcard/unspecified IP address is not a valid external IP, found "::"',
    ],
    [UDP, 'network.external_ip = ""', 'expected an IP address, found ""'],
    [
      UDP,
      'ipv6_v6only = true',
      'udp_trackers.0.ipv6_v6only: schema 3.0.0 has no such option, it has `network.ipv6_v6only`',
    ],
    [
      UDP,
      'max_connection_id_errors_per_ip = 1',
      'it has `udp_tracker_server.max_connection_id_errors_per_ip`',
    ],
    [HTTP, 'tsl_config = {}', 'it has `tls_config`'],
    [
      HTTP,
      'tls_config = { ssl_cert_path = "c" }',
      'http_trackers.0.tls_config.ssl_key_path: TLS needs both `ssl_cert_path` and `ssl_key_path`',
    ],
    [
      HTTP,
      'tls_config = { ssl_key_path = "k" }',
      'http_trackers.0.tls_config.ssl_cert_path: TLS needs both',
    ],
    [
      HTTP,
      'tls_config = { ssl_cert_path = "", ssl_key_path = "k" }',
      'expected a string that is not empty, found ""',
    ],
    ['udp_trackers', '', 'udp_trackers: expected a list of tables, found a table'],
    [
      'udp_tracker_server',
      'ip_bans_reset_interval_in_secs = 3599',
      'expected a whole number from 3600 to 9007199254740991, found 3599',
    ],
    [
      'udp_tracker_server',
      'connection_id_validation = "lax"',
      'expected "strict" or "disabled", found "lax"',
    ],
    [
      'http_api.access_tokens',
      'admin = ""',
      'http_api.access_tokens.admin: expected a string that is not empty, found an empty string',
    ],
    ['http_api.access_tokens', 'admin = " "', 'found an empty string'],
    [
      'http_api.access_tokens',
      'admin = 12345',
      'expected a string that is not empty, found a number',
    ],
    [
      'http_api',
      'access_tokens = "hunter2"',
      'http_api.access_tokens: expected a table, found a string',
    ],
    ['runtime', 'workers = 257', 'expected a whole number from 0 to 256, found 257'],
    [
      'runtime',
      'max_memory = 16777215',
      'runtime.max_memory: expected bytes as a number or a size like "512MiB", at least 16MiB, or 0 for automatic, found 16777215',
    ],
    ['abuse', 'max_connections_per_address = -1', 'found -1'],
    ['runtime', 'max_memory = "1KiB"', 'found "1KiB"'],
    ['runtime', 'max_memory = "512"', 'found "512"'],
    ['runtime', 'max_memory = "lots"', 'found "lots"'],
    ['runtime', 'max_memory = -1', 'found -1'],
    ['abuse', 'max_new_rows_per_second = -1', 'expected a whole number from 0 to 4294967295'],
    ['runtime', 'max_memory = "99999999TiB"', 'found "99999999TiB"'],
  ])('[%s] %s', (section, line, words) => {
    // A second section of the same name would be a mistake of its own.
    const toml =
      section === 'logging'
        ? MINIMAL_3.replace('[logging]', `[logging]\n${line}`)
        : withOption(section, line)
    const mistakes = complaints(loadToml(toml))
    expect(mistakes).toEqual([expect.stringContaining(words)])
    expect(mistakes[0]).toMatch(/^tracker\.toml:\d+:\d+: /)
  })

  test.each([
    ['core.database', 'driver = "postgres"', 'found "postgres", did you mean postgresql?'],
    ['core.database', 'driver = "sqlite"', 'found "sqlite", did you mean sqlite3?'],
    [
      'core.database',
      'driver = "MariaDB"',
      'found "MariaDB", did you mean mysql, which serves MariaDB, too?',
    ],
    ['logging', 'trace_style = "jsno"', 'found "jsno", did you mean json?'],
    ['abuse', 'id_errors = "warning"', 'expected "suppress" or "ban", found "warning"'],
  ])('[%s] %s: with the word that was meant', (section, line, words) => {
    const toml =
      section === 'logging'
        ? MINIMAL_3.replace('[core]', `${line}\n[core]`)
        : withOption(section, line)
    expect(complaints(loadToml(toml))).toEqual([expect.stringContaining(words)])
  })

  test.each([
    [MINIMAL_3.replace('"info"', '"warning"'), 'warn'],
    [MINIMAL_2.replace('"info"', '"Info"'), 'info'],
  ])('a level of the log by another name: %#', (toml, level) => {
    expect(complaints(loadToml(toml))).toEqual([
      expect.stringContaining(`, did you mean ${level}?`),
    ])
  })

  test.each(['hunter2 = "x"', 'password = 12345678', 'password = ["hunter2"]'])(
    'a mistake about a secret does not show it: %s',
    (line) => {
      for (const mistake of complaints(loadToml(withOption('core.database', line))))
        expect(mistake).not.toMatch(/12345678|"hunter2"/)
    },
  )

  test('a string in place of the database or the API is not shown: it may be a password', () => {
    for (const name of ['CORE', 'CORE__DATABASE', 'HTTP_API', 'HTTP_API__ACCESS_TOKENS'])
      for (const mistake of complaints(loadToml(MINIMAL_3, { [name]: 'hunter2' })))
        expect(mistake).not.toContain('hunter2')
  })
})
