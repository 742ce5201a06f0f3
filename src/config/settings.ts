/**
 * The settings table: every option of schema 3.0.0 (docs/behaviours.md C3) and of this tracker's own tables. The
 * types of the model follow from it. Rows stand in the order of the start-up dump (C11).
 */
import { LIMITS } from '../limits.ts'
import { printAddress, type SocketAddress } from '../wire/address.ts'
import { ACCOUNTING } from './accounting-settings.ts'
import { DATABASE } from './database-settings.ts'
import { FILE_DEFAULTS } from './defaults.ts'
import { eitherForm, secretOf } from './secret-files.ts'
import {
  type Context,
  list,
  optional,
  optionalSection,
  section,
  type ValueOf,
  value,
} from './setting-kinds.ts'
import type { TableNode } from './tree.ts'
import {
  bindAddress,
  bytes,
  duration,
  externalIp,
  flag,
  oneOf,
  origins,
  printBytes,
  secret,
  text,
  url,
  wholeNumber,
} from './value-checks.ts'

/** Clients read intervals as signed 32-bit numbers. */
const MOST_INTERVAL = 2 ** 31 - 1
const MOST_U32 = 2 ** 32 - 1
/** The reference takes 64 bits; numbers beyond this are not exact here. */
const MOST_U64 = Number.MAX_SAFE_INTEGER

const address = (ip: string, port: number, doc: string) =>
  value<SocketAddress>({ ip, port }, bindAddress, doc, { plain: printAddress })

export const TLS = optionalSection('Serve HTTPS with this certificate instead of HTTP.', {
  ssl_cert_path: value('', text, 'PEM file with the certificate and its chain.', {
    needed: 'TLS needs both `ssl_cert_path` and `ssl_key_path`; this one is missing',
    example: '"/etc/ssl/tracker/fullchain.pem"',
  }),
  ssl_key_path: value('', text, 'PEM file with the private key.', {
    needed: 'TLS needs both `ssl_cert_path` and `ssl_key_path`; this one is missing',
    example: '"/etc/ssl/tracker/privkey.pem"',
  }),
})

