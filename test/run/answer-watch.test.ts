/** O7: what the operator hears when UDP answers are lost. */
import { expect, test } from 'bun:test'
import { AT, type Counter, ListenerCounters } from '../../src/memory/counters.ts'
import { AnswerWatch } from '../../src/run/answer-watch.ts'
import { capturedLog } from '../support/captured-log.ts'
import { get } from '../support/http-client.ts'
import { captureWorkers } from '../support/run/captured-workers.ts'
import { startTracker } from '../support/started-tracker.ts'
import { until } from '../support/until.ts'

/** A watch of two UDP listeners on two threads. */
function watched() {
  const { log, lines } = capturedLog()
  const listeners = [new ListenerCounters(2), new ListenerCounters(2)]
  const watch = new AnswerWatch(() => listeners, log)
  let now = 5_000
  return {
    watch,
    count(counter: Counter, by: number, thread = 0, listener = 0, familyOffset = 0) {
      listeners[listener]!.row(thread)[AT[counter] + familyOffset]! += by
    },
    /** Lines logged while so many seconds pass. */
    pass(seconds: number): string[] {
      lines.length = 0
      for (let second = 0; second < seconds; second++) {
        now += 1_000
        watch.look(now)
      }
      return [...lines]
    },
  }
}

const LOST = (count: number) =>
  `answers are lost: ${count} in ten seconds. The machine is overloaded, or a firewall stops them`

test('O7: lost answers are told at once, counted every minute, and told when they are over', () => {
  const { watch, count, pass } = watched()
  count('received', 1_000)
  expect(pass(10)).toEqual([])
  // On every thread, listener and family; dropped unread, too.
  count('received', 1_000, 1, 1, 1)
  count('unsent', 5)
  count('unsent', 3, 1, 1, 1)
  count('aborted', 2, 1)
  expect(pass(10)).toEqual([` WARN UDP TRACKER: ${LOST(10)}`])
  expect(watch.degraded).toBe(LOST(10))
  const later: string[] = []
  for (let window = 0; window < 6; window++) {
    count('unsent', 20)
    later.push(...pass(10))
  }
  expect(later).toEqual([' WARN UDP TRACKER: datagrams got no answer count=130 seconds=60'])
  expect(watch.degraded).toBe(LOST(20))
  expect(pass(60)).toEqual([
    ' INFO UDP TRACKER: It is over: datagrams got no answer count=130 seconds=60',
  ])
  expect(watch.degraded).toBeUndefined()
})

test.each<[what: string, unsent: number, received: number]>([
  ['a few', 9, 9],
  ['less than one in a hundred', 99, 10_000],
])('lost answers are not told when they are %s', (_what, unsent, received) => {
  const { watch, count, pass } = watched()
  pass(10)
  count('unsent', unsent)
  count('received', received)
  expect(pass(20)).toEqual([])
  expect(watch.degraded).toBeUndefined()
})

test('O2, O7: a tracker that loses answers is degraded, and serves on', async () => {
  using workers = captureWorkers()
  await using tracker = await startTracker({ workers: 2 })
  const [udp] = workers.of(1).setup.listeners
  new ListenerCounters(2, udp!.counters).row(0)[AT.unsent]! += 1_000
  const url = `http://127.0.0.1:${tracker.healthPort}`
  const health = async () => JSON.parse(`${(await get(url, '/health_check')).body}`)
  await until('the report', async () => (await health()).degraded !== undefined)
  expect(await health()).toMatchObject({ status: 'Ok', degraded: LOST(1_000) })
})
