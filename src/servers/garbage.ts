/**
 * Collects garbage at a pace of our own. The engine counts the address space reserved for the swarm as
 * heap, and collects in proportion to it: left alone it would let datagrams pile up until they no longer
 * fit the caches, and old garbage until there are gigabytes of it. One for each thread.
 */

/** Datagrams after which the young garbage is collected: a few megabytes. */
const YOUNG_EVERY = 8_192
/** An HTTP request leaves as much garbage as this many datagrams. */
export const HTTP_REQUEST = 4
/** The same of one to the main thread's own servers, which copy its target: up to 16 KiB, several times. */
export const worthOf = (target: string): number => HTTP_REQUEST + target.length / 1024
/** A full collection takes some milliseconds; without requests there is nothing to collect. */
const FULL_EVERY_MILLISECONDS = 60_000

export class Garbage {
  #young = 0
  #all = 0
  readonly #timer = setInterval(() => {
    if (this.#all > 0) Bun.gc(true)
    this.#all = 0
  }, FULL_EVERY_MILLISECONDS)

  constructor() {
    this.#timer.unref()
  }

  /** Tells of datagrams, or their worth, that were served and left garbage. */
  made(datagrams: number): void {
    this.#all += datagrams
    this.#young += datagrams
    if (this.#young < YOUNG_EVERY) return
    this.#young = 0
    Bun.gc(false)
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer)
  }
}
