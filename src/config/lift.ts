/**
 * Lifts a tree written in schema 2.0.0, early or late form, into the names of schema 3.0.0 (docs/behaviours.md
 * C1). Pure. Every node keeps the place where it was written, so mistakes are reported in the names of the
 * file. An option that 2.0.0 does not have is only a warning (C4).
 */
import { didYouMean } from '../text/nearest.ts'
import { DATABASE_NAMES } from './database-settings.ts'
import { found, type Report } from './mistake.ts'
import {
  DEFAULT,
  type ListNode,
  list,
  type Node,
  nodeAt,
  type Place,
  type Scalar,
  scalar,
  type TableNode,
  table,
} from './tree.ts'
import { isWildcard } from './value-checks.ts'

/** Names of schema 2.0.0 with all later additions; `true` = a value, or a table of free keys. */
type Names = { readonly [name: string]: true | Names }

const LISTENER: Names = { bind_address: true, tracker_usage_statistics: true, ipv6_v6only: true }
const TSL: Names = { ssl_cert_path: true, ssl_key_path: true }
const NAMES: Names = {
  metadata: { app: true, purpose: true, schema_version: true },
  logging: { threshold: true },
  core: {
    announce_policy: { interval: true, interval_min: true, max_peers_per_announce: true },
    database: { driver: true, path: true },
    inactive_peer_cleanup_interval: true,
    listed: true,
    net: { external_ip: true, on_reverse_proxy: true },
    private: true,
    private_mode: { check_keys_expiration: true },
    tracker_policy: {
      max_peer_timeout: true,
      persistent_torrent_completed_stat: true,
      remove_peerless_torrents: true,
    },
    tracker_usage_statistics: true,
  },
  udp_trackers: { ...LISTENER, cookie_lifetime: true, max_connection_id_errors_per_ip: true },
  http_trackers: { ...LISTENER, tsl_config: TSL },
  http_api: { bind_address: true, tsl_config: TSL, access_tokens: true },
  health_check_api: { bind_address: true },
  abuse: true,
  runtime: true,
}

export function lift(tree: TableNode, report: Report): TableNode {
  const known = prune(tree, NAMES, report) as TableNode
  const root = new Map(known.entries)

  const edit = (name: string, change: (entries: Map<string, Node>) => void) => {
    const node = root.get(name)
    if (node?.kind !== 'table') return
    const entries = new Map(node.entries)
    change(entries)
    root.set(name, table(entries, node.at))
  }
  edit('logging', (logging) => rename(logging, 'threshold', 'trace_filter'))
  edit('http_api', (api) => rename(api, 'tsl_config', 'tls_config'))
  edit('core', (core) => {
    core.delete('net')
    core.set('database', liftDatabase(core.get('database'), report))
  })
  for (const name of ['udp_trackers', 'http_trackers']) {
    const listeners = root.get(name)
    if (listeners?.kind === 'list') root.set(name, liftListeners(listeners, known, report))
  }
  const limit = banLimit(known.entries.get('udp_trackers'), report)
  if (limit)
    root.set(
      'udp_tracker_server',
      table(new Map([['max_connection_id_errors_per_ip', limit]]), limit.at),
    )
  return table(root, known.at)
}

/** The tree without the keys that the schema does not have; each is a warning. */
function prune(node: Node, names: Names, report: Report): Node {
  // The names of a list are those of its elements.
  if (node.kind === 'list')
    return list(
      node.items.map((item) => prune(item, names, report)),
      node.at,
    )
  if (node.kind !== 'table') return node
  const entries = new Map<string, Node>()
  for (const [key, value] of node.entries) {
    const below = Object.hasOwn(names, key) ? names[key] : undefined
    if (below === undefined)
      report.warn(value.at, `unknown option, ignored${didYouMean(key, Object.keys(names))}`)
    else entries.set(key, below === true ? value : prune(value, below, report))
  }
  return table(entries, node.at)
}

/** The default of schema 2.0.0. */
const COUNTED = scalar(true, { source: DEFAULT, path: 'core.tracker_usage_statistics' })

