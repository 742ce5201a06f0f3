/** Serving threads: one swarm behind every listener, and what happens when a thread dies. */

import { expect, test } from 'bun:test'
import { readdirSync, readFileSync, readlinkSync } from 'node:fs'
import { AT, ListenerCounters } from '../../src/memory/counters.ts'
import { Lock } from '../../src/memory/lock.ts'
import { HEADER } from '../../src/swarm/layout.ts'
import { Swarm } from '../../src/swarm/swarm.ts'
import { certify } from '../support/certificate.ts'
import { percent } from '../support/http-client.ts'
import { captureWorkers } from '../support/run/captured-workers.ts'
import { startTracker, type TestTracker } from '../support/started-tracker.ts'
import { faults } from '../support/swarm/whole.ts'
import { temporaryDirectory } from '../support/temporary-directory.ts'
import {
  announcePacket,
  connectPacket,
  EVENT,
  hashOf,
  type UdpPeer,
  udpPeer,
  udpSocket,
} from '../support/udp-client.ts'
import { until } from '../support/until.ts'

const udp = (address: string, network = ''): string =>
  `[[udp_trackers]]\nbind_address = "${address}"\n${network}`
const http = (address: string, more = ''): string =>
  `[[http_trackers]]\nbind_address = "${address}"\n${more}`
const HEALTH = '[health_check_api]\nbind_address = "127.0.0.1:0"\n'
const ONLY_SIX = 'network.ipv6_v6only = true\n'

const announceOver = async (url: string, hash: number, port: number): Promise<string> => {
  const query = `info_hash=${percent(hashOf(hash))}&peer_id=-TT0001-abcdefghijkl&port=${port}&left=0&uploaded=0&downloaded=0`
  const answer = await fetch(`${url}/announce?${query}`, {
    headers: { connection: 'close' },
    tls: { rejectUnauthorized: false },
  })
  return Buffer.from(await answer.arrayBuffer()).toString('latin1')
}

/** Announces of each thread at each listener, UDP before HTTP. */
function announces(workers: ReturnType<typeof captureWorkers>, threads: number): number[][] {
  const { listeners } = workers.of(1).setup
  return listeners.map(({ counters }) =>
    new ListenerCounters(threads, counters).rows.map(
      (row) => row[AT.announces]! + row[AT.announces + 1]!,
    ),
  )
}

test('with one thread there is no worker', async () => {
  using workers = captureWorkers()
  await using tracker = await startTracker({ workers: 1 })
  using peer = await udpPeer(tracker.ports.udp[0]!)
  expect((await peer.announce(hashOf(1))).seeders).toBe(1)
  expect(workers.all).toHaveLength(0)
})

test.each([2, 4])('all of %d threads serve every listener, from one swarm', async (threads) => {
  using workers = captureWorkers()
  await using tracker = await startTracker({
    rest: udp('127.0.0.1:0') + udp('[::1]:0') + http('127.0.0.1:0') + http('[::1]:0') + HEALTH,
    workers: threads,
  })
  expect(workers.all).toHaveLength(threads)
  const [udp4, udp6] = tracker.ports.udp as [number, number]
  const [http4, http6] = tracker.ports.http as [number, number]
  // The kernel deals clients out by address and port, so one client more reaches one thread more
  // sooner or later.
  await until('every thread to have answered at every listener', async () => {
    for (const [port, host] of [
      [udp4, '127.0.0.1'],
      [udp6, '::1'],
    ] as const) {
      using peer = await udpPeer(port, host)
      await peer.announce(hashOf(1))
    }
    await announceOver(`http://127.0.0.1:${http4}`, 1, 7001)
    await announceOver(`http://[::1]:${http6}`, 1, 7001)
    return announces(workers, threads)
      .flat()
      .every((count) => count > 0)
  })
  // A peer that only one thread has met is known to all.
  using one = await udpPeer(udp4)
  await one.announce(hashOf(2), { port: 7777 })
  const before = announces(workers, threads).map((counts) => counts.slice())
  await until('every thread to have been asked again', async () => {
    using peer = await udpPeer(udp4)
    const { peers } = await peer.announce(hashOf(2), { left: 1, event: EVENT.stopped })
    expect(peers).toEqual([])
    using leecher = await udpPeer(udp4)
    expect((await leecher.announce(hashOf(2), { left: 1 })).peers).toContain('7f0000011e61')
    expect(await announceOver(`http://127.0.0.1:${http4}`, 2, 7002)).toContain(
      '\x7f\0\0\x01\x1e\x61',
    )
    return announces(workers, threads)[0]!.every((count, i) => count > before[0]![i]!)
  })
  expect(new Swarm(workers.of(1).setup.swarm, 99, 1).totals().torrents).toBe(2)
  expect(faults(workers.of(1).setup.swarm)).toEqual([])
})

