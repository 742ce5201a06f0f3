/**
 * The program under all attacks at once, beside honest clients: whether these are served, whether memory stays flat, and
 * whether the program comes to rest when the attacks end.
 */

import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { configuration, listeners } from '../configuration.ts'
import { freePort, launch, type Program } from '../e2e/program.ts'
import { dice } from '../random.ts'
import { CAN_FORGE, forge as forgeDatagram } from '../raw-udp.ts'
import { temporaryDirectory } from '../temporary-directory.ts'
import { hashOf } from '../udp-client.ts'
import { PATIENCE_MILLISECONDS } from '../until.ts'
import { DatagramAttack, type Sent } from './datagrams.ts'
import {
  Honest,
  httpQuestion,
  operatorQuestion,
  type Question,
  Service,
  Swarm,
  udpQuestion,
} from './honest.ts'
import { cpuSeconds, descriptors, residentMebibytes } from './measure.ts'
import { EXCHANGES, exchangeOf } from './real-clients.ts'
import { ReloadAttack } from './reloads.ts'
import { RequestAttack } from './requests.ts'
import { crowdedPair, quietPair, WebPeer } from './web-peers.ts'
import { WebSocketAttack } from './websockets.ts'

const DATAGRAMS_A_SECOND = 1_500
const REQUESTS_A_SECOND = 200
const WEB_SOCKETS_A_SECOND = 60
const RELOADS_A_SECOND = 20
const PHASES = 6
/** Few enough for the slow connections to take all of them. */
const OPEN_FILES = 512
const UDP_CLIENTS = Array.from({ length: 8 }, (_, i) => `127.77.0.${i + 1}`)
const HTTP_CLIENTS = Array.from({ length: 4 }, (_, i) => `127.77.1.${i + 1}`)
const QUIET = 'a quiet torrent'.padEnd(20, '.')
const CROWDED = 'a crowded torrent'.padEnd(20, '.')
const TOKEN = 'a token of this siege'
const READER = 'a token that only reads'

/** In a shorter siege the first invented torrents have not expired yet, so memory is not judged. */
const WHOLE_SECONDS = 60
const FLAT_RATIO = 1.15
const FLAT_MEBIBYTES = 8
const IDLE_SHARE = 0.01
/** On a slow machine, more: it may take so many times what it took before. */
const IDLE_RATIO = 2
const IDLE_SECONDS = 5
const LOOK_EVERY_MILLISECONDS = 500
/** Descriptors of files and of connections to the database come and go. */
const SPARE_DESCRIPTORS = 8

const WEB = (port: number) => `
[[websocket_trackers]]
bind_address = "127.0.0.1:${port}"
tracker_usage_statistics = true
announce_interval = 10
peer_timeout = 30
`
/** WebSockets have a port of their own, and that of HTTP. Invented peers and torrents expire after half a minute. */
const tomlOf = (http: number) =>
  configuration({
    core: `
inactive_peer_cleanup_interval = 5
[core.database]
path = "tracker.db"
[core.announce_policy]
interval = 20
interval_min = 10
[core.tracker_policy]
max_peer_timeout = 30
persistent_torrent_completed_stat = true
`,
    rest: `
[[udp_trackers]]
bind_address = "127.0.0.1:0"
tracker_usage_statistics = true
${listeners(0, http)}
${WEB(0)}
${WEB(http)}
[http_api]
bind_address = "127.0.0.1:0"
access_tokens = { admin = "${TOKEN}", reader = { token = "${READER}", scope = "read" } }
`,
  })
const MORE = ['udp', 'http', 'websocket']
  .map((kind) => `[[${kind}_trackers]]\nbind_address = "127.0.0.1:0"\n`)
  .join('')
const textsOf = (toml: string) =>
  [
    ['the configuration as it was', toml],
    ['with more listeners', toml + MORE],
    ['with another option', toml.replace('interval_min = 10', 'interval_min = 11')],
    ['with a mistake', toml.replace('interval = 20', 'interval = "often"')],
    ['half of it', toml.slice(0, toml.length / 2)],
  ] as const

export type Report = {
  /** A table for people. */
  readonly table: string
  /** Promises that were broken. */
  readonly failures: readonly string[]
}

type Besieged = Awaited<ReturnType<typeof begin>>

