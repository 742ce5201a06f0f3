/**
 * Datagrams of one UDP socket, collected until there is a batch or the turn of the event loop ends. Knows
 * nothing of what is in them. Keeps a flood from keeping the thread: Bun reads until nothing is left,
 * which in a flood is never, so a turn that takes too long is broken off; where that is not
 * possible the rest of it is dropped unread, which is faster than it can arrive.
 */
import type { Clock } from '../clock.ts'
import { LIMITS } from '../limits.ts'
import type { ReadBreak } from './read-break.ts'

export type InboxEvents = {
  /** `count` datagrams are waiting at the front of the three arrays. */
  serve(count: number): void
  /** One was dropped unread. */
  aborted(): void
}

export class Inbox {
  /** Datagrams (Bun never uses their memory again), source ports and source addresses, side by side. */
  readonly packets: Uint8Array[] = []
  readonly ports: number[] = []
  readonly addresses: string[] = []
  readonly #clock: Clock
  readonly #events: InboxEvents
  readonly #endTurn = () => {
    // First, because answers leave through the same descriptor.
    this.#readBreak?.end()
    this.flush()
    this.#reading = false
    this.#shedding = false
  }
  #readBreak: ReadBreak | undefined
  #received = 0
  /** Whether a turn is under way, when it began, and whether it has taken too long. */
  #reading = false
  #turnBegan = 0
  #shedding = false

  constructor(clock: Clock, events: InboxEvents) {
    this.#clock = clock
    this.#events = events
  }

  /** How to interrupt the reading, once the socket is open. */
  attach(readBreak: ReadBreak | undefined): void {
    this.#readBreak = readBreak
  }

  receive(packet: Uint8Array, port: number, address: string): void {
    if (this.#shedding) {
      this.#events.aborted()
      return
    }
    if (!this.#reading) {
      this.#reading = true
      this.#turnBegan = this.#clock.milliseconds()
      setImmediate(this.#endTurn)
    }
    const at = this.#received++
    this.packets[at] = packet
    this.ports[at] = port
    this.addresses[at] = address
    if (this.#received < LIMITS.udpBatch) return
    this.flush()
    const lasted = this.#clock.milliseconds() - this.#turnBegan
    // Less than nothing: the clock was set back, and says nothing of this turn.
    if (lasted >= 0 && lasted <= LIMITS.udpTurnMilliseconds) return
    // What was read already still comes in; it is less than a batch, so nothing is sent meanwhile.
    if (this.#readBreak?.begin()) return
    this.#shedding = lasted > LIMITS.udpFloodMilliseconds
  }

  /** Serves what was received so far. */
  flush(): void {
    const count = this.#received
    this.#received = 0
    if (count > 0) this.#events.serve(count)
  }
}
