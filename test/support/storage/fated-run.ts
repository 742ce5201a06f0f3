/** A swarm, a database that can be made to fail in every way of the contract, and what joins them. */
import { EVENT } from '../../../src/bittorrent.ts'
import { type Database, DatabaseError, notBegun } from '../../../src/database/contract.ts'
import { openSqlite } from '../../../src/database/sqlite.ts'
import { Log } from '../../../src/log/log.ts'
import { DownloadCounts } from '../../../src/storage/downloads.ts'
import { WatchedDatabase } from '../../../src/storage/watched-database.ts'
import type { SwarmMemory } from '../../../src/swarm/swarm.ts'
import type { SqliteFile } from '../database/sqlite-file.ts'
import { hashHex, World } from '../swarm/harness.ts'

/** What becomes of a call: nothing special; not done and no answer; done and no answer; refused; no time was left. */
export type Fate = 'fine' | 'lost' | 'done unseen' | 'refused' | 'not begun'

/** Passes every call on to a real database, or a part of one, unless `fate` says otherwise. */
export class Fated<T extends object = Database> {
  readonly calls: string[] = []
  fate: (call: string) => Fate = () => 'fine'
  /** Calls wait for this before anything else happens to them, then for so many milliseconds. */
  before: Promise<void> = Promise.resolve()
  delay: (call: string) => number = () => 0
  busy = 0
  mostBusy = 0
  readonly database: T

  constructor(real: T) {
    this.database = new Proxy(real, {
      get: (target, name) => {
        const value: unknown = Reflect.get(target, name)
        if (typeof value !== 'function') return value
        return (...given: unknown[]) =>
          this.#call(String(name), () => value.apply(target, given) as Promise<unknown>)
      },
    })
  }

  async #call(name: string, really: () => Promise<unknown>): Promise<unknown> {
    this.calls.push(name)
    this.mostBusy = Math.max(this.mostBusy, ++this.busy)
    try {
      await this.before
      const delay = this.delay(name)
      if (delay > 0) await Bun.sleep(delay)
      const fate = this.fate(name)
      if (fate === 'lost') throw new DatabaseError('late', 'no answer')
      if (fate === 'not begun') throw notBegun('nowhere')
      if (fate === 'refused') throw new DatabaseError('refused', 'the disk is full')
      const answer = await really()
      if (fate === 'done unseen') throw new DatabaseError('unreachable', 'the connection was lost')
      return answer
    } finally {
      this.busy--
    }
  }
  count(name: string): number {
    return this.calls.filter((call) => call === name).length
  }
}

export const PACE = {
  cycleMilliseconds: 4,
  breathMilliseconds: 1,
  retryMilliseconds: 10,
  quietMilliseconds: 20,
}

/** One run of a tracker on `file`. */
export class Run {
  readonly world: World
  readonly fated: Fated
  readonly watched: WatchedDatabase
  readonly downloads: DownloadCounts
  readonly log: Log
  readonly lines: string[] = []
  readonly #real: Database

  static async start(
    file: SqliteFile,
    options: {
      persistent?: boolean
      memory?: SwarmMemory
      pace?: typeof PACE
      newRowsPerSecond?: number
    } = {},
  ): Promise<Run> {
    const run = new Run(await openSqlite(file.config), options)
    await run.downloads.start()
    return run
  }

  private constructor(
    real: Database,
    {
      persistent = true,
      memory,
      pace = PACE,
      newRowsPerSecond = 0,
    }: Parameters<typeof Run.start>[1] & {},
  ) {
    this.#real = real
    this.fated = new Fated(real)
    this.world = new World({ bytes: 16 * 2 ** 20, persistent, ...(memory && { memory }) })
    const clock = { seconds: () => 1_000_000, milliseconds: () => 1_000_000_000 }
    const options = { filter: 'info', style: 'full', colour: false } as const
    const log = new Log(options, clock.milliseconds, (line) => this.lines.push(line.trimEnd()))
    const { database } = this.fated
    const { swarm } = this.world
    this.log = log
    this.watched = new WatchedDatabase({ database, clock, log, pace })
    const { watched } = this
    this.downloads = new DownloadCounts({ swarm, database: watched, log, pace, newRowsPerSecond })
  }

  /** A peer that had bytes left completes. */
  complete(hash: Int32Array, peer = 1): void {
    this.world.tell(hash, { peer, left: 1n, want: 0 })
    this.world.tell(hash, { peer, event: EVENT.completed, want: 0 })
  }
  downloaded(hash: Int32Array): number {
    return this.world.scrape(hash).downloaded
  }
  /** The lines of the log without time and place. */
  said(): string[] {
    return this.lines.map((line) => line.slice(28).replace(/sqlite3:\S*(?=:)/, 'PLACE'))
  }
  /** The number of completions that are lost. */
  async stop(graceMilliseconds = 5_000): Promise<number> {
    const lost = await this.downloads.flush(graceMilliseconds)
    await this.#real.close()
    return lost
  }
}

/** Stored completions by info hash, and the stored total. */
export function stored(file: SqliteFile): { counts: Record<string, number>; total: number } {
  const rows = file.sql('SELECT info_hash, completed FROM torrents')
  const [total] = file.sql('SELECT value FROM torrent_aggregate_metrics')
  return {
    counts: Object.fromEntries(rows.map(([hash, completed]) => [hash, Number(completed)])),
    total: Number(total?.[0] ?? 0),
  }
}

export function store(file: SqliteFile, hash: Int32Array, completed: number): void {
  file.sql(`INSERT INTO torrents (info_hash, completed) VALUES ('${hashHex(hash)}', ${completed});
    UPDATE torrent_aggregate_metrics SET value = value + ${completed}`)
}