/** Resident memory is the least seen in the phase: memory that waits for the collector is not growth. */
type Phase = { readonly resident: number; readonly cpu: number }

export async function siege(program: Program, seconds: number): Promise<Report> {
  await using stack = new AsyncDisposableStack()
  const room = stack.use(temporaryDirectory()).path
  const tracker = await begin(program, room)
  stack.use(tracker.run)
  const { run, pid } = tracker
  const descriptorsBefore = descriptors(pid)
  const most = Math.max(IDLE_SHARE, IDLE_RATIO * (await shareOf(pid)))

  const clients = await HonestClients.begin(tracker, room)
  stack.defer(() => clients.stop())
  const forge = CAN_FORGE ? forgeDatagram : undefined
  const roll = dice()
  const victims = [...UDP_CLIENTS, '127.0.0.1']
  const target = { ports: tracker.udp, victims, roll, forge }
  const datagrams = await DatagramAttack.begin(target, DATAGRAMS_A_SECOND)
  stack.defer(() => datagrams.stop())
  const requests = new RequestAttack({ ...tracker, token: READER, roll }, REQUESTS_A_SECOND)
  stack.defer(() => requests.stop())
  const { quiet, crowded } = clients
  const webSockets = new WebSocketAttack(
    { ports: tracker.web, quiet, crowded, roll },
    WEB_SOCKETS_A_SECOND,
  )
  stack.defer(() => webSockets.stop())
  const reloads = new ReloadAttack(tracker, RELOADS_A_SECOND)

  const first = clients.exchange('first')
  const phases: Phase[] = []
  while (phases.length < PHASES) phases.push(await phase(tracker, seconds / PHASES))
  await first
  await clients.exchange('last')
  datagrams.stop()
  requests.stop()
  webSockets.stop()
  reloads.stop()
  await clients.stop()

  const isWhole = seconds >= WHOLE_SECONDS
  const torrents = isWhole ? await remembered(tracker) : undefined
  const idle = await rest(pid, most, descriptorsBefore + SPARE_DESCRIPTORS)
  const resident = residentMebibytes(pid)
  const descriptorsAfter = descriptors(pid)
  const { code, out, err } = await run.stop()

  const failures = clients.services.flatMap((service) => service.complaints())
  const must = (isSo: boolean, otherwise: string) => {
    if (!isSo) failures.push(otherwise)
  }
  const [middle, last] = [phases[PHASES / 2]!.resident, phases.at(-1)!.resident]
  must(
    !isWhole || last <= middle * FLAT_RATIO + FLAT_MEBIBYTES,
    `memory grows: ${last.toFixed(0)} MiB in the last phase, ${middle.toFixed(0)} in the middle`,
  )
  must(!torrents, `${torrents} torrents without peers are still in memory`)
  must(idle <= most, `it does not rest: ${(idle * 100).toFixed(1)} % of a core`)
  must(
    descriptorsAfter <= descriptorsBefore + SPARE_DESCRIPTORS,
    `${descriptorsBefore} descriptors before, ${descriptorsAfter} after`,
  )
  const followed = out.split('CONFIGURATION: Changed: ').length - 1
  must(followed > 0, 'no configuration was followed')
  must(code === 0 && err === '', `it stopped with ${code} and said ${JSON.stringify(err)}`)

  const percentOf = ({ cpu }: Phase) => (cpu * 100).toFixed(0).padStart(6)
  const table = [
    `datagrams of strangers, ${datagrams.answers} answered`,
    ...counts(datagrams.sent),
    ...(forge ? [] : ['  none of them forged: that takes root on Linux']),
    `requests of strangers, ${requests.heard} bytes answered`,
    ...counts(requests.sent),
    `WebSockets of strangers, ${webSockets.heard} bytes answered`,
    ...counts(webSockets.sent),
    `reloads, ${followed} changes followed`,
    ...counts(reloads.sent),
    line('honest clients', 'asked', 'served', 'slowest'),
    ...clients.services.map(({ name, asked, served, slowestMilliseconds }) =>
      line(`  ${name}`, asked, served, `${slowestMilliseconds.toFixed(0)} ms`),
    ),
    `  WebSockets opened by the honest ${clients.webConnections()}, announces of which no offer got through a crowd ${clients.lost}`,
    `the process, in ${PHASES} phases of ${(seconds / PHASES).toFixed(1)} s and at rest`,
    `  resident, MiB   ${phases.map((one) => one.resident.toFixed(0).padStart(6)).join('')}${resident.toFixed(0).padStart(6)}`,
    `  CPU, % of a core${phases.map(percentOf).join('')}${(idle * 100).toFixed(1).padStart(6)}`,
    `  descriptors     ${String(descriptorsBefore).padStart(6)} before, ${descriptorsAfter} after`,
    ...(torrents === undefined ? [] : [`  torrents at rest${String(torrents).padStart(6)}`]),
  ].join('\n')
  return { table, failures }
}

