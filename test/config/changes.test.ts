/** What a running tracker can follow of another configuration, and how the difference is told. */
import { expect, test } from 'bun:test'
import { changesOf } from '../../src/config/changes.ts'
import type { Entry } from '../../src/config/setting-kinds.ts'
import { SETTINGS } from '../../src/config/settings.ts'
import { configOf, minimalToml } from '../support/configuration.ts'

type Settings = Parameters<typeof minimalToml>[0]
const between = (before: Settings, after: Settings, isFixed?: (path: string) => boolean) =>
  changesOf(configOf(minimalToml(before)), configOf(minimalToml(after)), isFixed)

const udp = (address: string, more = '') => `[[udp_trackers]]\nbind_address = "${address}"\n${more}`

test('nothing, where nothing is different', () => {
  const rest = udp('0.0.0.0:6969')
  const { live, restart, config } = between({ rest }, { rest })
  expect([live, restart]).toEqual([[], []])
  expect(config).toEqual(configOf(minimalToml({ rest })))
})

test('options with their values before and after, secrets masked', () => {
  const token = (value: string) => `[http_api]\n[http_api.access_tokens]\nadmin = "${value}"\n`
  const { live } = between(
    { rest: token('first secret') },
    {
      core: '[core.announce_policy]\ninterval = 300\n',
      rest: `${token('second secret')}guest = { token = "third secret", scope = "read" }\n`,
    },
  )
  expect(live).toEqual([
    'core.announce_policy.interval: 120 → 300',
    'http_api.access_tokens.admin.token: "***" → "***"',
    'http_api.access_tokens.guest: added',
  ])
})

test('listeners by their address, wherever they stand', () => {
  const { live } = between(
    { rest: udp('0.0.0.0:1') + udp('0.0.0.0:2') + udp('0.0.0.0:3') },
    {
      rest:
        udp('0.0.0.0:3', 'cookie_lifetime = { secs = 7, nanos = 0 }\n') +
        udp('0.0.0.0:4', '[udp_trackers.network]\nexternal_ip = "192.0.2.1"\n') +
        udp('0.0.0.0:1', '[udp_trackers.network]\nexternal_ip = "192.0.2.1"\n'),
    },
  )
  expect(live).toEqual([
    'udp_trackers.0.cookie_lifetime: { secs = 120, nanos = 0 } → { secs = 7, nanos = 0 }',
    'udp_trackers: added 0.0.0.0:4',
    'udp_trackers.2.network.external_ip: not set → "192.0.2.1"',
    'udp_trackers: removed 0.0.0.0:2',
  ])
})

test('options of a WebSocket listener, a list among them', () => {
  const websocket = (more: string) => `[[websocket_trackers]]\nbind_address = "[::]:80"\n${more}`
  const { live, restart } = between(
    { rest: websocket('') },
    { rest: websocket('max_offers = 5\nallowed_origins = ["https://a.example"]\n') },
  )
  expect(live).toEqual([
    'websocket_trackers.0.max_offers: 10 → 5',
    'websocket_trackers.0.allowed_origins: [] → ["https://a.example"]',
  ])
  expect(restart).toEqual([])
})

test('what needs a restart stays as it is, and the rest is followed', () => {
  const before = { core: '[core.database]\npath = "a.db"\n', rest: '[runtime]\nworkers = 2\n' }
  const after = {
    filter: 'warn',
    core: '[core.database]\ndriver = "mysql"\nhost = "h"\nuser = "u"\npassword = "hidden"\ndatabase = "d"\n',
    rest: '[runtime]\nworkers = 4\nmax_memory = "1GiB"\n',
  }
  const { config, live, restart } = between(before, after)
  const { core, runtime } = configOf(minimalToml(before))
  expect(config.core.database).toEqual(core.database)
  expect(config.runtime).toEqual(runtime)
  expect(config.logging.trace_filter).toBe('warn')
  expect(live).toEqual(['logging.trace_filter: "info" → "warn"'])
  expect(restart).toEqual([
    'core.database.driver: "sqlite3" → "mysql"',
    'core.database.path: "a.db" → not set',
    'core.database.host: not set → "h"',
    'core.database.port: not set → 3306',
    'core.database.user: not set → "u"',
    'core.database.password: not set → "***"',
    'core.database.database: not set → "d"',
    'runtime.workers: 2 → 4',
    'runtime.max_memory: 0 → "1GiB"',
  ])
})

test('what the tracker cannot follow for another reason stays, too', () => {
  const { config, restart } = between(
    {},
    { isPrivate: true, core: '[core.database]\n' },
    (path) => path === 'core.private',
  )
  expect(config.core.private).toBe(false)
  expect(restart).toEqual(['core.database: added', 'core.private: false → true'])
})

test('accounting comes, goes and changes its level at a restart only; limits and webhook are followed', () => {
  const isPrivate = true
  const of = (lines: string) => ({
    isPrivate,
    core: `[core.database]\n${lines && `[core.accounting]\n${lines}`}`,
  })
  const hook = '[core.accounting.webhook]\nurl = "http://a.example"\nsecret = "hidden"\n'
  const added = between(of(''), of('level = "users"\n'))
  expect([added.live, added.restart]).toEqual([[], ['core.accounting: added']])
  expect(added.config.core.accounting).toBeNull()
  const removed = between(of('level = "users"\n'), of(''))
  expect([removed.live, removed.restart]).toEqual([[], ['core.accounting: removed']])
  expect(removed.config.core.accounting).not.toBeNull()
  const { live, restart } = between(
    of('level = "users"\n'),
    of(`level = "torrents"\nup_percent = 200\nover_speed = "drop"\n${hook}`),
  )
  expect(live).toEqual([
    'core.accounting.up_percent: 100 → 200',
    'core.accounting.over_speed: "flag" → "drop"',
    'core.accounting.webhook: added',
  ])
  expect(restart).toEqual(['core.accounting.level: "users" → "torrents"'])
})

test('the table says what needs a restart', () => {
  const fixed: string[] = []
  const look = (entry: Entry, path: string) => {
    if (entry.kind === 'list') return look(entry.each, path)
    if (entry.restart) return void fixed.push(path)
    if (entry.kind === 'table')
      for (const [key, row] of Object.entries(entry.rows)) look(row, path ? `${path}.${key}` : key)
  }
  look(SETTINGS, '')
  const accounting = ['level', 'write_interval', 'idle_write_interval', 'session_retention']
  expect(fixed).toEqual([
    'logging.trace_style',
    ...[...accounting, 'flags_retention'].map((option) => `core.accounting.${option}`),
    'core.database',
    'core.tracker_policy.persistent_torrent_completed_stat',
    'runtime.workers',
    'runtime.max_memory',
  ])
})
