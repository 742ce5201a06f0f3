/** Options that are valid alone but not together. */
import { expect, test } from 'bun:test'
import { listenersOf } from '../../src/config/listeners.ts'
import { complaints, loaded, loadToml, MINIMAL_2, MINIMAL_3 } from '../support/config/loading.ts'

const PRIVATE = MINIMAL_3.replace('private = false', 'private = true')
const ALL = PRIVATE.replace('listed = false', 'listed = true')
const STORED = '[core.tracker_policy]\npersistent_torrent_completed_stat = true\n'

test.each([
  [
    'private_mode in a public tracker',
    `${MINIMAL_3}[core.private_mode]\n`,
    '9:1: core.private_mode: Private mode section in configuration can only be included when the tracker is running in private mode.',
  ],
  [
    'what needs a database, without one',
    `${ALL}${STORED}`,
    '7:1: Configuration requires persistence for `core.listed`, but `[core.database]` is missing.',
    '8:1: Configuration requires persistence for `core.private`, but `[core.database]` is missing.',
    '10:1: Configuration requires persistence for `core.tracker_policy.persistent_torrent_completed_stat`, but `[core.database]` is missing.',
  ],
  [
    'stored counts in a tracker that does not count',
    `${MINIMAL_3}tracker_usage_statistics = false\n[core.database]\n${STORED}`,
    '12:1: core.tracker_policy.persistent_torrent_completed_stat: needs `core.tracker_usage_statistics = true`, found false',
  ],
  [
    'accounts in a public tracker',
    `${MINIMAL_3}[core.database]\n[core.accounting]\nlevel = "users"\n`,
    '11:1: core.accounting.level: "users" needs `core.private = true`, because accounts belong to keys; found false: set it, or write "torrents"',
  ],
  [
    'accounting without a database',
    `${MINIMAL_3}[core.accounting]\nlevel = "torrents"\n`,
    '10:1: Configuration requires persistence for `core.accounting.level`, but `[core.database]` is missing.',
  ],
  [
    'idle time that is written less often than twice in a time-out',
    `${MINIMAL_3}[core.database]\n[core.tracker_policy]\nmax_peer_timeout = 101\n[core.accounting]\nlevel = "torrents"\nidle_write_interval = 51\n`,
    '14:1: core.accounting.idle_write_interval: expected at most half of `core.tracker_policy.max_peer_timeout`, 50, found 51',
  ],
  [
    'the same where only the time-out is written',
    `${MINIMAL_3}[core.database]\n[core.tracker_policy]\nmax_peer_timeout = 899\n[core.accounting]\nlevel = "torrents"\n`,
    '11:1: core.accounting.idle_write_interval: expected at most half of `core.tracker_policy.max_peer_timeout`, 449, found 450',
  ],
  [
    'a webhook without its secret or a web address',
    `${PRIVATE}[core.database]\n[core.accounting]\nlevel = "users"\n[core.accounting.webhook]\nurl = "ftp://x"\n`,
    '12:1: core.accounting.webhook: needs a `secret` or a `secret_file`',
    '13:1: core.accounting.webhook.url: expected a URL that begins with http:// or https://, found "ftp://x"',
  ],
])('%s is refused', (_what, toml, ...mistakes) => {
  expect(complaints(loadToml(toml))).toEqual(mistakes.map((line) => `tracker.toml:${line}`))
})

/** Listeners in words, such as `udp 0.0.0.0:80, http [::]:80 v6only`. */
const listening = (words: string): string =>
  MINIMAL_3 +
  words
    .split(', ')
    .map((one) => {
      const [kind, address, v6only] = one.split(' ')
      const bind = `bind_address = "${address}"\n`
      return kind === 'api'
        ? `[http_api]\n${bind}`
        : `[[${kind}_trackers]]\n${bind}network.ipv6_v6only = ${v6only !== undefined}\n`
    })
    .join('')

const PORT = 'one of them needs another port'
const PORT_OR_V6ONLY = `${PORT}, or the IPv6 listener \`ipv6_v6only = true\` in its \`network\``

