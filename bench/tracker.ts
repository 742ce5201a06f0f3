/** This project's tracker as a benchmark starts it: one thread, no logging, whatever else is asked for. */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { ROOT } from './build.ts'
import type { Setting, Start, Transport } from './contenders.ts'

/** How a tracker is started unless the command line says otherwise. */
export const FROM_SOURCE = 'bun src/main.ts'

/** What a configuration has beyond that of a public tracker; `tables` is TOML, `[core.database]` and so on. */
export type Flavour = {
  readonly listed?: boolean
  readonly private?: boolean
  readonly tables?: string
}

/** `undefined` for a source file that is not there. `flavour` may put files into the room. */
export const trackerStart =
  (
    commandLine: string,
    transport: Transport,
    flavour: (setting: Setting) => Promise<Flavour> = async () => ({}),
  ): Start =>
  async (setting) => {
    const words = commandLine.split(' ')
    const source = words.find((word) => word.endsWith('.ts'))
    if (source && !existsSync(join(ROOT, source))) return undefined
    const config = join(setting.room, 'tracker.toml')
    await Bun.write(config, trackerConfig(transport, setting, await flavour(setting)))
    const absolute = words.map((word) => (existsSync(join(ROOT, word)) ? join(ROOT, word) : word))
    return [...absolute, '--config', config]
  }

const trackerConfig = (transport: Transport, setting: Setting, flavour: Flavour) => `
[metadata]
app = "torrust-tracker"
purpose = "configuration"
schema_version = "3.0.0"
[logging]
trace_filter = "error"
[core]
listed = ${flavour.listed ?? false}
private = ${flavour.private ?? false}
${flavour.tables ?? ''}
[runtime]
workers = 1
[[${transport}_trackers]]
bind_address = "127.0.0.1:${setting.port}"
[health_check_api]
bind_address = "127.0.0.1:${setting.sparePort}"
`
