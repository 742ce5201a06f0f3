/** The child processes of the side-by-side benchmarks in `bench/`. */
import { expect, test } from 'bun:test'
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import type { Tally } from '../../src/bench/tally.ts'
import { answerWell } from '../support/bench/good-tracker.ts'
import { loadWebSocket } from '../support/bench/short-load.ts'
import { webTracker } from '../support/bench/web-tracker.ts'
import { actionOf, fakeUdpTracker } from '../support/client/fake-udp.ts'
import { freePort } from '../support/e2e/program.ts'
import { temporaryDirectory } from '../support/temporary-directory.ts'

const HERE = join(import.meta.dir, '../../bench')

const bench = async (file: string, ...words: readonly string[]) => {
  const { out, err, code } = await run(file, ...words)
  expect([err, code]).toEqual(['', 0])
  return out
}

async function run(file: string, ...words: readonly string[]) {
  const command = [process.execPath, join(HERE, file), ...words]
  const child = Bun.spawn(command, { stderr: 'pipe' })
  const [out, err] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
  ])
  return { out, err, code: await child.exited }
}

test('a load announces every peer before it measures, and counts completions that were announced', async () => {
  const events: { event: number; left: number; key: number }[] = []
  using tracker = await fakeUdpTracker('127.0.0.1', (request, answer) => {
    if (actionOf(request) === 1)
      events.push({
        event: request.getUint32(80),
        left: request.getUint32(68),
        key: request.getUint32(88),
      })
    answerWell(request, answer)
  })
  const target = { port: tracker.port, pid: process.pid, timeoutMs: 60_000 }
  const load = { torrents: 20, peers: 200, completions: 15, seconds: 0.5, rate: 500 }
  const result = JSON.parse(await bench('load.ts', JSON.stringify({ ...target, ...load })))
  expect(result).toMatchObject({ errors: 0, malformed: 0, lost: 0 })
  expect(result.residentKb).toBeGreaterThan(0)
  const filled = events.slice(0, 200)
  expect(new Set(filled.map(({ key }) => key)).size).toBe(200)
  const completed = events.filter(({ event }) => event === 1)
  expect(result.completions).toBe(completed.length)
  expect(completed.length).toBeWithin(10, 16)
  // Each by another peer, which had bytes left before and has none from then on.
  for (const { key, left } of completed) {
    const ofPeer = events.filter((other) => other.key === key)
    const at = ofPeer.findIndex(({ event }) => event === 1)
    expect([left, ofPeer[0]!.left > 0]).toEqual([0, true])
    expect(ofPeer.slice(at + 1).some((later) => later.left > 0 || later.event === 1)).toBe(false)
  }
})

test('a WebTorrent load announces every peer once, then counts what is relayed', async () => {
  using tracker = webTracker()
  const target = { transport: 'ws', port: tracker.port, pid: process.pid, timeoutMs: 60_000 }
  const extent = { torrents: 20, peers: 200, sockets: 10, offers: 2, mix: 'mixed', answers: 50 }
  const times = { seconds: 0.5, warmSeconds: 0.1, rate: 500 }
  const options = JSON.stringify({ ...target, ...extent, ...times })
  const result = JSON.parse(await bench('load.ts', options))
  expect(result).toMatchObject({ errors: 0, malformed: 0, lost: 0 })
  expect(tracker.announces().filter(({ event }) => event === 'started').length).toBe(200)
  // Every announce of ten peers who know each other: two offers to others, and half of these answered.
  expect(result.peersPerAnswer).toBeWithin(1.9, 2.01)
  expect(result.relayedPerSecond / result.announcesPerSecond).toBeWithin(2.5, 3.5)
})

