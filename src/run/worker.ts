/** A serving thread in a worker, as the control thread sees it. */
import type { MessagePort } from 'node:worker_threads'
import type { LogHistory } from '../log/history.ts'
import {
  type FromThread,
  type Opened,
  type Order,
  type ServingThread,
  THREAD_URL,
  type ThreadSetup,
  type ToThread,
} from './thread.ts'

/** The thread ended before it could answer. */
export class ThreadGone extends Error {}

/**
 * Starts a worker, whose lines of the log go to `history` as well. `died` is called once if it ends before it was
 * stopped. Rejects with one line that names the cause.
 */
export async function startWorker(
  setup: ThreadSetup,
  history: LogHistory,
  died: (reason: string) => void,
): Promise<ServingThread & { readonly opened: Opened }> {
  const worker = new Worker(THREAD_URL)
  const calls = new Map<number, PromiseWithResolvers<Opened | undefined>>()
  let made = 0
  let phase: 'starting' | 'serving' | 'stopping' | 'gone' = 'starting'
  let reason = 'it ended'
  const gone = () => new ThreadGone(`a serving thread died while it started: ${reason}`)
  const ask = (order: Order, moved: MessagePort[] = []): Promise<Opened | undefined> => {
    if (phase === 'gone') return Promise.reject(gone())
    const answer = Promise.withResolvers<Opened | undefined>()
    calls.set(++made, answer)
    const message: ToThread = { ...order, call: made }
    worker.postMessage(message, moved)
    return answer.promise
  }
  worker.addEventListener('message', ({ data }: MessageEvent<FromThread>) => {
    if (data.kind === 'logged') return history.add(data.event)
    const answer = calls.get(data.call)
    calls.delete(data.call)
    if (data.kind === 'done') answer?.resolve(data.opened)
    else answer?.reject(new Error(data.reason))
  })
  worker.addEventListener('error', (event) => {
    event.preventDefault()
    reason = event.message
  })
  worker.addEventListener('close', () => {
    const before = phase
    phase = 'gone'
    for (const { reject } of calls.values()) reject(gone())
    calls.clear()
    if (before === 'serving') died(reason)
  })
  try {
    const opened = (await ask({ kind: 'start', setup }))!
    phase = 'serving'
    return {
      opened,
      prepare: async (listeners) => (await ask({ kind: 'prepare', listeners }))!,
      commit: async (change) => void (await ask({ kind: 'commit', change })),
      link: async (end) => void (await ask({ kind: 'link', end }, [end.port])),
      close: async (ids, graceMilliseconds) =>
        void (await ask({ kind: 'close', ids, graceMilliseconds })),
      stop: async (graceMilliseconds) => {
        if (phase === 'serving') phase = 'stopping'
        // One that is gone has stopped, too.
        await ask({ kind: 'stop', graceMilliseconds }).catch(() => undefined)
        worker.terminate()
      },
    }
  } catch (error) {
    worker.terminate()
    throw error
  }
}
