/**
 * Child process: one load on a server that runs already, with the generators of `tracker bench`. Every peer announces
 * once, the load warms the server up, then the measured seconds begin. Takes its options as JSON and prints one JSON object.
 */
import { readdirSync, readFileSync } from 'node:fs'
import { HttpWire } from '../src/bench/http-load.ts'
import { Load, type Mix, type Wire } from '../src/bench/load.ts'
import { Population, Random } from '../src/bench/population.ts'
import { UdpWire } from '../src/bench/udp-load.ts'
import { WebSocketWire } from '../src/bench/websocket-load.ts'
import { type AnnounceEvent, EVENT } from '../src/bittorrent.ts'
import type { Transport } from './plan.ts'

const DEFAULTS = {
  transport: 'udp' as Transport,
  port: 0,
  /** The process whose processor time and memory are reported. */
  pid: 0,
  mix: 'mixed' as Mix,
  seconds: 3,
  /** Seconds of the same load before they begin: runtimes that compile what runs often have done so then. */
  warmSeconds: 2,
  seed: 1,
  torrents: 100_000,
  peers: 200_000,
  want: 30,
  /** WebTorrent: offers in each announce, and the share of relayed ones that are answered in `mixed`, in percent. */
  offers: 5,
  answers: 20,
  /** WebTorrent: ids are written in ASCII, not in UTF-8 as browsers do. */
  ascii: false,
  /** Sockets or connections, and requests in flight of each socket. */
  sockets: 8,
  window: 20,
  /** A request without an answer for this long is lost. */
  timeoutMs: 500,
  /** Requests per second; 0: as many as possible. */
  rate: 0,
  /** Never sleeps. Takes a whole core, which must not be one of the server. */
  spins: true,
  /** Auth keys that the peers use in turn; 0: none. */
  keys: 0,
  /** Completed downloads, spread over the measured seconds. */
  completions: 0,
  /** false: every peer has announced already. */
  fill: true,
}
export type LoadOptions = typeof DEFAULTS
/** So many sockets that none sends more than a browser may. */
const WEB = { torrents: 1_000, peers: 20_000, sockets: 2_000, window: 1, timeoutMs: 5000 }
const HTTP = { torrents: 50_000, peers: 100_000, sockets: 64, window: 1, timeoutMs: 2000 }

const isWeb = (transport?: Transport) => transport === 'ws' || transport === 'wss'

export const withDefaults = (options: Partial<LoadOptions>): LoadOptions => ({
  ...DEFAULTS,
  ...(options.transport === 'http' && HTTP),
  ...(isWeb(options.transport) && WEB),
  ...options,
})

const SEEDERS = 75
const HASH_BYTES = 20
const KEY_CHARACTERS = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'
const KEY_LENGTH = 32
/** Longer than any filling takes. */
const FILL_MS = 600_000

/** The info hashes of a load, in hexadecimal. */
export function infoHashes({ seed, torrents }: LoadOptions): string[] {
  const { hashes } = new Population({ seed, torrents, peers: torrents, seeders: SEEDERS })
  return Array.from({ length: torrents }, (_, i) =>
    hashes.subarray(i * HASH_BYTES, (i + 1) * HASH_BYTES).toHex(),
  )
}

/** The auth keys of a load. */
export function authKeys({ seed, keys }: LoadOptions): string[] {
  const random = new Random(~seed)
  const character = () => KEY_CHARACTERS[random.word() % KEY_CHARACTERS.length]
  return Array.from({ length: keys }, () => Array.from({ length: KEY_LENGTH }, character).join(''))
}

/** Some of its leechers complete their downloads, evenly over time. */
class CompletingPopulation extends Population {
  readonly #done: Uint8Array
  #due: (now: number) => number = () => 0
  #completing = -1
  #nextLeecher = 0
  completed = 0

  constructor(options: LoadOptions) {
    super({ ...options, seeders: SEEDERS })
    this.#done = new Uint8Array(this.peers)
  }

  begin(completions: number, seconds: number): void {
    const began = performance.now()
    this.#due = (now) => Math.min(1, (now - began) / (seconds * 1000)) * completions
  }

