/**
 * The composition root: with `thread.ts` the one place that knows every part. All parts are on one stack, so
 * that stopping is starting in reverse. What follows the configuration is in one list, too, for `reload.ts`.
 */
import { Access, createAccessMemory } from '../access/access.ts'
import { Bans } from '../access/bans.ts'
import { createAccountingMemory } from '../accounting/limits.ts'
import type { Tokens } from '../api/authentication.ts'
import type { ReloadResult } from '../api/parts.ts'
import { Sessions } from '../api/sessions.ts'
import { Webhook } from '../api/webhook.ts'
import type { Failed, Loaded } from '../config/load.ts'
import type { Config } from '../config/model.ts'
import { shownOptions } from '../config/shown-options.ts'
import type { Log } from '../log/log.ts'
import { Board } from '../memory/board.ts'
import { type ListenerType, THREAD_AT, ThreadCounters } from '../memory/counters.ts'
import { drawSeed } from '../memory/hash.ts'
import { Rules } from '../rules.ts'
import { SECRET_BYTES } from '../servers/connection-id.ts'
import { Garbage } from '../servers/garbage.ts'
import { type HealthService, serveHealth } from '../servers/health-api.ts'
import { threadId } from '../servers/libc.ts'
import { pageRelease, pageSettle } from '../servers/pages.ts'
import { openStorage } from '../storage/open.ts'
import { hasWebPeers, Swarm } from '../swarm/swarm.ts'
import { size } from '../text/figures.ts'
import { systemClock } from '../time/clock.ts'
import { Deadline } from '../time/deadline.ts'
import { nextTurn } from '../time/turns.ts'
import { Tracker } from '../tracker.ts'
import { Live } from '../view/live.ts'
import { printPublicPage } from '../view/public-page.ts'
import { accessPart } from './access-part.ts'
import { AnswerWatch } from './answer-watch.ts'
import { CertificateWatch, LOOK_MILLISECONDS } from './certificate-watch.ts'
import { guardedBy, startGuard } from './guard.ts'
import { HostedServer } from './hosted-server.ts'
import { MemoryWatch } from './memory-watch.ts'
import { metricSources } from './meter.ts'
import { follower } from './part.ts'
import { accessOf, levelOf, NEEDS_DATABASE, rulesOf } from './policy.ts'
import { startPulse } from './pulse.ts'
import { type Followed, Reloader } from './reload.ts'
import { Repeated } from './repeated.ts'
import { mostWebSockets, reserve, threadCount } from './resources.ts'
import { apiService } from './services.ts'
import { openApi, reporter } from './start-api.ts'
import { Sweeper } from './sweeper.ts'
import { TrackerListeners } from './tracker-listeners.ts'

/** Time for open HTTP connections when the tracker stops, and before that for those of the API. */
const GRACE_MILLISECONDS = 4_000
const API_GRACE_MILLISECONDS = 1_000
/** Time for a reload that is under way when the tracker stops. */
const RELOAD_MILLISECONDS = 1_000
/** From a stop until the last write. Closing the database comes after it, and all of it takes ten seconds at most. */
const WRITTEN_WITHIN_MILLISECONDS = 8_000
/** Bytes that a reload leaves behind: the configuration in all its forms. */
const RELOAD_GARBAGE = 2 ** 18
/** Bytes of the page for people, and time between two states of it. */
const PAGE_BYTES = 64 * 1024
const PAGE_MILLISECONDS = 10_000
/** Time between two looks at how much memory is left, and at what was lost. */
const WATCH_MILLISECONDS = 1_000

export type Running = AsyncDisposable & {
  readonly ports: Readonly<Record<'udp' | 'http' | 'webSocket', readonly number[]>>
  /** undefined: there is no management API. */
  readonly apiPort: number | undefined
  readonly healthPort: number
  /** Has everything follow the configuration, which is read again. `why` is for the log. Never rejects. */
  reload(why: string): Promise<ReloadResult>
  /** Looks whether certificates were renewed, as it does by itself from time to time. */
  lookAtCertificates(): Promise<void>
  /** From now on nothing is reloaded, and the health API reports that the tracker is stopping. */
  drain(): void
}

/**
 * Opens everything the configuration asks for. `load` reads it again, certificates included. Rejects with one line
 * that names the cause.
 */
