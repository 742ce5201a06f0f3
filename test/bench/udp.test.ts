/** The UDP load against our tracker, and against broken and hostile trackers. */
import { describe, expect, test } from 'bun:test'
import { join } from 'node:path'
import type { Tally } from '../../src/bench/tally.ts'
import { joinPort } from '../../src/wire/address.ts'
import { answerWell } from '../support/bench/good-tracker.ts'
import { IMPATIENT, loadUdp, type Reader } from '../support/bench/short-load.ts'
import { actionOf, answerTo, type Behaviour, fakeUdpTracker } from '../support/client/fake-udp.ts'
import { source } from '../support/e2e/program.ts'
import { runTracker } from '../support/e2e/tracker-process.ts'

const CONNECT = 0
const ANNOUNCE = 1
const SCRAPE = 2
const ERROR = 3

/** Connects are answered well, all other requests by `odd`. */
const except =
  (odd: Behaviour): Behaviour =>
  (request, answer) => {
    if (actionOf(request) === CONNECT) answer(answerTo(request, CONNECT, 7, 8))
    else odd(request, answer)
  }
const text = (request: DataView, words: string) =>
  Buffer.concat([answerTo(request, ERROR), Buffer.from(words)])

test.each([
  ['127.0.0.1', 4, 'direct'],
  ['::1', 6, 'direct'],
  ['127.0.0.1', 4, 'bun'],
] as const)(
  'our tracker at %s (IPv%d, read by %s) and the load count the same',
  async (ip, family, reader) => {
    const listeners = `
[[udp_trackers]]
bind_address = "${joinPort(ip, 0)}"
tracker_usage_statistics = true
`
    await using tracker = await runTracker(source, { listeners })
    const { tally, total } = await loadUdp({
      port: tracker.udp[0]!,
      address: { ip, family },
      reader,
      mix: 'mixed',
      clients: 3,
      enough: ({ kinds }) => kinds.every(({ answers }) => answers > 100),
    })
    expect([total.errors, total.malformed, total.lost]).toEqual([0, 0, 0])
    expect([tally.unsent, tally.socketErrors]).toEqual([0, 0])
    const [connects, announces, scrapes] = tally.kinds.map(({ answers }) => answers)
    expect(tally.peersTold).toBeGreaterThan(announces!)
    expect(tally.bytesSent).toBe(connects! * 16 + announces! * 98 + scrapes! * 36)
    expect(total.latency.count).toBe(total.requests)
    const stats = await tracker.stats()
    expect(Number(stats.seeders) + Number(stats.leechers)).toBe(100)
    expect(stats).toMatchObject({
      torrents: 50,
      [`udp${family}_requests`]: total.requests,
      [`udp${family}_connections_handled`]: connects,
      [`udp${family}_announces_handled`]: announces,
      [`udp${family}_scrapes_handled`]: scrapes,
      [`udp${family}_responses`]: total.answers,
      [`udp${family}_errors_handled`]: 0,
    })
  },
)

test('announces look like those of clients, and carry the auth keys of their peers', async () => {
  const seen: { port: number; event: number; key: number; end: string }[] = []
  using tracker = await fakeUdpTracker('127.0.0.1', (request, answer) => {
    if (actionOf(request) === ANNOUNCE)
      seen.push({
        port: request.getUint16(96),
        event: request.getUint32(80),
        key: request.getUint32(88),
        end: Buffer.from(request.buffer, request.byteOffset + 98).toString('latin1'),
      })
    answerWell(request, answer)
  })
  const pathOf = (peer: number) => `/announce/KEY${peer % 3}`
  await loadUdp({ port: tracker.port, pathOf, enough: () => seen.length > 110 })
  expect(seen.map(({ event }) => event)).toEqual(seen.map((_, i) => (i < 100 ? 2 : 0)))
  for (const { port, key, end } of seen)
    expect([port >= 10_000, end]).toEqual([true, `\x02\x0e/announce/KEY${key % 3}`])
})

test('each socket asks for a connection id, uses it, and asks again after an error', async () => {
  let given = 0
  const used = new Set<number>()
  using tracker = await fakeUdpTracker('127.0.0.1', (request, answer) => {
    if (actionOf(request) === CONNECT) return answer(answerTo(request, CONNECT, 1, ++given))
    used.add(request.getUint32(4))
    if (given < 3) answer(text(request, 'Connection ID mismatch.\0'))
    else answer(answerTo(request, ANNOUNCE, 120, 1, 1))
  })
  const { tally } = await loadUdp({ port: tracker.port, enough: () => used.has(3) })
  // Two sockets ask at the start, and after a second at most once more each.
  expect(tally.kinds[CONNECT]!.requests).toBeWithin(3, 5)
  expect(tally.kinds[ANNOUNCE]!.answers).toBeGreaterThan(0)
  expect(used.has(1) && used.has(2) && used.has(3)).toBe(true)
  expect(tally.texts[0]!.text).toBe('Connection ID mismatch.')
})

test('a rate is kept', async () => {
  using tracker = await fakeUdpTracker('127.0.0.1', answerWell)
  const settings = { rate: 500, clients: 8 }
  const { total, run } = await loadUdp({ port: tracker.port, ...settings })
  expect(total.requests).toBeWithin(100, 1 + 500 * run.seconds)
  expect(tracker.received()).toBe(total.requests)
  expect(run.answersPerSecond).toBeWithin(0, 501)
})

