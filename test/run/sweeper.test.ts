/** The sweep in the background: what it forgets, when, and that it ends. */
import { describe, expect, test } from 'bun:test'
import { Announce, Answer, PeerList } from '../../src/bittorrent.ts'
import { Log } from '../../src/log/log.ts'
import { Lock } from '../../src/memory/lock.ts'
import { Sweeper } from '../../src/run/sweeper.ts'
import { HEADER } from '../../src/swarm/layout.ts'
import { createSwarmMemory, Swarm } from '../../src/swarm/swarm.ts'
import { captureWorkers } from '../support/run/captured-workers.ts'
import { anyone, policy, trackerOver } from '../support/servers/served-http.ts'
import { startTracker } from '../support/started-tracker.ts'
import { hashOf, udpPeer } from '../support/udp-client.ts'
import { until } from '../support/until.ts'

/** Seconds between two sweeps, for a test that waits for some. */
const OFTEN = 0.005

function make({ peers = 1, onLine = () => {} } = {}) {
  const memory = createSwarmMemory(64 * 2 ** 20, Int32Array.of(1))
  const swarm = new Swarm(memory, 1, 1)
  let now = 1_000_000
  const clock = { seconds: () => now, milliseconds: () => now * 1000 }
  const tracker = trackerOver(swarm, clock)
  const announce = new Announce()
  const answer = new Answer([new PeerList(4, new Uint16Array(3 * 74))])
  for (let peer = 0; peer < peers; peer++) {
    announce.words.fill(0)
    announce.words[0] = peer >>> 4
    announce.endpoint.set([10, 0, peer >>> 8, peer])
    announce.port = 6881
    tracker.announce(anyone, announce, { externalIp: undefined }, answer)
  }
  const lines: string[] = []
  const log = new Log(
    { filter: 'debug', style: 'full', colour: false },
    clock.milliseconds,
    (line) => {
      lines.push(line)
      onLine()
    },
  )
  return {
    memory,
    totals: () => {
      const { torrents, seeders, leechers } = swarm.totals()
      return { torrents, peers: seeders + leechers }
    },
    sweep: (seconds = OFTEN) => {
      const sweeper = new Sweeper(tracker, log)
      sweeper.follow(seconds)
      return sweeper
    },
    pass: (seconds: number) => {
      now += seconds
    },
    sweeps: () => lines.filter((line) => line.includes('Cleaned up torrents in: ')).length,
    lines,
  }
}

describe('the sweeper', () => {
  test('forgets peers that were silent for longer than the timeout, and no others', async () => {
    const swarm = make({ peers: 2_000 })
    using _sweeper = swarm.sweep()
    swarm.pass(policy.peerTimeoutSeconds - 1)
    const before = swarm.sweeps()
    await until('two sweeps', () => swarm.sweeps() > before + 1)
    expect(swarm.totals()).toEqual({ torrents: 125, peers: 2_000 })
    swarm.pass(1)
    await until('the swarm to be empty', () => swarm.totals().torrents === 0)
    expect(swarm.totals().peers).toBe(0)
  })

  test('says when it begins and how long it took', async () => {
    const swarm = make()
    using _sweeper = swarm.sweep()
    await until('a sweep', () => swarm.sweeps() > 0)
    expect(swarm.lines.slice(0, 2).map((line) => line.slice(28))).toEqual([
      'DEBUG TORRENT CLEANUP: Cleaning up torrents..\n',
      expect.stringMatching(
        /^DEBUG TORRENT CLEANUP: Cleaned up torrents in: \d+ms peers=\d+ expired=0 longest_hold_ms=[\d.]+\n$/,
      ),
    ])
  })

  test('waits for a shard that another thread holds, and sweeps it then', async () => {
    const swarm = make({ peers: 1_000 })
    const locks = swarm.memory.shards.map(({ torrents }) => new Lock(torrents, HEADER.lock, 2))
    const held = locks.at(-1)!
    held.acquire()
    swarm.pass(policy.peerTimeoutSeconds)
    using _sweeper = swarm.sweep()
    const rest = () =>
      swarm.memory.shards.filter(
        (memory) => new Uint32Array(memory.torrents)[HEADER.torrents] !== 0,
      )
    await until('the other shards to be swept', () => rest().length === 1)
    expect(swarm.sweeps()).toBe(0)
    held.release()
    await until('the last shard to be swept', () => rest().length === 0)
  })

  test('stops when it is disposed, in the middle of a sweep too', async () => {
    const swarm = make({ peers: 1_000, onLine: () => sweeper[Symbol.dispose]() })
    swarm.pass(policy.peerTimeoutSeconds)
    const sweeper = swarm.sweep()
    await until('a sweep to begin', () => swarm.lines.length > 0)
    // It may finish the slice it was at: one shard of all.
    for (let turn = 0; turn < 100; turn++) await new Promise(setImmediate)
    expect(swarm.totals().peers).toBeGreaterThan(500)
    expect(swarm.lines).toHaveLength(1)
  })

  test('follows its interval, and stops with 0', async () => {
    const swarm = make()
    const other = make()
    using sweeper = swarm.sweep(3_600)
    using _often = other.sweep()
    sweeper.follow(OFTEN)
    await until('a sweep', () => swarm.sweeps() > 0)
    sweeper.follow(0)
    // One may be under way.
    const before = other.sweeps()
    await until('sweeps of another', () => other.sweeps() > before + 2)
    const { length } = swarm.lines
    await until('more of them', () => other.sweeps() > before + 5)
    expect(swarm.lines).toHaveLength(length)
  })

  test('never runs when its interval is 0', async () => {
    const swarm = make()
    const other = make()
    using _never = swarm.sweep(0)
    using _often = other.sweep()
    await until('three sweeps of another', () => other.sweeps() > 2)
    expect(swarm.lines).toEqual([])
  })
})

test('a tracker forgets its peers and torrents', async () => {
  using workers = captureWorkers()
  await using tracker = await startTracker({
    core: 'inactive_peer_cleanup_interval = 1\n[core.tracker_policy]\nmax_peer_timeout = 1\n',
    workers: 2,
  })
  using peer = await udpPeer(tracker.ports.udp[0]!)
  expect((await peer.announce(hashOf(1))).seeders).toBe(1)
  const swarm = new Swarm(workers.of(1).setup.swarm, 99, 1)
  await until('the torrent to be forgotten', () => swarm.totals().torrents === 0)
})
