/**
 * What outlives the tracker: the database in its thread, the completions that are owed to it, keys and
 * whitelist, accounting. Opened before the first announce, closed after the last one.
 */
import { statSync } from 'node:fs'
import { resolve } from 'node:path'
import type { Access } from '../access/access.ts'
import type { Config, DatabaseConfig } from '../config/model.ts'
import { type Database, DRIVER_NAMES } from '../database/contract.ts'
import { openDatabase } from '../database/remote.ts'
import type { Log } from '../log/log.ts'
import { Stopwatch, type Times } from '../memory/counters.ts'
import type { Swarm } from '../swarm/swarm.ts'
import { shellWord } from '../text/shell.ts'
import type { Clock } from '../time/clock.ts'
import type { Deadline } from '../time/deadline.ts'
import type { AccountingStore } from './accounting.ts'
import { DownloadCounts } from './downloads.ts'
import { type AccountingParts, OpenedAccounting } from './open-accounting.ts'
import { Permissions, PURGE_EVERY_MILLISECONDS } from './permissions.ts'
import { type DatabaseState, WatchedDatabase } from './watched-database.ts'

/**
 * What is owed must be written by then, or the next batch of it, while there is time; the rest is lost, and reported.
 */
const FLUSH_MILLISECONDS = 3_000

type StorageSetting = {
  readonly config: Config
  readonly swarm: Swarm
  readonly access: Access | undefined
  /** undefined: no accounts are kept. */
  readonly accounting: AccountingParts | undefined
  readonly log: Log
  readonly clock: Clock
}

export type Storage = AsyncDisposable & {
  readonly permissions: Permissions
  /** undefined: no accounts are kept. */
  readonly accounting: AccountingStore | undefined
  /** Limits and percentages from now on. */
  follow(config: Config): void
  /** The program stops: what is written must be written by then. */
  hurry(deadline: Deadline): void
  /** For the health report, which strangers read: no path, no host, no credentials. */
  readonly health: {
    /** `core.database.driver`. */
    readonly driver: string
    verdict(): { readonly Ok: string } | { readonly Err: string }
  }
  /** Completions in the database; undefined = they are not kept. */
  readonly persistedDownloads: (() => number) | undefined
  /** What the metrics show of it. */
  meter(): {
    readonly isUp: boolean
    readonly calls: Times
    readonly failures: number
    /** Completions that it does not have yet. */
    readonly owed: number
  }
}

/**
 * undefined: no database is configured. Rejects with one line that names the cause; so does disposing of the
 * storage when completions are lost.
 */
export async function openStorage(setting: StorageSetting): Promise<Storage | undefined> {
  const { config, swarm, access, log, clock } = setting
  if (config.core.database === null) return undefined
  await using opening = new AsyncDisposableStack()
  const report = (trouble: string) => log.error('DATABASE', '{reason}', { reason: trouble })
  const calls = new Stopwatch()
  let failures = 0
  const onCall = (milliseconds: number, isFailure: boolean) => {
    calls.add(milliseconds * 1e6)
    if (isFailure) failures++
  }
  const opened = await openDatabase(config.core.database, { report, onCall })
  opening.defer(() => opened.close())
  log.info('DATABASE', 'Opened: {database}', { database: opened.about })
  warnIfReadableByAll(config.core.database, opened.about, log)
  const database = new WatchedDatabase({ database: opened, clock, log })
  const accounting =
    setting.accounting &&
    (await naming(opened, () =>
      OpenedAccounting.open({ ...setting.accounting!, config, database: opened, clock, log }),
    ))
  const accounts = accounting?.keys
  const permissions = opening.use(new Permissions({ database, access, clock, log, accounts }))
  await naming(opened, () => permissions.load())
  const kept = accounting?.start(permissions)
  if (kept !== undefined) opening.use(kept.loop)
  const purging = setInterval(() => {
    void permissions.purge()
    void kept?.loop.purge()
  }, PURGE_EVERY_MILLISECONDS)
  opening.defer(() => clearInterval(purging))
  const newRowsPerSecond = config.abuse.max_new_rows_per_second
  let end: Deadline | undefined
  const downloads = new DownloadCounts({ database, swarm, log, newRowsPerSecond })
  await naming(opened, () => downloads.start())
  opening.defer(async () => {
    const [lost, unwritten = 0] = await Promise.all([
      downloads.flush(FLUSH_MILLISECONDS),
      kept?.loop.flush(FLUSH_MILLISECONDS, end),
    ])
    // Everything else is closed all the same, and the program exits with an error.
    if (lost > 0)
      throw new Error(`${lost} completed download(s) are lost: the database did not take them`)
    if (unwritten > 0)
      throw new Error(`figures of ${unwritten} session(s) are lost: the database did not take them`)
  })
  const stack = opening.move()
  return {
    permissions,
    accounting: kept?.store,
    follow: (next) => {
      downloads.limitNewRows(next.abuse.max_new_rows_per_second)
      void kept?.follow(next)
    },
    hurry: (deadline) => {
      end = deadline
      kept?.loop.hurry()
    },
    health: {
      driver: config.core.database.driver,
      verdict: () => {
        const state = stateOf(database, kept?.watch)
        if (state.ok) return { Ok: 'Connected' }
        return { Err: `failing since ${new Date(state.since).toISOString()}, the log says why` }
      },
    },
    persistedDownloads: config.core.tracker_policy.persistent_torrent_completed_stat
      ? () => downloads.persistedTotal()
      : undefined,
    meter: () => ({
      isUp: stateOf(database, kept?.watch).ok,
      calls: calls.read(),
      failures,
      owed: downloads.waiting(),
    }),
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  }
}

/** Only a warning, and none about the group: the owner may want that. The file is not changed. */
function warnIfReadableByAll(config: DatabaseConfig, about: string, log: Log): void {
  // Windows has no such rights.
  if (config.driver !== 'sqlite3' || process.platform === 'win32') return
  const path = resolve(config.path)
  const mode = statSync(path, { throwIfNoEntry: false })?.mode ?? 0
  if ((mode & 0o004) === 0) return
  log.warn(
    'DATABASE',
    `{database}: everybody on this machine can read the keys in it: chmod 600 ${shellWord(path)}*`,
    { database: about },
  )
}

/** That of the first that fails. */
function stateOf(...watches: readonly (WatchedDatabase | undefined)[]): DatabaseState {
  const states = watches.flatMap((watch) => watch?.state() ?? [])
  return states.find(({ ok }) => !ok) ?? { ok: true }
}

/** A start that fails names the database. */
async function naming<T>(database: Database, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    throw new Error(`cannot read the database ${database.about}: ${reason}`)
  }
}

/** The name of the driver in the messages of the API. */
export const databaseNameOf = ({ core }: Config): string =>
  DRIVER_NAMES[core.database?.driver ?? 'sqlite3']
