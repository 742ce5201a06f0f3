/** The UDP tracker over real sockets. Numbers in names: spec/torrust-udp-and-core part F. */
import { describe, expect, spyOn, test } from 'bun:test'
import { readdirSync } from 'node:fs'
import { Access, createAccessMemory } from '../../src/access/access.ts'
import { LIMITS } from '../../src/limits.ts'
import { AT, type Counter, KINDS, type Kind, Metrics } from '../../src/metrics.ts'
import { Bans } from '../../src/servers/bans.ts'
import { ConnectionIds } from '../../src/servers/connection-id.ts'
import { Garbage } from '../../src/servers/garbage.ts'
import { breakMemory, closeLeftovers, ReadBreak } from '../../src/servers/read-break.ts'
import { serveUdp, type UdpOptions } from '../../src/servers/udp.ts'
import { startTracker, udpClient } from '../harness.ts'
import { makeTracker } from './http-fixture.ts'
import {
  actionOf,
  announcePacket,
  connected,
  connectPacket,
  hash,
  messageOf,
  readAnnounce,
  readScrape,
  scrapePacket,
  transactionOf,
} from './udp-client.ts'

const listener = (address: string, more = '') => `
[[udp_trackers]]
bind_address = "${address}"
${more}
[health_check_api]
bind_address = "127.0.0.1:0"
`
const ERROR = 3

describe('as the reference answers', () => {
  test('1: 1,496 zero bytes are told "bad request"', async () => {
    await using tracker = await startTracker()
    using client = await udpClient(tracker.ports.udp[0]!)
    client.send(new Uint8Array(1496))
    const answer = await client.receive()
    expect([actionOf(answer), messageOf(answer)]).toEqual([
      ERROR,
      'bad request: protocol identifier missing',
    ])
  })

  test('2, 8: a connect is answered with its transaction id and an id of eight bytes', async () => {
    await using tracker = await startTracker()
    using client = await udpClient(tracker.ports.udp[0]!)
    client.send(connectPacket(0xdead_beef))
    const answer = await client.receive()
    expect([answer.length, actionOf(answer), transactionOf(answer)]).toEqual([16, 0, 0xdead_beef])
  })

  test('3, 11, 36, 37: the first peer is told nobody, the second the first', async () => {
    await using tracker = await startTracker()
    using client = await connected(tracker.ports.udp[0]!)
    expect(await client.announce({ port: 1000, want: 1 })).toEqual({
      action: 1,
      interval: 120,
      leechers: 0,
      seeders: 1,
      peers: [],
    })
    expect(await client.announce({ port: 1001, left: 5n })).toMatchObject({
      leechers: 1,
      seeders: 1,
      peers: ['7f00000103e8'],
    })
  })

  test('4: a thousand announces with one connection id succeed', async () => {
    await using tracker = await startTracker()
    using client = await connected(tracker.ports.udp[0]!)
    for (let i = 0; i < 1000; i++)
      expect((await client.announce({ port: 1 + i, want: 1 })).action).toBe(1)
  })

  test('5, 16: an unknown torrent scrapes as zeroes, and is not created by that', async () => {
    await using tracker = await startTracker()
    using client = await connected(tracker.ports.udp[0]!)
    expect(await client.scrape(hash(0))).toEqual([[0, 0, 0]])
  })

  test('10, 12: the peer is the source address with the announced port, whatever the packet says', async () => {
    await using tracker = await startTracker()
    using client = await connected(tracker.ports.udp[0]!)
    await client.announce({ port: 0x1234, ip: 0x7f01_0203 })
    expect((await client.announce({ port: 1, left: 1n })).peers).toEqual(['7f0000011234'])
  })

  test('15: a loopback client is told under the external address', async () => {
    await using tracker = await startTracker({
      rest: listener('127.0.0.1:0', 'network = { external_ip = "203.0.113.9" }'),
    })
    using client = await connected(tracker.ports.udp[0]!)
    await client.announce({ port: 0x1234 })
    expect((await client.announce({ port: 1, left: 1n })).peers).toEqual(['cb0071091234'])
  })

  test('15: an external address of the other family makes peers that an IPv4 answer cannot tell', async () => {
    await using tracker = await startTracker({
      rest: listener('127.0.0.1:0', 'network = { external_ip = "2001:db8::1" }'),
    })
    using client = await connected(tracker.ports.udp[0]!)
    await client.announce({ port: 0x1234 })
    expect(await client.announce({ port: 1, left: 1n })).toMatchObject({
      seeders: 1,
      leechers: 1,
      peers: [],
    })
  })

  test('17: a scrape tells seeders, completed, leechers', async () => {
    await using tracker = await startTracker()
    using client = await connected(tracker.ports.udp[0]!)
    await client.announce({ port: 1 })
    expect(await client.scrape(hash(1))).toEqual([[1, 0, 0]])
    await client.announce({ port: 2, left: 9n })
    await client.announce({ port: 2, left: 0n, event: 1 })
    expect(await client.scrape(hash(1))).toEqual([[2, 1, 0]])
  })
})

