/** Opens the management API with the parts that answer its routes. */
import type { Bans } from '../access/bans.ts'
import { serveApi } from '../api/api.ts'
import { Tokens } from '../api/authentication.ts'
import type { ReloadResult } from '../api/parts.ts'
import type { Sessions } from '../api/sessions.ts'
import type { Config } from '../config/model.ts'
import type { ShownOption } from '../config/shown-options.ts'
import { Dashboard } from '../dashboard/assets.ts'
import type { Log } from '../log/log.ts'
import type { Report } from '../log/report.ts'
import type { ListenerType } from '../memory/counters.ts'
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
import type { Hosting } from './hosted-server.ts'
import type { TrackerService } from './services.ts'

type ApiSetting = {
  readonly config: Config
  readonly hosting: Hosting
  readonly swarm: Swarm
  readonly tracker: Tracker
  readonly listeners: { readonly counted: readonly TrackerService[] }
  readonly bans: Bans
  readonly storage: Storage | undefined
  /** Those of the servers that are open. */
  readonly tokens: Set<Tokens>
  /** They outlive a server. */
  readonly sessions: Sessions
  readonly options: () => readonly ShownOption[]
  readonly metrics: () => MetricSources
  readonly reload: (why: string) => Promise<ReloadResult>
  /** That of the calling thread. */
  readonly garbage: Garbage
  readonly log: Log
  readonly version: string
  readonly live: Live
}

/** Rejects with one line that names the cause. */
export async function openApi(setting: ApiSetting): Promise<HttpServer> {
  const { config, log, storage, swarm, tracker } = setting
  const tokens = new Tokens(config.http_api?.access_tokens ?? {})
  const torrents = torrentView(swarm, () => tracker.cutoffs())
  const api = await serveApi({
    ...setting.hosting,
    publicUrl: config.http_api?.public_url ?? null,
    clock: systemClock,
    garbage: setting.garbage,
    log,
    version: setting.version,
    parts: {
      schema: config.metadata.schema_version,
      tokens,
      sessions: setting.sessions,
      stats: () => readStatistics(statisticsSources(setting)),
      metrics: setting.metrics,
      live: setting.live,
      pages: new Dashboard(),
      torrents,
      bans: setting.bans,
      permissions: storage?.permissions,
      accounting: storage?.accounting,
      databaseName: databaseNameOf(config),
      options: setting.options,
      reload: () => setting.reload('POST /api/v1/reload'),
      lines: log.history,
      report: reporter(log),
    },
  })
  setting.tokens.add(tokens)
  const stop = async (graceMilliseconds: number): Promise<void> => {
    await api.stop(graceMilliseconds)
    torrents[Symbol.dispose]()
    setting.tokens.delete(tokens)
  }
  return { ...api, stop }
}

export const reporter =
  (log: Log): Report =>
  (what, error) =>
    log.error('API', 'internal error: {what}: {reason}', { what, reason: `${error}` })

function statisticsSources(setting: ApiSetting): StatisticsSources {
  const of = (type: ListenerType) => setting.listeners.counted.filter((one) => one.type === type)
  const counted = (type: ListenerType) =>
    of(type).flatMap(({ isCounted, counters }) => (isCounted ? [counters] : []))
  return {
    udp: counted('udp_tracker'),
    http: counted('http_tracker'),
    webSocket: of('websocket_tracker').length > 0 ? counted('websocket_tracker') : undefined,
    totals: setting.swarm.totals(),
    bannedIps: setting.bans.size,
    persistedDownloads: setting.storage?.persistedDownloads?.(),
  }
}
