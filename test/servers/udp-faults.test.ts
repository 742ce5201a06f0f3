/** What the kernel may do to a UDP socket: each loss is counted, and everything else goes on. */

import { read, toArrayBuffer } from 'bun:ffi'
import { describe, expect, type Mock, spyOn, test } from 'bun:test'
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { Worker } from 'node:worker_threads'
import {
  closeDescriptors,
  DirectSocket,
  openDescriptors,
  releaseSocket,
} from '../../src/servers/direct-socket.ts'
import { libc } from '../../src/servers/libc.ts'
import { LINUX, STRUCT } from '../../src/servers/linux.ts'
import { nextTurn } from '../../src/time/turns.ts'
import { announceQuery, get } from '../support/http-client.ts'
import { runProgram } from '../support/run-program.ts'
import { overBothPaths } from '../support/servers/both-paths.ts'
import type { Heard, Setup } from '../support/servers/dying-thread.ts'
import { makeTracker, policy } from '../support/servers/served-http.ts'
import { serveUdpAlone } from '../support/servers/served-udp.ts'
import { startTracker } from '../support/started-tracker.ts'
import {
  announcePacket,
  connected,
  connectPacket,
  hashOf,
  readAnnounce,
  transactionOf,
  type UdpSocket,
  udpSocket,
} from '../support/udp-client.ts'
import { until } from '../support/until.ts'

const THREAD = join(import.meta.dir, '../support/servers/dying-thread.ts')

type Server = Awaited<ReturnType<typeof serveUdpAlone>>
const ERRNO = { EINTR: 4, EAGAIN: 11, ENOMEM: 12, EPERM: 1, ENOBUFS: 105 } as const
type Fault = keyof typeof ERRNO

type Call = (fd: number, messages: number, count: number, ...rest: never[]) => number

/** The calls named `name` do as `faults` say, one after the other: fail, or take no more than so many; then all is well. */
function disturb(name: 'recvmmsg' | 'sendmmsg', faults: readonly (Fault | number)[]) {
  const system = libc()!
  const real = system[name] as Call
  const realErrno = system.errno
  const left = [...faults]
  let failed: number | undefined
  const errno = spyOn(system, 'errno').mockImplementation(() => {
    const why = failed ?? realErrno()
    failed = undefined
    return why
  })
  const call = (spyOn(system, name) as unknown as Mock<Call>).mockImplementation(
    (fd, messages, count, ...rest) => {
      const fault = left.shift()
      failed = typeof fault === 'string' ? ERRNO[fault] : undefined
      return typeof fault === 'string'
        ? -1
        : real(fd, messages, Math.min(count, fault ?? count), ...rest)
    },
  )
  return {
    left,
    [Symbol.dispose]() {
      call.mockRestore()
      errno.mockRestore()
    },
  }
}

/** The same for the sending of Bun's sockets. A full buffer is no error there: fewer datagrams are taken. */
async function disturbBun(faults: readonly (Fault | number)[]) {
  const any = await Bun.udpSocket({})
  const prototype = Object.getPrototypeOf(any) as typeof any
  any.close()
  const real = prototype.sendMany
  const left = [...faults]
  const call = spyOn(prototype, 'sendMany').mockImplementation(function (
    this: typeof any,
    packets: readonly unknown[],
  ) {
    const fault = left.shift()
    if (fault === 'EAGAIN') return 0
    if (typeof fault === 'string') throw Object.assign(new Error(fault), { code: fault })
    return real.call(this, packets.slice(0, (fault ?? packets.length) * 3) as never)
  } as typeof real)
  return { left, [Symbol.dispose]: () => call.mockRestore() }
}

const ALL = [0, 1, 2, 3, 4]

/** Sends five connects that are served together; which of them are answered. */
async function answeredOf(server: Server, client: UdpSocket): Promise<number[]> {
  const before = server.count('received')
  for (const transaction of ALL) client.send(connectPacket(transaction))
  await until('the batch', () => server.count('received') === before + ALL.length)
  const last = 1_000
  client.send(connectPacket(last))
  const answered: number[] = []
  for (;;) {
    const transaction = transactionOf(await client.receive())
    if (transaction === last) return answered
    answered.push(transaction)
  }
}

/** Has `deed` done after each batch was read: with the socket, where its messages stand, and how many there are. */
function afterEachRead(deed: (fd: number, messages: number, count: number) => void) {
  const system = libc()!
  const real = system.recvmmsg as Call
  return (spyOn(system, 'recvmmsg') as unknown as Mock<Call>).mockImplementation((...all) => {
    const count = real(...all)
    if (count > 0) deed(all[0], all[1], count)
    return count
  })
}

