/** Texts of configurations, for tests that do not look at the text itself. */
import { load } from '../../src/config/load.ts'
import { printMistake } from '../../src/config/mistake.ts'
import type { Config } from '../../src/config/model.ts'

export type MinimalSettings = {
  readonly schema?: '2.0.0' | '3.0.0'
  /** The level of the log. */
  readonly filter?: string
  readonly listed?: boolean
  readonly isPrivate?: boolean
  /** Behind `[core]`: its settings, then the tables below it. */
  readonly core?: string
  /** All other tables. */
  readonly rest?: string
}

/** The least that loads, and what the test adds. */
export const minimalToml = ({
  schema = '3.0.0',
  filter = 'info',
  listed = false,
  isPrivate = false,
  core = '',
  rest = '',
}: MinimalSettings = {}): string => `
[metadata]
schema_version = "${schema}"
[logging]
${schema === '3.0.0' ? 'trace_filter' : 'threshold'} = "${filter}"
[core]
listed = ${listed}
private = ${isPrivate}
${core}${rest}`

/** A tracker with little memory and, unless `rest` has others, the usual listeners on any ports. */
export const configuration = ({
  workers = 2,
  maxMemory = '64MiB',
  rest = listeners(),
  ...settings
}: MinimalSettings & { readonly workers?: number; readonly maxMemory?: string } = {}): string =>
  minimalToml({
    ...settings,
    rest: `
[runtime]
workers = ${workers}
max_memory = "${maxMemory}"
${rest}
`,
  })

/** One UDP, one HTTP and the health listener, on the loopback; 0 = any port. */
export const listeners = (udp = 0, http = 0, health = 0): string => `
[[udp_trackers]]
bind_address = "127.0.0.1:${udp}"
[[http_trackers]]
bind_address = "127.0.0.1:${http}"
[health_check_api]
bind_address = "127.0.0.1:${health}"
`

/** Only HTTPS, with that certificate. */
export const secureListeners = ({ cert, key }: { cert: string; key: string }): string => `
[[http_trackers]]
bind_address = "127.0.0.1:0"
tls_config = { ssl_cert_path = "${cert}", ssl_key_path = "${key}" }
[health_check_api]
bind_address = "127.0.0.1:0"
`

/** Loads a text. Throws its mistakes. */
export function configOf(toml: string): Config {
  const env = { TORRUST_TRACKER_CONFIG_TOML: toml }
  const loaded = load({ env, cwd: '/', readFile: () => '', hasIpv6: () => true })
  if (loaded.kind === 'failed') throw new Error(loaded.mistakes.map(printMistake).join('\n'))
  return loaded.config
}
