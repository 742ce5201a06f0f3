/**
 * The serving threads of a process: starts them, notices when one dies, has what it left locked salvaged, and
 * starts another in its place. With one thread there is no worker at all.
 */
import type { LogHistory } from '../log/history.ts'
import type { Log } from '../log/log.ts'
import { assertFree } from '../servers/free-port.ts'
import type { Garbage } from '../servers/garbage.ts'
import {
  type Counted,
  type FromThread,
  type Opened,
  type ServingThread,
  startThread,
  THREAD_URL,
  type ThreadSetup,
  type ToThread,
} from './thread.ts'

/** Wait before a thread that died early is replaced; twice as long after each start that fails. */
const FIRST_WAIT_MILLISECONDS = 100
const LONGEST_WAIT_MILLISECONDS = 10_000
/** A thread that lived for this long is replaced at once. */
const LONG_LIFE_MILLISECONDS = 60_000

type ThreadsOptions = {
  readonly count: number
  /** The setup of every thread, without its number. */
  readonly setup: Omit<ThreadSetup, 'thread' | 'threads'>
  readonly log: Log
  /** That of the calling thread, which may be the one that serves. */
  readonly garbage: Garbage
  /** Called when thread number `thread` no longer runs, before it is replaced. */
  readonly onDeath: (thread: number) => void
}

export class Threads {
  readonly #options: ThreadsOptions
  readonly #serving: ServingThread[] = []
  /** Starts under way; `stop` waits for them as well. */
  readonly #starting = new Set<Promise<void>>()
  #opened: Opened | undefined
  /** Threads that died while they served. */
  deaths = 0
  #stopping = false

  private constructor(options: ThreadsOptions) {
    this.#options = options
  }

  /** Opens all listeners on all threads, or rejects with one line that names the cause. */
  static async start(options: ThreadsOptions): Promise<Threads> {
    const threads = new Threads(options)
    const { udp, http } = options.setup
    const listeners = <L>(all: readonly Counted<L>[]) => all.map(({ listener }) => listener)
    // Threads share ports with any process that asks to share, also with a tracker that runs already.
    if (options.count > 1) await assertFree(listeners(udp), listeners(http))
    try {
      await threads.#start(1)
      const others = Array.from({ length: options.count - 1 }, (_, i) => threads.#start(i + 2))
      await Promise.all(others)
    } catch (error) {
      await threads.stop(0)
      throw error
    }
    return threads
  }

  /** What the first thread opened. */
  get opened(): Opened {
    return this.#opened!
  }

  /** Stops listening everywhere; connections have `graceMilliseconds` to end. */
  async stop(graceMilliseconds: number): Promise<void> {
    this.#stopping = true
    await Promise.all(this.#serving.map((serving) => serving.stop(graceMilliseconds)))
    await Promise.allSettled(this.#starting)
  }

  #start(thread: number): Promise<void> {
    const starting = this.#open(thread).finally(() => this.#starting.delete(starting))
    this.#starting.add(starting)
    return starting
  }

  async #open(thread: number): Promise<void> {
    const { setup: all, count: threads, garbage, log } = this.#options
    const { udp, http } = this.#opened ?? all
    const setup = { ...all, udp, http, thread, threads }
    const born = performance.now()
    const serving =
      threads === 1
        ? await startThread(setup, garbage, log)
        : await startWorker(setup, log.history, (reason) => this.#died(thread, born, reason))
    // A stop that came meanwhile has not seen it.
    if (this.#stopping) return await serving.stop(0)
    this.#serving[thread - 1] = serving
    log.debug('TRACKER', 'serving thread {thread} has started', {
      thread,
      ms: Math.round(performance.now() - born),
    })
    // The first thread decides what port 0 means; the others and its replacement open the same.
    this.#opened ??= serving.opened
  }

  #died(thread: number, born: number, reason: string): void {
    delete this.#serving[thread - 1]
    if (this.#stopping) return
    this.deaths++
    const { log } = this.#options
    log.error('TRACKER', 'serving thread {thread} died, starting another: {reason}', {
      thread,
      reason,
    })
    this.#salvage(thread)
    const lived = performance.now() - born
    this.#replace(thread, lived < LONG_LIFE_MILLISECONDS ? FIRST_WAIT_MILLISECONDS : 0)
  }

  /** Never throws: whatever happens, the thread must be replaced. */
  #salvage(thread: number): void {
    try {
      this.#options.onDeath(thread)
    } catch (error) {
      const reason = String(error)
      this.#options.log.error('TRACKER', 'what thread {thread} left was not salvaged: {reason}', {
        thread,
        reason,
      })
    }
  }

  #replace(thread: number, wait: number): void {
    setTimeout(async () => {
      if (this.#stopping) return
      try {
        await this.#start(thread)
        if (!this.#stopping)
          this.#options.log.info('TRACKER', 'serving thread {thread} is replaced', { thread })
      } catch (error) {
        // It may have served already, and died while it held a lock.
        this.#salvage(thread)
        const reason = error instanceof Error ? error.message : String(error)
        this.#options.log.error('TRACKER', 'serving thread {thread} does not start: {reason}', {
          thread,
          reason,
        })
        this.#replace(thread, Math.min(Math.max(wait, 1) * 2, LONGEST_WAIT_MILLISECONDS))
      }
    }, wait)
  }
}

/** Starts a worker, whose lines of the log go to `history` as well. `died` is called once if it ends before it was stopped. */
async function startWorker(
  setup: ThreadSetup,
  history: LogHistory,
  died: (reason: string) => void,
): Promise<ServingThread> {
  const worker = new Worker(THREAD_URL)
  const started = Promise.withResolvers<Opened>()
  const stopped = Promise.withResolvers<void>()
  let phase: 'starting' | 'serving' | 'stopping' = 'starting'
  let reason = 'it ended'
  const send = (message: ToThread) => worker.postMessage(message)
  worker.addEventListener('message', ({ data }: MessageEvent<FromThread>) => {
    if (data.kind === 'started') started.resolve(data.opened)
    else if (data.kind === 'failed') started.reject(new Error(data.reason))
    else if (data.kind === 'logged') history.add(data.event)
    else stopped.resolve()
  })
  worker.addEventListener('error', (event) => {
    event.preventDefault()
    reason = event.message
  })
  worker.addEventListener('close', () => {
    const before = phase
    phase = 'stopping'
    stopped.resolve()
    started.reject(new Error(`a serving thread died while it started: ${reason}`))
    if (before === 'serving') died(reason)
  })
  send({ kind: 'start', setup })
  try {
    const opened = await started.promise
    phase = 'serving'
    return {
      opened,
      stop: async (graceMilliseconds) => {
        phase = 'stopping'
        send({ kind: 'stop', graceMilliseconds })
        await stopped.promise
        worker.terminate()
      },
    }
  } catch (error) {
    worker.terminate()
    throw error
  }
}
