/** The other thread of lock.test.ts. Word 0 starts it, word 1 is the lock, word 2 is guarded by it. */
import { Lock } from '../../../src/memory/lock.ts'

export type LockTask = {
  readonly memory: SharedArrayBuffer
  readonly thread: number
  readonly kind: 'count' | 'hold'
  readonly rounds: number
}

declare const self: Worker

self.onmessage = ({ data }: MessageEvent<LockTask>) => {
  const { memory, thread, kind, rounds } = data
  const words = new Int32Array(memory)
  const lock = new Lock(memory, 1, thread)
  if (kind === 'hold') {
    lock.acquire()
    self.postMessage('holding')
    // Until the word says that a thread sleeps; a minute at most.
    for (let look = 0; look < 60_000 && Atomics.load(words, 1) === thread; look++)
      Atomics.wait(words, 3, 0, 1)
    words[2] = 42
    lock.release()
    return
  }
  self.postMessage('ready')
  Atomics.wait(words, 0, 0, 60_000)
  for (let round = 0; round < rounds; round++) {
    lock.acquire()
    words[2]!++
    lock.release()
  }
  self.postMessage('done')
}
