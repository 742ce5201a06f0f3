/**
 * A set in shared memory that one thread changes while all others ask it, without locks: linear hashing with
 * chains, one bucket more for each insertion. It must never keep a reader waiting, never show it half an entry,
 * and never hide an entry that stays.
 *
 * Each stripe of the table has a version. The writer works in steps that each leave the chains whole: it fills
 * an entry before it links it, links it in its new place before it takes it out of the old one, and uses a
 * record again only after it left its chain. Between two steps of which a reader must not see the second
 * without the first, it increments the version. A reader looks at the version before and after; if it
 * changed, the reader looks again. So a reader repeats its work only when the writer made progress in the
 * same stripe meanwhile, and a writer that is interrupted anywhere blocks no reader.
 *
 * The loads between the two looks may be plain ones, on ARM as well, because the second look is `Atomics.add`
 * of 0. If the writer's next increment comes after it, that increment reads what the look wrote, so the
 * reader's loads happen before (ECMA-262, memory model) whatever the writer stores after the increment, and
 * cannot have seen it. If the increment came before, the version is another. The first look makes visible all
 * that was stored before the version it sees. Aligned words are never torn.
 */
import { LIMITS } from '../limits.ts'
import { bucketOf, parentOf, SEED_WORDS, type Seed } from './hash.ts'
import { type Release, reserve } from './reserve.ts'

/** Words of the header (cells, like all words of a table). What follows `buckets` is the writer's own. */
export const HEADER = {
  /** As many cells as a seed has words. */
  seed: 0,
  capacity: 4,
  size: 5,
  buckets: 6,
  /** Number of the last record that was handed out for the first time. */
  high: 7,
  /** First record that was given back, `END` = none; its stamp holds the number of the next one. */
  free: 8,
  generation: 9,
  cells: 16,
} as const

/** A table begins with one bucket for each version, so that dividing a bucket concerns one stripe. */
const STRIPES = 1024
const VERSIONS_AT = HEADER.cells
export const BUCKETS_AT: number = VERSIONS_AT + STRIPES
/** Records beyond the capacity, for entries that stand in two places while they move. */
const SPARE = 64
/** End of a chain; record 0 does not exist, so that untouched memory is an empty table. */
export const END = 0

/** Cells of an entry's key and of its value. Behind them: next record, stamp, hash. */
type Shape = { readonly key: number; readonly value: number }

/** Entries side by side: their keys, and their values in the same order. */
export type Entries = { readonly words: Int32Array; readonly values: Int32Array }

/** Cells of a record: a power of two, so that no record lies in more cache lines than it must. */
const strideOf = ({ key, value }: Shape): number => 1 << (32 - Math.clz32(key + value + 2))
/** Where the records begin. */
const recordsAt = (capacity: number): number => BUCKETS_AT + Math.max(capacity, STRIPES)

/** Memory of an empty table for `capacity` entries. Untouched pages cost nothing. */
export function createTable(shape: Shape, capacity: number, seed: Seed): SharedArrayBuffer {
  const cells = recordsAt(capacity) + (capacity + SPARE + 1) * strideOf(shape)
  const memory = reserve(cells * 4)
  const header = new Int32Array(memory, 0, HEADER.cells)
  header.set(seed, HEADER.seed)
  header[HEADER.capacity] = capacity
  header[HEADER.buckets] = STRIPES
  return memory
}

/**
 * Makes a table empty that no thread reads or changes any more, and gives its pages back. Memory that is used again is
 * better than another: the allocator clears all of a block that it gives out a second time, and so touches every page.
 */
export function emptyTable(shape: Shape, memory: SharedArrayBuffer, release: Release): void {
  const cells = new Int32Array(memory)
  const capacity = cells[HEADER.capacity]!
  const from = recordsAt(capacity)
  const to = from + (cells[HEADER.high]! + 1) * strideOf(shape)
  cells.fill(0, HEADER.size, BUCKETS_AT + cells[HEADER.buckets]!)
  cells.fill(0, from, to)
  cells[HEADER.buckets] = STRIPES
  release(cells, BUCKETS_AT, to)
}

/** Long work in slices: step through it so that others have their turn between two steps. */
export type Slices<T> = Generator<void, T, void>
/** Entries or buckets of one step: well under a millisecond, even before the engine has compiled it. */
const SLICE = 250

export abstract class Table {
  readonly capacity: number
  /** Keeps the loads of `expect` from being dropped as useless. */
  sink = 0
  protected readonly seed: Seed
  readonly #shape: Shape
  readonly #alone: boolean
  /** The whole memory. A link is the index of a cell that holds the number of the next record. */
  readonly #cells: Int32Array
  readonly #records: Records
  readonly #moving = new Int32Array(SPARE)
  readonly #places = new Int32Array(LIMITS.udpBatch)

  /** `alone`: reader and writer are one thread. Only one thread of all may call the methods that change it. */
  constructor(shape: Shape, memory: SharedArrayBuffer, alone: boolean) {
    this.#cells = new Int32Array(memory)
    this.#records = new Records(shape, this.#cells)
    this.seed = this.#cells.slice(HEADER.seed, HEADER.seed + SEED_WORDS)
    this.capacity = this.#cells[HEADER.capacity]!
    this.#shape = shape
    this.#alone = alone
  }

