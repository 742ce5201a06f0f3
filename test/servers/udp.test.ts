/** The UDP tracker over real sockets. Names begin with ids of docs/behaviours.md. */
import { expect, spyOn, test } from 'bun:test'
import { readdirSync } from 'node:fs'
import { Access, createAccessMemory } from '../../src/access/access.ts'
import { LIMITS } from '../../src/limits.ts'
import { KINDS_OF } from '../../src/memory/counters.ts'
import {
  closeDescriptors,
  DirectSocket,
  openDescriptors,
  releaseSocket,
} from '../../src/servers/direct-socket.ts'
import { libc } from '../../src/servers/libc.ts'
import { CAN_FORGE, forge } from '../support/raw-udp.ts'
import { overBothPaths } from '../support/servers/both-paths.ts'
import { makeTracker } from '../support/servers/served-http.ts'
import { serveUdpAlone } from '../support/servers/served-udp.ts'
import { startTracker } from '../support/started-tracker.ts'
import {
  actionOf,
  announcePacket,
  connected,
  connectPacket,
  hashOf,
  messageOf,
  readAnnounce,
  readScrape,
  scrapePacket,
  transactionOf,
  udpSocket,
} from '../support/udp-client.ts'
import { until } from '../support/until.ts'

const listener = (address: string, more = '') => `
[[udp_trackers]]
bind_address = "${address}"
${more}
[health_check_api]
bind_address = "127.0.0.1:0"
`
const ERROR = 3

