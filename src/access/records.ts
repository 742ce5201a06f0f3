/**
 * The records of a table: one entry each, handed out and given back. Knows nothing of chains but
 * where a record keeps its link. A record that was given back stays as it is until it is handed
 * out again, so that a reader that stands on it finds its way.
 */
import { END, type Entries, HEADER, recordsAt, type Shape, strideOf } from './layout.ts'

export class Records {
  /** Everything, header and buckets included. */
  readonly cells: Int32Array
  readonly #shape: Shape
  readonly #first: number
  readonly #stride: number
  readonly #next: number
  readonly #stamp: number
  readonly #hash: number

  constructor(shape: Shape, cells: Int32Array) {
    this.cells = cells
    this.#shape = shape
    this.#first = recordsAt(cells[HEADER.capacity]!)
    this.#stride = strideOf(shape)
    this.#next = this.#stride - 3
    this.#stamp = this.#stride - 2
    this.#hash = this.#stride - 1
  }

  /** The cell that holds the number of the record behind `record`. */
  linkOf(record: number): number {
    return this.#base(record) + this.#next
  }
  hashOf(record: number): number {
    return this.cells[this.#base(record) + this.#hash]!
  }
  isStale(record: number): boolean {
    return this.cells[this.#base(record) + this.#stamp] !== this.cells[HEADER.generation]
  }
  /** Makes it an entry of this generation. */
  stamp(record: number): void {
    this.cells[this.#base(record) + this.#stamp] = this.cells[HEADER.generation]!
  }
  /** The first word of its key, for what it does to the cache. */
  peek(record: number): number {
    return this.cells[this.#base(record)]!
  }

  hasKey(record: number, words: Int32Array, at: number): boolean {
    const base = this.#base(record)
    const { key } = this.#shape
    for (let i = 0; i < key; i++) if (this.cells[base + i] !== words[at + i]) return false
    return true
  }

  /** Whether what belongs to it is what stands at `values[from…]`. */
  hasValue(record: number, values: Int32Array, from: number): boolean {
    const at = this.#base(record) + this.#shape.key
    for (let i = 0; i < this.#shape.value; i++)
      if (this.cells[at + i] !== values[from + i]) return false
    return true
  }

  readValue(record: number, value: Int32Array): void {
    const at = this.#base(record) + this.#shape.key
    for (let i = 0; i < this.#shape.value; i++) value[i] = this.cells[at + i]!
  }

  /**
   * A record with entry number `i` of `entries`, in front of record `next`. There must be a free
   * one.
   */
  create({ words, values }: Entries, i: number, hash: number, next: number): number {
    const { key, value } = this.#shape
    const record = this.#allot()
    const base = this.#base(record)
    for (let word = 0; word < key; word++) this.cells[base + word] = words[i * key + word]!
    for (let word = 0; word < value; word++)
      this.cells[base + key + word] = values[i * value + word]!
    this.cells[base + this.#next] = next
    this.cells[base + this.#hash] = hash
    this.stamp(record)
    return record
  }

  /** A record with the same entry, as old as that one, in front of record `next`. */
  copy(record: number, next: number): number {
    const copy = this.#allot()
    const [from, to] = [this.#base(record), this.#base(copy)]
    for (let i = 0; i < this.#stride; i++) this.cells[to + i] = this.cells[from + i]!
    this.cells[to + this.#next] = next
    return copy
  }

  giveBack(record: number): void {
    this.cells[this.#base(record) + this.#stamp] = this.cells[HEADER.free]!
    this.cells[HEADER.free] = record
  }

  #allot(): number {
    const free = this.cells[HEADER.free]!
    if (free === END) return ++this.cells[HEADER.high]!
    this.cells[HEADER.free] = this.cells[this.#base(free) + this.#stamp]!
    return free
  }

  #base(record: number): number {
    return this.#first + record * this.#stride
  }
}
