/**
 * The composition root: with `thread.ts` the one place that knows every part. All parts are on one stack, so
 * that stopping is starting in reverse.
 */
import { availableParallelism, totalmem } from 'node:os'
import { Access, createAccessMemory } from '../access/access.ts'
import { Bans } from '../access/bans.ts'
import type { Config, HttpTrackerConfig, UdpTrackerConfig } from '../config/model.ts'
import { LIMITS } from '../limits.ts'
import type { Log } from '../log/log.ts'
import { ListenerCounters, THREAD_AT, ThreadCounters } from '../memory/counters.ts'
import { drawSeed } from '../memory/hash.ts'
import { Rules, type RuleValues } from '../rules.ts'
import { ConnectionGuard, guardedPorts } from '../servers/connection-guard.ts'
import { SECRET_BYTES } from '../servers/connection-id.ts'
import {
  closeDescriptors,
  type Descriptors,
  openDescriptors,
  releaseSocket,
} from '../servers/direct-socket.ts'
import { Garbage } from '../servers/garbage.ts'
import { serveHealth } from '../servers/health-api.ts'
import { threadId } from '../servers/libc.ts'
import type { HttpServer } from '../servers/listen.ts'
import { pageRelease, pageSettle } from '../servers/pages.ts'
import { droppedAt } from '../servers/socket-options.ts'
import { TcpSockets } from '../servers/tcp-sockets.ts'
import { openStorage } from '../storage/open.ts'
import { createSwarmMemory, Swarm, type SwarmMemory } from '../swarm/swarm.ts'
import { size } from '../text/figures.ts'
import { systemClock } from '../time/clock.ts'
import { LONGEST_TIMER_MILLISECONDS } from '../time/deadline.ts'
import { Tracker } from '../tracker.ts'
import { Live } from '../view/live.ts'
import { AnswerWatch } from './answer-watch.ts'
import { MemoryWatch } from './memory-watch.ts'
import { metricSources } from './meter.ts'
import { startPulse } from './pulse.ts'
import { apiService, TARGETS, trackerServices } from './services.ts'
import { startApi } from './start-api.ts'
import { startSweeper } from './sweeper.ts'
import type { Counted } from './thread.ts'
import { Threads } from './threads.ts'

/** Time for open HTTP connections when the tracker stops, and before that for those of the API. */
const GRACE_MILLISECONDS = 4_000
const API_GRACE_MILLISECONDS = 1_000
/** Time between two looks at how much memory is left, and at what was lost. */
const WATCH_MILLISECONDS = 1_000

export type Running = AsyncDisposable & {
  readonly ports: { readonly udp: readonly number[]; readonly http: readonly number[] }
  /** undefined: there is no management API. */
  readonly apiPort: number | undefined
  readonly healthPort: number
  /** From now on the health API reports that the tracker is stopping. */
  drain(): void
}

