/** What `tracker` says when it starts, stops and cannot serve, and the code it ends with. */

import { afterEach, describe, expect, spyOn, test } from 'bun:test'
import type { Host } from '../../src/cli/host.ts'
import type { Loaded } from '../../src/config/load.ts'
import { serve } from '../../src/run/serve.ts'
import { capturedHost } from '../support/cli/captured-host.ts'
import { configOf, configuration } from '../support/configuration.ts'
import { launch, source } from '../support/e2e/program.ts'

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

/** Reads the same again. */
const serveOnly = (text: string, host: Host) => serve(loaded(text), host, () => loaded(text))

const spies: { mockRestore(): void }[] = []
afterEach(() => {
  for (const spy of spies.splice(0)) spy.mockRestore()
})

test('a failure is one line, and nothing is opened', async () => {
  const { host, complaints } = hostOf()
  const open = spyOn(Bun, 'udpSocket')
  spies.push(open)
  const nowhere = '[core.database]\npath = "/dev/null/tracker.db"\n[[udp_trackers]]\n'
  expect(await serveOnly(toml(nowhere, true), host)).toBe(1)
  expect(complaints).toEqual([expect.stringMatching(/^tracker: [^\n]+\n$/)])
  expect(open).not.toHaveBeenCalled()
})

test.each(['SIGINT', 'SIGTERM'] as const)(
  '%s ends it with 0 and leaves no handler',
  async (signal) => {
    const { host, complaints, exits } = hostOf()
    const before = handlers(signal).length
    const hangUps = handlers('SIGHUP').length
    const serving = serveOnly(toml(), host)
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
  const serving = serveOnly(toml(), host)
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

/** Lines of the log without their times, for numbers `N`. */
const linesOf = (out: string) =>
  out
    .trimEnd()
    .split('\n')
    .map((line) => line.slice(28).replace(/\d+/g, 'N'))

describe('a start and a stop', () => {
  const OVERRIDE = 'TORRUST_TRACKER_CONFIG_OVERRIDE'
  const anyPorts = {
    [`${OVERRIDE}_UDP_TRACKERS__0__BIND_ADDRESS`]: '0.0.0.0:0',
    [`${OVERRIDE}_HTTP_TRACKERS__0__BIND_ADDRESS`]: '0.0.0.0:0',
    [`${OVERRIDE}_HTTP_API__BIND_ADDRESS`]: '127.0.0.1:0',
    [`${OVERRIDE}_HEALTH_CHECK_API__BIND_ADDRESS`]: '127.0.0.1:0',
    [`${OVERRIDE}_RUNTIME__WORKERS`]: '2',
    [`${OVERRIDE}_RUNTIME__MAX_MEMORY`]: '"64MiB"',
  }

  test('O5: are told in some lines, without any configuration', async () => {
    await using run = await launch(source, { env: anyPorts })
    await run.says(/installed\.\n/)
    const { code, out, err } = await run.stop()
    expect(code).toBe(0)
    expect(err).toMatch(/^The API's token for this run: [0-9a-f]{32}\n$/)
    expect(out).not.toContain(err.trim().slice(-32))
    // How large buffers may be is the machine's affair.
    expect(linesOf(out).filter((line) => !line.includes('the kernel limits'))).toEqual([
      ' INFO TRACKER: tracker N.N.N',
      ' INFO CONFIGURATION: Read from the built-in default',
      ' INFO TRACKER: N threads, at most N MiB of memory for torrents and peers (runtime.max_memory)',
      ' INFO DATABASE: Opened: sqliteN:./storage/tracker/lib/database/sqliteN.db',
      ' INFO UDP TRACKER: Started on: udp://N.N.N.N:N announce=udp://HOST:N/announce',
      ' INFO HTTP TRACKER: Started on: http://N.N.N.N:N announce=http://HOST:N/announce',
      ' INFO API: Started on: http://N.N.N.N:N',
      ' INFO HEALTH CHECK API: Started on: http://N.N.N.N:N',
      ' INFO TRACKER: Ready in N ms. Tracker shutdown signal handlers installed.',
      ' INFO TRACKER: Tracker shutting down (SIGTERM) ...',
      ' INFO TRACKER: Tracker successfully shutdown.',
    ])
  })

  test('O5: name the announce URLs as far as they are known', async () => {
    const udp = '[[udp_trackers]]\nbind_address = "[::]:0"\n'
    const toml = configuration({
      isPrivate: true,
      core: '[core.database]\npath = "tracker.db"\n',
      rest: `${udp}public_url = "udp://tracker.example:6969/announce"\n${udp}[udp_trackers.network]
external_ip = "2001:db8::7"\n${udp}[[http_trackers]]\nbind_address = "127.0.0.1:0"\n${HEALTH}`,
    })
    await using run = await launch(source, { toml })
    await run.says(/installed\.\n/)
    const { out } = await run.stop()
    const urls = linesOf(out).flatMap((line) => /announce=(.*)/.exec(line)?.[1] ?? [])
    expect(urls).toEqual([
      'udp://tracker.example:N/announce',
      'udp://[N:dbN::N]:N/announce/KEY',
      'udp://HOST:N/announce/KEY',
      'http://N.N.N.N:N/announce/KEY',
    ])
  })

  test('C11: the whole configuration is told at debug', async () => {
    await using run = await launch(source, { toml: configuration({ filter: 'debug' }) })
    await run.says(/installed\.\n/)
    const { out } = await run.stop()
    const json = /DEBUG CONFIGURATION: Configuration:\n(\{\n.*?\n\})\n/s.exec(out)![1]!
    expect(JSON.parse(json)).toMatchObject({ logging: { trace_filter: 'debug' }, http_api: null })
  })
})
