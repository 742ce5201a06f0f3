/**
 * The health API (docs/behaviours.md O2): probes every listener over its own socket and reports in the
 * fields of both generations, with the database beside them. The status is 503 while the tracker stops,
 * else 200, whatever the report says.
 */
import { Elysia } from 'elysia'
import type { ListenerType } from '../memory/counters.ts'
import { printAddress, type SocketAddress } from '../wire/address.ts'
import { type Garbage, HTTP_REQUEST } from './garbage.ts'
import { type HttpServer, listen } from './listen.ts'
import { probeHttp, probeUdp, probeWebSocket, type Verdict } from './probe.ts'

/** A listener of this tracker. */
export type HealthService = {
  readonly type: ListenerType | 'tracker_rest_api'
  readonly scheme: 'udp' | 'http' | 'https' | 'ws' | 'wss'
  /** Where it listens, with its actual port. */
  readonly address: SocketAddress
  /** `scheme://ip:port` of the same. */
  readonly url: string
  readonly publicUrl: string | null
}

/** The database, which is watched all the time. The reference does not report it. */
export type HealthDatabase = {
  /** `core.database.driver`. */
  readonly driver: string
  /** Its last known state. The report is public: no path, no host, no credentials. */
  verdict(): Verdict
}

/** The memory of torrents and peers, in bytes. The reference does not report it. */
export type HealthMemory = {
  readonly used: number
  readonly limit: number
}

interface HealthOptions {
  readonly bind: SocketAddress
  /** Another socket of this process has the same port. */
  readonly reusePort?: boolean
  /** The listeners that there are now. */
  readonly services: () => readonly HealthService[]
  /** undefined: no database is configured. */
  readonly database: HealthDatabase | undefined
  readonly memory: () => HealthMemory
  /** Why clients are not served as they should be; undefined: they are. */
  readonly degraded: () => string | undefined
  /** Whether the tracker is stopping. */
  readonly draining: () => boolean
  readonly garbage: Garbage
}

export type HealthReport = {
  readonly status: 'Ok' | 'Error' | 'None'
  readonly message: string
  /** Only listeners: typed clients parse every `binding` as a socket address. */
  readonly details: readonly Awaited<ReturnType<typeof check>>[]
  /** Absent without a database. */
  readonly database?: { readonly driver: string; readonly result: Verdict }
  readonly memory: HealthMemory
  /**
   * Why clients are not served as they should be; absent: they are. The status stays Ok: the reference's clients
   * know no other word, and what restarts a tracker that is not Ok would lose every peer.
   */
  readonly degraded?: string
}

/** Longer than the slowest probe: a connection that waits for a report is not idle. */
const IDLE_SECONDS = 30
const MOST_BODY_BYTES = 64 * 1024

/** Probes all services at once. */
async function checkHealth(options: HealthOptions): Promise<HealthReport> {
  const { services, database } = options
  const details = await Promise.all(services().map(check))
  const watched = database && { driver: database.driver, result: database.verdict() }
  const failed = [...details, ...(watched ? [watched] : [])].some(({ result }) => 'Err' in result)
  const status = details.length === 0 ? 'None' : failed ? 'Error' : 'Ok'
  const degraded = options.degraded()
  return {
    status,
    message: status === 'Error' ? 'health check failed' : '',
    details,
    ...(watched && { database: watched }),
    memory: options.memory(),
    ...(degraded !== undefined && { degraded }),
  }
}

/** What is asked, in the words of the reference, and at which path. */
const PROBES = {
  udp_tracker: ['the udp tracker', ''],
  http_tracker: ['http tracker', '/health_check'],
  websocket_tracker: ['websocket tracker', ''],
  tracker_rest_api: ['api', '/api/health_check'],
} as const

async function check({ type, scheme, address, url, publicUrl }: HealthService) {
  const binding = printAddress(address)
  const [name, path] = PROBES[type]
  const isUdp = scheme === 'udp'
  return {
    service_binding: isUdp ? url : `${url}/`,
    binding,
    service_type: type,
    public_url: publicUrl,
    info: `checking ${name} health check at: ${isUdp ? binding : url + path}`,
    result: await probe(scheme, address, path),
  }
}

function probe(
  scheme: HealthService['scheme'],
  address: SocketAddress,
  path: string,
): Promise<Verdict> {
  if (scheme === 'udp') return probeUdp(address)
  if (scheme === 'ws' || scheme === 'wss') return probeWebSocket(scheme, address)
  return probeHttp(scheme, address, path)
}

const json = (value: unknown, status: number): Response =>
  new Response(JSON.stringify(value), { status, headers: { 'content-type': 'application/json' } })

/** Opens the listener. Rejects with one line that names the cause. */
export async function serveHealth(options: HealthOptions): Promise<HttpServer> {
  /** The report that is being made. Requests share it, so that they cannot pile up probes. */
  let underWay: Promise<HealthReport> | undefined
  const report = (): Promise<HealthReport> => {
    underWay ??= checkHealth(options).finally(() => {
      underWay = undefined
    })
    return underWay
  }
  /** Counts what each request leaves behind: anyone may ask as often as they like. */
  const counted =
    (answer: () => Response | Promise<Response>) =>
    ({ url }: { readonly url: string }) => {
      options.garbage.made(HTTP_REQUEST + url.length)
      return answer()
    }
  // The wildcard route of Bun takes everything else, so that Elysia's second router is never asked.
  const routes = { '/*': counted(() => new Response(null, { status: 404 })) }
  const empty = counted(() => json({}, 200))
  const health = counted(async () => json(await report(), options.draining() ? 503 : 200))
  const app = new Elysia({ strictPath: true, normalize: false, serve: { routes } })
    .get('/', ({ request }) => empty(request))
    .get('/health_check', ({ request }) => health(request))
  return listen(app, {
    bind: options.bind,
    certificate: null,
    reusePort: options.reusePort ?? false,
    idleSeconds: IDLE_SECONDS,
    mostBodyBytes: MOST_BODY_BYTES,
  })
}
