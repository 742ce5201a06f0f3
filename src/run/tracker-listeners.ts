/** The listeners of the trackers on all serving threads, which follow the configuration. */
import type { AccessMemory } from '../access/access.ts'
import { hostOf } from '../config/listeners.ts'
import type { Config } from '../config/model.ts'
import { LIMITS } from '../limits.ts'
import type { Log } from '../log/log.ts'
import { Handover } from '../servers/handover.ts'
import { readCertificate } from '../servers/listen.ts'
import { size } from '../text/figures.ts'
import type { MeteredListener } from '../view/metrics.ts'
import type { ShownListener } from '../view/overview.ts'
import { type Listed, type ListenerPlan, planListeners } from './listener-plan.ts'
import { hasSocket, type Opening, type Wanted } from './open-listener.ts'
import { Openings } from './openings.ts'
import { newCertificate, type Part, type Prepared } from './part.ts'
import { TARGETS, type TrackerService, trackerService } from './services.ts'
import { Threads, type ThreadsOptions } from './threads.ts'

/** Time for connections to a listener that was closed. */
const GRACE_MILLISECONDS = 4_000

export class TrackerListeners implements Part {
  readonly #threads: Threads
  readonly #count: number
  readonly #openings: Openings
  readonly #log: Log
  #listed: readonly Listed[] = []
  /** Those that are open, UDP before HTTP before WebSockets, in the order of the configuration. */
  services: readonly TrackerService[] = []
  /** Those that were closed, for what they counted. */
  #gone: readonly TrackerService[] = []

  private constructor(threads: Threads, openings: Openings, { count, log }: ThreadsOptions) {
    this.#threads = threads
    this.#openings = openings
    this.#count = count
    this.#log = log
  }

  /** Opens all of them, or rejects with one line that names the cause. */
  static async start(
    config: Config,
    {
      setup,
      ...options
    }: Omit<ThreadsOptions, 'setup'> & {
      readonly setup: Omit<ThreadsOptions['setup'], 'listeners'>
    },
  ): Promise<TrackerListeners> {
    const openings = new Openings(options.count)
    const plan = planListeners([], await wantedOf(config), openings)
    try {
      const all = {
        ...options,
        setup: { ...setup, listeners: plan.opened },
        onDeath: (thread: number) => {
          const forgotten = options.onDeath(thread)
          openings.release(thread)
          return forgotten
        },
      }
      const threads = await Threads.start(all)
      const listeners = new TrackerListeners(threads, openings, all)
      listeners.#warnOfBuffer(threads.receiveBuffer)
      listeners.#follow(config, plan, threads.listeners)
      return listeners
    } catch (error) {
      openings.forget()
      throw error
    }
  }

