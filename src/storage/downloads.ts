/**
 * Download counts between swarm and database: looks up the stored count of a torrent when it appears or is
 * scraped, and writes completions in batches. No announce waits for it, and a scrape only for a moment. While
 * the database is away everything that is owed waits in the swarm, merged per torrent, except one batch in hand.
 * Where completions are not kept it only watches the database. One thread alone must use it.
 */
import { type Database, DatabaseError } from '../database/contract.ts'
import type { Log } from '../log/log.ts'
import type { Swarm } from '../swarm/swarm.ts'
import { Deadline } from '../time/deadline.ts'
import { DownloadBatch } from './download-batch.ts'
import { NewRows } from './new-rows.ts'
import { answerLookup, applyEach, Hashes, takeLookups } from './owed.ts'
import type { WatchedDatabase } from './watched-database.ts'

type DownloadCountsOptions = {
  readonly swarm: Swarm
  readonly database: WatchedDatabase
  readonly log: Log
  readonly pace?: Pace
  /** Torrents a second that get their first row; 0 = no limit. */
  readonly newRowsPerSecond: number
}

type Pace = {
  /** Between two looks at what is owed. */
  readonly cycleMilliseconds: number
  /** Between two looks at what scrapes ask for, which strangers can do as often as they like. */
  readonly breathMilliseconds: number
}
const PACE: Pace = { cycleMilliseconds: 500, breathMilliseconds: 20 }

/** Between two attempts when the program is about to end. */
const RUSH_MILLISECONDS = 20

export class DownloadCounts implements Disposable {
  readonly #swarm: Swarm
  readonly #watch: WatchedDatabase
  readonly #pace: Pace
  readonly #batch: DownloadBatch
  readonly #lookups: ScrapeLookups
  readonly #newRows: NewRows
  /** `DownloadBatch.written` when the database last worked. */
  #writtenBefore = 0
  #timer: Timer | undefined
  #running: Promise<void> = Promise.resolve()
  #isStopping = false

  constructor({ swarm, database, log, pace = PACE, newRowsPerSecond }: DownloadCountsOptions) {
    this.#swarm = swarm
    this.#watch = database
    this.#pace = pace
    this.#newRows = new NewRows({ perSecond: newRowsPerSecond, log })
    this.#batch = new DownloadBatch(swarm, database, this.#newRows, log)
    this.#lookups = new ScrapeLookups(swarm, database.database)
  }

  /** Torrents a second that get their first row; 0 = no limit. */
  limitNewRows(perSecond: number): void {
    this.#newRows.limit(perSecond)
  }

