/** Work that is done again and again, until it is disposed of. */
import { LONGEST_TIMER_MILLISECONDS } from '../time/deadline.ts'

export class Repeated implements Disposable {
  readonly #act: () => void
  #milliseconds = 0
  #timer: Timer | undefined

  /** Not before `every` is called. */
  constructor(act: () => void) {
    this.#act = act
  }

  /** A change counts from now on; without one, nothing happens. */
  every(milliseconds: number): this {
    if (milliseconds === this.#milliseconds) return this
    this.#milliseconds = milliseconds
    clearInterval(this.#timer)
    this.#timer = setInterval(this.#act, Math.min(milliseconds, LONGEST_TIMER_MILLISECONDS))
    return this
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer)
  }
}