describe('better than the reference', () => {
  test('a scrape has one entry for each hash, in order, duplicates kept, 74 at most', async () => {
    await using tracker = await startTracker()
    using client = await connected(tracker.ports.udp[0]!)
    await client.announce({ infoHash: hash(5) })
    expect(await client.scrape(hash(4), hash(5), hash(6), hash(5))).toEqual([
      [0, 0, 0],
      [1, 0, 0],
      [0, 0, 0],
      [1, 0, 0],
    ])
    const many = Array.from({ length: 80 }, (_, i) => hash(i === 73 ? 5 : 9))
    const answer = readScrape(await client.ask(scrapePacket(client.id, many)))
    expect([answer.length, answer[73]]).toEqual([74, [1, 0, 0]])
  })

  test('the connection id is checked for a scrape too', async () => {
    await using tracker = await startTracker()
    using client = await connected(tracker.ports.udp[0]!)
    const answer = await client.ask(scrapePacket(client.id ^ 1n, [hash(1)]))
    expect([actionOf(answer), transactionOf(answer), messageOf(answer)]).toEqual([
      ERROR,
      9,
      'Connection cookie error',
    ])
  })

  test('a stopped peer is told nobody and is gone', async () => {
    await using tracker = await startTracker()
    using client = await connected(tracker.ports.udp[0]!)
    await client.announce({ port: 1 })
    await client.announce({ port: 2 })
    expect(await client.announce({ port: 2, event: 3 })).toMatchObject({ seeders: 1, peers: [] })
    expect(await client.announce({ infoHash: hash(99), event: 3 })).toMatchObject({ seeders: 0 })
  })

  test('an IPv4 client of a dual-stack socket is an IPv4 peer with an IPv4 answer', async () => {
    await using tracker = await startTracker({ rest: listener('[::]:0') })
    using four = await connected(tracker.ports.udp[0]!)
    using six = await connected(tracker.ports.udp[0]!, '::1')
    await four.announce({ port: 0x1111 })
    await six.announce({ port: 0x2222 }, 18)
    const seen = await four.announce({ port: 1, left: 1n })
    expect(seen).toMatchObject({ seeders: 2, leechers: 1, peers: ['7f0000011111'] })
    const other = await six.announce({ port: 2, left: 1n }, 18)
    expect(other.peers).toEqual([`${'0'.repeat(30)}012222`])
  })
})

