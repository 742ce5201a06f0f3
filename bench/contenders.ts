/** How each of the compared servers is started: on one port, with one thread, without logging. */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { find, HERE, npmTracker, ROOT } from './build.ts'
import type { Setting, Start, Transport } from './plan.ts'

export type Contender = { readonly name: string } & { readonly [T in Transport]?: Start }

/** The contender that shows the limit of each transport. */
export const LIMIT = { udp: 'echo', http: 'elysia', ws: 'echo', wss: 'echo' } as const

/** Peers in each answer of the echo: the mean of the trackers with this population. */
const ECHO_PEERS = '10'
/** Seconds after which an echo ends by itself, so that a benchmark that was killed leaves none behind. */
const ECHO_SECONDS = '600'

export function contenders(trackers: readonly string[]): Contender[] {
  return [
    ...trackers.map((command, i) => tracker(`tracker${i ? i + 1 : ''}`, command)),
    {
      name: 'echo',
      udp: async ({ port }) => bun('udp-echo.ts', port, ECHO_PEERS, ECHO_SECONDS),
      ws: async ({ port }) => bun('ws-echo.ts', port, ECHO_SECONDS),
      wss: async ({ port, tls }) => {
        const { cert, key } = tls()
        return bun('ws-echo.ts', port, ECHO_SECONDS, cert, key)
      },
    },
    {
      name: 'elysia',
      http: async ({ port }) => bun('elysia-empty.ts', port),
    },
    { name: 'opentracker', udp: opentracker, http: opentracker },
    {
      name: 'aquatic',
      udp: aquatic('aquatic_udp', 1),
      http: aquatic('aquatic_http', 2),
      ws: aquatic('aquatic_ws', 2),
      wss: aquatic('aquatic_ws', 2, true),
    },
    torrust(),
    { name: 'npm', udp: npm('udp'), http: npm('http'), ws: npm('ws') },
  ]
}

const bun = (file: string, ...words: (string | number)[]) => [
  process.execPath,
  join(HERE, file),
  ...words.map(String),
]

/** This tracker, or another build of it. */
const tracker = (name: string, commandLine: string): Contender => ({
  name,
  udp: trackerStart(commandLine, 'udp'),
  http: trackerStart(commandLine, 'http'),
  ws: trackerStart(commandLine, 'ws'),
  wss: trackerStart(commandLine, 'wss'),
})

/** The release of 2024: it reads schema 2.0.0 and always has a database. */
function torrust(): Contender {
  const start =
    (transport: 'udp' | 'http'): Start =>
    async ({ room, port, sparePort }) => {
      const program = find('torrust-tracker')
      if (!program) return undefined
      const config = join(room, 'tracker.toml')
      await Bun.write(config, torrustConfig(transport, port, sparePort))
      return ['env', `TORRUST_TRACKER_CONFIG_TOML_PATH=${config}`, program]
    }
  return { name: 'torrust', udp: start('udp'), http: start('http') }
}

const torrustConfig = (transport: 'udp' | 'http', port: number, sparePort: number) => `
[metadata]
app = "torrust-tracker"
purpose = "configuration"
schema_version = "2.0.0"
[logging]
threshold = "error"
[core]
listed = false
private = false
tracker_usage_statistics = false
[core.database]
driver = "sqlite3"
path = "./torrust.db"
[[${transport}_trackers]]
bind_address = "127.0.0.1:${port}"
[health_check_api]
bind_address = "127.0.0.1:${sparePort}"
`

/** Debian's build serves only a whitelist; it makes its working directory its root and runs as `nobody`. */
const opentracker: Start = async ({ room, port, hashes }) => {
  const program = find('opentracker')
  if (!program) return undefined
  await Bun.write(join(room, 'whitelist'), `${hashes().join('\n')}\n`)
  const where = ['-i', '127.0.0.1', '-p', `${port}`, '-P', `${port}`]
  return [program, ...where, '-d', '.', '-w', 'whitelist']
}

