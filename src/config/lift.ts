/**
 * Lifts a tree written in schema 2.0.0, early or late form, into the names of schema 3.0.0 (docs/behaviours.md
 * C1). Pure. Every node keeps the place where it was written, so mistakes are reported in the names of the
 * file.
 */
import { didYouMean } from '../text/nearest.ts'
import { DATABASE_NAMES } from './database-settings.ts'
import type { Report } from './mistake.ts'
import {
  DEFAULT,
  list,
  merge,
  type Node,
  nodeAt,
  type Scalar,
  scalar,
  type TableNode,
  table,
} from './tree.ts'
import { isWildcard } from './value-checks.ts'

type Entries = Map<string, Node>

/**
 * Options that came with 3.0.0, and what 2.0.0 has in their place. The trackers of that time ignore them, so a file of
 * 2.0.0 that has one must not suddenly be served otherwise.
 */
const NEWER: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  '': { udp_tracker_server: 'udp_trackers.max_connection_id_errors_per_ip' },
  logging: { trace_style: '' },
  udp_trackers: { network: 'core.net', public_url: '' },
  http_trackers: {
    ...{ tls_config: 'tsl_config', network: 'core.net', public_url: '' },
    use_ip_from_query_string: '',
  },
  http_api: { tls_config: 'tsl_config', public_url: '' },
}

export function lift(tree: TableNode, report: Report): TableNode {
  const older = withoutNewer(tree, '', report)
  const root: Entries = new Map(older.kind === 'table' ? older.entries : [])
  const core = root.get('core')
  const limit = banLimit(root.get('udp_trackers'), report)
  if (limit)
    root.set(
      'udp_tracker_server',
      table(new Map([['max_connection_id_errors_per_ip', limit]]), limit.at),
    )
  change(root, 'logging', (logging) => move(logging, 'threshold', 'trace_filter'))
  change(root, 'http_api', (api) => move(api, 'tsl_config', 'tls_config'))
  change(root, 'core', (entries) => {
    entries.delete('net')
    entries.set('database', liftDatabase(entries.get('database'), report))
  })
  for (const name of ['udp_trackers', 'http_trackers', 'websocket_trackers']) {
    const listeners = root.get(name)
    if (listeners?.kind === 'list')
      root.set(
        name,
        list(
          listeners.items.map((one) =>
            edited(one, (entries) => liftListener(name, entries, one, core)),
          ),
          listeners.at,
        ),
      )
  }
  return table(root, tree.at)
}

/** `node`, which stands under `name`, without options of 3.0.0; each is a warning. */
function withoutNewer(node: Node, name: string, report: Report): Node {
  const newer = NEWER[name]
  if (!newer) return node
  if (node.kind === 'list')
    return list(
      node.items.map((item) => withoutNewer(item, name, report)),
      node.at,
    )
  return edited(node, (entries) => {
    for (const [key, value] of entries)
      if (Object.hasOwn(newer, key)) {
        entries.delete(key)
        const instead = newer[key] ? `, did you mean ${newer[key]}?` : ''
        report.warn(value.at, `an option of schema 3.0.0, ignored in a file of 2.0.0${instead}`)
      } else if (name === '') entries.set(key, withoutNewer(value, key, report))
  })
}

/** A copy of a table with other entries; anything else becomes a mistake when it is read. */
function edited(node: Node, edit: (entries: Entries) => void): Node {
  if (node.kind !== 'table') return node
  const entries = new Map(node.entries)
  edit(entries)
  return table(entries, node.at)
}

function change(entries: Entries, key: string, edit: (entries: Entries) => void): void {
  const node = entries.get(key)
  if (node) entries.set(key, edited(node, edit))
}

function move(from: Entries, name: string, newName: string, to = from): void {
  const node = from.get(name)
  if (!node) return
  from.delete(name)
  to.set(newName, node)
}

/** The default of schema 2.0.0. */
const COUNTED = scalar(true, { source: DEFAULT, path: 'core.tracker_usage_statistics' })

