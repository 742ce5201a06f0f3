/**
 * Asks a service for its health and reads the report: that of either generation of the reference
 * (docs/behaviours.md O2, T6), or that of a single service.
 */
import { oneLine } from '../text/printable.ts'
import { Deadline } from '../time/deadline.ts'
import { joinPort } from '../wire/address.ts'
import { type AskOptions, askInTurn } from './ask.ts'
import { getHttp, type HttpReply, statusOf } from './http.ts'
import { resolve } from './resolve.ts'
import type { TrackerUrl } from './tracker-url.ts'

interface ServiceHealth {
  /** Where it listens, or its name. */
  readonly service: string
  /** `udp_tracker`, …; absent from reports of the older generation. */
  readonly type?: string
  readonly status: 'Ok' | 'Error'
  readonly message: string
}

export interface HealthAnswer {
  /** The `ip:port` that answered. */
  readonly remote: string
  readonly httpStatus: number
  /** `200 OK`. */
  readonly statusLine: string
  /** As the report has it; null: the body is not a health report. */
  readonly status: string | null
  readonly services: readonly ServiceHealth[]
  /** Why it is unhealthy, in one line; undefined: no sign of it. */
  readonly problem: string | undefined
  /** Why a healthy tracker does not serve clients as it should, in one line; undefined: no sign of it. */
  readonly degraded: string | undefined
  /** Bytes for torrents and peers; undefined: the report does not have them. */
  readonly memory: { readonly used: number; readonly limit: number } | undefined
}

/**
 * The time limit covers all addresses of the host together. Rejects with `ClientFailure` if none of them answers,
 * and with nothing else.
 */
export async function askHealth(url: TrackerUrl, options: AskOptions): Promise<HealthAnswer> {
  const deadline = Deadline.in(options.milliseconds)
  const addresses = await resolve(url.host, options)
  return await askInTurn(addresses, async (address, left) => {
    // A silent address leaves time for the others.
    const milliseconds = Math.max(1, Math.ceil(deadline.left / left))
    const reply = await getHttp(new URL(url.href), { ...options, milliseconds, address })
    const report = readReport(reply.body)
    return {
      remote: joinPort(address.ip, url.port),
      httpStatus: reply.status,
      statusLine: oneLine(`${reply.status} ${reply.statusText}`),
      ...report,
      problem: problemOf(reply, report),
    }
  })
}

type ParsedReport = Pick<HealthAnswer, 'status' | 'services' | 'degraded' | 'memory'>

function problemOf(reply: HttpReply, { status, services }: ParsedReport): string | undefined {
  const code = reply.status
  if (code === 503 && status !== null)
    return `it is shutting down (${code} ${oneLine(reply.statusText)})`
  if (code < 200 || code > 299) return statusOf(reply)
  if (status === null || status === 'Ok') return undefined
  if (status === 'None') return 'no service is running: none is configured'
  const failed = services.filter((service) => service.status === 'Error').map(printService)
  return failed.length === 0 ? `it says status ${status}` : failed.slice(0, MOST_NAMED).join('; ')
}

/** Most services that one line names. */
const MOST_NAMED = 10

export const printService = ({ service, type, message }: ServiceHealth): string =>
  `${type === undefined ? '' : `${type} `}${service}: ${message}`

/** Any JSON, with the members of an object. */
type Json = Readonly<Record<string, unknown>>
const membersOf = (value: unknown): Json =>
  typeof value === 'object' && value !== null ? (value as Json) : {}

const textOf = (value: unknown): string | undefined =>
  typeof value === 'string' ? oneLine(value) : undefined

function readReport(body: Uint8Array): ParsedReport {
  let report: Json = {}
  try {
    report = membersOf(JSON.parse(Buffer.from(body).toString()))
  } catch {
    // Not JSON, or nested deeper than the parser can go.
  }
  const { details, database, memory } = report
  const services = Array.isArray(details) ? details.map(readService) : []
  const { used, limit } = membersOf(memory)
  return {
    status: textOf(report.status) ?? null,
    // The database stands beside the listeners; older versions of this tracker listed it among them.
    services: database === undefined ? services : [...services, readService(asDetail(database))],
    degraded: textOf(report.degraded),
    memory: typeof used === 'number' && typeof limit === 'number' ? { used, limit } : undefined,
  }
}

const asDetail = (database: unknown): Json => {
  const { driver = 'without a name', result } = membersOf(database)
  return { service_binding: driver, service_type: 'database', result }
}

function readService(detail: unknown): ServiceHealth {
  const { service_binding, binding, service_type, result } = membersOf(detail)
  const type = textOf(service_type)
  const outcome = membersOf(result)
  const status = 'Ok' in outcome ? 'Ok' : 'Error'
  return {
    service: textOf(service_binding) ?? textOf(binding) ?? 'a service without a name',
    ...(type !== undefined && { type }),
    status,
    message: textOf(status === 'Ok' ? outcome.Ok : outcome.Err) ?? 'no result',
  }
}
