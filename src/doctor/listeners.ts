/**
 * What the configuration opens: whether a tracker serves it already, as the health report says, and if not whether
 * its ports are free.
 */

import { ClientFailure } from '../client/failure.ts'
import { askHealth } from '../client/health-report.ts'
import { parseTrackerUrl } from '../client/tracker-url.ts'
import type { Config, TlsConfig } from '../config/model.ts'
import { assertFree } from '../servers/free-port.ts'
import { reachable } from '../servers/probe.ts'
import { printAddress, type SocketAddress } from '../wire/address.ts'
import {
  type Check,
  type Context,
  ok,
  problem,
  type Result,
  type RunningTracker,
  skipped,
  warning,
} from './finding.ts'

export interface Listener {
  readonly scheme: 'udp' | 'http' | 'https'
  readonly bind_address: SocketAddress
  readonly tls_config: TlsConfig | null
  readonly public_url: string | null
  readonly network: { readonly ipv6_v6only: boolean }
  /** Its place in the configuration: `udp_trackers[0]`. */
  readonly name: string
  /** false: an API, which only operators ask. */
  readonly isTracker: boolean
}

const schemeOf = (tls: TlsConfig | null): 'http' | 'https' => (tls === null ? 'http' : 'https')
/** Both families; the APIs have no option for it. */
const BOTH_FAMILIES = { ipv6_v6only: false }

export function listenersOf(config: Config): readonly Listener[] {
  const { udp_trackers, http_trackers, http_api, health_check_api } = config
  const udp = (udp_trackers ?? []).map(
    (tracker, i): Listener => ({
      ...tracker,
      scheme: 'udp',
      tls_config: null,
      name: `udp_trackers[${i}]`,
      isTracker: true,
    }),
  )
  const http = (http_trackers ?? []).map(
    (tracker, i): Listener => ({
      ...tracker,
      scheme: schemeOf(tracker.tls_config),
      name: `http_trackers[${i}]`,
      isTracker: true,
    }),
  )
  const apis = Object.entries({
    http_api,
    health_check_api: { ...health_check_api, tls_config: null, public_url: null },
  }).flatMap(([name, api]): Listener[] => {
    if (api === null) return []
    const { bind_address, tls_config, public_url } = api
    const scheme = schemeOf(tls_config)
    const network = BOTH_FAMILIES
    return [{ scheme, bind_address, tls_config, public_url, network, name, isTracker: false }]
  })
  return [...udp, ...http, ...apis]
}

/** Whether the health report names a listener. */
export const serves = ({ answer }: RunningTracker, { scheme, bind_address }: Listener): boolean =>
  answer?.services.some(
    ({ service }) => service.replace(/\/$/, '') === `${scheme}://${printAddress(bind_address)}`,
  ) ?? false

/** Whether the report comes from the tracker of this configuration, not from another one at the same address. */
export function isOurs(tracker: RunningTracker, config: Config): boolean {
  // The report does not name the API that it comes from, and ports that the system chose are not known here.
  const known = listenersOf(config).filter(
    ({ name, bind_address }) => name !== 'health_check_api' && bind_address.port !== 0,
  )
  const answers = tracker.answer !== undefined
  return answers && (known.length === 0 || known.some((listener) => serves(tracker, listener)))
}

export async function askTracker(config: Config, milliseconds: number): Promise<RunningTracker> {
  const bind = config.health_check_api.bind_address
  const text = `http://${printAddress(reachable(bind))}/health_check`
  const url = parseTrackerUrl(text)
  // Port 0: only the log says which port it became.
  if (typeof url === 'string') return { url: text }
  try {
    const answer = await askHealth(url, { milliseconds })
    return answer.status === null
      ? { url: text, trouble: `${answer.statusLine}, but no health report` }
      : { url: text, answer }
  } catch (error) {
    if (!(error instanceof ClientFailure)) throw error
    return error.kind === 'connect' ? { url: text } : { url: text, trouble: error.reason }
  }
}

export const health: Check = {
  name: 'health',
  async run({ config, tracker }) {
    if (config.health_check_api.bind_address.port === 0)
      return skipped('health_check_api.bind_address has port 0: only the log says where it is')
    const running = await tracker()
    const { url, answer, trouble } = running
    const look = `curl ${url}`
    if (trouble !== undefined)
      return problem(
        `${url}: ${trouble}`,
        look,
        'Either the tracker hangs (look at its log and at top), or another program has that port: then give health_check_api.bind_address another one.',
      )
    if (answer === undefined)
      return skipped(
        `no tracker runs with this configuration: nothing answers at ${url}; run this again while it does`,
      )
    if (!isOurs(running, config))
      return warning(
        `a tracker answers at ${url}, but it has none of the listeners of this configuration; it has ${answer.services.map(({ service }) => service).join(', ') || 'no listener'}`,
        'Use the configuration that it runs with: --config PATH',
      )
    if (answer.problem !== undefined) return problem(`${url}: ${answer.problem}`, look)
    return ok(`the tracker runs, and its ${answer.services.length} services answer`)
  },
}

export const ports: Check = {
  name: 'ports',
  async run(context) {
    const taken: Result[] = []
    const free: string[] = []
    const ours: string[] = []
    // One after the other: two listeners may name the same port, and each attempt holds it for a moment.
    for (const listener of listenersOf(context.config)) {
      if (listener.bind_address.port === 0) continue
      const state = await portState(listener, context)
      if (state === 'free') free.push(printListener(listener))
      else if (state === 'ours') ours.push(printListener(listener))
      else taken.push(state)
    }
    const results = [
      ...taken,
      ...(ours.length > 0 ? [ok(`the running tracker has ${ours.join(', ')}`)] : []),
      ...(free.length > 0 ? [ok(`free: ${free.join(', ')}`)] : []),
    ]
    return results.length > 0 ? results : ok('every listener has port 0: the system chooses')
  },
}

const printListener = ({ scheme, bind_address }: Listener): string =>
  `${scheme} ${printAddress(bind_address)}`

/** `ours`: the running tracker of this configuration has it. */
async function portState(listener: Listener, context: Context): Promise<'free' | 'ours' | Result> {
  const { scheme, name } = listener
  const tracker = await context.tracker()
  if (serves(tracker, listener)) return 'ours'
  // The report does not name the health API itself.
  if (name === 'health_check_api' && isOurs(tracker, context.config)) return 'ours'
  try {
    await (scheme === 'udp' ? assertFree([listener], []) : assertFree([], [listener]))
    return 'free'
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    return problem(`${name}: ${reason}`, ...adviceOn(reason, listener))
  }
}

function adviceOn(reason: string, { scheme, bind_address: { port } }: Listener): string[] {
  if (reason.startsWith('port in use'))
    return [
      `ss -${scheme === 'udp' ? 'u' : 't'}lpn 'sport = :${port}'  # shows what has it; the program only to root and its own user`,
      'Stop that program, or give one of the two another port. If it is a tracker, its health API is not at the health_check_api.bind_address of this configuration.',
    ]
  if (reason.startsWith('not permitted'))
    return [
      'setcap cap_net_bind_service=+ep "$(command -v tracker)"  # or in its service: AmbientCapabilities=CAP_NET_BIND_SERVICE',
      `Or allow it to all programs: sysctl -w net.ipv4.ip_unprivileged_port_start=${port}`,
    ]
  if (reason.startsWith('no such address'))
    return [
      'ip address  # lists the addresses of this machine; 0.0.0.0 and [::] stand for all of them',
    ]
  return []
}
