/** Opens one listener of the trackers on one thread. */
import type {
  HttpTrackerConfig,
  NetworkConfig,
  UdpTrackerConfig,
  WebSocketTrackerConfig,
} from '../config/model.ts'
import type { Log } from '../log/log.ts'
import type { Report } from '../log/report.ts'
import type { Board } from '../memory/board.ts'
import { countAllClosed, ListenerCounters } from '../memory/counters.ts'
import type { Relay } from '../relay/relay.ts'
import { ConnectionCounts } from '../servers/connection-counts.ts'
import { ConnectionIds } from '../servers/connection-id.ts'
import type { Descriptors } from '../servers/direct-socket.ts'
import type { Garbage } from '../servers/garbage.ts'
import { serveHttp } from '../servers/http.ts'
import type { Certificate } from '../servers/listen.ts'
import { RequestLog } from '../servers/request-log.ts'
import { serveUdp } from '../servers/udp.ts'
import { serveWebSockets, WebSockets } from '../servers/websocket.ts'
import { systemClock } from '../time/clock.ts'
import type { ListenerRules, Tracker } from '../tracker.ts'
import { parseIp, printAddress } from '../wire/address.ts'

/** A listener of the configuration. */
export type Wanted =
  | { readonly type: 'udp_tracker'; readonly listener: UdpTrackerConfig }
  | {
      readonly type: 'http_tracker'
      readonly listener: HttpTrackerConfig
      readonly certificate: Certificate | null
    }
  | {
      readonly type: 'websocket_tracker'
      readonly listener: WebSocketTrackerConfig
      /** That of the HTTP listener with the same address, if there is one. */
      readonly certificate: Certificate | null
      /** Whether an HTTP listener has the same address. */
      readonly isHosted: boolean
    }

/** The same as every thread opens it; survives `postMessage`. */
export type Opening = {
  /** Names it while it is open, and never another. */
  readonly id: number
  /** Its `ListenerCounters`. */
  readonly counters: SharedArrayBuffer
  /** Another socket of this process has the same port, and will be closed. */
  readonly sharesPort: boolean
} & (
  | {
      readonly type: 'udp_tracker'
      readonly listener: UdpTrackerConfig
      /** By thread; see servers/direct-socket.ts. */
      readonly descriptors: readonly (Descriptors | undefined)[]
    }
  | {
      readonly type: 'http_tracker'
      readonly listener: HttpTrackerConfig
      readonly certificate: Certificate | null
    }
  | {
      readonly type: 'websocket_tracker'
      readonly listener: WebSocketTrackerConfig
      readonly certificate: Certificate | null
      /** The HTTP listener whose server it shares; undefined: it has one of its own. */
      readonly host: number | undefined
      /** See servers/connection-counts.ts. */
      readonly connections: SharedArrayBuffer
    }
)

/** Whether it listens itself: WebSockets may be on the socket of an HTTP listener, whatever becomes of them. */
export const hasSocket = (opening: Opening): boolean =>
  opening.type !== 'websocket_tracker' || opening.host === undefined

/** What URLs of it begin with. */
export function schemeOf(opening: Opening): 'udp' | 'http' | 'https' | 'ws' | 'wss' {
  if (opening.type === 'udp_tracker') return 'udp'
  const isSecure = opening.certificate !== null
  if (opening.type === 'http_tracker') return isSecure ? 'https' : 'http'
  return isSecure ? 'wss' : 'ws'
}

/** The same listener on another port. */
export function withPort<O extends Pick<Opening, 'listener'>>(opening: O, port: number): O {
  const { listener } = opening
  const bind_address = { ...listener.bind_address, port }
  return { ...opening, listener: { ...listener, bind_address } }
}

/** The options that a listener follows while it is open. */
export type Following = Pick<Opening, 'id' | 'listener'>

export type OpenListener = {
  readonly port: number
  /** Bytes of the receive buffer of a UDP socket; Infinity: none is known. */
  readonly receiveBuffer: number
  /** Counters of a WebSocket listener, on all threads. */
  readonly webSockets?: ListenerCounters
  follow(listener: Opening['listener']): void
  /** Of an HTTP tracker: see `HttpTrackerServer.host`. */
  host?(sockets: WebSockets | undefined): void
  /** It will be closed soon: clients are asked to open another connection. */
  retire(): void
  /** Stops listening and answers what was received; resolves once every connection is closed. */
  stop(graceMilliseconds: number): Promise<void> | void
}

type ThreadParts = {
  /** From 1. */
  readonly thread: number
  readonly threads: number
  /** Key of the UDP connection ids. */
  readonly secret: Uint8Array
  readonly tracker: Tracker
  /** undefined: the swarm has no WebTorrent peers. */
  readonly relay: Relay | undefined
  /** See `WebSocketsOptions`. */
  readonly hasRoom: () => boolean
  readonly page: Board
  readonly garbage: Garbage
  readonly log: Log
}

