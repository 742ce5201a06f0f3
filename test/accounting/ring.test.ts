/** The ring of a serving thread: what is in an entry, what is left out, and two threads at its ends. */
import { describe, expect, test } from 'bun:test'
import {
  createRing,
  ENTRY,
  eventIn,
  isGoneIn,
  limitIn,
  RING_ENTRIES,
  RingReader,
  RingWriter,
} from '../../src/accounting/ring.ts'
import { Announce, Answer, EVENT, LIMITED, SEAT, SeatAnnounce } from '../../src/bittorrent.ts'
import { announceOf, drain, numberIn } from '../support/accounting/announces.ts'
import type { RingTask } from '../support/accounting/ring-worker.ts'
import { dice, seed as drawn } from '../support/random.ts'
import { repeated } from '../support/thorough.ts'
import { until } from '../support/until.ts'

const seed = Int32Array.of(1, 2, 3, 4)

function ring() {
  const memory = createRing()
  const writer = new RingWriter(memory, seed)
  const append = (n: number, event?: 0 | 1 | 2 | 3) => {
    const { announce, answer } = announceOf(n, event)
    writer.append(n, announce, answer, n)
  }
  return { memory, writer, reader: new RingReader(memory), append }
}

describe('an entry', () => {
  const { writer, reader } = ring()
  const answer = new Answer([])
  /** The entry of an announce. */
  function entry(announce: Announce | SeatAnnounce, now = 7): (word: number) => number {
    writer.append(99, announce, answer, now)
    const at = reader.at(0)
    const words = reader.cells.slice(at, at + ENTRY.words)
    reader.took(1)
    return (word) => words[word]!
  }

  test('is what was announced, word for word', () => {
    const { append, reader: one } = ring()
    for (const n of [0, 1, 2, 70_000, 2 ** 31 - 2]) append(n)
    expect(drain(one)).toEqual([0, 1, 2, 70_000, 2 ** 31 - 2])
  })

  test('has the event, the limit and the second of all times', () => {
    for (const event of Object.values(EVENT))
      for (const limit of [undefined, ...LIMITED]) {
        const { announce } = announceOf(1, event)
        answer.limit = limit
        const what = entry(announce)(ENTRY.what)
        expect([eventIn(what), limitIn(what)]).toEqual([event, limit])
      }
    answer.limit = undefined
    expect(entry(announceOf(1).announce, 2 ** 32 - 1)(ENTRY.second) >>> 0).toBe(2 ** 32 - 1)
  })

  test('has an endpoint that differs where address, port or family differ, and not otherwise', () => {
    const at = (family: 4 | 6, bytes: number[], port: number) => {
      const announce = new Announce()
      // What stands behind the endpoint is stale, and does not matter.
      announce.endpoint.fill(bytes[0]!)
      announce.family = family
      announce.endpoint.set(bytes)
      announce.port = port
      return announce
    }
    const v6 = [0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]
    const endpoints = [
      at(4, [1, 2, 3, 4], 1),
      at(4, [1, 2, 3, 5], 1),
      at(4, [1, 2, 3, 4], 2),
      at(4, [1, 2, 3, 4], 256),
      at(6, [1, 2, 3, 4, ...Array(12).fill(0)], 1),
      at(6, v6, 1),
      at(6, v6.with(15, 2), 1),
      at(6, v6, 2),
    ].map((announce) => ({ announce, of: entry(announce) }))
    expect(new Set(endpoints.map(({ of }) => of(ENTRY.endpoint))).size).toBe(endpoints.length)
    for (const { announce, of } of endpoints) {
      expect(entry(announce)(ENTRY.endpoint)).toBe(of(ENTRY.endpoint))
      expect(of(ENTRY.port)).toBe(announce.port)
    }
    const seat = new SeatAnnounce()
    seat.endpointHalves[SEAT.port] = 0x3930
    const of = entry(seat)
    expect(of(ENTRY.port)).toBe(0x3039)
    seat.endpointHalves[SEAT.seat] = 5
    expect(entry(seat)(ENTRY.endpoint)).toBe(of(ENTRY.endpoint))
    seat.endpointHalves[SEAT.address + 7] = 5
    expect(entry(seat)(ENTRY.endpoint)).not.toBe(of(ENTRY.endpoint))
  })
})

