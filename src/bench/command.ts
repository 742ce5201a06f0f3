/** `tracker bench`: a load test of a tracker, by default only of one on this machine. */
import { isLoopback } from '../bittorrent.ts'
import { EXIT, type Host } from '../cli/host.ts'
import {
  type Invocation,
  Misuse,
  numberValue,
  optionValue,
  readFamily,
  secondsValue,
} from '../cli/invocation.ts'
import { printResult, showProgress } from '../cli/output.ts'
import { stopSignal } from '../cli/stop-signal.ts'
import { askInTurn } from '../client/ask.ts'
import { ClientFailure } from '../client/failure.ts'
import { getHttp } from '../client/http.ts'
import { type Address, resolve } from '../client/resolve.ts'
import { parseTrackerUrl, requestUrl } from '../client/tracker-url.ts'
import { UdpClient } from '../client/udp.ts'
import { joinPort, parseIp } from '../wire/address.ts'
import { scrapeQuery } from '../wire/http-client.ts'
import { ACTION } from '../wire/udp.ts'
import { HttpWire } from './http-load.ts'
import { Load, type Mix, type Wire } from './load.ts'
import { Population } from './population.ts'
import { type LoadConfiguration, reportOf, reportText } from './report.ts'
import { MAX_WINDOW, UdpWire, type WireOptions } from './udp-load.ts'

/** Default of requests per second over a network. */
const REMOTE_RATE = 1_000
/**
 * Requests in flight of each UDP socket. Those of eight fit into three quarters of Linux's default receive buffer, which
 * is as much as it holds while it is read.
 */
const WINDOW = 20
/** Processor time in cores from which on the load test itself may be the limit. */
const BUSY_CORES = 0.95

type Plan = ReturnType<typeof readPlan>

export function benchUdp(invocation: Invocation, host: Host): Promise<number> {
  const plan = readPlan(invocation, ['udp'], { most: 256, fallback: 8 })
  return bench(plan, invocation, host, {}, (options) =>
    UdpWire.open({ ...options, window: plan.window }),
  )
}

export function benchHttp(invocation: Invocation, host: Host): Promise<number> {
  const plan = readPlan(invocation, ['http', 'https'], { most: 1_024, fallback: 64 })
  const { url, insecure } = plan
  const closes = invocation.options.has('close')
  return bench(plan, invocation, host, { close: closes }, (options) => {
    const tls = url.scheme === 'https'
    return new HttpWire({ ...options, host: url.host, tls, insecure, closes })
  })
}

async function bench(
  plan: Plan,
  invocation: Invocation,
  host: Host,
  more: Partial<LoadConfiguration>,
  open: (options: WireOptions) => Wire | Promise<Wire>,
): Promise<number> {
  try {
    const address = await findTracker(plan)
    const rate = plan.rate ?? (isLocalAddress(address) ? undefined : REMOTE_RATE)
    const population = new Population(plan)
    const { port, path } = plan.url
    const wire = await open({ ...plan, address, port, pathOf: () => path, population })
    const before = process.cpuUsage()
    const load = new Load({ ...plan, rate, population })
    await drive(load, wire, plan, host)
    const { user, system } = process.cpuUsage(before)
    const configuration = { ...configurationOf(plan, address, rate), ...more }
    const cores = (user + system) / 1e6 / load.seconds
    const report = reportOf(configuration, load, cores)
    printResult(host, invocation, report, () => reportText(report))
    return verdict(load, cores, host)
  } catch (error) {
    if (!(error instanceof ClientFailure)) throw error
    const { kind, message } = error
    complain(
      host,
      kind === 'refusal' ? `the tracker refuses: ${message || 'it gives no reason'}` : message,
    )
    return EXIT.failure
  }
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

/** The exit code. A tracker that answers no announce fails the test, whatever else it answers. */
function verdict(load: Load, cores: number, host: Host): 0 | 1 {
  const { tally, silence, options } = load
  const { requests, answers, errors, malformed, lost } = tally.kinds[ACTION.announce]!
  if (answers > 0) {
    // A second more than the time limit: at a rate of 1 the last request may be that old.
    if (silence > options.timeoutMilliseconds + 1000) {
      complain(
        host,
        `no answer came in the last ${(silence / 1000).toFixed(1)} s: did the tracker end?`,
      )
      return 1
    }
    if (cores >= BUSY_CORES)
      complain(
        host,
        `the load test used ${cores.toFixed(2)} cores: it may have been the limit, not the tracker`,
      )
    return 0
  }
  const what = [
    ...(errors > 0 ? [`${errors} refused (${tally.texts[0]!.text})`] : []),
    ...(malformed > 0 ? [`${malformed} answered with garbage`] : []),
    ...(lost > 0 ? [`${lost} lost`] : []),
  ]
  complain(
    host,
    requests === 0
      ? `no announce could be sent: ${tally.socketErrors > 0 ? `${tally.socketErrors} connections failed` : 'there was no connection id in time'}`
      : `not one of ${requests} announces was answered: ${what.join(', ')}`,
  )
  return 1
}

const complain = (host: Host, message: string): void => host.complain(`tracker bench: ${message}\n`)

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
  const target = requestUrl(url, 'scrape', scrapeQuery([new Uint8Array(20)]))
  await getHttp(target, { milliseconds, insecure, address })
}

