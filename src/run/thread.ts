/**
 * A serving thread: attaches to the shared memory and opens every listener of the trackers. The file is the entry
 * of a worker; with one thread the main thread calls `startThread` itself and there is no worker.
 */
import { type MessagePort, parentPort } from 'node:worker_threads'
import { Access, type AccessMemory } from '../access/access.ts'
import { Bans } from '../access/bans.ts'
import { type AccountingMemory, Limits } from '../accounting/limits.ts'
import { RingWriter } from '../accounting/ring.ts'
import { type LogEvent, LogHistory } from '../log/history.ts'
import { LimitedLines } from '../log/limited-lines.ts'
import { Log, type LogOptions } from '../log/log.ts'
import { Board } from '../memory/board.ts'
import { type ListenerCounters, THREAD_AT, ThreadCounters } from '../memory/counters.ts'
import { drawSeed, type Seed } from '../memory/hash.ts'
import type { LinkEnd } from '../relay/links.ts'
import { Relay } from '../relay/relay.ts'
import { Rules } from '../rules.ts'
import { Garbage } from '../servers/garbage.ts'
import { threadId } from '../servers/libc.ts'
import { countOpen } from '../servers/websocket.ts'
import { hasWebPeers, Swarm, type SwarmMemory } from '../swarm/swarm.ts'
import { systemClock } from '../time/clock.ts'
import { type AfterAnnounce, type AfterLeave, Tracker } from '../tracker.ts'
import { printIp } from '../wire/address.ts'
import {
  type Following,
  forgetPredecessor,
  type Opening,
  type OpenListener,
  openListener,
} from './open-listener.ts'
import { startPulse } from './pulse.ts'

/** This file, for `new Worker`: in the compiled binary its name is relative to the entry. */
export const THREAD_URL: string = new URL(
  import.meta.url.endsWith('/run/thread.ts') ? './thread.ts' : './run/thread.ts',
  import.meta.url,
).href

/** All that a thread needs to start; survives `postMessage`. The buffers are the same for every thread. */
export type ThreadSetup = {
  /** From 1; identifies the holder of a lock and the rows of counters. The control thread is the last. */
  readonly thread: number
  readonly threads: number
  readonly swarm: SwarmMemory
  /** See rules.ts. */
  readonly rules: SharedArrayBuffer
  /** Keys and whitelist; undefined: an open tracker. */
  readonly access: AccessMemory | undefined
  /** undefined: nothing is accounted. */
  readonly accounting?: AccountingMemory | undefined
  /** See `ThreadCounters`. */
  readonly counters: SharedArrayBuffer
  readonly bans: { readonly memory: SharedArrayBuffer; readonly seed: Seed }
  /** Key of the UDP connection ids. */
  readonly secret: Uint8Array
  readonly logging: LogOptions
  /** The page for people: see memory/board.ts. */
  readonly page: SharedArrayBuffer
  /** Connections that the limit of open files leaves for WebSockets. */
  readonly mostConnections: number
  readonly listeners: readonly Opening[]
}

export type Opened = {
  /** That the listeners got, in their order. */
  readonly ports: readonly number[]
  /** Bytes of the smallest receive buffer of a UDP socket; Infinity: none is known. */
  readonly receiveBuffer: number
}

/** What a thread follows from one request to the next; absent: no change. */
export type Change = {
  readonly access?: { readonly memory: AccessMemory | undefined }
  readonly listeners?: readonly Following[]
  /** Ids of listeners that will be closed. */
  readonly retired?: readonly number[]
}

export interface ServingThread {
  /** Opens more listeners: all of them or none. Rejects with one line that names the cause. */
  prepare(listeners: readonly Opening[]): Promise<Opened>
  commit(change: Change): Promise<void>
  /** Offers and answers may go to another thread, and come from there. */
  link(end: LinkEnd): Promise<void>
  /** Stops listening and answers what was received; resolves once every connection is closed. */
  close(ids: readonly number[], graceMilliseconds: number): Promise<void>
  /** The same with all listeners. */
  stop(graceMilliseconds: number): Promise<void>
}

/** What a worker is told to do. */
export type Order =
  | { readonly kind: 'start'; readonly setup: ThreadSetup }
  | { readonly kind: 'prepare'; readonly listeners: readonly Opening[] }
  | { readonly kind: 'commit'; readonly change: Change }
  | { readonly kind: 'link'; readonly end: LinkEnd }
  | { readonly kind: 'close'; readonly ids: readonly number[]; readonly graceMilliseconds: number }
  | { readonly kind: 'stop'; readonly graceMilliseconds: number }

/** Messages to and from a worker, which answers each. */
export type ToThread = Order & { readonly call: number }
export type FromThread =
  | { readonly kind: 'done'; readonly call: number; readonly opened: Opened | undefined }
  | { readonly kind: 'failed'; readonly call: number; readonly reason: string }
  /** A line of the log that the thread has printed. */
  | { readonly kind: 'logged'; readonly event: LogEvent }

type Started = ServingThread & { readonly opened: Opened }