export async function start(
  loaded: Followed,
  log: Log,
  version: string,
  load: () => Loaded | Failed,
): Promise<Running> {
  const { config } = loaded
  await using starting = new AsyncDisposableStack()
  sayWhatIsMissing(config, log)

  // For the API and health; if this thread serves trackers as well, those have their own.
  const garbage = starting.use(new Garbage())
  // Starts last and stops last: it reports that the tracker is stopping for as long as it does.
  let health: HostedServer | undefined
  starting.defer(() => health?.server?.stop(0))

  const count = threadCount(config, log)
  const alone = count === 1
  const memory = reserve(config)
  const threadCounters = new ThreadCounters(count + 1)
  const swarm = new Swarm(memory, count + 1, drawSeed()[0]!, {
    alone,
    release: pageRelease(),
    settle: pageSettle(),
    counts: threadCounters.row(count),
  })
  const accessSeed = drawSeed()
  const accessMemory = createAccessMemory({ ...accessOf(config), seed: accessSeed })
  const access = accessMemory && new Access(accessMemory, alone)
  const level = levelOf(config)
  const accountingMemory = level && createAccountingMemory(level, count, drawSeed())
  const rings = accountingMemory?.rings ?? []
  const ringBytes = rings.reduce((sum, { byteLength }) => sum + byteLength, 0)
  if (!swarm.charge(Math.ceil(ringBytes / 1024)))
    throw new Error(
      `runtime.max_memory is too small: core.accounting takes ${size(ringBytes)} for ${count} thread(s)`,
    )
  const rules = Rules.of(rulesOf(config))
  const banSeed = drawSeed()
  const bans = new Bans(rules, banSeed)
  const tracker = new Tracker({ swarm, rules, clock: systemClock, bans, access })
  const serving = `{threads} ${alone ? 'thread' : 'threads'}, at most {max_memory}`
  const budget = { threads: count, max_memory: size(swarm.memory().limit) }
  log.info('TRACKER', `${serving} of memory for torrents and peers (runtime.max_memory)`, budget)

  // Opened before the first announce, because a private tracker must know its keys; closed after the last one.
  const storage = await openStorage({
    config,
    swarm,
    access,
    accounting: accountingMemory && {
      memory: accountingMemory,
      alone,
      charge: (kib) => swarm.charge(kib),
    },
    log,
    clock: systemClock,
  })
  if (storage !== undefined) starting.use(storage)
  const accounting = storage?.accounting
  const webhook =
    accounting && starting.use(new Webhook({ accounting, log, report: reporter(log) }))

  // Before they are read: it notices what is renewed from here on.
  const certificates = new CertificateWatch(config, log)
  const page = new Board(PAGE_BYTES)
  const listeners = await TrackerListeners.start(config, {
    count,
    setup: {
      swarm: memory,
      rules: rules.memory,
      access: accessMemory,
      accounting: accountingMemory,
      counters: threadCounters.memory,
      bans: { memory: bans.memory, seed: banSeed },
      secret: crypto.getRandomValues(new Uint8Array(SECRET_BYTES)),
      logging: log.options,
      page: page.memory,
      mostConnections: mostWebSockets(),
    },
    log,
    garbage,
    onDeath: async (thread) => {
      const salvaged = swarm.salvage(thread)
      bans.unlock()
      if (salvaged > 0)
        log.error('TRACKER', 'salvaged {shards} shard(s) it had left locked', {
          shards: salvaged,
          thread,
        })
      // Its WebSockets are closed. One step holds a lock for a moment only.
      for (const done of swarm.forgetThread(thread))
        if (done) await nextTurn()
        else await Bun.sleep(1)
    },
  })
  starting.defer(() => listeners.stop(GRACE_MILLISECONDS))

  const sweeper = starting.use(new Sweeper(tracker, log))
  const banReset = starting.use(new Repeated(() => forgetErrors(bans, log)))
  const memoryWatch = new MemoryWatch(swarm, log)
  const udpCounters = () =>
    listeners.counted.filter(({ type }) => type === 'udp_tracker').map((one) => one.counters)
  const answerWatch = new AnswerWatch(udpCounters, log)

  // A control thread that serves has a pulse already.
  if (!alone) {
    const row = threadCounters.row(count)
    row[THREAD_AT.id] = threadId()
    starting.use(startPulse(row))
  }
  const degraded = () => memoryWatch.degraded ?? answerWatch.degraded
  const metered = { version, swarm, bans, storage, threadCounters, count, sweeper }
  const metrics = () =>
    metricSources({
      ...metered,
      config: reloader.config,
      access: tables.access,
      threads: listeners,
      listeners: () => listeners.metered,
      api: api.server && { url: api.server.url, certificateEnds: api.certificateEnds },
      degraded,
    })

  const live = new Live(metrics, () => listeners.shown)
  const watch = starting.use(
    new Repeated(() => {
      memoryWatch.look(performance.now())
      answerWatch.look(performance.now())
      live.tick()
    }),
  )
  watch.every(WATCH_MILLISECONDS)
  const showPage = (next: Config) => {
    if (next.http_trackers?.some((one) => one.public_page)) page.put(printPublicPage(live))
  }
  starting.use(new Repeated(() => showPage(reloader.config))).every(PAGE_MILLISECONDS)

  const tokens = new Set<Tokens>()
  const reload = (why: string) => reloader.reload(why)
  const sessions = new Sessions(systemClock, config.http_api?.bind_address.port ?? 0)
  const options = () => shownOptions(reloader.followed)
  const own = { metrics, live, tokens, sessions, options, reload, garbage, log, version }
  const about = { ...own, swarm, tracker, listeners, bans, storage }
  const api = new HostedServer({
    target: 'API',
    graceMilliseconds: API_GRACE_MILLISECONDS,
    log,
    wanted: ({ http_api, metadata }) =>
      http_api === null
        ? undefined
        : {
            bind: http_api.bind_address,
            tls: http_api.tls_config,
            // It is made for these: in the words of one generation, for pages of one origin.
            also: [metadata.schema_version, http_api.public_url],
          },
    open: (wanted, hosting) => openApi({ ...about, config: wanted, hosting }),
  })
  starting.defer(() => api.server?.stop(API_GRACE_MILLISECONDS))

  let draining = false
  const report = {
    services: (): readonly HealthService[] => [
      ...listeners.services,
      ...(api.server === undefined ? [] : [apiService(reloader.config, api.server)]),
    ],
    database: storage?.health,
    memory: () => swarm.memory(),
    degraded,
    draining: () => draining,
    garbage,
  }
  health = new HostedServer({
    target: 'HEALTH CHECK API',
    graceMilliseconds: 0,
    log,
    wanted: ({ health_check_api }) => ({ bind: health_check_api.bind_address, tls: null }),
    open: (_wanted, hosting) => serveHealth({ ...report, ...hosting }),
  })

  const settings = follower((next) => {
    log.filter = next.logging.trace_filter
    rules.write(rulesOf(next))
    for (const each of tokens) each.replace(next.http_api?.access_tokens ?? {})
    sweeper.follow(next.core.inactive_peer_cleanup_interval)
    banReset.every(next.udp_tracker_server.ip_bans_reset_interval_in_secs * 1000)
    storage?.follow(next)
    webhook?.follow(next.core.accounting?.webhook ?? null)
    garbage.kept(RELOAD_GARBAGE)
  })
  // The health API comes last: its first answer means that everything else is up.
  for (const part of [settings, api, health]) await (await part.prepare(config)).commit()
  const guardedNow = (next: Config) =>
    guardedBy(next, listeners.services, [api.server, health.server])
  const guard = startGuard(guardedNow(config), log)
  if (guard !== undefined) starting.use(guard)

  const tables = accessPart({
    storage,
    alone,
    seed: accessSeed,
    release: pageRelease(),
    tables: { memory: accessMemory, access },
    follow: async ({ memory, access }) => {
      tracker.access = access
      await listeners.follow(memory)
    },
  })
  const reloader = new Reloader({
    loaded,
    load,
    isFixed: (path) =>
      (storage === undefined && NEEDS_DATABASE.includes(path)) ||
      // Accounts are of keys, and the keys of a public tracker have none.
      (path === 'core.private' && level === 'users') ||
      (path === 'websocket_trackers' && !hasWebPeers(memory)),
    parts: [
      tables,
      listeners,
      api,
      health,
      settings,
      follower((next) => guard?.follow(guardedNow(next))),
      follower((next) => showPage(next)),
    ],
    log,
  })
  starting.defer(async () => {
    await Deadline.in(RELOAD_MILLISECONDS).waitFor(reloader.stop())
  })
  showPage(config)
  const lookAtCertificates = () => certificates.look(reloader)
  const looks = starting.use(new Repeated(lookAtCertificates))
  looks.every(LOOK_MILLISECONDS)

  const running = starting.move()
  const portsOf = (type: ListenerType) =>
    listeners.services.filter((one) => one.type === type).map(({ address }) => address.port)
  return {
    get ports() {
      return {
        udp: portsOf('udp_tracker'),
        http: portsOf('http_tracker'),
        webSocket: portsOf('websocket_tracker'),
      }
    },
    get apiPort() {
      return api.server?.address.port
    },
    get healthPort() {
      return health.server!.address.port
    },
    reload,
    lookAtCertificates,
    drain: () => {
      draining = true
      storage?.hurry(Deadline.in(WRITTEN_WITHIN_MILLISECONDS))
      void reloader.stop()
      // A database that hangs would hold it up for as long as a call takes: meanwhile connections end.
      webhook?.follow(null)
    },
    [Symbol.asyncDispose]: () => running.disposeAsync(),
  }
}

/** In the words of the reference. */
function sayWhatIsMissing(config: Config, log: Log): void {
  const { udp_trackers, http_trackers, websocket_trackers, http_api } = config
  if (!udp_trackers?.length && !http_trackers?.length && !websocket_trackers?.length && !http_api)
    log.warn('TRACKER', 'No services enabled in configuration')
  if (udp_trackers === null) log.info('TRACKER', 'No UDP blocks in configuration')
  if (http_trackers === null) log.info('TRACKER', 'No HTTP blocks in configuration')
  if (http_api === null) log.info('TRACKER', 'No API block in configuration')
}

function forgetErrors(bans: Bans, log: Log): void {
  const addresses = bans.size
  bans.reset()
  if (addresses > 0) log.debug('UDP TRACKER', 'wrong connection ids are forgotten', { addresses })
}