test('TLS listeners are shared by threads too', async () => {
  using directory = temporaryDirectory()
  const { cert, key } = await certify(directory.path, 'tracker', { host: 'localhost' })
  await using tracker = await startTracker({
    rest:
      http('127.0.0.1:0', `tls_config = { ssl_cert_path = "${cert}", ssl_key_path = "${key}" }\n`) +
      HEALTH,
    workers: 2,
  })
  const url = `https://127.0.0.1:${tracker.ports.http[0]}`
  expect(tracker.lines.join('')).toContain(`Started on: ${url} announce=${url}/announce\n`)
  const answer = await announceOver(url, 3, 7001)
  expect(answer).toContain('8:completei1e')
})

test.each([1, 2])('with %d threads one port serves 0.0.0.0 and [::] apart', async (threads) => {
  await using probe = await startTracker({ rest: udp('0.0.0.0:0') + http('0.0.0.0:0') + HEALTH })
  const [udpPort, httpPort] = [probe.ports.udp[0]!, probe.ports.http[0]!]
  await probe[Symbol.asyncDispose]()
  await using _tracker = await startTracker({
    rest:
      udp(`0.0.0.0:${udpPort}`) +
      udp(`[::]:${udpPort}`, ONLY_SIX) +
      http(`0.0.0.0:${httpPort}`) +
      http(`[::]:${httpPort}`, ONLY_SIX) +
      HEALTH,
    workers: threads,
  })
  using four = await udpPeer(udpPort, '127.0.0.1')
  using six = await udpPeer(udpPort, '::1')
  expect((await four.announce(hashOf(5))).seeders).toBe(1)
  expect((await six.announce(hashOf(5))).seeders).toBe(2)
  expect(await announceOver(`http://127.0.0.1:${httpPort}`, 5, 7002)).toContain('completei3e')
  expect(await announceOver(`http://[::1]:${httpPort}`, 5, 7003)).toContain('completei4e')
})

test('the level is changed on all threads at once, and their lines reach the control thread', async () => {
  await using tracker = await startTracker({ workers: 2 })
  const { history } = tracker.log
  const lines = () => history.last(99, 'trace').map(({ json }) => JSON.parse(json))
  expect(history.last(99, 'trace').length).toBe(tracker.lines.length)
  tracker.log.filter = 'debug'
  using client = await udpSocket(tracker.ports.udp[0]!)
  await client.ask(announcePacket(0n, { infoHash: hashOf(9) }))
  const said = () => lines().find(({ fields }) => fields.outcome === 'announce_unproven')
  await until('the line', said)
  expect(said()).toMatchObject({
    level: 'DEBUG',
    target: 'UDP TRACKER',
    fields: { kind: 'announce', client: '127.0.0.1', info_hash: '09'.repeat(20) },
  })
  expect([1, 2]).toContain(said().fields.thread)
})

test('with one thread the same log tells it all', async () => {
  await using tracker = await startTracker({ workers: 1 })
  tracker.log.filter = 'debug'
  using client = await udpSocket(tracker.ports.udp[0]!)
  for (let i = 0; i <= 10; i++) await client.ask(announcePacket(0n))
  expect(tracker.lines.join('')).toMatch(
    / DEBUG UDP TRACKER: an address shows too many wrong connection ids client=127\.0\.0\.1 limit=10 id_errors=suppress\n/,
  )
})

const replaced = (tracker: TestTracker, thread: number): number =>
  tracker.lines.filter((line) => line.includes(`serving thread ${thread} is replaced`)).length

test('a thread that dies is reported and replaced, and the swarm stays', async () => {
  using workers = captureWorkers()
  await using tracker = await startTracker({ workers: 2 })
  const [port] = tracker.ports.udp as [number]
  using seeder = await udpPeer(port)
  await seeder.announce(hashOf(6), { port: 7001 })
  // Ended from outside, then by a bug of its own: a message it does not understand.
  for (const [round, end] of [
    (worker: Worker) => worker.terminate(),
    (worker: Worker) => worker.postMessage(null),
  ].entries()) {
    end(workers.of(1).worker)
    await until('the thread to be replaced', () => replaced(tracker, 1) > round)
    expect(
      tracker.lines.filter((line) =>
        line.includes('ERROR TRACKER: serving thread 1 died, starting another: '),
      ),
    ).toHaveLength(round + 1)
    const before = announces(workers, 2)[0]!
    await until('both threads to answer', async () => {
      using peer = await udpPeer(port)
      expect((await peer.announce(hashOf(6), { left: 1 })).seeders).toBe(1)
      return announces(workers, 2)[0]!.every((count, i) => count > before[i]!)
    })
  }
  expect(workers.all).toHaveLength(4)
})

