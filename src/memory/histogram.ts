/** Any number of latencies in 13 kB: buckets grow with their values, so that percentiles are exact to 1 %. */

/** Units per millisecond: latencies are rounded to 100 ns. */
const UNITS = 10_000
/** Each power of two has 2^6 buckets, so the width of a bucket is at most 1/64 of its values. */
const BITS = 6
/** 214 s, the most that a signed word holds; longer latencies count as this. */
const MAX_UNITS = 0x7fff_ffff
const BUCKETS = ((31 - BITS) << BITS) + (1 << BITS)

export class Histogram {
  readonly #buckets = new Float64Array(BUCKETS)
  #count = 0
  #min = Number.POSITIVE_INFINITY
  #max = 0

  record(milliseconds: number): void {
    const units = Math.max(0, Math.min(MAX_UNITS, Math.round(milliseconds * UNITS)))
    const shift = shiftOf(units)
    this.#buckets[(shift << BITS) + (units >> shift)]!++
    this.#count++
    if (milliseconds < this.#min) this.#min = milliseconds
    if (milliseconds > this.#max) this.#max = milliseconds
  }

  add(other: Histogram): void {
    for (const [i, count] of other.#buckets.entries()) this.#buckets[i]! += count
    this.#count += other.#count
    this.#min = Math.min(this.#min, other.#min)
    this.#max = Math.max(this.#max, other.#max)
  }

  /** The smallest latency, exact, in milliseconds; infinite if there is none. */
  get min(): number {
    return this.#min
  }

  /** The largest latency, exact, in milliseconds. */
  get max(): number {
    return this.#max
  }

  get count(): number {
    return this.#count
  }

  /** The latency in milliseconds that `share` (0…1) of all do not exceed; 0 if there is none. */
  percentile(share: number): number {
    const rank = Math.max(1, Math.ceil(share * this.#count))
    let seen = 0
    for (const [i, count] of this.#buckets.entries()) {
      seen += count
      // The middle of a bucket may lie outside of the values in it.
      if (seen >= rank) return Math.max(this.#min, Math.min(this.#max, middleOf(i) / UNITS))
    }
    return 0
  }
}

/** The number of low bits of a value that its bucket drops. */
const shiftOf = (units: number): number => Math.max(0, 31 - Math.clz32(units) - BITS)

function middleOf(bucket: number): number {
  const shift = Math.max(0, (bucket >> BITS) - 1)
  const low = (bucket - (shift << BITS)) * 2 ** shift
  return low + (2 ** shift - 1) / 2
}
