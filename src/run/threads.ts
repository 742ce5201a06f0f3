/**
 * The serving threads of a process: starts them, notices when one dies, has what it left locked salvaged, and
 * starts another in its place. With one thread there is no worker at all.
 *
 * All of them open and close listeners together, in two steps. Between the two no thread is replaced, so that one
 * that dies comes back with what all the others have.
 */
import { MessageChannel } from 'node:worker_threads'
import type { AccessMemory } from '../access/access.ts'
import type { Log } from '../log/log.ts'
import type { LinkEnd } from '../relay/links.ts'
import { assertFree } from '../servers/free-port.ts'
import type { Garbage } from '../servers/garbage.ts'
import { hasWebPeers } from '../swarm/swarm.ts'
import { type Following, hasSocket, type Opening, schemeOf, withPort } from './open-listener.ts'
import { type Opened, type ServingThread, startThread, type ThreadSetup } from './thread.ts'
import { startWorker, ThreadGone } from './worker.ts'

/** Wait before a thread that died early is replaced; twice as long after each start that fails. */
const FIRST_WAIT_MILLISECONDS = 100
const LONGEST_WAIT_MILLISECONDS = 10_000
/** A thread that lived for this long is replaced at once. */
const LONG_LIFE_MILLISECONDS = 60_000

export type ThreadsOptions = {
  readonly count: number
  /** The setup of every thread, without its number. */
  readonly setup: Omit<ThreadSetup, 'thread' | 'threads'>
  readonly log: Log
  /** That of the calling thread, which may be the one that serves. */
  readonly garbage: Garbage
  /** Called when thread number `thread` no longer runs. It is replaced when this has resolved. */
  readonly onDeath: (thread: number) => Promise<void>
}

/** Listeners that are open on all threads, and not served for good yet. */
export type PreparedListeners = {
  /** With the ports that they got. */
  readonly opened: readonly Opening[]
  /** Bytes of the smallest receive buffer; Infinity: none is known. */
  readonly receiveBuffer: number
  /** `all`: every listener from here on; `retired`: ids of others, which `close` is called for later. */
  commit(
    all: readonly Opening[],
    following: readonly Following[],
    retired: readonly number[],
  ): Promise<void>
  abort(): Promise<void>
}

export class Threads {
  readonly #options: ThreadsOptions
  readonly #serving: ServingThread[] = []
  /** Starts under way; `stop` waits for them as well. */
  readonly #starting = new Set<Promise<void>>()
  /** What a thread that starts now is given. */
  #listeners: readonly Opening[]
  #access: AccessMemory | undefined
  #receiveBuffer = Infinity
  /** No thread is replaced before it resolves. */
  #changed: Promise<void> = Promise.resolve()
  /** Threads that died while they served. */
  deaths = 0
  #stopping = false

  private constructor(options: ThreadsOptions) {
    this.#options = options
    this.#listeners = options.setup.listeners
    this.#access = options.setup.access
  }

