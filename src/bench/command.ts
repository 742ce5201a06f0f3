/** `tracker bench`: a load test of a tracker, by default only of one on this machine. */
import { INFO_HASH_BYTES, isLoopback } from '../bittorrent.ts'
import { EXIT, type Host } from '../cli/host.ts'
import { type Invocation, Misuse } from '../cli/invocation.ts'
import { printResult, showProgress } from '../cli/output.ts'
import { stopSignal } from '../cli/stop-signal.ts'
import { askInTurn } from '../client/ask.ts'
import { ClientFailure } from '../client/failure.ts'
import { getHttp } from '../client/http.ts'
import { type Address, resolve } from '../client/resolve.ts'
import { requestUrl } from '../client/tracker-url.ts'
import { UdpClient } from '../client/udp.ts'
import { WebSocketClient } from '../client/websocket.ts'
import { parseIp } from '../wire/address.ts'
import { scrapeQuery } from '../wire/http-client.ts'
import { ACTION } from '../wire/udp.ts'
import { HttpWire } from './http-load.ts'
import { Load, type Wire } from './load.ts'
import { configurationOf, type Plan, readPlan } from './plan.ts'
import { Population } from './population.ts'
import { reportOf, reportText } from './report.ts'
import { UdpWire } from './udp-load.ts'
import { WebSocketWire } from './websocket-load.ts'

/** Default of requests per second over a network. */
const REMOTE_RATE = 1_000
/** Processor time in cores from which on the load test itself may be the limit. */
const BUSY_CORES = 0.95

export const benchUdp = (invocation: Invocation, host: Host): Promise<number> =>
  bench(readPlan(invocation, ['udp'], { most: 256, fallback: 8 }), invocation, host)

export const benchHttp = (invocation: Invocation, host: Host): Promise<number> =>
  bench(readPlan(invocation, ['http', 'https'], { most: 1_024, fallback: 64 }), invocation, host)

export const benchWs = (invocation: Invocation, host: Host): Promise<number> =>
  bench(readPlan(invocation, ['ws', 'wss'], { most: 10_000, fallback: 500 }), invocation, host)

async function bench(plan: Plan, invocation: Invocation, host: Host): Promise<number> {
  try {
    const address = await findTracker(plan)
    const rate = plan.rate ?? (isLocalAddress(address) ? undefined : REMOTE_RATE)
    const population = new Population(plan)
    const wire = await openWire(plan, address, population)
    const before = process.cpuUsage()
    const load = new Load({ ...plan, rate, population })
    await drive(load, wire, plan, host)
    const { user, system } = process.cpuUsage(before)
    const cores = (user + system) / 1e6 / load.seconds
    const report = reportOf(configurationOf(plan, address, rate), load, cores)
    printResult(host, invocation, report, () => reportText(report))
    const failure = failureOf(load)
    if (failure !== undefined) complain(host, failure)
    else if (cores >= BUSY_CORES)
      complain(
        host,
        `the load test used ${cores.toFixed(2)} cores: it may have been the limit, not the tracker`,
      )
    return failure === undefined ? EXIT.success : EXIT.failure
  } catch (error) {
    if (!(error instanceof ClientFailure)) throw error
    const { kind, message } = error
    const refusal = `the tracker refuses: ${message || 'it gives no reason'}`
    complain(host, kind === 'refusal' ? refusal : message)
    return EXIT.failure
  }
}

const complain = (host: Host, message: string): void => host.complain(`tracker bench: ${message}\n`)

async function openWire(plan: Plan, address: Address, population: Population): Promise<Wire> {
  const { scheme, protocol, host, port, path } = plan.url
  const options = { ...plan, address, port, pathOf: () => path, population }
  if (scheme === 'udp') return await UdpWire.open(options)
  if (protocol === 'websocket')
    return new WebSocketWire({ ...options, host, tls: scheme === 'wss' })
  return new HttpWire({ ...options, host, tls: scheme === 'https' })
}