const line = (name: string, ...cells: (string | number)[]): string =>
  name.padEnd(42) + cells.map((cell) => String(cell).padStart(10)).join('')
const counts = (sent: Sent): string[] =>
  Array.from(sent, ([name, count]) => line(`  ${name}`, count))

/** The program in its own directory, with so few descriptors that attackers can take them all. */
async function begin(program: Program, room: string) {
  const directory = join(room, 'data')
  mkdirSync(directory)
  const narrow = ['/bin/sh', '-c', `ulimit -n ${OPEN_FILES} && exec "$@"`, 'sh']
  const file = join(directory, 'tracker.toml')
  const toml = tomlOf(await freePort())
  writeFileSync(file, toml)
  const run = await launch(() => [...narrow, ...program()], { directory })
  await run.services()
  const portsOf = (what: string) =>
    Array.from(
      run.text.out.matchAll(new RegExp(`${what}: Started on: \\S+:(\\d+)`, 'g')),
      ([, port]) => Number(port),
    )
  const [http, api, health] = ['HTTP TRACKER', ' API', 'HEALTH CHECK API'].map(
    (what) => portsOf(what)[0]!,
  ) as [number, number, number]
  const [udp, web] = [portsOf('UDP TRACKER'), portsOf('WEBSOCKET TRACKER')]
  return { run, pid: run.child.pid, file, texts: textsOf(toml), udp, web, http, api, health }
}

const AUTHORITY = { authorization: `Bearer ${TOKEN}` }
const statsOf = ({ api }: Besieged) => `http://127.0.0.1:${api}/api/v1/stats`

class HonestClients {
  readonly services: Service[] = []
  readonly quiet: readonly WebPeer[]
  readonly crowded: readonly WebPeer[]
  /** Announces of which no offer reached the other peer. */
  lost = 0
  readonly #tracker: Besieged
  readonly #room: string
  readonly #running: Honest[] = []
  readonly #pairs: readonly (readonly [Service, ...(typeof EXCHANGES)[number]])[]

  static async begin(tracker: Besieged, room: string): Promise<HonestClients> {
    const clients = new HonestClients(tracker, room)
    await clients.#begin()
    return clients
  }

  private constructor(tracker: Besieged, room: string) {
    this.#tracker = tracker
    this.#room = room
    const [own, shared] = tracker.web as [number, number]
    const pair = (infoHash: string, name: string, network: string) => [
      new WebPeer([`${network}.1`, own], infoHash, `${name} seeder`.padEnd(20, '.'), 0),
      new WebPeer([`${network}.2`, shared], infoHash, `${name} leecher`.padEnd(20, '.'), 1),
    ]
    this.quiet = pair(QUIET, 'quiet', '127.77.2')
    this.crowded = pair(CROWDED, 'crowded', '127.77.3')
    this.#pairs = EXCHANGES.map((exchange) => [this.#service(exchange[0]), ...exchange] as const)
  }

