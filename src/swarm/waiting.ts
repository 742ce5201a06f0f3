/**
 * Scrapes that wait for stored counts: limited in number and in time, because strangers choose what is asked.
 * They are checked every few milliseconds while there are any. For one thread.
 */
import { LIMITS } from '../limits.ts'

const LOOK_AGAIN_MILLISECONDS = 5

type Waiter = {
  readonly words: Int32Array
  readonly until: number
  readonly done: () => void
  /** Where the first info hash begins whose count may be missing. */
  at: number
}

export class Waiting {
  readonly #isAwaited: (words: Int32Array) => boolean
  readonly #longest: number
  #waiters: Waiter[] = []

  /** `isAwaited`: whether the count of the info hash in `words` (five) may still come. */
  constructor(
    isAwaited: (words: Int32Array) => boolean,
    longestMilliseconds: number = LIMITS.scrapeWaitMilliseconds,
  ) {
    this.#isAwaited = isAwaited
    this.#longest = longestMilliseconds
  }

  /**
   * Calls `done`, which must not throw, when the counts of all info hashes in `words` (five each) are there or
   * the time is over; never before this returns. false: too many wait already, and it is never called.
   */
  add(words: Int32Array, done: () => void): boolean {
    if (this.#waiters.length === LIMITS.waitingScrapes) return false
    this.#waiters.push({ words, done, at: 0, until: performance.now() + this.#longest })
    if (this.#waiters.length === 1) this.#plan()
    return true
  }

  #plan(): void {
    setTimeout(() => this.#look(), LOOK_AGAIN_MILLISECONDS)
  }

  #look(): void {
    const now = performance.now()
    const over: Waiter[] = []
    const waiting: Waiter[] = []
    for (const waiter of this.#waiters)
      (waiter.until <= now || this.#isReady(waiter) ? over : waiting).push(waiter)
    this.#waiters = waiting
    if (waiting.length > 0) this.#plan()
    for (const { done } of over) done()
  }

  /** Looks no further than the first that is missing, so that a look costs the same however many are asked. */
  #isReady(waiter: Waiter): boolean {
    const { words } = waiter
    try {
      while (waiter.at < words.length && !this.#isAwaited(words.subarray(waiter.at, waiter.at + 5)))
        waiter.at += 5
    } catch {
      // The scrape itself will report the bug. The others must still be checked.
      return true
    }
    return waiter.at >= words.length
  }
}
