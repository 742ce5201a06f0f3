/** Options that are valid alone but not together. */
import { expect, test } from 'bun:test'
import { complaints, loaded, loadToml, MINIMAL_2, MINIMAL_3 } from '../support/config/loading.ts'

const PRIVATE = MINIMAL_3.replace('private = false', 'private = true')
const LISTED = MINIMAL_3.replace('listed = false', 'listed = true')
const listener = (kind: 'udp' | 'http', address: string, v6only = false) =>
  `[[${kind}_trackers]]\nbind_address = "${address}"\nnetwork.ipv6_v6only = ${v6only}\n`

test.each<[string, string, string[]]>([
  [
    'private_mode in a public tracker',
    `${MINIMAL_3}[core.private_mode]\n`,
    [
      'tracker.toml:9:1: core.private_mode: Private mode section in configuration can only be ' +
        'included when the tracker is running in private mode.',
    ],
  ],
  [
    'everything that needs a database, without one',
    `${LISTED.replace('private = false', 'private = true')}[core.tracker_policy]\npersistent_torrent_completed_stat = true\n`,
    [
      'tracker.toml:7:1: Configuration requires persistence for `core.listed`, but `[core.database]` is missing.',
      'tracker.toml:8:1: Configuration requires persistence for `core.private`, but `[core.database]` is missing.',
      'tracker.toml:10:1: Configuration requires persistence for `core.tracker_policy.persistent_torrent_completed_stat`, but `[core.database]` is missing.',
    ],
  ],
  [
    'stored counts in a tracker that does not count',
    `${MINIMAL_3}tracker_usage_statistics = false\n[core.database]\n[core.tracker_policy]\npersistent_torrent_completed_stat = true\n`,
    [
      'tracker.toml:12:1: core.tracker_policy.persistent_torrent_completed_stat: needs `core.tracker_usage_statistics = true`, found false',
    ],
  ],
  [
    'two UDP listeners on one address',
    MINIMAL_3 + listener('udp', '0.0.0.0:6969') + listener('udp', '0.0.0.0:6969'),
    [
      'tracker.toml:13:1: udp_trackers.1.bind_address: 0.0.0.0:6969 is taken by udp_trackers.0.bind_address',
    ],
  ],
  [
    'the same address spelt in two ways',
    MINIMAL_3 + listener('udp', '[::1]:6969') + listener('udp', '[0:0::1]:6969'),
    [
      'tracker.toml:13:1: udp_trackers.1.bind_address: [::1]:6969 is taken by udp_trackers.0.bind_address',
    ],
  ],
  [
    'the API on the address of an HTTP listener',
    `${MINIMAL_3 + listener('http', '127.0.0.1:7070')}[http_api]\nbind_address = "127.0.0.1:7070"\n`,
    [
      'tracker.toml:13:1: http_api.bind_address: 127.0.0.1:7070 is taken by http_trackers.0.bind_address',
    ],
  ],
  [
    'the API on the default address of the health check',
    `${MINIMAL_3}[http_api]\nbind_address = "127.0.0.1:1313"\n`,
    [
      'tracker.toml:10:1: health_check_api.bind_address: 127.0.0.1:1313 is taken by http_api.bind_address',
    ],
  ],
  [
    'an IPv4 listener beside an IPv6 one that serves both families',
    MINIMAL_3 + listener('udp', '0.0.0.0:6969') + listener('udp', '[::]:6969'),
    [
      'tracker.toml:13:1: udp_trackers.1.bind_address: [::]:6969 overlaps 0.0.0.0:6969 of udp_trackers.0.bind_address: ' +
        'one of them needs another port, or the IPv6 listener `ipv6_v6only = true` in its `network`',
    ],
  ],
  [
    'an address of the machine beside the wildcard',
    MINIMAL_3 + listener('udp', '0.0.0.0:6969') + listener('udp', '127.0.0.1:6969'),
    [
      'tracker.toml:13:1: udp_trackers.1.bind_address: 127.0.0.1:6969 overlaps 0.0.0.0:6969 of udp_trackers.0.bind_address: ' +
        'one of them needs another port',
    ],
  ],
  [
    'the same with IPv6, even with ipv6_v6only',
    MINIMAL_3 + listener('http', '[fe80::1%2]:80') + listener('http', '[::]:80', true),
    [
      'tracker.toml:13:1: http_trackers.1.bind_address: [::]:80 overlaps [fe80::1%2]:80 of http_trackers.0.bind_address: ' +
        'one of them needs another port',
    ],
  ],
  [
    'an IPv4 address beside an IPv6 listener that serves both families',
    MINIMAL_3 + listener('udp', '[::]:6969') + listener('udp', '192.0.2.1:6969'),
    [
      'tracker.toml:13:1: udp_trackers.1.bind_address: 192.0.2.1:6969 overlaps [::]:6969 of udp_trackers.0.bind_address: ' +
        'one of them needs another port, or the IPv6 listener `ipv6_v6only = true` in its `network`',
    ],
  ],
  [
    'the API, which has no network, beside an IPv4 listener',
    `${MINIMAL_3 + listener('http', '0.0.0.0:80')}[http_api]\nbind_address = "[::]:80"\n`,
    [
      'tracker.toml:13:1: http_api.bind_address: [::]:80 overlaps 0.0.0.0:80 of http_trackers.0.bind_address: ' +
        'one of them needs another port',
    ],
  ],
  [
    'an HTTP listener on every address, and the health check on its default one',
    MINIMAL_3 + listener('http', '0.0.0.0:1313'),
    [
      'tracker.toml:10:1: health_check_api.bind_address: 127.0.0.1:1313 overlaps 0.0.0.0:1313 of http_trackers.0.bind_address: ' +
        'one of them needs another port',
    ],
  ],
])('%s is refused', (_what, toml, mistakes) => {
  expect(complaints(loadToml(toml))).toEqual(mistakes)
})

