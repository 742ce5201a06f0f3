/** The UDP client against trackers that lose, lie, refuse and keep silent. */
import { describe, expect, test } from 'bun:test'
import { noAnswerWithin } from '../../src/client/failure.ts'
import { UdpClient } from '../../src/client/udp.ts'
import { actionOf, answerTo, type Behaviour, fakeUdpTracker } from '../support/client/fake-udp.ts'
import { failure, question } from '../support/client/question.ts'

const SCRAPE = [0, 0]
const connects: Behaviour = (request, answer) => {
  if (actionOf(request) === 0) answer(answerTo(request, 0, 7, 8))
}

const open = (
  port: number,
  options: { milliseconds?: number; attempts?: number; path?: string } = {},
) => UdpClient.open({ ip: '127.0.0.1', family: 4 }, port, { milliseconds: 60_000, ...options })

test('asks for a connection id once, and uses it', async () => {
  const ids: number[][] = []
  using tracker = await fakeUdpTracker('127.0.0.1', (request, answer) => {
    connects(request, answer)
    if (actionOf(request) === 0) return
    ids.push([request.getInt32(0), request.getInt32(4)])
    if (actionOf(request) === 1) answer(answerTo(request, 1, 1800, 2, 3))
    else answer(answerTo(request, 2, 4, 5, 6))
  })
  using client = await open(tracker.port)
  expect(await client.announce(question)).toMatchObject({
    interval: 1800,
    leechers: 2,
    seeders: 3,
    peers: [],
  })
  expect([...(await client.scrape([question.infoHash])).entries.values()]).toEqual([
    { seeders: 4, downloaded: 5, leechers: 6 },
  ])
  expect(ids).toEqual([
    [7, 8],
    [7, 8],
  ])
  expect(tracker.received()).toBe(3)
})

test('repeats a lost request, byte for byte', async () => {
  const seen: string[] = []
  using tracker = await fakeUdpTracker('127.0.0.1', (request, answer) => {
    seen.push(Buffer.from(request.buffer, request.byteOffset, request.byteLength).toString('hex'))
    if (seen.length === 3) answer(answerTo(request, 0, 7, 8))
  })
  using client = await open(tracker.port, { milliseconds: 3_000 })
  await client.connect()
  expect(new Set(seen).size).toBe(1)
  expect(seen).toHaveLength(3)
})

test('sends once if one attempt is allowed', async () => {
  using tracker = await fakeUdpTracker('127.0.0.1', () => {})
  using client = await open(tracker.port, { milliseconds: 300, attempts: 1 })
  expect(await failure(client.connect())).toEqual([
    'timeout',
    'udp://127.0.0.1:PORT: no answer within 0.3 s',
  ])
  expect(tracker.received()).toBe(1)
})

test('adds the URL to an announce, unless it is the usual one', async () => {
  const lengths: number[] = []
  using tracker = await fakeUdpTracker('127.0.0.1', (request, answer) => {
    connects(request, answer)
    if (actionOf(request) !== 1) return
    lengths.push(request.byteLength)
    answer(answerTo(request, 1, 1, 2, 3))
  })
  for (const path of ['', '/', '/announce', '/announce/KEY']) {
    using client = await open(tracker.port, { path })
    await client.announce(question)
  }
  expect(lengths).toEqual([98, 98, 98, 98 + 2 + 13])
})

test.each([
  [40, '0.04'],
  [96, '0.1'],
  [294, '0.3'],
  [5_000, '5'],
  [12_340, '12.3'],
])('a limit of %d ms reads as %s s', (milliseconds, seconds) => {
  expect(noAnswerWithin(milliseconds)).toBe(`no answer within ${seconds} s`)
})

