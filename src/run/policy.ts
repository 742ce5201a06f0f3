/** What a configuration says about who is served and how, as the parts that decide it take it. */
import type { AccountingLevel } from '../accounting/limits.ts'
import type { Config } from '../config/model.ts'
import type { RuleValues } from '../rules.ts'

export const accessOf = ({ core }: Config) => ({
  listed: core.listed,
  private: core.private,
  checksExpiration: core.private_mode?.check_keys_expiration ?? true,
})

/** Of what figures are kept; undefined: of nothing. */
export const levelOf = ({ core: { accounting } }: Config): AccountingLevel | undefined =>
  accounting === null || accounting.level === 'off' ? undefined : accounting.level

export const rulesOf = ({
  abuse,
  core,
  metadata,
  udp_tracker_server,
  websocket_trackers,
}: Config): RuleValues => ({
  interval: core.announce_policy.interval,
  intervalMin: core.announce_policy.interval_min,
  maxPeers: core.announce_policy.max_peers_per_announce,
  peerTimeoutSeconds: core.tracker_policy.max_peer_timeout,
  webPeerTimeoutSeconds: Math.max(0, ...(websocket_trackers ?? []).map((one) => one.peer_timeout)),
  removePeerless: core.tracker_policy.remove_peerless_torrents,
  schema: metadata.schema_version,
  idErrors: udp_tracker_server.connection_id_validation === 'strict' ? abuse.id_errors : 'serve',
  banLimit: udp_tracker_server.max_connection_id_errors_per_ip,
})

/** What a tracker without a database cannot begin while it runs. */
export const NEEDS_DATABASE: readonly string[] = [
  'core.listed',
  'core.private',
  'core.private_mode',
]
