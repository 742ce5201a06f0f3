/** The JSON Schema against the reader: what both must accept and refuse, option by option (docs/behaviours.md C18). */
import { describe, expect, test } from 'bun:test'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { stringify } from 'smol-toml'
import { jsonSchema } from '../../src/config/json-schema.ts'
import { exampleToml } from '../../src/config/print.ts'
import type { Entry } from '../../src/config/setting-kinds.ts'
import { SETTINGS } from '../../src/config/settings.ts'
import { complaints, loadIn, MINIMAL_3 } from '../support/config/loading.ts'
import { schemaFaults } from '../support/config/schema-validator.ts'

const FILES = {
  '/etc/tracker/token': 'hunter2',
  '/etc/tracker/database-password': 'hunter2',
  '/etc/tracker/webhook-secret': 'hunter2',
}

/** Whether the schema accepts a file, and whether the tracker does. */
const verdicts = (toml: string) => ({
  schema: schemaFaults(toml),
  tracker: complaints(loadIn({ files: { ...FILES, '/home/op/tracker.toml': toml } })),
})
const ACCEPTED = { schema: [], tracker: [] }
const REFUSED = {
  schema: [expect.any(String)],
  tracker: [expect.any(String)],
}
const first = ({ schema, tracker }: ReturnType<typeof verdicts>) => ({
  schema: schema.slice(0, 1),
  tracker: tracker.slice(0, 1),
})

const folder = join(import.meta.dir, '../../share/default/config')
const templates = readdirSync(folder).filter((name) => name.endsWith('.toml'))

test('the files that come with the tracker are valid', () => {
  expect(templates.length).toBeGreaterThan(7)
  for (const name of templates)
    expect(verdicts(readFileSync(join(folder, name), 'utf8'))).toEqual(ACCEPTED)
  for (const hasIpv6 of [true, false])
    expect(verdicts(exampleToml('fresh', hasIpv6))).toEqual(ACCEPTED)
})

type Path = readonly (string | number)[]
type Values = { [key: string]: unknown }

type Option = {
  readonly path: Path
  readonly schema: Values
  /** Its default and its example. */
  readonly good: readonly unknown[]
}

/** Every option; of a list that of the first element, of tokens that of one by the name `x`. */
function optionsOf(entry: Entry, path: Path = []): Option[] {
  if (entry.kind === 'list') return optionsOf(entry.each, [...path, 0])
  if (entry.kind === 'table')
    return Object.entries(entry.others ? { x: entry.others } : entry.rows).flatMap(([key, row]) =>
      optionsOf(row, [...path, key]),
    )
  const { initial, needed, plain, example, check } = entry
  const schema = { ...check.schema, ...entry.schema }
  const good = example === undefined ? [] : [JSON.parse(example)]
  if (initial !== null && needed === undefined) good.push(plain ? plain(initial) : initial)
  return [{ path, schema, good }]
}
const OPTIONS = optionsOf(SETTINGS).map((one) => ({ ...one, name: one.path.join('.') }))

const SERVER = { driver: 'mysql', host: 'h', user: 'u', database: 'd' }

/** A file with `value` at `path`, and what that option needs beside it. */
function fileWith(path: Path, value: unknown): string {
  const file: Values = {
    metadata: { schema_version: '3.0.0' },
    logging: { trace_filter: 'info' },
    core: {
      listed: false,
      private: path.includes('private_mode') || path.includes('accounting'),
      database: {},
      tracker_policy: { max_peer_timeout: 2 ** 32 - 1 },
    },
  }
  const section = path.slice(0, -1)
  const [table, name] = path.slice(-2)
  if (table === 'database' && name !== 'path' && value !== 'sqlite3')
    set(file, section, {
      ...SERVER,
      ...(name !== 'password_file' && { password: 'p' }),
    })
  if (table === 'tls_config') set(file, section, { ssl_cert_path: 'c', ssl_key_path: 'k' })
  if (path.includes('accounting')) set(file, ['core', 'accounting', 'level'], 'users')
  if (table === 'webhook')
    set(file, section, { url: 'https://x', ...(name !== 'secret_file' && { secret: 's' }) })
  if (name === 'announce_interval') set(file, section, { peer_timeout: 2 ** 32 - 1 })
  if (name === 'peer_timeout') set(file, section, { announce_interval: 1 })
  if (name === 'scope') set(file, section, { token: 't' })
  set(file, path, value)
  return stringify(file)
}

/** Makes the tables and lists on the way. */
function set(file: Values, path: Path, value: unknown): void {
  const [key, ...rest] = path
  const next = rest.length === 0 ? value : ((file[key!] ?? (rest[0] === 0 ? [] : {})) as Values)
  if (rest.length > 0) set(next as Values, rest, value)
  file[key!] = next
}

