/** Server-sent events of what changed in accounting, without a socket (docs/behaviours.md N29). */
import { expect, jest, test } from 'bun:test'
import { Bell, Feed, LOOK_MILLISECONDS, MOST_BEHIND } from '../../src/api/accounting-feed.ts'
import { EventStreams, MOST_WAITING } from '../../src/api/event-stream.ts'
import { MemoryAccounting } from '../support/api/memory-accounting.ts'
import { hashOf } from '../support/udp-client.ts'
import { until } from '../support/until.ts'

type Told = { readonly event: string; readonly id?: number; readonly data: Record<string, unknown> }

/** A client that takes what there is when the test says so. */
function client(
  accounting: MemoryAccounting,
  { after, feed }: { after?: number; feed?: Feed } = {},
) {
  const reports: unknown[] = []
  const own = feed ?? new Feed(accounting.store, (_what, error) => reports.push(error))
  const streams = new EventStreams()
  const gone = new AbortController()
  const request = new Request('http://localhost/', { signal: gone.signal })
  const { body } = streams.open(request, 'one', own.stream(after))
  const parts = body as AsyncGenerator<string>
  const told: Told[] = []
  const take = async (): Promise<boolean> => {
    const { value, done } = await parts.next()
    for (const block of (value ?? '').split('\n\n')) {
      const fields = Object.fromEntries(
        block.split('\n').map((line: string) => line.split(/: (.*)/s)),
      )
      if (fields.data === undefined) continue
      told.push({
        ...fields,
        ...(fields.id && { id: Number(fields.id) }),
        data: JSON.parse(fields.data),
      })
    }
    return !done
  }
  return {
    told,
    reports,
    gone,
    streams,
    take,
    /** Takes on and on. */
    reading: async () => {
      while (await take());
    },
    /** Account and its upload, by the events that told of it. */
    figures: () =>
      told
        .filter(({ event }) => event === 'changes')
        .flatMap(({ data }) =>
          (data.accounts as { id: number; uploaded: number }[]).map(({ id, uploaded }) => [
            id,
            uploaded,
          ]),
        ),
    ids: () => told.flatMap(({ id }) => id ?? []),
  }
}

test('N29: begins now, and has an event for each write that follows', async () => {
  const accounting = new MemoryAccounting()
  accounting.write(1)
  const { told, reading, gone, ids, figures } = client(accounting)
  const read = reading()
  await until('it is subscribed', () => accounting.asked > 0)
  for (let n = 2; n <= 5; n++) {
    accounting.write(n)
    await until('it is told', () => ids().at(-1) === n)
  }
  expect(ids()).toEqual([2, 3, 4, 5])
  expect(figures()).toEqual([2, 3, 4, 5].map((id) => [id, 1]))
  expect(told[0]).toMatchObject({ event: 'changes', data: { next: 2, is_last: true, deleted: [] } })
  gone.abort()
  await read
  expect(accounting.listeners.size).toBe(0)
})

test('N29: goes on behind Last-Event-ID, neither repeats nor skips', async () => {
  const accounting = new MemoryAccounting()
  let seen = 0
  const heard: number[] = []
  for (let connection = 0; connection < 20; connection++) {
    const stream = client(accounting, { after: seen })
    const read = stream.reading()
    const writes = connection % 4
    for (let n = 0; n < writes; n++) accounting.write(accounting.batch + 1)
    if (connection % 2)
      await until('all is told', () => (stream.ids().at(-1) ?? seen) === accounting.batch)
    stream.gone.abort()
    await read
    heard.push(...stream.figures().map(([id]) => id!))
    seen = stream.ids().at(-1) ?? seen
  }
  const rest = client(accounting, { after: seen })
  void rest.reading()
  await until('the rest is told', () => (rest.ids().at(-1) ?? seen) === accounting.batch)
  rest.gone.abort()
  heard.push(...rest.figures().map(([id]) => id!))
  expect(heard).toEqual(Array.from({ length: accounting.batch }, (_, i) => i + 1))
})

test('N29: a client that is too far behind is told of the gap, and goes on from now', async () => {
  const accounting = new MemoryAccounting()
  accounting.write(1)
  accounting.batch = MOST_BEHIND + 8
  const stream = client(accounting, { after: 7 })
  const read = stream.reading()
  await until('the gap', () => stream.told.length > 0)
  accounting.write(3)
  await until('what follows', () => stream.told.length > 1)
  stream.gone.abort()
  await read
  expect(stream.told).toMatchObject([
    { event: 'gap', id: MOST_BEHIND + 8, data: { after: 7, next: MOST_BEHIND + 8 } },
    { event: 'changes', id: MOST_BEHIND + 9, data: { accounts: [{ id: 3 }] } },
  ])

  const near = client(accounting, { after: 9 })
  const reading = near.reading()
  await until('a page', () => near.told.length > 0)
  near.gone.abort()
  await reading
  expect(near.told[0]!.event).toBe('changes')
})

