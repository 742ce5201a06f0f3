/** Event streams without a socket: what is sent, what is bounded, and how they end. */
import { describe, expect, jest, test } from 'bun:test'
import type { Answer } from '../../src/api/answers.ts'
import {
  EventStreams,
  MOST_STREAMS,
  MOST_STREAMS_EACH,
  MOST_WAITING,
  type StreamEvent,
} from '../../src/api/event-stream.ts'
import { Failure } from '../../src/api/failures.ts'

const BEGINNING = 'retry: 2000\n\n'

function opened(streams = new EventStreams(), client = 'one', before: readonly StreamEvent[] = []) {
  const gone = new AbortController()
  const request = new Request('http://localhost/', { signal: gone.signal })
  let send: (event: StreamEvent) => void = () => {}
  let subscriptions = 0
  const answer: Answer = streams.open(request, client, (to) => {
    send = to
    subscriptions++
    before.forEach(to)
    return () => void subscriptions--
  })
  const parts = answer.body as AsyncGenerator<string>
  return {
    streams,
    gone,
    parts,
    answer,
    send: (...events: StreamEvent[]) => {
      for (const event of events) send(event)
    },
    take: async () => (await parts.next()).value as string | undefined,
    get subscriptions() {
      return subscriptions
    },
  }
}

describe('a stream', () => {
  test('begins with what is there, and goes on with what comes', async () => {
    const stream = opened(undefined, 'one', [{ id: 7, data: 'a' }])
    expect(await stream.take()).toBe(`${BEGINNING}id: 7\ndata: a\n\n`)
    const next = stream.take()
    stream.send({ event: 'figures', data: '{"n":1}' })
    expect(await next).toBe('event: figures\ndata: {"n":1}\n\n')
    stream.send({ data: 'b' }, { data: 'c' })
    expect(await stream.take()).toBe('data: b\n\ndata: c\n\n')
    expect(stream.answer.headers).toMatchObject({ 'cache-control': 'no-store' })
  })

  test('of a client that takes nothing is bounded, and says how much it lost', async () => {
    const data = 'x'.repeat(1_000)
    const stream = opened()
    for (let i = 0; i < 1_000; i++) stream.send({ data })
    const taken = (await stream.take())!
    expect(taken.length).toBeLessThan(MOST_WAITING + 2_000)
    const count = taken.split(data).length - 1
    expect(taken).toEndWith(`data: ${data}\n\nevent: lost\ndata: {"lost":${1_000 - count}}\n\n`)
    stream.send({ data: 'after' })
    expect(await stream.take()).toBe('data: after\n\n')
  })

  test('keeps all that is there when it begins', async () => {
    const before = Array.from({ length: 1_000 }, (_, i) => ({ data: `${i} ${'x'.repeat(200)}` }))
    const taken = await opened(undefined, 'one', before).take()
    expect(taken).toContain('data: 999 x')
    expect(taken).not.toContain('lost')
  })

  test('has a comment when nothing comes, so that its connection is not idle', async () => {
    jest.useFakeTimers()
    try {
      const stream = opened()
      expect(await stream.take()).toBe(BEGINNING)
      const next = stream.take()
      jest.advanceTimersByTime(5_000)
      expect(await next).toBe(':\n\n')
      stream.gone.abort()
    } finally {
      jest.useRealTimers()
    }
  })
})

describe('a stream ends, and its subscription with it, when', () => {
  test('its client is gone while it waits', async () => {
    const stream = opened()
    await stream.take()
    const next = stream.take()
    stream.gone.abort()
    expect(await next).toBeUndefined()
    expect([stream.subscriptions, stream.streams.size]).toEqual([0, 0])
  })

  test('its client is gone before it began', () => {
    const stream = opened()
    expect([stream.subscriptions, stream.streams.size]).toEqual([1, 1])
    stream.gone.abort()
    expect([stream.subscriptions, stream.streams.size]).toEqual([0, 0])
  })

  test.each([0, 1])('its body is not taken to the end: %d parts of it', async (count) => {
    const stream = opened()
    for (let part = 0; part < count; part++) await stream.take()
    await stream.parts.return(undefined)
    expect([stream.subscriptions, stream.streams.size]).toEqual([0, 0])
  })

  test('the tracker stops, after what was there', async () => {
    const stream = opened()
    stream.send({ data: 'last' })
    stream.streams.stop()
    expect([stream.subscriptions, stream.streams.size]).toEqual([0, 0])
    expect(await stream.take()).toBe(`${BEGINNING}data: last\n\n`)
    expect(await stream.take()).toBeUndefined()
    expect(() => opened(stream.streams)).toThrow(Failure)
  })
})

describe('too many streams are refused', () => {
  const refusal = (streams: EventStreams, client: string) => {
    try {
      opened(streams, client)
    } catch (error) {
      if (error instanceof Failure) return [error.status, error.headers]
    }
    return undefined
  }
  const REFUSED = [503, { 'retry-after': '10' }]

  test('of one client, until one of them ends', () => {
    const streams = new EventStreams()
    const own = Array.from({ length: MOST_STREAMS_EACH }, () => opened(streams, 'one'))
    expect(refusal(streams, 'one')).toEqual(REFUSED)
    expect(refusal(streams, 'two')).toBeUndefined()
    own[0]!.gone.abort()
    expect(refusal(streams, 'one')).toBeUndefined()
    expect(refusal(streams, 'one')).toEqual(REFUSED)
    streams.stop()
  })

  test('of all together', () => {
    const streams = new EventStreams()
    for (let i = 0; i < MOST_STREAMS; i++) opened(streams, `client ${i}`)
    expect(refusal(streams, 'another')).toEqual(REFUSED)
    streams.stop()
  })
})