  /** Rejects with a DatabaseError. */
  async start(): Promise<void> {
    if (this.#swarm.persistent) this.#batch.total = await this.#watch.database.downloadsTotal()
    this.#plan()
    if (this.#swarm.persistent) void this.#listen()
  }

  /** Completions of all times that are in the database. */
  persistedTotal(): number {
    return this.#batch.total
  }
  /** Completions that are not, or not known to be. */
  waiting(): number {
    return this.#batch.owed() + this.#swarm.owed()
  }

  /**
   * Stops, and writes everything that is owed. Call it after the last announce. Resolves with the number of
   * completions that it could not write: they are lost, and the log says so.
   */
  async flush(graceMilliseconds: number): Promise<number> {
    this[Symbol.dispose]()
    const deadline = Deadline.in(graceMilliseconds)
    await deadline.waitFor(this.#writeAll(deadline))
    const lost = this.waiting()
    this.#newRows.report(true)
    if (lost > 0) this.#watch.gaveUp(`${lost} completed download(s) could not be written`)
    return lost
  }

  /** Nothing more is begun. */
  [Symbol.dispose](): void {
    this.#isStopping = true
    clearTimeout(this.#timer)
    this.#swarm.asked.ring()
  }

  #plan(): void {
    if (this.#isStopping) return
    this.#timer = setTimeout(() => {
      this.#begin(() => this.#cycle()).then(() => this.#plan())
    }, this.#watch.retry ?? this.#pace.cycleMilliseconds)
  }

  /** One thing at a time. `work` never rejects. */
  #begin(work: () => Promise<void>): Promise<void> {
    this.#running = this.#running.then(work)
    return this.#running
  }

  /** Scrapes wait for their answers: they cannot wait for the next cycle. */
  async #listen(): Promise<void> {
    while (!this.#isStopping) {
      await this.#swarm.asked.rung()
      await this.#begin(() => this.#answer())
      await Bun.sleep(this.#pace.breathMilliseconds)
    }
  }

  /** Never rejects. */
  async #answer(): Promise<void> {
    // A batch that is still in hand has failed, and changes the answers.
    if (this.#isStopping || this.#watch.retry !== undefined) return
    try {
      await this.#lookups.answer(() => this.#isStopping)
    } catch (error) {
      this.#failed(error)
    }
  }

  /** Never rejects. */
  async #cycle(): Promise<void> {
    const isStopping = () => this.#isStopping
    try {
      // A batch that is not full is the last: what comes in the meantime can wait for the next cycle.
      for (let isFull = true; isFull && !isStopping(); ) {
        isFull = !this.#batch.isEmpty || this.#batch.gather()
        if (!this.#batch.isEmpty) await this.#batch.store(isStopping)
      }
      if (isStopping()) return
      await this.#lookups.answer(isStopping)
      await this.#watch.check()
      this.#newRows.report()
      const written = this.#batch.written - this.#writtenBefore
      this.#watch.recovered(
        this.#swarm.persistent ? `${written} completed download(s) caught up` : 'nothing was lost',
      )
      this.#writtenBefore = this.#batch.written
    } catch (error) {
      this.#failed(error)
    }
  }

  async #writeAll(deadline: Deadline): Promise<void> {
    await this.#running
    while (this.waiting() > 0 && !deadline.isOver) {
      if (this.#batch.isEmpty) this.#batch.gather()
      // The rest may be in a shard that is locked.
      let isStuck = this.#batch.isEmpty
      try {
        await this.#batch.store(() => true, deadline)
      } catch (error) {
        // The reason of an attempt that had time says more.
        if (!(error instanceof DatabaseError && error.fault === 'unbegun')) this.#failed(error)
        isStuck = true
      }
      if (isStuck) await Bun.sleep(RUSH_MILLISECONDS)
    }
  }

  #failed(error: unknown): void {
    const consequence = this.#swarm.persistent
      ? 'completed downloads wait in memory until it works again'
      : 'it will be asked again'
    this.#watch.failed(error, this.#isStopping ? undefined : consequence)
  }
}

/** Lookups of one shard in one query; there are 32 shards. */
const MOST_EACH = 15

/**
 * Looks up torrents that scrapes asked for and that are not in the swarm. Strangers choose how many there
 * are: only so many are looked up in one cycle.
 */
class ScrapeLookups {
  readonly #swarm: Swarm
  readonly #database: Database
  readonly #hashes: Hashes

  constructor(swarm: Swarm, database: Database) {
    this.#swarm = swarm
    this.#database = database
    this.#hashes = new Hashes(MOST_EACH * swarm.shards.length)
  }

  /** Lookups that failed are repeated first. Never while a batch is in hand that changes the answers. */
  async answer(isOver: () => boolean): Promise<void> {
    const hashes = this.#hashes
    if (hashes.count === 0)
      for (const shard of this.#swarm.shards) takeLookups(shard, hashes, MOST_EACH)
    if (hashes.count === 0 || isOver()) return
    const asked = hashes.pick(Array(hashes.count).keys())
    const stored = await this.#database.downloadsOf(asked)
    const answer = (i: number) => answerLookup(this.#swarm, hashes.words, i * 5, stored[i]!)
    await applyEach(stored.length, answer, isOver)
    hashes.count = 0
  }
}
