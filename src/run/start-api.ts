/** Starts the management API with the parts that answer its routes. */
import type { Bans } from '../access/bans.ts'
import { serveApi } from '../api/api.ts'
import { Tokens } from '../api/authentication.ts'
import type { Config } from '../config/model.ts'
import { Dashboard } from '../dashboard/assets.ts'
import type { Log } from '../log/log.ts'
import type { Garbage } from '../servers/garbage.ts'
import type { HttpServer } from '../servers/listen.ts'
import { databaseNameOf, type Storage } from '../storage/open.ts'
import type { Swarm } from '../swarm/swarm.ts'
import { systemClock } from '../time/clock.ts'
import type { Tracker } from '../tracker.ts'
import type { Live } from '../view/live.ts'
import type { MetricSources } from '../view/metrics.ts'
import { readStatistics, type StatisticsSources } from '../view/statistics.ts'
import { torrentView } from '../view/torrents.ts'
import type { TrackerService } from './services.ts'

type ApiSetting = {
  readonly config: Config
  readonly swarm: Swarm
  readonly tracker: Tracker
  readonly trackers: readonly TrackerService[]
  readonly bans: Bans
  readonly storage: Storage | undefined
  /** That of the calling thread. */
  readonly garbage: Garbage
  readonly log: Log
  readonly version: string
  metrics(): MetricSources
  readonly live: Live
}

/** undefined: the configuration has none. Rejects with one line that names the cause. */
export async function startApi(setting: ApiSetting): Promise<HttpServer | undefined> {
  const { config, log, storage, swarm, tracker } = setting
  const { http_api } = config
  if (http_api === null) return undefined
  const torrents = torrentView(swarm, () => tracker.cutoff())
  const api = await serveApi({
    bind: http_api.bind_address,
    tls: http_api.tls_config,
    publicUrl: http_api.public_url,
    clock: systemClock,
    garbage: setting.garbage,
    log,
    version: setting.version,
    parts: {
      schema: config.metadata.schema_version,
      tokens: new Tokens(http_api.access_tokens),
      stats: () => readStatistics(statisticsSources(setting)),
      metrics: setting.metrics,
      live: setting.live,
      pages: new Dashboard(),
      torrents,
      bans: setting.bans,
      permissions: storage?.permissions,
      databaseName: databaseNameOf(config),
      lines: log.history,
      report: (what, error) =>
        log.error('API', 'internal error: {what}: {reason}', { what, reason: `${error}` }),
    },
  })
  log.info('API', 'Started on: {url}', { url: api.url })
  const stop = async (graceMilliseconds: number): Promise<void> => {
    await api.stop(graceMilliseconds)
    torrents[Symbol.dispose]()
  }
  return { ...api, stop }
}

function statisticsSources(setting: ApiSetting): StatisticsSources {
  const counted = (type: TrackerService['type']) =>
    setting.trackers.filter((one) => one.type === type && one.isCounted).map((one) => one.counters)
  return {
    udp: counted('udp_tracker'),
    http: counted('http_tracker'),
    totals: setting.swarm.totals(),
    bannedIps: setting.bans.size,
    persistedDownloads: setting.storage?.persistedDownloads?.(),
  }
}
