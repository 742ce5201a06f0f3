/** Everything that the configuration opens, in one list. */
import type { Config, TlsConfig } from '../config/model.ts'
import type { SocketAddress } from '../wire/address.ts'

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
