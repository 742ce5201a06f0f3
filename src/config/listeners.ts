/** Every address that a configuration listens on. */
import type { SocketAddress } from '../wire/address.ts'
import type { Config, TlsConfig } from './model.ts'

export interface Listener {
  /** Its place in the configuration: `udp_trackers.0`, `http_api`. */
  readonly name: string
  readonly scheme: 'udp' | 'http' | 'https' | 'ws' | 'wss'
  readonly bind_address: SocketAddress
  /** What it serves: of a WebSocket listener on the address of an HTTP listener, that of the latter. */
  readonly tls_config: TlsConfig | null
  readonly public_url: string | null
  readonly network: { readonly ipv6_v6only: boolean }
  /** Of a WebSocket listener: the HTTP listener that has the same address. One server serves both. */
  readonly host?: Listener | undefined
}

/** The HTTP listener on whose address, and by whose server, a WebSocket listener is served. */
export const hostOf = <T extends Pick<Listener, 'bind_address'>>(
  { bind_address: { ip, port } }: Pick<Listener, 'bind_address'>,
  https: readonly T[] | null,
): T | undefined =>
  // Each port 0 becomes another one.
  https?.find(
    ({ bind_address }) => port !== 0 && bind_address.ip === ip && bind_address.port === port,
  )

/** What the APIs have no option for: they serve both families. */
const API = { network: { ipv6_v6only: false }, tls_config: null, public_url: null }

/** The trackers first, in the order of the file. */
export function listenersOf(config: Config): readonly Listener[] {
  const { udp_trackers, http_trackers, websocket_trackers, http_api, health_check_api } = config
  const http = (name: string, listener: Omit<Listener, 'scheme' | 'name'>): Listener => {
    return { ...listener, name, scheme: listener.tls_config === null ? 'http' : 'https' }
  }
  const https = (http_trackers ?? []).map((tracker, i) => http(`http_trackers.${i}`, tracker))
  const websockets = (websocket_trackers ?? []).map((tracker, i): Listener => {
    const host = hostOf(tracker, https)
    const tls_config = host ? host.tls_config : tracker.tls_config
    const scheme = tls_config === null ? 'ws' : 'wss'
    return { ...tracker, name: `websocket_trackers.${i}`, scheme, tls_config, host }
  })
  return [
    ...(udp_trackers ?? []).map((tracker, i): Listener => {
      return { ...tracker, name: `udp_trackers.${i}`, scheme: 'udp', tls_config: null }
    }),
    ...https,
    ...websockets,
    ...(http_api === null ? [] : [http('http_api', { ...API, ...http_api })]),
    http('health_check_api', { ...API, ...health_check_api }),
  ]
}
