/** What every option accepts and refuses, its default, and in which words it refuses. */
import { expect, test } from 'bun:test'
import type { Config } from '../../src/config/model.ts'
import { scalar } from '../../src/config/tree.ts'
import { bindAddress } from '../../src/config/value-checks.ts'
import {
  complaints,
  loaded,
  loadToml,
  MINIMAL_2,
  MINIMAL_3,
  NOWHERE,
  rowsOf,
} from '../support/config/loading.ts'
import { schemaFaults } from '../support/config/schema-validator.ts'

/** The minimal file with one more line in a section, which is that of a listener's element. */
function withOption(section: string, line: string): string {
  if (section === 'core' || section === 'logging')
    return MINIMAL_3.replace(`[${section}]`, `[${section}]\n${line}`)
  const header = /^(udp|http|websocket)_trackers$/.test(section) ? `[[${section}]]` : `[${section}]`
  return `${MINIMAL_3}${header}\n${line}\n`
}

/** Section, line, and the section's value as JSON, as far as it is looked at. */
const ACCEPTED = rowsOf(`
core.announce_policy | max_peers_per_announce = 1 | {"announce_policy":{"max_peers_per_announce":1}}
core.announce_policy | max_peers_per_announce = 1000 | {"announce_policy":{"max_peers_per_announce":1000}}
core | inactive_peer_cleanup_interval = 0 | {"inactive_peer_cleanup_interval":0}
core.tracker_policy | max_peer_timeout = 4294967295 | {"tracker_policy":{"max_peer_timeout":4294967295}}
core.database |  | {"database":{"driver":"sqlite3","path":"./storage/tracker/lib/database/sqlite3.db"}}
udp_trackers |  | [{"bind_address":{"ip":"0.0.0.0","port":6969},"cookie_lifetime":120,"tracker_usage_statistics":false,"public_url":null,"network":{"external_ip":null,"on_reverse_proxy":false,"ipv6_v6only":false}}]
udp_trackers | bind_address = "[::]:0" | [{"bind_address":{"ip":"::","port":0}}]
udp_trackers | bind_address = "[2001:DB8:0:0::1]:65535" | [{"bind_address":{"ip":"2001:db8::1","port":65535}}]
udp_trackers | bind_address = "[fe80::1%2]:80" | [{"bind_address":{"ip":"fe80::1%2","port":80}}]
udp_trackers | bind_address = "[::ffff:127.0.0.1]:80" | [{"bind_address":{"ip":"127.0.0.1","port":80}}]
udp_trackers | cookie_lifetime = { secs = 1, nanos = 500000000 } | [{"cookie_lifetime":1.5}]
udp_trackers | cookie_lifetime = { secs = 60 } | [{"cookie_lifetime":60}]
udp_trackers | public_url = "udp://tracker.example.com:6969/announce" | [{"public_url":"udp://tracker.example.com:6969/announce"}]
udp_trackers | network.external_ip = "2001:DB8::0:1" | [{"network":{"external_ip":"2001:db8::1"}}]
http_trackers |  | [{"bind_address":{"ip":"0.0.0.0","port":7070},"tls_config":null,"use_ip_from_query_string":false}]
http_trackers | public_url = "https://t.example/announce" | [{"public_url":"https://t.example/announce"}]
http_trackers | tls_config = { ssl_cert_path = "c.pem", ssl_key_path = "k.pem" } | [{"tls_config":{"ssl_cert_path":"c.pem","ssl_key_path":"k.pem"}}]
websocket_trackers |  | [{"bind_address":{"ip":"0.0.0.0","port":8000},"tls_config":null,"tracker_usage_statistics":false,"public_url":null,"announce_interval":120,"peer_timeout":300,"max_offers":10,"max_connections":0,"max_connections_per_ip":0,"allowed_origins":[],"network":{"on_reverse_proxy":false,"ipv6_v6only":false}}]
websocket_trackers | public_url = "wss://t.example" | [{"public_url":"wss://t.example"}]
websocket_trackers | announce_interval = 149 | [{"announce_interval":149,"peer_timeout":300}]
websocket_trackers | max_offers = 0 | [{"max_offers":0}]
websocket_trackers | max_offers = 50 | [{"max_offers":50}]
websocket_trackers | allowed_origins = ["https://example.com", "http://localhost:8080", "chrome-extension://abc", "http://[::1]:8080"] | [{"allowed_origins":["https://example.com","http://localhost:8080","chrome-extension://abc","http://[::1]:8080"]}]
udp_tracker_server | ip_bans_reset_interval_in_secs = 3600 | {"ip_bans_reset_interval_in_secs":3600}
http_api |  | {"bind_address":{"ip":"127.0.0.1","port":1212},"access_tokens":{}}
runtime | workers = 256 | {"workers":256}
abuse | max_connections_per_address = 0 | {"max_connections_per_address":0}
runtime | max_memory = 0 | {"max_memory":0}
runtime | max_memory = 16777216 | {"max_memory":16777216}
runtime | max_memory = "512MiB" | {"max_memory":536870912}
runtime | max_memory = "4 GiB" | {"max_memory":4294967296}
runtime | max_memory = "2GB" | {"max_memory":2000000000}
abuse | max_new_rows_per_second = 0 | {"max_new_rows_per_second":0}
runtime | max_memory = "1.5gib" | {"max_memory":1610612736}
`)