/** How often the socket is read while nothing is sent. */
async function readsAtRest(): Promise<number> {
  using receive = spyOn(DirectSocket.prototype, 'receive')
  for (let turn = 0; turn < 100; turn++) await nextTurn()
  return receive.mock.calls.length
}

overBothPaths('an answer', (isDirect) => {
  test.each<[what: string, faults: (Fault | number)[], answered: number[], errors: number]>([
    ['an interrupted call', ['EINTR'], ALL, 1],
    ['a call that takes a part', [2], ALL, 0],
    ['calls that take one each', [1, 1, 1, 1, 1], ALL, 0],
    ['a buffer that is full', ['EAGAIN'], [], 0],
    ['a buffer that is full in the middle of a batch', [2, 'EAGAIN'], [0, 1], 0],
    ['an old error', ['ENOBUFS'], ALL, 1],
    ['a lack of memory', ['ENOBUFS', 'ENOBUFS'], [1, 2, 3, 4], 2],
    ['a lack of memory in the middle of a batch', [2, 'ENOMEM', 'ENOMEM'], [0, 1, 3, 4], 2],
    ['a firewall', Array(10).fill('EPERM'), [], 10],
    ['a firewall after a part', [3, 'EPERM', 'EPERM'], [0, 1, 2, 4], 2],
  ])('meets %s', async (_what, faults, answered, errors) => {
    using server = await serveUdpAlone(isDirect)
    using client = await udpSocket(server.port)
    using disturbed = isDirect ? disturb('sendmmsg', faults) : await disturbBun(faults)
    expect(await answeredOf(server, client)).toEqual(answered)
    expect(disturbed.left).toEqual([])
    const counts = (['received', 'responses', 'unsent', 'socketErrors'] as const).map(server.count)
    expect(counts).toEqual([6, 6, ALL.length - answered.length, errors])
  })
})

describe.skipIf(process.platform !== 'linux')(
  'a socket that is read with system calls of ours',
  () => {
    test.each(['EINTR', 'ENOMEM'] as const)(
      'loses nothing when a read fails (%s)',
      async (fault) => {
        using server = await serveUdpAlone(true)
        using client = await udpSocket(server.port)
        using _disturbed = disturb('recvmmsg', [fault, fault])
        expect(await answeredOf(server, client)).toEqual(ALL)
        expect([server.count('unsent'), server.count('socketErrors')]).toEqual([0, 2])
      },
    )

    test('answers all but a sender of an unknown family', async () => {
      using server = await serveUdpAlone(true)
      using client = await udpSocket(server.port)
      using _strange = afterEachRead((_fd, messages, count) => {
        if (count < ALL.length) return
        const name = read.ptr(messages as never, STRUCT.mmsghdr.bytes)
        new Uint8Array(toArrayBuffer(name as never, 0, 1))[0] = LINUX.AF_UNIX
      })
      expect(await answeredOf(server, client)).toEqual([0, 2, 3, 4])
      expect([server.count('unsent'), server.count('socketErrors')]).toEqual([1, 2])
    })

    test('that is closed while a batch is in hand loses that, and its port is free', async () => {
      using server = await serveUdpAlone(true)
      using client = await udpSocket(server.port)
      {
        using _closing = afterEachRead(() => releaseSocket(server.descriptors!))
        for (const transaction of ALL) client.send(connectPacket(transaction))
        await until('the batch', () => server.count('unsent') === ALL.length)
      }
      // Each answer was tried twice; then there was nothing to read from.
      expect(server.count('socketErrors')).toBe(ALL.length * 2 + 1)
      expect(await readsAtRest()).toBe(0)
      using heir = await serveUdpAlone(true, { port: server.port })
      using other = await connected(heir.port)
      expect((await other.announce()).seeders).toBe(1)
    })

    test('whose descriptor was closed under it does not spin, and ends as always', async () => {
      using server = await serveUdpAlone(true)
      using client = await udpSocket(server.port)
      libc()!.close(server.descriptors!.socket)
      client.send(connectPacket())
      expect(await readsAtRest()).toBe(0)
      server.stop()
      expect([server.count('received'), server.count('socketErrors')]).toEqual([0, 1])
      using heir = await serveUdpAlone(true, { port: server.port })
      using other = await connected(heir.port)
      expect((await other.announce()).seeders).toBe(1)
    })

    test('whose thread dies between reading and sending loses the batch, and nothing stays open', async () => {
      const open = () => readdirSync('/proc/self/fd').length
      const descriptors = openDescriptors()!
      const before = open()
      const start = async (port: number, dies: boolean) => {
        const setup: Setup = { descriptors, port, dies }
        const worker = new Worker(THREAD, { workerData: setup })
        const heard: Heard[] = []
        worker.on('message', (message: Heard) => heard.push(message))
        const { port: own } = await until('the thread to serve', () => heard[0])
        const end = async () => {
          await worker.terminate()
          releaseSocket(descriptors)
        }
        return { port: own, heard, end }
      }
      const first = await start(0, true)
      {
        using client = await udpSocket(first.port)
        for (const transaction of ALL) client.send(connectPacket(transaction))
        await until('the thread to have read', () => first.heard[1])
        await first.end()
        const second = await start(first.port, false)
        client.send(connectPacket(77))
        expect(transactionOf(await client.receive())).toBe(77)
        await second.end()
      }
      await until('descriptors to be closed', () => open() === before)
      closeDescriptors(descriptors)
    })
  },
)