describe('N22: a ring that is not drained', () => {
  test('leaves out announces without an event from three quarters on, and loses none of them', () => {
    const { append, reader } = ring()
    const mostly = (RING_ENTRIES * 3) / 4
    for (let n = 0; n < RING_ENTRIES; n++) append(n, EVENT.none)
    expect([reader.waiting, reader.used, reader.lost]).toEqual([mostly, 0.75, 0])
    for (const event of [EVENT.started, EVENT.completed, EVENT.stopped]) append(1, event)
    expect(reader.waiting).toBe(mostly + 3)
    reader.took(4)
    append(2, EVENT.none)
    expect([reader.waiting, reader.lost]).toEqual([mostly, 0])
  })

  test('has a peer that is gone as no announce, and leaves it out like one without an event', () => {
    const { append, writer, reader } = ring()
    const { announce, answer } = announceOf(1, EVENT.stopped)
    writer.appendGone(1, announce, answer, 1)
    append(2)
    const whats = [0, 1].map((i) => reader.cells[reader.at(i) + ENTRY.what]!)
    expect(whats.map(isGoneIn)).toEqual([true, false])
    expect(whats.map(eventIn)).toEqual([EVENT.none, EVENT.started])
    expect(whats.map(limitIn)).toEqual([undefined, undefined])
    for (let n = 0; n < RING_ENTRIES; n++) writer.appendGone(1, announce, answer, 1)
    expect([reader.used, reader.lost]).toEqual([0.75, 0])
  })

  test('counts what it has no room for, and keeps what it has', () => {
    const { append, reader, memory } = ring()
    for (let n = 0; n < RING_ENTRIES + 5; n++) append(n)
    append(0, EVENT.none)
    expect([reader.waiting, reader.used, reader.lost]).toEqual([RING_ENTRIES, 1, 5])
    expect(drain(reader)).toEqual(Array.from({ length: RING_ENTRIES }, (_, n) => n))
    append(123)
    expect(drain(reader)).toEqual([123])
    expect(new RingReader(memory).lost).toBe(5)
  })
})

test('counts of entries wrap around', () => {
  const { memory, append } = ring()
  const cells = new Int32Array(memory)
  // Both ends stand shortly before 2^31, and then before 2^32.
  for (const start of [2 ** 31 - 3, -3]) {
    cells[0] = cells[16] = start
    const reader = new RingReader(memory)
    for (let n = 0; n < 6; n++) append(n)
    expect(drain(reader, 2)).toEqual([0, 1])
    expect(drain(reader)).toEqual([2, 3, 4, 5])
  }
})

test('N21: at every moment of an append the reader sees whole entries only', () => {
  const { append, reader } = ring()
  for (let n = 0; n < 3; n++) append(n)
  const seen: number[] = []
  const look = () => {
    seen.push(reader.waiting)
    for (let i = 0; i < reader.waiting; i++)
      expect(numberIn({ cells: reader.cells.slice(), at: reader.at(i) })).toBe(i)
  }
  const { load, store } = Atomics
  /** Looks before and after, with the real operations. */
  const watched =
    <Args extends unknown[], R>(real: (...args: Args) => R) =>
    (...args: Args): R => {
      Object.assign(Atomics, { load, store })
      look()
      const result = real(...args)
      look()
      Object.assign(Atomics, watching)
      return result
    }
  const watching = { load: watched(load), store: watched(store) }
  try {
    Object.assign(Atomics, watching)
    append(3)
  } finally {
    Object.assign(Atomics, { load, store })
  }
  look()
  expect(new Set(seen)).toEqual(new Set([3, 4]))
})

/** A thread that appends until it is ended. */
function startWriter(task: RingTask) {
  const worker = new Worker(new URL('../support/accounting/ring-worker.ts', import.meta.url).href)
  worker.postMessage(task)
  return worker
}

test(`N21: writers that die at any moment leave whole entries, in order (SEED=${drawn})`, async () => {
  const memory = createRing()
  const reader = new RingReader(memory)
  const roll = dice()
  const lives = repeated(40)
  let next = 0
  for (let life = 0; life < lives; life++) {
    const before = next
    const enough = before + 1 + roll(40_000)
    const worker = startWriter({ ring: memory, seed, from: next })
    const take = () => {
      for (const n of drain(reader, 1_024)) expect(n).toBe(next++)
    }
    await until('the thread writes', () => {
      take()
      return next > before
    })
    while (next < enough) take()
    worker.terminate()
    // It may still be writing: its last entries are there once it has ended.
    await new Promise((resolve) => worker.addEventListener('close', resolve, { once: true }))
    while (reader.waiting > 0) take()
  }
  expect(reader.lost).toBe(0)
  expect(next).toBeGreaterThan(lives)
})
