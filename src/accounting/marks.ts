/** Marks of rows: a bit each. They are looked for in turn, so that none waits longer than all others. */
export class Marks {
  readonly #words: Int32Array
  #count = 0
  /** Row that was found last. */
  #at = 0
  /** Seconds: none of those now marked was marked before the first; none after this round began before the second. */
  #oldest = 0
  #round = 0

  /** Bytes for so many rows. A multiple of 64. */
  static bytes(capacity: number): number {
    return Math.ceil((capacity + 1) / 512) * 64
  }

  constructor(memory: SharedArrayBuffer, from: number, capacity: number) {
    this.#words = new Int32Array(memory, from, (capacity >>> 5) + 1)
  }

  get count(): number {
    return this.#count
  }

  /** Second since which the oldest may be marked; 0: there is none. */
  get oldest(): number {
    return this.#count === 0 ? 0 : this.#oldest
  }

  has(row: number): boolean {
    return (this.#words[row >>> 5]! & (1 << (row & 31))) !== 0
  }

  add(row: number, second: number): void {
    const word = row >>> 5
    const bit = 1 << (row & 31)
    if ((this.#words[word]! & bit) !== 0) return
    this.#words[word]! |= bit
    if (this.#count++ === 0) this.#oldest = this.#round = second
  }

  remove(row: number): void {
    const word = row >>> 5
    const bit = 1 << (row & 31)
    if ((this.#words[word]! & bit) === 0) return
    this.#words[word]! &= ~bit
    this.#count--
  }

  /** The marked row behind the one found last, in a circle over rows 1 to `high`. There must be one. */
  next(high: number, second: number): number {
    const words = this.#words
    let word = (this.#at + 1) >>> 5
    let bits = words[word]! & (-1 << ((this.#at + 1) & 31))
    while (bits === 0) {
      word++
      if (word << 5 > high) {
        word = 0
        this.#oldest = this.#round
        this.#round = second
      }
      bits = words[word]!
    }
    this.#at = (word << 5) + (31 - Math.clz32(bits & -bits))
    return this.#at
  }
}
