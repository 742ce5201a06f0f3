/** Every address that a configuration listens on. */
import type { SocketAddress } from '../wire/address.ts'
import type { Config, TlsConfig } from './model.ts'

export interface Listener {
  /** Its place in the configuration: `udp_trackers.0`, `http_api`. */
  readonly name: string
  readonly scheme: 'udp' | 'http' | 'https'
  readonly bind_address: SocketAddress
  readonly tls_config: TlsConfig | null
  readonly public_url: string | null
  readonly network: { readonly ipv6_v6only: boolean }
}

/** What the APIs have no option for: they serve both families. */
const API = { network: { ipv6_v6only: false }, tls_config: null, public_url: null }

/** The trackers first, in the order of the file. */
export function listenersOf(config: Config): readonly Listener[] {
  const { udp_trackers, http_trackers, http_api, health_check_api } = config
  const http = (name: string, listener: Omit<Listener, 'scheme' | 'name'>): Listener => {
    return { ...listener, name, scheme: listener.tls_config === null ? 'http' : 'https' }
  }
  return [
    ...(udp_trackers ?? []).map((tracker, i): Listener => {
      return { ...tracker, name: `udp_trackers.${i}`, scheme: 'udp', tls_config: null }
    }),
    ...(http_trackers ?? []).map((tracker, i) => http(`http_trackers.${i}`, tracker)),
    ...(http_api === null ? [] : [http('http_api', { ...API, ...http_api })]),
    http('health_check_api', { ...API, ...health_check_api }),
  ]
}