async function drive(load: Load, wire: Wire, plan: Plan, host: Host): Promise<void> {
  const signal = stopSignal(host)
  signal.promise.then(() => load.stop())
  using _line = showProgress(host, liveFigures(plan, load))
  try {
    await load.drive(wire)
  } finally {
    wire.close()
    signal.forget()
  }
}

/** The line of progress: rates since the previous line, the rest since the start. */
function liveFigures(plan: Plan, load: Load): () => string {
  let last = { seconds: 0, answers: 0 }
  return () => {
    const { tally } = load
    const now = { seconds: load.seconds, answers: tally.answers }
    const elapsed = Math.max(now.seconds - last.seconds, 0.001)
    const perSecond = Math.round((now.answers - last.answers) / elapsed)
    last = now
    const { errors, malformed, lost, latency } = tally.total()
    const bad = errors + malformed + lost
    const [p50, p99] = [0.5, 0.99].map((share) => latency.percentile(share).toFixed(2))
    if (!load.isSending)
      return `waiting for what is in flight, at most ${plan.timeoutMilliseconds / 1000} s`
    const time = `${Math.round(now.seconds)} of ${plan.durationMilliseconds / 1000} s`
    return `${time}: ${perSecond} answers/s, ${bad} errors or lost, p50 ${p50} ms, p99 ${p99} ms`
  }
}

/** Why the test failed; undefined: it did not. A tracker that answers no announce fails it, whatever else it answers. */
function failureOf({ tally, silence, options }: Load): string | undefined {
  const { requests, answers, errors, malformed, lost } = tally.kinds[ACTION.announce]!
  if (answers > 0)
    // A second more than the time limit: at a rate of 1 the last request may be that old.
    return silence > options.timeoutMilliseconds + 1000
      ? `no answer came in the last ${(silence / 1000).toFixed(1)} s: did the tracker end?`
      : undefined
  if (requests === 0)
    return `no announce could be sent: ${tally.socketErrors > 0 ? `${tally.socketErrors} connections failed` : 'there was no connection id in time'}`
  const what = [
    ...(errors > 0 ? [`${errors} refused (${tally.texts[0]!.text})`] : []),
    ...(malformed > 0 ? [`${malformed} answered with garbage`] : []),
    ...(lost > 0 ? [`${lost} lost`] : []),
  ]
  return `not one of ${requests} announces was answered: ${what.join(', ')}`
}

/** The first address that answers. Throws `Misuse` before anything is sent to an address that is not allowed. */
async function findTracker(plan: Plan): Promise<Address> {
  const { url, family, timeoutMilliseconds: milliseconds } = plan
  const addresses = await resolve(url.host, { family, milliseconds })
  const foreign = addresses.find((address) => !isLocalAddress(address))
  if (foreign && !plan.owned)
    throw new Misuse(
      `URL leads to ${foreign.ip}, which is not this machine's loopback: a load test of a tracker that is not yours is an attack; if it is yours, say --i-own-this-target`,
    )
  return await askInTurn(addresses, async (address) => {
    await probe(plan, address)
    return address
  })
}

const isLocalAddress = ({ ip, family }: Address): boolean => isLoopback(parseIp(ip)!, family)

/** Asks one question. Throws `ClientFailure` if the answer is not a tracker's. */
async function probe(plan: Plan, address: Address): Promise<void> {
  const { url, insecure, timeoutMilliseconds: milliseconds } = plan
  if (url.scheme === 'udp') {
    using client = await UdpClient.open(address, url.port, { milliseconds })
    return await client.connect()
  }
  const nothing = [new Uint8Array(INFO_HASH_BYTES)]
  if (url.protocol === 'websocket') {
    using client = new WebSocketClient(url, address, { milliseconds, insecure })
    return void (await client.scrape(nothing))
  }
  const target = requestUrl(url, 'scrape', scrapeQuery(nothing))
  await getHttp(target, { milliseconds, insecure, address })
}