test.skipIf(process.platform !== 'linux')(
  'a tracker whose UDP socket died serves over HTTP, and says so',
  async () => {
    await using tracker = await startTracker()
    const spare = openDescriptors()!
    {
      using reads = spyOn(libc()!, 'recvmmsg')
      using client = await connected(tracker.ports.udp[0]!)
      expect((await client.announce()).seeders).toBe(1)
      libc()!.dup3(spare.standIn, reads.mock.calls[0]![0] as number, LINUX.O_CLOEXEC)
    }
    expect(await readsAtRest()).toBe(0)
    const reply = await get(
      `http://127.0.0.1:${tracker.ports.http[0]}`,
      `/announce?${announceQuery()}`,
    )
    expect(reply.value.get('complete')).toBe(1)
    const health = await fetch(`http://127.0.0.1:${tracker.healthPort}/health_check`)
    expect(await health.json()).toMatchObject({
      status: 'Error',
      details: [
        { service_type: 'udp_tracker', result: { Err: expect.any(String) } },
        { service_type: 'http_tracker', result: { Ok: expect.any(String) } },
      ],
    })
    closeDescriptors(spare)
  },
)

overBothPaths('the memory of a socket', (isDirect) => {
  test('stays where it is when garbage is collected between all calls', async () => {
    const collect = () => {
      Bun.gc(true)
      // What was let go is written over.
      for (const bytes of [32, 512, 1_024, 2_048, 16_384, 65_536])
        for (let i = 0; i < 20; i++) new Uint8Array(new ArrayBuffer(bytes)).fill(0xee)
    }
    const tracker = makeTracker()
    using server = await serveUdpAlone(isDirect, { tracker, ip: '::' })
    using _reading = isDirect ? afterEachRead(collect) : undefined
    using _serving = spyOn(tracker, 'expect').mockImplementation(collect)
    const clients = await Promise.all(
      Array.from({ length: 8 }, (_, i) => connected(server.port, i % 2 ? '::1' : '127.0.0.1')),
    )
    for (let round = 0; round < 30; round++) {
      // Answers get other memory, twice.
      if (round % 10 === 9) tracker.rules.write({ ...policy, maxPeers: 30 * round })
      const infoHash = hashOf(round)
      for (const [i, client] of clients.entries())
        client.send(announcePacket(client.id, { infoHash, port: 1 + i, transaction: round }))
      for (const [i, client] of clients.entries()) {
        const answer = await client.receive()
        const { action, interval, seeders } = readAnnounce(answer)
        expect([transactionOf(answer), action, interval]).toEqual([round, 1, 120])
        expect(seeders).toBeWithin(1, clients.length + 1)
        if (i === clients.length - 1) expect(await client.scrape(infoHash)).toEqual([[8, 0, 0]])
      }
    }
    expect(server.count('unsent')).toBe(0)
    for (const client of clients) client[Symbol.dispose]()
  })

  const hasFirewall =
    process.platform === 'linux' &&
    process.getuid?.() === 0 &&
    ['nft', 'ip', 'unshare'].every((tool) => Bun.which(tool)) &&
    Bun.spawnSync(['unshare', '--net', 'nft', 'list', 'ruleset']).success
  test.skipIf(!hasFirewall)('is as before when a firewall stops its answers', async () => {
    const script = join(import.meta.dir, '../support/servers/firewalled.ts')
    const { code, out, err } = await runProgram(
      ['unshare', '--net', '--kill-child=KILL', process.execPath, script, `${isDirect}`],
      { env: { PATH: process.env.PATH! } },
    )
    expect([code, err]).toEqual([0, ''])
    // Each answer that is stopped is tried twice.
    expect(JSON.parse(out)).toEqual({ open: 20, closed: 0, unsent: 20, socketErrors: 40 })
  })
})
