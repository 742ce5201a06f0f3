/**
 * `bun bench/main.ts udp|http|all`: runs the trackers that are on this machine side by side under
 * the same seeded load and prints one table per mix. Method and published tables: docs/benchmarks.md.
 */
import { cpus, release } from 'node:os'
import { parseArgs } from 'node:util'
import { compile, installCrates } from './build.ts'
import { type Contender, contenders, type Transport } from './contenders.ts'
import { type Load, measure } from './run.ts'
import { type Row, table } from './table.ts'

const USAGE = `usage: bun bench/main.ts udp|http|all [options]
  --rounds N        rounds in which every server runs once (5)
  --seconds S       measured seconds of each run (3)
  --only A,B        of tracker, echo, bun-echo, elysia, opentracker, aquatic, torrust, npm
  --mix M           mixed or announce (both)
  --tracker CMD     how this tracker is started; again for another build (bun src/main.ts)
  --seed N  --torrents N  --peers N  --sockets N  --window N  --want N
                    passed to the load generator
  --rate N          requests per second offered, for latencies at equal load (as many as possible)
  --install         build the Rust trackers into bench/out/cargo first`

const FOR_THE_LOAD = ['seconds', 'seed', 'torrents', 'peers', 'sockets', 'window', 'want', 'rate']

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    rounds: { type: 'string', default: '5' },
    only: { type: 'string' },
    mix: { type: 'string' },
    tracker: { type: 'string', multiple: true, default: ['bun src/main.ts'] },
    install: { type: 'boolean' },
    help: { type: 'boolean' },
    seconds: { type: 'string', default: '3' },
    seed: { type: 'string' },
    torrents: { type: 'string' },
    peers: { type: 'string' },
    sockets: { type: 'string' },
    window: { type: 'string' },
    want: { type: 'string' },
    rate: { type: 'string' },
  },
})

const what = positionals[0] ?? ''
if (values.help || positionals.length !== 1 || !['udp', 'http', 'all'].includes(what)) {
  console.error(USAGE)
  process.exit(values.help ? 0 : 2)
}
compile()
if (values.install) installCrates()
const transports: readonly Transport[] = what === 'all' ? ['udp', 'http'] : [what as Transport]
const chosen = values.only?.split(',')
const mixes = values.mix ? [values.mix] : ['mixed', 'announce']
const fixed = Object.entries(values).filter(([name]) => FOR_THE_LOAD.includes(name)) as [
  string,
  string,
][]

console.log(`${cpus().length} × ${cpus()[0]?.model}, Linux ${release()}, Bun ${Bun.version}`)
for (const transport of transports) {
  const players = contenders(values.tracker).filter(
    ({ name, ...starts }) =>
      starts[transport] && (!chosen || chosen.includes(name.replace(/^tracker\d+$/, 'tracker'))),
  )
  for (const mix of mixes) {
    const rows = await play(players, transport, { mix, ...Object.fromEntries(fixed) })
    console.log(
      `\n${transport}, ${mix} (${values.rounds} rounds of ${values.seconds} s, medians)\n`,
    )
    console.log(table(transport, rows))
  }
}

/** A B C A B C …, so that whatever else the machine does falls on all alike. */
async function play(
  players: readonly Contender[],
  transport: Transport,
  load: Load,
): Promise<Row[]> {
  const rows: Row[] = players.map(({ name }) => ({ name, results: [] }))
  for (let round = 0; round < Number(values.rounds); round++)
    for (const [i, player] of players.entries()) await turn(player, rows[i]!, transport, load)
  return rows
}

async function turn(player: Contender, row: Row, transport: Transport, load: Load): Promise<void> {
  if (row.remark) return
  try {
    const result = await measure(player.name, player[transport]!, transport, load)
    if (!result) {
      row.remark = 'not found'
      return
    }
    row.results.push(result)
    const rate = Math.round(result.perSecond)
    console.error(`${transport} ${load.mix} ${row.name}: ${rate} responses/s`)
  } catch (error) {
    row.remark = `failed: ${error instanceof Error ? error.message : error}`
  }
}