/** Throws `Misuse`. `clients`: the limit of that option, and its default. */
function readPlan(
  invocation: Invocation,
  schemes: readonly string[],
  clients: { readonly most: number; readonly fallback: number },
) {
  const url = parseTrackerUrl(invocation.arguments[0]!)
  if (typeof url === 'string') throw new Misuse(`URL ${url}`)
  if (!schemes.includes(url.scheme))
    throw new Misuse(`URL must begin with ${schemes.join(':// or ')}://, not ${url.scheme}://`)
  const count = (name: string, min: number, max: number, fallback: number) =>
    numberValue(invocation, name, { min, max }, fallback)
  const torrents = count('torrents', 1, 1_000_000, 10_000)
  const peers = count('peers', 1, 2_000_000, torrents * 2)
  if (peers < torrents)
    throw new Misuse(`--peers must be at least the number of torrents, ${torrents}, not ${peers}`)
  const has = (name: string) => invocation.options.has(name)
  const mix: Mix = optionValue(invocation, 'mix') === 'announce' ? 'announce' : 'mixed'
  return {
    url,
    family: readFamily(invocation),
    /** The user says that the tracker is theirs. */
    owned: has('i-own-this-target'),
    insecure: has('insecure'),
    durationMilliseconds: secondsValue(invocation, 'duration', { min: 0.1, max: 600 }, 10),
    timeoutMilliseconds: secondsValue(invocation, 'timeout', { min: 0.1, max: 60 }, 2),
    rate: numberValue(invocation, 'rate', { min: 1, max: 10_000_000 }, undefined),
    mix,
    clients: count('clients', 1, clients.most, clients.fallback),
    window: url.scheme === 'udp' ? count('window', 1, MAX_WINDOW, WINDOW) : 1,
    torrents,
    peers,
    seeders: count('seeders', 0, 100, 75),
    want: count('numwant', 0, 1_000, 30),
    seed: count('seed', 0, Number.MAX_SAFE_INTEGER, 1),
  }
}

const configurationOf = (
  plan: Plan,
  address: Address,
  rate: number | undefined,
): LoadConfiguration => ({
  url: plan.url.href,
  address: joinPort(address.ip, plan.url.port),
  mix: plan.mix,
  duration_seconds: plan.durationMilliseconds / 1000,
  rate: rate ?? null,
  clients: plan.clients,
  window: plan.window,
  torrents: plan.torrents,
  peers: plan.peers,
  seeders_percent: plan.seeders,
  numwant: plan.want,
  timeout_seconds: plan.timeoutMilliseconds / 1000,
  seed: plan.seed,
})
