/** Losses and latencies of one target so far, in memory that does not grow. */
import { Histogram } from '../memory/histogram.ts'
import { rounded } from '../text/figures.ts'

export type ProbeStatus = 'ok' | 'timeout' | 'error'

export class Statistics {
  #total = 0
  #timeouts = 0
  #errors = 0
  #min = Number.POSITIVE_INFINITY
  #sum = 0
  #last: number | undefined
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

  /** In milliseconds; undefined: no answer yet. */
  get latencies() {
    const answered = this.#total - this.lost
    if (answered === 0) return undefined
    const [min, max] = [this.#min, this.#latencies.max]
    // The middle of a bucket may lie outside of the values in it.
    const percentile = (share: number): number =>
      Math.max(min, Math.min(max, this.#latencies.percentile(share)))
    return {
      last: this.#last,
      min,
      average: this.#sum / answered,
      p50: percentile(0.5),
      p90: percentile(0.9),
      p99: percentile(0.99),
      max,
    }
  }

  /** The reference's members, then ours (docs/behaviours.md T7). */
  document(): object {
    const found = this.latencies
    return {
      total: this.#total,
      timeouts: this.#timeouts,
      timeout_percent: percentage(this.#timeouts, this.#total),
      min_ms: orNull(found?.min),
      max_ms: orNull(found?.max),
      average_ms: orNull(found?.average),
      last_ms: orNull(found?.last),
      errors: this.#errors,
      loss_percent: this.lossPercent,
      p50_ms: orNull(found?.p50),
      p90_ms: orNull(found?.p90),
      p99_ms: orNull(found?.p99),
      last_failure: this.lastFailure ?? null,
    }
  }
}

const percentage = (part: number, whole: number): number =>
  whole === 0 ? 0 : rounded((part / whole) * 100, 3)

const orNull = (milliseconds: number | undefined): number | null =>
  milliseconds === undefined ? null : rounded(milliseconds, 3)
