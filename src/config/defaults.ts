/**
 * Both sets of defaults. An existing file must keep its meaning, so a file that leaves one of these options out gets
 * the reference's value (docs/behaviours.md C3). A tracker without a file, and the file of `tracker init`, get values
 * that suit a public tracker (C13). Everything else has one default: that of the settings table.
 */
import type { TomlSource } from './toml.ts'

/** What a file means that does not say. Seconds, and an address without its port. */
export const FILE_DEFAULTS = {
  interval: 120,
  interval_min: 120,
  max_peer_timeout: 900,
  ip: '0.0.0.0',
} as const

const BUILT_IN = `
[metadata]
schema_version = "3.0.0"
[logging]
trace_filter = "info"
[core]
listed = false
private = false
[core.announce_policy]
interval = 1800
interval_min = 900
[core.database]
[core.tracker_policy]
max_peer_timeout = 4500
[[udp_trackers]]
bind_address = "[::]:6969"
tracker_usage_statistics = true
[[http_trackers]]
bind_address = "[::]:7070"
tracker_usage_statistics = true
[http_api]
`

export const BUILT_IN_NAME = 'the built-in default'

/** The configuration of a tracker without a file. A socket on `[::]` serves IPv4 as well. */
export const builtIn = (hasIpv6: boolean): TomlSource => ({
  name: BUILT_IN_NAME,
  text: hasIpv6 ? BUILT_IN : BUILT_IN.replaceAll('[::]', '0.0.0.0'),
  quotable: true,
})
