/**
 * A tracker that may open few files, and hostile clients that open more connections than that and send one byte at a
 * time: all other clients are served, over HTTP, by the API and by the health check.
 */

import { describe, expect, test } from 'bun:test'
import { connect } from 'node:net'
import { TOKEN } from '../support/api/cases.ts'
import { compiled, launch, type Run } from '../support/e2e/program.ts'
import { tomlOf } from '../support/e2e/tracker-process.ts'
import { announceQuery } from '../support/http-client.ts'
import { sample } from '../support/thorough.ts'
import { until } from '../support/until.ts'

/** Only ends a test that hangs. */
const PATIENCE_MILLISECONDS = 60_000
const binary = compiled()
const FILES = 256
const HOSTILE = 512

/** The program with a limit of open files. */
const confined = (): readonly string[] => [
  '/bin/sh',
  '-c',
  `ulimit -n ${FILES} && exec "$0" "$@"`,
  ...binary(),
]

/**
 * Connections that send a byte now and then and are opened again when they are closed, each from the address that
 * `from` returns.
 */
function trickle(port: number, from: (i: number) => string) {
  let isOver = false
  let closed = 0
  const open = (i: number): void => {
    if (isOver) return
    const socket = connect({ host: '127.0.0.1', port, localAddress: from(i) })
    socket.on('error', () => {})
    socket.on('connect', () => socket.write('GET /announce?info_hash='))
    const talking = setInterval(() => socket.write('a'), 500)
    socket.on('close', () => {
      clearInterval(talking)
      closed++
      setTimeout(open, 500, i)
    })
    ends[i] = () => socket.destroy()
  }
  const ends: (() => void)[] = []
  for (let i = 0; i < HOSTILE; i++) open(i)
  return {
    closed: () => closed,
    [Symbol.dispose]: () => {
      isOver = true
      for (const end of ends) end()
    },
  }
}

/** The answer to an honest client from another address; waits as long as it takes. */
function ask(port: number, path: string): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>()
  const socket = connect({ host: '127.0.0.1', port, localAddress: '127.0.9.9' })
  let text = ''
  socket.setTimeout(PATIENCE_MILLISECONDS, () => reject(new Error(`no answer to ${path}`)))
  socket.on('data', (bytes) => {
    text += bytes.toString('latin1')
  })
  socket.on('connect', () =>
    socket.write(`GET ${path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n`),
  )
  socket.on('error', reject)
  socket.on('close', () => resolve(text))
  return promise
}

/** Seconds of processor time that a process has used. */
async function processorSeconds({ child }: Run): Promise<number> {
  const [user, system] = (await Bun.file(`/proc/${child.pid}/stat`).text())
    .replace(/^.*\) /s, '')
    .split(' ')
    .slice(11, 13)
  return (Number(user) + Number(system)) / 100
}

const portOf = (url: string): number => Number(new URL(url).port)

describe.skipIf(process.platform !== 'linux')('with few files left', () => {
  test.each(
    sample([
      ['one address', 1, () => '127.0.1.1'],
      ['one address, with two threads', 2, () => '127.0.1.1'],
      ['as many addresses', 2, (i: number) => `127.0.${1 + Math.floor(i / 200)}.${1 + (i % 200)}`],
    ] as const),
  )('others than %s are served', async (_what, threads, from) => {
    const toml = tomlOf({ database: false, workers: threads })
    await using run = await launch(confined, { toml })
    const { http_trackers, health_checks } = await run.services()
    const [, api] = await run.says(/INFO API: Started on: (\S+)/)
    const [http, health] = [portOf(http_trackers[0]!), portOf(health_checks[0]!)]
    using hostile = trickle(http, from)
    await run.says(/WARN TRACKER: .* of the 256 files that this process may open are open/)
    await until('many to be closed', () => hostile.closed() > HOSTILE)
    for (let round = 0; round < 10; round++) {
      expect(await ask(http, `/announce?${announceQuery()}`)).toContain('8:complete')
      expect(await ask(portOf(api!), `/api/v1/stats?token=${TOKEN}`)).toContain('"torrents":1')
      expect(await ask(health, '/')).toEndWith('{}')
      await Bun.sleep(100)
    }
    // It does not retry in a loop while the kernel has no descriptors left.
    await until('the processor to be free', async () => {
      const before = await processorSeconds(run)
      await Bun.sleep(2_000)
      return (await processorSeconds(run)) - before < 1
    })
    hostile[Symbol.dispose]()
    const { code, out } = await run.stop()
    expect(code).toBe(0)
    expect(out.match(/files that this process may open/g)).toHaveLength(1)
  })

  test('an address gets only as many connections as allowed, and one warning is logged', async () => {
    const toml = tomlOf({ database: false }).replace(
      '[runtime]',
      '[abuse]\nmax_connections_per_address = 20\n[runtime]',
    )
    await using run = await launch(binary, { toml })
    const { http_trackers } = await run.services()
    const port = portOf(http_trackers[0]!)
    using hostile = trickle(port, () => '127.0.1.1')
    await run.says(
      /WARN HTTP TRACKER: 127\.0\.1\.1 has \d+ connections, more than abuse\.max_connections_per_address = 20: the oldest are closed/,
    )
    await until('many to be closed', () => hostile.closed() > HOSTILE)
    expect(await ask(port, `/announce?${announceQuery()}`)).toContain('8:complete')
    hostile[Symbol.dispose]()
    const { out } = await run.stop()
    expect(out.match(/max_connections_per_address = 20/g)).toHaveLength(1)
    expect(out).not.toContain('files that this process may open')
  })
})
