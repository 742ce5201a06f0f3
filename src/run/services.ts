/** The services of a configuration, as the log and the health report name them. */
import { X509Certificate } from 'node:crypto'
import type { Config } from '../config/model.ts'
import { ListenerCounters } from '../memory/counters.ts'
import type { HealthService } from '../servers/health-api.ts'
import type { Certificate, HttpServer } from '../servers/listen.ts'
import { joinPort } from '../wire/address.ts'
import { type Opening, schemeOf } from './open-listener.ts'

/** Targets of the log. */
export const TARGETS = {
  udp_tracker: 'UDP TRACKER',
  http_tracker: 'HTTP TRACKER',
  websocket_tracker: 'WEBSOCKET TRACKER',
} as const

export type TrackerService = HealthService & {
  readonly id: number
  readonly type: keyof typeof TARGETS
  /** What clients are given, as far as the configuration tells: with HOST and KEY in place of what it does not. */
  readonly announceUrl: string
  readonly counters: ListenerCounters
  /** When its certificate ends, in seconds since the epoch; undefined: it has none. */
  readonly certificateEnds: number | undefined
  /** Whether its counters are shown under the names that the reference has for them. */
  readonly isCounted: boolean
  /** Its connections come from a proxy, on behalf of many clients. */
  readonly isBehindProxy: boolean
}

/** One listener of the trackers. `threads`: that serve. */
export function trackerService(
  { core }: Config,
  opening: Opening,
  threads: number,
): TrackerService {
  const { id, type, listener, counters } = opening
  const { bind_address: address, network, public_url: publicUrl } = listener
  const certificate = 'certificate' in opening ? opening.certificate : null
  const scheme = schemeOf(opening)
  const external = 'external_ip' in network ? network.external_ip : null
  const { ip, port } = address
  const isAny = ip === '0.0.0.0' || ip === '::'
  const urlAt = (host: string) => `${scheme}://${joinPort(host, port)}`
  const path = core.private ? '/announce/KEY' : '/announce'
  return {
    id,
    type,
    scheme,
    address,
    url: urlAt(ip),
    publicUrl,
    announceUrl: publicUrl ?? urlAt(isAny ? (external ?? 'HOST') : ip) + path,
    certificateEnds: certificateEnds(certificate),
    counters: new ListenerCounters(threads, counters),
    isCounted: core.tracker_usage_statistics && listener.tracker_usage_statistics,
    isBehindProxy: network.on_reverse_proxy,
  }
}

/** The first of a file is that of the server. */
export const certificateEnds = (certificate: Certificate | null): number | undefined =>
  certificate === null
    ? undefined
    : new X509Certificate(certificate.cert).validToDate.getTime() / 1000

/** The management API, as the health report asks it. */
export const apiService = ({ http_api }: Config, { address, url }: HttpServer): HealthService => ({
  type: 'tracker_rest_api',
  scheme: url.startsWith('https:') ? 'https' : 'http',
  address,
  url,
  publicUrl: http_api?.public_url ?? null,
})
