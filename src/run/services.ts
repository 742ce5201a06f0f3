/** The services of a configuration, as the log and the health report name them. */
import type { Config, HttpTrackerConfig } from '../config/model.ts'
import type { Log } from '../log.ts'
import type { HealthService } from '../servers/health-api.ts'
import type { HttpServer } from '../servers/listen.ts'
import { printAddress } from '../wire/address.ts'
import type { Threads } from './threads.ts'

/** Logs what is about to start, before anything is opened: a failure comes behind what caused it. */
export function sayWhatStarts({ udp_trackers, http_trackers, http_api }: Config, log: Log): void {
  if (!udp_trackers?.length && !http_trackers?.length && !http_api)
    log.warn('TRACKER', 'No services enabled in configuration')
  if (udp_trackers === null) log.info('TRACKER', 'No UDP blocks in configuration')
  if (http_trackers === null) log.info('TRACKER', 'No HTTP blocks in configuration')
  if (http_api === null) log.info('TRACKER', 'No API block in configuration')
  for (const { bind_address } of udp_trackers ?? [])
    log.info('UDP TRACKER', `Starting on: ${printAddress(bind_address)}`)
  for (const listener of http_trackers ?? []) sayStarting('HTTP TRACKER', listener, log)
}

/** The lines before a listener that may serve HTTPS. */
export function sayStarting(
  target: string,
  { bind_address, tls_config }: Pick<HttpTrackerConfig, 'bind_address' | 'tls_config'>,
  log: Log,
): void {
  if (tls_config !== null) {
    log.info(target, `Using https: cert path: ${tls_config.ssl_cert_path}.`)
    log.info(target, `Using https: key path: ${tls_config.ssl_key_path}.`)
  }
  const scheme = tls_config === null ? 'http' : 'https'
  log.info(target, `Starting on: ${scheme}://${printAddress(bind_address)}`)
}

/** Every tracker listener with the port it got, as the health report asks them. */
export function trackerServices(config: Config, ports: Threads['ports']): HealthService[] {
  const udp = (config.udp_trackers ?? []).map((listener, i): HealthService => {
    const address = { ip: listener.bind_address.ip, port: ports.udp[i]! }
    const url = `udp://${printAddress(address)}`
    return { type: 'udp_tracker', scheme: 'udp', address, url, publicUrl: listener.public_url }
  })
  const http = (config.http_trackers ?? []).map((listener, i): HealthService => {
    const address = { ip: listener.bind_address.ip, port: ports.http[i]! }
    const scheme = listener.tls_config === null ? 'http' : 'https'
    const url = `${scheme}://${printAddress(address)}`
    return { type: 'http_tracker', scheme, address, url, publicUrl: listener.public_url }
  })
  return [...udp, ...http]
}

/** The management API, as the health report asks it. */
export const apiService = ({ http_api }: Config, { address, url }: HttpServer): HealthService => ({
  type: 'tracker_rest_api',
  scheme: http_api?.tls_config ? 'https' : 'http',
  address,
  url,
  publicUrl: http_api?.public_url ?? null,
})
