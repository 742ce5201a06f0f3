/**
 * What a configuration may ask for that this version cannot do yet. What would make the tracker serve
 * strangers who should be kept out, or forget what it was told to keep, stops it; the rest is a warning.
 */
import type { Config } from '../config/model.ts'

/** Why this configuration must not be served; undefined = it may. */
export function refusalOf({ core }: Config): string | undefined {
  const asked = [
    core.private && 'core.private',
    core.listed && 'core.listed',
    core.tracker_policy.persistent_torrent_completed_stat &&
      'core.tracker_policy.persistent_torrent_completed_stat',
  ].filter((option) => option !== false)
  if (asked.length === 0) return undefined
  const verb = asked.length === 1 ? 'is' : 'are'
  return `this version cannot do what ${asked.join(', ')} asks for; it will not serve as if ${asked.length === 1 ? 'it' : 'they'} ${verb} false: set ${asked.length === 1 ? 'it' : 'them'} to false, or wait for the version that can`
}

export function warningsOf({ core, http_api }: Config): string[] {
  const warnings: string[] = []
  if (http_api !== null)
    warnings.push('http_api: the management API is not part of this version; it is not started')
  if (core.database !== null)
    warnings.push(
      'core.database: this version keeps everything in memory; the database is not opened',
    )
  return warnings
}