test('what a dead thread held locked is salvaged and given back', async () => {
  using workers = captureWorkers()
  await using tracker = await startTracker({ workers: 2 })
  const [port] = tracker.ports.udp as [number]
  const { worker, setup } = workers.of(2)
  const swarm = new Swarm(setup.swarm, 99, 1)
  using peer = await udpPeer(port)
  await peer.announce(hashOf(7))
  // As if thread 2 had died inside: its number stands in the lock of that torrent's shard.
  const key = swarm.hash(new Int32Array(hashOf(7).buffer))
  const shard = swarm.shards.indexOf(swarm.shardOf(key))
  new Lock(setup.swarm.shards[shard]!.torrents, HEADER.lock, 2).acquire()
  worker.terminate()
  await until('the report', () =>
    tracker.lines.some((line) => line.includes('salvaged 1 shard(s) it had left locked')),
  )
  await until('the thread to be replaced', () => replaced(tracker, 2) > 0)
  expect(faults(setup.swarm)).toEqual([])
  expect((await peer.announce(hashOf(7))).seeders).toBe(1)
})

test('threads that die again and again under load leave a whole swarm', async () => {
  using workers = captureWorkers()
  await using tracker = await startTracker({ workers: 2 })
  const [port] = tracker.ports.udp as [number]
  let over = false
  let answered = 0
  const load = async (peer: UdpPeer, number: number) => {
    using _closing = peer
    for (let round = 0; !over; round++) {
      // Many peers in few torrents: runs grow, move and shrink all the time.
      const hash = hashOf((number + round) % 5)
      const event = round % 7 === 6 ? EVENT.stopped : EVENT.started
      await peer.announce(hash, { port: 1 + (round % 500), left: round % 3, event }).then(
        () => answered++,
        // Its thread died with the question; the next question goes to another.
        () => {},
      )
    }
  }
  const clients = Array.from({ length: 16 }, async (_, i) => load(await udpPeer(port), i))
  for (let death = 1; death <= 6; death++) {
    const thread = 1 + (death % 2)
    const before = answered
    await until('some load', () => answered > before + 200)
    workers.of(thread).worker.terminate()
    await until(
      'the thread to be replaced',
      () => replaced(tracker, thread) >= Math.ceil(death / 2),
    )
  }
  over = true
  await Promise.all(clients)
  const { swarm } = workers.of(1).setup
  expect(faults(swarm)).toEqual([])
  expect(new Swarm(swarm, 99, 1).totals().torrents).toBe(5)
})

/** UDP sockets that this process holds, each as often as it has a descriptor. */
function udpDescriptors(): number {
  const inodes = new Set(
    ['udp', 'udp6'].flatMap((name) =>
      readFileSync(`/proc/net/${name}`, 'utf8')
        .split('\n')
        .slice(1)
        .map((line) => line.trim().split(/\s+/)[9]),
    ),
  )
  return readdirSync('/proc/self/fd').filter((fd) => {
    try {
      return inodes.has(/^socket:\[(\d+)\]$/.exec(readlinkSync(`/proc/self/fd/${fd}`))?.[1])
    } catch {
      // Closed meanwhile.
      return false
    }
  }).length
}

test('threads that die in a flood leave no socket open and none that spins', async () => {
  using workers = captureWorkers()
  await using tracker = await startTracker({ workers: 2 })
  const [port] = tracker.ports.udp as [number]
  const before = udpDescriptors()
  const flooders = await Promise.all(
    Array.from({ length: 4 }, () =>
      Bun.udpSocket({ connect: { hostname: '127.0.0.1', port }, socket: { error() {} } }),
    ),
  )
  const packets = Array<Uint8Array>(64).fill(connectPacket(1))
  const flood = setInterval(() => {
    for (let time = 0; time < 40; time++)
      try {
        flooders[time % 4]!.sendMany(packets)
      } catch {
        // A thread that had the socket is gone.
      }
  }, 0)
  for (let death = 1; death <= 4; death++) {
    const thread = 1 + (death % 2)
    workers.of(thread).worker.terminate()
    await until(
      'the thread to be replaced',
      () => replaced(tracker, thread) >= Math.ceil(death / 2),
    )
  }
  clearInterval(flood)
  for (const each of flooders) each.close()
  await until('the sockets of the dead to be closed', () => udpDescriptors() === before)
  await until('all threads to rest', async () => {
    const used = process.cpuUsage()
    await Bun.sleep(500)
    const { user, system } = process.cpuUsage(used)
    return user + system < 50_000
  })
  using peer = await udpPeer(port)
  expect((await peer.announce(hashOf(8))).seeders).toBe(1)
})

test('a tracker that stops while a thread is being replaced leaves no thread behind', async () => {
  using workers = captureWorkers()
  await using tracker = await startTracker({ workers: 2 })
  workers.of(1).worker.terminate()
  await until('the replacement to start', () => workers.all.length === 3)
  await tracker[Symbol.asyncDispose]()
  await until('all threads to end', () => workers.all.every(({ ended }) => ended))
})

test('a listener that cannot be opened stops all threads', async () => {
  using workers = captureWorkers()
  using taken = Bun.listen({ hostname: '127.0.0.1', port: 0, socket: { data() {} } })
  const rest = udp('127.0.0.1:0') + http(`127.0.0.1:${taken.port}`) + HEALTH
  await expect(startTracker({ rest, workers: 2 })).rejects.toThrow(
    `port in use: http 127.0.0.1:${taken.port}`,
  )
  expect(workers.all).toHaveLength(0)
})
