/** What trackers that Prometheus scrapes have in their configuration. */

/** It opens the metrics only. */
export const TOKEN = 'a-token-of-Prometheus'
export const ADMIN_TOKEN = 'a-token-of-the-operator'

/** UDP, HTTP, WebSockets, with a certificate HTTPS, and the API. */
export const listenersWith = (tls?: { readonly cert: string; readonly key: string }): string => `
[[udp_trackers]]
bind_address = "127.0.0.1:0"
[[http_trackers]]
bind_address = "127.0.0.1:0"
[[websocket_trackers]]
bind_address = "127.0.0.1:0"
${tls === undefined ? '' : secure(tls)}
[http_api]
bind_address = "127.0.0.1:0"
access_tokens = { admin = "${ADMIN_TOKEN}", prometheus = { token = "${TOKEN}", scope = "metrics" } }
[health_check_api]
bind_address = "127.0.0.1:0"
`
const secure = ({ cert, key }: { cert: string; key: string }): string => `
[[http_trackers]]
bind_address = "127.0.0.1:0"
tls_config = { ssl_cert_path = "${cert}", ssl_key_path = "${key}" }
`

/** A database in that file which keeps the counts of completions; for the end of `[core]`. */
export const databaseAt = (path: string): string => `
[core.database]
path = "${path}"
[core.tracker_policy]
persistent_torrent_completed_stat = true
`