test.each([
  ['private_mode in a private tracker', `${PRIVATE}[core.private_mode]\n[core.database]\n`],
  [
    'UDP and HTTP on one port',
    MINIMAL_3 + listener('udp', '0.0.0.0:80') + listener('http', '0.0.0.0:80'),
  ],
  ['port 0 several times', MINIMAL_3 + listener('udp', '0.0.0.0:0') + listener('udp', '0.0.0.0:0')],
  [
    'an IPv6 listener with ipv6_v6only',
    MINIMAL_3 + listener('udp', '0.0.0.0:80') + listener('udp', '[::]:80', true),
  ],
  [
    'one port on two addresses',
    MINIMAL_3 + listener('udp', '127.0.0.1:80') + listener('udp', '127.0.0.2:80'),
  ],
  [
    'one port of two networks of one link-local address',
    MINIMAL_3 + listener('udp', '[fe80::1%2]:80') + listener('udp', '[fe80::1%3]:80'),
  ],
  [
    'an IPv4 address beside an IPv6 listener with ipv6_v6only',
    MINIMAL_3 + listener('udp', '127.0.0.1:80') + listener('udp', '[::]:80', true),
  ],
  [
    'the IPv4 wildcard beside an IPv6 address',
    MINIMAL_3 + listener('http', '0.0.0.0:80') + listener('http', '[::1]:80'),
  ],
  ['a peer timeout equal to the interval', `${MINIMAL_3}[core.announce_policy]\ninterval = 900\n`],
  ['equal intervals', `${MINIMAL_3}[core.announce_policy]\ninterval = 5\ninterval_min = 5\n`],
  [
    'private_mode of schema 2.0.0',
    `${MINIMAL_2.replace('private = false', 'private = true')}[core.private_mode]\n`,
  ],
])('%s causes neither mistake nor warning', (_what, toml) => {
  expect(loaded(loadToml(toml)).warnings).toEqual([])
})

test('a minimum longer than the interval is a warning', () => {
  const toml = `${MINIMAL_3}[core.announce_policy]\ninterval = 100\ninterval_min = 101\n`
  expect(loaded(loadToml(toml)).warnings).toEqual([
    'tracker.toml:11:1: core.announce_policy.interval_min: 101 is longer than `interval`, 100: clients cannot keep to both',
  ])
})

test.each([
  [
    'of the interval',
    '[core.announce_policy]\ninterval = 901\n',
    'tracker.toml:10:1: core.tracker_policy.max_peer_timeout: 900 is',
    901,
  ],
  [
    'of the timeout',
    '[core.tracker_policy]\nmax_peer_timeout = 119\n',
    'tracker.toml:10:1: core.tracker_policy.max_peer_timeout: 119 is',
    120,
  ],
])(
  'a peer timeout below the interval is a warning at the place %s',
  (_what, toml, begin, interval) => {
    expect(loaded(loadToml(MINIMAL_3 + toml)).warnings).toEqual([
      `${begin} shorter than \`core.announce_policy.interval\`, ${interval}: peers are forgotten before they announce again`,
    ])
  },
)

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

test.each([
  ['no API', '', false],
  ['an API without a token', '[http_api]', true],
  ['an API with a token', '[http_api.access_tokens]\na = "x"', false],
])('with %s a token is needed: %#', (_what, toml, needed) => {
  expect(loaded(loadToml(`${MINIMAL_3}${toml}\n`)).apiNeedsToken).toBe(needed)
})