test.each([
  [
    'udp 0.0.0.0:6969, udp 0.0.0.0:6969',
    '0.0.0.0:6969 overlaps 0.0.0.0:6969 of udp_trackers.0.bind_address',
  ],
  [
    'udp [::1]:6969, udp [0:0::1]:6969',
    '[::1]:6969 overlaps [::1]:6969 of udp_trackers.0.bind_address',
  ],
  [
    'http 127.0.0.1:7070, api 127.0.0.1:7070',
    'overlaps 127.0.0.1:7070 of http_trackers.0.bind_address',
  ],
  [
    'api 127.0.0.1:1313',
    'health_check_api.bind_address: 127.0.0.1:1313 overlaps 127.0.0.1:1313 of http_api',
  ],
  ['udp 0.0.0.0:6969, udp [::]:6969', PORT_OR_V6ONLY],
  ['udp [::]:6969, udp 192.0.2.1:6969', PORT_OR_V6ONLY],
  [
    'udp 0.0.0.0:6969, udp 127.0.0.1:6969',
    `tracker.toml:13:1: udp_trackers.1.bind_address: 127.0.0.1:6969 overlaps 0.0.0.0:6969 of udp_trackers.0.bind_address: ${PORT}`,
  ],
  // Only the wildcard has two families.
  ['http [fe80::1%2]:80, http [::]:80 v6only', PORT],
  // One server serves both only if it has one address.
  [
    'http 0.0.0.0:80, websocket 127.0.0.1:80',
    `0.0.0.0:80 of http_trackers.0.bind_address: ${PORT}`,
  ],
  ['http [::]:80, websocket 0.0.0.0:80', PORT_OR_V6ONLY],
  [
    'websocket 0.0.0.0:80, websocket 0.0.0.0:80',
    '0.0.0.0:80 overlaps 0.0.0.0:80 of websocket_trackers.0.bind_address',
  ],
  [
    'http 0.0.0.0:80, websocket 0.0.0.0:80, websocket 127.0.0.1:80',
    'websocket_trackers.1.bind_address: 127.0.0.1:80 overlaps 0.0.0.0:80 of http_trackers.0.bind_address',
  ],
  ['websocket 127.0.0.1:80, api 0.0.0.0:80', 'http_api.bind_address: 0.0.0.0:80 overlaps'],
  [
    'websocket 0.0.0.0:1313',
    'health_check_api.bind_address: 127.0.0.1:1313 overlaps 0.0.0.0:1313 of websocket_trackers.0.bind_address',
  ],
  // The API has no `network`.
  ['http 0.0.0.0:80, api [::]:80', PORT],
  [
    'http 0.0.0.0:1313',
    'tracker.toml:10:1: health_check_api.bind_address: 127.0.0.1:1313 overlaps 0.0.0.0:1313 of http_trackers.0.bind_address: ',
  ],
])('%s cannot be served: %#', (words, mistake) => {
  const mistakes = complaints(loadToml(listening(words)))
  expect(mistakes).toEqual([expect.stringContaining(mistake)])
  if (mistake === PORT) expect(mistakes[0]).toEndWith(PORT)
})