export const NETWORK = section('How this listener sees the addresses of its clients.', {
  external_ip: optional(
    externalIp,
    'Public address of this machine: replaces the loopback addresses of peers.',
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
})

const LISTENER_DOC = `Address and port. [::] = every address, IPv4 and IPv6; port 0 = any free port. Default: ${FILE_DEFAULTS.ip}.`
const USAGE_STATISTICS = value(false, flag, 'Count this listener in the statistics.')

export const UDP_TRACKER = section(
  'A UDP listener. Repeat the section for more; without one, UDP is not served.',
  {
    bind_address: address(FILE_DEFAULTS.ip, 6969, LISTENER_DOC),
    /** Seconds; may have a fraction. */
    cookie_lifetime: value(120, duration, 'How long a connection id is valid.', {
      plain: split,
    }),
    tracker_usage_statistics: USAGE_STATISTICS,
    public_url: optional(url('udp'), 'The URL that clients use.', {
      example: '"udp://tracker.example.com:6969/announce"',
    }),
    network: NETWORK,
  },
)

export const HTTP_TRACKER = section(
  'An HTTP listener. Repeat the section for more; without one, HTTP is not served.',
  {
    bind_address: address(FILE_DEFAULTS.ip, 7070, LISTENER_DOC),
    tls_config: TLS,
    tracker_usage_statistics: USAGE_STATISTICS,
    use_ip_from_query_string: value(
      false,
      flag,
      'Take the address of a peer from the `ip` parameter. Only where every client is trusted.',
    ),
    public_url: optional(url('http', 'https'), 'The URL that clients use.', {
      example: '"https://tracker.example.com/announce"',
    }),
    network: NETWORK,
    public_page: value(
      false,
      flag,
      'Show people who open this address in a browser how to announce, and how many torrents and peers there are.',
    ),
  },
)

export const WEBSOCKET_TRACKER = section(
  'A WebSocket listener, for WebTorrent in browsers. Repeat the section for more; without one, browsers are not served.',
  {
    bind_address: address(
      FILE_DEFAULTS.ip,
      8000,
      'Address and port; that of an HTTP listener is allowed: then one port serves both.',
    ),
    tls_config: optionalSection(
      "Serve wss:// with this certificate instead of ws://. On the port of an HTTP listener, that listener's certificate serves both.",
      TLS.rows,
    ),
    tracker_usage_statistics: USAGE_STATISTICS,
    public_url: optional(url('ws', 'wss'), 'The URL that clients use.', {
      example: '"wss://tracker.example.com"',
    }),
    announce_interval: value(
      120,
      wholeNumber(1, MOST_INTERVAL),
      'Seconds a browser should wait between two announces.',
    ),
    peer_timeout: value(
      300,
      wholeNumber(3, MOST_U32),
      'Seconds after its last announce when a peer is forgotten; more than twice `announce_interval`. The longest of all WebSocket listeners counts.',
    ),
    max_offers: value(
      10,
      wholeNumber(0, 50),
      'Maximum number of offers of one announce that are passed on to other peers.',
    ),
    max_connections: value(
      0,
      wholeNumber(0, MOST_U32),
      'Connections at a time; 0 = as many as the limit of open files allows, less 20 %.',
    ),
    max_connections_per_ip: value(
      0,
      wholeNumber(0, MOST_U32),
      'Connections that one address may have at a time; 0 = no limit.',
    ),
    allowed_origins: value<readonly string[]>(
      [],
      origins,
      'Web sites whose pages may connect; empty = any. Clients that are no browser name none and always may.',
      { example: '["https://example.com"]' },
    ),
    network: section('How this listener sees the addresses of its clients.', {
      on_reverse_proxy: value(
        false,
        flag,
        'Take the client address from the right-most X-Forwarded-For entry.',
      ),
      ipv6_v6only: NETWORK.rows.ipv6_v6only,
    }),
  },
)

function split(seconds: number): { secs: number; nanos: number } {
  const secs = Math.floor(seconds)
  return { secs, nanos: Math.round((seconds - secs) * 1e9) }
}

/** What a token may do: everything, look, or read the metrics only. Each includes the next. */
export type Scope = 'all' | 'read' | 'metrics'

export interface AccessToken {
  readonly token: string
  /** The file that it was read from, as it is written. */
  readonly token_file?: string
  readonly scope: Scope
}

const TOKEN_ROWS = {
  token: optional(secret, 'The secret itself.', { secret: true, example: '"a long random text"' }),
  token_file: optional(text, 'A file that holds the token, in place of `token`.', {
    example: '"/etc/tracker/token"',
  }),
  scope: value<Scope>(
    'all',
    oneOf('all', 'read', 'metrics'),
    '`all` may do everything, `read` may look and change nothing, `metrics` may read the metrics only.',
  ),
}

const ACCESS_TOKEN = {
  ...section('', TOKEN_ROWS),
  short: 'token',
  schema: eitherForm('token'),

  finish(
    rows: ValueOf<{ rows: typeof TOKEN_ROWS }>,
    node: TableNode,
    context: Context,
  ): AccessToken {
    const token = secretOf('token', rows, node, context)
    if (!token) context.report.mistake(node.at, 'needs a `token` or a `token_file`')
    const { value = '', file } = token ?? {}
    return { token: value, ...(file !== undefined && { token_file: file }), scope: rows.scope }
  },
} as const

export const SETTINGS = section('', {
  metadata: section('What this file is.', {
    app: value('torrust-tracker', oneOf('torrust-tracker'), 'The application it is for.'),
    purpose: value('configuration', oneOf('configuration'), 'What it is for.'),
    schema_version: value('3.0.0', oneOf('2.0.0', '3.0.0'), 'Version of the format.', {
      schema: { enum: ['3.0.0'] },
    }),
  }),
  logging: section('What is written to standard output.', {
    trace_filter: value(
      'info',
      oneOf('off', 'error', 'warn', 'info', 'debug', 'trace'),
      'The least severe level that is written: off, error, warn, info, debug or trace.',
    ),
    trace_style: value(
      'full',
      oneOf('full', 'pretty', 'compact', 'json'),
      'Layout of a line: full, pretty, compact or json.',
      { restart: true },
    ),
  }),
  core: section('What the tracker does over every protocol.', {
    accounting: ACCOUNTING,
    announce_policy: section('What clients are told about announcing.', {
      interval: value(
        FILE_DEFAULTS.interval,
        wholeNumber(0, MOST_INTERVAL),
        `Seconds a client should wait between two announces. Default: ${FILE_DEFAULTS.interval}.`,
      ),
      interval_min: value(
        FILE_DEFAULTS.interval_min,
        wholeNumber(0, MOST_INTERVAL),
        `Seconds it must wait at least. Sent to HTTP clients only. Default: ${FILE_DEFAULTS.interval_min}.`,
      ),
      max_peers_per_announce: value(
        74,
        wholeNumber(1, LIMITS.peersPerAnswer),
        'Maximum number of peers in one answer.',
      ),
    }),
    database: DATABASE,
    inactive_peer_cleanup_interval: value(
      600,
      wholeNumber(0, MOST_U64),
      'Seconds between two sweeps that remove expired peers; 0 = never sweep.',
    ),
    listed: value(false, flag, 'Serve only torrents on the whitelist.'),
    private: value(false, flag, 'Serve only clients with a key.'),
    private_mode: optionalSection('Only allowed with `private = true`.', {
      check_keys_expiration: value(true, flag, 'Refuse keys that have expired.'),
    }),
    tracker_policy: section('What is kept, and for how long.', {
      max_peer_timeout: value(
        FILE_DEFAULTS.max_peer_timeout,
        wholeNumber(0, MOST_U32),
        `Seconds after its last announce when a peer is forgotten. Default: ${FILE_DEFAULTS.max_peer_timeout}.`,
      ),
      persistent_torrent_completed_stat: value(
        false,
        flag,
        'Keep the number of completed downloads of each torrent in the database.',
        { restart: true },
      ),
      remove_peerless_torrents: value(true, flag, 'Forget a torrent whose last peer is gone.'),
    }),
    tracker_usage_statistics: value(true, flag, 'Count requests and keep statistics.'),
  }),
  udp_trackers: list(UDP_TRACKER),
  http_trackers: list(HTTP_TRACKER),
  websocket_trackers: list(WEBSOCKET_TRACKER),
  udp_tracker_server: section('What all UDP listeners share.', {
    ip_bans_reset_interval_in_secs: value(
      86_400,
      wholeNumber(3600, MOST_U64),
      'Seconds after which all wrong connection ids are forgotten; at least 3600.',
    ),
    max_connection_id_errors_per_ip: value(
      10,
      wholeNumber(0, MOST_U32),
      'Number of wrong connection ids from one address that are answered with an error; see `abuse.id_errors`.',
    ),
    connection_id_validation: value(
      'strict',
      oneOf('strict', 'disabled'),
      '`disabled` serves requests with any connection id, which invites abuse.',
    ),
  }),
  http_api: optionalSection(
    'The API for operators: statistics, torrents, keys, whitelist. Without this section there is none.',
    {
      bind_address: address('127.0.0.1', 1212, 'Address and port; port 0 = any free port.'),
      tls_config: TLS,
      access_tokens: {
        ...section(
          'Who may use the API, one line each: a name and a secret token. ' +
            '`name = { token = "...", scope = "read" }` may look and change nothing, ' +
            '`scope = "metrics"` may read the metrics only, and `token_file` names a file that holds the token.',
          {},
        ),
        others: ACCESS_TOKEN,
        example: 'admin = "a long random text"',
      },
      public_url: optional(url('http', 'https'), 'The URL at which the API is reached.', {
        example: '"https://tracker.example.com/api"',
      }),
    },
  ),
  health_check_api: section('Reports whether every listener is up. Always on.', {
    bind_address: address('127.0.0.1', 1313, 'Address and port; port 0 = any free port.'),
  }),
  abuse: section('What is done about harmful clients.', {
    id_errors: value(
      'suppress',
      oneOf('suppress', 'ban'),
      'What happens to an address that sent too many wrong connection ids: `suppress` drops its requests with a wrong id and serves the others; `ban` drops them all, so that anyone who forges addresses can silence others.',
    ),
    max_new_rows_per_second: value(
      100,
      wholeNumber(0, MOST_U32),
      'Torrents per second that get a row in the database at their first completed download, with bursts of ' +
        '1000 times as many after a quiet time; 0 = no limit. Torrents that have a row are always counted.',
    ),
    max_connections_per_address: value(
      512,
      wholeNumber(0, MOST_U32),
      'Connections that one address may have to the HTTP trackers at a time; 0 = no limit. Does not apply behind a proxy.',
    ),
  }),
  runtime: section('Resources of the machine that the tracker may use.', {
    workers: value(0, wholeNumber(0, 256), 'Threads that serve clients; 0 = one per core.', {
      restart: true,
    }),
    /** Bytes. */
    max_memory: value(
      0,
      bytes(16 * 2 ** 20),
      'Memory for torrents and peers, like "512MiB" or "4GiB"; 0 = half of the memory of the machine or container.',
      { plain: printBytes, restart: true },
    ),
  }),
})