describe('whoever sends nonsense', () => {
  test('is told what is wrong when the answer is no longer than the question, else nothing', async () => {
    await using tracker = await startTracker()
    using client = await udpClient(tracker.ports.udp[0]!)
    for (let length = 0; length <= 60; length++) client.send(new Uint8Array(length).fill(0xff))
    client.send(connectPacket(77))
    const answers: Uint8Array[] = []
    do answers.push(await client.receive())
    while (transactionOf(answers.at(-1)!) !== 77)
    answers.pop()
    const text = 'bad request: invalid action'
    expect(answers.map(messageOf)).toEqual(Array(60 - (8 + text.length) + 1).fill(text))
  })

  test('never gets an answer longer than the datagram, whatever length and action', async () => {
    await using tracker = await startTracker()
    using client = await udpClient(tracker.ports.udp[0]!)
    for (let action = 0; action < 6; action++)
      for (const length of [
        0, 1, 11, 12, 15, 16, 17, 35, 36, 56, 97, 98, 99, 1495, 1496, 4000, 60000,
      ]) {
        const packet = new Uint8Array(length).fill(7)
        if (length >= 12) new DataView(packet.buffer).setUint32(8, action)
        client.send(packet)
        client.send(connectPacket(1_000_000))
        const answers: Uint8Array[] = []
        do answers.push(await client.receive())
        while (transactionOf(answers.at(-1)!) !== 1_000_000)
        for (const answer of answers.slice(0, -1)) {
          expect(answer.length).toBeLessThanOrEqual(length)
          expect(transactionOf(answer)).toBe(0x0707_0707)
        }
      }
    using checker = await connected(tracker.ports.udp[0]!)
    expect(await checker.scrape(new Uint8Array(20).fill(7))).toEqual([[0, 0, 0]])
  })

  test('with wrong connection ids is banned after ten errors, on all listeners, without an answer', async () => {
    await using tracker = await startTracker({
      rest: `${listener('127.0.0.1:0')}[[udp_trackers]]\nbind_address = "127.0.0.1:0"\n`,
    })
    using client = await connected(tracker.ports.udp[0]!)
    for (let i = 0; i <= 10; i++)
      expect(messageOf(await client.ask(announcePacket(client.id ^ 1n)))).toBe(
        'tracker announce error: Connection cookie error',
      )
    client.send(announcePacket(client.id))
    await expect(client.receive(100)).rejects.toThrow('no answer')
    using elsewhere = await udpClient(tracker.ports.udp[1]!)
    elsewhere.send(connectPacket())
    await expect(elsewhere.receive(100)).rejects.toThrow('no answer')
    // Another address is served all the same.
    using neighbour = await connected(tracker.ports.udp[0]!, '127.0.0.1', '127.0.0.2')
    expect((await neighbour.announce()).seeders).toBe(1)
  })

  test('is served all the same when connection ids are not insisted on', async () => {
    await using tracker = await startTracker({
      rest: `${listener('127.0.0.1:0')}[udp_tracker_server]\nconnection_id_validation = "disabled"\n`,
    })
    using client = await connected(tracker.ports.udp[0]!)
    for (let i = 0; i < 20; i++)
      expect(readAnnounce(await client.ask(announcePacket(1234n, { port: 5 }))).seeders).toBe(1)
  })

  test('and is gone before the answer stops nobody', async () => {
    await using tracker = await startTracker()
    const port = tracker.ports.udp[0]!
    using client = await connected(port)
    for (let round = 0; round < 20; round++) {
      for (let i = 0; i < 20; i++) {
        const gone = await udpClient(port)
        for (let n = 0; n < 3; n++) gone.send(connectPacket())
        gone.socket.close()
      }
      expect((await client.announce({ port: 1 + round })).seeders).toBe(1 + round)
    }
  })
})

test('the tracker is full: new torrents are refused in words, known ones go on', async () => {
  await using tracker = await startTracker({
    runtime: '[runtime]\nworkers = 1\nmax_memory = "16MiB"\n',
  })
  using client = await connected(tracker.ports.udp[0]!)
  const infoHash = new Uint8Array(20)
  const view = new DataView(infoHash.buffer)
  let refused = ''
  for (let i = 0; i < 400_000 && refused === ''; i++) {
    view.setUint32(0, i)
    view.setUint32(4, Math.imul(i, 0x9e37_79b1))
    const answer = await client.ask(announcePacket(client.id, { infoHash }))
    if (actionOf(answer) === ERROR) refused = messageOf(answer)
  }
  expect(refused).toBe('Tracker error: tracker is full, come back later')
  view.setUint32(0, 0)
  view.setUint32(4, 0)
  expect((await client.announce({ infoHash, port: 77 })).action).toBe(1)
}, 60_000)

/** A server whose every look at the clock costs `step` milliseconds, as if its thread were that slow. */
async function slowServer(breakWord: UdpOptions['breakWord'], tracker = makeTracker()) {
  const time = { now: 1_800_000_000_000, step: 0 }
  const milliseconds = () => {
    time.now += time.step
    return time.now
  }
  const garbage = new Garbage()
  const metrics = new Metrics(1, 1)
  const counters = metrics.row(0, 0)
  const server = await serveUdp({
    ip: '127.0.0.1',
    port: 0,
    ipv6Only: false,
    reusePort: false,
    tracker,
    rules: { externalIp: undefined },
    connectionIds: new ConnectionIds(new Uint8Array(16), 120),
    strict: true,
    bans: new Bans(10, 1),
    counters,
    clock: { milliseconds, seconds: () => Math.floor(milliseconds() / 1000) },
    garbage,
    breakWord,
    onError: (error) => {
      throw error
    },
  })
  return {
    ...server,
    time,
    count: (counter: Counter) => counters[AT[counter]]!,
    processing: (kind: Kind) => metrics.processing(0, kind),
    [Symbol.dispose]() {
      server.stop()
      garbage[Symbol.dispose]()
    },
  }
}

/** More than three batches that arrive in one turn of the event loop. */
const BURST = LIMITS.udpBatch * 3 + 4
function burst(client: { send(packet: Uint8Array): unknown }): void {
  for (let i = 0; i < BURST; i++) client.send(connectPacket(i))
}