describe.each<Reader>(['direct', 'bun'])('broken and hostile trackers, read by %s', (reader) => {
  test('a silent one', async () => {
    using tracker = await fakeUdpTracker('127.0.0.1', () => {})
    const enough = ({ kinds }: Tally) => kinds[CONNECT]!.lost > 1
    const { tally, total } = await loadUdp({ reader, port: tracker.port, ...IMPATIENT, enough })
    // Without a connection id nothing is announced.
    expect([total.answers, total.lost]).toEqual([0, tally.kinds[CONNECT]!.requests])
  })

  test('one that does not listen', async () => {
    const gone = await fakeUdpTracker('127.0.0.1', () => {})
    gone[Symbol.dispose]()
    const enough = ({ socketErrors }: Tally) => socketErrors > 0
    const { total } = await loadUdp({ reader, port: gone.port, ...IMPATIENT, enough })
    expect(total.lost).toBe(total.requests)
  })

  test('one that falls silent', async () => {
    let left = 100
    using tracker = await fakeUdpTracker('127.0.0.1', (request, answer) => {
      if (left-- > 0) answerWell(request, answer)
    })
    const enough = (tally: Tally) => tally.total().lost >= 16
    const { tally, total } = await loadUdp({ reader, port: tracker.port, ...IMPATIENT, enough })
    // Answers that came too late count as strays.
    expect(total.answers + tally.strays).toBe(100)
  })

  test.each<[string, Behaviour]>([
    ['another action', (request, answer) => answer(answerTo(request, SCRAPE, 1, 2, 3))],
    ['too short an answer', (request, answer) => answer(answerTo(request, ANNOUNCE, 1, 2))],
    ['half a peer', (request, answer) => answer(answerTo(request, ANNOUNCE, 1, 2, 3, 4))],
    ['an unknown action', (request, answer) => answer(answerTo(request, 77))],
  ])('one that sends %s', async (_what, odd) => {
    using tracker = await fakeUdpTracker('127.0.0.1', except(odd))
    const { tally } = await loadUdp({ reader, port: tracker.port })
    const { requests, malformed, lost } = tally.kinds[ANNOUNCE]!
    expect([malformed, lost]).toEqual([requests, 0])
  })

  test.each<[string, Behaviour]>([
    [
      'wrong transaction ids',
      (request, answer) => answer(wrong(answerTo(request, ANNOUNCE, 1, 2, 3))),
    ],
    ['nothing but noise', (_request, answer) => answer(Buffer.from('noise'))],
    ['empty datagrams', (_request, answer) => answer(new Uint8Array())],
  ])('one that sends %s', async (_what, odd) => {
    using tracker = await fakeUdpTracker('127.0.0.1', except(odd))
    const enough = ({ strays }: Tally) => strays >= 16
    const { tally } = await loadUdp({ reader, port: tracker.port, ...IMPATIENT, enough })
    const { requests, lost } = tally.kinds[ANNOUNCE]!
    expect(lost).toBe(requests)
    expect(tally.strays).toBeWithin(16, requests + 1)
  })

  test('each answer of one that sends everything twice counts once', async () => {
    using tracker = await fakeUdpTracker('127.0.0.1', (request, answer) => {
      answerWell(request, answer)
      answerWell(request, answer)
    })
    const { tally, total } = await loadUdp({ reader, port: tracker.port })
    expect(total.answers).toBe(total.requests)
    expect(tally.strays).toBe(total.answers)
  })

  test('one that refuses everything, with different texts', async () => {
    let count = 0
    using tracker = await fakeUdpTracker(
      '127.0.0.1',
      except((request, answer) => answer(text(request, `no\n\x1b[31m ${count++ % 7}`))),
    )
    // One, so that the answers are read in the order in which they were sent.
    const { tally } = await loadUdp({ reader, port: tracker.port, clients: 1 })
    const { requests, errors } = tally.kinds[ANNOUNCE]!
    expect(errors).toBe(requests)
    expect(tally.texts.map(({ text }) => text).sort()).toEqual(
      [0, 1, 2, 3, 4].map((i) => `no [31m ${i}`),
    )
    const counted = tally.texts.reduce((sum, { count }) => sum + count, 0)
    expect(counted + tally.otherTexts).toBe(errors)
  })

  test('a flood does not delay the end of the run', async () => {
    const program = join(import.meta.dir, '../support/bench/flooder.ts')
    const child = Bun.spawn([process.execPath, program], { stdin: 'pipe', stdout: 'pipe' })
    try {
      const { value } = await child.stdout.getReader().read()
      const port = Number(Buffer.from(value!).toString())
      // Only a timer that fires can see the flood, give up the requests in flight and end the run.
      const enough = ({ floods, strays }: Tally) =>
        reader === 'bun' ? floods > 0 : strays > 10_000
      await loadUdp({ reader, port, clients: 1, ...IMPATIENT, enough })
    } finally {
      child.stdin.end()
      await child.exited
    }
  })
})

function wrong(answer: Uint8Array): Uint8Array {
  answer[5]! ^= 0x55
  return answer
}
