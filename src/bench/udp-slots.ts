/**
 * The requests in flight of one UDP socket: a slot with its own memory for each, and transaction ids that lead an
 * answer back to its slot. Sends nothing.
 */
import type { Connection } from '../wire/udp-client.ts'

/** A transaction id is the number of the slot in the low bits, and how often the slot was used above them. */
const SLOT_BITS = 8
export const MAX_WINDOW = 2 ** SLOT_BITS

/** In place of a kind: the slot is free. */
export const FREE = 255

export class UdpClientSlots {
  /** undefined while it is being opened. */
  socket: Bun.udp.ConnectedSocket<'buffer'> | undefined
  connection: Connection | undefined
  /** When the next connection id is due, and when one was last asked for. */
  askAt = 0
  askedAt = 0
  readInTurn = 0
  /** By slot: kind of the request, and when it was sent. */
  readonly kinds: Uint8Array
  readonly sent: Float64Array
  /** Memory of the requests: that of a slot begins at `at(slot)`. */
  readonly bytes: Uint8Array
  /** The requests that are sent together. */
  readonly batch: Uint8Array[] = []
  readonly #batchSlots: number[] = []
  readonly #stride: number
  readonly #uses: Uint32Array
  /** Views of `bytes` by kind, then slot. */
  readonly #views: readonly (readonly Uint8Array[])[]
  /** A stack of free slots. */
  readonly #free: Uint8Array
  #freeCount: number

  /** `lengths`: bytes of a request by kind. `seed` makes transaction ids differ from run to run. */
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

  /** Offset of a slot in `bytes`. */
  at(slot: number): number {
    return slot * this.#stride
  }

  beginBatch(): void {
    this.batch.length = 0
    this.#batchSlots.length = 0
  }

  /** Takes a free slot for a request and adds it to the batch. */
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

  /** Releases the slots of the batch from number `sent` on, which the kernel did not take. */
  takeBack(sent: number, onRelease: (kind: number) => void): void {
    for (let i = sent; i < this.#batchSlots.length; i++) {
      const slot = this.#batchSlots[i]!
      onRelease(this.kinds[slot]!)
      this.release(slot)
    }
  }

  transactionOf(slot: number): number {
    return (this.#uses[slot]! << SLOT_BITS) | slot
  }

  /** The slot of the request in flight with this transaction id; -1: there is none. */
  slotOf(transaction: number): number {
    const slot = transaction & (MAX_WINDOW - 1)
    const isOurs = slot < this.kinds.length && this.kinds[slot] !== FREE
    return isOurs && this.#uses[slot] === transaction >>> SLOT_BITS ? slot : -1
  }

  /** Asks for a new connection id after an error, but not before this time has passed since the last one. */
  askSoon(afterMilliseconds: number): void {
    this.askAt = Math.min(this.askAt, this.askedAt + afterMilliseconds)
  }

  disconnect(): void {
    this.socket = undefined
    this.connection = undefined
    this.askAt = 0
  }
}
