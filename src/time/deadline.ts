/**
 * An absolute time limit. The caller makes it and it travels with the call, so that every wait on the way
 * counts and no callee has to guess how much time is left. It is measured with a clock that never goes back, which
 * has an origin of its own in every thread: see `database/remote.ts` for how one travels there.
 */

/** Longer timers fire at once. */
export const LONGEST_TIMER_MILLISECONDS = 2 ** 31 - 1

/** The work took too long. */
export class TooLate extends Error {}

export class Deadline {
  /** Millisecond of this thread's `performance.now()`. */
  readonly at: number

  constructor(at: number) {
    this.at = at
  }

  static in(milliseconds: number): Deadline {
    return new Deadline(performance.now() + milliseconds)
  }

  get left(): number {
    return Math.max(0, this.at - performance.now())
  }
  get isOver(): boolean {
    return performance.now() >= this.at
  }

  /** This deadline, or the one in `milliseconds` if that is earlier. */
  within(milliseconds: number): Deadline {
    const other = Deadline.in(milliseconds)
    return other.at < this.at ? other : this
  }

  /** `milliseconds` earlier: for work that must leave its caller some time. */
  earlier(milliseconds: number): Deadline {
    return new Deadline(this.at - milliseconds)
  }

  /**
   * Does `work`. Once it is late its signal aborts and this rejects with what `late` returns, even if the
   * work never ends; how it ends then is ignored. Work is not begun after the deadline.
   */
  async run<T>(
    work: (signal: AbortSignal) => Promise<T>,
    late: () => unknown = () => new TooLate(),
  ): Promise<T> {
    if (this.isOver) throw late()
    const waiting = Promise.withResolvers<never>()
    const aborting = new AbortController()
    using _ = this.#alarm(() => {
      const reason = late()
      waiting.reject(reason)
      aborting.abort(reason)
    })
    return await Promise.race([work(aborting.signal), waiting.promise])
  }

  /** Waits for `work`, and rejects if it does. false = it is late, and goes on alone. */
  async waitFor(work: PromiseLike<unknown>): Promise<boolean> {
    const waiting = Promise.withResolvers<boolean>()
    using _ = this.#alarm(() => waiting.resolve(false))
    return await Promise.race([work.then(() => true), waiting.promise])
  }

  /** Calls `ring` at the deadline. Disposing it leaves no timer behind that would keep the process. */
  #alarm(ring: () => void): Disposable {
    let timer: Timer | undefined
    const wait = () => {
      timer = setTimeout(
        () => (this.isOver ? ring() : wait()),
        Math.min(Math.ceil(this.left), LONGEST_TIMER_MILLISECONDS),
      )
    }
    wait()
    return { [Symbol.dispose]: () => clearTimeout(timer) }
  }
}