  /** Those that are open, and those that were: what they counted stays. */
  get counted(): readonly TrackerService[] {
    return [...this.services, ...this.#gone]
  }

  /** The same with what the kernel dropped. */
  get metered(): readonly MeteredListener[] {
    return this.counted.map((one) => this.#withDrops(one))
  }

  /** Those that are open, with what the kernel dropped. */
  get shown(): readonly ShownListener[] {
    return this.services.map((one) => this.#withDrops(one))
  }

  get deaths(): number {
    return this.#threads.deaths
  }

  /** The next request of each thread is served with these tables. */
  follow(access: AccessMemory | undefined): Promise<void> {
    return this.#threads.follow(access)
  }

  async prepare(config: Config): Promise<Prepared> {
    const wanted = await wantedOf(config)
    const plan = planListeners(this.#listed, wanted, this.#openings, Handover.isPossible)
    const closed = plan.closed.map(({ id }) => id)
    const isUdp = ({ type }: Opening) => type === 'udp_tracker'
    const handover = await Handover.from(
      plan.closed.filter((one) => !isUdp(one) && hasSocket(one)).map(addressOf),
      plan.closed.filter(isUdp).map(addressOf),
    )
    const opened = await this.#threads.prepare(plan.opened).catch((error) => {
      this.#openings.forget(plan.opened)
      throw error
    })
    return {
      news: plan.renewed.map(({ listener }) => newCertificate(listener.bind_address)),
      restart: plan.stuck.map(({ listener }) => newCertificate(listener.bind_address)),
      commit: async () => {
        this.#warnOfBuffer(opened.receiveBuffer)
        const all = this.#follow(config, plan, opened.opened)
        const staying = all.filter(({ id }) => !opened.opened.some((one) => one.id === id))
        await opened.commit(all, staying, closed)
        await handover.divert()
      },
      abort: async () => {
        await handover.undo()
        await opened.abort()
        this.#openings.forget(plan.opened)
      },
      finish: async () => {
        await handover.settle()
        await this.#threads.close(closed, GRACE_MILLISECONDS)
        this.#openings.forget(plan.closed)
      },
    }
  }

  /** Stops listening everywhere; connections have `graceMilliseconds` to end. */
  async stop(graceMilliseconds: number): Promise<void> {
    await this.#threads.stop(graceMilliseconds)
    this.#openings.forget()
  }

  #withDrops(one: TrackerService): ShownListener {
    return { ...one, drops: this.#openings.dropsOf(one.id) }
  }

  /** From here on these are the listeners. `opened`: those of `plan`, with their ports. All that there are. */
  #follow(config: Config, plan: ListenerPlan, opened: readonly Opening[]): readonly Opening[] {
    const before = this.services
    const removed = before.filter((one) => plan.removed.some(({ id }) => id === one.id))
    for (const { type, url } of removed) this.#log.info(TARGETS[type], 'Stopped on: {url}', { url })
    this.#listed = plan.all.map(({ configured, opening }) => {
      return { configured, opening: opened.find(({ id }) => id === opening.id) ?? opening }
    })
    this.services = this.#listed.map(({ opening }) => trackerService(config, opening, this.#count))
    const isCountedOn = ({ counters }: TrackerService) =>
      this.services.some((one) => one.counters.memory === counters.memory)
    this.#gone = [...this.#gone, ...removed]
      .filter((one) => !isCountedOn(one))
      .map((one) => ({ ...one, certificateEnds: undefined }))
    for (const { id, type, url, announceUrl } of this.services)
      if (opened.some((one) => one.id === id) && !before.some((one) => one.url === url))
        this.#log.info(TARGETS[type], 'Started on: {url}', { url, announce: announceUrl })
    return this.#listed.map(({ opening }) => opening)
  }

  /** `bytes`: the smallest of a thread. */
  #warnOfBuffer(bytes: number): void {
    if (bytes >= LIMITS.udpReceiveBuffer) return
    this.#log.warn(
      'UDP TRACKER',
      `the kernel limits receive buffers to ${size(bytes)}, bursts beyond are lost: sysctl -w net.core.rmem_max={wanted}`,
      { bytes, wanted: LIMITS.udpReceiveBuffer },
    )
  }
}

const addressOf = ({ listener }: Opening) => listener.bind_address

/** Rejects when a certificate cannot be read. */
async function wantedOf(config: Config): Promise<readonly Wanted[]> {
  const { udp_trackers, http_trackers, websocket_trackers } = config
  const http = (http_trackers ?? []).map(async (listener): Promise<Wanted> => {
    const certificate = await readCertificate(listener.tls_config)
    return { type: 'http_tracker', listener, certificate }
  })
  const udp = (udp_trackers ?? []).map((listener): Wanted => ({ type: 'udp_tracker', listener }))
  const webSocket = (websocket_trackers ?? []).map(async (listener): Promise<Wanted> => {
    const host = hostOf(listener, http_trackers)
    const certificate = await readCertificate((host ?? listener).tls_config)
    return { type: 'websocket_tracker', listener, certificate, isHosted: host !== undefined }
  })
  return [...udp, ...(await Promise.all([...http, ...webSocket]))]
}
