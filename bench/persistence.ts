/**
 * What storing completions costs: announces under full load, among them 10,000 completed downloads a second, without
 * a database and with each driver. Afterwards the database must hold every completion that the tracker answered.
 */

import { trackerStart } from './contenders.ts'
import { withDefaults } from './load.ts'
import type { Plan } from './plan.ts'
import { CORE, type Column, CPU, cpu, DOUBTS, MEMORY, ratio, table, thousands } from './results.ts'
import { inTurns } from './rounds.ts'
import { applyLoad, type LoadChanges, type Result, roomOf, serve } from './run.ts'
import { type Store, type StoreKind, storeKinds } from './stores.ts'

const COMPLETIONS_PER_SECOND = 10_000
/** After this time without announces everything must be stored. */
const SETTLING_MS = 2_000

/** `stored`: sum over the torrents; `storedTotal`: the tracker's own total. NaN without a database. */
type Outcome = Result & { readonly stored: number; readonly storedTotal: number }

const BASE = 'none'
const COLUMNS: readonly Column<Outcome>[] = [
  ['announces/s', (r) => thousands(r.announcesPerSecond)],
  [`÷ ${BASE}`, ratio(BASE, (r) => r.announcesPerSecond)],
  CORE,
  CPU,
  [`CPU ÷ ${BASE}`, ratio(BASE, cpu)],
  MEMORY,
  ['completions', (r) => `${r.completions}`],
  ['stored', (_r, _others, all) => compare(all, (r) => r.stored)],
  ['stored in the total', (_r, _others, all) => compare(all, (r) => r.storedTotal)],
  ...DOUBTS,
]

/** `all`, or what is missing in each round. Of requests that were lost, some may have been completions. */
function compare(all: readonly Outcome[], stored: (r: Outcome) => number): string {
  const missing = all.map((r) => r.completions - stored(r))
  if (missing.some(Number.isNaN)) return '–'
  const isRight = all.every((r, i) => missing[i]! >= 0 && missing[i]! <= r.lost)
  return isRight ? 'all' : `WRONG by ${missing.join(', ')}`
}

export async function comparePersistence(plan: Plan): Promise<void> {
  const completions = Math.round(COMPLETIONS_PER_SECOND * plan.seconds)
  // A quarter of the peers are leechers, and each completes once.
  const peers = Math.max(withDefaults({}).peers, completions * 5)
  const load = { completions, peers, mix: 'announce', ...plan.load } as const
  const kinds: StoreKind[] = [{ name: BASE, open: openNothing }, ...storeKinds()]
  const players = kinds
    .filter(({ name }) => plan.chooses(name))
    .map((kind) => ({ name: kind.name, turn: () => run(kind, load, plan) }))
  const rows = await inTurns(players, plan.rounds, (name, r) =>
    console.error(`${name}: ${Math.round(r.announcesPerSecond)} announces/s, stored ${r.stored}`),
  )
  console.log(`\npersistence of ${load.completions} completions (${plan.heading})\n`)
  console.log(table(COLUMNS, rows))
}

async function run(kind: StoreKind, load: LoadChanges, plan: Plan): Promise<Outcome | undefined> {
  const name = `persistence-${kind.name}`
  await using store = await kind.open(roomOf(name, 'udp'))
  const start = trackerStart(plan.trackers[0]!, 'udp', async () => ({ tables: store.toml }))
  await using server = await serve(name, start, 'udp', load)
  if (!server) return undefined
  const result = await applyLoad(server, load).result
  await Bun.sleep(SETTLING_MS)
  const { torrents, total } = await store.read()
  return { ...result, stored: torrents, storedTotal: total }
}

/** No database, and no policy that needs one. */
const openNothing = async (): Promise<Store> => ({
  toml: '',
  read: async () => ({ torrents: Number.NaN, total: Number.NaN }),
  async [Symbol.asyncDispose]() {},
})
