/**
 * WebTorrent's signalling: carries offers and answers between sockets, whichever threads hold them. Knows seats, not
 * sockets, and no protocol but that an answer follows an offer.
 */
import { LIMITS } from '../limits.ts'
import { type CounterRow, THREAD_AT } from '../memory/counters.ts'
import type { Clock } from '../time/clock.ts'
import { type LinkEnd, Links, type Made, RELAYED } from './links.ts'
import { Offers } from './offers.ts'

/** What a relayed message is. */
export type RelayedKind = 'offer' | 'answer'

/** The socket of a seat. */
export interface Line {
  /** Sends `text` unless too much waits to be sent already. Whether it did. Must not throw. */
  deliver(kind: RelayedKind, text: string): boolean
}

/** What a peer of a socket last said in one torrent. */
export type Stay = {
  /** Bytes. */
  readonly left: number
  /** Second of the announce. */
  readonly since: number
}

/** One peer id on one socket. */
export class Seat {
  /** Among the seats of this thread, from 1; see `SEAT` in bittorrent.ts. */
  readonly number: number
  readonly line: Line
  /** Peer id and info hashes as text of 20 characters, one for each byte. */
  readonly peerId: string
  readonly torrents = new Map<string, Stay>()

  constructor(number: number, line: Line, peerId: string) {
    this.number = number
    this.line = line
    this.peerId = peerId
  }
}

/** What became of an offer: handed on, here or to another thread; or dropped, and why. */
export type Handed = 'here' | 'crossed' | 'gone' | 'slow' | 'link'

export class Relay {
  readonly thread: number
  readonly #clock: Clock
  readonly #counts: CounterRow
  readonly #seats = new Map<number, Seat>()
  readonly #offers = new Offers(LIMITS.offersUnderWay)
  readonly #links: Links

  /** `counts`: the row of the thread in `ThreadCounters`, which outlives the thread. */
  constructor(thread: number, counts: CounterRow, clock: Clock, made?: Made) {
    this.thread = thread
    this.#links = new Links((...received) => this.#receive(...received), made)
    this.#counts = counts
    this.#clock = clock
  }

  link(end: LinkEnd): void {
    this.#links.add(end)
  }

  close(): void {
    this.#links.close()
  }

  /** A seat that no message can be meant for before it is known here. */
  seat(line: Line, peerId: string): Seat {
    let number = 0
    // After four thousand million seats the numbers of those that are gone come again.
    do number = ++this.#counts[THREAD_AT.seats]! % 2 ** 32
    while (number === 0 || this.#seats.has(number))
    return new Seat(number, line, peerId)
  }

  /** From here on offers and answers find it. */
  seated(seat: Seat): void {
    this.#seats.set(seat.number, seat)
  }

  vacate({ number }: Seat): void {
    this.#seats.delete(number)
  }

  /**
   * Hands an offer of `from` to the seat `to` of `thread`. `ids`: info hash, peer id of the offerer and offer id, five
   * words each.
   */
  offer(thread: number, to: number, ids: Int32Array, from: Seat, text: string): Handed {
    if (thread === this.thread) return this.#offerHere(to, ids, 0, thread, from.number, text)
    return this.#cross(thread, to, from.number, ids, text)
  }

  /**
   * Takes the offer that the seat `from` answers, which the same ids name. Whose it was: `answer` sends to
   * it; undefined: no such offer is open.
   */
  offerer(
    from: Seat,
    ids: Int32Array,
  ): { readonly thread: number; readonly seat: number } | undefined {
    const offers = this.#offers
    return offers.take(from.number, ids, 0, this.#clock.seconds()) ? offers : undefined
  }

  /** Hands an answer to the seat that offered. */
  answer(thread: number, to: number, text: string): Handed {
    if (thread === this.thread) return this.#deliver(to, 'answer', text)
    return this.#cross(thread, to, 0, undefined, text)
  }

  #cross(
    thread: number,
    to: number,
    from: number,
    ids: Int32Array | undefined,
    text: string,
  ): Handed {
    const room = this.#links.send(thread, text)
    if (room === undefined) return 'link'
    const { words, at } = room
    words[at + RELAYED.to] = to
    words[at + RELAYED.from] = from
    if (ids !== undefined) words.set(ids, at + RELAYED.ids)
    return 'crossed'
  }

  #receive(thread: number, words: Int32Array, at: number, text: string): void {
    const to = words[at + RELAYED.to]! >>> 0
    const from = words[at + RELAYED.from]!
    if (from === 0) this.#deliver(to, 'answer', text)
    else this.#offerHere(to, words, at + RELAYED.ids, thread, from, text)
  }

  #offerHere(
    to: number,
    ids: Int32Array,
    at: number,
    thread: number,
    from: number,
    text: string,
  ): Handed {
    const now = this.#clock.seconds()
    // Some clients show one offer to many peers. One of them must not offer it again as if it were its own.
    if (this.#offers.isAnothers(to, ids, at, thread, from, now)) return 'gone'
    const handed = this.#deliver(to, 'offer', text)
    if (handed === 'here') this.#offers.add(to, ids, at, thread, from, now)
    return handed
  }

  #deliver(to: number, kind: RelayedKind, text: string): Handed {
    const seat = this.#seats.get(to)
    if (seat === undefined) return 'gone'
    return seat.line.deliver(kind, text) ? 'here' : 'slow'
  }
}
