/** A real tracker on ports the system chose: ready when this resolves, gone when the scope ends. */

import { load } from '../../src/config/load.ts'
import { printMistake } from '../../src/config/mistake.ts'
import type { Config } from '../../src/config/model.ts'
import { Log } from '../../src/log.ts'
import { type Running, start } from '../../src/run/start.ts'

const HEAD = `
[metadata]
schema_version = "3.0.0"
[logging]
trace_filter = "info"
[core]
listed = false
private = false
`
const LISTENERS = `
[[udp_trackers]]
bind_address = "127.0.0.1:0"
[[http_trackers]]
bind_address = "127.0.0.1:0"
[health_check_api]
bind_address = "127.0.0.1:0"
`
/** One thread, little memory: what most tests want. */
const RUNTIME = `
[runtime]
workers = 1
max_memory = "64MiB"
`

export function configOf(toml: string): Config {
  const env = { TORRUST_TRACKER_CONFIG_TOML: toml }
  const loaded = load({ env, cwd: '/', readFile: () => '' })
  if (loaded.kind === 'failed') throw new Error(loaded.mistakes.map(printMistake).join('\n'))
  return loaded.config
}

export type TestTracker = Running & { readonly lines: string[]; readonly config: Config }

/** `core` stands right behind `[core]`; `rest` replaces the listeners, `runtime` the `[runtime]`. */
export async function startTracker({
  core = '',
  rest = LISTENERS,
  runtime = RUNTIME,
}: {
  core?: string
  rest?: string
  runtime?: string
} = {}): Promise<TestTracker> {
  const lines: string[] = []
  const config = configOf(HEAD + core + rest + runtime)
  const log = new Log({ filter: 'info', style: 'full', colour: false }, Date.now, (line) => {
    lines.push(line)
  })
  const running = await start(config, log, '0.0.0')
  return { ...running, lines, config, [Symbol.asyncDispose]: () => running[Symbol.asyncDispose]() }
}