test.each([
  ['private_mode in a private tracker', `${PRIVATE}[core.private_mode]\n[core.database]\n`],
  ['UDP and HTTP on one port', listening('udp 0.0.0.0:80, http 0.0.0.0:80')],
  [
    'UDP, HTTP and WebSocket on one port',
    listening('udp [::]:80, http [::]:80, websocket [::]:80'),
  ],
  [
    'a WebSocket listener beside each HTTP listener of a port',
    listening(
      'http 0.0.0.0:80, http [::]:80 v6only, websocket [::]:80 v6only, websocket 0.0.0.0:80',
    ),
  ],
  ['HTTP and WebSocket on port 0', listening('http [::]:0, websocket [::]:0 v6only')],
  ['port 0 several times', listening('udp 0.0.0.0:0, udp 0.0.0.0:0')],
  ['a listener of each family', listening('udp 0.0.0.0:80, udp [::]:80 v6only')],
  ['an IPv4 address beside IPv6', listening('udp 127.0.0.1:80, udp [::]:80 v6only')],
  ['one port on two addresses', listening('udp 127.0.0.1:80, udp 127.0.0.2:80')],
  ['one port of two networks', listening('udp [fe80::1%2]:80, udp [fe80::1%3]:80')],
  ['the IPv4 wildcard beside an IPv6 address', listening('http 0.0.0.0:80, http [::1]:80')],
  ['a peer timeout equal to the interval', `${MINIMAL_3}[core.announce_policy]\ninterval = 900\n`],
  ['equal intervals', `${MINIMAL_3}[core.announce_policy]\ninterval = 5\ninterval_min = 5\n`],
  [
    'private_mode of schema 2.0.0',
    `${MINIMAL_2.replace('private = false', 'private = true')}[core.private_mode]\n`,
  ],
])('%s causes neither mistake nor warning', (_what, toml) => {
  expect(loaded(loadToml(toml)).warnings).toEqual([])
})

/** An HTTP and a WebSocket listener on one port, with these options; the first of each is in line 12 and 14. */
const sharing = (http: string, websocket: string): string =>
  `${MINIMAL_3}[[http_trackers]]\nbind_address = "[::]:443"\n${http}\n[[websocket_trackers]]\nbind_address = "[::]:443"\n${websocket}\n`
const tls = (name: string) =>
  `tls_config = { ssl_cert_path = "${name}.pem", ssl_key_path = "${name}.key" }`
const V6ONLY = 'network.ipv6_v6only = true'

test.each([
  [
    'another family',
    V6ONLY,
    '',
    '11:9: websocket_trackers.0.network.ipv6_v6only: expected true as in http_trackers.0, which has the same address and port, or another port',
  ],
  [
    'another family',
    '',
    V6ONLY,
    '14:9: websocket_trackers.0.network.ipv6_v6only: expected false as in http_trackers.0, which has the same address and port, or another port',
  ],
  [
    'a certificate that HTTP has not',
    '',
    tls('a'),
    '14:1: websocket_trackers.0.tls_config: http_trackers.0 has the same address and port, but no tls_config: move this one there, and it serves both, or give one of them another port',
  ],
  [
    'another certificate',
    tls('a'),
    tls('b'),
    '14:1: websocket_trackers.0.tls_config: http_trackers.0 has the same address and port, and its tls_config serves both: leave this one out, or give one of them another port',
  ],
  [
    'half a certificate',
    tls('a'),
    'tls_config.ssl_cert_path = "a.pem"',
    '14:1: websocket_trackers.0.tls_config.ssl_key_path: TLS needs both `ssl_cert_path` and `ssl_key_path`; this one is missing',
  ],
])('C19: a WebSocket listener on the port of an HTTP listener cannot have %s', (...row) => {
  const [, http, websocket, mistake] = row
  expect(complaints(loadToml(sharing(http, websocket)))).toEqual([`tracker.toml:${mistake}`])
})

test('C19: a WebSocket listener has the certificate of the HTTP listener on its port, or its own', () => {
  const served = (toml: string) =>
    listenersOf(loaded(loadToml(toml)).config)
      .filter(({ name }) => name === 'websocket_trackers.0')
      .map(({ scheme, tls_config, host }) => [scheme, tls_config?.ssl_cert_path, host?.name])
  expect(served(sharing('', ''))).toEqual([['ws', undefined, 'http_trackers.0']])
  for (const own of ['', tls('a')])
    expect(served(sharing(tls('a'), own))).toEqual([['wss', 'a.pem', 'http_trackers.0']])
  expect(served(`${MINIMAL_3}[[websocket_trackers]]\n${tls('b')}`)).toEqual([
    ['wss', 'b.pem', undefined],
  ])
})

test('C19: of different peer timeouts of WebSocket listeners the longest counts', () => {
  const listener = (port: number, timeout: number) =>
    `[[websocket_trackers]]\nbind_address = "[::]:${port}"\npeer_timeout = ${timeout}\n`
  const toml = `${MINIMAL_3}${listener(1, 241)}${listener(2, 400)}${listener(3, 400)}`
  expect(loaded(loadToml(toml)).warnings).toEqual([
    'tracker.toml:11:1: websocket_trackers.0.peer_timeout: 400 counts, the longest of all WebSocket listeners',
  ])
})

