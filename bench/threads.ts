/**
 * Serving threads: the same load on this tracker with one thread on a core of its own, then with 1, 2, 4 … threads
 * on all cores of the machine, which they share with the load generator. It sleeps while it has nothing to do, in all
 * rows, so that it takes no time from them.
 */
import { readFileSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import { apiTable, requestApi } from './api.ts'
import { trackerStart } from './contenders.ts'
import type { Plan, Setting, Start, Transport } from './plan.ts'
import {
  CORE,
  type Column,
  CPU,
  cpu,
  DOUBTS,
  MEMORY,
  RATE,
  RELAYED,
  ratio,
  table,
} from './results.ts'
import { inTurns } from './rounds.ts'
import {
  applyLoad,
  type Cores,
  type LoadChanges,
  type Result,
  roomOf,
  type Serving,
  serve,
} from './run.ts'

/** More sockets than usual: the kernel deals them out to the threads, and few would be dealt unevenly. */
const LOAD: LoadChanges = { sockets: 64, window: 4, spins: false }
/** No more requests in flight than a thread may have messages of another one waiting. */
const WEB_LOAD: LoadChanges = { sockets: 800, spins: false }
const ALONE = '1 thread apart'

/** Locks of the swarm that were taken at first sight, and those that had to be slept for, the filling included. */
type Outcome = Result & {
  readonly contended: number
  readonly slept: number
  /** Messages that one thread handed to another for an answer, the filling included. */
  readonly crossed: number
}

const perMillion = (count: (r: Outcome) => number) => (r: Outcome) =>
  ((count(r) / r.answersInAll) * 1e6).toFixed(1)

const COLUMNS: readonly Column<Outcome>[] = [
  RATE,
  CORE,
  CPU,
  [`per CPU ÷ ${ALONE}`, ratio(ALONE, (r) => 1 / cpu(r))],
  ['locks contended per million', perMillion((r) => r.contended)],
  ['slept for', perMillion((r) => r.slept)],
  MEMORY,
  ...DOUBTS,
]

/** `CPU µs per crossing`: what an answer costs more than with one thread, shared among what crosses for it. */
const WEB_COLUMNS: readonly Column<Outcome>[] = [
  RELAYED,
  ['crossed per response', (r) => r.crossed.toFixed(2)],
  [
    'CPU µs per crossing',
    (r, others) => {
      const one = others[nameOf(1)]
      return one && r.crossed > 0 ? ((cpu(r) - cpu(one)) / r.crossed).toFixed(2) : '–'
    },
  ],
]

export async function compareThreads(transport: Transport, plan: Plan): Promise<void> {
  const cores = availableParallelism()
  const all = `0-${cores - 1}`
  const counts = Array.from({ length: Math.log2(cores) + 1 }, (_, power) => 2 ** power)
  const shared = { server: all, load: all }
  const rows = [
    { name: ALONE, workers: 1, cores: undefined },
    ...counts.map((workers) => ({ name: nameOf(workers), workers, cores: shared })),
  ]
  const isWeb = transport === 'ws' || transport === 'wss'
  for (const mix of plan.mixes ?? (['announce'] as const)) {
    const players = rows
      .filter(({ name }) => plan.chooses(name))
      .map(({ name, workers, cores }) => ({
        name,
        turn: async (): Promise<Outcome | undefined> => {
          const room = `threads-${name}`
          const flavour = async (setting: Setting) => ({
            workers,
            log: 'debug',
            tables: isWeb ? apiTable(setting) : '',
          })
          const start = trackerStart(plan.trackers[0]!, transport, flavour)
          const load = { mix, ...(isWeb ? WEB_LOAD : LOAD), ...plan.load }
          const result = await run(room, start, transport, load, cores)
          return result && { ...result, ...locksOf(roomOf(room, transport), workers) }
        },
      }))
    const results = await inTurns(players, plan.rounds, (name, r) =>
      console.error(`${mix} ${name}: ${cpu(r).toFixed(2)} µs per response`),
    )
    console.log(`\nserving threads, ${transport}, ${mix} (${plan.heading})\n`)
    console.log(table(isWeb ? [...COLUMNS, ...WEB_COLUMNS] : COLUMNS, results))
  }
}

const nameOf = (workers: number) => `${workers} thread${workers > 1 ? 's' : ''} sharing`

async function run(
  name: string,
  start: Start,
  transport: Transport,
  load: LoadChanges,
  cores: Cores | undefined,
) {
  await using server = await serve(name, start, transport, load, cores)
  if (!server) return undefined
  const result = await applyLoad(server, load).result
  const crossed = transport === 'ws' || transport === 'wss' ? await crossedOf(server) : 0
  return { ...result, crossed: crossed / result.answersInAll }
}

const CROSSED = /^websocket_tracker_server_links_crossed_total(?:\{.*\})? (\d+)$/gm

async function crossedOf(server: Serving): Promise<number> {
  const text = await (await requestApi(server, 'metrics?format=prometheus')).text()
  return [...text.matchAll(CROSSED)].reduce((sum, [, count]) => sum + Number(count), 0)
}

/** What the threads logged when they ended. */
function locksOf(room: string, workers: number) {
  const log = readFileSync(join(room, 'log'), 'utf8')
  const said = [...log.matchAll(/locks of the swarm.* found_taken=(\d+) slept=(\d+)/g)]
  if (said.length !== workers) throw new Error(`${said.length} of ${workers} threads told of locks`)
  const sum = (group: number) => said.reduce((all, words) => all + Number(words[group]), 0)
  return { contended: sum(1), slept: sum(2) }
}
