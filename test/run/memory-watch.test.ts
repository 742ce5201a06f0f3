/** S13, O7: what the operator hears when the memory of torrents and peers runs out. */
import { expect, test } from 'bun:test'
import { MemoryWatch } from '../../src/run/memory-watch.ts'
import { capturedLog } from '../support/captured-log.ts'
import { get } from '../support/http-client.ts'
import { captureWorkers } from '../support/run/captured-workers.ts'
import { fillSwarm } from '../support/run/full-swarm.ts'
import { startTracker } from '../support/started-tracker.ts'
import { hashOf, udpPeer } from '../support/udp-client.ts'
import { until } from '../support/until.ts'

const MIB = 2 ** 20
const LIMIT = 64 * MIB

/** A swarm whose figures the test sets, and a watch that has looked at it `pass()` seconds. */
function watched() {
  const { log, lines } = capturedLog()
  const swarm = { used: 0, refusals: 0 }
  const totals = {
    torrents: 0,
    seeders: 0,
    leechers: 0,
    byFamily: [],
    downloads: 0,
    completions: 0,
  }
  const watch = new MemoryWatch(
    {
      memory: () => ({ used: swarm.used, limit: LIMIT }),
      totals: () => ({ ...totals, refusals: swarm.refusals }),
    },
    log,
  )
  let now = 5_000
  return {
    swarm,
    watch,
    /** Lines logged while so many seconds pass, in each of which `refused` announces are refused. */
    pass(seconds: number, refused = 0): string[] {
      lines.length = 0
      for (let second = 0; second < seconds; second++) {
        now += 1_000
        swarm.refusals += refused
        watch.look(now)
      }
      return [...lines]
    },
  }
}

const TO_DO = 'Raise runtime.max_memory, now 64 MiB, or lower core.tracker_policy.max_peer_timeout'
const FULL = `memory is full: new torrents are refused, and new peers are not remembered. ${TO_DO}`

test('memory that is nearly full is told once, and once more when there is enough again', () => {
  const { swarm, watch, pass } = watched()
  swarm.used = 0.9 * LIMIT - 1
  expect(pass(10)).toEqual([])
  swarm.used = 60 * MIB
  expect(pass(100)).toEqual([
    ` WARN TRACKER: memory is nearly full: 60 MiB of 64 MiB are in use. ${TO_DO}`,
  ])
  // It goes up and down.
  for (const share of [0.85, 0.95, 0.81, 0.9]) {
    swarm.used = share * LIMIT
    expect(pass(100)).toEqual([])
  }
  expect(watch.degraded).toBeUndefined()
  swarm.used = 50 * MIB
  expect(pass(10)).toEqual([
    ' INFO TRACKER: memory is no longer nearly full: 50 MiB of 64 MiB are in use',
  ])
})

test('refused announces are told at once, counted every minute, and told when they are over', () => {
  const { swarm, watch, pass } = watched()
  const said = (count: number, seconds: number) =>
    `announces were refused or not remembered, because memory was full count=${count} seconds=${seconds}`
  swarm.used = 60 * MIB
  // What is full is nearly full, too.
  expect(pass(60, 3)).toEqual([` WARN TRACKER: ${FULL}`])
  expect(watch.degraded).toBe(FULL)
  expect(pass(60, 2)).toEqual([` WARN TRACKER: ${said(182, 60)}`])
  expect(pass(1, 2)).toEqual([` WARN TRACKER: ${said(120, 60)}`])
  // A pause is not the end.
  expect(pass(58)).toEqual([])
  expect(pass(1, 1)).toEqual([])
  expect(watch.degraded).toBe(FULL)
  expect(pass(59)).toEqual([` WARN TRACKER: ${said(1, 60)}`])
  expect(pass(1)).toEqual([` INFO TRACKER: It is over: ${said(303, 179)}`])
  expect(watch.degraded).toBeUndefined()
  expect(pass(1_000)).toEqual([])
  // A shard that was emptied has lost its count.
  swarm.refusals = 0
  expect(pass(1)).toEqual([])
  expect(pass(1, 1)).toEqual([` WARN TRACKER: ${FULL}`])
})

test('S13: a tracker that is full refuses new torrents, serves on, and says so in its log and in its health report', async () => {
  using workers = captureWorkers()
  await using tracker = await startTracker({ workers: 2, maxMemory: '16MiB' })
  const health = async () =>
    JSON.parse(`${(await get(`http://127.0.0.1:${tracker.healthPort}`, '/health_check')).body}`)
  const { memory, ...well } = await health()
  expect([well.status, well.degraded, memory.limit]).toEqual(['Ok', undefined, 16 * MIB])
  fillSwarm(workers.of(1).setup.swarm)
  using peer = await udpPeer(tracker.ports.udp[0]!)
  await expect(peer.announce(hashOf(0xee))).rejects.toThrow('tracker is full, come back later')
  await until('the warning', () => tracker.lines.some((line) => line.includes('memory is full')))
  // A torrent that is there goes on: the first one.
  expect((await peer.announce(new Uint8Array(20))).seeders).toBeGreaterThan(0)
  const ill = await health()
  expect(ill.status).toBe('Ok')
  expect(ill.degraded).toStartWith('memory is full: new torrents are refused')
  expect(ill.memory.used).toBeGreaterThan(0.9 * 16 * MIB)
})
