/** Starts the management API with the parts that answer its routes. */
import type { Bans } from '../access/bans.ts'
import { serveApi } from '../api/api.ts'
import type { Config } from '../config/model.ts'
import type { Log } from '../log.ts'
import type { Metrics } from '../memory/counters.ts'
import type { Garbage } from '../servers/garbage.ts'
import type { HttpServer } from '../servers/listen.ts'
import { databaseNameOf, type Storage } from '../storage/open.ts'
import type { Swarm } from '../swarm/swarm.ts'
import { systemClock } from '../time/clock.ts'
import type { Tracker } from '../tracker.ts'
import { readStatistics, type StatisticsSources } from '../view/statistics.ts'
import { torrentView } from '../view/torrents.ts'

type ApiSetting = {
  readonly config: Config
  readonly swarm: Swarm
  readonly tracker: Tracker
  readonly metrics: Metrics
  readonly bans: Bans
  readonly storage: Storage | undefined
  /** That of the calling thread. */
  readonly garbage: Garbage
  readonly log: Log
  readonly version: string
}

/** undefined: the configuration has none. Rejects with one line that names the cause. */
export async function startApi(setting: ApiSetting): Promise<HttpServer | undefined> {
  const { config, log, storage, swarm, tracker } = setting
  const { http_api } = config
  if (http_api === null) return undefined
  const sources = statisticsSources(setting)
  const torrents = torrentView(swarm, () => tracker.cutoff())
  const api = await serveApi({
    bind: http_api.bind_address,
    tls: http_api.tls_config,
    clock: systemClock,
    garbage: setting.garbage,
    log,
    version: setting.version,
    parts: {
      schema: config.metadata.schema_version,
      tokens: Object.values(http_api.access_tokens),
      stats: () => readStatistics(sources),
      torrents,
      permissions: storage?.permissions,
      databaseName: databaseNameOf(config),
      report: (what, error) => log.error('API', `internal error: ${what}: ${error}`),
    },
  })
  log.info('API', `Started on: ${api.url}`)
  const stop = async (graceMilliseconds: number): Promise<void> => {
    await api.stop(graceMilliseconds)
    torrents[Symbol.dispose]()
  }
  return { ...api, stop }
}

/** Listeners have their rows of counters in the order of the configuration, UDP before HTTP. */
function statisticsSources({
  config,
  metrics,
  swarm,
  bans,
  storage,
}: ApiSetting): StatisticsSources {
  const udp = config.udp_trackers ?? []
  const shown = (listeners: readonly { tracker_usage_statistics: boolean }[], first: number) =>
    config.core.tracker_usage_statistics
      ? listeners.flatMap((listener, i) => (listener.tracker_usage_statistics ? [first + i] : []))
      : []
  return {
    metrics,
    udp: shown(udp, 0),
    http: shown(config.http_trackers ?? [], udp.length),
    totals: () => swarm.totals(),
    bannedIps: () => bans.size,
    persistedDownloads: storage?.persistedDownloads,
  }
}
