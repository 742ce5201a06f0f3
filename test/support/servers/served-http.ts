/** A real tracker behind one HTTP listener on port 0. */
import type { Access } from '../../../src/access/access.ts'
import { Bans } from '../../../src/access/bans.ts'
import { Visitor } from '../../../src/access/gate.ts'
import type { HttpTrackerConfig } from '../../../src/config/model.ts'
import type { Board } from '../../../src/memory/board.ts'
import {
  AT,
  type Counter,
  type CounterRow,
  ListenerCounters,
} from '../../../src/memory/counters.ts'
import { Rules, type RuleValues } from '../../../src/rules.ts'
import { listenerRules } from '../../../src/run/open-listener.ts'
import { Garbage } from '../../../src/servers/garbage.ts'
import { serveHttp } from '../../../src/servers/http.ts'
import { readCertificate } from '../../../src/servers/listen.ts'
import { RequestLog } from '../../../src/servers/request-log.ts'
import { createSwarmMemory, Swarm } from '../../../src/swarm/swarm.ts'
import type { Clock } from '../../../src/time/clock.ts'
import { Tracker, type TrackerParts } from '../../../src/tracker.ts'
import { capturedLog } from '../captured-log.ts'

export const policy: RuleValues = {
  interval: 120,
  intervalMin: 120,
  maxPeers: 74,
  peerTimeoutSeconds: 900,
  webPeerTimeoutSeconds: 300,
  removePeerless: true,
  schema: '2.0.0',
  idErrors: 'suppress',
  banLimit: 10,
}

export const listener: HttpTrackerConfig = {
  bind_address: { ip: '127.0.0.1', port: 0 },
  tls_config: null,
  tracker_usage_statistics: true,
  use_ip_from_query_string: false,
  public_url: null,
  public_page: false,
  network: { external_ip: null, on_reverse_proxy: false, ipv6_v6only: false },
}

/** The time in the trackers of `makeTracker`. */
export const NOW_MILLISECONDS = 1_000_000_000

/** A client that asks over TCP and shows no key. */
export const anyone = new Visitor('connected')

/** A tracker whose rules are `policy` with `changes`. */
export function trackerOver(
  swarm: Swarm,
  clock: Clock,
  changes: Partial<RuleValues> = {},
  more: Pick<TrackerParts, 'access' | 'limits' | 'afterAnnounce'> = {},
): Tracker {
  const rules = Rules.of({ ...policy, ...changes })
  return new Tracker({ swarm, rules, clock, bans: new Bans(rules, Int32Array.of(1)), ...more })
}

export function makeTracker(changes: Partial<RuleValues> = {}, access?: Access): Tracker {
  const swarm = new Swarm(createSwarmMemory(16 * 1024 * 1024, Int32Array.of(1)), 1, 1)
  const clock = { seconds: () => NOW_MILLISECONDS / 1000, milliseconds: () => NOW_MILLISECONDS }
  return trackerOver(swarm, clock, changes, { access })
}

export type Serving = Awaited<ReturnType<typeof serve>>

export async function serve(
  changes: Partial<Omit<HttpTrackerConfig, 'network'>> & {
    network?: Partial<HttpTrackerConfig['network']>
    tracker?: Tracker
    page?: Board
  } = {},
) {
  const { tracker = makeTracker(), page, network, ...rest } = changes
  const counters: CounterRow = new ListenerCounters(1).row(0)
  const garbage = new Garbage()
  const { log, lines } = capturedLog()
  const reports: string[] = []
  const all = { ...listener, ...rest, network: { ...listener.network, ...network } }
  const server = await serveHttp({
    listener: all,
    listenerRules: listenerRules(all.network),
    tracker,
    counters,
    certificate: await readCertificate(all.tls_config),
    reusePort: false,
    garbage,
    page,
    report: (what) => reports.push(what),
    log: new RequestLog(log, 'HTTP TRACKER', { listener: 'here' }),
  })
  return {
    ...server,
    log,
    lines,
    tracker,
    reports,
    counters,
    count: (counter: Counter) => [counters[AT[counter]], counters[AT[counter] + 1]],
    [Symbol.asyncDispose]: () => {
      garbage[Symbol.dispose]()
      return server.stop(0)
    },
  }
}