/** Opens everything the configuration asks for. Rejects with one line that names the cause. */
export async function start(config: Config, log: Log, version: string): Promise<Running> {
  await using starting = new AsyncDisposableStack()
  const udp = config.udp_trackers ?? []
  const http = config.http_trackers ?? []
  sayWhatIsMissing(config, log)

  // For the API and health; if this thread serves trackers as well, those have their own.
  const garbage = starting.use(new Garbage())
  // Starts last and stops last: it reports that the tracker is stopping for as long as it does.
  let health: HttpServer | undefined
  starting.defer(() => health?.stop(0))

  const count = threadCount(config, log)
  const memory = reserve(config)
  const threadCounters = new ThreadCounters(count + 1)
  const swarm = new Swarm(memory, count + 1, drawSeed()[0]!, {
    alone: count === 1,
    release: pageRelease(),
    settle: pageSettle(),
    counts: threadCounters.row(count),
  })
  const accessMemory = createAccessMemory({ ...accessOf(config), seed: drawSeed() })
  const access = accessMemory && new Access(accessMemory, count === 1)
  const rules = Rules.of(rulesOf(config))
  const banSeed = drawSeed()
  const bans = new Bans(rules, banSeed)
  const tracker = new Tracker({ swarm, rules, clock: systemClock, bans, access })
  const serving = `{threads} ${count === 1 ? 'thread' : 'threads'}, at most {max_memory}`
  const budget = { threads: count, max_memory: size(swarm.memory().limit) }
  log.info('TRACKER', `${serving} of memory for torrents and peers (runtime.max_memory)`, budget)

  // Opened before the first announce, because a private tracker must know its keys; closed after the last one.
  const storage = await openStorage({ config, swarm, access, log, clock: systemClock })
  if (storage !== undefined) starting.use(storage)

  const descriptors = Array.from({ length: count }, () => udp.map(() => openDescriptors()))
  starting.defer(() => {
    for (const each of descriptors.flat()) if (each !== undefined) closeDescriptors(each)
  })
  const counted = <L>(listener: L): Counted<L> => ({
    listener,
    counters: new ListenerCounters(count).memory,
  })
  const threads = await Threads.start({
    count,
    setup: {
      swarm: memory,
      rules: rules.memory,
      access: accessMemory,
      counters: threadCounters.memory,
      bans: { memory: bans.memory, seed: banSeed },
      descriptors,
      secret: crypto.getRandomValues(new Uint8Array(SECRET_BYTES)),
      logging: log.options,
      udp: udp.map(counted),
      http: http.map(counted),
    },
    log,
    garbage,
    onDeath: (thread) => {
      const salvaged = swarm.salvage(thread)
      bans.unlock()
      for (const each of descriptors[thread - 1]!) if (each !== undefined) releaseSocket(each)
      if (salvaged > 0)
        log.error('TRACKER', 'salvaged {shards} shard(s) it had left locked', {
          shards: salvaged,
          thread,
        })
    },
  })
  starting.defer(() => threads.stop(GRACE_MILLISECONDS))
  const { opened } = threads
  warnOfBuffer(opened.receiveBuffer, log)
  const trackers = trackerServices(config, opened, count)
  for (const { type, url, announceUrl } of trackers)
    log.info(TARGETS[type], 'Started on: {url}', { url, announce: announceUrl })

  const every = (milliseconds: number, act: () => void) => {
    const timer = setInterval(act, Math.min(milliseconds, LONGEST_TIMER_MILLISECONDS))
    starting.defer(() => clearInterval(timer))
  }
  const interval = config.core.inactive_peer_cleanup_interval
  const sweeper = starting.use(startSweeper(tracker, interval, log))
  const memoryWatch = new MemoryWatch(swarm, log)
  const answerWatch = new AnswerWatch(
    () => trackers.filter(({ type }) => type === 'udp_tracker').map(({ counters }) => counters),
    log,
  )
  every(WATCH_MILLISECONDS, () => {
    memoryWatch.look(performance.now())
    answerWatch.look(performance.now())
  })
  every(config.udp_tracker_server.ip_bans_reset_interval_in_secs * 1000, () => {
    const addresses = bans.size
    bans.reset()
    if (addresses > 0) log.debug('UDP TRACKER', 'wrong connection ids are forgotten', { addresses })
  })

  // A control thread that serves has a pulse already.
  if (count > 1) {
    const row = threadCounters.row(count)
    row[THREAD_AT.id] = threadId()
    starting.use(startPulse(row))
  }
  const degraded = () => memoryWatch.degraded ?? answerWatch.degraded
  const listeners = () =>
    trackers.map((one, i) => ({ ...one, drops: dropsOf(descriptors.map((each) => each[i])) }))
  const metered = { config, version, swarm, access, bans, storage, threadCounters, count, threads }
  const metrics = () => metricSources({ ...metered, sweeper, listeners, degraded })
  const live = new Live(metrics, listeners)
  every(WATCH_MILLISECONDS, () => live.tick())
  const about = {
    config,
    swarm,
    tracker,
    trackers,
    metrics,
    live,
    bans,
    storage,
    garbage,
    log,
    version,
  }
  const api = await startApi(about)
  if (api !== undefined) starting.defer(() => api.stop(API_GRACE_MILLISECONDS))
  const services = [...trackers, ...(api === undefined ? [] : [apiService(config, api)])]

  // Last: its first answer means that everything else is up.
  let draining = false
  health = await serveHealth({
    bind: config.health_check_api.bind_address,
    services,
    database: storage?.health,
    memory: () => swarm.memory(),
    degraded,
    draining: () => draining,
    garbage,
  })
  log.info('HEALTH CHECK API', 'Started on: {url}', { url: health.url })

  const operators = [health.address.port, ...(api === undefined ? [] : [api.address.port])]
  const guard = startGuard(config, opened.http, operators, log)
  if (guard !== undefined) starting.use(guard)

  const running = starting.move()
  return {
    ports: { udp: opened.udp.map(portOf), http: opened.http.map(portOf) },
    apiPort: api?.address.port,
    healthPort: health.address.port,
    drain: () => {
      draining = true
    },
    [Symbol.asyncDispose]: () => running.disposeAsync(),
  }
}

