/**
 * A buddy allocator over numbered units that knows neither what a unit is nor how it looks: runs of
 * 2^order units, aligned to their length. The links of a free run lie inside it (two words at its first
 * unit), and so does its mark (a half). Freed neighbours join again, so that years of growing
 * and shrinking swarms do not crumble the memory.
 */
import { CHUNK, CHUNK_ORDER, FREE_RUN, NIL } from './layout.ts'

export class Runs {
  readonly #header: Int32Array
  readonly #high: number
  readonly #heads: number
  readonly #orders: number
  readonly #links: Int32Array
  readonly #stride: number
  readonly #marks: Uint16Array
  readonly #markStride: number
  readonly #capacity: number
  readonly #charge: (batches: number) => boolean

  /**
   * `header[high]` is the end of the units handed out so far, `header[heads…]` one free list per
   * order. `links` holds two words at `unit × stride`, `marks` one half at the end of each
   * `markStride` halves. `charge` asks the budget for batches of 64 units and may refuse.
   */
  constructor(options: {
    header: Int32Array
    high: number
    heads: number
    orders: number
    links: Int32Array
    stride: number
    marks: Uint16Array
    markStride: number
    capacity: number
    charge: (batches: number) => boolean
  }) {
    this.#header = options.header
    this.#high = options.high
    this.#heads = options.heads
    this.#orders = options.orders
    this.#links = options.links
    this.#stride = options.stride
    this.#marks = options.marks
    this.#markStride = options.markStride
    this.#capacity = options.capacity
    this.#charge = options.charge
  }

  /** Forgets every run. The units below the high-water mark stay paid for and are free again. */
  reset(): void {
    this.#header.fill(NIL, this.#heads, this.#heads + this.#orders)
    const end = this.#header[this.#high]!
    for (let unit = 0; unit < end; unit++) this.#mark(unit, 0)
    for (let base = 0; base < end; base += CHUNK) this.give(base, CHUNK_ORDER)
  }

  /** First unit of a run of 2^order units; NIL = memory or budget is spent. */
  take(order: number): number {
    let found = order
    while (found < this.#orders && this.#header[this.#heads + found] === NIL) found++
    if (found === this.#orders) return this.#extend(order)

    const base = this.#header[this.#heads + found]!
    this.#unlink(base, found)
    while (found > order) this.#link(base + (1 << --found), found)
    return base
  }

  /** Gives back what `take(order)` returned. */
  give(base: number, order: number): void {
    const end = this.#header[this.#high]!
    for (; order < this.#orders - 1; order++) {
      const buddy = base ^ (1 << order)
      if (buddy >= end || this.#marks[(buddy + 1) * this.#markStride - 1] !== (FREE_RUN | order))
        break
      this.#unlink(buddy, order)
      base = Math.min(base, buddy)
    }
    this.#link(base, order)
  }

  /** A run of units never used before; those skipped to align it become free runs. */
  #extend(order: number): number {
    const size = 1 << order
    const high = this.#header[this.#high]!
    const base = Math.ceil(high / size) * size
    const end = base + Math.max(size, CHUNK)
    if (end > this.#capacity || !this.#charge((end - high) / CHUNK)) return NIL
    this.#header[this.#high] = end
    for (let at = high; at < base; at += CHUNK) this.give(at, CHUNK_ORDER)
    for (let spare = CHUNK_ORDER; spare > order; ) this.#link(base + (1 << --spare), spare)
    return base
  }

  #link(base: number, order: number): void {
    const head = this.#header[this.#heads + order]!
    this.#links[base * this.#stride] = head
    this.#links[base * this.#stride + 1] = NIL
    if (head !== NIL) this.#links[head * this.#stride + 1] = base
    this.#header[this.#heads + order] = base
    this.#mark(base, FREE_RUN | order)
  }

  #unlink(base: number, order: number): void {
    const next = this.#links[base * this.#stride]!
    const previous = this.#links[base * this.#stride + 1]!
    if (previous === NIL) this.#header[this.#heads + order] = next
    else this.#links[previous * this.#stride] = next
    if (next !== NIL) this.#links[next * this.#stride + 1] = previous
    this.#mark(base, 0)
  }

  #mark(unit: number, mark: number): void {
    this.#marks[(unit + 1) * this.#markStride - 1] = mark
  }
}
