/**
 * Answers of one UDP socket, collected and handed to the kernel with one system call. The bytes of a slot
 * are the outbox's own: fill what `begin` lends, then `push`; whoever pushes flushes.
 */
import { LIMITS } from '../limits.ts'

/** What the outbox needs of a socket. */
export interface Sender {
  sendMany(packets: readonly (Uint8Array | number | string)[]): number
}

/** What could not be sent: the kernel's buffer was full, or it reported an error (a client was gone). */
export type OutboxEvents = { unsent(count: number): void; socketError(): void }

export class Outbox {
  /** All slots, as bytes and as halves of the same memory. */
  readonly bytes: Uint8Array
  readonly halves: Uint16Array
  readonly #slotBytes: number
  readonly #events: OutboxEvents
  /** Data, port and address of each answer, as `sendMany` wants them. */
  readonly #packets: (Uint8Array | number | string)[] = []
  /** By slot, then length: the views handed out before. Lengths repeat, and a view costs more than a send. */
  readonly #views: (Uint8Array | undefined)[][]
  #queued = 0
  #sender: Sender | undefined

  /** `slotBytes`: longest answer; even, so that endpoints can be written as halves. */
  constructor(slotBytes: number, events: OutboxEvents) {
    this.bytes = new Uint8Array(LIMITS.udpBatch * slotBytes)
    this.halves = new Uint16Array(this.bytes.buffer)
    this.#slotBytes = slotBytes
    this.#events = events
    this.#views = Array.from({ length: LIMITS.udpBatch }, () => [])
  }

  /** The socket exists only after the handlers that fill the outbox. */
  attach(sender: Sender): void {
    this.#sender = sender
  }

  /** Where in `bytes` the next answer goes; the same place until it is pushed. */
  begin(): number {
    return this.#queued * this.#slotBytes
  }

  /** Queues the `length` bytes at `begin()`. */
  push(length: number, port: number, address: string): void {
    const at = this.#queued * 3
    this.#packets[at] = this.#view(length)
    this.#packets[at + 1] = port
    this.#packets[at + 2] = address
    this.#queued++
    if (this.#queued === LIMITS.udpBatch) this.flush()
  }

  flush(): void {
    if (this.#queued === 0) return
    this.#packets.length = this.#queued * 3
    this.#queued = 0
    this.#send(this.#packets)
  }

  /**
   * An error of the kernel may be an old one (some earlier client was gone), which consumes itself, or
   * that of the first answer, whose address cannot be reached: so it is tried twice, then left out, and
   * the others go on. A full buffer is final.
   */
  #send(packets: readonly (Uint8Array | number | string)[]): void {
    let rest = packets
    let failures = 0
    while (rest.length > 0) {
      let sent = 0
      try {
        sent = this.#sender?.sendMany(rest) ?? 0
        if (sent === 0) break
        failures = 0
      } catch {
        this.#events.socketError()
        if (++failures === 2) {
          failures = 0
          this.#events.unsent(1)
          sent = 1
        }
      }
      if (sent * 3 === rest.length) return
      rest = rest.slice(sent * 3)
    }
    if (rest.length > 0) this.#events.unsent(rest.length / 3)
  }

  #view(length: number): Uint8Array {
    const views = this.#views[this.#queued]!
    const known = views[length]
    if (known !== undefined) return known
    const at = this.#queued * this.#slotBytes
    const view = this.bytes.subarray(at, at + length)
    views[length] = view
    return view
  }
}
