/**
 * A serving thread: attaches to the shared memory and opens every UDP and HTTP listener. The file is the entry
 * of a worker; with one thread the main thread calls `startThread` itself and there is no worker.
 */
import { type MessagePort, parentPort } from 'node:worker_threads'
import { Access, type AccessMemory } from '../access/access.ts'
import { Bans } from '../access/bans.ts'
import type { HttpTrackerConfig, NetworkConfig, UdpTrackerConfig } from '../config/model.ts'
import { type LogEvent, LogHistory } from '../log/history.ts'
import { LimitedLines } from '../log/limited-lines.ts'
import { Log, type LogOptions } from '../log/log.ts'
import type { Report } from '../log/report.ts'
import { ListenerCounters, THREAD_AT, ThreadCounters } from '../memory/counters.ts'
import { drawSeed, type Seed } from '../memory/hash.ts'
import { Rules } from '../rules.ts'
import { ConnectionIds } from '../servers/connection-id.ts'
import type { Descriptors } from '../servers/direct-socket.ts'
import { Garbage } from '../servers/garbage.ts'
import { serveHttp } from '../servers/http.ts'
import { threadId } from '../servers/libc.ts'
import { RequestLog } from '../servers/request-log.ts'
import { serveUdp } from '../servers/udp.ts'
import { Swarm, type SwarmMemory } from '../swarm/swarm.ts'
import { systemClock } from '../time/clock.ts'
import { type ListenerRules, Tracker } from '../tracker.ts'
import { parseIp, printAddress, printIp } from '../wire/address.ts'
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
  /** See `ThreadCounters`. */
  readonly counters: SharedArrayBuffer
  readonly bans: { readonly memory: SharedArrayBuffer; readonly seed: Seed }
  /** By thread, then by UDP listener; see servers/direct-socket.ts. */
  readonly descriptors: readonly (readonly (Descriptors | undefined)[])[]
  /** Key of the UDP connection ids. */
  readonly secret: Uint8Array
  readonly logging: LogOptions
} & Listeners

/** A listener with its `ListenerCounters`. */
export type Counted<L> = { readonly listener: L; readonly counters: SharedArrayBuffer }

export type Listeners = {
  readonly udp: readonly Counted<UdpTrackerConfig>[]
  readonly http: readonly Counted<HttpTrackerConfig>[]
}

/** The listeners with the ports that they got. */
export type Opened = Listeners & {
  /** Bytes of the smallest receive buffer of a UDP socket; Infinity: none is known. */
  readonly receiveBuffer: number
}

export type ServingThread = {
  readonly opened: Opened
  /** Stops listening and answers what was received; resolves once every connection is closed. */
  stop(graceMilliseconds: number): Promise<void>
}

/** Messages to and from a worker. */
export type ToThread =
  | { readonly kind: 'start'; readonly setup: ThreadSetup }
  | { readonly kind: 'stop'; readonly graceMilliseconds: number }
export type FromThread =
  | { readonly kind: 'started'; readonly opened: Opened }
  | { readonly kind: 'failed'; readonly reason: string }
  | { readonly kind: 'stopped' }
  /** A line of the log that the thread has printed. */
  | { readonly kind: 'logged'; readonly event: LogEvent }

