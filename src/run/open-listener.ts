/** Opens one listener of the trackers on one thread. */
import type { HttpTrackerConfig, NetworkConfig, UdpTrackerConfig } from '../config/model.ts'
import type { Log } from '../log/log.ts'
import type { Report } from '../log/report.ts'
import type { Board } from '../memory/board.ts'
import { ListenerCounters } from '../memory/counters.ts'
import { ConnectionIds } from '../servers/connection-id.ts'
import type { Descriptors } from '../servers/direct-socket.ts'
import type { Garbage } from '../servers/garbage.ts'
import { serveHttp } from '../servers/http.ts'
import type { Certificate } from '../servers/listen.ts'
import { RequestLog } from '../servers/request-log.ts'
import { serveUdp } from '../servers/udp.ts'
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
)

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
  follow(listener: Opening['listener']): void
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
  readonly page: Board
  readonly garbage: Garbage
  readonly log: Log
}

/** Rejects with one line that names the cause. */
export async function openListener(opening: Opening, parts: ThreadParts): Promise<OpenListener> {
  const { thread, threads, tracker, page, garbage, log } = parts
  const common = {
    tracker,
    garbage,
    counters: new ListenerCounters(threads, opening.counters).row(thread - 1),
    reusePort: threads > 1 || opening.sharesPort,
  }
  const requestLog = (target: string) =>
    new RequestLog(log, target, {
      listener: printAddress(opening.listener.bind_address),
      thread,
    })
  if (opening.type === 'udp_tracker') {
    const { ip, port } = opening.listener.bind_address
    const server = await serveUdp({
      ...common,
      ...udpOptions(opening.listener, parts.secret),
      ip,
      port,
      ipv6Only: opening.listener.network.ipv6_v6only,
      clock: systemClock,
      descriptors: opening.descriptors[thread - 1],
      report: reportTo(log, 'UDP TRACKER'),
      log: requestLog('UDP TRACKER'),
    })
    return {
      port: server.port,
      receiveBuffer: server.receiveBuffer ?? Infinity,
      follow: (listener) => server.follow(udpOptions(listener as UdpTrackerConfig, parts.secret)),
      retire() {},
      stop: () => server.stop(),
    }
  }
  const server = await serveHttp({
    ...common,
    ...httpOptions(opening.listener),
    certificate: opening.certificate,
    page,
    report: reportTo(log, 'HTTP TRACKER'),
    log: requestLog('HTTP TRACKER'),
  })
  return {
    port: server.address.port,
    receiveBuffer: Infinity,
    follow: (listener) => server.follow(httpOptions(listener as HttpTrackerConfig)),
    retire: () => server.retire(),
    stop: (graceMilliseconds) => server.stop(graceMilliseconds),
  }
}

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
