/**
 * The rows of everything that listens: address, certificate and network of a listener, and the
 * tables of `[[udp_trackers]]` and `[[http_trackers]]`.
 */

import { printAddress, type SocketAddress } from '../wire/address.ts'
import type { HttpTrackerConfig, NetworkConfig, TlsConfig, UdpTrackerConfig } from './model.ts'
import { type ListOf, optional, type TableOf, value } from './setting-kinds.ts'
import { tomlString } from './toml-text.ts'
import { bindAddress, duration, externalIp, flag, text, url } from './value-checks.ts'

export const address = (ip: string, port: number, doc: string) =>
  value<SocketAddress>({ ip, port }, bindAddress, doc, {
    toml: (at) => tomlString(printAddress(at)),
    json: printAddress,
  })

export const TLS = {
  kind: 'table',
  doc: 'Serve HTTPS with this certificate instead of HTTP.',
  optional: true,
  rows: {
    ssl_cert_path: value('', text, 'PEM file with the certificate and its chain.', {
      needed: 'TLS needs both `ssl_cert_path` and `ssl_key_path`, this one is missing',
      example: '"/etc/ssl/tracker/fullchain.pem"',
    }),
    ssl_key_path: value('', text, 'PEM file with the private key.', {
      needed: 'TLS needs both `ssl_cert_path` and `ssl_key_path`, this one is missing',
      example: '"/etc/ssl/tracker/privkey.pem"',
    }),
  },
} satisfies TableOf<TlsConfig>

const NETWORK = {
  kind: 'table',
  doc: 'How this listener sees its clients.',
  rows: {
    external_ip: optional(
      externalIp,
      'Public address of this machine: given out in place of a loopback address of a peer.',
      { example: '"203.0.113.7"' },
    ),
    on_reverse_proxy: value(
      false,
      flag,
      'HTTP only: take the client address from the right-most X-Forwarded-For entry.',
    ),
    ipv6_v6only: value(
      false,
      flag,
      'Keep IPv4 clients off an IPv6 socket, so that a second listener can serve them.',
    ),
  },
} satisfies TableOf<NetworkConfig>

const USAGE_STATISTICS = value(false, flag, 'Count this listener in the statistics.')

export const UDP_TRACKERS = {
  kind: 'list',
  doc: 'A UDP listener. Repeat the section for more; without any, UDP is not served.',
  each: {
    kind: 'table',
    doc: '',
    rows: {
      bind_address: address('0.0.0.0', 6969, 'Address and port; port 0 = any free one.'),
      cookie_lifetime: value(120, duration, 'How long a connection id is good for.', {
        toml: (seconds) => {
          const { secs, nanos } = split(seconds)
          return `{ secs = ${secs}, nanos = ${nanos} }`
        },
        json: split,
      }),
      tracker_usage_statistics: USAGE_STATISTICS,
      public_url: optional(url('udp'), 'The URL under which clients know it.', {
        example: '"udp://tracker.example.com:6969/announce"',
      }),
      network: NETWORK,
    },
  },
} satisfies ListOf<UdpTrackerConfig>

export const HTTP_TRACKERS = {
  kind: 'list',
  doc: 'An HTTP listener. Repeat the section for more; without any, HTTP is not served.',
  each: {
    kind: 'table',
    doc: '',
    rows: {
      bind_address: address('0.0.0.0', 7070, 'Address and port; port 0 = any free one.'),
      tls_config: TLS,
      tracker_usage_statistics: USAGE_STATISTICS,
      use_ip_from_query_string: value(
        false,
        flag,
        'Believe the `ip` parameter of an announce. Only where every client is trusted.',
      ),
      public_url: optional(url('http', 'https'), 'The URL that clients know.', {
        example: '"https://tracker.example.com/announce"',
      }),
      network: NETWORK,
    },
  },
} satisfies ListOf<HttpTrackerConfig>

function split(seconds: number): { secs: number; nanos: number } {
  const secs = Math.floor(seconds)
  return { secs, nanos: Math.round((seconds - secs) * 1e9) }
}