  override nextPeer(): number {
    this.#completing = -1
    if (this.completed + 1 > this.#due(performance.now())) return super.nextPeer()
    while (this.leftOf(this.#nextLeecher) === 0)
      if (++this.#nextLeecher === this.peers) throw new Error('there are too few leechers')
    this.#completing = this.#nextLeecher
    this.#done[this.#completing] = 1
    this.completed++
    return this.#completing
  }

  override leftOf(peer: number): number {
    return this.#done[peer] === 1 ? 0 : super.leftOf(peer)
  }

  override eventOf(peer: number): AnnounceEvent {
    return peer === this.#completing ? EVENT.completed : super.eventOf(peer)
  }
}

/** Looks at the server before and after the measured seconds. */
class MeasuredLoad extends Load {
  readonly #pid: number
  readonly before: Usage
  after: Usage
  /** Offers and answers that came while requests were sent. */
  relayed = 0

  constructor(pid: number, options: ConstructorParameters<typeof Load>[0]) {
    super(options)
    this.#pid = pid
    this.before = usageOf(pid)
    this.after = this.before
  }

  override stop(why?: Parameters<Load['stop']>[0]): void {
    if (this.isSending) {
      this.after = usageOf(this.#pid)
      this.relayed = this.tally.offersReceived + this.tally.answersReceived
    }
    super.stop(why)
  }
}

export type LoadResult = Awaited<ReturnType<typeof run>>

/** Times are in milliseconds unless the name says otherwise. */
async function run(options: LoadOptions) {
  const { seconds, rate, spins } = options
  const population =
    options.completions > 0
      ? new CompletingPopulation(options)
      : new Population({ ...options, seeders: SEEDERS })
  const wire = await open(options, population)
  const { pid, seed, timeoutMs: timeoutMilliseconds } = options
  const loadOf = (mix: Mix, milliseconds: number, rate?: number) => {
    const limits = { durationMilliseconds: milliseconds, timeoutMilliseconds, rate }
    return new MeasuredLoad(pid, { population, mix, seed, spins, ...limits })
  }
  const filling = loadOf('announce', options.fill ? FILL_MS : 0)
  const timer = setInterval(() => population.allStarted && filling.stop(), 1)
  await filling.drive(wire)
  clearInterval(timer)
  if (filling.ended === 'silence') throw new Error('the server does not answer')

  const warming = loadOf(options.mix, options.warmSeconds * 1000, rate || undefined)
  await warming.drive(wire)

  const load = loadOf(options.mix, seconds * 1000, rate || undefined)
  process.once('SIGTERM', () => load.stop())
  if (population instanceof CompletingPopulation) population.begin(options.completions, seconds)
  const began = process.cpuUsage()
  await load.drive(wire)
  const { user, system } = process.cpuUsage(began)
  const busy = (user + system) / 1e6 / load.seconds
  wire.close()
  const { tally } = load
  const { latency, answers, errors, malformed, lost } = tally.total()
  if (load.ended === 'silence') throw new Error('the server fell silent')
  const announces = tally.kinds[1]!.answers
  const [p50, p90, p99, p999] = [0.5, 0.9, 0.99, 0.999].map((share) => latency.percentile(share))
  return {
    seconds: load.seconds,
    perSecond: load.answersPerSecond,
    announcesPerSecond: (load.answersPerSecond * announces) / answers,
    announces,
    answersInAll: answers + filling.tally.answers + warming.tally.answers,
    errors,
    malformed,
    lost: lost + tally.unsent,
    completions: population instanceof CompletingPopulation ? population.completed : 0,
    /** WebTorrent: offers relayed for an announce. */
    peersPerAnswer: announces > 0 ? (tally.peersTold + tally.offersReceived) / announces : 0,
    relayedPerSecond: load.relayed / load.seconds,
    generatorIdle: spins ? load.idleMilliseconds / 1000 / load.seconds : 1 - busy,
    generatorPause: load.longestPause,
    longestSilence: load.longestSilence,
    longest: latency.max,
    userMs: load.after.userMs - load.before.userMs,
    systemMs: load.after.systemMs - load.before.systemMs,
    waitedMs: load.after.waitedMs - load.before.waitedMs,
    residentKb: load.after.residentKb,
    ...{ p50: p50!, p90: p90!, p99: p99!, p999: p999! },
  }
}

async function open(options: LoadOptions, population: Population): Promise<Wire> {
  const { transport, port, seed, want, sockets: clients, window } = options
  const keys = authKeys(options)
  const paths = keys.length > 0 ? keys.map((key) => `/announce/${key}`) : ['/announce']
  const pathOf = (peer: number) => paths[peer % paths.length]!
  const address = { ip: '127.0.0.1', family: 4 } as const
  const shared = { address, port, pathOf, population, want, seed, clients }
  if (transport === 'udp') return await UdpWire.open({ ...shared, window })
  if (isWeb(transport)) {
    const { offers, ascii } = options
    const answers = options.mix === 'mixed' ? options.answers : 0
    const how = { host: address.ip, tls: transport === 'wss', insecure: true, ascii }
    return new WebSocketWire({ ...shared, ...how, offers, answers })
  }
  const plain = { host: address.ip, tls: false, insecure: false, closes: false }
  return new HttpWire({ ...shared, ...plain })
}

type Usage = ReturnType<typeof usageOf>

/** Processor time and memory of a process so far. */
export function usageOf(pid: number) {
  const stat = readFileSync(`/proc/${pid}/stat`, 'latin1')
  // The fields behind the name in parentheses: state is 3, utime 14, stime 15, rss 24.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  const field = (number: number) => Number(fields[number - 3])
  // Nanoseconds of each thread: on a core, then ready for one that was busy with something else.
  const waited = readdirSync(`/proc/${pid}/task`).reduce((sum, thread) => {
    const words = readFileSync(`/proc/${pid}/task/${thread}/schedstat`, 'latin1').split(' ')
    return sum + Number(words[1])
  }, 0)
  const [userMs, systemMs] = [field(14) * 10, field(15) * 10]
  return { userMs, systemMs, residentKb: field(24) * 4, waitedMs: waited / 1e6 }
}

if (import.meta.main)
  console.log(JSON.stringify(await run(withDefaults(JSON.parse(process.argv[2]!)))))
