/**
 * Serving threads: the same UDP load on this tracker with one thread on a core of its own, then with 1, 2, 4 … threads
 * on all cores of the machine, which they share with the load generator. It sleeps while it has nothing to do, in all
 * rows, so that it takes no time from them.
 */
import { readFileSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import { trackerStart } from './contenders.ts'
import type { Plan } from './plan.ts'
import { CORE, type Column, CPU, cpu, DOUBTS, MEMORY, RATE, ratio, table } from './results.ts'
import { inTurns } from './rounds.ts'
import { type LoadChanges, measure, type Result, roomOf } from './run.ts'

/** More sockets than usual: the kernel deals them out to the threads, and few would be dealt unevenly. */
const LOAD: LoadChanges = { sockets: 64, window: 4, spins: false }
const ALONE = '1 thread apart'

/** Locks of the swarm that were taken at first sight, and those that had to be slept for, the filling included. */
type Outcome = Result & { readonly contended: number; readonly slept: number }

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

export async function compareThreads(plan: Plan): Promise<void> {
  const cores = availableParallelism()
  const all = `0-${cores - 1}`
  const counts = Array.from({ length: Math.log2(cores) + 1 }, (_, power) => 2 ** power)
  const shared = { server: all, load: all }
  const rows = [
    { name: ALONE, workers: 1, cores: undefined },
    ...counts.map((workers) => ({ name: nameOf(workers), workers, cores: shared })),
  ]
  for (const mix of plan.mixes ?? (['announce'] as const)) {
    const players = rows
      .filter(({ name }) => plan.chooses(name))
      .map(({ name, workers, cores }) => ({
        name,
        turn: async (): Promise<Outcome | undefined> => {
          const room = `threads-${name}`
          const flavour = async () => ({ workers, log: 'debug' })
          const start = trackerStart(plan.trackers[0]!, 'udp', flavour)
          const result = await measure(room, start, 'udp', { mix, ...LOAD, ...plan.load }, cores)
          return result && { ...result, ...locksOf(room, workers) }
        },
      }))
    const results = await inTurns(players, plan.rounds, (name, r) =>
      console.error(`${mix} ${name}: ${cpu(r).toFixed(2)} µs per response`),
    )
    console.log(`\nserving threads, udp, ${mix} (${plan.heading})\n`)
    console.log(table(COLUMNS, results))
  }
}

const nameOf = (workers: number) => `${workers} thread${workers > 1 ? 's' : ''} sharing`

/** What the threads logged when they ended. */
function locksOf(room: string, workers: number) {
  const log = readFileSync(join(roomOf(room, 'udp'), 'log'), 'utf8')
  const said = [...log.matchAll(/locks of the swarm.* found_taken=(\d+) slept=(\d+)/g)]
  if (said.length !== workers) throw new Error(`${said.length} of ${workers} threads told of locks`)
  const sum = (group: number) => said.reduce((all, words) => all + Number(words[group]), 0)
  return { contended: sum(1), slept: sum(2) }
}
