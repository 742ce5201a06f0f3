/**
 * Rules between options (docs/behaviours.md C8): what each option allows by itself but not in combination. Runs
 * on a configuration whose options have been checked one by one.
 */
import { isLoopbackIp, printAddress } from '../wire/address.ts'
import { hostOf, type Listener, listenersOf } from './listeners.ts'
import type { AccountingConfig, Config, Scope } from './model.ts'
import type { Context } from './setting-kinds.ts'
import { DEFAULT, type Place, printPath } from './tree.ts'

/** The token in the reference's documentation and templates. */
const WELL_KNOWN_TOKEN = 'MyAccessToken'

export function checkRules(config: Config, context: Context): void {
  const { report, schema } = context
  const { core } = config
  const at = (path: string): Place => report.origins.get(path) ?? { source: DEFAULT, path }
  /** `other`: the option beside `path`. A placeholder for a mistake in it must not cause a further mistake. */
  const refuse = (isWrong: boolean, path: string, message: string, other: string) => {
    if (isWrong && report.isSound(other)) report.mistake(at(path), message)
  }

  refuse(
    core.private_mode !== null && !core.private,
    'core.private_mode',
    'Private mode section in configuration can only be included when the tracker is running in private mode.',
    'core.private',
  )
  const stored = 'core.tracker_policy.persistent_torrent_completed_stat'
  const { persistent_torrent_completed_stat: isStored, max_peer_timeout } = core.tracker_policy
  const { accounting } = core
  const isAccounting = accounting !== null && accounting.level !== 'off'
  const needsDatabase = {
    'core.listed': core.listed,
    'core.private': core.private,
    [stored]: isStored,
    'core.accounting.level': isAccounting,
  }
  for (const [path, needed] of Object.entries(needsDatabase))
    refuse(
      needed && core.database === null,
      path,
      `Configuration requires persistence for \`${path}\`, but \`[core.database]\` is missing.`,
      'core.database',
    )
  refuse(
    // In schema 2.0.0 the two are independent.
    schema === '3.0.0' && isStored && !core.tracker_usage_statistics,
    stored,
    'needs `core.tracker_usage_statistics = true`, found false',
    'core.tracker_usage_statistics',
  )

  const { interval, interval_min } = core.announce_policy
  const intervalPath = 'core.announce_policy.interval'
  const minPath = 'core.announce_policy.interval_min'
  const timeoutPath = 'core.tracker_policy.max_peer_timeout'
  if (interval_min > interval && report.isSound(intervalPath) && report.isSound(minPath))
    report.warn(
      at(minPath),
      `${interval_min} is longer than \`interval\`, ${interval}: clients cannot keep to both`,
    )
  if (max_peer_timeout < interval && report.isSound(intervalPath) && report.isSound(timeoutPath))
    report.warn(
      writtenOf(at(timeoutPath), at(intervalPath)),
      `${max_peer_timeout} is shorter than \`${intervalPath}\`, ${interval}: peers are forgotten before they announce again`,
    )

  if (isAccounting) checkAccounting(accounting, config, context, at)
  checkWebSockets(config, context, at)
  checkAddresses(config, context, at)

  if (config.http_api) checkTokens(config.http_api, context, at)
}

function checkAccounting(
  { level, idle_write_interval: idle }: AccountingConfig,
  { core }: Config,
  { report }: Context,
  at: (path: string) => Place,
): void {
  const levelPath = 'core.accounting.level'
  if (level === 'users' && !core.private && report.isSound('core.private'))
    report.mistake(
      at(levelPath),
      '"users" needs `core.private = true`, because accounts belong to keys; found false: set it, or write "torrents"',
    )
  const idlePath = 'core.accounting.idle_write_interval'
  const timeoutPath = 'core.tracker_policy.max_peer_timeout'
  const most = Math.floor(core.tracker_policy.max_peer_timeout / 2)
  if (idle > most && report.isSound(idlePath) && report.isSound(timeoutPath))
    report.mistake(
      writtenOf(at(idlePath), at(timeoutPath)),
      `expected at most half of \`${timeoutPath}\`, ${most}, found ${idle}`,
    )
}

function checkTokens(
  { bind_address, access_tokens }: NonNullable<Config['http_api']>,
  { report }: Context,
  at: (path: string) => Place,
): void {
  const isOpen = report.isSound('http_api.bind_address') && !isLoopbackIp(bind_address.ip)
  const known = new Map<string, { readonly name: string; readonly scope: Scope }>()
  for (const [name, { token, scope }] of Object.entries(access_tokens)) {
    const place = at(printPath(['http_api', 'access_tokens', name, 'token']))
    if (isOpen && token === WELL_KNOWN_TOKEN)
      report.warn(
        place,
        'a well-known token on an address that others can reach: anyone can use the API',
      )
    // It stands for a mistake.
    if (token === '') continue
    const other = known.get(token)
    const same = `the same token as ${printPath([other?.name ?? ''])}`
    if (other === undefined) known.set(token, { name, scope })
    else if (other.scope === scope) report.warn(place, `${same}, by whose name it is known`)
    // Neither the smaller nor the larger scope may win by chance.
    else report.mistake(place, `${same}, but with another scope: one of them needs another token`)
  }
}

