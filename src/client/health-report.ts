/**
 * Asks a service for its health and understands the report, of either generation of the reference
 * (spec/torrust-console-tools §4, spec/torrust-newest §7.1) or of a single service.
 */
import type { Family } from '../bittorrent.ts'
import { joinPort } from '../wire/address.ts'
import { ClientFailure, noAnswerWithin, printable } from './failure.ts'
import { getHttp, type HttpReply } from './http.ts'
import { type Address, resolve } from './resolve.ts'
import type { TrackerUrl } from './tracker-url.ts'

export interface ServiceHealth {
  /** Where it listens, or what it is. */
  readonly service: string
  /** `udp_tracker`, …; the older generation does not say. */
  readonly type?: string
  readonly status: 'Ok' | 'Error'
  readonly message: string
}

export interface HealthAnswer {
  /** `ip:port` that answered. */
  readonly remote: string
  readonly httpStatus: number
  /** `200 OK`. */
  readonly statusLine: string
  /** As the report has it; null: the body says nothing of the kind. */
  readonly status: string | null
  readonly services: readonly ServiceHealth[]
  /** Why it is not well, in one line; undefined: nothing says so. */
  readonly problem: string | undefined
}

export interface HealthOptions {
  /** Time limit in all, however many addresses the name has. */
  readonly milliseconds: number
  /** Only addresses of this. */
  readonly family?: Family | undefined
  readonly insecure?: boolean | undefined
}

/** Rejects with `ClientFailure` and nothing else: no address of the host answered. */
export async function askHealth(url: TrackerUrl, options: HealthOptions): Promise<HealthAnswer> {
  const end = performance.now() + options.milliseconds
  const addresses = await resolve(url.host, options)
  const failures: ClientFailure[] = []
  for (const [i, address] of addresses.entries()) {
    // A silent one leaves time for the others.
    const milliseconds = Math.ceil((end - performance.now()) / (addresses.length - i))
    if (milliseconds <= 0) break
    try {
      const href = new URL(url.href)
      return judge(url, address, await getHttp(href, { ...options, milliseconds, address }))
    } catch (error) {
      if (!(error instanceof ClientFailure)) throw error
      failures.push(error)
    }
  }
  const late = new ClientFailure('timeout', `${url.href}: ${noAnswerWithin(options.milliseconds)}`)
  throw failures.find(({ kind }) => kind !== 'connect') ?? failures[0] ?? late
}

function judge(url: TrackerUrl, { ip }: Address, reply: HttpReply): HealthAnswer {
  const statusLine = printable(`${reply.status} ${reply.statusText}`)
  const report = readReport(reply.body)
  const { status, services } = report
  return {
    remote: joinPort(ip, url.port),
    httpStatus: reply.status,
    statusLine,
    status,
    services,
    problem: problemOf(reply, statusLine, report),
  }
}

interface Report {
  readonly status: string | null
  readonly services: readonly ServiceHealth[]
}

function problemOf(
  { status: code, location }: HttpReply,
  statusLine: string,
  { status, services }: Report,
): string | undefined {
  if (code === 503 && status !== null) return `it is shutting down (${statusLine})`
  if (code < 200 || code > 299)
    return `HTTP status ${statusLine}${location === undefined ? '' : `, moved to ${printable(location)}`}`
  if (status === null || status === 'Ok') return undefined
  if (status === 'None') return 'no service is running: none is configured'
  const failed = services.filter((service) => service.status === 'Error').map(printService)
  return failed.length === 0 ? `it says status ${status}` : failed.slice(0, MOST_NAMED).join('; ')
}

/** Services that are named in one line. */
const MOST_NAMED = 10

export const printService = ({ service, type, message }: ServiceHealth): string =>
  `${type === undefined ? '' : `${type} `}${service}: ${message}`

function readReport(body: Uint8Array): Report {
  const report = readObject(body)
  const status = report.get('status')
  const details = report.get('details')
  const services = Array.isArray(details) ? details.map(readService) : []
  const database = report.get('database')
  return {
    status: typeof status === 'string' ? printable(status) : null,
    services: database === undefined ? services : [...services, readDatabase(database)],
  }
}

/** It stands beside the listeners; older versions of this tracker had it among them. */
function readDatabase(database: unknown): ServiceHealth {
  const driver = membersOf(database).get('driver')
  return {
    service: typeof driver === 'string' ? printable(driver) : 'without a name',
    type: 'database',
    ...readResult(database),
  }
}

function readService(detail: unknown): ServiceHealth {
  const members = membersOf(detail)
  const text = (name: string): string | undefined => {
    const value = members.get(name)
    return typeof value === 'string' ? printable(value) : undefined
  }
  const type = text('service_type')
  return {
    service: text('service_binding') ?? text('binding') ?? 'a service without a name',
    ...(type !== undefined && { type }),
    ...readResult(detail),
  }
}

function readResult(of: unknown): Pick<ServiceHealth, 'status' | 'message'> {
  const result = membersOf(membersOf(of).get('result'))
  const [status, message] = result.has('Ok')
    ? (['Ok', result.get('Ok')] as const)
    : (['Error', result.get('Err')] as const)
  return { status, message: typeof message === 'string' ? printable(message) : 'no result' }
}

function readObject(body: Uint8Array): ReadonlyMap<string, unknown> {
  try {
    return membersOf(JSON.parse(Buffer.from(body).toString()))
  } catch {
    // Not JSON, or nested deeper than the parser goes: no report.
    return new Map()
  }
}

const membersOf = (value: unknown): ReadonlyMap<string, unknown> =>
  new Map<string, unknown>(typeof value === 'object' && value !== null ? Object.entries(value) : [])