test('a long turn of reading is broken off for others, and no datagram is lost', async () => {
  const words = new Int32Array(breakMemory(1))
  const descriptors = () => readdirSync('/proc/self/fd').length
  using server = await slowServer({ words, at: 0 })
  using client = await udpClient(server.port)
  const before = descriptors()
  server.time.step = LIMITS.udpTurnMilliseconds + 1
  const begin = spyOn(ReadBreak.prototype, 'begin')
  for (let round = 0; round < 10; round++) {
    burst(client)
    const answered = new Set<number>()
    while (answered.size < BURST) answered.add(transactionOf(await client.receive()))
  }
  expect([server.count('connects'), server.count('aborted')]).toEqual([BURST * 10, 0])
  expect(begin.mock.calls.length).toBeGreaterThanOrEqual(10)
  begin.mockRestore()
  expect([words[0], descriptors()]).toEqual([-1, before])
})

test('a server stopped while its reading is broken off leaves no descriptor open', async () => {
  const words = new Int32Array(breakMemory(1))
  const before = readdirSync('/proc/self/fd').length
  {
    using server = await slowServer({ words, at: 0 })
    using client = await udpClient(server.port)
    using pause = ReadBreak.of(server.fd, words, 0)
    expect(pause?.begin()).toBe(true)
    expect(words[0]).toBeGreaterThan(0)
    client.send(connectPacket(1))
    await expect(client.receive(50)).rejects.toThrow('no answer')
    pause?.end()
    expect(transactionOf(await client.receive())).toBe(1)
    pause?.begin()
  }
  expect([words[0], readdirSync('/proc/self/fd').length]).toEqual([-1, before])
})

test('what a thread that died in a break left open is closed', async () => {
  const words = new Int32Array(breakMemory(2))
  const before = readdirSync('/proc/self/fd').length
  const socket = await Bun.udpSocket({ hostname: '127.0.0.1', port: 0 })
  const { port, fd } = socket as unknown as { port: number; fd: number }
  ReadBreak.of(fd, words, 1)?.begin()
  socket.close()
  // The kernel still keeps the port for a socket that nobody reads.
  expect(() => Bun.udpSocket({ hostname: '127.0.0.1', port })).toThrow('EADDRINUSE')
  closeLeftovers(words)
  const again = await Bun.udpSocket({ hostname: '127.0.0.1', port })
  again.close()
  // The empty socket of the break died with its thread's memory alone: one descriptor, once a death.
  expect(readdirSync('/proc/self/fd').length).toBe(before + 1)
})

test('a flood that cannot be interrupted leaves the thread time: the rest of a long turn is dropped unread', async () => {
  using server = await slowServer(undefined)
  using client = await udpClient(server.port)
  burst(client)
  for (let i = 0; i < BURST; i++) await client.receive()
  expect([server.count('connects'), server.count('aborted')]).toEqual([BURST, 0])

  server.time.step = LIMITS.udpFloodMilliseconds + 1
  burst(client)
  for (let i = 0; i < LIMITS.udpBatch; i++) await client.receive()
  // The turn is over: whoever asks now is served.
  client.send(connectPacket(1_000))
  expect(transactionOf(await client.receive())).toBe(1_000)
  const served = server.count('connects')
  expect(served).toBeWithin(BURST + LIMITS.udpBatch, BURST * 2)
  expect(served + server.count('aborted')).toBe(BURST * 2 + 1)
})

describe('processing times', () => {
  test('are measured of some requests of each kind', async () => {
    using server = await slowServer(undefined)
    using client = await connected(server.port)
    for (const packet of [
      connectPacket(1),
      announcePacket(client.id),
      scrapePacket(client.id, [hash(1)]),
    ])
      for (let i = 0; i < 300; i++) await client.ask(packet)
    for (const kind of KINDS) {
      const { nanoseconds, samples } = server.processing(kind)
      expect(samples).toBeWithin(4, 6)
      // More than nothing, less than a tenth of a second each.
      expect(nanoseconds / samples).toBeWithin(100, 100_000_000)
    }
  })

  test('are those of requests that were served: errors and silence do not count', async () => {
    const rules = { listed: true, private: false, checksExpiration: true, seed: 1 }
    const access = new Access(createAccessMemory({ ...rules, whitelistCapacity: 1 })!, true)
    using server = await slowServer(undefined, makeTracker({}, access))
    using client = await connected(server.port)
    const unlisted = announcePacket(client.id)
    for (let i = 0; i < 200; i++)
      for (const packet of [unlisted, new Uint8Array(99)])
        expect(actionOf(await client.ask(packet))).toBe(ERROR)
    for (let i = 0; i < 100; i++) client.send(new Uint8Array(3))
    client.send(connectPacket(77))
    expect(transactionOf(await client.receive())).toBe(77)
    expect(KINDS.map((kind) => server.processing(kind).samples)).toEqual([0, 0, 0])
  })
})
