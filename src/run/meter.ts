/** Gathers what the metrics are read from (view/metrics.ts). Takes no lock and waits for nothing. */
import type { Access } from '../access/access.ts'
import type { Bans } from '../access/bans.ts'
import type { Config } from '../config/model.ts'
import { THREAD_AT, type ThreadCounters } from '../memory/counters.ts'
import type { Storage } from '../storage/open.ts'
import type { Swarm } from '../swarm/swarm.ts'
import { systemClock } from '../time/clock.ts'
import { COMMIT } from '../version.ts'
import type { MeteredListener, MeteredThread, MetricSources } from '../view/metrics.ts'
import { busyOf, processFigures } from './process-figures.ts'
import type { Sweeps } from './sweeper.ts'

type Metered = {
  readonly config: Config
  readonly version: string
  readonly swarm: Swarm
  readonly access: Access | undefined
  readonly bans: Bans
  readonly storage: Storage | undefined
  readonly threadCounters: ThreadCounters
  /** Threads that serve. */
  readonly count: number
  readonly threads: { readonly deaths: number }
  readonly sweeper: { readonly sweeps: Sweeps }
  listeners(): readonly MeteredListener[]
  readonly api: MetricSources['api']
  degraded(): string | undefined
}

export function metricSources(metered: Metered): MetricSources {
  const { config, version, swarm, access, bans, storage, threadCounters, sweeper } = metered
  return {
    milliseconds: systemClock.milliseconds(),
    version,
    commit: COMMIT,
    degraded: metered.degraded(),
    isCounted: config.core.tracker_usage_statistics,
    listeners: metered.listeners(),
    api: metered.api,
    totals: swarm.totals(),
    count: (counter) => threadCounters.total(counter),
    memory: swarm.memory(),
    sweep: sweeper.sweeps.last,
    sweeps: sweeper.sweeps.count,
    threads: threadsOf(threadCounters, metered.count),
    threadDeaths: metered.threads.deaths,
    process: processFigures(),
    database: storage?.meter(),
    persistedDownloads: storage?.persistedDownloads?.(),
    keys: access?.keys?.size,
    listed: access?.whitelist?.size,
    bans: bans.size,
    accounting: storage?.accounting?.meter(),
  }
}

/** A control thread that serves has a row among those that serve. */
function threadsOf({ rows }: ThreadCounters, serving: number): MeteredThread[] {
  const shown = serving === 1 ? rows.slice(0, 1) : rows
  return shown.map((row, i) => ({
    name: i < serving ? String(i + 1) : 'control',
    busy: busyOf(row[THREAD_AT.id]!),
    delay: row[THREAD_AT.delay]!,
  }))
}