test.each(ACCEPTED)('[%s] %s is accepted', (section, line, json) => {
  const { config, warnings } = loaded(loadToml(withOption(section!, line!)))
  const [table] = section!.split('.')
  const expected = JSON.parse(json!)
  if (Array.isArray(expected)) expect(config[table as 'udp_trackers']).toMatchObject(expected)
  else expect(config[table as keyof Config]).toMatchObject(expected)
  expect(warnings).toEqual([])
  expect(schemaFaults(withOption(section!, line!))).toEqual([])
})

test('every port is accepted, and no other number', () => {
  const accepts = (port: number) => 'value' in bindAddress(scalar(`[::1]:${port}`, NOWHERE))
  const ports = Array.from({ length: 100_000 }, (_, port) => port).filter(accepts)
  expect([ports.length, ports.at(-1)]).toEqual([65_536, 65_535])
})

const SERVER = 'driver = "mysql"\nhost = "h"\nuser = "u"\npassword = "p"\ndatabase = "d"\n'

test.each([
  ['mysql', 3306],
  ['postgresql', 5432],
])('a database server of kind %s', (driver, port) => {
  const toml = withOption('core.database', SERVER.replace('mysql', driver))
  expect(loaded(loadToml(toml)).config.core.database).toMatchObject({
    ...{ driver: driver as 'mysql', port, host: 'h', user: 'u', password: 'p', database: 'd' },
  })
})

test('labels of tokens are free, even that of every object', () => {
  const toml = withOption('http_api.access_tokens', '"any label" = "t"\n__proto__ = "u"')
  const tokens = loaded(loadToml(toml)).config.http_api?.access_tokens ?? {}
  expect(Object.entries(tokens)).toEqual([
    ['any label', { token: 't', scope: 'all' }],
    ['__proto__', { token: 'u', scope: 'all' }],
  ])
})

test('C16: an unknown member of a token is a mistake in schema 2.0.0, too: the scope may be meant', () => {
  const token = (members: string) =>
    loadToml(`${MINIMAL_2}[http_api.access_tokens]\nadmin = { token = "t", ${members} }`)
  expect(loaded(token('scope = "read"')).config.http_api?.access_tokens).toEqual({
    admin: { token: 't', scope: 'read' },
  })
  expect(complaints(token('scop = "read"'))).toEqual([
    expect.stringContaining(
      'http_api.access_tokens.admin.scop: unknown option, did you mean scope?',
    ),
  ])
})

