/**
 * `[core.database]` of schema 2.0.0 in the names of 3.0.0: always there, and for a database server
 * everything stands in one URL, in `path`. The URL holds a password, so no message repeats it.
 */
import { DATABASE_NAMES } from './database-settings.ts'
import type { Report } from './mistake.ts'
import { DEFAULT, type Node, nodeAt, type Place, type Scalar, scalar, table } from './tree.ts'

const SCHEMES = {
  mysql: ['mysql:', 'mariadb:'],
  postgresql: ['postgresql:', 'postgres:'],
} as const

/** A database with nothing written about it: SQLite at its default path. */
const SQLITE = table(new Map(), { source: DEFAULT, path: 'core.database' })

export function liftDatabase(node: Node | undefined, report: Report): Node {
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
  if (url.search !== '') report.warn(at, 'options behind the `?` of the URL are ignored')

  const entries = new Map<string, Node>([['driver', driver]])
  const set = (key: string, value: Scalar) => entries.set(key, scalar(value, at))
  // A stopgap where the URL says nothing: that mistake has been told.
  set('host', parts.host || '-')
  if (url.port !== '') set('port', BigInt(url.port))
  set('user', parts.user || '-')
  set('password', parts.password)
  set('database', parts.database || '-')
  return table(entries, node.at)
}

/** undefined: a percent escape is broken. */
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
