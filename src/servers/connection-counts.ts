/**
 * How many WebSockets the clients of one listener have, over all threads, in shared memory. An address is counted by a
 * keyed hash: two addresses rarely share a count, and no stranger can choose one that shares it with a victim.
 */
import type { Address } from '../bittorrent.ts'
import { drawSeed, hashWords, SEED_WORDS, secretsOf } from '../memory/hash.ts'

/** Counts of each thread; a power of two. Those that are not used take no memory. */
const PLACES = 2 ** 20

export const createConnectionCounts = (threads: number): SharedArrayBuffer => {
  const memory = new SharedArrayBuffer((SEED_WORDS + threads * PLACES) * 4)
  new Int32Array(memory).set(drawSeed())
  return memory
}

export class ConnectionCounts {
  readonly #rows: readonly Int32Array[]
  readonly #own: Int32Array
  readonly #secrets: Int32Array

  /** `thread`: from 0. */
  constructor(memory: SharedArrayBuffer, threads: number, thread: number) {
    this.#secrets = secretsOf(new Int32Array(memory, 0, SEED_WORDS), 2, 'connections')
    this.#rows = Array.from(
      { length: threads },
      (_, i) => new Int32Array(memory, (SEED_WORDS + i * PLACES) * 4, PLACES),
    )
    this.#own = this.#rows[thread]!
  }

  /** The connections of a thread that has died are closed. */
  forgetPredecessor(): void {
    // Memory that is only read stays unused.
    for (let place = 0; place < PLACES; place++) if (this.#own[place] !== 0) this.#own[place] = 0
  }

  /** Where an address is counted: all of an IPv6 /64 at one place. */
  placeOf({ family, words }: Address): number {
    return hashWords(this.#secrets, words, 0, family === 4 ? 1 : 2) & (PLACES - 1)
  }

  at(place: number): number {
    return this.#rows.reduce((sum, row) => sum + row[place]!, 0)
  }

  opened(place: number): void {
    this.#own[place]!++
  }

  closed(place: number): void {
    this.#own[place]!--
  }
}
