/** Losses and latencies of one target so far, in memory that does not grow. */
import { Histogram } from '../memory/histogram.ts'
import { rounded } from '../text/figures.ts'

export type ProbeStatus = 'ok' | 'timeout' | 'error'

export const FIGURES = ['last', 'min', 'average', 'p50', 'p90', 'p99', 'max'] as const
/** Latencies in milliseconds. */
export type Latencies = Readonly<Record<(typeof FIGURES)[number], number>>

export class Statistics {
  #total = 0
  #timeouts = 0
  #errors = 0
  #min = Number.POSITIVE_INFINITY
  #sum = 0
  #last = 0
  /** Why the last failed probe failed. */
  lastFailure: string | undefined
  readonly #latencies = new Histogram()

  /** `milliseconds`: how long the answer took; ignored unless `status` is `ok`. */
  record(status: ProbeStatus, milliseconds: number, failure?: string): void {
    this.#total++
    if (status !== 'ok') this.lastFailure = failure
    if (status === 'timeout') this.#timeouts++
    else if (status === 'error') this.#errors++
    else {
      this.#min = Math.min(this.#min, milliseconds)
      this.#sum += milliseconds
      this.#last = milliseconds
      this.#latencies.record(milliseconds)
    }
  }

  get total(): number {
    return this.#total
  }

  /** Probes without a usable answer. */
  get lost(): number {
    return this.#timeouts + this.#errors
  }

  get lossPercent(): number {
    return percentage(this.lost, this.#total)
  }

  /** undefined: no answer yet. */
  get latencies(): Latencies | undefined {
    const { count, max } = this.#latencies
    if (count === 0) return undefined
    // The middle of a bucket may be less than the values in it.
    const percentile = (share: number) => Math.max(this.#min, this.#latencies.percentile(share))
    return {
      last: this.#last,
      min: this.#min,
      average: this.#sum / count,
      p50: percentile(0.5),
      p90: percentile(0.9),
      p99: percentile(0.99),
      max,
    }
  }

  /** The reference's members and more (docs/behaviours.md T7). */
  document(): object {
    const found = this.latencies
    const latencies = FIGURES.map((name) => [`${name}_ms`, found ? rounded(found[name], 3) : null])
    return {
      total: this.#total,
      timeouts: this.#timeouts,
      timeout_percent: percentage(this.#timeouts, this.#total),
      errors: this.#errors,
      loss_percent: this.lossPercent,
      ...Object.fromEntries(latencies),
      last_failure: this.lastFailure ?? null,
    }
  }
}

const percentage = (part: number, whole: number): number =>
  whole === 0 ? 0 : rounded((part / whole) * 100, 3)