function checkWebSockets(
  { websocket_trackers, http_trackers }: Config,
  { report }: Context,
  at: (path: string) => Place,
): void {
  const listeners = websocket_trackers ?? []
  const longest = Math.max(...listeners.map(({ peer_timeout }) => peer_timeout))
  for (const [i, listener] of listeners.entries()) {
    const path = (option: string) => `websocket_trackers.${i}.${option}`
    const areSound = (...paths: readonly string[]) => paths.every((one) => report.isSound(one))
    const { announce_interval: interval, peer_timeout: timeout } = listener
    const timeoutPath = path('peer_timeout')
    const intervalPath = path('announce_interval')
    if (areSound(timeoutPath, intervalPath) && timeout <= 2 * interval)
      report.mistake(
        writtenOf(at(timeoutPath), at(intervalPath)),
        `expected more than twice \`announce_interval\`, at least ${2 * interval + 1}, found ${timeout}: a peer must not be forgotten for one announce that is late`,
      )
    else if (timeout < longest && areSound(timeoutPath))
      report.warn(at(timeoutPath), `${longest} counts, the longest of all WebSocket listeners`)

    const host = hostOf(listener, http_trackers)
    if (!host) continue
    const name = `http_trackers.${http_trackers!.indexOf(host)}`
    if (!areSound(path('bind_address'), `${name}.bind_address`)) continue
    /** Unless a mistake in `option` or its parts has been reported already. */
    const differs = (option: string, message: string, ...parts: readonly string[]) => {
      const all = [option, ...parts.map((part) => `${option}.${part}`)]
      if (areSound(...all.flatMap((one) => [path(one), `${name}.${one}`])))
        report.mistake(
          writtenOf(at(path(option)), { ...at(`${name}.${option}`), path: path(option) }),
          message,
        )
    }
    const { ipv6_v6only } = host.network
    if (listener.network.ipv6_v6only !== ipv6_v6only)
      differs(
        'network.ipv6_v6only',
        `expected ${ipv6_v6only} as in ${name}, which has the same address and port, or another port`,
      )
    if (listener.tls_config !== null && !Bun.deepEquals(listener.tls_config, host.tls_config))
      differs(
        'tls_config',
        host.tls_config === null
          ? `${name} has the same address and port, but no tls_config: move this one there, and it serves both, or give one of them another port`
          : `${name} has the same address and port, and its tls_config serves both: leave this one out, or give one of them another port`,
        'ssl_cert_path',
        'ssl_key_path',
      )
  }
}

/** Where to report two options that contradict each other: at the one that was written. */
const writtenOf = (place: Place, other: Place): Place =>
  place.source === DEFAULT ? { ...other, path: place.path } : place

/**
 * Two listeners of one transport must not share a port of the same address, except a WebSocket listener and the HTTP
 * listener that is its host.
 */
function checkAddresses(config: Config, { report }: Context, at: (path: string) => Place): void {
  const listeners = listenersOf(config).filter(
    ({ name }) =>
      report.isSound(`${name}.bind_address`) && report.isSound(`${name}.network.ipv6_v6only`),
  )
  for (const [i, later] of listeners.entries()) {
    const earlier = listeners
      .slice(0, i)
      .find((other) => other.name !== later.host?.name && collide(other, later))
    if (!earlier) continue
    const path = `${later.name}.bind_address`
    report.mistake(
      writtenOf(at(path), { ...at(`${earlier.name}.bind_address`), path }),
      conflictOf(earlier, later),
    )
  }
}

function collide(a: Listener, b: Listener): boolean {
  const { port } = a.bind_address
  const isSame = port === b.bind_address.port && (a.scheme === 'udp') === (b.scheme === 'udp')
  return port !== 0 && isSame && (covers(a, b) || covers(b, a))
}

const isIpv6 = ({ bind_address }: Listener): boolean => bind_address.ip.includes(':')

/** Whether `a` also listens on the address of `b`. */
function covers(a: Listener, b: Listener): boolean {
  const { ip } = a.bind_address
  if (ip === '::') return isIpv6(b) || !a.network.ipv6_v6only
  return ip === b.bind_address.ip || (ip === '0.0.0.0' && !isIpv6(b))
}

function conflictOf(earlier: Listener, later: Listener): string {
  const address = printAddress(later.bind_address)
  // The APIs have no `network`.
  const isSeparable =
    isIpv6(earlier) !== isIpv6(later) && [earlier, later].find(isIpv6)?.name.includes('trackers')
  const orElse = isSeparable ? ', or the IPv6 listener `ipv6_v6only = true` in its `network`' : ''
  return `${address} overlaps ${printAddress(earlier.bind_address)} of ${earlier.name}.bind_address: one of them needs another port${orElse}`
}
