/** Every file of `share/default/config` loads and matches its name. */
import { expect, test } from 'bun:test'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { printAddress } from '../../src/wire/address.ts'
import { loaded, loadToml } from '../support/config/loading.ts'

const folder = join(import.meta.dir, '../../share/default/config')
const read = (name: string) => readFileSync(join(folder, name), 'utf8')

/** What each configures: database, UDP, HTTP, API, health. */
const TEMPLATES: Readonly<Record<string, string>> = {
  'tracker.development.sqlite3.toml':
    'sqlite3 | [::]:6868 [::]:6969 | [::]:7070 [::]:7171 | 0.0.0.0:1212 | 127.0.0.1:1313',
  'tracker.container.no-persistence.toml':
    'none | 0.0.0.0:6969 | 0.0.0.0:7070 | none | 0.0.0.0:1313',
  'tracker.container.sqlite3.toml':
    'sqlite3 | 0.0.0.0:6969 | 0.0.0.0:7070 | 0.0.0.0:1212 | 0.0.0.0:1313',
  'tracker.container.mysql.toml':
    'mysql | 0.0.0.0:6969 | 0.0.0.0:7070 | 0.0.0.0:1212 | 0.0.0.0:1313',
  'tracker.container.postgresql.toml':
    'postgresql | 0.0.0.0:6969 | 0.0.0.0:7070 | 0.0.0.0:1212 | 0.0.0.0:1313',
  'tracker.e2e.container.sqlite3.toml':
    'sqlite3 | 0.0.0.0:6969 | 0.0.0.0:7070 | 0.0.0.0:1212 | 0.0.0.0:1313',
  'tracker.udp.benchmarking.toml': 'none | 0.0.0.0:3000 | none | none | 127.0.0.1:1313',
  'tracker.private.sqlite3.toml':
    'sqlite3 | [::]:6969 | [::]:7070 | 127.0.0.1:1212 | 127.0.0.1:1313',
}

/** The only warning of any. */
const WELL_KNOWN = expect.stringContaining('a well-known token')
const WARNINGS: Readonly<Record<string, string[]>> = {
  'tracker.development.sqlite3.toml': [WELL_KNOWN],
  'tracker.e2e.container.sqlite3.toml': [WELL_KNOWN],
}

test('no template is missing here', () => {
  expect(readdirSync(folder).sort()).toEqual(
    [...Object.keys(TEMPLATES), 'tracker_checker.json'].sort(),
  )
})

test.each(Object.entries(TEMPLATES))('%s serves %s', (name, services) => {
  const { config, warnings } = loaded(loadToml(read(name)))
  const addresses = (listeners: typeof config.udp_trackers | typeof config.http_trackers) =>
    listeners?.map(({ bind_address }) => printAddress(bind_address)).join(' ') ?? 'none'
  expect(
    [
      config.core.database?.driver ?? 'none',
      addresses(config.udp_trackers),
      addresses(config.http_trackers),
      config.http_api ? printAddress(config.http_api.bind_address) : 'none',
      printAddress(config.health_check_api.bind_address),
    ].join(' | '),
  ).toBe(services)
  expect(warnings).toEqual(WARNINGS[name] ?? [])
})

test.each(Object.keys(TEMPLATES).filter((name) => read(name).includes('websocket')))(
  '%s serves browsers, too, on the port of HTTP, when its example is no comment',
  (name) => {
    const { websocket_trackers, http_trackers } = loaded(
      loadToml(read(name).replace(/^# (?=\[\[websocket|bind_address|tracker_usage)/gm, '')),
    ).config
    expect(websocket_trackers).toHaveLength(1)
    expect(websocket_trackers?.[0]?.tracker_usage_statistics).toBe(true)
    expect(http_trackers?.at(-1)?.bind_address).toEqual(websocket_trackers![0]!.bind_address)
  },
)

test('the example for the checker uses the ports of the development template', () => {
  expect(JSON.parse(read('tracker_checker.json'))).toEqual({
    udp_trackers: ['127.0.0.1:6969'],
    http_trackers: ['http://127.0.0.1:7070'],
    health_checks: ['http://127.0.0.1:1313/health_check'],
  })
})
