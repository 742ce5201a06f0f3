/** The compose file says what the image and its templates say. */
import { expect, test } from 'bun:test'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { loaded, loadToml } from '../support/config/loading.ts'

const root = join(import.meta.dir, '../..')
const text = readFileSync(join(root, 'compose.yaml'), 'utf8')
const compose = Bun.YAML.parse(text) as { services: Record<string, Service>; volumes: object }
const dockerfile = readFileSync(join(root, 'Dockerfile'), 'utf8')

type Service = {
  readonly user?: string
  readonly environment: Readonly<Record<string, string | null>>
  readonly volumes: readonly string[]
  readonly ports?: readonly string[]
  readonly healthcheck: { readonly test: readonly string[] }
}
const { tracker, mysql, postgres } = compose.services as Record<
  'tracker' | 'mysql' | 'postgres',
  Service
>
const PASSWORD = 'TORRUST_TRACKER_CONFIG_OVERRIDE_CORE__DATABASE__PASSWORD'
const config = (driver: string) =>
  loaded(
    loadToml(
      readFileSync(join(root, `share/default/config/tracker.container.${driver}.toml`), 'utf8'),
    ),
  ).config

/** As compose fills in `${NAME:-DEFAULT}`. */
function interpolate(value: string, env: Readonly<Record<string, string>>): string {
  const innermost = /\$\{(\w+):-([^${}]*)\}/
  for (;;) {
    const found = innermost.exec(value)
    if (!found) return value
    value = value.replace(found[0], env[found[1]!] || found[2]!)
  }
}

test('the tracker has no more rights than it needs, and time to stop', () => {
  expect(tracker).toMatchObject({
    read_only: true,
    cap_drop: ['ALL'],
    security_opt: ['no-new-privileges:true'],
    stop_grace_period: '15s',
    restart: 'unless-stopped',
  })
  expect(interpolate(tracker.user!, {})).toBe('1000:1000')
  expect(tracker).not.toHaveProperty('privileged')
  expect(tracker).not.toHaveProperty('profiles')
})

test('its volumes and its health check are those of the image', () => {
  const volumes = JSON.parse(/^VOLUME (.*)$/m.exec(dockerfile)![1]!)
  const mounted = tracker.volumes.map((volume) => interpolate(volume, {}).split(':'))
  expect(mounted.map(([, path]) => path)).toEqual(volumes)
  for (const [name] of mounted) expect(compose.volumes).toHaveProperty(name!)
  const check = JSON.parse(/^HEALTHCHECK .* CMD (.*)$/m.exec(dockerfile)![1]!)
  expect(tracker.healthcheck.test).toEqual(['CMD', ...check])
})

test('everybody reaches the listeners of the templates, and only this machine the API', () => {
  const { udp_trackers, http_trackers, http_api } = config('sqlite3')
  const udp = udp_trackers?.[0]?.bind_address.port
  const http = http_trackers?.[0]?.bind_address.port
  const api = http_api?.bind_address.port
  expect(tracker.ports).toEqual([
    `0.0.0.0:${udp}:${udp}/udp`,
    `0.0.0.0:${http}:${http}`,
    `127.0.0.1:${api}:${api}`,
  ])
})

test.each([
  [{}, 'sqlite3'],
  [{ COMPOSE_PROFILES: 'mysql' }, 'mysql'],
  [{ COMPOSE_PROFILES: 'postgresql' }, 'postgresql'],
  [{ TORRUST_TRACKER_CONFIG_OVERRIDE_CORE__DATABASE__DRIVER: 'mysql' }, 'mysql'],
])('with %j the database is %s', (env, driver) => {
  const value = tracker.environment.TORRUST_TRACKER_CONFIG_OVERRIDE_CORE__DATABASE__DRIVER
  expect(interpolate(value!, env)).toBe(driver)
})

test.each([
  ['mysql', mysql, { MYSQL_DATABASE: 'database', MYSQL_USER: 'user' }],
  ['postgresql', postgres, { POSTGRES_DB: 'database', POSTGRES_USER: 'user' }],
] as const)(
  'the service of profile %s is the database of its template',
  (driver, service, names) => {
    const { database } = config(driver).core
    if (database === null || database.driver === 'sqlite3') throw new Error('not a server')
    expect(service).toMatchObject({ profiles: [driver] })
    expect(compose.services[database.host]).toBe(service)
    // The image's own default for the user.
    for (const [variable, option] of Object.entries(names))
      expect(service.environment[variable] ?? 'postgres').toBe(database[option])
    expect(tracker).toMatchObject({
      depends_on: { [database.host]: { condition: 'service_healthy', required: false } },
    })
    expect(service.healthcheck.test[1]).toContain('127.0.0.1')
    expect(service.ports).toBeUndefined()
  },
)

test('no secret stands in it, and none has a default', () => {
  for (const { environment } of Object.values(compose.services))
    for (const [name, value] of Object.entries(environment))
      if (/PASSWORD|TOKEN/.test(name) && name !== 'MYSQL_RANDOM_ROOT_PASSWORD')
        expect([name, [null, `\${${PASSWORD}:-}`]]).toEqual([name, expect.arrayContaining([value])])
  expect(text).not.toMatch(/MyAccessToken|secret/i)
})
