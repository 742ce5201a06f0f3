/**
 * The requests of one UDP socket: a place each for those that may be in flight, with its own memory, and the
 * transaction ids that lead an answer back to its place. Sends nothing.
 */
import type { Connection } from '../wire/udp-client.ts'

/** A transaction id is the number of the place, and how often that was used. */
const SLOT_BITS = 8
export const MOST_WINDOW = 2 ** SLOT_BITS

/** Instead of a kind: nothing is in flight. */
export const FREE = 255

export class UdpClientSlots {
  /** undefined while it is being opened. */
  socket: Bun.udp.ConnectedSocket<'buffer'> | undefined
  connection: Connection | undefined
  /** When a connection id is to be asked for, and when that was last done. */
  askAt = 0
  askedAt = 0
  readInTurn = 0
  /** By slot: kind, and when it was sent. */
  readonly kinds: Uint8Array
  readonly sent: Float64Array
  /** Memory of the requests; see `at`. */
  readonly bytes: Uint8Array
  /** The requests that leave together. */
  readonly batch: Uint8Array[] = []
  readonly #batchSlots: number[] = []
  readonly #stride: number
  readonly #uses: Uint32Array
  /** By kind, then slot. */
  readonly #views: readonly (readonly Uint8Array[])[]
  /** A stack. */
  readonly #free: Uint8Array
  #freeCount: number

  /** `lengths` are the bytes of a request by kind; `seed` makes transaction ids that differ from run to run. */
  constructor(window: number, lengths: readonly number[], seed: number) {
    this.#stride = Math.max(...lengths)
    this.bytes = new Uint8Array(window * this.#stride)
    this.kinds = new Uint8Array(window).fill(FREE)
    this.sent = new Float64Array(window)
    this.#uses = new Uint32Array(window).fill(seed >>> SLOT_BITS)
    this.#views = lengths.map((length) =>
      Array.from({ length: window }, (_, slot) => {
        const at = slot * this.#stride
        return this.bytes.subarray(at, at + length)
      }),
    )
    this.#free = Uint8Array.from({ length: window }, (_, slot) => slot)
    this.#freeCount = window
  }

  get free(): number {
    return this.#freeCount
  }

  get inFlight(): number {
    return this.kinds.length - this.#freeCount
  }

  /** Where the request of a slot begins in `bytes`. */
  at(slot: number): number {
    return slot * this.#stride
  }

  beginBatch(): void {
    this.batch.length = 0
    this.#batchSlots.length = 0
  }

  /** A slot for a request that is added to the batch. */
  take(kind: number, now: number): number {
    const slot = this.#free[--this.#freeCount]!
    this.kinds[slot] = kind
    this.sent[slot] = now
    this.#uses[slot] = (this.#uses[slot]! + 1) & (2 ** (32 - SLOT_BITS) - 1)
    this.batch.push(this.#views[kind]![slot]!)
    this.#batchSlots.push(slot)
    return slot
  }

  release(slot: number): void {
    this.kinds[slot] = FREE
    this.#free[this.#freeCount++] = slot
  }

  /** Releases those of the batch from number `sent` on. */
  takeBack(sent: number, tell: (kind: number) => void): void {
    for (let i = sent; i < this.#batchSlots.length; i++) {
      const slot = this.#batchSlots[i]!
      tell(this.kinds[slot]!)
      this.release(slot)
    }
  }

  transactionOf(slot: number): number {
    return (this.#uses[slot]! << SLOT_BITS) | slot
  }

  /** The slot in flight with this transaction id; -1: none. */
  slotOf(transaction: number): number {
    const slot = transaction & (MOST_WINDOW - 1)
    const isOurs = slot < this.kinds.length && this.kinds[slot] !== FREE
    return isOurs && this.#uses[slot] === transaction >>> SLOT_BITS ? slot : -1
  }

  /** The connection id may have been what was wrong; but asking does not help against every error. */
  askSoon(afterMilliseconds: number): void {
    this.askAt = Math.min(this.askAt, this.askedAt + afterMilliseconds)
  }

  disconnect(): void {
    this.socket = undefined
    this.connection = undefined
    this.askAt = 0
  }
}
