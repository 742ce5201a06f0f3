/** Trouble that may last: few lines for it, however long it does. */
import type { Fields, Log } from './log.ts'

const MINUTE = 60_000

/**
 * Trouble that may last: a warning when it begins, a count for each minute in which it goes on, and a last line
 * when there was none of it for a minute. Times are milliseconds of any origin.
 */
export class Trouble {
  readonly #log: Log
  readonly #target: string
  readonly #what: string
  #began = 0
  /** When it was seen last, and when a line was logged last. */
  #seen = 0
  #logged = 0
  /** How often it was seen in all, and until the last line. */
  #count = 0
  #counted = 0

  /** `what` happens: the words for a count of it, without the number. */
  constructor(log: Log, target: string, what: string) {
    this.#log = log
    this.#target = target
    this.#what = what
  }

  /** Whether it began and is not over. */
  get isOn(): boolean {
    return this.#count > 0
  }

  /** It happened `count` times just now; `what` says so in a line of the log. */
  add(now: number, count: number, what: () => readonly [message: string, fields?: Fields]): void {
    if (count === 0) return
    if (!this.isOn) {
      this.#began = this.#logged = now
      this.#counted = 0
      this.#log.warn(this.#target, ...what())
    }
    this.#count += count
    this.#seen = now
  }

  /** Call it from time to time, whether it happens or not. */
  pass(now: number): void {
    if (!this.isOn) return
    if (now - this.#seen >= MINUTE) {
      const seconds = Math.round((this.#seen - this.#began) / 1000)
      this.#log.info(this.#target, `It is over: ${this.#what}`, { count: this.#count, seconds })
      this.#count = 0
    } else if (now - this.#logged >= MINUTE && this.#count > this.#counted) {
      const seconds = Math.round((now - this.#logged) / 1000)
      const count = this.#count - this.#counted
      this.#log.warn(this.#target, this.#what, { count, seconds })
      this.#logged = now
      this.#counted = this.#count
    }
  }
}
