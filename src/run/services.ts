/** The services of a configuration, as the log and the health report name them. */
import type { Config, HttpTrackerConfig, UdpTrackerConfig } from '../config/model.ts'
import type { HealthService } from '../servers/health-api.ts'
import type { HttpServer } from '../servers/listen.ts'
import { joinPort } from '../wire/address.ts'
import type { Threads } from './threads.ts'

/** Targets of the log. */
export const TARGETS = { udp_tracker: 'UDP TRACKER', http_tracker: 'HTTP TRACKER' } as const

type TrackerService = HealthService & {
  readonly type: keyof typeof TARGETS
  /** What clients are given, as far as the configuration tells: with HOST and KEY in place of what it does not. */
  readonly announceUrl: string
}

/** Every tracker listener with the port it got. */
export function trackerServices(config: Config, ports: Threads['ports']): TrackerService[] {
  const path = config.core.private ? '/announce/KEY' : '/announce'
  const service = (
    type: TrackerService['type'],
    scheme: TrackerService['scheme'],
    { bind_address, network, public_url: publicUrl }: UdpTrackerConfig | HttpTrackerConfig,
    port: number,
  ): TrackerService => {
    const { ip } = bind_address
    const isAny = ip === '0.0.0.0' || ip === '::'
    const urlAt = (host: string) => `${scheme}://${joinPort(host, port)}`
    return {
      type,
      scheme,
      address: { ip, port },
      url: urlAt(ip),
      publicUrl,
      announceUrl: publicUrl ?? urlAt(isAny ? (network.external_ip ?? 'HOST') : ip) + path,
    }
  }
  const { udp_trackers, http_trackers } = config
  return [
    ...(udp_trackers ?? []).map((one, i) => service('udp_tracker', 'udp', one, ports.udp[i]!)),
    ...(http_trackers ?? []).map((one, i) =>
      service('http_tracker', one.tls_config ? 'https' : 'http', one, ports.http[i]!),
    ),
  ]
}

/** The management API, as the health report asks it. */
export const apiService = ({ http_api }: Config, { address, url }: HttpServer): HealthService => ({
  type: 'tracker_rest_api',
  scheme: http_api?.tls_config ? 'https' : 'http',
  address,
  url,
  publicUrl: http_api?.public_url ?? null,
})
