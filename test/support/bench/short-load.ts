/** Short load tests in this process. */
import { expect } from 'bun:test'
import { type HttpOptions, HttpWire } from '../../../src/bench/http-load.ts'
import { Load, type LoadOptions, type Wire, type WireOptions } from '../../../src/bench/load.ts'
import { Population } from '../../../src/bench/population.ts'
import type { Tally } from '../../../src/bench/tally.ts'
import { type UdpOptions, UdpWire } from '../../../src/bench/udp-load.ts'
import { type WebSocketOptions, WebSocketWire } from '../../../src/bench/websocket-load.ts'
import { libc } from '../../../src/servers/libc.ts'
import { PATIENCE_MILLISECONDS } from '../until.ts'

/** The options of the load are mixed with those of its transport. */
type Settings<T> = Partial<T & LoadOptions> & {
  readonly port: number
  readonly path?: string
  /** true ends the run. By default after a hundred replies of any kind. */
  readonly enough?: (tally: Tally) => boolean
}

/** For trackers that do not answer: requests are lost soon. */
export const IMPATIENT = { timeoutMilliseconds: 200 }

/** How UDP sockets are read: by our own system calls, or by Bun. */
export type Reader = 'direct' | 'bun'

export async function loadUdp(settings: Settings<UdpOptions> & { readonly reader?: Reader }) {
  const { reader = 'direct', ...rest } = settings
  const options = { ...defaults(rest.path), window: 8, ...rest }
  const system = reader === 'direct' ? libc() : null
  return await drive(options, await UdpWire.open(options, system), rest.enough)
}

export async function loadHttp(settings: Settings<HttpOptions>) {
  const web = { host: 'tracker.invalid', tls: false, insecure: false, closes: false }
  const options = { ...defaults(settings.path), ...web, ...settings }
  return await drive(options, new HttpWire(options), settings.enough)
}

export async function loadWebSocket(settings: Settings<WebSocketOptions>) {
  const web = { host: 'tracker.invalid', tls: false, insecure: false }
  const messages = { offers: 2, answers: 0, ascii: false }
  const options = { ...defaults(settings.path), ...web, ...messages, ...settings }
  return await drive(options, new WebSocketWire(options), settings.enough)
}

/** With generous time limits: a busy machine loses no request, and nothing hangs for ever. */
const defaults = (path = ''): WireOptions & LoadOptions => ({
  address: { ip: '127.0.0.1', family: 4 },
  port: 0,
  pathOf: () => path,
  population: new Population({ seed: 1, torrents: 50, peers: 100, seeders: 75 }),
  mix: 'announce',
  want: 30,
  seed: 1,
  clients: 2,
  durationMilliseconds: PATIENCE_MILLISECONDS,
  timeoutMilliseconds: PATIENCE_MILLISECONDS,
  rate: undefined,
})

/** Runs until there is enough, and checks that every request is counted as answered, bad or lost. */
async function drive(
  options: LoadOptions,
  wire: Wire,
  enough = ({ replies }: Tally) => replies >= 100,
) {
  const run = new Load(options)
  const timer = setInterval(() => enough(run.tally) && run.stop(), 1)
  try {
    await run.drive(wire)
  } finally {
    clearInterval(timer)
    wire.close()
  }
  expect(run.ended).toBe('interrupted')
  for (const { requests, answers, errors, malformed, lost } of run.tally.kinds)
    expect(answers + errors + malformed + lost).toBe(requests)
  return { run, tally: run.tally, total: run.tally.total() }
}
