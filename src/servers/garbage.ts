/**
 * Collects garbage at our own pace. The engine counts the address space that is reserved for the swarm as
 * heap, and collects in proportion to it: by itself it would let datagrams pile up until they no longer fit
 * the caches, and old garbage until there are gigabytes of it. Each thread has one.
 */

/** Young garbage is collected while it still fits the caches. */
const YOUNG_BYTES = 7 * 2 ** 20
/** Bytes that were in use during young collections are left to a full one, which takes some milliseconds. */
const OLD_BYTES = 64 * 2 ** 20
/** However little garbage there is, it is collected after this time. */
const FULL_EVERY_MILLISECONDS = 60_000

/** Bytes that a datagram read by Bun leaves behind besides its own: objects around it, its address. */
export const DATAGRAM = 768
/** Bytes that an HTTP request leaves behind besides its target, its body and the body of the answer. */
export const HTTP_REQUEST = 3_072

export class Garbage {
  #young = 0
  #old = 0
  readonly #timer = setInterval(() => {
    if (this.#young + this.#old > 0) this.#collect(true)
  }, FULL_EVERY_MILLISECONDS)

  constructor() {
    this.#timer.unref()
  }

  /** Counts bytes that are garbage as soon as the caller has returned. */
  made(bytes: number): void {
    this.#young += bytes
    if (this.#young < YOUNG_BYTES) return
    // Until the caller returns, they are in use.
    this.#old += bytes
    this.#collect(this.#old >= OLD_BYTES)
  }

  /** Counts bytes that are in use for several turns of the event loop. */
  kept(bytes: number): void {
    this.#old += bytes
    this.made(bytes)
  }

  #collect(all: boolean): void {
    this.#young = 0
    if (all) this.#old = 0
    Bun.gc(all)
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer)
  }
}