/**
 * aquatic_http and aquatic_ws need two threads; both stay on the one core. Older releases have one address for both
 * families.
 */
const aquatic =
  (name: 'aquatic_udp' | 'aquatic_http' | 'aquatic_ws', threads: 1 | 2, isSecure = false): Start =>
  async ({ room, port, tls }) => {
    const program = find(name)
    if (!program) return undefined
    const config = join(room, 'aquatic.toml')
    const swarm = threads === 2 ? 'swarm_workers = 1\n' : ''
    const lines = `socket_workers = 1\n${swarm}log_level = "error"\n`
    const defaults = Bun.spawnSync([program, '-p']).stdout.toString()
    const address = defaults.includes('use_ipv6') ? 'use_ipv6 = false\naddress_ipv4' : 'address'
    const network = [`${address} = "127.0.0.1:${port}"`]
    if (isSecure) {
      const { cert, key } = tls()
      network.push('enable_tls = true', `tls_certificate_path = "${cert}"`)
      network.push(`tls_private_key_path = "${key}"`)
    }
    await Bun.write(config, `${lines}[network]\n${network.join('\n')}\n`)
    return [program, '-c', config]
  }

const npm =
  (transport: 'udp' | 'http' | 'ws'): Start =>
  async ({ port }) => {
    const library = npmTracker()
    const node = Bun.which('node')
    if (!library || !node) return undefined
    return [node, join(HERE, 'npm-server.mjs'), library, transport, `${port}`]
  }

/** The default of `--tracker`. */
export const FROM_SOURCE = 'bun src/main.ts'

/** Differences from the configuration of a public tracker; `tables`: TOML, such as `[core.database]`. */
export type Flavour = {
  readonly listed?: boolean
  readonly private?: boolean
  /** Serving threads; otherwise one. */
  readonly workers?: number
  readonly log?: string
  readonly tables?: string
}

/** Starts this tracker; undefined: the source file of the command line does not exist. `flavour` may write files. */
export const trackerStart =
  (
    commandLine: string,
    transport: Transport,
    flavour: (setting: Setting) => Promise<Flavour> = async () => ({}),
  ): Start =>
  async (setting) => {
    const words = commandLine.split(' ')
    const source = words.find((word) => word.endsWith('.ts'))
    if (source && !existsSync(join(ROOT, source))) return undefined
    const config = join(setting.room, 'tracker.toml')
    await Bun.write(config, trackerConfig(transport, setting, await flavour(setting)))
    const absolute = words.map((word) => (existsSync(join(ROOT, word)) ? join(ROOT, word) : word))
    return [...absolute, '--config', config]
  }

const trackerConfig = (transport: Transport, setting: Setting, flavour: Flavour) => `
[metadata]
app = "torrust-tracker"
purpose = "configuration"
schema_version = "3.0.0"
[logging]
trace_filter = "${flavour.log ?? 'error'}"
[core]
listed = ${flavour.listed ?? false}
private = ${flavour.private ?? false}
${flavour.tables ?? ''}
${/^wss?$/.test(transport) ? '[abuse]\nmax_connections_per_address = 0' : ''}
[runtime]
workers = ${flavour.workers ?? 1}
[[${LISTENERS[transport]}]]
bind_address = "127.0.0.1:${setting.port}"
${transport === 'wss' ? tlsConfig(setting.tls()) : ''}
[health_check_api]
bind_address = "127.0.0.1:${setting.sparePort}"
`

const LISTENERS: Readonly<Record<Transport, string>> = {
  udp: 'udp_trackers',
  http: 'http_trackers',
  ws: 'websocket_trackers',
  wss: 'websocket_trackers',
}

const tlsConfig = ({ cert, key }: ReturnType<Setting['tls']>) =>
  `tls_config = { ssl_cert_path = "${cert}", ssl_key_path = "${key}" }`
