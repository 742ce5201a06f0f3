/** The compose file says what the image and its templates say. */
import { describe, expect, test } from 'bun:test'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { loaded, loadToml, OVERRIDE } from '../support/config/loading.ts'
import type { PrometheusConfig } from '../support/monitoring/prometheus.ts'

const root = join(import.meta.dir, '../..')
const text = readFileSync(join(root, 'compose.yaml'), 'utf8')
const compose = Bun.YAML.parse(text) as {
  services: Record<string, Service>
  volumes: object
  secrets: Record<string, { readonly environment: string }>
}
const dockerfile = readFileSync(join(root, 'Dockerfile'), 'utf8')

type Service = {
  readonly user?: string
  readonly image: string
  readonly command?: readonly string[]
  readonly secrets?: readonly string[]
  readonly environment?: Readonly<Record<string, string | null>>
  readonly volumes: readonly string[]
  readonly ports?: readonly string[]
  readonly healthcheck?: { readonly test: readonly string[] }
}
const { tracker, mysql, postgres, prometheus, grafana } = compose.services as Record<
  'tracker' | 'mysql' | 'postgres' | 'prometheus' | 'grafana',
  Service
>
/** Where Docker puts secrets. */
const RUN = '/run/secrets/'
const METRICS = 'HTTP_API__ACCESS_TOKENS__METRICS__'
const PASSWORD = 'TORRUST_TRACKER_CONFIG_OVERRIDE_CORE__DATABASE__PASSWORD'
const template = (driver: string) =>
  readFileSync(join(root, `share/default/config/tracker.container.${driver}.toml`), 'utf8')
const config = (driver: string) => loaded(loadToml(template(driver))).config

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
  expect(tracker.healthcheck?.test).toEqual(['CMD', ...check])
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
  const value = tracker.environment?.TORRUST_TRACKER_CONFIG_OVERRIDE_CORE__DATABASE__DRIVER
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
      expect(service.environment?.[variable] ?? 'postgres').toBe(database[option])
    expect(tracker).toMatchObject({
      depends_on: { [database.host]: { condition: 'service_healthy', required: false } },
    })
    expect(service.healthcheck?.test[1]).toContain('127.0.0.1')
    expect(service.ports).toBeUndefined()
  },
)

test('no secret stands in it, and none has a default', () => {
  for (const { environment = {} } of Object.values(compose.services))
    for (const [name, value] of Object.entries(environment))
      if (/PASSWORD|TOKEN/.test(name) && name !== 'MYSQL_RANDOM_ROOT_PASSWORD')
        expect([
          name,
          [null, `\${${PASSWORD}:-}`, ...Object.keys(compose.secrets).map((one) => `${RUN}${one}`)],
        ]).toEqual([name, expect.arrayContaining([value])])
  for (const secret of Object.values(compose.secrets))
    expect(secret).toEqual({ environment: expect.any(String) })
  expect(text).not.toContain('MyAccessToken')
})

describe('the profile `monitoring`', () => {
  const yaml = (path: string) => Bun.YAML.parse(readFileSync(join(root, path), 'utf8'))
  /** The path in the project of what a service finds at `path`. */
  const mounted = ({ volumes }: Service, path: string): string => {
    const found = volumes
      .map((volume) => volume.split(':'))
      .find(([, target]) => path.startsWith(`${target}/`))
    return path.replace(found![1]!, found![0]!)
  }

  test('has no more rights than it needs, and is reached from this machine only', () => {
    for (const service of [prometheus, grafana]) {
      expect(service).toMatchObject({
        profiles: ['monitoring'],
        restart: 'unless-stopped',
        cap_drop: ['ALL'],
        security_opt: ['no-new-privileges:true'],
      })
      expect(service.image).toMatch(/:v?\d+\.\d+/)
      expect(service.ports).toEqual([expect.stringMatching(/^127\.0\.0\.1:(\d+):\1$/)])
      for (const volume of service.volumes) {
        const [name, , mode] = volume.split(':')
        if (name!.startsWith('.')) expect([volume, mode]).toEqual([volume, 'ro'])
        else expect(compose.volumes).toHaveProperty(name!)
      }
    }
  })

  test('lets Prometheus read the metrics with the token that the tracker was given', () => {
    const [, path] = prometheus.command![0]!.split('--config.file=')
    const { scrape_configs } = yaml(mounted(prometheus, path!)) as PrometheusConfig
    expect(prometheus.secrets).toEqual(['metrics_token'])
    expect(scrape_configs[0]!.authorization.credentials_file).toBe(`${RUN}metrics_token`)
    expect(compose.secrets.metrics_token).toEqual({ environment: `${OVERRIDE}${METRICS}TOKEN` })
    const given = { [`${METRICS}TOKEN`]: 'a token', [`${METRICS}SCOPE`]: 'metrics' }
    for (const name of Object.keys(given)) {
      expect(tracker.environment).toHaveProperty(OVERRIDE + name, null)
      expect(text).toContain(`#   ${OVERRIDE}${name}=`)
    }
    const { http_api } = loaded(loadToml(template('sqlite3'), given)).config
    expect(http_api?.access_tokens).toEqual({ metrics: { token: 'a token', scope: 'metrics' } })
    const api = config('sqlite3').http_api?.bind_address.port
    expect(scrape_configs[0]!.static_configs).toEqual([{ targets: [`tracker:${api}`] }])
  })

  test('gives Grafana the dashboards and a Prometheus to ask', () => {
    const provisioning = mounted(grafana, '/etc/grafana/provisioning/x').slice(0, -1)
    const { datasources } = yaml(`${provisioning}datasources/prometheus.yml`) as {
      datasources: { type: string; url: string; isDefault: boolean }[]
    }
    expect(datasources).toEqual([
      expect.objectContaining({
        type: 'prometheus',
        url: 'http://prometheus:9090',
        isDefault: true,
      }),
    ])
    const { providers } = yaml(`${provisioning}dashboards/tracker.yml`) as {
      providers: { options: { path: string } }[]
    }
    const dashboards = mounted(grafana, `${providers[0]!.options.path}/`)
    expect(readdirSync(join(root, dashboards)).sort()).toEqual([
      'tracker-listener.json',
      'tracker.json',
    ])
    const home = grafana.environment?.GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH
    expect(mounted(grafana, home!)).toBe(`${dashboards}tracker.json`)
    expect(grafana.secrets).toEqual(['grafana_password'])
    expect(grafana.environment).toMatchObject({
      GF_SECURITY_ADMIN_PASSWORD__FILE: `${RUN}grafana_password`,
    })
  })
})