test('a minimum longer than the interval is a warning', () => {
  const toml = `${MINIMAL_3}[core.announce_policy]\ninterval = 100\ninterval_min = 101\n`
  expect(loaded(loadToml(toml)).warnings).toEqual([
    'tracker.toml:11:1: core.announce_policy.interval_min: 101 is longer than `interval`, 100: clients cannot keep to both',
  ])
})

test.each([
  ['the interval', 'announce_policy]\ninterval = 901', 900, 901],
  ['the timeout', 'tracker_policy]\nmax_peer_timeout = 119', 119, 120],
])('a peer timeout below the interval is a warning at %s', (_what, line, timeout, interval) => {
  expect(loaded(loadToml(`${MINIMAL_3}[core.${line}\n`)).warnings).toEqual([
    `tracker.toml:10:1: core.tracker_policy.max_peer_timeout: ${timeout} is shorter than ` +
      `\`core.announce_policy.interval\`, ${interval}: peers are forgotten before they announce again`,
  ])
})

test.each([
  ['0.0.0.0:1212', 'MyAccessToken', 1],
  ['[::]:1212', 'MyAccessToken', 1],
  ['192.0.2.1:1212', 'MyAccessToken', 1],
  ['127.0.0.1:1212', 'MyAccessToken', 0],
  ['127.9.9.9:1212', 'MyAccessToken', 0],
  ['[::1]:1212', 'MyAccessToken', 0],
  ['0.0.0.0:1212', 'another', 0],
])('an API on %s with the token %s makes %i warnings', (address, token, count) => {
  const toml = `${MINIMAL_3}[http_api]\nbind_address = "${address}"\naccess_tokens."a b" = "${token}"`
  const { warnings } = loaded(loadToml(toml))
  expect(warnings).toHaveLength(count)
  for (const warning of warnings) {
    expect(warning).toStartWith('tracker.toml:11:15: http_api.access_tokens."a b": a well-known')
    expect(warning).not.toContain(token)
  }
})

test('one token under two names is known by the first', () => {
  const tokens =
    '[http_api.access_tokens]\na = "hunter2"\n"b c" = "hunter2"\nd = { token = "hunter2" }'
  const { warnings } = loaded(loadToml(`${MINIMAL_3}${tokens}`))
  expect(warnings).toEqual([
    'tracker.toml:11:1: http_api.access_tokens."b c": the same token as a, by whose name it is known',
    'tracker.toml:12:7: http_api.access_tokens.d.token: the same token as a, by whose name it is known',
  ])
})

test('one token with two scopes is refused', () => {
  const tokens =
    '[http_api.access_tokens]\na = "hunter2"\nb = { token = "hunter2", scope = "read" }'
  expect(complaints(loadToml(`${MINIMAL_3}${tokens}`))).toEqual([
    'tracker.toml:11:7: http_api.access_tokens.b.token: the same token as a, but with another scope: one of them needs another token',
  ])
})

test('what is off needs neither keys nor a database, and half a time-out is often enough', () => {
  const off = `${MINIMAL_3}[core.accounting]\nlevel = "off"\nidle_write_interval = 9999\n`
  expect(loaded(loadToml(off)).config.core.accounting?.level).toBe('off')
  const on = `${PRIVATE}[core.database]\n[core.accounting]\nlevel = "users"\n`
  expect(loaded(loadToml(on)).config.core.accounting).toEqual({
    ...{ level: 'users', write_interval: 1, idle_write_interval: 450 },
    ...{ session_retention: 1_814_400, flags_retention: 7_776_000 },
    ...{ max_downloads: 0, max_peers_per_torrent: 0, up_percent: 100, down_percent: 100 },
    ...{ max_bytes_per_second: 1_250_000_000, over_speed: 'flag', store_clients: true },
    webhook: null,
  })
})
