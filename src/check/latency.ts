/** What was seen of one target so far, in memory that does not grow. */
import { Histogram } from '../memory/histogram.ts'
import { rounded } from './report.ts'

export type ProbeStatus = 'ok' | 'timeout' | 'error'

export class Statistics {
  #total = 0
  #timeouts = 0
  #errors = 0
  #min = Number.POSITIVE_INFINITY
  #sum = 0
  #last: number | undefined
  /** Why the last question that failed did. */
  lastFailure: string | undefined
  readonly #latencies = new Histogram()

  /** `milliseconds`: how long the answer took; counts only if there was one. */
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

  /** Questions without an answer that can be used. */
  get lost(): number {
    return this.#timeouts + this.#errors
  }

  get lossPercent(): number {
    return percent(this.lost, this.#total)
  }

  /** In milliseconds; undefined: nothing was answered yet. */
  get latencies() {
    const answered = this.#total - this.lost
    if (answered === 0) return undefined
    const [min, max] = [this.#min, this.#latencies.max]
    // A bucket's middle may lie outside of all that is in it.
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

  /** The reference's members (spec/torrust-newest §6.2), then ours. */
  document(): object {
    const found = this.latencies
    return {
      total: this.#total,
      timeouts: this.#timeouts,
      timeout_percent: percent(this.#timeouts, this.#total),
      min_ms: rounded(found?.min),
      max_ms: rounded(found?.max),
      average_ms: rounded(found?.average),
      last_ms: rounded(found?.last),
      errors: this.#errors,
      loss_percent: this.lossPercent,
      p50_ms: rounded(found?.p50),
      p90_ms: rounded(found?.p90),
      p99_ms: rounded(found?.p99),
      last_failure: this.lastFailure ?? null,
    }
  }
}

const percent = (part: number, whole: number): number =>
  whole === 0 ? 0 : Math.round((part / whole) * 100_000) / 1000
