import { expect, test } from 'bun:test'
import { LIMITS } from '../../src/limits.ts'
import { Outbox } from '../../src/servers/outbox.ts'

/** An outbox on a socket that behaves as `send` says; what reached the kernel, by port. */
function outboxOn(send: (ports: number[]) => number) {
  const counts = { unsent: 0, errors: 0 }
  const sent: number[] = []
  const outbox = new Outbox(64, {
    unsent: (count) => {
      counts.unsent += count
    },
    socketError: () => {
      counts.errors++
    },
  })
  outbox.attach({
    sendMany(packets) {
      const ports = packets.filter((_, i) => i % 3 === 1) as number[]
      const count = send(ports)
      sent.push(...ports.slice(0, count))
      return count
    },
  })
  const push = (...ports: number[]) => {
    for (const port of ports) {
      outbox.begin()
      outbox.push(16, port, '192.0.2.1')
    }
    outbox.flush()
  }
  return { push, sent, counts }
}

test('answers leave together and in order', () => {
  const { push, sent, counts } = outboxOn((ports) => ports.length)
  push(1, 2, 3)
  expect([sent, counts]).toEqual([[1, 2, 3], { unsent: 0, errors: 0 }])
})

test('an old error of the kernel costs no answer', () => {
  let pending = true
  const { push, sent, counts } = outboxOn((ports) => {
    if (!pending) return ports.length
    pending = false
    throw new Error('ECONNREFUSED')
  })
  push(1, 2, 3)
  expect([sent, counts]).toEqual([[1, 2, 3], { unsent: 0, errors: 1 }])
})

test('an address that cannot be reached costs its own answer and nobody elses', () => {
  const unreachable = new Set([1, 4, 5, 7])
  const { push, sent, counts } = outboxOn((ports) => {
    const stop = ports.findIndex((port) => unreachable.has(port))
    if (stop === 0) throw new Error('EHOSTUNREACH')
    return stop < 0 ? ports.length : stop
  })
  push(1, 2, 3, 4, 5, 6, 7)
  expect([sent, counts]).toEqual([[2, 3, 6], { unsent: 4, errors: 8 }])
})

test('a full buffer of the kernel is final', () => {
  let calls = 0
  const { push, sent, counts } = outboxOn(() => (calls++ === 0 ? 1 : 0))
  push(1, 2, 3)
  expect([sent, counts, calls]).toEqual([[1], { unsent: 2, errors: 0 }, 2])
})

test('a full outbox is sent without being asked', () => {
  const { push, sent } = outboxOn((ports) => ports.length)
  push(...Array.from({ length: LIMITS.udpBatch + 1 }, (_, i) => i + 1))
  expect(sent).toHaveLength(LIMITS.udpBatch + 1)
})
