/**
 * Answers of one UDP socket, collected and handed to the kernel with one system call. For each answer: fill
 * the memory at `begin()`, then `push`. After the last one: `flush`.
 */
import { LIMITS } from '../limits.ts'
import { AT, type CounterRow } from '../memory/counters.ts'

/** How answers reach the kernel. */
export interface Sender {
  /** Sends `count` answers from number `first` on. How many were taken; 0: the buffer is full; -1: the first failed. */
  send(first: number, count: number): number
  /** The memory of the outbox is another one from now on. */
  resized(): void
}

export class Outbox {
  /** All slots, as bytes and as halves of the same memory. */
  bytes = new Uint8Array()
  halves = new Uint16Array()
  slotBytes = 0
  /** For each answer its bytes, and the number of the datagram whose sender gets it. */
  readonly lengths = new Int32Array(LIMITS.udpBatch)
  readonly to = new Int32Array(LIMITS.udpBatch)
  readonly #counters: CounterRow
  #queued = 0
  #sender: Sender | undefined

  /** Has no room before it is resized. */
  constructor(counters: CounterRow) {
    this.#counters = counters
  }

  /**
   * Makes room for answers of `slotBytes` bytes, which must be even, so that endpoints can be written as halves.
   * Nothing may be queued.
   */
  resize(slotBytes: number): void {
    if (slotBytes === this.slotBytes) return
    // The kernel knows it by its address: an `ArrayBuffer` made as such never moves.
    this.bytes = new Uint8Array(new ArrayBuffer(LIMITS.udpBatch * slotBytes))
    this.halves = new Uint16Array(this.bytes.buffer)
    this.slotBytes = slotBytes
    this.#sender?.resized()
  }

  /** The socket exists only after the handlers that fill the outbox. */
  attach(sender: Sender): void {
    this.#sender = sender
  }

  /** Where in `bytes` the next answer goes; the same place until it is pushed. */
  begin(): number {
    return this.#queued * this.slotBytes
  }

  /** Queues the `length` bytes at `begin()` for the sender of datagram `datagram`. */
  push(length: number, datagram: number): void {
    this.lengths[this.#queued] = length
    this.to[this.#queued] = datagram
    this.#queued++
    if (this.#queued === LIMITS.udpBatch) this.flush()
  }

  /**
   * Sends all. An error of the kernel may be an old one (an earlier client was gone), which is over once it was
   * reported, or that of the first answer, whose address cannot be reached. So the answer is tried twice, then
   * left out, and the others go on. A full buffer is final.
   */
  flush(): void {
    const count = this.#queued
    this.#queued = 0
    let failures = 0
    for (let first = 0; first < count; ) {
      const sent = this.#sender?.send(first, count - first) ?? 0
      if (sent === 0) {
        this.#counters[AT.unsent]! += count - first
        return
      }
      if (sent > 0) {
        first += sent
        failures = 0
        continue
      }
      this.#counters[AT.socketErrors]!++
      if (++failures < 2) continue
      failures = 0
      this.#counters[AT.unsent]!++
      first++
    }
  }
}