  /** Opens all listeners on all threads, or rejects with one line that names the cause. */
  static async start(options: ThreadsOptions): Promise<Threads> {
    const threads = new Threads(options)
    // One thread shares no ports, and finds out for itself.
    if (options.count > 1) await assertFreePorts(options.setup.listeners)
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

  /** With the ports that they got. */
  get listeners(): readonly Opening[] {
    return this.#listeners
  }

  /** Bytes of the smallest receive buffer at the start; Infinity: none is known. */
  get receiveBuffer(): number {
    return this.#receiveBuffer
  }

  /** The next request of each thread is served with these tables. */
  async follow(memory: AccessMemory | undefined): Promise<void> {
    this.#access = memory
    // A thread that is just being started may have been given the old ones.
    await Promise.allSettled(this.#starting)
    await this.#each((one) => one.commit({ access: { memory } }))
  }

  /** Opens more listeners on all threads, or rejects with one line that names the cause. */
  async prepare(listeners: readonly Opening[]): Promise<PreparedListeners> {
    const changed = Promise.withResolvers<void>()
    this.#changed = changed.promise
    const ids = listeners.map(({ id }) => id)
    try {
      await Promise.allSettled(this.#starting)
      // Before any is opened that clients of another would come to already, and lose their connections again.
      await assertFreePorts(listeners)
      const opened = await this.#openAll(listeners)
      return {
        ...opened,
        commit: async (all, following, retired) => {
          this.#listeners = all
          const committed = this.#each((one) => one.commit({ listeners: following, retired }))
          await committed.finally(changed.resolve)
        },
        abort: () => this.close(ids, 0).finally(changed.resolve),
      }
    } catch (error) {
      await this.close(ids, 0).finally(changed.resolve)
      throw error
    }
  }

  /** Stops listening and answers what was received; connections have `graceMilliseconds` to end. */
  async close(ids: readonly number[], graceMilliseconds: number): Promise<void> {
    await this.#each((one) => one.close(ids, graceMilliseconds))
  }

  /** The same with all listeners, for good. */
  async stop(graceMilliseconds: number): Promise<void> {
    this.#stopping = true
    await Promise.all(this.#serving.map((serving) => serving.stop(graceMilliseconds)))
    await Promise.allSettled(this.#starting)
  }

  async #openAll(listeners: readonly Opening[]) {
    let opened: readonly Opening[] = listeners
    let receiveBuffer = Infinity
    let isFirst = true
    // Without the places of threads that died.
    for (const one of this.#serving.filter(() => true)) {
      try {
        const result = await one.prepare(opened)
        // The first thread decides what port 0 means; the others open the same.
        if (isFirst) opened = withPorts(opened, result)
        receiveBuffer = Math.min(receiveBuffer, result.receiveBuffer)
        isFirst = false
      } catch (error) {
        if (!(error instanceof ThreadGone)) throw error
      }
    }
    if (isFirst && listeners.length > 0)
      throw new Error('no thread serves at the moment: they are being replaced')
    return { opened, receiveBuffer }
  }

  /** On each thread that lives; one that dies is replaced by one that has it all. */
  async #each(act: (one: ServingThread) => Promise<unknown>): Promise<void> {
    const acts = this.#serving.map((one) =>
      act(one).catch((error) => {
        if (!(error instanceof ThreadGone)) throw error
      }),
    )
    await Promise.all(acts)
  }

  #start(thread: number): Promise<void> {
    const starting = this.#open(thread).finally(() => this.#starting.delete(starting))
    this.#starting.add(starting)
    return starting
  }

  async #open(thread: number): Promise<void> {
    const { setup: all, count: threads, garbage, log } = this.#options
    const access = this.#access
    const setup = { ...all, access, listeners: this.#listeners, thread, threads }
    const born = performance.now()
    const serving =
      threads === 1
        ? await startThread(setup, garbage, log)
        : await startWorker(setup, log.history, (reason) => this.#died(thread, born, reason))
    // A stop that came meanwhile has not seen it.
    if (this.#stopping) return await serving.stop(0)
    this.#linkAll(thread, serving)
    this.#serving[thread - 1] = serving
    log.debug('TRACKER', 'serving thread {thread} has started', {
      thread,
      ms: Math.round(performance.now() - born),
    })
    this.#receiveBuffer = Math.min(this.#receiveBuffer, serving.opened.receiveBuffer)
    // The first thread decides what port 0 means; the others and its replacement open the same.
    this.#listeners = withPorts(this.#listeners, serving.opened)
  }

  /** Links a thread that is new with those that serve. */
  #linkAll(thread: number, serving: ServingThread): void {
    if (!hasWebPeers(this.#options.setup.swarm)) return
    const link = (one: ServingThread, end: LinkEnd) =>
      void one.link(end).catch((error) => {
        // One that dies meanwhile is linked again when it is replaced.
        if (error instanceof ThreadGone) return
        const reason = String(error)
        this.#options.log.error('TRACKER', 'threads are not linked: {reason}', { thread, reason })
      })
    for (const [i, other] of this.#serving.entries()) {
      if (other === undefined) continue
      const { port1, port2 } = new MessageChannel()
      const counts = new SharedArrayBuffer(8)
      link(serving, { thread: i + 1, port: port1, counts, isFirst: true })
      link(other, { thread, port: port2, counts, isFirst: false })
    }
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
    const salvaged = this.#salvage(thread)
    const lived = performance.now() - born
    this.#replace(thread, lived < LONG_LIFE_MILLISECONDS ? FIRST_WAIT_MILLISECONDS : 0, salvaged)
  }

  /** Never rejects: whatever happens, the thread must be replaced. */
  async #salvage(thread: number): Promise<void> {
    try {
      await this.#options.onDeath(thread)
    } catch (error) {
      const reason = String(error)
      this.#options.log.error('TRACKER', 'what thread {thread} left was not salvaged: {reason}', {
        thread,
        reason,
      })
    }
  }

  #replace(thread: number, wait: number, salvaged: Promise<void>): void {
    setTimeout(async () => {
      await salvaged
      await this.#changed
      if (this.#stopping) return
      try {
        await this.#start(thread)
        if (!this.#stopping)
          this.#options.log.info('TRACKER', 'serving thread {thread} is replaced', { thread })
      } catch (error) {
        // It may have served already, and died while it held a lock.
        const again = this.#salvage(thread)
        const reason = error instanceof Error ? error.message : String(error)
        this.#options.log.error('TRACKER', 'serving thread {thread} does not start: {reason}', {
          thread,
          reason,
        })
        this.#replace(thread, Math.min(Math.max(wait, 1) * 2, LONGEST_WAIT_MILLISECONDS), again)
      }
    }, wait)
  }
}

/** Threads share ports with any process that asks to share, also with a tracker that runs already. */
async function assertFreePorts(listeners: readonly Opening[]): Promise<void> {
  const alone = listeners.filter((one) => !one.sharesPort && hasSocket(one))
  await assertFree(alone.map((one) => ({ ...one.listener, scheme: schemeOf(one) })))
}

const withPorts = (listeners: readonly Opening[], { ports }: Opened): readonly Opening[] =>
  listeners.map((one, i) => withPort(one, ports[i]!))
