/**
 * What access control and accounting cost: the same tracker under the same load as a public one, with a whitelist, with
 * auth keys, and with both; and, to be compared with the public and the private one, with accounts of torrents and of
 * users. The load carries keys only where they are required.
 */
import { Database } from 'bun:sqlite'
import { copyFileSync, existsSync, renameSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import type { Mix } from '../src/bench/load.ts'
import { apiTable, requestApi } from './api.ts'
import { OUT } from './build.ts'
import { type Flavour, trackerStart } from './contenders.ts'
import { authKeys, infoHashes, withDefaults } from './load.ts'
import type { Plan, Setting, Transport } from './plan.ts'
import { CORE, type Column, CPU, cpu, DOUBTS, MEMORY, RATE, ratio, table } from './results.ts'
import { inTurns } from './rounds.ts'
import { applyLoad, type LoadChanges, type Result, roomOf, type Serving, serve } from './run.ts'
import { removeFile } from './stores.ts'

type Mode = {
  readonly name: string
  readonly listed?: true
  readonly private?: true
  /** The level of accounting; absent: off. */
  readonly accounting?: 'torrents' | 'users'
}

const MODES: readonly Mode[] = [
  { name: 'public' },
  { name: 'listed', listed: true },
  { name: 'private', private: true },
  { name: 'both', listed: true, private: true },
  { name: 'torrents', accounting: 'torrents' },
  { name: 'users', private: true, accounting: 'users' },
]

/** A seed of torrents and keys that are not in the database. */
const STRANGER = 987_654_321
const FILE = 'tracker.db'

const COLUMNS: readonly Column<Result>[] = [
  RATE,
  ['÷ public', ratio('public', (r) => r.perSecond)],
  CORE,
  CPU,
  ['CPU ÷ public', ratio('public', cpu)],
  ['CPU ÷ private', ratio('private', cpu)],
  MEMORY,
  ['start to first answer ms', (r) => r.startMs.toFixed(0)],
  ...DOUBTS,
]

export async function compareModes(transport: Transport, plan: Plan): Promise<void> {
  for (const mix of plan.mixes ?? ['announce']) {
    const players = MODES.filter(({ name }) => plan.chooses(name)).map((mode) => ({
      name: mode.name,
      turn: () => run(mode, transport, mix, plan),
    }))
    const rows = await inTurns(players, plan.rounds, (name, { perSecond }) =>
      console.error(`${transport} ${mix} ${name}: ${Math.round(perSecond)} responses/s`),
    )
    const extent = `${plan.whitelist} whitelisted, ${plan.keys} keys`
    console.log(`\n${transport}, ${mix}, ${extent} (${plan.heading})\n`)
    console.log(table(COLUMNS, rows))
  }
}

async function run(
  mode: Mode,
  transport: Transport,
  mix: Mix,
  plan: Plan,
): Promise<Result | undefined> {
  const load = { mix, ...plan.load, keys: mode.private ? plan.keys : 0 }
  const start = trackerStart(plan.trackers[0]!, transport, (setting) =>
    flavour(mode, setting, plan),
  )
  const name = `mode-${mode.name}`
  try {
    await using server = await serve(name, start, transport, load)
    if (!server) return undefined
    if (mode.accounting) await fill(server, load)
    const result = await applyLoad(server, mode.accounting ? { ...load, fill: false } : load).result
    if (mode.listed || mode.private) await prove(server, load)
    return result
  } finally {
    // The file is large, and the next run makes its own copy.
    removeFile(roomOf(name, transport), FILE)
  }
}

/** A tracker without access control would look fast, so unknown torrents and keys must be refused. */
async function prove(server: Serving, load: LoadChanges): Promise<void> {
  const stranger = { mix: 'announce', seed: STRANGER, seconds: 0.2, fill: false } as const
  const { announces, errors } = await applyLoad(server, { ...load, ...stranger }).result
  if (announces > 0 || errors === 0)
    throw new Error(`it accepted ${announces} announces of unknown torrents or keys`)
}

/**
 * Every peer announces, and the tracker looks each up and stores it, before the measured seconds: in them peers come
 * again, as they do for hours. A tracker that keeps no accounts is none to measure.
 */
async function fill(server: Serving, load: LoadChanges): Promise<void> {
  await applyLoad(server, { ...load, seconds: 0.1, warmSeconds: 0 }).result
  // Nothing waits but time, which is written in its own interval.
  for (let quiet = 0; quiet < 4; await Bun.sleep(500)) {
    const response = await requestApi(server, 'accounting')
    if (!response.ok) throw new Error(`it keeps no accounts: ${await response.text()}`)
    const { lag_seconds, sessions } = (await response.json()) as Record<string, number>
    if (sessions === 0) throw new Error('it keeps no accounts')
    quiet = lag_seconds === 0 ? quiet + 1 : 0
  }
}

async function flavour(mode: Mode, setting: Setting, plan: Plan): Promise<Flavour> {
  const { room } = setting
  if (!mode.listed && !mode.private && !mode.accounting) return {}
  const { seed } = withDefaults(plan.load)
  const { whitelist, keys } = plan
  copyFileSync(accessDatabase({ seed, whitelist, keys }), join(room, FILE))
  const accounting = mode.accounting
    ? `[core.accounting]\nlevel = "${mode.accounting}"\n${apiTable(setting)}`
    : ''
  const tables = `[core.database]\ndriver = "sqlite3"\npath = "./${FILE}"\n${accounting}`
  return { listed: mode.listed ?? false, private: mode.private ?? false, tables }
}

const SCHEMA = `
  CREATE TABLE whitelist (id INTEGER PRIMARY KEY AUTOINCREMENT, info_hash TEXT NOT NULL UNIQUE);
  CREATE TABLE keys (id INTEGER PRIMARY KEY AUTOINCREMENT, key TEXT NOT NULL UNIQUE, valid_until INTEGER);
  CREATE TABLE torrents (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    info_hash TEXT NOT NULL UNIQUE,
    completed INTEGER DEFAULT 0 NOT NULL
  )`

type Extent = { readonly seed: number; readonly whitelist: number; readonly keys: number }

/**
 * Path of a database as the reference's 2024 generation leaves it (docs/behaviours.md D2), with the torrents of loads
 * with this seed as the whitelist and with their auth keys. Making it takes seconds, so it is kept in bench/out and
 * copied for each run.
 */
function accessDatabase({ seed, whitelist, keys }: Extent): string {
  const path = join(OUT, `access-${seed}-${whitelist}-${keys}.db`)
  if (existsSync(path)) return path
  // The hash of torrent 7 does not depend on the number of torrents.
  const load = withDefaults({ seed, torrents: whitelist, keys })
  const unfinished = `${path}.new`
  rmSync(unfinished, { force: true })
  {
    using database = new Database(unfinished, { create: true, strict: true })
    database.run('PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA cache_size = -400000')
    database.run(SCHEMA)
    const insert = (statement: string, values: readonly string[]) => {
      using prepared = database.prepare(statement)
      for (const value of values) prepared.run(value)
    }
    database.transaction(() => {
      insert('INSERT INTO whitelist (info_hash) VALUES (?)', infoHashes(load))
      insert('INSERT INTO keys (key, valid_until) VALUES (?, NULL)', authKeys(load))
    })()
  }
  renameSync(unfinished, path)
  return path
}
