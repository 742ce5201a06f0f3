/**
 * Whether a call is still to be done, in one shared word: who changes it first decides. The clocks of two
 * threads could not, and nothing may be begun once its caller was told that it came too late.
 */
const WAITING = 0
const BEGUN = 1
const GIVEN_UP = 2

export class Errand {
  readonly memory: SharedArrayBuffer
  readonly #word: Int32Array

  constructor(memory = new SharedArrayBuffer(4)) {
    this.memory = memory
    this.#word = new Int32Array(memory)
  }

  /** By the database's thread. false: it was given up. */
  begin(): boolean {
    return Atomics.compareExchange(this.#word, 0, WAITING, BEGUN) === WAITING
  }
  /** By the asking thread. A call that was begun goes on. */
  giveUp(): void {
    Atomics.compareExchange(this.#word, 0, WAITING, GIVEN_UP)
  }
}
