/**
 * How the database is, as it was when it was last asked: for the health report, and said in the log once
 * when it begins to fail and once when it works again. Decides how long to wait until the next try.
 */

import type { Database } from '../database/contract.ts'
import type { Log } from '../log.ts'
import type { Clock } from '../time/clock.ts'

export type DatabaseState =
  | { readonly ok: true }
  /** `since`: millisecond since the epoch. The message holds no secrets. */
  | { readonly ok: false; readonly since: number; readonly message: string }

const TARGET = 'DATABASE'

export class DatabaseHealth {
  readonly #database: Database
  readonly #clock: Clock
  readonly #log: Log
  readonly #firstRetry: number
  readonly #longestRetry: number
  /** From the first failure until all that waited for the database is done. */
  #trouble: { readonly since: number; message: string; retry: number } | undefined
  /** Whether the last question was answered. */
  #answers = true
  #lastAnswer: number = performance.now()

  constructor(
    database: Database,
    clock: Clock,
    log: Log,
    retry: { readonly firstMilliseconds: number; readonly longestMilliseconds: number },
  ) {
    this.#database = database
    this.#clock = clock
    this.#log = log
    this.#firstRetry = retry.firstMilliseconds
    this.#longestRetry = retry.longestMilliseconds
  }

  state(): DatabaseState {
    if (this.#answers || this.#trouble === undefined) return { ok: true }
    return { ok: false, since: this.#trouble.since, message: this.#trouble.message }
  }

  /** Milliseconds until the next try; undefined = nothing has failed. */
  get retry(): number | undefined {
    return this.#trouble?.retry
  }
  /** What the database said when it last failed, while that is not mended. */
  get complaint(): string | undefined {
    return this.#trouble?.message
  }

  async ask<T>(question: (database: Database) => Promise<T>): Promise<T> {
    const answer = await question(this.#database)
    this.#lastAnswer = performance.now()
    this.#answers = true
    return answer
  }

  /** Asks something for its own sake when nothing was asked for so long, or when it failed before. */
  async look(quietMilliseconds: number): Promise<void> {
    const isQuiet = performance.now() - this.#lastAnswer >= quietMilliseconds
    if (isQuiet || this.#trouble !== undefined) await this.ask((database) => database.ping())
  }

  /** `consequence` is for the log. */
  failed(error: unknown, consequence: string): void {
    const message = error instanceof Error ? error.message : String(error)
    this.#answers = false
    if (this.#trouble !== undefined) {
      this.#trouble.message = message
      this.#trouble.retry = Math.min(this.#trouble.retry * 2, this.#longestRetry)
      return
    }
    this.#trouble = { since: this.#clock.milliseconds(), message, retry: this.#firstRetry }
    this.#log.error(TARGET, `${this.#placed(message)}; ${consequence}`)
  }

  /** Some messages name the database already. */
  #placed(message: string): string {
    const { about } = this.#database
    return message.includes(about) ? message : `${about}: ${message}`
  }

  /** All that waited is done. */
  recovered(done: string): void {
    if (this.#trouble === undefined) return
    const seconds = Math.round((this.#clock.milliseconds() - this.#trouble.since) / 1000)
    this.#trouble = undefined
    this.#log.info(TARGET, `${this.#database.about}: works again after ${seconds} s; ${done}`)
  }

  /** Something is lost for good. */
  gaveUp(what: string): void {
    const why = this.complaint ?? 'no time was left'
    this.#log.error(TARGET, `${this.#database.about}: ${what}: ${why}`)
  }
}