  /** Seeded hash of the key at `words[at…]`. */
  protected abstract hashOf(words: Int32Array, at: number): number

  get size(): number {
    return this.#cells[HEADER.size]!
  }

  /** Whether the table has the key at `words[at…]`. */
  has(words: Int32Array, at = 0): boolean {
    const hash = this.hashOf(words, at)
    for (;;) {
      const version = this.#version(hash)
      const link = this.#find(words, at, hash)
      if (this.#isVersion(hash, version)) return link !== END
    }
  }

  /** Copies the value of the key at `words[at…]` into `value`; false: the table does not have the key. */
  protected read(words: Int32Array, at: number, value: Int32Array): boolean {
    const hash = this.hashOf(words, at)
    for (;;) {
      const version = this.#version(hash)
      const link = this.#find(words, at, hash)
      if (link !== END) this.#records.readValue(this.#cells[link]!, value)
      if (this.#isVersion(hash, version)) return link !== END
    }
  }

  /**
   * Makes look-ups of the `count` keys at `words` that follow at once faster; at most `LIMITS.udpBatch`. It brings what
   * they will read into the processor's cache, where their waits for memory overlap: a loop for each load. It may read
   * anything, so nothing it reads is used.
   */
  expect(words: Int32Array, count: number): void {
    const cells = this.#cells
    const records = this.#records
    const places = this.#places
    const { key } = this.#shape
    let sink = 0
    for (let i = 0; i < count; i++) places[i] = this.#bucket(this.hashOf(words, i * key))
    for (let i = 0; i < count; i++) places[i] = cells[places[i]!]!
    for (let i = 0; i < count; i++) sink ^= records.peek(places[i]!)
    for (let i = 0; i < count; i++) {
      const record = places[i]!
      if (records.peek(record) !== words[i * key]) places[i] = cells[records.linkOf(record)]!
    }
    for (let i = 0; i < count; i++) sink ^= records.peek(places[i]!)
    this.sink ^= sink
  }

  /** Whether `count` more entries fit if all of them are new. */
  hasRoom(count: number): boolean {
    return this.size + count <= this.capacity
  }

  /**
   * Adds entry number `i` of `entries`, or gives its key that value. false: the key is new, and the table is
   * full.
   */
  put(entries: Entries, i = 0): boolean {
    const { words, values } = entries
    const at = i * this.#shape.key
    const hash = this.hashOf(words, at)
    const link = this.#find(words, at, hash)
    if (link === END) {
      if (!this.hasRoom(1)) return false
      this.#insert(entries, i, hash)
      this.#cells[HEADER.size]!++
      if (this.size > this.#cells[HEADER.buckets]!) this.#divide()
      return true
    }
    const record = this.#cells[link]!
    this.#records.stamp(record)
    if (this.#records.hasValue(record, values, i * this.#shape.value)) return true
    // In front of the old entry, which is removed afterwards: no reader sees half of either.
    this.#insert(entries, i, hash)
    this.#step(hash)
    this.#unlink(this.#bucket(hash), record)
    this.#step(hash)
    this.#records.giveBack(record)
    return true
  }

  /** false: the table did not have the key. */
  remove(words: Int32Array, at = 0): boolean {
    const link = this.#find(words, at, this.hashOf(words, at))
    if (link === END) return false
    this.#removeAt(link)
    return true
  }

  /** Adds all entries that fit, a few in each step; returns whether all did. */
  *putAll(entries: Entries): Slices<boolean> {
    let all = true
    for (let i = 0; i < this.#count(entries); i++) {
      all = this.put(entries, i) && all
      if (i % SLICE === SLICE - 1) yield
    }
    return all
  }

  /** Removes all keys in `words`, a few in each step. */
  *removeAll(words: Int32Array): Slices<void> {
    for (let i = 0; i * this.#shape.key < words.length; i++) {
      this.remove(words, i * this.#shape.key)
      if (i % SLICE === SLICE - 1) yield
    }
  }

  /**
   * Makes `parts` the whole content, a few entries in each step; returns false, and changes nothing, when they
   * do not fit. An entry that is there before and after is there all the while.
   */
  *replace(parts: readonly Entries[]): Slices<boolean> {
    const count = parts.reduce((sum, part) => sum + this.#count(part), 0)
    if (count > this.capacity) return false
    this.#cells[HEADER.generation]!++
    for (const part of parts) yield* this.#mark(part)
    // First, because old and new together might not fit.
    yield* this.#sweep((record) => this.#records.isStale(record))
    for (const part of parts) yield* this.putAll(part)
    return true
  }

  /** Keeps the entries of this part that are there already from being stale. */
  *#mark({ words }: Entries): Slices<void> {
    for (let at = 0; at < words.length; at += this.#shape.key) {
      const link = this.#find(words, at, this.hashOf(words, at))
      if (link !== END) this.#records.stamp(this.#cells[link]!)
      if (at % (this.#shape.key * SLICE) === 0) yield
    }
  }

  /** Removes the entries for which `isGone` is true; it finds each value in `value`, the same array each time. */
  protected removeWhere(isGone: () => boolean, value: Int32Array): Slices<void> {
    return this.#sweep((record) => {
      this.#records.readValue(record, value)
      return isGone()
    })
  }

  *#sweep(isGone: (record: number) => boolean): Slices<void> {
    // By bucket, not by record: buckets that are added meanwhile come last, so they are swept as well.
    for (let bucket = 0; bucket < this.#cells[HEADER.buckets]!; bucket++) {
      for (let link = BUCKETS_AT + bucket; this.#cells[link] !== END; )
        if (isGone(this.#cells[link]!)) this.#removeAt(link)
        else link = this.#records.linkOf(this.#cells[link]!)
      if (bucket % SLICE === SLICE - 1) yield
    }
  }

  /** Link to the record with the key at `words[at…]`, or `END`. */
  #find(words: Int32Array, at: number, hash: number): number {
    for (let link = this.#bucket(hash); ; ) {
      const record = this.#cells[link]!
      if (record === END) return END
      if (this.#records.hasKey(record, words, at)) return link
      link = this.#records.linkOf(record)
    }
  }

  #count(entries: Entries): number {
    return entries.words.length / this.#shape.key
  }

  #insert(entries: Entries, i: number, hash: number): void {
    const bucket = this.#bucket(hash)
    const record = this.#records.create(entries, i, hash, this.#cells[bucket]!)
    this.#step(hash)
    this.#cells[bucket] = record
  }

  #removeAt(link: number): void {
    const record = this.#cells[link]!
    const hash = this.#records.hashOf(record)
    this.#unlink(link, record)
    this.#step(hash)
    this.#records.giveBack(record)
    this.#cells[HEADER.size]!--
  }

  /** Takes `record` out of its chain, in which it comes behind `link`. */
  #unlink(link: number, record: number): void {
    while (this.#cells[link] !== record) link = this.#records.linkOf(this.#cells[link]!)
    this.#cells[link] = this.#cells[this.#records.linkOf(record)]!
  }

  /** Adds a bucket and moves those entries of its parent there that belong to it. */
  #divide(): void {
    const fresh = this.#cells[HEADER.buckets]!
    if (fresh >= Math.max(this.capacity, STRIPES)) return
    const parent = BUCKETS_AT + parentOf(fresh)
    const count = this.#listMoving(parent, fresh)
    // Longer than any chain of a seeded hash: it stays as it is.
    if (count > SPARE) return
    const moving = this.#moving
    let head: number = END
    for (let i = 0; i < count; i++) head = this.#records.copy(moving[i]!, head)
    this.#cells[BUCKETS_AT + fresh] = head
    this.#step(fresh)
    this.#cells[HEADER.buckets] = fresh + 1
    this.#step(fresh)
    for (let i = 0; i < count; i++) this.#unlink(parent, moving[i]!)
    this.#step(fresh)
    for (let i = 0; i < count; i++) this.#records.giveBack(moving[i]!)
  }

  /** Lists the records in the chain of `parent` that belong in bucket `fresh`, and counts them. */
  #listMoving(parent: number, fresh: number): number {
    let count = 0
    for (let link = parent; this.#cells[link] !== END; ) {
      const record = this.#cells[link]!
      if (bucketOf(this.#records.hashOf(record), fresh + 1) === fresh)
        this.#moving[count++] = record
      link = this.#records.linkOf(record)
    }
    return count
  }

  #bucket(hash: number): number {
    return BUCKETS_AT + bucketOf(hash, this.#cells[HEADER.buckets]!)
  }

  /** First look at the version of the stripe of `hash`. */
  #version(hash: number): number {
    return this.#alone ? 0 : Atomics.load(this.#cells, versionAt(hash))
  }
  /** Second look: an addition, because the processor could do a load before the loads in front of it. */
  #isVersion(hash: number, version: number): boolean {
    return this.#alone || Atomics.add(this.#cells, versionAt(hash), 0) === version
  }
  /** Increments the version of the stripe of `hash`: what follows is the next step. */
  #step(hash: number): void {
    Atomics.add(this.#cells, versionAt(hash), 1)
  }
}

const versionAt = (hash: number): number => VERSIONS_AT + (hash & (STRIPES - 1))

/**
 * The records of a table: one entry each, handed out and given back. A record that was given back stays as it
 * is until it is handed out again, so that a reader that stands on it finds its way.
 */
class Records {
  /** The whole memory, header and buckets included. */
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
  /** The first word of its key, only to bring it into the cache. */
  peek(record: number): number {
    return this.cells[this.#base(record)]!
  }

  hasKey(record: number, words: Int32Array, at: number): boolean {
    const base = this.#base(record)
    const { key } = this.#shape
    for (let i = 0; i < key; i++) if (this.cells[base + i] !== words[at + i]) return false
    return true
  }

  /** Whether its value is the one at `values[from…]`. */
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
   * A record with entry number `i` of `entries`, in front of record `next`. There must be a free record.
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

  /** A record with the same entry and stamp, in front of record `next`. */
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
