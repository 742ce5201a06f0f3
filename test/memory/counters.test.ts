/** Counters in shared memory: each thread has its rows, and a reader gets sums. */
import { expect, test } from 'bun:test'
import {
  AT,
  addTime,
  CLOSED,
  COUNTERS,
  countAllClosed,
  KINDS,
  ListenerCounters,
  REFUSED_AT,
  REFUSED_KINDS,
  THREAD_AT,
  THREAD_COUNTERS,
  ThreadCounters,
  TIME_BOUNDS,
} from '../../src/memory/counters.ts'
import { REFUSALS } from '../../src/refusal.ts'

/** A number of its own for each index. */
const mark = (thread: number, index: number): number => 2 ** thread * 1_000 + index

test('every counter of a listener has a place of its own, summed over the threads, by family', () => {
  const counters = new ListenerCounters(2)
  for (const [thread, row] of counters.rows.entries())
    for (const index of row.keys()) row[index] = mark(thread, index)
  const other = new ListenerCounters(2, counters.memory)
  const both = (at: number) => ({
    ipv4: mark(0, at) + mark(1, at),
    ipv6: mark(0, at + 1) + mark(1, at + 1),
  })
  const places: number[] = []
  for (const counter of COUNTERS) {
    expect(other.read(counter)).toEqual(both(AT[counter]))
    places.push(AT[counter], AT[counter] + 1)
  }
  for (const kind of REFUSED_KINDS)
    for (const refusal of REFUSALS) {
      const at = REFUSED_AT[kind][refusal]
      expect(other.refused(kind, refusal)).toEqual(both(at))
      places.push(at, at + 1)
    }
  const times = KINDS.map((kind) => other.times(kind))
  // Nanoseconds and buckets of each kind take the rest of the row.
  const rest = times.length * (1 + TIME_BOUNDS.length + 1)
  expect(new Set(places).size + rest).toBe(counters.row(0).length)
  expect(new Set(times.flatMap(({ nanoseconds, buckets }) => [nanoseconds, ...buckets])).size).toBe(
    rest,
  )
})

test.each(KINDS)('the time of one %s counts in one bucket, and for no other kind', (kind) => {
  const edges = [1, 255, ...TIME_BOUNDS.flatMap((bound) => [bound - 1, bound, bound + 1])]
  for (const nanoseconds of [...edges, 2 ** 31 - 1, 2 ** 40, 0, -5]) {
    const counters = new ListenerCounters(1)
    addTime(counters.row(0), kind, nanoseconds)
    const { samples, buckets, nanoseconds: sum } = counters.times(kind)
    const expected = TIME_BOUNDS.findIndex((bound) => nanoseconds <= bound)
    expect([samples, buckets.indexOf(1)]).toEqual([1, expected < 0 ? TIME_BOUNDS.length : expected])
    expect(sum).toBe(Math.max(1, Math.min(nanoseconds, 2 ** 31 - 1)))
    for (const other of KINDS) if (other !== kind) expect(counters.times(other).samples).toBe(0)
    expect(counters.row(0).reduce((all, count) => all + count, 0)).toBe(sum + 1)
  }
})

test('the counters of threads are summed, and a thread has a row of its own', () => {
  const counters = new ThreadCounters(3)
  for (const [thread, row] of counters.rows.entries())
    for (const name of THREAD_COUNTERS) row[THREAD_AT[name]] = mark(thread, THREAD_AT[name])
  const other = new ThreadCounters(3, counters.memory)
  for (const name of THREAD_COUNTERS) {
    const at = THREAD_AT[name]
    expect(other.total(name)).toBe(mark(0, at) + mark(1, at) + mark(2, at))
  }
})

test('open connections are those that were opened and not closed, for whatever reason', () => {
  const counters = new ListenerCounters(2)
  const [first, second] = counters.rows as [Float64Array, Float64Array]
  first[AT.opened] = 20
  second[AT.opened] = 1
  second[AT.opened + 1] = 2
  expect(counters.open).toEqual({ ipv4: 21, ipv6: 2 })
  for (const reason of CLOSED) first[AT[reason]]!++
  second[AT.closedIdle + 1] = 1
  expect(counters.open).toEqual({ ipv4: 21 - CLOSED.length, ipv6: 1 })

  // The thread of the first row dies. What it had open is closed, and its successor counts on.
  countAllClosed(first)
  expect(counters.open).toEqual({ ipv4: 1, ipv6: 1 })
  expect(counters.read('closedStopped')).toEqual({ ipv4: 21 - CLOSED.length, ipv6: 0 })
  countAllClosed(first)
  expect(counters.open).toEqual({ ipv4: 1, ipv6: 1 })

  // Closed by one thread while another is read: never less than none.
  second[AT.closedSlow] = 5
  expect(counters.open.ipv4).toBe(0)
})