test('the echo of a WebTorrent load answers all of it', async () => {
  const port = await freePort()
  const command = [process.execPath, join(HERE, 'ws-echo.ts'), `${port}`, '60']
  const echo = Bun.spawn(command, { stderr: 'inherit' })
  // The load opens its sockets again and again until it listens.
  try {
    const settings = { mix: 'mixed', answers: 50, offers: 3, clients: 4 } as const
    const enough = ({ kinds, answersReceived }: Tally) =>
      kinds[1]!.answers > 100 && kinds[2]!.answers > 0 && answersReceived > 10
    const { tally, total } = await loadWebSocket({ port, ...settings, enough })
    expect([total.answers, tally.strays]).toEqual([total.requests, 0])
    const announces = tally.kinds[1]!.answers
    expect(tally.offersReceived).toBeWithin(announces * 3 - 12, announces * 3 + 1)
  } finally {
    echo.kill()
    await echo.exited
  }
})

test('a crowd of sockets announces, and goes and comes', async () => {
  using tracker = webTracker()
  const options = { port: tracker.port, pid: process.pid, sockets: 50, settleSeconds: 0.1 }
  const churn = { churnSeconds: 1, churn: 40 }
  const result = JSON.parse(await bench('ws-crowd.ts', JSON.stringify({ ...options, ...churn })))
  expect(result).toMatchObject({ sockets: 50, failed: 0 })
  for (const kb of [
    'emptyKb',
    'idleKb',
    'announcedKb',
    'middleKb',
    'endKb',
    'firstHalfKb',
    'secondHalfKb',
    'goneKb',
  ])
    expect(result[kb]).toBeGreaterThan(1000)
  const ids = new Set(tracker.announces().map(({ peer_id }) => peer_id))
  // 50 to warm up, 50 that stay, and 40 % of these again in the second.
  expect(ids.size).toBeWithin(115, 130)
  expect(result.announces).toBe(tracker.announces().length)
  // The last ones may be under way.
  expect(result.answers).toBeWithin(result.announces - 5, result.announces + 1)
})

test('a crowd that is not let in is a failure with the reason', async () => {
  using tracker = webTracker({ refuse: 503 })
  const options = { port: tracker.port, pid: process.pid, sockets: 5, settleSeconds: 0 }
  const { err, code } = await run('ws-crowd.ts', JSON.stringify(options))
  expect(code).toBe(1)
  expect(err).toContain('only 0 of 5 sockets are open: HTTP status 503')
})

const canPin = Bun.which('taskset') !== null && availableParallelism() > 1

test.skipIf(!canPin)(
  'two threads share the load and tell how often they waited for a lock',
  async () => {
    const options = '--rounds 1 --seconds 0.3 --torrents 10 --peers 1000 --mix announce'.split(' ')
    const { out, err, code } = await run(
      'main.ts',
      'threads',
      '--only',
      '2 threads sharing',
      ...options,
    )
    expect([err, code]).toEqual([err, 0])
    const row = out.split('\n').find((line) => line.startsWith('| 2 threads'))
    const cells = row!.split(' | ')
    expect(cells[1]).toMatch(/^\d+\.\dk$/)
    // Contended, slept for, errors, lost.
    for (const cell of [5, 6, 9, 10]) expect(Number(cells[cell])).toBeGreaterThanOrEqual(0)
    expect(Number(cells[9])).toBe(0)
  },
)

test('a plot has a bar for each server', async () => {
  using directory = temporaryDirectory()
  const servers = { tracker: { perSecond: 200_000 }, 'a<b': { perSecond: 100_000 } }
  const from = join(directory.path, 'results.json')
  const to = join(directory.path, 'plot.svg')
  const panels = [{ transport: 'udp', mix: 'mixed', servers }]
  await Bun.write(from, JSON.stringify({ machine: '2 × CPU', panels }))
  await bench('plot.ts', from, to)
  const svg = await Bun.file(to).text()
  const widths = [...svg.matchAll(/<rect [^>]*width="([\d.]+)"/g)].map(([, width]) => Number(width))
  expect(widths[0]).toBe(widths[1]! * 2)
  for (const text of ['UDP, mixed', 'a&lt;b', '200.0k', '2 × CPU']) expect(svg).toContain(text)
})
