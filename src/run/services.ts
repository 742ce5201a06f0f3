/** The services of a configuration, as the log and the health report name them. */
import type { Config } from '../config/model.ts'
import type { HealthService } from '../servers/health-api.ts'
import type { HttpServer } from '../servers/listen.ts'
import { joinPort } from '../wire/address.ts'
import type { Listeners } from './thread.ts'

/** Targets of the log. */
export const TARGETS = { udp_tracker: 'UDP TRACKER', http_tracker: 'HTTP TRACKER' } as const

type TrackerService = HealthService & {
  readonly type: keyof typeof TARGETS
  /** What clients are given, as far as the configuration tells: with HOST and KEY in place of what it does not. */
  readonly announceUrl: string
}

/** Every tracker listener. */
export function trackerServices({ core }: Config, { udp, http }: Listeners): TrackerService[] {
  const path = core.private ? '/announce/KEY' : '/announce'
  const service = (
    type: TrackerService['type'],
    scheme: TrackerService['scheme'],
    { bind_address: address, network, public_url: publicUrl }: Listeners['udp' | 'http'][number],
  ): TrackerService => {
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
    }
  }
  return [
    ...udp.map((one) => service('udp_tracker', 'udp', one)),
    ...http.map((one) => service('http_tracker', one.tls_config ? 'https' : 'http', one)),
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
