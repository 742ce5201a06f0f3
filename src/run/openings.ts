/** What the control thread keeps for each listener of the trackers, from before it is opened until it is closed. */
import { ListenerCounters } from '../memory/counters.ts'
import { createConnectionCounts } from '../servers/connection-counts.ts'
import {
  closeDescriptors,
  type Descriptors,
  openDescriptors,
  releaseSocket,
} from '../servers/direct-socket.ts'
import { droppedAt } from '../servers/socket-options.ts'
import { printAddress } from '../wire/address.ts'
import type { Opening, Wanted } from './open-listener.ts'

export class Openings {
  readonly #threads: number
  readonly #descriptors = new Map<number, readonly (Descriptors | undefined)[]>()
  /** What was dropped at sockets of threads that have ended, by listener. */
  readonly #dropped = new Map<number, number>()
  /** Of all that ever were open, by protocol and address. */
  readonly #counters = new Map<string, SharedArrayBuffer>()
  #last = 0

  constructor(threads: number) {
    this.#threads = threads
  }

  /** A number that no other listener had. */
  id(): number {
    return ++this.#last
  }

  open(one: Wanted): Opening {
    const id = this.id()
    const common = { id, counters: this.#countersOf(one), sharesPort: false }
    if (one.type === 'http_tracker') return { ...common, ...one }
    if (one.type === 'websocket_tracker') {
      const { isHosted: _, ...wanted } = one
      const connections = createConnectionCounts(this.#threads)
      return { ...common, ...wanted, host: undefined, connections }
    }
    const descriptors = Array.from({ length: this.#threads }, openDescriptors)
    this.#descriptors.set(id, descriptors)
    return { ...common, ...one, descriptors }
  }

  /** Those of an address go on where they were, should it be opened again. */
  #countersOf({ type, listener: { bind_address } }: Wanted): SharedArrayBuffer {
    const name = `${type} ${printAddress(bind_address)}`
    const counters = this.#counters.get(name) ?? new ListenerCounters(this.#threads).memory
    // Port 0 is another one each time.
    if (bind_address.port !== 0) this.#counters.set(name, counters)
    return counters
  }

  /** Datagrams that did not fit the receive buffers of a UDP listener; undefined: not known. */
  dropsOf(id: number): number | undefined {
    const sockets = this.#descriptors.get(id) ?? []
    const known = sockets.flatMap((one) => (one === undefined ? [] : (droppedAt(one.socket) ?? [])))
    const before = this.#dropped.get(id) ?? 0
    return known.length === 0 ? undefined : known.reduce((sum, drops) => sum + drops, before)
  }

  /** Closes what thread number `thread`, which has ended, left open. */
  release(thread: number): void {
    for (const [id, each] of this.#descriptors) {
      const one = each[thread - 1]
      if (one === undefined) continue
      // The next socket counts from zero, and a counter must not fall.
      this.#dropped.set(id, (this.#dropped.get(id) ?? 0) + (droppedAt(one.socket) ?? 0))
      releaseSocket(one)
    }
  }

  /** They are closed on all threads. */
  forget(
    openings: readonly Pick<Opening, 'id'>[] = Array.from(this.#descriptors.keys(), (id) => ({
      id,
    })),
  ): void {
    for (const { id } of openings) {
      for (const each of this.#descriptors.get(id) ?? [])
        if (each !== undefined) closeDescriptors(each)
      this.#descriptors.delete(id)
      this.#dropped.delete(id)
    }
  }
}
