/** A real tracker behind one WebSocket listener on port 0, whose clock the test sets. */
import type { Access } from '../../../src/access/access.ts'
import type { WebSocketTrackerConfig } from '../../../src/config/model.ts'
import { AT, type Counter, ListenerCounters, ThreadCounters } from '../../../src/memory/counters.ts'
import { Relay } from '../../../src/relay/relay.ts'
import type { RuleValues } from '../../../src/rules.ts'
import { ConnectionCounts, createConnectionCounts } from '../../../src/servers/connection-counts.ts'
import { Garbage } from '../../../src/servers/garbage.ts'
import { readCertificate } from '../../../src/servers/listen.ts'
import { RequestLog } from '../../../src/servers/request-log.ts'
import { countOpen, serveWebSockets, WebSockets } from '../../../src/servers/websocket.ts'
import { FAMILIES, WEB_ROW } from '../../../src/swarm/layout.ts'
import { createSwarmMemory, Swarm } from '../../../src/swarm/swarm.ts'
import { capturedLog } from '../captured-log.ts'
import { Speaker } from '../webtorrent/speaker.ts'
import { trackerOver } from './served-http.ts'

export const webSocketListener: WebSocketTrackerConfig = {
  bind_address: { ip: '127.0.0.1', port: 0 },
  tls_config: null,
  tracker_usage_statistics: true,
  public_url: null,
  announce_interval: 120,
  peer_timeout: 300,
  max_offers: 10,
  max_connections: 0,
  max_connections_per_ip: 0,
  allowed_origins: [],
  network: { on_reverse_proxy: false, ipv6_v6only: false },
}

type Changes = Partial<Omit<WebSocketTrackerConfig, 'network'>> & {
  readonly network?: Partial<WebSocketTrackerConfig['network']>
  readonly rules?: Partial<RuleValues>
  readonly tracking?: Parameters<typeof trackerOver>[3]
  readonly access?: Access
  readonly bytes?: number
  readonly mostConnections?: number
}

export type ServedWebSockets = Awaited<ReturnType<typeof serveWeb>>

export async function serveWeb(changes: Changes = {}) {
  const { rules, tracking, access, bytes = 16 * 2 ** 20, mostConnections = 1_000 } = changes
  const { network, ...rest } = changes
  const listener = {
    ...webSocketListener,
    ...rest,
    network: { ...webSocketListener.network, ...network },
  }
  const time = { now: 1_000_000_000 }
  const clock = { seconds: () => Math.floor(time.now), milliseconds: () => time.now * 1000 }
  const threadCounters = new ThreadCounters(1).row(0)
  const memory = createSwarmMemory(bytes, Int32Array.of(1), false, [...FAMILIES, WEB_ROW])
  const swarm = new Swarm(memory, 1, 1, { counts: threadCounters })
  const values = { webPeerTimeoutSeconds: listener.peer_timeout, ...rules }
  const tracker = trackerOver(swarm, clock, values, { access, ...tracking })
  const all = new ListenerCounters(1)
  const counters = all.row(0)
  const garbage = new Garbage()
  const { log, lines } = capturedLog()
  const reports: string[] = []
  const relay = new Relay(1, threadCounters, clock)
  const sockets = new WebSockets({
    listener,
    tracker,
    relay,
    all,
    counters,
    connections: new ConnectionCounts(createConnectionCounts(1), 1, 0),
    hasRoom: () => countOpen(all) < mostConnections,
    garbage,
    clock,
    report: (what, error) => reports.push(`${what}: ${error}`),
    log: new RequestLog(log, 'WEBSOCKET TRACKER', { listener: 'here' }),
  })
  const certificate = await readCertificate(listener.tls_config)
  const server = await serveWebSockets(sockets, { certificate, reusePort: false })
  return {
    ...server,
    sockets,
    swarm,
    tracker,
    relay,
    log,
    lines,
    reports,
    counters,
    time,
    all,
    /** Opens a WebSocket. */
    join: (path = '/announce', options: Bun.WebSocketOptions = {}) =>
      Speaker.open(`${server.url}${path}`, options),
    count: (counter: Counter): number => counters[AT[counter]]! + counters[AT[counter] + 1]!,
    [Symbol.asyncDispose]: async () => {
      await sockets.requests.stop()
      garbage[Symbol.dispose]()
      await server.stop(0)
    },
  }
}
