/**
 * A word of shared memory by which any thread wakes one that waits for work. Ringing never blocks; ringing
 * twice before the waiter looks is ringing once.
 */
const QUIET = 0
const RUNG = 1

export const createBell = (): SharedArrayBuffer => new SharedArrayBuffer(4)

export class Bell {
  readonly #word: Int32Array<SharedArrayBuffer>

  constructor(memory: SharedArrayBuffer) {
    this.#word = new Int32Array(memory)
  }

  ring(): void {
    if (Atomics.exchange(this.#word, 0, RUNG) === QUIET) Atomics.notify(this.#word, 0)
  }

  /** Resolves when it was rung since the last time this resolved. For one thread; does not keep it alive. */
  async rung(): Promise<void> {
    const { async, value } = Atomics.waitAsync(this.#word, 0, QUIET)
    if (async) await value
    Atomics.store(this.#word, 0, QUIET)
  }
}
