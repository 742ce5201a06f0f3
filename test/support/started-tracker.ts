/** A real tracker on ports the system chose: ready when this resolves, gone when the scope ends. */

import { load } from '../../src/config/load.ts'
import { printMistake } from '../../src/config/mistake.ts'
import type { Config } from '../../src/config/model.ts'
import { Log } from '../../src/log.ts'
import { type Running, start } from '../../src/run/start.ts'
import { PATIENCE_MILLISECONDS } from './until.ts'

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

/** A UDP socket of a client: sends, and hands out what comes back in order. */
export async function udpClient(port: number, hostname = '127.0.0.1', bind?: string) {
  const received: Uint8Array[] = []
  const waiting: ((packet: Uint8Array) => void)[] = []
  const socket = await Bun.udpSocket({
    hostname: bind ?? (hostname.includes(':') ? '::1' : '127.0.0.1'),
    connect: { hostname, port },
    socket: {
      data(_socket, packet) {
        const copy = new Uint8Array(packet)
        const next = waiting.shift()
        if (next) next(copy)
        else received.push(copy)
      },
      error() {},
    },
  })
  return {
    socket,
    send: (packet: Uint8Array) => socket.send(packet),
    /** Rejects when nothing comes for `patience` milliseconds. */
    receive(patience = PATIENCE_MILLISECONDS): Promise<Uint8Array> {
      const here = received.shift()
      if (here) return Promise.resolve(here)
      const { promise, resolve, reject } = Promise.withResolvers<Uint8Array>()
      const take = (packet: Uint8Array) => {
        clearTimeout(timer)
        resolve(packet)
      }
      // Whoever gave up must not take what comes for the next.
      const timer = setTimeout(() => {
        waiting.splice(waiting.indexOf(take), 1)
        reject(new Error('no answer'))
      }, patience)
      waiting.push(take)
      return promise
    },
    /** Everything that came and was not asked for. */
    unread: () => received.splice(0),
    [Symbol.dispose]: () => socket.close(),
  }
}
