/**
 * The listeners of the configuration: whether a tracker serves them already, as its health report says, and if not
 * whether their ports are free.
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
  type Found,
  ok,
  type Patient,
  problem,
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
  /** Where it stands in the configuration: `udp_trackers[0]`. */
  readonly name: string
  /** Clients ask it; else only operators do. */
  readonly isTracker: boolean
}

const schemeOf = (tls: TlsConfig | null): 'http' | 'https' => (tls === null ? 'http' : 'https')
/** Of what has no such option. */
const BOTH = { ipv6_v6only: false }

export function listenersOf(config: Config): readonly Listener[] {
  const { udp_trackers, http_trackers, http_api, health_check_api } = config
  const udp = (udp_trackers ?? []).map(
    ({ bind_address, public_url, network }, i): Listener => ({
      scheme: 'udp',
      bind_address,
      tls_config: null,
      public_url,
      network,
      name: `udp_trackers[${i}]`,
      isTracker: true,
    }),
  )
  const http = (http_trackers ?? []).map(
    ({ bind_address, tls_config, public_url, network }, i): Listener => ({
      scheme: schemeOf(tls_config),
      bind_address,
      tls_config,
      public_url,
      network,
      name: `http_trackers[${i}]`,
      isTracker: true,
    }),
  )
  const operators = {
    http_api,
    health_check_api: { ...health_check_api, tls_config: null, public_url: null },
  }
  const others = Object.entries(operators).flatMap(([name, api]): Listener[] => {
    if (api === null) return []
    const { bind_address, tls_config, public_url } = api
    const scheme = schemeOf(tls_config)
    return [{ scheme, bind_address, tls_config, public_url, network: BOTH, name, isTracker: false }]
  })
  return [...udp, ...http, ...others]
}

/** Whether the report names a listener. */
export const serves = ({ answer }: RunningTracker, { scheme, bind_address }: Listener): boolean =>
  answer?.services.some(
    ({ service }) => service.replace(/\/$/, '') === `${scheme}://${printAddress(bind_address)}`,
  ) ?? false

/** Whether it is the tracker of this configuration: another one may be there. */
export function isOurs(tracker: RunningTracker, config: Config): boolean {
  // The report does not name the API that it comes from; ports that the system chose tell nothing.
  const known = listenersOf(config).filter(
    ({ name, bind_address }) => name !== 'health_check_api' && bind_address.port !== 0,
  )
  const isThere = tracker.answer !== undefined
  return isThere && (known.length === 0 || known.some((listener) => serves(tracker, listener)))
}

export async function askTracker(config: Config, milliseconds: number): Promise<RunningTracker> {
  const bind = config.health_check_api.bind_address
  const text = `http://${printAddress(reachable(bind))}/health_check`
  const url = parseTrackerUrl(text)
  // Port 0: only its log says where it is.
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
        'Either the tracker is stuck (look at its log and at top), or another program has that port: then name another one in health_check_api.bind_address.',
      )
    if (answer === undefined)
      return skipped(
        `no tracker runs with this configuration: nothing answers at ${url}; run this again while it does`,
      )
    if (!isOurs(running, config))
      return warning(
        `a tracker answers at ${url}, but it has none of the listeners of this configuration: ${answer.services.map(({ service }) => service).join(', ') || 'it has none'}`,
        'Look at the configuration that it runs with: --config PATH',
      )
    if (answer.problem !== undefined) return problem(`${url}: ${answer.problem}`, look)
    return ok(`the tracker runs, and its ${answer.services.length} services answer`)
  },
}

export const ports: Check = {
  name: 'ports',
  async run(patient) {
    const found: Found[] = []
    const free: string[] = []
    const running: string[] = []
    // One at a time: two of them may want the same port for a moment.
    for (const listener of listenersOf(patient.config)) {
      if (listener.bind_address.port === 0) continue
      const judged = await judge(listener, patient)
      if (judged === 'free') free.push(placeOf(listener))
      else if (judged === 'ours') running.push(placeOf(listener))
      else found.push(judged)
    }
    if (running.length > 0) found.push(ok(`the running tracker has ${running.join(', ')}`))
    if (free.length > 0) found.push(ok(`free: ${free.join(', ')}`))
    return found.length > 0 ? found : ok('every listener has port 0: the system chooses')
  },
}

const placeOf = ({ scheme, bind_address }: Listener): string =>
  `${scheme} ${printAddress(bind_address)}`

async function judge(listener: Listener, patient: Patient): Promise<'free' | 'ours' | Found> {
  const { scheme, name } = listener
  const tracker = await patient.tracker()
  if (serves(tracker, listener)) return 'ours'
  // Its own report does not name it.
  if (name === 'health_check_api' && isOurs(tracker, patient.config)) return 'ours'
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
      `ss -${scheme === 'udp' ? 'u' : 't'}lpn 'sport = :${port}'  # says who has it; as root also whose it is`,
      'Stop that program, or give one of the two another port. If it is a tracker: its health API is not at the health_check_api.bind_address of this configuration.',
    ]
  if (reason.startsWith('not permitted'))
    return [
      'setcap cap_net_bind_service=+ep "$(command -v tracker)"  # or in its service: AmbientCapabilities=CAP_NET_BIND_SERVICE',
      `Or let everybody: sysctl -w net.ipv4.ip_unprivileged_port_start=${port}`,
    ]
  if (reason.startsWith('no such address'))
    return ['ip address  # shows the addresses there are; 0.0.0.0 and [::] stand for all of them']
  return []
}
