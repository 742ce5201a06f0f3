/**
 * `bun bench/main.ts JOB`: runs servers under the same seeded load, interleaved, and prints tables: this tracker and
 * others side by side, its access modes, its databases, its management API. Method and published tables:
 * docs/benchmarks.md.
 */
import { cpus, release } from 'node:os'
import { parseArgs } from 'node:util'
import { measureApi } from './api.ts'
import { installCrates } from './build.ts'
import { FROM_SOURCE } from './contenders.ts'
import { measureLatency } from './latency.ts'
import type { LoadOptions } from './load.ts'
import { compareModes } from './modes.ts'
import { comparePersistence } from './persistence.ts'
import type { Plan, Transport } from './plan.ts'
import { compare, type Panel } from './side-by-side.ts'
import { measureChurn, measureSockets } from './sockets.ts'
import { compareThreads } from './threads.ts'

const USAGE = `usage: bun bench/main.ts JOB [options]
  udp, http, ws, wss, all
                    this tracker and others side by side (all: without wss)
  modes             public, listed, private, both, torrents and users (--transport udp, http or ws)
  persistence       storing completions: no database, sqlite3, and the servers of TEST_MYSQL_URL
                    and TEST_POSTGRES_URL if these are set
  latency           tracker, opentracker and aquatic over UDP at half the load that the slowest of them
                    bears (or at --rate), then the tracker's longest silence beside background work
  threads           1, 2, 4 … serving threads, the locks they waited for, and over WebSockets
                    (--transport ws) what crosses from one to another
  sockets           memory of each of 10,000 WebSockets (--sockets), without and with TLS
  churn             the same while 1 % of them come and go in each second
  api               the management API of a tracker with a million torrents, idle and under load
  --rounds N        rounds; in each every server runs once (5)
  --seconds S       measured seconds of each run (3; persistence 10, churn 60)
  --only A,B        only these: tracker, echo, elysia, opentracker, aquatic, torrust, npm;
                    public, listed, private, both, torrents, users; none, sqlite3, mysql, postgresql;
                    nothing, sweep, stats, pages, everything
  --mix M           mixed or announce (side by side: both; else announce)
  --tracker CMD     how this tracker is started (${FROM_SOURCE}); side by side, repeat it for another build
  --whitelist N     modes: entries, including the torrents of the load (1000000)
  --keys N          modes: auth keys that the peers use in turn (100000)
  --silence S       latency: seconds of each run with background work (60; 0: none)
  --requests N      api: requests of each kind (100)
  --seed N  --torrents N  --peers N  --sockets N  --window N  --want N
                    passed to the load generator
  --offers N  --answers PERCENT  --ascii
                    the same, of WebTorrent
  --rate N          requests per second, to compare latencies at equal load (as many as possible)
  --results FILE    side by side: write the results, for bun bench/plot.ts FILE
  --install         build the Rust trackers into bench/out/cargo first`

const FOR_THE_LOAD = [
  'seed',
  'torrents',
  'peers',
  'sockets',
  'window',
  'want',
  'rate',
  'offers',
  'answers',
] as const

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    rounds: { type: 'string', default: '5' },
    only: { type: 'string' },
    mix: { type: 'string' },
    tracker: { type: 'string', multiple: true, default: [FROM_SOURCE] },
    transport: { type: 'string', default: 'udp' },
    whitelist: { type: 'string', default: '1000000' },
    keys: { type: 'string', default: '100000' },
    silence: { type: 'string', default: '60' },
    requests: { type: 'string', default: '100' },
    results: { type: 'string' },
    install: { type: 'boolean' },
    help: { type: 'boolean' },
    seconds: { type: 'string' },
    seed: { type: 'string' },
    torrents: { type: 'string' },
    peers: { type: 'string' },
    sockets: { type: 'string' },
    window: { type: 'string' },
    want: { type: 'string' },
    rate: { type: 'string' },
    offers: { type: 'string' },
    answers: { type: 'string' },
    ascii: { type: 'boolean' },
  },
})

const TRANSPORTS = ['udp', 'http', 'ws'] as const
/** By job, where it is not 3. */
const SECONDS: Readonly<Record<string, number>> = { persistence: 10, churn: 60 }
const MIXES = ['mixed', 'announce'] as const

const JOBS: Readonly<Record<string, (plan: Plan) => Promise<unknown>>> = {
  udp: (plan) => sideBySide(['udp'], plan),
  http: (plan) => sideBySide(['http'], plan),
  ws: (plan) => sideBySide(['ws'], plan),
  wss: (plan) => sideBySide(['wss'], plan),
  all: (plan) => sideBySide(TRANSPORTS, plan),
  modes: (plan) => compareModes(oneOf(TRANSPORTS, values.transport)!, plan),
  persistence: comparePersistence,
  latency: measureLatency,
  threads: (plan) => compareThreads(oneOf(TRANSPORTS, values.transport)!, plan),
  sockets: measureSockets,
  churn: measureChurn,
  api: measureApi,
}

const what = positionals[0] ?? ''
const job = Object.hasOwn(JOBS, what) ? JOBS[what] : undefined
const mix = values.mix === undefined ? undefined : oneOf(MIXES, values.mix)
const isUnderstood =
  job && positionals.length === 1 && oneOf(TRANSPORTS, values.transport) && (mix || !values.mix)
if (values.help || !isUnderstood) {
  console.error(USAGE)
  process.exit(values.help ? 0 : 2)
}
if (values.install) installCrates()
const machine = `${cpus().length} × ${cpus()[0]?.model}, Linux ${release()}, Bun ${Bun.version}`
console.log(machine)
await job(planned())

function planned(): Plan {
  const seconds = Number(values.seconds ?? SECONDS[what] ?? 3)
  const given = FOR_THE_LOAD.filter((name) => values[name] !== undefined)
  const load = Object.fromEntries(given.map((name) => [name, Number(values[name])]))
  const chosen = values.only?.split(',')
  return {
    rounds: Number(values.rounds),
    seconds,
    trackers: values.tracker,
    mixes: mix && [mix],
    load: {
      seconds,
      ...(load satisfies Partial<LoadOptions>),
      ...(values.ascii && { ascii: true }),
    },
    whitelist: Number(values.whitelist),
    keys: Number(values.keys),
    silence: Number(values.silence),
    requests: Number(values.requests),
    chooses: (name) => !chosen || chosen.includes(name),
    heading: `${values.rounds} rounds of ${seconds} s, medians`,
  }
}

async function sideBySide(transports: readonly Transport[], plan: Plan): Promise<void> {
  const panels: Panel[] = []
  for (const transport of transports) panels.push(...(await compare(transport, plan)))
  if (values.results !== undefined)
    await Bun.write(values.results, `${JSON.stringify({ machine, panels }, null, 1)}\n`)
}

function oneOf<T extends string>(words: readonly T[], word: string): T | undefined {
  return words.find((known) => known === word)
}
