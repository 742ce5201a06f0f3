/**
 * The configuration of a tracker that was given none: a public tracker on the usual ports, with the
 * API for this machine only. Whatever is not written here is the default of the settings table.
 */
import type { TomlSource } from './toml.ts'

export const BUILT_IN: TomlSource = {
  name: 'the built-in default',
  quotable: true,
  text: `
[metadata]
schema_version = "3.0.0"
[logging]
trace_filter = "info"
[core]
listed = false
private = false
[core.database]
[[udp_trackers]]
tracker_usage_statistics = true
[[http_trackers]]
tracker_usage_statistics = true
[http_api]
`,
}
