/**
 * What the database knows of torrents that are not here, for scrapes: a small table of counts that never
 * grows, however many info hashes strangers make up. The question for one that is not in it waits for
 * the control thread in a short ring; when that is full, it is not asked. A torrent that comes here takes
 * its count with it, so none is ever out of date; until it has one, scrapes ask for it here as
 * well. The caller holds the shard's lock.
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

/** Instead of a count: it was asked for, and may come. */
export const AWAITED = -1

/** Of an entry: nothing; waits in the ring; the control thread has the question; its count is there. */
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
    // Nothing was ever asked: the table was not touched, and stays so.
    if (header[HEADER.askedTo] === 0) return
    this.#entries.fill(0)
    header[HEADER.askedFrom] = 0
    // Last, because it says that there is something to forget, should a rescue be cut short here.
    header[HEADER.askedTo] = 0
  }

  /**
   * Stored completions of the info hash in `words[0…4]`, whose seeded hash is `key`; `AWAITED` = not
   * known yet; 0 as well when the question is not asked.
   */
  count(words: Int32Array, key: number): number {
    const entries = this.#entries
    if (entries.length === 0) return 0
    const at = entryOf(key)
    const state = entries[at + STORED.state]!
    if (state !== STATE.empty && this.#isAt(at, words))
      return state === STATE.known ? this.#countAt(at) : AWAITED
    if (state === STATE.asked) this.#write(at, words)
    else if (!this.#ask(at, words)) return 0
    return AWAITED
  }

  /** The torrent is here now: takes out what the table knows of it. NIL = nothing. */
  withdraw(words: Int32Array, key: number): number {
    if (this.#entries.length === 0 || this.#header[HEADER.askedTo] === 0) return NIL
    const at = entryOf(key)
    if (!this.#isAt(at, words)) return NIL
    const count = this.#entries[at + STORED.state] === STATE.known ? this.#countAt(at) : NIL
    this.#entries[at + STORED.state] = STATE.empty
    return count
  }

  /** The question asked first, into `words[at…]`; false = there is none. */
  take(words: Int32Array, at: number): boolean {
    const header = this.#header
    while (header[HEADER.askedFrom] !== header[HEADER.askedTo]) {
      const entry = this.#questions[header[HEADER.askedFrom]!++ & (QUESTIONS - 1)]! * STORED.words
      // It was forgotten meanwhile.
      if (this.#entries[entry + STORED.state] !== STATE.asked) continue
      this.#entries[entry + STORED.state] = STATE.taken
      for (let i = 0; i < 5; i++) words[at + i] = this.#entries[entry + i]!
      return true
    }
    return false
  }

  /** The answer to a question that was taken. */
  file(words: Int32Array, key: number, count: number): void {
    const at = entryOf(key)
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

const entryOf = (key: number): number => (key & (STORED_COUNTS - 1)) * STORED.words