/** In the words of the reference. */
function sayWhatIsMissing({ udp_trackers, http_trackers, http_api }: Config, log: Log): void {
  if (!udp_trackers?.length && !http_trackers?.length && !http_api)
    log.warn('TRACKER', 'No services enabled in configuration')
  if (udp_trackers === null) log.info('TRACKER', 'No UDP blocks in configuration')
  if (http_trackers === null) log.info('TRACKER', 'No HTTP blocks in configuration')
  if (http_api === null) log.info('TRACKER', 'No API block in configuration')
}

/** Of the sockets of one UDP listener, by thread; undefined: not known. */
function dropsOf(sockets: readonly (Descriptors | undefined)[]): number | undefined {
  const known = sockets.flatMap((one) => (one === undefined ? [] : (droppedAt(one.socket) ?? [])))
  return known.length === 0 ? undefined : known.reduce((sum, drops) => sum + drops, 0)
}

const portOf = ({ listener }: Counted<UdpTrackerConfig | HttpTrackerConfig>) =>
  listener.bind_address.port

/** undefined: the system does not list connections. */
function startGuard(
  { abuse }: Config,
  http: readonly Counted<HttpTrackerConfig>[],
  operators: readonly number[],
  log: Log,
): ConnectionGuard | undefined {
  const sockets = TcpSockets.open()
  if (sockets === undefined) return undefined
  const ports = guardedPorts([
    ...http.map((one) => {
      const isShared = one.listener.network.on_reverse_proxy
      return [portOf(one), { isOperators: false, isShared }] as const
    }),
    ...operators.map((port) => [port, { isOperators: true, isShared: false }] as const),
  ])
  const mostPerAddress = abuse.max_connections_per_address
  return new ConnectionGuard({ sockets, ports, mostPerAddress, log })
}

function threadCount(config: Config, log: Log): number {
  const wanted = config.runtime.workers || availableParallelism()
  if (process.platform === 'linux' || wanted === 1) return wanted
  if (config.runtime.workers > 1)
    log.warn(
      'TRACKER',
      'runtime.workers: several threads can share a port on Linux only; using one',
    )
  return 1
}

function reserve(config: Config): SwarmMemory {
  const bytes = config.runtime.max_memory || Math.floor(memoryOfMachine() / 2)
  try {
    const { persistent_torrent_completed_stat: persistent } = config.core.tracker_policy
    return createSwarmMemory(bytes, drawSeed(), persistent)
  } catch (error) {
    if (!(error instanceof RangeError)) throw error
    throw new Error(
      `cannot reserve ${Math.floor(bytes / 2 ** 20)} MiB of address space for the swarm: set a smaller runtime.max_memory, or allow more (ulimit -v, vm.overcommit_memory)`,
    )
  }
}

/** Bytes of the machine, or of the container if that has less. */
function memoryOfMachine(): number {
  const limit = process.constrainedMemory()
  return limit > 0 ? Math.min(limit, totalmem()) : totalmem()
}

const accessOf = ({ core }: Config) => ({
  listed: core.listed,
  private: core.private,
  checksExpiration: core.private_mode?.check_keys_expiration ?? true,
})

const rulesOf = ({ abuse, core, metadata, udp_tracker_server }: Config): RuleValues => ({
  interval: core.announce_policy.interval,
  intervalMin: core.announce_policy.interval_min,
  maxPeers: core.announce_policy.max_peers_per_announce,
  peerTimeoutSeconds: core.tracker_policy.max_peer_timeout,
  removePeerless: core.tracker_policy.remove_peerless_torrents,
  schema: metadata.schema_version,
  idErrors: udp_tracker_server.connection_id_validation === 'strict' ? abuse.id_errors : 'serve',
  banLimit: udp_tracker_server.max_connection_id_errors_per_ip,
})

/** `bytes`: of the sockets of a thread. */
function warnOfBuffer(bytes: number, log: Log): void {
  if (bytes >= LIMITS.udpReceiveBuffer) return
  log.warn(
    'UDP TRACKER',
    `the kernel limits receive buffers to ${size(bytes)}, bursts beyond are lost: sysctl -w net.core.rmem_max={wanted}`,
    { bytes, wanted: LIMITS.udpReceiveBuffer },
  )
}
