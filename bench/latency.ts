/**
 * Latency over UDP where no server is full: all at the same offered rate, half of what the slowest bears. Then the
 * longest silence of this tracker at that rate, alone and beside each kind of background work.
 */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { apiTable, isUp, POPULATION, requestApi, stayBesideTheLoad, underLoad } from './api.ts'
import { trackerStart } from './contenders.ts'
import type { Plan, Setting } from './plan.ts'
import { CORE, type Column, DOUBTS, LATENCY, LONGEST, RATE, ratio, table } from './results.ts'
import { inTurns } from './rounds.ts'
import { applyLoad, type LoadChanges, type Result, roomOf, type Serving, serve } from './run.ts'
import { compare } from './side-by-side.ts'

const SERVERS = ['tracker', 'opentracker', 'aquatic']
/** What the machine and the load generator contribute. */
const FLOOR = 'echo'
/** Room for all that is due in a silence of 10 ms: a request that is sent late would hide it. */
const WIDE: LoadChanges = { mix: 'announce', sockets: 32, window: 64 }

const COLUMNS: readonly Column<Result>[] = [
  RATE,
  CORE,
  ...LATENCY,
  ['p99 ÷ opentracker', ratio('opentracker', (r) => r.p99)],
  ...LONGEST,
  ...DOUBTS,
]

export async function measureLatency(plan: Plan): Promise<void> {
  const rate = plan.load.rate ?? (await halfOfTheSlowest(plan))
  const load = { ...WIDE, ...plan.load, rate }
  const servers = [...SERVERS, FLOOR]
  const mixes = plan.mixes ?? (['announce'] as const)
  const chooses = (name: string) => servers.includes(name) && plan.chooses(name)
  const heading = `${rate} requests/s offered, ${plan.heading}`
  await compare('udp', { ...plan, mixes, load, chooses, heading }, COLUMNS)
  if (plan.silence > 0) await measureSilence(plan, load)
}

/** At this rate none is near its limit, so that latencies say how a server works, not how full it is. */
async function halfOfTheSlowest(plan: Plan): Promise<number> {
  const chooses = (name: string) => SERVERS.includes(name) && plan.chooses(name)
  const panels = await compare('udp', { ...plan, mixes: ['announce'], chooses })
  const rates = Object.values(panels[0]!.servers).map(({ perSecond }) => perSecond)
  return Math.floor(Math.min(...rates) / 2)
}

/** Requests to the management API, one at a time, with a rest between them as of a dashboard that is in a hurry. */
const REST_MS = 200
const STATS = ['stats']
const PAGES = ['torrents?offset=0&limit=100', 'torrents?offset=500000&limit=4000']

const BACKGROUNDS = [
  { name: 'nothing', sweeps: false, asks: [] },
  { name: 'sweep', sweeps: true, asks: [] },
  { name: 'stats', sweeps: false, asks: STATS },
  { name: 'pages', sweeps: false, asks: PAGES },
  { name: 'everything', sweeps: true, asks: [...STATS, ...PAGES] },
] as const
type Background = (typeof BACKGROUNDS)[number]

const SWEEP_SECONDS = 10
const NEVER_SECONDS = 1_000_000

type Silence = Result & { readonly sweeps: number; readonly asked: number }
const SILENCE: readonly Column<Silence>[] = [
  RATE,
  CORE,
  ...LATENCY,
  ...LONGEST,
  ['sweeps', (r) => `${r.sweeps}`],
  ['API requests', (r) => `${r.asked}`],
  ...DOUBTS,
]

async function measureSilence(plan: Plan, changes: LoadChanges & { rate: number }): Promise<void> {
  const load = { ...POPULATION, ...changes, seconds: plan.silence }
  stayBesideTheLoad()
  const players = BACKGROUNDS.filter(({ name }) => plan.chooses(name)).map((background) => ({
    name: background.name,
    turn: () => listen(background, plan.trackers[0]!, load),
  }))
  const rows = await inTurns(players, 1, (name, { longestSilence }) =>
    console.error(`${name}: silent for ${longestSilence.toFixed(2)} ms at most`),
  )
  const extent = `${load.torrents} torrents, ${load.peers} peers, ${load.rate} requests/s offered`
  console.log(`\nthe tracker beside background work, ${extent}, ${plan.silence} s\n`)
  console.log(table(SILENCE, rows))
}

async function listen(
  { name, sweeps, asks }: Background,
  command: string,
  load: LoadChanges & { peers: number; rate: number },
): Promise<Silence | undefined> {
  // A tenth of the peers is too old whenever a sweep comes.
  const timeout = Math.ceil((load.peers / load.rate) * 0.9)
  const tables = (setting: Setting) =>
    `inactive_peer_cleanup_interval = ${sweeps ? SWEEP_SECONDS : NEVER_SECONDS}
[core.tracker_policy]
max_peer_timeout = ${sweeps ? timeout : NEVER_SECONDS}
[core.announce_policy]
interval = 1
interval_min = 1
${apiTable(setting)}`
  const room = `silence-${name}`
  const flavour = async (setting: Setting) => ({ tables: tables(setting), log: 'info' })
  await using server = await serve(room, trackerStart(command, 'udp', flavour), 'udp', load)
  if (!server) return undefined
  await isUp(server)
  await applyLoad(server, { ...load, rate: 0, seconds: 0.1 }).result
  const swept = () =>
    readFileSync(join(roomOf(room, 'udp'), 'log'), 'utf8').split('Cleaned up').length - 1
  const before = swept()
  const { outcome, result } = await underLoad(server, { ...load, fill: false }, () =>
    askInTurn(server, asks, load.seconds!),
  )
  return { ...result, asked: outcome, sweeps: swept() - before }
}

/** Asks for so many seconds; how often it was answered. */
async function askInTurn(
  server: Serving,
  asks: readonly string[],
  seconds: number,
): Promise<number> {
  let asked = 0
  for (const end = performance.now() + seconds * 1000; performance.now() < end; ) {
    if (asks.length > 0) {
      const response = await requestApi(server, asks[asked++ % asks.length]!)
      if (!response.ok) throw new Error(`the API answered ${response.status}`)
      await response.arrayBuffer()
    }
    await Bun.sleep(REST_MS)
  }
  return asked
}