/** Opens everything or nothing. Rejects with one line that names the cause. `garbage` and `log`: of this thread. */
export async function startThread(
  setup: ThreadSetup,
  garbage: Garbage,
  log: Log,
): Promise<Started> {
  const { thread, threads, secret } = setup
  const counts = new ThreadCounters(threads + 1, setup.counters).row(thread - 1)
  counts[THREAD_AT.id] = threadId()
  using starting = new DisposableStack()
  const pulse = starting.use(startPulse(counts))
  const swarm = new Swarm(setup.swarm, thread, drawSeed()[0]!, { alone: threads === 1, counts })
  const accessOf = (memory: AccessMemory | undefined) => memory && new Access(memory, threads === 1)
  const rules = new Rules(setup.rules)
  const bans = new Bans(rules, setup.bans.seed, setup.bans.memory)
  const access = accessOf(setup.access)
  const accounting = setup.accounting && accountingOf(setup.accounting, thread, threads === 1)
  const tracker = new Tracker({ swarm, rules, clock: systemClock, bans, access, ...accounting })
  logBans(bans, rules, log)
  const page = new Board(setup.page)
  const relay = hasWebPeers(setup.swarm)
    ? new Relay(thread, counts, systemClock, (bytes) => garbage.kept(bytes))
    : undefined
  const open = new Map<number, OpenListener>()
  const hasRoom = () => countWebSockets(open.values()) < setup.mostConnections
  const parts = { thread, threads, secret, tracker, relay, hasRoom, page, garbage, log }

  const prepare = async (listeners: readonly Opening[]): Promise<Opened> => {
    const opened: OpenListener[] = []
    const named = (id: number) =>
      open.get(id) ?? opened[listeners.findIndex((one) => one.id === id)]
    try {
      for (const listener of listeners) opened.push(await openListener(listener, named, parts))
    } catch (error) {
      await Promise.all(opened.map((one) => one.stop(0)))
      throw error
    }
    for (const [i, one] of opened.entries()) open.set(listeners[i]!.id, one)
    const receiveBuffer = Math.min(...opened.map((one) => one.receiveBuffer))
    return { ports: opened.map(({ port }) => port), receiveBuffer }
  }
  const close = async (ids: Iterable<number>, graceMilliseconds: number): Promise<void> => {
    const closing = Array.from(ids, (id) => open.get(id))
    for (const id of ids) open.delete(id)
    await Promise.all(closing.map((one) => one?.stop(graceMilliseconds)))
  }
  for (const listener of setup.listeners) forgetPredecessor(listener, parts)
  const opened = await prepare(setup.listeners)
  starting.move()
  return {
    opened,
    prepare,
    commit: async (change) => {
      if (change.access !== undefined) tracker.access = accessOf(change.access.memory)
      for (const { id, listener } of change.listeners ?? []) open.get(id)?.follow(listener)
      for (const id of change.retired ?? []) open.get(id)?.retire()
    },
    link: async (end) => relay?.link(end),
    close,
    stop: async (graceMilliseconds) => {
      pulse[Symbol.dispose]()
      await close([...open.keys()], graceMilliseconds)
      relay?.close()
      const count = (of: 'contended' | 'slept') =>
        swarm.shards.reduce((sum, { lock }) => sum + lock[of], 0)
      const waits = { found_taken: count('contended'), slept: count('slept') }
      log.debug('TRACKER', 'locks of the swarm', { thread, ...waits })
    },
  }
}

/** What a tracker on thread number `thread` does for accounting. */
function accountingOf(
  memory: AccountingMemory,
  thread: number,
  alone: boolean,
): {
  readonly limits: Limits | undefined
  readonly afterAnnounce: AfterAnnounce
  readonly afterLeave: AfterLeave
} {
  const ring = new RingWriter(memory.rings[thread - 1]!, memory.seed)
  return {
    limits: memory.level === 'users' ? Limits.over(memory, alone) : undefined,
    afterAnnounce: ({ account }, announce, answer, now) =>
      ring.append(account, announce, answer, now),
    afterLeave: (account, peer, answer, now) => ring.appendGone(account, peer, answer, now),
  }
}

/** Those that are open on all threads. A listener that takes over from another counts where that one does. */
function countWebSockets(listeners: Iterable<OpenListener>): number {
  const counters = new Map<SharedArrayBuffer, ListenerCounters>()
  for (const { webSockets: one } of listeners) if (one !== undefined) counters.set(one.memory, one)
  return counters.values().reduce((sum, one) => sum + countOpen(one), 0)
}

function logBans(bans: Bans, rules: Rules, log: Log): void {
  const target = 'UDP TRACKER'
  const lines = new LimitedLines(log, { level: 'debug', target, lines: 10, milliseconds: 1_000 })
  bans.onLimit = ({ bytes, family }) =>
    lines.say('an address shows too many wrong connection ids', () => ({
      client: printIp(bytes, family),
      limit: rules.banLimit,
      id_errors: rules.idErrors,
    }))
}

/** The life of a worker: it does what messages say. */
function obey(control: MessagePort): void {
  let serving: Started | undefined
  const answer = (message: FromThread) => control.postMessage(message)
  const logOf = ({ logging }: ThreadSetup): Log => {
    const passing = new LogHistory(0, 0)
    passing.follow((event) => answer({ kind: 'logged', event }))
    return new Log(logging, systemClock.milliseconds, undefined, passing)
  }
  const act = async (message: Order): Promise<Opened | undefined> => {
    switch (message.kind) {
      case 'start':
        serving = await startThread(message.setup, new Garbage(), logOf(message.setup))
        return serving.opened
      case 'prepare':
        return serving?.prepare(message.listeners)
      case 'commit':
        await serving?.commit(message.change)
        return undefined
      case 'link':
        await serving?.link(message.end)
        return undefined
      case 'close':
        await serving?.close(message.ids, message.graceMilliseconds)
        return undefined
      case 'stop':
        await serving?.stop(message.graceMilliseconds)
        return undefined
    }
  }
  control.on('message', async (message: ToThread) => {
    const { call } = message
    try {
      answer({ call, kind: 'done', opened: await act(message) })
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error)
      answer({ call, kind: 'failed', reason })
    }
  })
}

if (parentPort !== null) obey(parentPort)
