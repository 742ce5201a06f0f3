/**
 * What the tracker remembers beyond its own life: the database in its thread, the completions owed to it,
 * the keys and the whitelist. Opened before the first announce, closed behind the last one.
 */
import { statSync } from 'node:fs'
import { resolve } from 'node:path'
import type { Access } from '../access/access.ts'
import type { Config, DatabaseConfig } from '../config/model.ts'
import { type Database, DRIVER_NAMES } from '../database/contract.ts'
import { openDatabase } from '../database/remote.ts'
import type { Log } from '../log.ts'
import type { HealthDatabase } from '../servers/health-api.ts'
import type { Swarm } from '../swarm/swarm.ts'
import { shellWord } from '../text/shell.ts'
import type { Clock } from '../time/clock.ts'
import { Persistence } from './downloads.ts'
import { Permissions, PURGE_EVERY_MILLISECONDS } from './permissions.ts'

const MEND_EVERY_MILLISECONDS = 5_000
/** What is owed must be written by then, or is lost and said to be. */
const FLUSH_MILLISECONDS = 3_000

export type StorageSetting = {
  readonly config: Config
  readonly swarm: Swarm
  readonly access: Access | undefined
  readonly log: Log
  readonly clock: Clock
}

export type Storage = AsyncDisposable & {
  readonly permissions: Permissions
  readonly health: HealthDatabase
  /** Completions in the database; undefined = they are not kept. */
  readonly persistedDownloads: (() => number) | undefined
}

/**
 * undefined: nothing is to be remembered. Rejects with one line that names the cause, and so does disposing
 * of it when completions are lost.
 */
export async function openStorage(setting: StorageSetting): Promise<Storage | undefined> {
  const { config, swarm, access, log, clock } = setting
  if (config.core.database === null) return undefined
  await using opening = new AsyncDisposableStack()
  const report = (trouble: string) => log.error('DATABASE', trouble)
  const database = await openDatabase(config.core.database, { report })
  opening.defer(() => database.close())
  log.info('DATABASE', `Opened: ${database.about}`)
  warnIfOpenToAll(config.core.database, database.about, log)
  const permissions = opening.use(new Permissions({ database, access, clock, log }))
  await naming(database, permissions.load())
  const purging = setInterval(() => permissions.purge(), PURGE_EVERY_MILLISECONDS)
  opening.defer(() => clearInterval(purging))
  const newRowsPerSecond = config.abuse.max_new_rows_per_second
  const persistence = new Persistence({ database, swarm, log, clock, newRowsPerSecond })
  await naming(database, persistence.start())
  const mending = setInterval(() => {
    if (persistence.state().ok) permissions.mend()
  }, MEND_EVERY_MILLISECONDS)
  opening.defer(() => clearInterval(mending))
  opening.defer(async () => {
    const lost = await persistence.flush(FLUSH_MILLISECONDS)
    // All else is closed all the same, and the end of the program is known to be a bad one.
    if (lost > 0)
      throw new Error(`${lost} completed download(s) are lost: the database did not take them`)
  })
  const opened = opening.move()
  return {
    permissions,
    health: {
      driver: config.core.database.driver,
      verdict: () => {
        const state = persistence.state()
        if (state.ok) return { Ok: 'Connected' }
        return { Err: `failing since ${new Date(state.since).toISOString()}, the log says why` }
      },
    },
    persistedDownloads: config.core.tracker_policy.persistent_torrent_completed_stat
      ? () => persistence.persistedTotal()
      : undefined,
    [Symbol.asyncDispose]: () => opened.disposeAsync(),
  }
}

/** The file is never changed: that it is its group's, too, may be what its owner wants. */
function warnIfOpenToAll(config: DatabaseConfig, about: string, log: Log): void {
  // Windows keeps no such rights.
  if (config.driver !== 'sqlite3' || process.platform === 'win32') return
  const path = resolve(config.path)
  const mode = statSync(path, { throwIfNoEntry: false })?.mode ?? 0
  if ((mode & 0o004) === 0) return
  log.warn(
    'DATABASE',
    `${about}: everybody on this machine can read the keys in it: chmod 600 ${shellWord(path)}*`,
  )
}

/** A start that fails says which database it was. */
async function naming(database: Database, work: Promise<void>): Promise<void> {
  try {
    await work
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    throw new Error(`cannot read the database ${database.about}: ${reason}`)
  }
}

/** As the messages of the API call it. */
export const databaseNameOf = ({ core }: Config): string =>
  DRIVER_NAMES[core.database?.driver ?? 'sqlite3']