/** Values at and beyond every limit that the schema names, and of every other type. */
function samplesOf({ type, minimum, maximum, enum: words, anyOf }: Values) {
  const good: unknown[] = []
  const bad: unknown[] = [['x'], new Date(0)]
  if (type === 'array') good.push([])
  else bad.push([])
  if (type === 'object') good.push({ secs: 1 }, { nanos: 1, secs: 0 })
  else bad.push({ x: 1 })
  // A size.
  if (type === undefined && Array.isArray(anyOf)) good.push(0, '512MiB')
  if (typeof minimum === 'number' && typeof maximum === 'number') {
    good.push(minimum, maximum)
    bad.push(minimum - 1, maximum + 1, `${minimum}`)
  }
  if (Array.isArray(words)) {
    good.push(...words)
    bad.push('another', '', `${words[0]} `)
  }
  if (type === 'boolean') good.push(true, false)
  else bad.push(true)
  if (type === 'string') bad.push(5, 1.5)
  return { good, bad }
}

describe.each(OPTIONS.map(({ name, ...one }) => [name, one] as const))(
  '%s',
  (_name, { path, schema, good: own }) => {
    const { good, bad } = samplesOf(schema)

    test('has values that both accept', () => {
      for (const value of [...own, ...good]) {
        const toml = fileWith(path, value)
        expect({ value, ...verdicts(toml) }).toEqual({ value, ...ACCEPTED })
      }
    })

    test('has values that both refuse', () => {
      for (const value of bad) {
        const toml = fileWith(path, value)
        expect({ value, ...first(verdicts(toml)) }).toEqual({ value, ...REFUSED })
      }
    })
  },
)

/** Every table with its path. */
function tablesOf(entry: Entry, path: Path = []): Path[] {
  if (entry.kind === 'list') return tablesOf(entry.each, [...path, 0])
  if (entry.kind === 'value') return []
  const rows = entry.others ? { x: entry.others } : entry.rows
  const below = Object.entries(rows).flatMap(([key, row]) => tablesOf(row, [...path, key]))
  return entry.others ? below : [path, ...below]
}

test.each(tablesOf(SETTINGS).map((path) => [path.join('.') || 'the file', path] as const))(
  'an unknown option in %s is refused by both',
  (_name, path) => {
    const toml = fileWith([...path, 'unknown'], 1)
    expect(first(verdicts(toml))).toEqual(REFUSED)
    const faults = verdicts(toml)
    expect(faults.schema.join()).toContain('additional properties')
    expect(faults.tracker.join()).toContain('unknown option')
  },
)

test.each(['schema_version', 'trace_filter', 'listed', 'private', '[core]', '[logging]'])(
  'a file without %s is refused by both',
  (name) => {
    const toml = MINIMAL_3.split('\n').filter((line) => !line.startsWith(name))
    expect(first(verdicts(toml.join('\n')))).toEqual(REFUSED)
  },
)

const database = (text: string) => `${MINIMAL_3}[core.database]\n${text}\n`
const network = 'driver = "postgresql"\nhost = "h"\nuser = "u"\ndatabase = "d"\npassword = "p"'

test.each([
  ['a server without a host', database(network.replace('host = "h"', ''))],
  ['a server without a user', database(network.replace('user = "u"', ''))],
  ['a server without a database', database(network.replace('database = "d"', ''))],
  ['a server without a password', database(network.replace('password = "p"', ''))],
  ['a server with an empty password', database(network.replace('"p"', '""'))],
  ['a server with a path', database(`${network}\npath = "p"`)],
  ['a password twice', database(`${network}\npassword_file = "/etc/tracker/token"`)],
  ['SQLite with a host', database('host = "h"')],
  ['SQLite with a file for the password', database('password_file = "/etc/tracker/token"')],
  [
    'a token twice',
    `${MINIMAL_3}[http_api.access_tokens]\na = { token = "t", token_file = "/etc/tracker/token" }`,
  ],
  ['a token without one', `${MINIMAL_3}[http_api.access_tokens]\na = { scope = "read" }`],
  [
    'a certificate without a key',
    `${MINIMAL_3}[[http_trackers]]\ntls_config = { ssl_cert_path = "c" }`,
  ],
])('%s is refused by both', (_what, toml) => {
  expect(first(verdicts(toml))).toEqual(REFUSED)
})

test('it describes files of schema 3.0.0 only', () => {
  expect(schemaFaults(MINIMAL_3.replace('3.0.0', '2.0.0'))).toEqual([
    expect.stringContaining('/metadata/schema_version'),
  ])
})

test('every option is explained, secrets are for writing only, and no token stands in it', () => {
  const text = JSON.stringify(jsonSchema())
  expect(text.match(/"writeOnly":true/g)).toHaveLength(4)
  const look = (value: unknown): void => {
    if (typeof value !== 'object' || value === null) return
    if ('default' in value || 'examples' in value)
      expect(value).toEqual(expect.objectContaining({ description: expect.stringMatching(/\S/) }))
    for (const inner of Object.values(value)) look(inner)
  }
  look(jsonSchema())
})
