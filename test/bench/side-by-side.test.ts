/** The child processes of the side-by-side benchmarks in `bench/`. */
import { expect, test } from 'bun:test'
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import { answerWell } from '../support/bench/good-tracker.ts'
import { actionOf, fakeUdpTracker } from '../support/client/fake-udp.ts'
import { temporaryDirectory } from '../support/temporary-directory.ts'

const bench = async (file: string, ...words: readonly string[]) => {
  const { out, err } = await run(file, ...words)
  expect(err).toBe('')
  return out
}

async function run(file: string, ...words: readonly string[]) {
  const command = [process.execPath, join(import.meta.dir, '../../bench', file), ...words]
  const child = Bun.spawn(command, { stderr: 'pipe' })
  const [out, err] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
  ])
  expect([err, await child.exited]).toEqual([err, 0])
  return { out, err }
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

const canPin = Bun.which('taskset') !== null && availableParallelism() > 1

test.skipIf(!canPin)(
  'two threads share the load and tell how often they waited for a lock',
  async () => {
    const options = '--rounds 1 --seconds 0.3 --torrents 10 --peers 1000 --mix announce'.split(' ')
    const { out } = await run('main.ts', 'threads', '--only', '2 threads sharing', ...options)
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