overBothPaths('as the reference answers', () => {
  test('U6, S7, S8: the first peer is told no peer, the second the first', async () => {
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

  test('U3: a thousand announces with one connection id succeed', async () => {
    await using tracker = await startTracker()
    using client = await connected(tracker.ports.udp[0]!)
    for (let i = 0; i < 1000; i++)
      expect((await client.announce({ port: 1 + i, want: 1 })).action).toBe(1)
  })

  test('U7: the peer is the source address with the announced port, whatever the packet says', async () => {
    await using tracker = await startTracker()
    using client = await connected(tracker.ports.udp[0]!)
    await client.announce({ port: 0x1234, ip: 0x7f01_0203 })
    expect((await client.announce({ port: 1, left: 1n })).peers).toEqual(['7f0000011234'])
  })

  test.each([
    ['203.0.113.9', ['cb0071091234']],
    // Which no IPv4 answer can tell.
    ['2001:db8::1', []],
  ])('S9: a loopback client is told under the external address %s', async (external, peers) => {
    await using tracker = await startTracker({
      rest: listener('127.0.0.1:0', `network = { external_ip = "${external}" }`),
    })
    using client = await connected(tracker.ports.udp[0]!)
    await client.announce({ port: 0x1234 })
    const told = await client.announce({ port: 1, left: 1n })
    expect(told).toMatchObject({ seeders: 1, leechers: 1, peers })
  })

  test('U10, S12: a scrape tells seeders, completed, leechers, and creates no torrent', async () => {
    await using tracker = await startTracker()
    using client = await connected(tracker.ports.udp[0]!)
    expect(await client.scrape(hashOf(1))).toEqual([[0, 0, 0]])
    await client.announce({ port: 1 })
    expect(await client.scrape(hashOf(1))).toEqual([[1, 0, 0]])
    await client.announce({ port: 2, left: 9n })
    await client.announce({ port: 2, left: 0n, event: 1 })
    expect(await client.scrape(hashOf(1))).toEqual([[2, 1, 0]])
  })
})

overBothPaths('better than the reference', () => {
  test('U10: a scrape has one entry for each hash, in order, duplicates kept, 74 at most', async () => {
    await using tracker = await startTracker()
    using client = await connected(tracker.ports.udp[0]!)
    await client.announce({ infoHash: hashOf(5) })
    expect(await client.scrape(hashOf(4), hashOf(5), hashOf(6), hashOf(5))).toEqual([
      [0, 0, 0],
      [1, 0, 0],
      [0, 0, 0],
      [1, 0, 0],
    ])
    const many = Array.from({ length: 80 }, (_, i) => hashOf(i === 73 ? 5 : 9))
    const answer = readScrape(await client.ask(scrapePacket(client.id, many)))
    expect([answer.length, answer[73]]).toEqual([74, [1, 0, 0]])
  })

  test('U3: the connection id is checked for a scrape too', async () => {
    await using tracker = await startTracker()
    using client = await connected(tracker.ports.udp[0]!)
    const answer = await client.ask(scrapePacket(client.id ^ 1n, [hashOf(1)]))
    expect([actionOf(answer), transactionOf(answer), messageOf(answer)]).toEqual([
      ERROR,
      9,
      'Connection cookie error',
    ])
  })

  test('S4: a stopped peer is told no peer and is gone', async () => {
    await using tracker = await startTracker()
    using client = await connected(tracker.ports.udp[0]!)
    await client.announce({ port: 1 })
    await client.announce({ port: 2 })
    expect(await client.announce({ port: 2, event: 3 })).toMatchObject({ seeders: 1, peers: [] })
    expect(await client.announce({ infoHash: hashOf(99), event: 3 })).toMatchObject({ seeders: 0 })
  })

  test('U9, S2: an IPv4 client of a dual-stack socket is an IPv4 peer with an IPv4 answer', async () => {
    await using tracker = await startTracker({ rest: listener('[::]:0') })
    using four = await connected(tracker.ports.udp[0]!)
    using six = await connected(tracker.ports.udp[0]!, '::1')
    await four.announce({ port: 0x1111 })
    await six.announce({ port: 0x2222 })
    const seen = await four.announce({ port: 1, left: 1n })
    expect(seen).toMatchObject({ seeders: 2, leechers: 1, peers: ['7f0000011111'] })
    const other = await six.announce({ port: 2, left: 1n })
    expect(other.peers).toEqual([`${'0'.repeat(30)}012222`])
  })
})

overBothPaths('a client that sends invalid requests', () => {
  test('gets an error when that is no longer than the datagram, otherwise no answer', async () => {
    await using tracker = await startTracker()
    using client = await udpSocket(tracker.ports.udp[0]!)
    for (let length = 0; length <= 60; length++) client.send(new Uint8Array(length).fill(0xff))
    client.send(connectPacket(77))
    const answers: Uint8Array[] = []
    do answers.push(await client.receive())
    while (transactionOf(answers.at(-1)!) !== 77)
    answers.pop()
    const text = 'bad request: Invalid action'
    expect(answers.map(messageOf)).toEqual(Array(60 - (8 + text.length) + 1).fill(text))
  })

  test('never gets an answer longer than the datagram, whatever length and action', async () => {
    await using tracker = await startTracker()
    using client = await udpSocket(tracker.ports.udp[0]!)
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

  const wrong = (client: { id: bigint }, transaction = 7) =>
    announcePacket(client.id ^ 1n, { transaction })
  const COOKIE_ERROR = 'tracker announce error: Connection cookie error'
  /** `packet` gets no answer: a later question on the same socket is answered first. */
  async function expectSilence(
    client: { send(packet: Uint8Array): unknown; receive(): Promise<Uint8Array> },
    packet: Uint8Array,
  ): Promise<void> {
    client.send(packet)
    client.send(connectPacket(0x5151))
    expect(transactionOf(await client.receive())).toBe(0x5151)
  }

  test('U5: with wrong connection ids is not answered to them after ten errors, on all listeners, and served else', async () => {
    await using tracker = await startTracker({
      rest: `${listener('127.0.0.1:0')}[[udp_trackers]]\nbind_address = "127.0.0.1:0"\n`,
    })
    using client = await connected(tracker.ports.udp[0]!)
    for (let i = 0; i <= 10; i++)
      expect(messageOf(await client.ask(wrong(client)))).toBe(COOKIE_ERROR)
    // They may have been sent from a forged address: requests that prove their sender are served, and so are new connects.
    await expectSilence(client, wrong(client))
    await expectSilence(client, scrapePacket(client.id ^ 1n, [hashOf(1)]))
    await expectSilence(client, new Uint8Array(99).fill(0xff))
    expect((await client.announce()).seeders).toBe(1)
    expect(await client.scrape(hashOf(1))).toEqual([[1, 0, 0]])
    using elsewhere = await connected(tracker.ports.udp[1]!)
    await expectSilence(elsewhere, wrong(elsewhere))
    expect((await elsewhere.announce({ port: 7 })).seeders).toBe(2)
    using neighbour = await connected(tracker.ports.udp[0]!, '127.0.0.1', '127.0.0.2')
    expect(messageOf(await neighbour.ask(wrong(neighbour)))).toBe(COOKIE_ERROR)
  })

  test('U4: is served all the same when connection ids are not insisted on', async () => {
    await using tracker = await startTracker({
      rest: `${listener('127.0.0.1:0')}[udp_tracker_server]\nconnection_id_validation = "disabled"\n`,
    })
    using client = await connected(tracker.ports.udp[0]!)
    for (let i = 0; i < 20; i++)
      expect(readAnnounce(await client.ask(announcePacket(1234n, { port: 5 }))).seeders).toBe(1)
  })

  test('and is gone before the answer does not stop the server', async () => {
    await using tracker = await startTracker()
    const port = tracker.ports.udp[0]!
    using client = await connected(port)
    for (let round = 0; round < 20; round++) {
      for (let i = 0; i < 20; i++) {
        const gone = await udpSocket(port)
        for (let n = 0; n < 3; n++) gone.send(connectPacket())
        gone.socket.close()
      }
      expect((await client.announce({ port: 1 + round })).seeders).toBe(1 + round)
    }
  })
})

/** More than three batches that arrive in one turn of the event loop. */
const BURST = LIMITS.udpBatch * 3 + 4
function burst(client: { send(packet: Uint8Array): unknown }): void {
  for (let i = 0; i < BURST; i++) client.send(connectPacket(i))
}

overBothPaths('a socket', (isDirect) => {
  test('is read that way', async () => {
    await using tracker = await startTracker()
    using receive = spyOn(DirectSocket.prototype, 'receive')
    using client = await connected(tracker.ports.udp[0]!)
    expect((await client.announce()).seeders).toBe(1)
    expect(receive.mock.calls.length > 0).toBe(isDirect)
  })

  test.skipIf(!CAN_FORGE)('does nothing with a datagram from port 0 but count it', async () => {
    using server = await serveUdpAlone(isDirect, { ip: '::' })
    for (const ip of ['127.0.0.1', '::1'])
      forge({ ip, port: 0 }, { ip, port: server.port }, connectPacket())
    using client = await connected(server.port)
    expect(await client.scrape(hashOf(1))).toEqual([[0, 0, 0]])
    // Bun hands out no such datagram.
    const seen = isDirect ? 2 : 0
    const counts = (['received', 'discarded', 'responses'] as const).map(server.count)
    expect(counts).toEqual([2 + seen, seen, 2])
  })

  test('answers each sender, IPv4, IPv6 and mapped, however many ask at once', async () => {
    using server = await serveUdpAlone(isDirect, { ip: '::' })
    const clients = await Promise.all(
      Array.from({ length: 50 }, (_, i) => connected(server.port, i % 2 ? '::1' : '127.0.0.1')),
    )
    for (const [i, client] of clients.entries())
      for (let time = 0; time < 4; time++)
        client.send(announcePacket(client.id, { port: 1000 + i, transaction: i * 4 + time }))
    for (const [i, client] of clients.entries()) {
      const told = new Set<number>()
      for (let time = 0; time < 4; time++) {
        const answer = await client.receive()
        told.add(transactionOf(answer))
        const { action, peers } = readAnnounce(answer, i % 2 ? '::1' : '127.0.0.1')
        expect(action).toBe(1)
        for (const peer of peers) expect(peer).toStartWith(i % 2 ? '0'.repeat(31) : '7f000001')
      }
      expect([...told].sort((a, b) => a - b)).toEqual([0, 1, 2, 3].map((time) => i * 4 + time))
    }
    using last = await connected(server.port)
    expect(await last.scrape(hashOf(1))).toEqual([[50, 0, 0]])
    for (const client of clients) client[Symbol.dispose]()
  })

  test('reads nothing of what stood before in the same place', async () => {
    using server = await serveUdpAlone(isDirect)
    using client = await connected(server.port)
    for (let i = 0; i < LIMITS.udpBatch; i++)
      await client.ask(announcePacket(client.id, { port: 7, options: Array(200).fill(1) }))
    for (let length = 0; length < 98; length++)
      client.send(announcePacket(client.id, { port: 9 }).subarray(0, length))
    for (let length = 8 + 'bad request: Announce too short'.length; length < 98; length++)
      expect(messageOf(await client.receive())).toBe('bad request: Announce too short')
    expect(await client.scrape(hashOf(1))).toEqual([[1, 0, 0]])
  })

  test('U13: looks at no more of a datagram than 1,496 bytes', async () => {
    using server = await serveUdpAlone(isDirect)
    using client = await connected(server.port)
    for (const length of [1496, 1497, 2048, 65_507])
      expect(messageOf(await client.ask(new Uint8Array(length).fill(0xff)))).toBe(
        'bad request: Invalid action',
      )
    const many = Array.from({ length: 200 }, (_, i) => hashOf(i))
    expect(readScrape(await client.ask(scrapePacket(client.id, many)))).toHaveLength(74)
    client.send(new Uint8Array())
    expect((await client.announce()).seeders).toBe(1)
    expect([server.count('received'), server.count('malformed')]).toEqual([8, 1])
    // The longest beside others, in every place of a batch.
    for (let i = 0; i < LIMITS.udpBatch; i++)
      client.send(i % 3 === 1 ? new Uint8Array(65_507).fill(0xff) : connectPacket(i))
    const told: string[] = []
    for (let i = 0; i < LIMITS.udpBatch; i++) {
      const answer = await client.receive()
      told.push(actionOf(answer) === ERROR ? messageOf(answer) : `${transactionOf(answer)}`)
    }
    expect(told).toEqual(
      Array.from({ length: LIMITS.udpBatch }, (_, i) =>
        i % 3 === 1 ? 'bad request: Invalid action' : `${i}`,
      ),
    )
  })
})

test('what was received when the server is stopped is answered', async () => {
  const server = await serveUdpAlone(true)
  using client = await udpSocket(server.port)
  burst(client)
  server[Symbol.dispose]()
  const answered = new Set<number>()
  while (answered.size < BURST) answered.add(transactionOf(await client.receive()))
})

test('a long turn of reading is broken off for others, and no datagram is lost', async () => {
  using server = await serveUdpAlone(true)
  using client = await udpSocket(server.port)
  server.time.step = LIMITS.udpTurnMilliseconds + 1
  const receive = spyOn(DirectSocket.prototype, 'receive')
  /** Batches that were read before each turn of the event loop. */
  const batches: number[] = []
  let isOver = false
  const look = () => {
    batches.push(receive.mock.calls.length)
    if (!isOver) setImmediate(look)
  }
  look()
  for (let round = 0; round < 10; round++) {
    burst(client)
    const answered = new Set<number>()
    while (answered.size < BURST) answered.add(transactionOf(await client.receive()))
  }
  isOver = true
  receive.mockRestore()
  expect([server.count('connects'), server.count('aborted')]).toEqual([BURST * 10, 0])
  // Each takes too long, so never are two of them read in a row.
  for (const [i, count] of batches.entries())
    expect(count - (batches[i - 1] ?? 0)).toBeLessThanOrEqual(1)
})

test('a server that is stopped leaves no descriptor open', async () => {
  const open = () => readdirSync('/proc/self/fd').length
  const before = open()
  for (const isBusy of [false, true]) {
    using server = await serveUdpAlone(true)
    using client = await udpSocket(server.port)
    if (isBusy) burst(client)
    else {
      client.send(connectPacket(1))
      expect(transactionOf(await client.receive())).toBe(1)
    }
  }
  await until('descriptors to be closed', () => open() === before)
})

test('a takeover that fails half-way leaves Bun reading, and the port free in the end', async () => {
  const takeOver = spyOn(DirectSocket.prototype, 'takeOver').mockImplementation(function (
    this: DirectSocket,
    fd: number,
  ) {
    takeOver.mockRestore()
    this.takeOver(fd)
    // As if the second step had been refused: the real socket stands under both descriptors.
    libc()!.dup3(descriptors.socket, fd, 0)
    return false
  })
  const descriptors = openDescriptors()!
  const server = await serveUdpAlone(true, { descriptors })
  using client = await connected(server.port)
  expect((await client.announce()).seeders).toBe(1)
  server.stop()
  using heir = await serveUdpAlone(true, { port: server.port })
  using other = await connected(heir.port)
  expect((await other.announce()).seeders).toBe(1)
  closeDescriptors(descriptors)
})

test('what a thread that died left open is closed, and its place is as new', async () => {
  const descriptors = openDescriptors()!
  const dead = await serveUdpAlone(true, { descriptors })
  using client = await connected(dead.port)
  expect((await client.announce()).seeders).toBe(1)
  // All that a death leaves to the process: Bun closes the sockets that it knows of.
  releaseSocket(descriptors)
  releaseSocket(descriptors)
  {
    // The kernel keeps the port no longer, so another can have it.
    using heir = await serveUdpAlone(true, { port: dead.port, descriptors })
    using other = await connected(heir.port)
    expect((await other.announce()).seeders).toBe(1)
  }
  closeDescriptors(descriptors)
})

test('a flood that cannot be interrupted leaves the thread time: the rest of a long turn is dropped unread', async () => {
  using server = await serveUdpAlone(false)
  using client = await udpSocket(server.port)
  burst(client)
  for (let i = 0; i < BURST; i++) await client.receive()
  expect([server.count('connects'), server.count('aborted')]).toEqual([BURST, 0])

  server.time.step = LIMITS.udpFloodMilliseconds + 1
  burst(client)
  for (let i = 0; i < LIMITS.udpBatch; i++) await client.receive()
  // The turn is over: the next request is served.
  client.send(connectPacket(1_000))
  expect(transactionOf(await client.receive())).toBe(1_000)
  const served = server.count('connects')
  expect(served).toBeWithin(BURST + LIMITS.udpBatch, BURST * 2)
  expect(served + server.count('aborted')).toBe(BURST * 2 + 1)
})

overBothPaths('processing times', (isDirect) => {
  test('are measured of some requests of each kind', async () => {
    using server = await serveUdpAlone(isDirect)
    using client = await connected(server.port)
    for (const packet of [
      connectPacket(1),
      announcePacket(client.id),
      scrapePacket(client.id, [hashOf(1)]),
    ])
      for (let i = 0; i < 300; i++) await client.ask(packet)
    for (const kind of KINDS_OF.udp_tracker) {
      const { nanoseconds, samples } = server.processing(kind)
      expect(samples).toBeWithin(4, 6)
      // More than nothing, less than a tenth of a second each.
      expect(nanoseconds / samples).toBeWithin(100, 100_000_000)
    }
  })

  test('are those of requests that were served: errors and silence do not count', async () => {
    const rules = { listed: true, private: false, checksExpiration: true, seed: Int32Array.of(1) }
    const access = new Access(createAccessMemory({ ...rules, whitelistCapacity: 1 })!, true)
    using server = await serveUdpAlone(isDirect, { tracker: makeTracker({}, access) })
    using client = await connected(server.port)
    const unlisted = announcePacket(client.id)
    for (let i = 0; i < 200; i++)
      for (const packet of [unlisted, new Uint8Array(99)])
        expect(actionOf(await client.ask(packet))).toBe(ERROR)
    for (let i = 0; i < 100; i++) client.send(new Uint8Array(3))
    client.send(connectPacket(77))
    expect(transactionOf(await client.receive())).toBe(77)
    const samples = KINDS_OF.udp_tracker.map((kind) => server.processing(kind).samples)
    expect(samples).toEqual([0, 0, 0])
  })
})
