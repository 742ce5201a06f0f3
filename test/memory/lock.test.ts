/** The mutex: alone, against other threads, and after a death. */
import { afterEach, describe, expect, mock, spyOn, test } from 'bun:test'
import { Lock } from '../../src/memory/lock.ts'
import type { LockTask } from '../support/memory/lock-worker.ts'

const CONTENDED = 0x4000_0000

function make() {
  const memory = new SharedArrayBuffer(16)
  const words = new Int32Array(memory)
  return { memory, words, mine: new Lock(memory, 1, 1), other: new Lock(memory, 1, 2) }
}

/** A thread that does `task`; `said` holds its messages in order. */
function start(task: LockTask) {
  const worker = new Worker(new URL('../support/memory/lock-worker.ts', import.meta.url).href)
  const said: string[] = []
  const waiting: (() => void)[] = []
  worker.onmessage = ({ data }) => {
    said.push(String(data))
    waiting.shift()?.()
  }
  worker.postMessage(task)
  const next = async (): Promise<string | undefined> => {
    if (said.length === 0) await new Promise<void>((resolve) => waiting.push(resolve))
    return said.shift()
  }
  return { next, [Symbol.dispose]: () => worker.terminate() }
}

describe('one thread', () => {
  test('takes a free lock and gives it back', () => {
    const { mine, other, words } = make()
    expect(mine.holder()).toBe(0)
    mine.acquire()
    expect([mine.holder(), other.holder()]).toEqual([1, 1])
    mine.release()
    expect(other.tryAcquire()).toBe(true)
    expect(mine.holder()).toBe(2)
    other.release()
    expect([...words]).toEqual([0, 0, 0, 0])
    expect([mine.contended, other.contended]).toEqual([0, 0])
  })

  test('gives up when another holds it, without a sleep', () => {
    using wait = spyOn(Atomics, 'wait')
    const { mine, other } = make()
    other.acquire()
    expect(mine.tryAcquire()).toBe(false)
    expect(mine.holder()).toBe(2)
    other.release()
    expect(mine.tryAcquire()).toBe(true)
    expect(wait).not.toHaveBeenCalled()
    expect([mine.contended, mine.slept]).toEqual([1, 0])
  })
})

describe('a sleeper', () => {
  /** Never really sleeps: the test decides what `Atomics.wait` returns. */
  const system = () => ({ wait: spyOn(Atomics, 'wait'), notify: spyOn(Atomics, 'notify') })
  afterEach(() => mock.restore())

  test('is woken when the lock is released, and wakes the next when it gives it back', () => {
    const { wait, notify } = system()
    const { mine, other, words } = make()
    notify.mockReturnValue(0)
    other.acquire()
    // Woken in vain at first.
    wait.mockReturnValueOnce('ok').mockReturnValueOnce('timed-out')
    wait.mockImplementationOnce(() => {
      expect([words[1], notify.mock.calls]).toEqual([2 | CONTENDED, []])
      other.release()
      expect(notify.mock.lastCall?.slice(1)).toEqual([1, 1])
      return 'ok'
    })
    mine.acquire()
    expect(wait).toHaveBeenCalledTimes(3)
    expect(mine.holder()).toBe(1)
    expect([mine.contended, mine.slept]).toEqual([1, 1])
    notify.mockClear()
    mine.release()
    expect(notify).toHaveBeenCalledTimes(1)
  })

  test('is the only one that is woken', () => {
    const { notify } = system()
    const { mine } = make()
    mine.acquire()
    mine.release()
    expect(notify).not.toHaveBeenCalled()
  })
})

describe('the lock of a dead thread', () => {
  test('is seized from that thread and from no other', () => {
    const { mine, other } = make()
    expect(mine.seize(2)).toBe(false)
    expect(mine.holder()).toBe(0)
    other.acquire()
    expect(mine.seize(3)).toBe(false)
    expect(mine.holder()).toBe(2)
    expect(mine.seize(2)).toBe(true)
    expect(mine.holder()).toBe(1)
  })

  test('keeps its sleepers', () => {
    const { mine, other, words } = make()
    other.acquire()
    words[1]! |= CONTENDED
    expect(mine.seize(2)).toBe(true)
    expect(words[1]).toBe(1 | CONTENDED)
  })
})

describe('several threads', () => {
  test('are never inside together', async () => {
    const { memory, words, mine } = make()
    const rounds = 300_000
    using one = start({ memory, thread: 2, kind: 'count', rounds })
    using two = start({ memory, thread: 3, kind: 'count', rounds })
    expect([await one.next(), await two.next()]).toEqual(['ready', 'ready'])
    Atomics.store(words, 0, 1)
    Atomics.notify(words, 0)
    for (let round = 0; round < rounds; round++) {
      mine.acquire()
      words[2]!++
      mine.release()
    }
    expect([await one.next(), await two.next()]).toEqual(['done', 'done'])
    expect([words[2], mine.holder()]).toEqual([3 * rounds, 0])
  })

  test('wait until the holder is through, however long that takes', async () => {
    const { memory, words, mine } = make()
    using holder = start({ memory, thread: 2, kind: 'hold', rounds: 0 })
    expect(await holder.next()).toBe('holding')
    expect(mine.tryAcquire()).toBe(false)
    // The holder releases the lock only when it sees that a thread sleeps.
    mine.acquire()
    expect([mine.holder(), words[2]]).toEqual([1, 42])
    mine.release()
  })

  test('go on when the lock of a dead one is seized and given back', async () => {
    const { memory, words, mine, other } = make()
    other.acquire()
    using waiting = start({ memory, thread: 3, kind: 'count', rounds: 1 })
    expect(await waiting.next()).toBe('ready')
    Atomics.store(words, 0, 1)
    Atomics.notify(words, 0)
    expect(mine.seize(2)).toBe(true)
    mine.release()
    expect(await waiting.next()).toBe('done')
    expect(words[2]).toBe(1)
  })
})
