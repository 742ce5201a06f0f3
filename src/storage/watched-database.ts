/**
 * The watch over the database that keys, whitelist and download counts share; accounting has one of its own, because
 * what it owes may be caught up later or sooner. It knows whether the database works,
 * for the health report; it tells the log once when the database begins to fail and once when it works again; it
 * decides how long to wait before the next attempt; and it calls what waits until it works again.
 */
import type { Database } from '../database/contract.ts'
import type { Log } from '../log/log.ts'
import type { Clock } from '../time/clock.ts'

export type DatabaseState =
  | { readonly ok: true }
  /** `since`: millisecond since the epoch. The message holds no secrets. */
  | { readonly ok: false; readonly since: number; readonly message: string }

export type WatchPace = {
  readonly retryMilliseconds: number
  /** After so long without a successful write the database is asked whether it works. */
  readonly quietMilliseconds: number
}
// Soon: what failed for a moment, such as for want of a descriptor, must not make the health check fail for seconds.
const PACE: WatchPace = { retryMilliseconds: 500, quietMilliseconds: 5_000 }

type WatchedOptions = {
  readonly database: Database
  readonly clock: Clock
  readonly log: Log
  readonly pace?: Partial<WatchPace> | undefined
  /** Of its lines in the log. */
  readonly target?: string
}

export class WatchedDatabase {
  readonly database: Database
  readonly #clock: Clock
  readonly #log: Log
  readonly #pace: WatchPace
  readonly #target: string
  /** From the first failure until everything that waited for the database is done. */
  #trouble: { readonly since: number; message: string } | undefined
  /** Whether the last write or ping succeeded, and when one did. */
  #works = true
  #lastSuccess: number = performance.now()
  /** What is called when the database works again, and since when that is wanted. */
  #waiting: { readonly work: () => void; readonly since: number } | undefined

  constructor({ database, clock, log, pace, target = 'DATABASE' }: WatchedOptions) {
    this.database = database
    this.#clock = clock
    this.#log = log
    this.#pace = { ...PACE, ...pace }
    this.#target = target
  }

  /** Whether the database worked when it was last asked, a few seconds ago at most. */
  state(): DatabaseState {
    if (this.#works || this.#trouble === undefined) return { ok: true }
    return { ok: false, since: this.#trouble.since, message: this.#trouble.message }
  }

  /** Milliseconds until the next attempt; undefined: nothing has failed. */
  get retry(): number | undefined {
    return this.#trouble && this.#pace.retryMilliseconds
  }

  /**
   * A write of a cycle or a ping succeeded. The success of others proves nothing: a locked or deleted file still
   * answers a read, and a key that was written says nothing of the download counts that could not be.
   */
  worked(): void {
    this.#lastSuccess = performance.now()
    this.#works = true
  }

  /**
   * Calls `work`, which must not throw, once when the database is seen to work, a quiet time from now at the
   * earliest: a write whose outcome is unknown may still be under way. It is always the same `work`.
   */
  whenItWorks(work: () => void): void {
    this.#waiting ??= { work, since: performance.now() }
  }

  /**
   * To be called often. Pings the database if nothing was written for a while, if it failed before, or if
   * something has waited for it long enough; then calls what waits. Rejects if the ping does.
   */
  async check(): Promise<void> {
    const { quietMilliseconds } = this.#pace
    const now = performance.now()
    const isQuiet = now - this.#lastSuccess >= quietMilliseconds
    const awaited =
      this.#waiting && now - this.#waiting.since >= quietMilliseconds ? this.#waiting : undefined
    if (isQuiet || awaited || this.#trouble !== undefined) {
      await this.database.ping()
      this.worked()
    }
    if (!awaited) return
    this.#waiting = undefined
    awaited.work()
  }

  /** A call of a cycle failed. `consequence` is for the log; undefined: what follows will be logged (`gaveUp`). */
  failed(error: unknown, consequence: string | undefined): void {
    const message = error instanceof Error ? error.message : String(error)
    this.#works = false
    if (this.#trouble !== undefined) {
      this.#trouble.message = message
      return
    }
    this.#trouble = { since: this.#clock.milliseconds(), message }
    if (consequence === undefined) return
    const { about } = this.database
    const fields = { reason: message, consequence }
    // Some messages name the database themselves.
    if (message.includes(about)) this.#log.error(this.#target, '{reason}; {consequence}', fields)
    else
      this.#log.error(this.#target, '{database}: {reason}; {consequence}', {
        database: about,
        ...fields,
      })
  }

  /** Everything that waited is done. `done` is for the log. */
  recovered(done: string): void {
    if (this.#trouble === undefined) return
    const seconds = Math.round((this.#clock.milliseconds() - this.#trouble.since) / 1000)
    this.#trouble = undefined
    const fields = { database: this.database.about, seconds, done }
    this.#log.info(this.#target, '{database}: works again after {seconds} s; {done}', fields)
  }

  /** Something is lost for good. */
  gaveUp(what: string): void {
    const reason = this.#trouble?.message ?? 'no time was left'
    const fields = { database: this.database.about, what, reason }
    this.#log.error(this.#target, '{database}: {what}: {reason}', fields)
  }
}
