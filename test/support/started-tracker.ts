/** A whole tracker in this process, on ports that the system chose. */

import type { Config } from '../../src/config/model.ts'
import { Log } from '../../src/log/log.ts'
import { type Running, start } from '../../src/run/start.ts'
import { configOf, configuration } from './configuration.ts'

export type TestTracker = Running & {
  readonly lines: string[]
  readonly log: Log
  readonly config: Config
}

/** Ready when this resolves, gone when the scope ends. One thread, unless `settings` say otherwise. */
export async function startTracker(
  settings: Parameters<typeof configuration>[0] = {},
): Promise<TestTracker> {
  const lines: string[] = []
  const config = configOf(configuration({ workers: 1, ...settings }))
  const log = new Log({ filter: 'info', style: 'full', colour: false }, Date.now, (line) => {
    lines.push(line)
  })
  const running = await start(config, log, '0.0.0')
  return {
    ...running,
    lines,
    log,
    config,
    [Symbol.asyncDispose]: () => running[Symbol.asyncDispose](),
  }
}