/** Section, line, and the end of the message. */
const REFUSED = rowsOf(`
core.announce_policy | interval = 2147483648 | interval: expected a whole number from 0 to 2147483647, found 2147483648
core.announce_policy | interval = -1 | found -1
core.announce_policy | interval = 1.0 | found 1
core.announce_policy | interval = "1" | found "1"
core.announce_policy | interval = true | found true
core.announce_policy | interval = [1] | found a list
core.announce_policy | interval = {} | found a table
core.announce_policy | interval = nan | found NaN
core.announce_policy | interval = 1979-05-27 | found a date
core.announce_policy | interval_min = 2147483648 | interval_min: expected a whole number from 0 to 2147483647
core.announce_policy | max_peers_per_announce = 0 | expected a whole number from 1 to 1000, found 0
core.announce_policy | max_peers_per_announce = 1001 | found 1001
core | tracker_usage_statistics = 1 | expected true or false, found 1
core | inactive_peer_cleanup_interval = -1 | expected a whole number
core.tracker_policy | max_peer_timeout = 4294967296 | from 0 to 4294967295, found 4294967296
core.net | external_ip = "1.2.3.4" | core.net: schema 3.0.0 has no such option, it has \`network\` of each listener
core.database | driver = "postgres" | found "postgres", did you mean postgresql?
core.database | driver = "sqlite" | found "sqlite", did you mean sqlite3?
core.database | driver = "MariaDB" | found "MariaDB", did you mean mysql?
logging | trace_style = "jsno" | expected "full", "pretty", "compact" or "json", found "jsno", did you mean json?
core.database | driver = "SQLite3" | expected "sqlite3", "mysql" or "postgresql", found "SQLite3"
core.database | host = "h" | core.database.host: SQLite database configuration only accepts the \`path\` field
core.database | path = "" | core.database.path: expected a string that is not empty, found ""
core.database | path = "mysql://u:p@h/d" | found the URL of a database server, but driver is sqlite3
udp_trackers | bind_address = "localhost:6969" | expected an address and port like "0.0.0.0:6969" or "[::]:6969", found "localhost:6969"
udp_trackers | bind_address = "0.0.0.0" | found "0.0.0.0"
udp_trackers | bind_address = "0.0.0.0:65536" | found "0.0.0.0:65536"
udp_trackers | bind_address = ":::6969" | found ":::6969"
udp_trackers | bind_address = "[1.2.3.4]:6969" | found "[1.2.3.4]:6969"
udp_trackers | bind_address = "01.2.3.4:6969" | found "01.2.3.4:6969"
udp_trackers | bind_address = 6969 | found 6969
udp_trackers | cookie_lifetime = 120 | udp_trackers.0.cookie_lifetime: expected { secs = 0 to 4294967295, nanos = 0 to 999999999 }, more than 0 in all, found 120
udp_trackers | cookie_lifetime = { secs = 0, nanos = 0 } | more than 0 in all, found 0
udp_trackers | cookie_lifetime = { secs = 1, nanos = 1000000000 } | found 1000000000 for nanos
udp_trackers | cookie_lifetime = { seconds = 1 } | found the key "seconds"
udp_trackers | public_url = "http://x" | public_url: expected a URL that begins with udp://, found "http://x"
udp_trackers | public_url = "tracker" | found "tracker"
udp_trackers | public_url = "udp:6969" | found "udp:6969"
http_trackers | public_url = "udp://x" | public_url: expected a URL that begins with http:// or https://, found "udp://x"
http_trackers | public_url = 1 | public_url: expected a URL that begins with http:// or https://, found 1
websocket_trackers | public_url = "https://x" | public_url: expected a URL that begins with ws:// or wss://, found "https://x"
websocket_trackers | announce_interval = 0 | announce_interval: expected a whole number from 1 to 2147483647, found 0
websocket_trackers | announce_interval = 2147483648 | from 1 to 2147483647, found 2147483648
websocket_trackers | announce_interval = 150 | tracker.toml:10:1: websocket_trackers.0.peer_timeout: expected more than twice \`announce_interval\`, at least 301, found 300: a peer must not be forgotten for one announce that is late
websocket_trackers | peer_timeout = 240 | tracker.toml:10:1: websocket_trackers.0.peer_timeout: expected more than twice \`announce_interval\`, at least 241, found 240: a peer must not be forgotten for one announce that is late
websocket_trackers | peer_timeout = -1 | peer_timeout: expected a whole number from 3 to 4294967295, found -1
websocket_trackers | max_offers = 51 | max_offers: expected a whole number from 0 to 50, found 51
websocket_trackers | max_offers = -1 | found -1
websocket_trackers | max_connections = -1 | expected a whole number from 0 to 4294967295, found -1
websocket_trackers | max_connections_per_ip = -1 | expected a whole number from 0 to 4294967295, found -1
websocket_trackers | allowed_origins = ["https://example.com/"] | allowed_origins: expected a list of origins of web pages like "https://example.com" or "http://localhost:8080", without a path, or [] for any, found "https://example.com/", did you mean "https://example.com"?
websocket_trackers | allowed_origins = ["https://a.example", "Example.com", "wss://T.example:443/x"] | for any, found "Example.com", did you mean "https://example.com"?; found "wss://T.example:443/x", did you mean "https://t.example"?
websocket_trackers | allowed_origins = ["https://a.example:443"] | did you mean "https://a.example"?
websocket_trackers | allowed_origins = ["wss://t.example"] | found "wss://t.example", did you mean "https://t.example"?
websocket_trackers | allowed_origins = "https://a.example" | or [] for any, found "https://a.example"
websocket_trackers | allowed_origins = ["*"] | or [] for any, found "*"
websocket_trackers | allowed_origins = ["https://*.example.com"] | found "https://*.example.com"
websocket_trackers | allowed_origins = ["null", 1, []] | found "null"; found 1; found a list
websocket_trackers | network.external_ip = "203.0.113.7" | websocket_trackers.0.network.external_ip: unknown option, known options: on_reverse_proxy, ipv6_v6only
websocket_trackers | use_ip_from_query_string = true | unknown option
udp_trackers | network.external_ip = "0.0.0.0" | wildcard/unspecified IP address is not a valid external IP, found "0.0.0.0"
udp_trackers | network.external_ip = "::" | wildcard/unspecified IP address is not a valid external IP, found "::"
udp_trackers | network.external_ip = "" | expected an IP address, found ""
udp_trackers | ipv6_v6only = true | udp_trackers.0.ipv6_v6only: schema 3.0.0 has no such option, it has \`network.ipv6_v6only\`
udp_trackers | max_connection_id_errors_per_ip = 1 | it has \`udp_tracker_server.max_connection_id_errors_per_ip\`
http_trackers | tsl_config = {} | it has \`tls_config\`
http_trackers | tls_config = { ssl_cert_path = "c" } | http_trackers.0.tls_config.ssl_key_path: TLS needs both \`ssl_cert_path\` and \`ssl_key_path\`
http_trackers | tls_config = { ssl_key_path = "k" } | http_trackers.0.tls_config.ssl_cert_path: TLS needs both
http_trackers | tls_config = { ssl_cert_path = "", ssl_key_path = "k" } | expected a string that is not empty, found ""
udp_trackers |  | udp_trackers: expected a list of tables, in double brackets, found a table
udp_tracker_server | ip_bans_reset_interval_in_secs = 3599 | expected a whole number from 3600 to 9007199254740991, found 3599
udp_tracker_server | connection_id_validation = "lax" | expected "strict" or "disabled", found "lax"
http_api.access_tokens | admin = "" | http_api.access_tokens.admin: expected a string that is not empty, found an empty string
http_api.access_tokens | admin = " " | found an empty string
http_api.access_tokens | admin = 12345 | expected a string that is not empty, found a number
http_api.access_tokens | admin = { token = " " } | http_api.access_tokens.admin.token: expected a string that is not empty, found an empty string
http_api.access_tokens | admin = { token = "t", scope = "red" } | http_api.access_tokens.admin.scope: expected "all", "read" or "metrics", found "red", did you mean read?
http_api.access_tokens | admin = { token = "t", scop = "read" } | http_api.access_tokens.admin.scop: unknown option, did you mean scope?
http_api.access_tokens | admin = { scope = "read" } | http_api.access_tokens.admin: needs a \`token\`
http_api.access_tokens | admin = ["hunter2"] | http_api.access_tokens.admin: expected a string or a table, found a list
http_api | access_tokens = "hunter2" | http_api.access_tokens: expected a table, found a string
runtime | workers = 257 | expected a whole number from 0 to 256, found 257
runtime | max_memory = 16777215 | runtime.max_memory: expected bytes as a number or a size like "512MiB", at least 16MiB, or 0 for automatic, found 16777215
runtime | max_memory = "512" | found "512"
runtime | max_memory = "lots" | found "lots"
runtime | max_memory = -1 | found -1
abuse | max_new_rows_per_second = -1 | expected a whole number from 0 to 4294967295
runtime | max_memory = "99999999TiB" | found "99999999TiB"
`)