/** Opens everything or nothing. Rejects with one line that names the cause. `garbage` and `log`: of this thread. */
export async function startThread(
  setup: ThreadSetup,
  garbage: Garbage,
  log: Log,
): Promise<ServingThread> {
  const { thread, threads } = setup
  const counts = new ThreadCounters(threads + 1, setup.counters).row(thread - 1)
  counts[THREAD_AT.id] = threadId()
  const pulse = startPulse(counts)
  const swarm = new Swarm(setup.swarm, thread, drawSeed()[0]!, { alone: threads === 1, counts })
  const access = setup.access && new Access(setup.access, threads === 1)
  const rules = new Rules(setup.rules)
  const bans = new Bans(rules, setup.bans.seed, setup.bans.memory)
  const tracker = new Tracker({ swarm, rules, clock: systemClock, bans, access })
  const rowOf = (memory: SharedArrayBuffer) => new ListenerCounters(threads, memory).row(thread - 1)
  const reusePort = threads > 1
  const requestLog = (target: string, { bind_address }: UdpTrackerConfig | HttpTrackerConfig) =>
    new RequestLog(log, target, { listener: printAddress(bind_address), thread })
  logBans(bans, rules, log)
  const stops: ((graceMilliseconds: number) => Promise<void> | void)[] = []
  const udp: Counted<UdpTrackerConfig>[] = []
  const http: Counted<HttpTrackerConfig>[] = []
  let receiveBuffer = Infinity
  try {
    for (const [index, { listener, counters }] of setup.udp.entries()) {
      const server = await serveUdp({
        ip: listener.bind_address.ip,
        port: listener.bind_address.port,
        ipv6Only: listener.network.ipv6_v6only,
        reusePort,
        tracker,
        listenerRules: listenerRules(listener.network),
        connectionIds: new ConnectionIds(setup.secret, listener.cookie_lifetime),
        counters: rowOf(counters),
        clock: systemClock,
        garbage,
        descriptors: setup.descriptors[thread - 1]?.[index],
        report: reportTo(log, 'UDP TRACKER'),
        log: requestLog('UDP TRACKER', listener),
      })
      stops.push(() => server.stop())
      udp.push({ listener: withPort(listener, server.port), counters })
      receiveBuffer = Math.min(receiveBuffer, server.receiveBuffer ?? Infinity)
    }
    for (const { listener, counters } of setup.http) {
      const server = await serveHttp({
        listener,
        listenerRules: listenerRules(listener.network),
        tracker,
        counters: rowOf(counters),
        reusePort,
        garbage,
        report: reportTo(log, 'HTTP TRACKER'),
        log: requestLog('HTTP TRACKER', listener),
      })
      stops.push((graceMilliseconds) => server.stop(graceMilliseconds))
      http.push({ listener: withPort(listener, server.address.port), counters })
    }
  } catch (error) {
    pulse[Symbol.dispose]()
    await Promise.all(stops.map((stop) => stop(0)))
    throw error
  }
  return {
    opened: { udp, http, receiveBuffer },
    stop: async (graceMilliseconds) => {
      pulse[Symbol.dispose]()
      await Promise.all(stops.map((stop) => stop(graceMilliseconds)))
      const count = (of: 'contended' | 'slept') =>
        swarm.shards.reduce((sum, { lock }) => sum + lock[of], 0)
      const waits = { found_taken: count('contended'), slept: count('slept') }
      log.debug('TRACKER', 'locks of the swarm', { thread: setup.thread, ...waits })
    },
  }
}

const withPort = <L extends UdpTrackerConfig | HttpTrackerConfig>(
  listener: L,
  port: number,
): L => ({
  ...listener,
  bind_address: { ...listener.bind_address, port },
})

export function listenerRules({ external_ip }: NetworkConfig): ListenerRules {
  const bytes = external_ip === null ? undefined : parseIp(external_ip)
  return { externalIp: bytes && { family: bytes.length === 4 ? 4 : 6, bytes } }
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

const reportTo =
  (log: Log, target: string): Report =>
  (what, error) => {
    const text = error instanceof Error ? (error.stack ?? error.message) : String(error)
    log.error(target, `internal error: {what}: ${text}`, { what })
  }

/** The life of a worker: it starts and stops when a message says so. */
function obey(control: MessagePort): void {
  let serving: ServingThread | undefined
  const answer = (message: FromThread) => control.postMessage(message)
  control.on('message', async (message: ToThread) => {
    if (message.kind === 'stop') {
      await serving?.stop(message.graceMilliseconds)
      answer({ kind: 'stopped' })
      return
    }
    try {
      const passing = new LogHistory(0, 0)
      passing.follow((event) => answer({ kind: 'logged', event }))
      const log = new Log(message.setup.logging, systemClock.milliseconds, undefined, passing)
      serving = await startThread(message.setup, new Garbage(), log)
      answer({ kind: 'started', opened: serving.opened })
    } catch (error) {
      answer({ kind: 'failed', reason: error instanceof Error ? error.message : String(error) })
    }
  })
}

if (parentPort !== null) obey(parentPort)
