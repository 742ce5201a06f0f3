/** How many requests may be sent by now. */

/** What was not sent for longer than this is not made up for: nobody wants a burst after a pause. */
const MEMORY_MILLISECONDS = 100

export class Pace {
  /** Requests a millisecond; undefined: as many as answers make room for. */
  readonly #perMillisecond: number | undefined
  readonly #most: number
  readonly #end: number
  #budget = 0
  #since: number

  /**
   * `rate` is requests a second. From `begin` to `end` (milliseconds) there will never be more of them than
   * it allows.
   */
  constructor(rate: number | undefined, begin: number, end: number) {
    this.#perMillisecond = rate === undefined ? undefined : rate / 1000
    this.#most = Math.max(1, (this.#perMillisecond ?? 0) * MEMORY_MILLISECONDS)
    this.#since = begin
    this.#end = end
  }

  /** Whole requests; whoever sends some says so with `spend`. */
  allowed(now: number): number {
    if (this.#perMillisecond === undefined) return Number.POSITIVE_INFINITY
    const until = Math.min(now, this.#end)
    const earned = (until - this.#since) * this.#perMillisecond
    this.#budget = Math.min(this.#most, this.#budget + earned)
    this.#since = until
    return Math.floor(this.#budget)
  }

  spend(requests: number): void {
    this.#budget -= requests
  }
}
