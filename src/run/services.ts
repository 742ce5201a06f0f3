/** The services of a configuration, as the log and the health report name them. */
import { judgeTls } from '../cli/tls-files.ts'
import type { Config, TlsConfig } from '../config/model.ts'
import { ListenerCounters } from '../memory/counters.ts'
import type { HealthService } from '../servers/health-api.ts'
import type { HttpServer } from '../servers/listen.ts'
import { joinPort } from '../wire/address.ts'
import type { Listeners } from './thread.ts'

/** Targets of the log. */
export const TARGETS = { udp_tracker: 'UDP TRACKER', http_tracker: 'HTTP TRACKER' } as const

export type TrackerService = HealthService & {
  readonly type: keyof typeof TARGETS
  /** What clients are given, as far as the configuration tells: with HOST and KEY in place of what it does not. */
  readonly announceUrl: string
  readonly counters: ListenerCounters
  /** When its certificate ends, in seconds since the epoch; undefined: it has none. */
  readonly certificateEnds: number | undefined
  /** Whether its counters are shown under the names that the reference has for them. */
  readonly isCounted: boolean
}

/** Every tracker listener. `threads`: that serve. */
export function trackerServices(
  { core }: Config,
  { udp, http }: Listeners,
  threads: number,
): TrackerService[] {
  const path = core.private ? '/announce/KEY' : '/announce'
  const service = (
    type: TrackerService['type'],
    scheme: TrackerService['scheme'],
    { listener, counters }: Listeners['udp' | 'http'][number],
  ): TrackerService => {
    const { bind_address: address, network, public_url: publicUrl } = listener
    const { ip, port } = address
    const isAny = ip === '0.0.0.0' || ip === '::'
    const urlAt = (host: string) => `${scheme}://${joinPort(host, port)}`
    return {
      type,
      scheme,
      address,
      url: urlAt(ip),
      publicUrl,
      announceUrl: publicUrl ?? urlAt(isAny ? (network.external_ip ?? 'HOST') : ip) + path,
      certificateEnds: 'tls_config' in listener ? certificateEnds(listener.tls_config) : undefined,
      counters: new ListenerCounters(threads, counters),
      isCounted: core.tracker_usage_statistics && listener.tracker_usage_statistics,
    }
  }
  return [
    ...udp.map((one) => service('udp_tracker', 'udp', one)),
    ...http.map((one) => service('http_tracker', one.listener.tls_config ? 'https' : 'http', one)),
  ]
}

function certificateEnds(tls: TlsConfig | null): number | undefined {
  const [own] = tls === null ? [] : judgeTls(tls, process.cwd()).chain
  return own && own.validToDate.getTime() / 1000
}

/** The management API, as the health report asks it. */
export const apiService = ({ http_api }: Config, { address, url }: HttpServer): HealthService => ({
  type: 'tracker_rest_api',
  scheme: http_api?.tls_config ? 'https' : 'http',
  address,
  url,
  publicUrl: http_api?.public_url ?? null,
})
