/**
 * Counters in shared memory. Every serving thread writes only its own rows, so no counter needs a lock; a
 * reader sums the rows. A count is exact up to 2^53.
 */

/** The counters of one listener, each by family of the client. */
export const COUNTERS = [
  /** Datagrams or requests that arrived. */
  'received',
  'connects',
  'announces',
  'scrapes',
  /** Answers handed to the kernel, errors included. */
  'responses',
  /** Requests answered with an error or a failure reason. */
  'errors',
  /** Dropped without an answer: not a request, or the answer would be longer than the datagram. */
  'malformed',
  /** Connection ids that were forged, expired or from the future. */
  'connectionIdErrors',
  /** Dropped because the address showed too many wrong connection ids. */
  'banned',
  /** Dropped because the source port is 0. */
  'discarded',
  /** Dropped unread, so that a flood leaves the thread time for everything else. */
  'aborted',
  /** Answers the kernel did not take. */
  'unsent',
  /** Errors the kernel reported on the socket (clients that were gone before the answer). */
  'socketErrors',
] as const

export type Counter = (typeof COUNTERS)[number]

/** Index of a counter for IPv4; that for IPv6 is the next one (`familyOffset` 1). */
export const AT: Readonly<Record<Counter, number>> = Object.fromEntries(
  COUNTERS.map((name, i) => [name, i * 2]),
) as Record<Counter, number>

/** Kinds of UDP requests whose processing time is sampled. */
export const KINDS = ['connect', 'announce', 'scrape'] as const
export type Kind = (typeof KINDS)[number]

/** Index of the nanoseconds of a kind, for both families; the number of samples is the next one. */
export const TIME_AT: Readonly<Record<Kind, number>> = Object.fromEntries(
  KINDS.map((kind, i) => [kind, COUNTERS.length * 2 + i * 2]),
) as Record<Kind, number>

const PER_LISTENER = (COUNTERS.length + KINDS.length) * 2

/** The counters of one thread for one listener; `row[AT.announces + familyOffset]++` counts. */
export type CounterRow = Float64Array

export class Metrics {
  readonly memory: SharedArrayBuffer
  readonly #threads: number
  readonly #listeners: number

  constructor(threads: number, listeners: number, memory?: SharedArrayBuffer) {
    this.#threads = threads
    this.#listeners = listeners
    const bytes = Math.max(1, threads * listeners * PER_LISTENER) * 8
    this.memory = memory ?? new SharedArrayBuffer(bytes)
  }

  /** The row that only thread `thread` (0-based) may write, for listener `listener`. */
  row(thread: number, listener: number): CounterRow {
    const at = (thread * this.#listeners + listener) * PER_LISTENER * 8
    return new Float64Array(this.memory, at, PER_LISTENER)
  }

  /** Sum over all threads of one counter of one listener, by client family. */
  read(listener: number, counter: Counter): { ipv4: number; ipv6: number } {
    const sum = { ipv4: 0, ipv6: 0 }
    for (let thread = 0; thread < this.#threads; thread++) {
      const row = this.row(thread, listener)
      sum.ipv4 += row[AT[counter]]!
      sum.ipv6 += row[AT[counter] + 1]!
    }
    return sum
  }

  /** Sum over all threads of what was measured of one listener's requests of `kind`; the quotient is the mean. */
  processing(listener: number, kind: Kind): { nanoseconds: number; samples: number } {
    const sum = { nanoseconds: 0, samples: 0 }
    for (let thread = 0; thread < this.#threads; thread++) {
      const row = this.row(thread, listener)
      sum.nanoseconds += row[TIME_AT[kind]]!
      sum.samples += row[TIME_AT[kind] + 1]!
    }
    return sum
  }
}