function liftListener(name: string, entries: Entries, { at }: Node, core: Node | undefined): void {
  const network = edited(nodeAt(core, 'net') ?? table(new Map(), at), (options) => {
    const externalIp = options.get('external_ip')
    // A browser's address is not told to others.
    if (externalIp && (isWildcard(externalIp) || name === 'websocket_trackers'))
      options.delete('external_ip')
    move(entries, 'ipv6_v6only', 'ipv6_v6only', options)
  })
  // Only a WebSocket listener, which 2.0.0 does not know, can have one of its own here.
  const own = entries.get('network')
  entries.set('network', own ? merge(network, own) : network)
  entries.delete('max_connection_id_errors_per_ip')
  move(entries, 'tsl_config', 'tls_config')
  // A listener without a switch of its own follows the global one, which was the only one at first.
  if (!entries.has('tracker_usage_statistics'))
    entries.set('tracker_usage_statistics', nodeAt(core, 'tracker_usage_statistics') ?? COUNTED)
}

/** Each UDP listener had its own limit; now all share one: the largest. */
function banLimit(listeners: Node | undefined, report: Report): Node | undefined {
  const limits = (listeners?.kind === 'list' ? listeners.items : []).flatMap(
    (listener) => nodeAt(listener, 'max_connection_id_errors_per_ip') ?? [],
  )
  const value = (limit: Node) => (limit.kind === 'scalar' ? limit.value : null)
  // It becomes a mistake when it is read.
  const wrong = limits.find((limit) => typeof value(limit) !== 'bigint')
  if (wrong) return wrong
  const most = limits.toSorted((a, b) => Number(value(b)) - Number(value(a)))[0]
  if (most && limits.some((limit) => value(limit) !== value(most)))
    report.warn(most.at, 'all UDP listeners share one limit, the largest that is given')
  return most
}

/** The database when nothing is written: SQLite at its default path. */
const SQLITE = table(new Map(), { source: DEFAULT, path: 'core.database' })

const SCHEMES = {
  mysql: ['mysql:', 'mariadb:'],
  postgresql: ['postgresql:', 'postgres:'],
} as const

/** What `[core.database]` has in 2.0.0, and a file for the password, which is our own. */
const OPTIONS = ['path', 'driver', 'password_file']

/**
 * `[core.database]` in the names of 3.0.0. In 2.0.0 there is always a database, and `path` holds a URL with
 * everything about a server. The URL contains a password, so no message repeats it.
 */
function liftDatabase(node: Node | undefined, report: Report): Node {
  if (node?.kind !== 'table') return node ?? SQLITE
  const entries: Entries = new Map()
  for (const [key, value] of node.entries)
    if (OPTIONS.includes(key)) entries.set(key, value)
    else report.warn(value.at, `unknown option, ignored${didYouMean(key, OPTIONS)}`)

  const driver = entries.get('driver')
  const name = driver?.kind === 'scalar' ? driver.value : undefined
  if (name === 'mysql' || name === 'postgresql') {
    const path = entries.get('path')
    const at = path?.at ?? { ...node.at, path: 'core.database.path' }
    const text = path?.kind === 'scalar' ? path.value : undefined
    const parts = typeof text === 'string' ? urlParts(text, SCHEMES[name]) : undefined
    if (!parts) {
      report.mistake(
        at,
        `path for ${DATABASE_NAMES[name]} driver should be a valid URL: ` +
          `expected ${SCHEMES[name][0]}//user:password@host:port/database`,
      )
      return SQLITE
    }
    if (parts.hasOptions) report.warn(at, 'options after the `?` of the URL are ignored')
    entries.delete('path')
    for (const [key, value] of Object.entries(parts.options)) {
      // The password may stand in a file instead.
      const isElsewhere = key === 'password' && value === '' && entries.has('password_file')
      if (!isElsewhere) entries.set(key, scalar(value, at))
    }
  }
  return table(entries, node.at)
}

/** undefined: it is not such a URL. */
function urlParts(text: string, schemes: readonly string[]) {
  const url = URL.parse(text)
  if (!url || !schemes.includes(url.protocol)) return undefined
  try {
    const options: Record<string, Scalar> = {
      host: url.hostname.replace(/^\[(.*)\]$/, '$1'),
      user: decodeURIComponent(url.username),
      password: decodeURIComponent(url.password),
      database: decodeURIComponent(url.pathname.slice(1)),
    }
    if (options.host === '' || options.user === '' || options.database === '') return undefined
    if (url.port !== '') options.port = BigInt(url.port)
    return { options, hasOptions: url.search !== '' }
  } catch {
    // A percent escape is malformed.
    return undefined
  }
}
