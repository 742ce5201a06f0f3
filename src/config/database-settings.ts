/**
 * The table of `[core.database]`: which options go with which driver (docs/behaviours.md C9). Messages begin
 * with the words of the reference.
 */

import { isOverride, PREFIX } from './overrides.ts'
import { eitherForm, secretOf } from './secret-files.ts'
import { type Context, optional, type Table, type ValueOf, value } from './setting-kinds.ts'
import type { TableNode } from './tree.ts'
import { anySecret, oneOf, text, wholeNumber } from './value-checks.ts'

export type DatabaseConfig =
  | { readonly driver: 'sqlite3'; readonly path: string }
  | {
      readonly driver: 'mysql' | 'postgresql'
      readonly host: string
      readonly port: number
      readonly user: string
      readonly password: string
      /** The file that it was read from, as it is written. */
      readonly password_file?: string
      readonly database: string
    }

export const DEFAULT_SQLITE_PATH = './storage/tracker/lib/database/sqlite3.db'

/** Port of each database server unless another is given. */
const DEFAULT_PORT = { mysql: 3306, postgresql: 5432 } as const

/** Display names of the servers. */
export const DATABASE_NAMES = { mysql: 'MySQL', postgresql: 'PostgreSQL' } as const

const NETWORK_FIELDS = ['host', 'port', 'user', 'password', 'password_file', 'database'] as const

const ROWS = {
  driver: value(
    'sqlite3',
    oneOf('sqlite3', 'mysql', 'postgresql'),
    'sqlite3, mysql or postgresql.',
  ),
  path: optional(
    text,
    'sqlite3 only: the file. It is created, with its directory, if it does not exist.',
  ),
  host: optional(text, 'mysql and postgresql only: host name or address of the server.', {
    example: '"localhost"',
  }),
  port: optional(
    wholeNumber(1, 65_535),
    'Port of the server. Default: 3306 (mysql) or 5432 (postgresql).',
    {
      example: '3306',
    },
  ),
  user: optional(text, 'User name on the server.', { example: '"tracker"' }),
  password: optional(anySecret, 'Password of that user.', {
    secret: true,
    example: '"a secret password"',
  }),
  password_file: optional(
    text,
    'A file that holds the password, in place of `password`. `$CREDENTIALS_DIRECTORY/name` is a credential of the systemd service.',
    { example: '"/etc/tracker/database-password"' },
  ),
  database: optional(text, 'Name of the database.', { example: '"tracker"' }),
}

export const DATABASE = {
  kind: 'table',
  doc: 'Where keys, whitelist and download counts are kept. Without this section, nowhere.',
  optional: true,
  restart: true,
  rows: ROWS,
  schema: {
    if: { properties: { driver: { enum: ['mysql', 'postgresql'] } }, required: ['driver'] },
    // biome-ignore lint/suspicious/noThenProperty: a keyword of JSON Schema
    then: {
      properties: { path: false, password: { pattern: '\\S' } },
      required: ['host', 'user', 'database'],
      ...eitherForm('password'),
    },
    else: { properties: Object.fromEntries(NETWORK_FIELDS.map((name) => [name, false])) },
  },

  finish(rows: ValueOf<{ rows: typeof ROWS }>, node: TableNode, context: Context): DatabaseConfig {
    const { schema, report } = context
    const written = (name: string) => node.entries.get(name)
    const refuse = (name: string, message: string) => {
      const path = `${node.at.path}.${name}`
      report.mistake(written(name)?.at ?? { ...node.at, path }, message)
    }
    const driver = written('driver')?.at
    /** An operator who sets the driver with a variable needs the next variable, not a place in a file. */
    const missing = (name: string, message: string) =>
      driver && isOverride(driver)
        ? report.mistake(
            { source: driver.source, path: `${node.at.path}.${name}` },
            `${message}: set ${PREFIX}CORE__DATABASE__${name.toUpperCase()}`,
          )
        : refuse(name, message)
    if (rows.driver === 'sqlite3') {
      for (const name of NETWORK_FIELDS)
        if (written(name))
          refuse(name, 'SQLite database configuration only accepts the `path` field')
      if (rows.path !== null && /^(mysql|mariadb|postgres(ql)?):\/\//i.test(rows.path))
        refuse('path', 'expected a file, found the URL of a database server, but driver is sqlite3')
      return { driver: 'sqlite3', path: rows.path ?? DEFAULT_SQLITE_PATH }
    }
    if (written('path'))
      refuse('path', 'network database configuration does not accept the `path` field')
    const password = secretOf('password', rows, node, context)
    for (const name of ['host', 'user', 'password', 'database'] as const)
      if (name === 'password' ? !password : !written(name))
        missing(name, `network database configuration requires a \`${name}\` field`)
    // The URL of a 2.0.0 file may have no password.
    if (schema === '3.0.0' && password?.file === undefined && rows.password?.trim() === '')
      refuse('password', 'network database configuration requires a non-empty `password` field')
    return {
      driver: rows.driver,
      host: rows.host ?? '',
      port: rows.port ?? DEFAULT_PORT[rows.driver],
      user: rows.user ?? '',
      password: password?.value ?? '',
      ...(password?.file !== undefined && { password_file: password.file }),
      database: rows.database ?? '',
    }
  },
} satisfies Table
