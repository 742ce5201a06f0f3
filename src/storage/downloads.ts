/**
 * Joins swarm and database: looks up what is stored of a torrent when it appears or is scraped, and writes
 * completions in batches. No announce waits for it, and a scrape for a moment only. While the database is away all that is owed waits in
 * the swarm, merged per torrent, but for one batch in hand. Where completions are not kept it only
 * sees to it that the database is there. Must be used by one thread alone.
 */

import type { Database } from '../database/contract.ts'
import type { Log } from '../log.ts'
import type { Swarm } from '../swarm/swarm.ts'
import type { Clock } from '../time/clock.ts'
import { Batch } from './download-batch.ts'
import { NewRows } from './new-rows.ts'
import { Questions } from './stored-counts.ts'
import { DatabaseHealth, type DatabaseState } from './watched-database.ts'

export type PersistenceOptions = {
  readonly swarm: Swarm
  readonly database: Database
  readonly clock: Clock
  readonly log: Log
  readonly pace?: Pace
  /** Torrents a second that get their first row; 0 = no limit. */
  readonly newRowsPerSecond: number
}

export type Pace = {
  /** Between two looks at what is due, and before the first retry; each further wait is twice as long. */
  readonly cycleMilliseconds: number
  readonly longestRetryMilliseconds: number
  /** After so long without a question, one is asked for its own sake. */
  readonly quietMilliseconds: number
  /** Between two looks at what scrapes ask for: strangers decide how often they do. */
  readonly breathMilliseconds: number
}
const PACE: Pace = {
  cycleMilliseconds: 500,
  longestRetryMilliseconds: 10_000,
  quietMilliseconds: 5_000,
  breathMilliseconds: 20,
}

export class Persistence implements Disposable {
  readonly #swarm: Swarm
  readonly #database: Database
  readonly #pace: Pace
  readonly #health: DatabaseHealth
  readonly #batch: Batch
  readonly #questions: Questions
  readonly #newRows: NewRows
  /** `Batch.written` when the database began to fail. */
  #writtenBefore = 0
  #timer: Timer | undefined
  #running: Promise<void> = Promise.resolve()
  #isStopping = false

  constructor(options: PersistenceOptions) {
    const { swarm, database, clock, log, pace = PACE, newRowsPerSecond } = options
    this.#swarm = swarm
    this.#database = database
    this.#pace = pace
    this.#health = new DatabaseHealth(database, clock, log, {
      firstMilliseconds: pace.cycleMilliseconds,
      longestMilliseconds: pace.longestRetryMilliseconds,
    })
    this.#newRows = new NewRows({ perSecond: newRowsPerSecond, log })
    this.#batch = new Batch(swarm, this.#health, this.#newRows)
    this.#questions = new Questions(swarm, this.#health)
  }

  /** Rejects with a DatabaseError. */
  async start(): Promise<void> {
    if (this.#swarm.persistent) this.#batch.total = await this.#database.downloadsTotal()
    this.#plan()
    if (this.#swarm.persistent) void this.#listen()
  }

  /** Whether the database answered when it was last asked anything, a few seconds ago at most. */
  state(): DatabaseState {
    return this.#health.state()
  }

  /** Completions of all times that are in the database. */
  persistedTotal(): number {
    return this.#batch.total
  }
  /** Completions that are not, or not known to be. */
  waiting(): number {
    return this.#batch.owed() + this.#swarm.owed()
  }
  /** Completions that were not stored, because too many torrents had their first. */
  dropped(): number {
    return this.#newRows.dropped
  }

  /**
   * Stops, and writes all that is owed. Call it when nobody announces any more. Resolves with the number
   * of completions that it could not write: they are lost, which is said in the log.
   */
  async flush(graceMilliseconds: number): Promise<number> {
    this[Symbol.dispose]()
    let isOver = false
    const over = Promise.withResolvers<void>()
    const timer = setTimeout(() => {
      isOver = true
      over.resolve()
    }, graceMilliseconds)
    await Promise.race([this.#writeAll(() => isOver), over.promise])
    clearTimeout(timer)
    const lost = this.waiting()
    this.#newRows.look(true)
    if (lost > 0) this.#health.gaveUp(`${lost} completed download(s) could not be written`)
    return lost
  }

  /** Nothing is begun any more. */
  [Symbol.dispose](): void {
    this.#isStopping = true
    clearTimeout(this.#timer)
    this.#swarm.asked.ring()
  }

  #plan(): void {
    if (this.#isStopping) return
    const wait = this.#health.retry ?? this.#pace.cycleMilliseconds
    this.#timer = setTimeout(() => {
      this.#begin(() => this.#cycle()).then(() => this.#plan())
    }, wait)
  }

  /** One thing at a time. `work` never rejects. */
  #begin(work: () => Promise<void>): Promise<void> {
    this.#running = this.#running.then(work)
    return this.#running
  }

  /** Scrapes wait for their answers: those are not left to the next cycle. */
  async #listen(): Promise<void> {
    while (!this.#isStopping) {
      await this.#swarm.asked.rung()
      await this.#begin(() => this.#answer())
      await Bun.sleep(this.#pace.breathMilliseconds)
    }
  }

  /** Never rejects. */
  async #answer(): Promise<void> {
    // A batch that is still in hand failed, and changes the answers.
    if (this.#isStopping || this.#health.retry !== undefined) return
    try {
      await this.#questions.answer(() => this.#isStopping)
    } catch (error) {
      this.#failed(error)
    }
  }

  /** Never rejects. */
  async #cycle(): Promise<void> {
    const isStopping = () => this.#isStopping
    try {
      // A batch that was not full was the last: what came meanwhile can wait for the next cycle.
      for (let isFull = true; isFull && !isStopping(); ) {
        isFull = !this.#batch.isEmpty || this.#batch.gather()
        if (!this.#batch.isEmpty) await this.#batch.settle(isStopping)
      }
      if (isStopping()) return
      await this.#questions.answer(isStopping)
      await this.#health.look(this.#pace.quietMilliseconds)
      this.#newRows.look()
      const written = this.#batch.written - this.#writtenBefore
      this.#health.recovered(
        this.#swarm.persistent ? `${written} completed download(s) caught up` : 'nothing was lost',
      )
      this.#writtenBefore = this.#batch.written
    } catch (error) {
      this.#failed(error)
    }
  }

  async #writeAll(isOver: () => boolean): Promise<void> {
    await this.#running
    while (this.waiting() > 0 && !isOver()) {
      if (this.#batch.isEmpty) this.#batch.gather()
      // What is left may be in a shard that is locked.
      let isStuck = this.#batch.isEmpty
      try {
        await this.#batch.settle(() => true)
      } catch (error) {
        this.#failed(error)
        isStuck = true
      }
      if (isStuck) await Bun.sleep(RUSH_MILLISECONDS)
    }
  }

  #failed(error: unknown): void {
    this.#health.failed(
      error,
      this.#swarm.persistent
        ? 'completed downloads wait in memory until it works again'
        : 'it will be asked again',
    )
  }
}

/** Between two tries when the program is about to end. */
const RUSH_MILLISECONDS = 20
