/**
 * How much memory the swarm may use and does use: one sum that all threads add to, and each shard's account of what it
 * added, beside what is charged for others. The sum alone decides, in one step, so no thread ever sees more in use than is
 * allowed, and none is refused because another one tried.
 */
import { HEADER } from './layout.ts'

export const BUDGET_WORDS = 3

export class Budget {
  readonly #words: Int32Array

  /** `BUDGET_WORDS` words: KiB that may be used, KiB in use, and KiB of these that are not the swarm's. */
  constructor(memory: SharedArrayBuffer) {
    this.#words = new Int32Array(memory)
  }

  /** KiB. */
  get limit(): number {
    return Atomics.load(this.#words, 0)
  }
  get used(): number {
    return Atomics.load(this.#words, 1)
  }

  /** Adds `kib`; false = that would be more than allowed, and nothing was added. Negative: always. */
  charge(kib: number): boolean {
    for (;;) {
      const { used } = this
      if (kib > 0 && used + kib > this.limit) return false
      if (Atomics.compareExchange(this.#words, 1, used, used + kib) === used) return true
    }
  }

  /** The same for memory that is not the swarm's. Only the control thread calls it. */
  chargeOther(kib: number): boolean {
    if (!this.charge(kib)) return false
    this.#words[2]! += kib
    return true
  }

  /** `used`: KiB that the swarm uses. No other thread may charge anything meanwhile. */
  correct(used: number): void {
    Atomics.store(this.#words, 1, used + this.#words[2]!)
  }
}

/** One shard's part of the budget. The caller holds the shard's lock. */
export class Account {
  readonly #header: Int32Array
  readonly #budget: Budget

  constructor(header: Int32Array, budget: Budget) {
    this.#header = header
    this.#budget = budget
  }

  /** KiB that this shard holds of the budget. */
  get paid(): number {
    return this.#header[HEADER.paid]!
  }

  /** Nothing that this shard has paid for is in use. */
  reset(): void {
    this.#header[HEADER.spare] = this.paid
  }

  pay(kib: number): boolean {
    const spare = this.#header[HEADER.spare]!
    if (spare >= kib) {
      this.#header[HEADER.spare] = spare - kib
      return true
    }
    // A thread that dies before the next line leaves the sum too high: see `Swarm.audit`.
    if (!this.#budget.charge(kib)) return false
    this.#header[HEADER.paid]! += kib
    return true
  }

  repay(kib: number): void {
    this.#header[HEADER.spare]! += kib
  }

  /** Makes what was repaid available to all shards. */
  settle(): void {
    const spare = this.#header[HEADER.spare]!
    if (spare === 0) return
    this.#header[HEADER.spare] = 0
    this.#header[HEADER.paid]! -= spare
    this.#budget.charge(-spare)
  }
}