describe('does not take for an answer', () => {
  const silentBut =
    (send: Behaviour): Behaviour =>
    (request, answer) => {
      connects(request, answer)
      if (actionOf(request) !== 0) send(request, answer)
    }

  test('what comes without the transaction id', async () => {
    using tracker = await fakeUdpTracker(
      '127.0.0.1',
      silentBut((request, answer) => {
        const foreign = answerTo(request, 2, 1, 2, 3)
        foreign[4]! ^= 1
        answer(foreign)
        answer(foreign.subarray(0, 7))
      }),
    )
    using client = await open(tracker.port, { milliseconds: 1_500, attempts: 1 })
    expect(await failure(client.scrape([question.infoHash]))).toEqual([
      'timeout',
      'udp://127.0.0.1:PORT: no answer within 1.5 s, but 2 datagrams without the transaction id of the request',
    ])
  })

  test('a flood of foreign answers, and still finds its own', async () => {
    using tracker = await fakeUdpTracker(
      '127.0.0.1',
      silentBut((request, answer) => {
        const foreign = answerTo(request, 2, 9, 9, 9)
        foreign[4]! ^= 1
        for (let i = 0; i < 50; i++) answer(foreign)
        answer(answerTo(request, 2, 1, 2, 3))
      }),
    )
    using client = await open(tracker.port)
    const { entries } = await client.scrape([question.infoHash])
    expect([...entries.values()]).toEqual([{ seeders: 1, downloaded: 2, leechers: 3 }])
  })

  test.each<[string, number, number[], string]>([
    ['another action', 1, SCRAPE, 'a scrape'],
    ['an unknown action', -9, SCRAPE, 'a scrape'],
    ['half an entry', 2, [1], 'a scrape'],
    ['more entries than it asked for', 2, [1, 2, 3, 4, 5, 6], 'a scrape'],
    ['half a peer', 1, [1, 1, 1, 1], 'an announce'],
  ])('%s', async (_what, action, words, kind) => {
    using tracker = await fakeUdpTracker(
      '127.0.0.1',
      silentBut((request, answer) => answer(answerTo(request, action, ...words))),
    )
    using client = await open(tracker.port)
    const asking =
      kind === 'a scrape' ? client.scrape([question.infoHash]) : client.announce(question)
    const [what, message] = await failure(asking)
    expect(what).toBe('garbage')
    expect(message).toStartWith(
      `udp://127.0.0.1:PORT: not an answer to ${kind} (action ${action}, ${8 + words.length * 4} bytes: `,
    )
  })

  test('a connection id of the wrong size', async () => {
    using tracker = await fakeUdpTracker('127.0.0.1', (request, answer) =>
      answer(answerTo(request, 0, 1)),
    )
    using client = await open(tracker.port)
    expect((await failure(client.announce(question)))[0]).toBe('garbage')
  })
})

test('a refusal is the tracker’s own text without control characters', async () => {
  using tracker = await fakeUdpTracker('127.0.0.1', (request, answer) => {
    connects(request, answer)
    if (actionOf(request) !== 1) return
    const text = Buffer.from(`go\x1b[2J\r\n away${'!'.repeat(1_000)}`)
    answer(Buffer.concat([answerTo(request, 3), text]))
  })
  using client = await open(tracker.port)
  expect(await failure(client.announce(question))).toEqual([
    'refusal',
    `go [2J  away${'!'.repeat(288)}…`,
  ])
})

test('a closed port fails at once, over either family', async () => {
  for (const [ip, family] of [
    ['127.0.0.1', 4],
    ['::1', 6],
  ] as const) {
    const gone = await fakeUdpTracker(ip, () => {})
    gone[Symbol.dispose]()
    using client = await UdpClient.open({ ip, family }, gone.port, { milliseconds: 60_000 })
    const [kind, message] = await failure(client.connect())
    expect([kind, message]).toEqual([
      'connect',
      `udp://${family === 4 ? ip : '[::1]'}:PORT: nothing listens there (connection refused)`,
    ])
  }
})

test('reads the peers of an answer over IPv6 as IPv6', async () => {
  using tracker = await fakeUdpTracker('::1', (request, answer) => {
    connects(request, answer)
    if (actionOf(request) !== 1) return
    const peer = Uint8Array.from({ length: 18 }, (_, i) => (i === 15 ? 9 : i === 17 ? 80 : 0))
    answer(Buffer.concat([answerTo(request, 1, 1, 2, 3), peer]))
  })
  using client = await UdpClient.open({ ip: '::1', family: 6 }, tracker.port, {
    milliseconds: 60_000,
  })
  const { peers } = await client.announce(question)
  expect(peers).toEqual([{ ip: '::9', port: 80 }])
})
