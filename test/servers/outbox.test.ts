import { expect, test } from 'bun:test'
import { LIMITS } from '../../src/limits.ts'
import { AT, ListenerCounters } from '../../src/memory/counters.ts'
import { Outbox } from '../../src/servers/outbox.ts'

/**
 * An outbox on a socket that behaves as `send` says of the datagrams whose answers it is given; which of
 * them reached the kernel.
 */
function outboxOn(send: (datagrams: number[]) => number) {
  const counters = new ListenerCounters(1).row(0)
  const sent: number[] = []
  const outbox = new Outbox(counters)
  outbox.resize(64)
  outbox.attach({
    resized() {},
    send(first, count) {
      const datagrams = [...outbox.to.subarray(first, first + count)]
      const taken = send(datagrams)
      sent.push(...datagrams.slice(0, Math.max(0, taken)))
      return taken
    },
  })
  const push = (...datagrams: number[]) => {
    for (const datagram of datagrams) {
      outbox.begin()
      outbox.push(16, datagram)
    }
    outbox.flush()
  }
  const counts = () => ({ unsent: counters[AT.unsent], errors: counters[AT.socketErrors] })
  return { push, sent, counts }
}

test('answers leave together and in order', () => {
  const { push, sent, counts } = outboxOn((datagrams) => datagrams.length)
  push(1, 2, 3)
  expect([sent, counts()]).toEqual([[1, 2, 3], { unsent: 0, errors: 0 }])
})

test('an old error of the kernel costs no answer', () => {
  let pending = true
  const { push, sent, counts } = outboxOn((datagrams) => {
    if (!pending) return datagrams.length
    pending = false
    return -1
  })
  push(1, 2, 3)
  expect([sent, counts()]).toEqual([[1, 2, 3], { unsent: 0, errors: 1 }])
})

test('an address that cannot be reached costs its own answer and no other', () => {
  const unreachable = new Set([1, 4, 5, 7])
  const { push, sent, counts } = outboxOn((datagrams) => {
    const stop = datagrams.findIndex((datagram) => unreachable.has(datagram))
    if (stop === 0) return -1
    return stop < 0 ? datagrams.length : stop
  })
  push(1, 2, 3, 4, 5, 6, 7)
  expect([sent, counts()]).toEqual([[2, 3, 6], { unsent: 4, errors: 8 }])
})

test('a full buffer of the kernel is final', () => {
  let calls = 0
  const { push, sent, counts } = outboxOn(() => (calls++ === 0 ? 1 : 0))
  push(1, 2, 3)
  expect([sent, counts(), calls]).toEqual([[1], { unsent: 2, errors: 0 }, 2])
})

test('a full outbox is sent without being asked', () => {
  const { push, sent } = outboxOn((datagrams) => datagrams.length)
  push(...Array.from({ length: LIMITS.udpBatch + 1 }, (_, i) => i + 1))
  expect(sent).toHaveLength(LIMITS.udpBatch + 1)
})