function liftListeners(listeners: ListNode, known: TableNode, report: Report): ListNode {
  const net = nodeAt(known, 'core', 'net')
  if (net && net.kind !== 'table') report.mistake(net.at, `expected a table, ${found(net)}`)
  const externalIp = nodeAt(net, 'external_ip')
  const onReverseProxy = nodeAt(net, 'on_reverse_proxy')
  // A listener without a switch of its own follows the global one, which was the only one at first.
  const counted = nodeAt(known, 'core', 'tracker_usage_statistics')

  return list(
    listeners.items.map((listener) => {
      if (listener.kind !== 'table') return listener
      const entries = new Map(listener.entries)
      const network = new Map<string, Node>()
      if (externalIp && !isWildcard(externalIp)) network.set('external_ip', externalIp)
      if (onReverseProxy) network.set('on_reverse_proxy', onReverseProxy)
      const v6only = entries.get('ipv6_v6only')
      if (v6only) network.set('ipv6_v6only', v6only)
      if (network.size > 0) entries.set('network', table(network, listener.at))
      entries.delete('ipv6_v6only')
      entries.delete('max_connection_id_errors_per_ip')
      rename(entries, 'tsl_config', 'tls_config')
      if (!entries.has('tracker_usage_statistics'))
        entries.set('tracker_usage_statistics', counted ?? COUNTED)
      return table(entries, listener.at)
    }),
    listeners.at,
  )
}

/** Each UDP listener had its own limit; now all share one: the largest. */
function banLimit(listeners: Node | undefined, report: Report): Node | undefined {
  if (listeners?.kind !== 'list') return undefined
  let most: { node: Node; value: bigint } | undefined
  for (const listener of listeners.items) {
    const limit = nodeAt(listener, 'max_connection_id_errors_per_ip')
    if (!limit) continue
    // Anything but a number is passed on and becomes a mistake when it is read.
    if (limit.kind !== 'scalar' || typeof limit.value !== 'bigint') return limit
    if (most && most.value !== limit.value)
      report.warn(limit.at, 'all UDP listeners share one limit, the largest that is given')
    if (!most || limit.value > most.value) most = { node: limit, value: limit.value }
  }
  return most?.node
}

function rename(entries: Map<string, Node>, from: string, to: string): void {
  const node = entries.get(from)
  if (!node) return
  entries.delete(from)
  entries.set(to, node)
}

/**
 * `[core.database]` in the names of 3.0.0. In 2.0.0 there is always a database, and `path` holds a URL with
 * everything about a server. The URL contains a password, so no message repeats it.
 */
const SCHEMES = {
  mysql: ['mysql:', 'mariadb:'],
  postgresql: ['postgresql:', 'postgres:'],
} as const

/** The database when nothing is written: SQLite at its default path. */
const SQLITE = table(new Map(), { source: DEFAULT, path: 'core.database' })

function liftDatabase(node: Node | undefined, report: Report): Node {
  if (node === undefined) return SQLITE
  if (node.kind !== 'table') return node
  const driver = nodeAt(node, 'driver')
  const name = driver?.kind === 'scalar' ? driver.value : undefined
  if (!driver || (name !== 'mysql' && name !== 'postgresql')) return node

  const path = nodeAt(node, 'path')
  const at: Place = path?.at ?? { ...driver.at, path: 'core.database.path' }
  const url =
    path?.kind === 'scalar' && typeof path.value === 'string' ? URL.parse(path.value) : null
  const parts = url && (SCHEMES[name] as readonly string[]).includes(url.protocol) && split(url)
  if (!url || !parts) {
    report.mistake(
      at,
      `path for ${DATABASE_NAMES[name]} driver should be a valid URL: ` +
        `expected ${SCHEMES[name][0]}//user:password@host:port/database`,
    )
    return SQLITE
  }
  for (const part of ['host', 'user', 'database'] as const)
    if (parts[part] === '') report.mistake(at, `expected a ${part} in the URL, found none`)
  if (url.search !== '') report.warn(at, 'options after the `?` of the URL are ignored')

  const entries = new Map<string, Node>([['driver', driver]])
  const set = (key: string, value: Scalar) => entries.set(key, scalar(value, at))
  // `-` is a placeholder where the URL lacks a part, which has been reported.
  set('host', parts.host || '-')
  if (url.port !== '') set('port', BigInt(url.port))
  set('user', parts.user || '-')
  set('password', parts.password)
  set('database', parts.database || '-')
  return table(entries, node.at)
}

/** undefined: a percent escape is malformed. */
function split(url: URL) {
  try {
    return {
      host: url.hostname.replace(/^\[(.*)\]$/, '$1'),
      user: decodeURIComponent(url.username),
      password: decodeURIComponent(url.password),
      database: decodeURIComponent(url.pathname.slice(1)),
    }
  } catch {
    return undefined
  }
}
