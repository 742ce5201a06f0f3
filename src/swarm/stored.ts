/**
 * Stored counts of torrents that are not here, for scrapes: a small table that never grows, however many info
 * hashes strangers make up. A count that is missing is a question for the control thread, which waits in a
 * short ring; when the ring is full, it is not asked. A torrent that is created takes its count out of the
 * table, so none is ever out of date; until it has its count, scrapes of it ask here as well. The caller
 * holds the shard's lock.
 */
import {
  HEADER,
  LIMB,
  NIL,
  QUESTIONS,
  STORED,
  STORED_COUNTS,
  type TorrentArrays,
} from './layout.ts'

/** In place of a count: it was asked for and may come. */
export const AWAITED = -1

/** States of an entry: free; waits in the ring; the control thread has the question; its count is known. */
const STATE = { empty: 0, asked: 1, taken: 2, known: 3 } as const

export class StoredCounts {
  readonly #header: Int32Array
  readonly #entries: Int32Array
  readonly #questions: Int32Array

  constructor(arrays: TorrentArrays) {
    this.#header = arrays.header
    this.#entries = arrays.stored
    this.#questions = arrays.questions
  }

  reset(): void {
    const header = this.#header
    // Nothing was ever asked: the table has no memory yet.
    if (header[HEADER.askedTo] === 0) return
    this.#entries.fill(0)
    header[HEADER.askedFrom] = 0
    // Last: if a salvage dies before this, the next one still knows that there is something to clear.
    header[HEADER.askedTo] = 0
  }

  /**
   * Stored completions of the info hash in `words[0…4]`, whose seeded hash is `hash`; `AWAITED` = not
   * known yet; 0 also when the ring is full.
   */
  count(words: Int32Array, hash: number): number {
    const entries = this.#entries
    if (entries.length === 0) return 0
    const at = entryOf(hash)
    const state = entries[at + STORED.state]!
    if (state !== STATE.empty && this.#isAt(at, words))
      return state === STATE.known ? this.#countAt(at) : AWAITED
    if (state === STATE.asked) this.#write(at, words)
    else if (!this.#ask(at, words)) return 0
    return AWAITED
  }

  /** Takes out the count of a torrent that is here now. NIL = it is not known. */
  withdraw(words: Int32Array, hash: number): number {
    if (this.#entries.length === 0 || this.#header[HEADER.askedTo] === 0) return NIL
    const at = entryOf(hash)
    if (!this.#isAt(at, words)) return NIL
    const count = this.#entries[at + STORED.state] === STATE.known ? this.#countAt(at) : NIL
    this.#entries[at + STORED.state] = STATE.empty
    return count
  }

  /** Takes the oldest question into `words[at…]`; false = there is none. */
  take(words: Int32Array, at: number): boolean {
    const header = this.#header
    while (header[HEADER.askedFrom] !== header[HEADER.askedTo]) {
      const entry = this.#questions[header[HEADER.askedFrom]!++ & (QUESTIONS - 1)]! * STORED.words
      // Its entry was taken out or replaced meanwhile.
      if (this.#entries[entry + STORED.state] !== STATE.asked) continue
      this.#entries[entry + STORED.state] = STATE.taken
      for (let i = 0; i < 5; i++) words[at + i] = this.#entries[entry + i]!
      return true
    }
    return false
  }

  /** The answer to a question that was taken. */
  file(words: Int32Array, hash: number, count: number): void {
    const at = entryOf(hash)
    if (this.#entries[at + STORED.state] !== STATE.taken || !this.#isAt(at, words)) return
    this.#entries[at + STORED.count] = count % LIMB
    this.#entries[at + STORED.countHigh] = Math.floor(count / LIMB)
    this.#entries[at + STORED.state] = STATE.known
  }

  #countAt(at: number): number {
    return this.#entries[at + STORED.count]! + this.#entries[at + STORED.countHigh]! * LIMB
  }

  /** false = too many questions wait. */
  #ask(at: number, words: Int32Array): boolean {
    const header = this.#header
    if (((header[HEADER.askedTo]! - header[HEADER.askedFrom]!) | 0) === QUESTIONS) return false
    this.#write(at, words)
    this.#questions[header[HEADER.askedTo]! & (QUESTIONS - 1)] = at / STORED.words
    header[HEADER.askedTo]!++
    this.#entries[at + STORED.state] = STATE.asked
    return true
  }

  #write(at: number, words: Int32Array): void {
    for (let i = 0; i < 5; i++) this.#entries[at + i] = words[i]!
  }

  #isAt(at: number, words: Int32Array): boolean {
    let i = 0
    while (i < 5 && this.#entries[at + i] === words[i]) i++
    return i === 5
  }
}

const entryOf = (hash: number): number => (hash & (STORED_COUNTS - 1)) * STORED.words
