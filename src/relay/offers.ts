/**
 * Offers that were handed to seats of this thread and may still be answered. An answer goes back to the seat that
 * offered and to no other, so nothing reaches a peer that it did not ask for, and no client can speak for another.
 * Memory of fixed size: when it is full, the oldest offers are forgotten.
 */
import { drawSeed, hashWords, secretsOf } from '../memory/hash.ts'

/** Words that name an offer: the seat it was handed to, info hash, peer id of the offerer, offer id. */
const NAME_WORDS = 16
/** The thread and the seat of the offerer follow. */
const THREAD = NAME_WORDS
const SEAT = NAME_WORDS + 1
const WORDS = NAME_WORDS + 2
/** Seconds for which clients keep an offer open: most of them less, none more. */
const OPEN_SECONDS = 120
const NIL = -1

export class Offers {
  readonly #capacity: number
  readonly #words: Int32Array
  /** Second at which each was handed over; 0 = free. */
  readonly #since: Float64Array
  readonly #next: Int32Array
  readonly #buckets: Int32Array
  readonly #secrets = secretsOf(drawSeed(), NAME_WORDS, 'offer')
  /** The name that is added or looked for. */
  readonly #name = new Int32Array(NAME_WORDS)
  /** Where the next one is written: the place of the oldest. */
  #cursor = 0
  /** Who made the offer that was taken last. */
  thread = 0
  seat = 0

  /** `capacity`: a power of two. */
  constructor(capacity: number) {
    this.#capacity = capacity
    this.#words = new Int32Array(capacity * WORDS)
    this.#since = new Float64Array(capacity)
    this.#next = new Int32Array(capacity)
    this.#buckets = new Int32Array(capacity).fill(NIL)
  }

  /**
   * `to`: the seat it was handed to; `ids`: info hash, peer id of the offerer and offer id, five words each from
   * `at` on. `now` in seconds.
   */
  add(to: number, ids: Int32Array, at: number, thread: number, seat: number, now: number): void {
    const bucket = this.#bucketOf(to, ids, at)
    // Some clients repeat an offer until it is answered.
    const before = this.#find(bucket)
    if (before !== NIL) this.#remove(before, bucket)
    const place = this.#cursor
    this.#cursor = (place + 1) & (this.#capacity - 1)
    if (this.#since[place] !== 0) this.#remove(place, this.#bucketAt(place))
    const from = place * WORDS
    this.#words.set(this.#name, from)
    this.#words[from + THREAD] = thread
    this.#words[from + SEAT] = seat
    this.#since[place] = now
    this.#next[place] = this.#buckets[bucket]!
    this.#buckets[bucket] = place
  }

  /**
   * Whether an offer of the same name is open that another seat made: the answer must not go astray. Arguments as in
   * `add`.
   */
  isAnothers(
    to: number,
    ids: Int32Array,
    at: number,
    thread: number,
    seat: number,
    now: number,
  ): boolean {
    const place = this.#find(this.#bucketOf(to, ids, at))
    if (place === NIL || now - this.#since[place]! > OPEN_SECONDS) return false
    const from = place * WORDS
    return this.#words[from + THREAD] !== thread || this.#words[from + SEAT] !== (seat | 0)
  }

  /**
   * Whether this offer was handed to the seat `to` and is still open; then `thread` and `seat` say who made it, and
   * it cannot be answered again.
   */
  take(to: number, ids: Int32Array, at: number, now: number): boolean {
    const bucket = this.#bucketOf(to, ids, at)
    const place = this.#find(bucket)
    if (place === NIL) return false
    const isOpen = now - this.#since[place]! <= OPEN_SECONDS
    this.thread = this.#words[place * WORDS + THREAD]!
    this.seat = this.#words[place * WORDS + SEAT]! >>> 0
    this.#remove(place, bucket)
    return isOpen
  }

  #bucketOf(to: number, ids: Int32Array, at: number): number {
    const name = this.#name
    name[0] = to
    for (let word = 1; word < NAME_WORDS; word++) name[word] = ids[at + word - 1]!
    return hashWords(this.#secrets, name, 0, NAME_WORDS) & (this.#capacity - 1)
  }

  #bucketAt(place: number): number {
    const hash = hashWords(this.#secrets, this.#words, place * WORDS, NAME_WORDS)
    return hash & (this.#capacity - 1)
  }

  #find(bucket: number): number {
    const words = this.#words
    const name = this.#name
    let place = this.#buckets[bucket]!
    for (; place !== NIL; place = this.#next[place]!) {
      const from = place * WORDS
      let word = 0
      while (word < NAME_WORDS && words[from + word] === name[word]) word++
      if (word === NAME_WORDS) return place
    }
    return NIL
  }

  #remove(place: number, bucket: number): void {
    this.#since[place] = 0
    let before = this.#buckets[bucket]!
    if (before === place) {
      this.#buckets[bucket] = this.#next[place]!
      return
    }
    while (this.#next[before] !== place) before = this.#next[before]!
    this.#next[before] = this.#next[place]!
  }
}
