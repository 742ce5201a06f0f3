/** `tracker bench` of the compiled program, against this tracker and two others. */
import { describe, expect, test } from 'bun:test'
import { Population } from '../../src/bench/population.ts'
import { answerWell } from '../support/bench/good-tracker.ts'
import { fakeUdpTracker } from '../support/client/fake-udp.ts'
import { OPPONENTS } from '../support/e2e/opponents.ts'
import { compiled, launch } from '../support/e2e/program.ts'
import { runTracker } from '../support/e2e/tracker-process.ts'
import { until } from '../support/until.ts'

const binary = compiled()

/** Few, because opentracker needs a list of them. */
const POPULATION = { torrents: 40, peers: 90 }
const LOAD = '--duration 2 --torrents 40 --peers 90 --clients 4 --timeout 60'.split(' ')

const bench = (...words: string[]) => launch(binary, { words: ['bench', ...words] })

async function result(...words: string[]) {
  await using run = await bench(...words)
  const { code, out, err } = await run.ended()
  // A slow machine is not a failure of the tracker.
  expect([code, err.replace(/^tracker bench: the load test used .*\n$/, '')]).toEqual([0, ''])
  const report = JSON.parse(out)
  const { requests, answers, errors, malformed, lost } = report
  expect(answers + errors + malformed + lost).toBe(requests)
  return report
}

describe.each([...OPPONENTS])('$name', ({ available, start }) => {
  const population = new Population({ seed: 1, seeders: 75, ...POPULATION })
  const hashes = Array.from({ length: POPULATION.peers }, (_, peer) => {
    const hash = new Uint8Array(20)
    population.copyInfoHash(peer, hash)
    return hash
  })

  test.skipIf(!available)('answers over UDP', async () => {
    await using tracker = await start(hashes)
    const report = await result('udp', tracker.udp, ...LOAD)
    expect([report.errors, report.malformed]).toEqual([0, 0])
    for (const kind of ['connect', 'announce', 'scrape'])
      expect([kind, report.kinds[kind].answers > 0]).toEqual([kind, true])
    expect(report.peers_told).toBeGreaterThan(report.kinds.announce.answers)
  })

  test.skipIf(!available).each([[[]], [['--close']]])('answers over HTTP %j', async (close) => {
    await using tracker = await start(hashes)
    const report = await result('http', tracker.http, ...LOAD, ...close)
    expect([report.errors, report.malformed, report.lost]).toEqual([0, 0, 0])
    expect(report.kinds.announce.answers).toBeGreaterThan(0)
    expect(report.peers_told).toBeGreaterThan(report.kinds.announce.answers)
  })
})

test('a private tracker answers with its key, and refuses without', async () => {
  await using tracker = await runTracker(binary, { mode: 'private' })
  const key = await tracker.addKey(3600)
  const udp = `udp://127.0.0.1:${tracker.udp[0]}/announce`
  const http = `${tracker.http[0]}/announce`
  for (const [transport, url] of [
    ['udp', udp],
    ['http', http],
  ] as const) {
    const { kinds } = await result(transport, `${url}/${key}`, ...LOAD)
    expect(kinds.announce).toMatchObject({ errors: 0, answers: kinds.announce.requests })
    await using run = await bench(transport, url, ...LOAD)
    const { code, err } = await run.ended()
    expect(code).toBe(1)
    expect(err).toMatch(
      /^tracker bench: not one of \d+ announces was answered: \d+ refused \(Tracker authentication error: [^\n]+\)\n/,
    )
  }
})

describe('a long run', () => {
  const LONG = ['--duration', '60', '--rate', '1000']

  test.each(['SIGINT', 'SIGTERM'] as const)(
    'ends early with %s and prints what there is',
    async (signal) => {
      using tracker = await fakeUdpTracker('127.0.0.1', answerWell)
      await using run = await bench('udp', `127.0.0.1:${tracker.port}`, ...LONG)
      await until('requests', () => tracker.received() > 100)
      const { code, out, err } = await run.stop(signal)
      expect([code, err]).toEqual([0, ''])
      const { ended, requests, answers } = JSON.parse(out)
      expect([ended, answers]).toEqual(['interrupted', requests])
      // The first request may have been sent twice.
      expect(tracker.received() - requests).toBeWithin(1, 4)
    },
  )

  test('shows its progress on a terminal', async () => {
    using tracker = await fakeUdpTracker('127.0.0.1', answerWell)
    const words = ['bench', 'udp', `127.0.0.1:${tracker.port}`, ...LONG, '--format', 'text']
    await using run = await launch(binary, { words, terminal: true })
    await run.says(
      /\r.\[K\S*?[1-9]\d* of 60 s: \d+ answers\/s, 0 errors or lost, p50 \S+ ms, p99 \S+ ms/,
    )
    const { code, out } = await run.stop('SIGINT')
    expect(code).toBe(0)
    // The progress line is erased before the result.
    expect(out).toMatch(/\r.\[Kudp:\/\/127\.0\.0\.1:\d+ at [\s\S]*, interrupted\r\n/)
  })
})
