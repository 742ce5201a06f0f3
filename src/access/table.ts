/**
 * A set in shared memory that one thread changes while all others ask it, without locks: linear
 * hashing with chains, one bucket more per insertion. Must never keep a reader waiting, never
 * show it half an entry, never hide one that stays.
 *
 * Each stripe of the table has a version. The writer changes things in steps that each leave the
 * chains whole (an entry is filled before it is linked, and linked in its new place before it
 * leaves the old one; a record is used again only after it left its chain), and counts the
 * version up between any two steps of which nobody may see the second without the first. A reader
 * looks at the version before and after; if it changed, it looks again. So a reader repeats only
 * when the writer got on in the same stripe meanwhile, and a writer that is interrupted anywhere
 * holds up nobody.
 *
 * Why the loads between the two looks may be plain ones, on ARM as well: the second look is
 * `Atomics.add` of 0. If the writer's next count comes after it, that count reads what the look
 * wrote, so the reader's loads happen before (ECMA-262, memory model) whatever the writer stores
 * after the count, and cannot have seen it; if it came before, the version is another. And the
 * first look makes visible all that was stored before the count it sees. Aligned words are never
 * torn.
 */
import { bucketOf, parentOf, type Seed } from '../memory/hash.ts'
import {
  BUCKETS_AT,
  END,
  type Entries,
  HEADER,
  type Shape,
  SPARE,
  STRIPES,
  seedIn,
  VERSIONS_AT,
} from './layout.ts'
import { Records } from './records.ts'

/** Long work, to be stepped through so that others have their turn between two steps. */
export type Slices<T> = Generator<void, T, void>
/**
 * Entries or buckets of one step: well under a millisecond, even before the engine has compiled
 * it.
 */
const SLICE = 250

export abstract class Table {
  readonly capacity: number
  /** Keeps the loads of `preload` from being dropped as useless. */
  sink = 0
  protected readonly seed: Seed
  readonly #shape: Shape
  readonly #alone: boolean
  /** A link is the index of a cell that holds the number of the next record. */
  readonly #cells: Int32Array
  readonly #records: Records
  readonly #moving = new Int32Array(SPARE)

  /** `alone`: reader and writer are one thread. Only one thread of all may call what changes it. */
  constructor(shape: Shape, memory: SharedArrayBuffer, alone: boolean) {
    this.#cells = new Int32Array(memory)
    this.#records = new Records(shape, this.#cells)
    this.seed = seedIn(this.#cells)
    this.capacity = this.#cells[HEADER.capacity]!
    this.#shape = shape
    this.#alone = alone
  }

  /** Seeded hash of the key at `words[at…]`. */
  protected abstract hashOf(words: Int32Array, at: number): number

  get size(): number {
    return this.#cells[HEADER.size]!
  }

  /** Whether the key at `words[at…]` is in it. */
  has(words: Int32Array, at = 0): boolean {
    const hash = this.hashOf(words, at)
    for (;;) {
      const version = this.#version(hash)
      const link = this.#find(words, at, hash)
      if (this.#isVersion(hash, version)) return link !== END
    }
  }

  /** Copies what belongs to the key at `words[at…]` into `value`; false: the key is not in it. */
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
   * Brings what asking for `count` keys at `words` will read into the processor's cache: their
   * waits for memory overlap. What it reads may be anything, so it is used for nothing.
   * `scratch`: room for `count`.
   */
  protected preload(words: Int32Array, count: number, scratch: Int32Array): void {
    for (let i = 0; i < count; i++)
      scratch[i] = this.#cells[this.#bucket(this.hashOf(words, i * this.#shape.key))]!
    for (let i = 0; i < count; i++) this.sink ^= this.#records.peek(scratch[i]!)
  }

  /** Whether `count` more entries fit, were they all new. */
  hasRoom(count: number): boolean {
    return this.size + count <= this.capacity
  }

  /**
   * Puts entry number `i` of `entries` in, or makes its value what belongs to its key. false: it
   * is new, and the table is full.
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
    // In front of the old one, which goes then: nobody sees half of either.
    this.#insert(entries, i, hash)
    this.#step(hash)
    this.#unlink(this.#bucket(hash), record)
    this.#step(hash)
    this.#records.giveBack(record)
    return true
  }

  /** false: it was not in it. */
  remove(words: Int32Array, at = 0): boolean {
    const link = this.#find(words, at, this.hashOf(words, at))
    if (link === END) return false
    this.#removeAt(link)
    return true
  }

  /** Puts all entries in that fit, a little with each step; returns whether all did. */
  *putAll(entries: Entries): Slices<boolean> {
    let all = true
    for (let i = 0; i < this.#count(entries); i++) {
      all = this.put(entries, i) && all
      if (i % SLICE === SLICE - 1) yield
    }
    return all
  }

  /** Removes all the keys in `words`, a little with each step. */
  *removeAll(words: Int32Array): Slices<void> {
    for (let i = 0; i * this.#shape.key < words.length; i++) {
      this.remove(words, i * this.#shape.key)
      if (i % SLICE === SLICE - 1) yield
    }
  }

  /**
   * Makes `parts` all that is in it, a little with each step; returns false, and changes nothing,
   * when they do not fit. Whatever is in it before and after is in it all the while.
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

  /** What is in it already will not be stale. */
  *#mark({ words }: Entries): Slices<void> {
    for (let at = 0; at < words.length; at += this.#shape.key) {
      const link = this.#find(words, at, this.hashOf(words, at))
      if (link !== END) this.#records.stamp(this.#cells[link]!)
      if (at % (this.#shape.key * SLICE) === 0) yield
    }
  }

  /** Takes out the entries whose value `isGone` says so of; it is given the same array each time. */
  protected removeWhere(isGone: () => boolean, value: Int32Array): Slices<void> {
    return this.#sweep((record) => {
      this.#records.readValue(record, value)
      return isGone()
    })
  }

  *#sweep(isGone: (record: number) => boolean): Slices<void> {
    // By bucket, not by record: buckets that are added meanwhile come last, and are looked at as well.
    for (let bucket = 0; bucket < this.#cells[HEADER.buckets]!; bucket++) {
      for (let link = BUCKETS_AT + bucket; this.#cells[link] !== END; )
        if (isGone(this.#cells[link]!)) this.#removeAt(link)
        else link = this.#records.linkOf(this.#cells[link]!)
      if (bucket % SLICE === SLICE - 1) yield
    }
  }

  /** Link to the record with the key at `words[at…]`; `END`: there is none. */
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

  /** Takes `record` out of its chain; `link` stands in front of it there. */
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
    // Longer than any chain of a seeded hash: then it stays one.
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

  /** Lists the records in the chain of `parent` that belong into bucket `fresh`, and counts them. */
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
  /** Second look. An addition, because a load could be done before those in front of it. */
  #isVersion(hash: number, version: number): boolean {
    return this.#alone || Atomics.add(this.#cells, versionAt(hash), 0) === version
  }
  /** Counts up the version of the stripe of `hash`: what follows is the next step. */
  #step(hash: number): void {
    Atomics.add(this.#cells, versionAt(hash), 1)
  }
}

const versionAt = (hash: number): number => VERSIONS_AT + (hash & (STRIPES - 1))