/** Mistakes that JSON Schema has no words for. */
const BEYOND_SCHEMA = [
  'interval = 1.0',
  'path = "mysql://u:p@h/d"',
  'public_url = "udp:6969"',
  'max_memory = "99999999TiB"',
  'announce_interval = 150',
  'peer_timeout = 240',
  'allowed_origins = ["https://a.example:443"]',
  'allowed_origins = ["wss://t.example"]',
]

test.each(REFUSED)('[%s] %s is refused', (section, line, words) => {
  // As a table a listener is no element of the list.
  const toml = line === '' ? `${MINIMAL_3}[${section}]\n` : withOption(section!, line!)
  const mistakes = complaints(loadToml(toml))
  expect(mistakes).toEqual([expect.stringContaining(words!)])
  expect(mistakes[0]).toMatch(/^tracker\.toml:\d+:\d+: /)
  expect(schemaFaults(toml).length === 0).toBe(BEYOND_SCHEMA.includes(line!))
})

test.each([
  ['path', 'driver', 'path = "x"\ndriver', 'does not accept the `path` field'],
  ['host', 'host = "h"\n', '', 'requires a `host` field'],
  ['user', 'user = "u"\n', '', 'requires a `user` field'],
  ['password', 'password = "p"\n', '', 'requires a `password` field'],
  ['password', '"p"', '" \\t"', 'requires a non-empty `password` field'],
  ['database', 'database = "d"\n', '', 'requires a `database` field'],
])('a database server with the wrong %s is refused: %#', (name, before, after, words) => {
  const toml = withOption('core.database', SERVER.replace(before, after))
  expect(complaints(loadToml(toml))).toEqual([
    expect.stringContaining(`core.database.${name}: network database configuration ${words}`),
  ])
})

test.each([
  [MINIMAL_3.replace('"info"', '"warning"'), 'warn'],
  [MINIMAL_2.replace('"info"', '"Info"'), 'info'],
])('C15: a level of the log by another name: %#', (toml, level) => {
  expect(complaints(loadToml(toml))).toEqual([expect.stringContaining(`, did you mean ${level}?`)])
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
