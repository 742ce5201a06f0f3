/**
 * What a serving thread notes of its announces for the control thread: a ring in shared memory with one writer and
 * one reader. The reader sees an entry only once the index says so, which comes last: a thread that dies in the middle
 * leaves nothing to see, and its successor writes on where the index stands.
 */
import {
  type Announce,
  type Answer,
  EVENT,
  LIMITED,
  type Limit,
  SEAT,
  type SeatAnnounce,
  WEB,
} from '../bittorrent.ts'
import { hashWords, type Seed, secretsOf } from '../memory/hash.ts'

/** Words of an entry. */
export const ENTRY = {
  account: 0,
  /** Unix second. */
  second: 1,
  /** Bits 0–1: the event; bits 2–3: place of the limit in `LIMITED` + 1, or 0; bit 4: no announce, see `appendGone`. */
  what: 2,
  /** Peers of the swarm after the announce. */
  seeders: 3,
  leechers: 4,
  infoHash: 5,
  peerId: 10,
  /** As `Announce.counts`. */
  counts: 15,
  port: 21,
  /** Keyed hash of address and port. */
  endpoint: 22,
  words: 24,
} as const
const EVENT_BITS = 3
const LIMIT_SHIFT = 2
const GONE = 1 << 4

/** Entries of a ring, a power of two. */
export const RING_ENTRIES = 16_384
/** From here on announces without an event are left out: their counters come again. */
const MOSTLY_FULL = (RING_ENTRIES * 3) / 4

/**
 * Words of the header: entries written and read, which wrap around, and how many were lost (a 64-bit float). Writer and
 * reader have a cache line each.
 */
const HEADER = { written: 0, lost: 2, read: 16, words: 32 } as const

export const createRing = (): SharedArrayBuffer =>
  new SharedArrayBuffer((HEADER.words + RING_ENTRIES * ENTRY.words) * 4)

/** Index of the first word of entry number `n`, counted from the first ever. */
const wordOf = (n: number): number => HEADER.words + (n & (RING_ENTRIES - 1)) * ENTRY.words

/** The event of an entry, from its `what`. */
export const eventIn = (what: number): number => what & EVENT_BITS
/** The limit that an announce was over, from the `what` of its entry. */
export const limitIn = (what: number): Limit | undefined => {
  const limit = (what >>> LIMIT_SHIFT) & EVENT_BITS
  return limit === 0 ? undefined : LIMITED[limit - 1]
}
/** Whether an entry is no announce: the connection of the peer ended. From its `what`. */
export const isGoneIn = (what: number): boolean => (what & GONE) !== 0

/** The end of the serving thread. Only one thread of all may write. */
export class RingWriter {
  readonly #cells: Int32Array
  readonly #lost: Float64Array
  readonly #secrets: Int32Array
  /** Address, port and family of an endpoint, the address in as many words as it has. */
  readonly #endpoint = new Int32Array(6)

  /** `seed`: the same on every thread. */
  constructor(memory: SharedArrayBuffer, seed: Seed) {
    this.#cells = new Int32Array(memory)
    this.#lost = new Float64Array(memory, HEADER.lost * 4, 1)
    this.#secrets = secretsOf(seed, this.#endpoint.length, 'endpoint')
  }

  /** `answer`: its counts, those after the announce, and its limit are noted. `now`: Unix second. */
  append(account: number, announce: Announce | SeatAnnounce, answer: Answer, now: number): void {
    const { event } = announce
    const { limit } = answer
    const limited = limit === undefined ? 0 : (LIMITED.indexOf(limit) + 1) << LIMIT_SHIFT
    this.#write(account, announce, answer, now, event | limited)
  }

  /**
   * Notes that the connection over which a peer announced is closed, and said nothing. Its counters do not matter.
   * Left out like an announce without an event: silence tells the same, later.
   */
  appendGone(account: number, peer: Announce | SeatAnnounce, answer: Answer, now: number): void {
    this.#write(account, peer, answer, now, EVENT.none | GONE)
  }

  #write(
    account: number,
    announce: Announce | SeatAnnounce,
    answer: Answer,
    now: number,
    what: number,
  ): void {
    const cells = this.#cells
    const written = cells[HEADER.written]!
    const used = (written - Atomics.load(cells, HEADER.read)) | 0
    if (used >= MOSTLY_FULL) {
      if (eventIn(what) === EVENT.none) return
      if (used >= RING_ENTRIES) {
        this.#lost[0]!++
        return
      }
    }
    const { words, counts } = announce
    const at = wordOf(written)
    cells[at + ENTRY.account] = account
    cells[at + ENTRY.second] = now
    cells[at + ENTRY.what] = what
    cells[at + ENTRY.seeders] = answer.seeders
    cells[at + ENTRY.leechers] = answer.leechers
    // Info hash and peer id stand side by side in both.
    for (let i = 0; i < 10; i++) cells[at + ENTRY.infoHash + i] = words[i]!
    for (let i = 0; i < 6; i++) cells[at + ENTRY.counts + i] = counts[i]!
    const port = this.#readEndpoint(announce)
    cells[at + ENTRY.port] = port
    cells[at + ENTRY.endpoint] = hashWords(this.#secrets, this.#endpoint, 0, 6)
    // Last: what stands above is visible to a reader that sees this.
    Atomics.store(cells, HEADER.written, (written + 1) | 0)
  }

  /** Brings the endpoint of the announce into `#endpoint`; its port. */
  #readEndpoint(announce: Announce | SeatAnnounce): number {
    const { endpointHalves: halves, family } = announce
    const endpoint = this.#endpoint
    const length = family === 4 ? 1 : 4
    for (let i = 0; i < length; i++) endpoint[i] = halves[i * 2]! | (halves[i * 2 + 1]! << 16)
    for (let i = length; i < 4; i++) endpoint[i] = 0
    // Big endian, in halves of memory order.
    const half = halves[family === WEB ? SEAT.port : length * 2]!
    const port = ((half & 0xff) << 8) | (half >>> 8)
    endpoint[4] = port
    endpoint[5] = family
    return port
  }
}

/** The end of the control thread. */
export class RingReader {
  /** The whole ring: see `at`. */
  readonly cells: Int32Array
  readonly #lost: Float64Array

  constructor(memory: SharedArrayBuffer) {
    this.cells = new Int32Array(memory)
    this.#lost = new Float64Array(memory, HEADER.lost * 4, 1)
  }

  /** Entries that may be read. */
  get waiting(): number {
    return (Atomics.load(this.cells, HEADER.written) - this.cells[HEADER.read]!) | 0
  }

  /** Index in `cells` of the first word of waiting entry number `i`, the oldest first. */
  at(i: number): number {
    return wordOf(this.cells[HEADER.read]! + i)
  }

  /** The first `count` waiting entries are done with: the writer may use their places. */
  took(count: number): void {
    Atomics.store(this.cells, HEADER.read, (this.cells[HEADER.read]! + count) | 0)
  }

  /** Announces that found the ring full, since it was made. */
  get lost(): number {
    return this.#lost[0]!
  }

  /** The part that is in use, from 0 to 1. */
  get used(): number {
    return this.waiting / RING_ENTRIES
  }
}
