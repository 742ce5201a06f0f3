/** What `tracker` says when it cannot serve, and the code it ends with. */

import { afterEach, expect, spyOn, test } from 'bun:test'
import type { Host } from '../../src/cli/host.ts'
import type { Loaded } from '../../src/config/load.ts'
import { serve } from '../../src/run/serve.ts'
import { capturedHost } from '../support/cli/captured-host.ts'
import { configOf, configuration } from '../support/configuration.ts'

const toml = (core = '', listed = false): string =>
  configuration({ filter: 'off', workers: 1, listed, core, rest: HEALTH })
const HEALTH = '[health_check_api]\nbind_address = "127.0.0.1:0"\n'

/** Signal handlers of this process that `serve` set, so that a test can call one. */
const handlers = (signal: NodeJS.Signals) => process.listeners(signal)

function hostOf() {
  const complaints: string[] = []
  const exits: number[] = []
  const host: Host = {
    ...capturedHost().host,
    complain: (text) => void complaints.push(text),
    exit: ((code: number) => void exits.push(code)) as Host['exit'],
  }
  return { host, complaints, exits }
}

const loaded = (text: string): Loaded => ({
  ...({ kind: 'loaded', warnings: [] } as unknown as Loaded),
  config: configOf(text),
})

const spies: { mockRestore(): void }[] = []
afterEach(() => {
  for (const spy of spies.splice(0)) spy.mockRestore()
})

test('a failure is one line, and nothing is opened', async () => {
  const { host, complaints } = hostOf()
  const open = spyOn(Bun, 'udpSocket')
  spies.push(open)
  const nowhere = '[core.database]\npath = "/dev/null/tracker.db"\n[[udp_trackers]]\n'
  expect(await serve(loaded(toml(nowhere, true)), host)).toBe(1)
  expect(complaints).toEqual([expect.stringMatching(/^tracker: [^\n]+\n$/)])
  expect(open).not.toHaveBeenCalled()
})

test.each(['SIGINT', 'SIGTERM'] as const)(
  '%s ends it with 0 and leaves no handler',
  async (signal) => {
    const { host, complaints, exits } = hostOf()
    const before = handlers(signal).length
    const hangUps = handlers('SIGHUP').length
    const serving = serve(loaded(toml()), host)
    const handler = handlers(signal).at(-1)!
    expect(handlers(signal)).toHaveLength(before + 1)
    // Before it is up: it starts, and stops at once.
    handler(signal)
    expect(await serving).toBe(0)
    expect([complaints, exits, handlers(signal).length]).toEqual([[], [], before])
    expect(handlers('SIGHUP')).toHaveLength(hangUps)
  },
)

test.each([
  ['SIGINT', 130],
  ['SIGTERM', 143],
] as const)('a second signal, %s, ends it with %d at once', async (signal, code) => {
  const { host, exits } = hostOf()
  let now = 1_000
  spies.push(spyOn(performance, 'now').mockImplementation(() => now))
  const serving = serve(loaded(toml()), host)
  const first = handlers('SIGTERM').at(-1)!
  const second = handlers(signal).at(-1)!
  first('SIGTERM')
  // Ctrl-C that also comes by way of a parent.
  now += 200
  second(signal)
  expect(exits).toEqual([])
  now += 1
  second(signal)
  expect(exits).toEqual([code])
  expect(await serving).toBe(0)
})
