/** A whole tracker in this process, on ports that the system chose. */

import { readConfigurationAgain } from '../../src/cli/load-configuration.ts'
import type { Failed, Loaded } from '../../src/config/load.ts'
import type { Config } from '../../src/config/model.ts'
import { Log } from '../../src/log/log.ts'
import { type Running, start } from '../../src/run/start.ts'
import { capturedHost } from './cli/captured-host.ts'
import { configOf, configuration } from './configuration.ts'

export type TestTracker = Running & {
  readonly lines: string[]
  readonly log: Log
  readonly config: Config
  /** What a reload reads. */
  toml: string
}

/** Ready when this resolves, gone when the scope ends. One thread, unless `settings` say otherwise. */
export async function startTracker(
  settings: Parameters<typeof configuration>[0] = {},
): Promise<TestTracker> {
  const lines: string[] = []
  const file = { toml: configuration({ workers: 1, ...settings }) }
  const config = configOf(file.toml)
  const log = new Log({ filter: 'info', style: 'full', colour: false }, Date.now, (line) => {
    lines.push(line)
  })
  const origin = () => 'tracker.toml'
  const running = await start({ config, origin }, log, '0.0.0', () => read(tracker.toml))
  const tracker = Object.assign(running, { lines, log, config, ...file })
  return tracker
}

/** As the program reads it, certificates included. */
function read(toml: string): Loaded | Failed {
  const { host } = capturedHost({ env: { TORRUST_TRACKER_CONFIG_TOML: toml } })
  return readConfigurationAgain({ options: new Map(), arguments: [] }, host)
}
