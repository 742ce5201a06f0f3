/** A limit for lines about what strangers can make happen as often as they like: a flood must not fill a disk. */
export class LineLimit {
  readonly #lines: number
  readonly #milliseconds: number
  #began = Number.NEGATIVE_INFINITY
  #passed = 0
  #suppressed = 0

  /** At most `lines` in each period of so many milliseconds. */
  constructor(lines: number, milliseconds: number) {
    this.#lines = lines
    this.#milliseconds = milliseconds
  }

  /**
   * How many lines were suppressed before this one, which the line should say; undefined: suppress this one, too.
   * `now`: milliseconds of any origin.
   */
  next(now: number): number | undefined {
    // A clock that was set back also begins a new period.
    if (Math.abs(now - this.#began) >= this.#milliseconds) {
      this.#began = now
      this.#passed = 0
    }
    if (this.#passed === this.#lines) {
      this.#suppressed++
      return undefined
    }
    this.#passed++
    const suppressed = this.#suppressed
    this.#suppressed = 0
    return suppressed
  }
}
