/** Every option as people look it up. */
import { expect, test } from 'bun:test'
import { shownOptions } from '../../src/config/shown-options.ts'
import { configOf, minimalToml } from '../support/configuration.ts'

const REST = `
[[udp_trackers]]
bind_address = "127.0.0.1:1"
[[http_trackers]]
bind_address = "127.0.0.1:2"
tls_config = { ssl_cert_path = "cert.pem", ssl_key_path = "key.pem" }
[http_api]
access_tokens = { admin = "a secret", guest = { token = "another", scope = "read" } }
`
const config = configOf(
  minimalToml({
    rest: REST,
    core: '[core.database]\ndriver = "mysql"\nhost = "h"\nuser = "u"\npassword = "p"\ndatabase = "d"\n',
  }),
)
const options = shownOptions({ config, origin: (path) => `of ${path}` })
const of = (path: string) => options.find((option) => option.path === path)

test('every option has its value, its origin, and whether a reload is enough', () => {
  expect(of('core.announce_policy.interval')).toEqual({
    path: 'core.announce_policy.interval',
    value: '120',
    origin: 'of core.announce_policy.interval',
    live: true,
  })
  expect(of('http_trackers.0.tls_config.ssl_cert_path')?.value).toBe('"cert.pem"')
  expect(of('udp_trackers.0.public_url')).toMatchObject({ value: null, live: true })
  for (const path of ['runtime.workers', 'core.database.host', 'logging.trace_style'])
    expect(of(path)?.live).toBe(false)
  expect(new Set(options.map(({ path }) => path)).size).toBe(options.length)
  expect(options.length).toBeGreaterThan(40)
})

test('secrets are masked, and what is not configured is absent', () => {
  expect(of('core.database.password')?.value).toBe('"***"')
  expect(of('http_api.access_tokens.admin.token')?.value).toBe('"***"')
  expect(of('http_api.access_tokens.guest.scope')?.value).toBe('"read"')
  expect(JSON.stringify(options)).not.toMatch(/a secret|another/)
  expect(of('http_api.tls_config.ssl_cert_path')).toBeUndefined()
})
