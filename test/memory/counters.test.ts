/** Counters in shared memory: each thread has its rows, and a reader gets sums. */
import { expect, test } from 'bun:test'
import { AT, COUNTERS, KINDS, Metrics, TIME_AT } from '../../src/memory/counters.ts'

test('the counters of a listener are summed over the threads, by family', () => {
  const metrics = new Metrics(2, 2)
  for (const thread of [0, 1])
    for (const [i, counter] of COUNTERS.entries()) {
      metrics.row(thread, 1)[AT[counter]]! += 100 * i + thread
      metrics.row(thread, 1)[AT[counter] + 1]! += 7
    }
  const other = new Metrics(2, 2, metrics.memory)
  for (const [i, counter] of COUNTERS.entries()) {
    expect(other.read(1, counter)).toEqual({ ipv4: 200 * i + 1, ipv6: 14 })
    expect(other.read(0, counter)).toEqual({ ipv4: 0, ipv6: 0 })
  }
})

test('processing times are summed by kind, apart from the counters', () => {
  const metrics = new Metrics(3, 2)
  for (const thread of [0, 1, 2])
    for (const [i, kind] of KINDS.entries()) {
      const row = metrics.row(thread, 0)
      row[TIME_AT[kind]]! += 1_000 * (i + 1)
      row[TIME_AT[kind] + 1]! += thread
    }
  for (const [i, kind] of KINDS.entries()) {
    expect(metrics.processing(0, kind)).toEqual({ nanoseconds: 3_000 * (i + 1), samples: 3 })
    expect(metrics.processing(1, kind)).toEqual({ nanoseconds: 0, samples: 0 })
  }
  for (const counter of COUNTERS) expect(metrics.read(0, counter)).toEqual({ ipv4: 0, ipv6: 0 })
})