/** What an earlier thread of this number counted as open is closed. */
export function forgetPredecessor(opening: Opening, { thread, threads }: ThreadParts): void {
  if (opening.type !== 'websocket_tracker') return
  countAllClosed(new ListenerCounters(threads, opening.counters).row(thread - 1))
  new ConnectionCounts(opening.connections, threads, thread - 1).forgetPredecessor()
}

/** `open`: listeners of this thread, by id. Rejects with one line that names the cause. */
export async function openListener(
  opening: Opening,
  open: (id: number) => OpenListener | undefined,
  parts: ThreadParts,
): Promise<OpenListener> {
  switch (opening.type) {
    case 'udp_tracker':
      return await openUdp(opening, parts)
    case 'http_tracker':
      return await openHttp(opening, parts)
    case 'websocket_tracker':
      return await openWebSockets(opening, open, parts)
  }
}

/** What servers of all protocols are given. `target`: of the log. */
function commonOf(opening: Opening, target: string, parts: ThreadParts) {
  const { thread, threads, tracker, garbage, log } = parts
  return {
    tracker,
    garbage,
    counters: new ListenerCounters(threads, opening.counters).row(thread - 1),
    reusePort: threads > 1 || opening.sharesPort,
    report: reportTo(log, target),
    log: new RequestLog(log, target, {
      listener: printAddress(opening.listener.bind_address),
      thread,
    }),
  }
}

async function openUdp(opening: Of<'udp_tracker'>, parts: ThreadParts): Promise<OpenListener> {
  const { listener } = opening
  const { ip, port } = listener.bind_address
  const server = await serveUdp({
    ...commonOf(opening, 'UDP TRACKER', parts),
    ...udpOptions(listener, parts.secret),
    ip,
    port,
    ipv6Only: listener.network.ipv6_v6only,
    clock: systemClock,
    descriptors: opening.descriptors[parts.thread - 1],
  })
  return {
    port: server.port,
    receiveBuffer: server.receiveBuffer ?? Infinity,
    follow: (next) => server.follow(udpOptions(next as UdpTrackerConfig, parts.secret)),
    retire() {},
    stop: () => server.stop(),
  }
}

async function openHttp(opening: Of<'http_tracker'>, parts: ThreadParts): Promise<OpenListener> {
  const server = await serveHttp({
    ...commonOf(opening, 'HTTP TRACKER', parts),
    ...httpOptions(opening.listener),
    certificate: opening.certificate,
    page: parts.page,
  })
  return {
    port: server.address.port,
    receiveBuffer: Infinity,
    follow: (next) => server.follow(httpOptions(next as HttpTrackerConfig)),
    host: (sockets) => server.host(sockets),
    retire: () => server.retire(),
    stop: (graceMilliseconds) => server.stop(graceMilliseconds),
  }
}

async function openWebSockets(
  opening: Of<'websocket_tracker'>,
  open: (id: number) => OpenListener | undefined,
  parts: ThreadParts,
): Promise<OpenListener> {
  const { thread, threads, relay, hasRoom } = parts
  if (relay === undefined) throw new Error('this swarm has no WebTorrent peers')
  const common = commonOf(opening, 'WEBSOCKET TRACKER', parts)
  const all = new ListenerCounters(threads, opening.counters)
  const sockets = new WebSockets({
    ...common,
    listener: opening.listener,
    relay,
    hasRoom,
    all,
    connections: new ConnectionCounts(opening.connections, threads, thread - 1),
    clock: systemClock,
  })
  const { requests } = sockets
  const host = opening.host === undefined ? undefined : open(opening.host)
  host?.host?.(sockets)
  const own =
    host === undefined
      ? await serveWebSockets(sockets, {
          certificate: opening.certificate,
          reusePort: common.reusePort,
        }).catch(async (error) => {
          await requests.stop()
          throw error
        })
      : undefined
  return {
    port: own?.address.port ?? host!.port,
    webSockets: all,
    receiveBuffer: Infinity,
    follow: (next) => requests.follow(next as WebSocketTrackerConfig),
    retire() {},
    stop: async (graceMilliseconds) => {
      host?.host?.(undefined)
      await requests.stop()
      await own?.stop(graceMilliseconds)
    },
  }
}

type Of<T extends Opening['type']> = Extract<Opening, { readonly type: T }>

const udpOptions = ({ network, cookie_lifetime }: UdpTrackerConfig, secret: Uint8Array) => ({
  listenerRules: listenerRules(network),
  connectionIds: new ConnectionIds(secret, cookie_lifetime),
})

const httpOptions = (listener: HttpTrackerConfig) => ({
  listener,
  listenerRules: listenerRules(listener.network),
})

export function listenerRules({ external_ip }: NetworkConfig): ListenerRules {
  const bytes = external_ip === null ? undefined : parseIp(external_ip)
  return { externalIp: bytes && { family: bytes.length === 4 ? 4 : 6, bytes } }
}

const reportTo =
  (log: Log, target: string): Report =>
  (what, error) => {
    const text = error instanceof Error ? (error.stack ?? error.message) : String(error)
    log.error(target, `internal error: {what}: ${text}`, { what })
  }
