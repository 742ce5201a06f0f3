/**
 * Lines about what strangers can make happen as often as they like: so many in a period, and the next one says how
 * many were suppressed before it. A flood must neither fill a disk nor slow the tracker down.
 */
import type { Level } from './level.ts'
import type { Fields, Log } from './log.ts'

type LimitedLinesOptions = {
  readonly level: Level
  readonly target: string
  /** At most `lines` in each period of so many milliseconds. */
  readonly lines: number
  readonly milliseconds: number
  /** A clock in milliseconds of any origin. */
  readonly now?: () => number
}

export class LimitedLines {
  readonly #log: Log
  readonly #options: LimitedLinesOptions
  readonly #now: () => number
  #began = Number.NEGATIVE_INFINITY
  #said = 0
  #suppressed = 0

  constructor(log: Log, options: LimitedLinesOptions) {
    this.#log = log
    this.#options = options
    this.#now = options.now ?? (() => performance.now())
  }

  /** `fields` is only called for a line that is printed. */
  say(message: string, fields: () => Fields): void {
    const { level, target, lines, milliseconds } = this.#options
    if (!this.#log.prints(level)) return
    const now = this.#now()
    // A clock that was set back also begins a new period.
    if (Math.abs(now - this.#began) >= milliseconds) {
      this.#began = now
      this.#said = 0
    }
    if (this.#said === lines) {
      this.#suppressed++
      return
    }
    this.#said++
    const suppressed = this.#suppressed
    this.#suppressed = 0
    this.#log[level](target, message, { ...fields(), ...(suppressed > 0 && { suppressed }) })
  }
}
