/**
 * The configuration model of the program, shaped like schema 3.0.0 (docs/behaviours.md C1). Names are those of
 * the file, so that a path in a message is a path in the file. An absent optional value is `null`. All values
 * have been checked.
 */

import type { SocketAddress } from '../wire/address.ts'

type TraceFilter = 'off' | 'error' | 'warn' | 'info' | 'debug' | 'trace'
type TraceStyle = 'full' | 'pretty' | 'compact' | 'json'

export type SchemaVersion = '2.0.0' | '3.0.0'

export interface Config {
  readonly metadata: {
    readonly app: 'torrust-tracker'
    readonly purpose: 'configuration'
    /**
     * The schema of the file; the model itself is always 3.0.0. Clients get the words of this generation of the
     * reference where the two differ (K11, A15).
     */
    readonly schema_version: SchemaVersion
  }
  readonly logging: { readonly trace_filter: TraceFilter; readonly trace_style: TraceStyle }
  readonly core: {
    readonly announce_policy: {
      /** Seconds a client should wait between announces. */
      readonly interval: number
      readonly interval_min: number
      readonly max_peers_per_announce: number
    }
    /** null: nothing is stored. */
    readonly database: DatabaseConfig | null
    /** Seconds between two sweeps; 0 = never. */
    readonly inactive_peer_cleanup_interval: number
    readonly listed: boolean
    readonly private: boolean
    readonly private_mode: { readonly check_keys_expiration: boolean } | null
    readonly tracker_policy: {
      /** Seconds after its last announce when a peer is forgotten. */
      readonly max_peer_timeout: number
      readonly persistent_torrent_completed_stat: boolean
      readonly remove_peerless_torrents: boolean
    }
    readonly tracker_usage_statistics: boolean
  }
  readonly udp_trackers: readonly UdpTrackerConfig[] | null
  readonly http_trackers: readonly HttpTrackerConfig[] | null
  readonly udp_tracker_server: {
    readonly ip_bans_reset_interval_in_secs: number
    readonly max_connection_id_errors_per_ip: number
    readonly connection_id_validation: 'strict' | 'disabled'
  }
  readonly http_api: HttpApiConfig | null
  readonly health_check_api: { readonly bind_address: SocketAddress }
  /** Only in this tracker, in either schema; `runtime` as well. */
  readonly abuse: {
    readonly id_errors: 'suppress' | 'ban'
    /** Torrents per second that get their first row in the database; 0 = no limit. */
    readonly max_new_rows_per_second: number
    /** Connections that one address may have to the HTTP trackers at a time; 0 = no limit. */
    readonly max_connections_per_address: number
  }
  readonly runtime: {
    /** Serving threads; 0 = one per core. */
    readonly workers: number
    /** Bytes for the swarm; 0 = half of the memory of the machine or container. */
    readonly max_memory: number
  }
}

export type DatabaseConfig =
  | { readonly driver: 'sqlite3'; readonly path: string }
  | {
      readonly driver: 'mysql' | 'postgresql'
      readonly host: string
      readonly port: number
      readonly user: string
      readonly password: string
      readonly database: string
    }

export interface NetworkConfig {
  /** Replaces loopback addresses of peers; canonical text, never unspecified. */
  readonly external_ip: string | null
  readonly on_reverse_proxy: boolean
  readonly ipv6_v6only: boolean
}

export interface TlsConfig {
  readonly ssl_cert_path: string
  readonly ssl_key_path: string
}

export interface UdpTrackerConfig {
  readonly bind_address: SocketAddress
  /** Seconds for which a connection id is valid; may have a fraction. */
  readonly cookie_lifetime: number
  readonly tracker_usage_statistics: boolean
  readonly public_url: string | null
  readonly network: NetworkConfig
}

export interface HttpTrackerConfig {
  readonly bind_address: SocketAddress
  readonly tls_config: TlsConfig | null
  readonly tracker_usage_statistics: boolean
  readonly use_ip_from_query_string: boolean
  readonly public_url: string | null
  readonly network: NetworkConfig
}

interface HttpApiConfig {
  readonly bind_address: SocketAddress
  readonly tls_config: TlsConfig | null
  /** Tokens by their labels. Secret. */
  readonly access_tokens: Readonly<Record<string, string>>
  readonly public_url: string | null
}