test('N29: a client that knows of writes that are gone is told of the gap, and goes on', async () => {
  const accounting = new MemoryAccounting()
  accounting.write(1)
  const stream = client(accounting, { after: 90 })
  const read = stream.reading()
  await until('the gap', () => stream.told.length > 0)
  accounting.write(3)
  await until('what follows', () => stream.told.length > 1)
  stream.gone.abort()
  await read
  expect(stream.told).toMatchObject([
    { event: 'gap', id: 1, data: { after: 90, next: 1 } },
    { event: 'changes', id: 2, data: { accounts: [{ id: 3 }] } },
  ])
})

test('N29: a client that reads nothing costs nothing, and misses no write', async () => {
  const accounting = new MemoryAccounting()
  const stream = client(accounting, { after: 0 })
  await stream.take()
  const next = stream.take()
  const flag = {
    kind: 'speed',
    at: 1,
    account: 1,
    infoHash: hashOf(1),
    bytes: 1,
    seconds: 1,
    times: 1,
  } as const
  accounting.write(1)
  await next
  const asked = accounting.asked
  for (let n = 2; n <= 3_000; n++) {
    accounting.write(n)
    accounting.flag(flag)
  }
  await Bun.sleep(1)
  // What it does not take is not asked for.
  expect(accounting.asked).toBe(asked)
  const read = stream.reading()
  await until('all is told', () => stream.ids().at(-1) === 3_000)
  stream.gone.abort()
  await read
  const known = new Map(stream.figures() as [number, number][])
  expect([...known.keys()].sort((a, b) => a - b)).toEqual(
    Array.from({ length: 3_000 }, (_, i) => i + 1),
  )
  const flags = stream.told.filter(({ event }) => event === 'flag').length
  const [lost] = stream.told.filter(({ event }) => event === 'lost')
  expect(flags).toBeLessThan((MOST_WAITING / 100) | 0)
  expect(Number(lost?.data.lost)).toBe(2_999 - flags)
})

test('completions and flags are told as they come, without a number', async () => {
  const accounting = new MemoryAccounting()
  const stream = client(accounting)
  const read = stream.reading()
  await until('it is subscribed', () => accounting.asked > 0)
  accounting.say({
    kind: 'completed',
    batch: 9,
    account: 4,
    infoHash: hashOf(2),
    at: 1_700_000_000,
  })
  accounting.flag({
    kind: 'speed',
    at: 3,
    account: 4,
    infoHash: hashOf(2),
    bytes: 5,
    seconds: 6,
    times: 7,
  })
  await until('both', () => stream.told.length === 2)
  const info_hash = hashOf(2).toHex()
  expect(stream.told).toEqual([
    { event: 'completed', data: { account: 4, info_hash, at: 1_700_000_000, batch: 9 } },
    {
      event: 'flag',
      data: {
        kind: 'speed',
        at: 3,
        account: 4,
        info_hash,
        bytes: 5,
        seconds: 6,
        times: 7,
        batch: 0,
      },
    },
  ] as never)
  stream.gone.abort()
  await read
})

test('what another tracker wrote is told, and what was written while the database was away', async () => {
  jest.useFakeTimers()
  try {
    const accounting = new MemoryAccounting()
    const stream = client(accounting)
    void stream.reading()
    const told = async (id: number) => {
      for (let turn = 0; turn < 100 && stream.ids().at(-1) !== id; turn++) {
        jest.advanceTimersByTime(LOOK_MILLISECONDS / 10)
        await Promise.resolve()
        await Promise.resolve()
      }
      expect(stream.ids().at(-1)).toBe(id)
    }
    await Promise.resolve()
    accounting.writeElsewhere(1)
    await told(1)
    accounting.isAway = true
    accounting.write(2)
    for (let turn = 0; turn < 50; turn++) {
      jest.advanceTimersByTime(LOOK_MILLISECONDS)
      await Promise.resolve()
    }
    expect(stream.ids()).toEqual([1])
    accounting.isAway = false
    await told(2)
    expect(stream.reports).toEqual([])
    stream.gone.abort()
  } finally {
    jest.useRealTimers()
  }
})

test('streams that have come equally far share a page', async () => {
  const accounting = new MemoryAccounting()
  const feed = new Feed(accounting.store, () => {})
  const all = Array.from({ length: 10 }, () => client(accounting, { feed }))
  const reads = all.map((one) => one.reading())
  await until('all have looked', () => accounting.asked > 0)
  await Bun.sleep(1)
  const asked = accounting.asked
  accounting.write(1)
  await until('all are told', () => all.every(({ told }) => told.length === 1))
  // One of the page, and one that finds nothing behind it.
  expect(accounting.asked - asked).toBeLessThanOrEqual(2)
  for (const { gone } of all) gone.abort()
  await Promise.all(reads)
})

test('a bell that rang before it is listened to is heard, once', async () => {
  const bell = new Bell()
  bell.ring()
  bell.ring()
  await bell.heard(1e9)
  let isHeard = false
  const heard = bell.heard(1e9).then(() => {
    isHeard = true
  })
  await Bun.sleep(1)
  expect(isHeard).toBe(false)
  bell.ring()
  await heard
})
