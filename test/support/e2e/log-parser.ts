/**
 * Reads the running services and their addresses out of a log, as the reference's tools do (docs/behaviours.md O5).
 * It shares no code with the writer of the log.
 */

export type Services = {
  /** `ip:port`. */
  readonly udp_trackers: string[]
  readonly http_trackers: string[]
  /** The reference has none. */
  readonly websocket_trackers: string[]
  /** URLs with the path of the health check. */
  readonly health_checks: string[]
}

const ANSI = new RegExp(`${String.fromCharCode(27)}\\[[\\d;]*m`, 'g')
const UDP = /Started on: udp:\/\/([\d.]+:\d+)/
const HTTP = /Started on: (https?:\/\/[\d.]+:\d+)/
const WEBSOCKET = /Started on: (wss?:\/\/[\d.]+:\d+)/

export function parseLog(log: string): Services {
  const services: Services = {
    udp_trackers: [],
    http_trackers: [],
    websocket_trackers: [],
    health_checks: [],
  }
  for (const raw of log.split('\n')) {
    if (!raw.includes('INFO')) continue
    const line = raw.replace(ANSI, '')
    const found = (pattern: RegExp): string[] => {
      const address = pattern.exec(line)?.[1]?.replace('0.0.0.0', '127.0.0.1')
      return address === undefined ? [] : [address]
    }
    if (line.includes('UDP TRACKER')) services.udp_trackers.push(...found(UDP))
    else if (line.includes('HTTP TRACKER')) services.http_trackers.push(...found(HTTP))
    else if (line.includes('WEBSOCKET TRACKER'))
      services.websocket_trackers.push(...found(WEBSOCKET))
    else if (line.includes('HEALTH CHECK API'))
      services.health_checks.push(...found(HTTP).map((url) => `${url}/health_check`))
  }
  return services
}