  async #begin(): Promise<void> {
    const { udp, http, health } = this.#tracker
    const [udpPeers, udpSwarm] = [this.#service('UDP peers'), new Swarm(hashOf(0xa1))]
    for (const [i, ip] of UDP_CLIENTS.entries())
      this.#start(udpPeers, await udpQuestion(udp[i % udp.length]!, ip, udpSwarm))
    const [httpPeers, httpSwarm] = [this.#service('HTTP peers'), new Swarm(hashOf(0xa2))]
    for (const ip of HTTP_CLIENTS) this.#start(httpPeers, httpQuestion(http, ip, httpSwarm))
    const [seeder, leecher] = this.quiet as [WebPeer, WebPeer]
    this.#start(this.#service('WebTorrent peers'), quietPair(seeder, leecher))
    const [one, other] = this.crowded as [WebPeer, WebPeer]
    const lose = () => {
      this.lost++
    }
    this.#start(this.#service('WebTorrent peers among strangers'), crowdedPair(one, other, lose))
    const healthUrl = `http://127.0.0.1:${health}/health_check`
    this.#start(this.#service('health'), operatorQuestion(healthUrl, {}, illness))
    this.#start(this.#service('API'), operatorQuestion(statsOf(this.#tracker), AUTHORITY))
    const metricsUrl = statsOf(this.#tracker).replace('stats', 'metrics')
    this.#start(this.#service('metrics'), operatorQuestion(metricsUrl, AUTHORITY))
  }

  #service(name: string): Service {
    const service = new Service(name)
    this.services.push(service)
    return service
  }

  #start(service: Service, question: Question): void {
    this.#running.push(new Honest(service, question))
  }

  /** An exchange of every pair of real clients, all at once. */
  async exchange(when: string): Promise<void> {
    const { udp, http } = this.#tracker
    await Promise.all(
      this.#pairs.map(([service, name, transport, exchange]) => {
        const url = `${transport}://127.0.0.1:${transport === 'udp' ? udp[0] : http}/announce`
        return service.ask(exchangeOf(join(this.#room, `${name} ${when}`), url, exchange))
      }),
    )
  }

  async stop(): Promise<void> {
    await Promise.all(this.#running.map((one) => one.stop()))
    for (const peer of [...this.quiet, ...this.crowded]) peer.stop()
  }

  webConnections(): number {
    return [...this.quiet, ...this.crowded].reduce((sum, peer) => sum + peer.connections, 0)
  }
}

const illness = ({
  status,
  message,
  details,
  database,
}: Record<string, unknown>): string | undefined => {
  if (status === 'Ok') return undefined
  const all = [...(details as object[]), { info: 'database', ...(database as object) }]
  const ill = (all as { info: string; result: object }[])
    .filter(({ result }) => 'Err' in result)
    .map(({ info, result }) => `${info}: ${Object.values(result)}`)
  return `${status}: ${message} (${ill.join('; ')})`
}

async function phase({ run, pid }: Besieged, seconds: number): Promise<Phase> {
  const [cpu, since] = [cpuSeconds(pid), performance.now()]
  let resident = Number.POSITIVE_INFINITY
  const passed = () => (performance.now() - since) / 1000
  do {
    await Bun.sleep(Math.min(LOOK_EVERY_MILLISECONDS, seconds * 1000))
    if (run.child.exitCode !== null) throw new Error(`it ended: ${run.text.err}`)
    resident = Math.min(resident, residentMebibytes(pid))
  } while (passed() < seconds)
  return { resident, cpu: (cpuSeconds(pid) - cpu) / passed() }
}

/** Torrents it still knows when all peers have been silent for long: 0, or those left after a minute. */
async function remembered(tracker: Besieged): Promise<number> {
  const end = performance.now() + PATIENCE_MILLISECONDS
  for (;;) {
    const answer = await fetch(statsOf(tracker), { headers: AUTHORITY, keepalive: false })
    const { torrents } = (await answer.json()) as { torrents: number }
    if (torrents === 0 || performance.now() > end) return torrents
    await Bun.sleep(LOOK_EVERY_MILLISECONDS)
  }
}

/**
 * Share of a core that it uses when it uses no more than `most`, and has closed what it will not need, or after a minute.
 */
async function rest(pid: number, most: number, open: number): Promise<number> {
  const end = performance.now() + PATIENCE_MILLISECONDS
  for (;;) {
    const share = await shareOf(pid)
    if ((share <= most && descriptors(pid) <= open) || performance.now() > end) return share
  }
}

/** Share of a core that it uses for some seconds. */
async function shareOf(pid: number): Promise<number> {
  const [cpu, since] = [cpuSeconds(pid), performance.now()]
  await Bun.sleep(IDLE_SECONDS * 1000)
  return (cpuSeconds(pid) - cpu) / ((performance.now() - since) / 1000)
}
