/**
 * Reads and sends the datagrams of a UDP socket through Bun, where the system calls of direct-socket.ts do not
 * exist. Bun hands out datagrams one by one: they are collected until there is a batch or the turn of the
 * event loop ends. Bun reads until the socket is empty, which in a flood is never, so the rest of a turn that
 * takes too long is dropped unread, faster than it can arrive.
 */
import { LIMITS } from '../limits.ts'
import { AT, type CounterRow } from '../memory/counters.ts'
import type { Clock } from '../time/clock.ts'
import type { Datagrams } from './datagrams.ts'
import type { Outbox, Sender } from './outbox.ts'

/** The part of Bun's socket that is used. */
type BunSender = {
  sendMany(packets: readonly (Uint8Array | number | string)[]): number
}

export class BunSocket implements Sender {
  readonly #clock: Clock
  readonly #datagrams: Datagrams
  readonly #outbox: Outbox
  readonly #sender: BunSender
  readonly #counters: CounterRow
  readonly #serve: (count: number) => void
  /** Data, port and address of each answer, as `sendMany` wants them. */
  readonly #packets: (Uint8Array | number | string)[] = []
  /** Views by slot, then length. Lengths repeat, and making a view costs more than a send. */
  readonly #views: (Uint8Array | undefined)[][]
  readonly #endTurn = () => {
    this.flush()
    this.#reading = false
    this.#shedding = false
  }
  #received = 0
  /** Whether a turn is under way, when it began, and whether it has taken too long. */
  #reading = false
  #turnBegan = 0
  #shedding = false

  /** `serve` is called when so many datagrams are waiting. */
  constructor(
    { clock, counters }: { readonly clock: Clock; readonly counters: CounterRow },
    datagrams: Datagrams,
    outbox: Outbox,
    sender: BunSender,
    serve: (count: number) => void,
  ) {
    this.#clock = clock
    this.#counters = counters
    this.#datagrams = datagrams
    this.#outbox = outbox
    this.#sender = sender
    this.#serve = serve
    this.#views = Array.from({ length: LIMITS.udpBatch }, () => [])
  }

  resized(): void {
    for (const views of this.#views) views.length = 0
  }

  receive(packet: Uint8Array, port: number, address: string): void {
    if (this.#shedding) {
      this.#counters[AT.aborted]!++
      return
    }
    if (!this.#reading) {
      this.#reading = true
      this.#turnBegan = this.#clock.milliseconds()
      setImmediate(this.#endTurn)
    }
    if (!this.#datagrams.put(this.#received, packet, port, address)) return
    this.#received++
    if (this.#received < LIMITS.udpBatch) return
    this.flush()
    this.#shedding = this.#clock.milliseconds() - this.#turnBegan > LIMITS.udpFloodMilliseconds
  }

  /** Serves what was received so far. */
  flush(): void {
    const count = this.#received
    this.#received = 0
    if (count > 0) this.#serve(count)
  }

  send(first: number, count: number): number {
    const { lengths, to } = this.#outbox
    this.#packets.length = count * 3
    for (let i = 0; i < count; i++) {
      this.#packets[i * 3] = this.#view(first + i, lengths[first + i]!)
      this.#packets[i * 3 + 1] = this.#datagrams.port(to[first + i]!)
      this.#packets[i * 3 + 2] = this.#datagrams.address(to[first + i]!)
    }
    try {
      return this.#sender.sendMany(this.#packets)
    } catch {
      return -1
    }
  }

  #view(slot: number, length: number): Uint8Array {
    const views = this.#views[slot]!
    const known = views[length]
    if (known !== undefined) return known
    const at = slot * this.#outbox.slotBytes
    const view = this.#outbox.bytes.subarray(at, at + length)
    views[length] = view
    return view
  }
}
