/**
 * Everything the threads count, in shared memory. Each thread writes only rows of its own, so no counter needs a
 * lock; a reader sums the rows. A count is exact up to 2^53. What a figure is called outside, and what it
 * means there, is in view/metrics.ts.
 */
import { REFUSALS, type Refusal } from '../refusal.ts'

/** One row of counters: `row[AT.announces + familyOffset]++` counts. */
export type CounterRow = Float64Array

/** As many rows of `length` counters as there are threads. */
class Rows {
  readonly memory: SharedArrayBuffer
  readonly rows: readonly CounterRow[]

  /** `memory`: of the same rows on another thread. */
  constructor(threads: number, length: number, memory?: SharedArrayBuffer) {
    this.memory = memory ?? new SharedArrayBuffer(threads * length * 8)
    this.rows = Array.from(
      { length: threads },
      (_, thread) => new Float64Array(this.memory, thread * length * 8, length),
    )
  }

  /** The row that only thread `thread` (0-based) may write. */
  row(thread: number): CounterRow {
    return this.rows[thread]!
  }

  /** Over all threads. */
  sum(index: number): number {
    let sum = 0
    for (const row of this.rows) sum += row[index]!
    return sum
  }
}

/** Counts of one listener, each by family of the client. */
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
  /** Not a request: a datagram that is dropped, an HTTP request that no route takes. */
  'malformed',
  /** Refused without an answer, which would be longer than the datagram. */
  'unanswered',
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
  /** Bytes of datagrams, or of the bodies of answers, without the headers of the protocols below. */
  'bytesReceived',
  'bytesSent',
  // Of WebSocket listeners alone.
  /** Answers to offers, of the client that answered. */
  'answers',
  /** Offers and answers of others, handed to the socket of the client that receives them. */
  'relayedOffers',
  'relayedAnswers',
  /** Answers that match no offer under way. */
  'strayAnswers',
  /** Offers that went to no peer: there was none, */
  'offersWithoutPeer',
  /** it has too much to read already, */
  'offersToSlow',
  /** this client makes too many, */
  'offersOverRate',
  /** the thread of the peer has too many messages waiting. */
  'offersOverLink',
  /** Messages handed to another thread. */
  'crossed',
  /** Connections that were accepted. */
  'opened',
  /** Connections that the client closed, or that broke. */
  'closedByClient',
  /** Connections that were closed because they were in no torrent, or no ping was answered. */
  'closedIdle',
  /** Connections that were closed because the client broke the protocol. */
  'closedFaulty',
  /** Connections that were closed because the client did not read. */
  'closedSlow',
  /** Connections that ended with their listener or their thread. */
  'closedStopped',
] as const
export type Counter = (typeof COUNTERS)[number]

/** Index of a counter for IPv4; that for IPv6 is the next one (`familyOffset` 1). */
export const AT = indices(COUNTERS, 0, 2)

/** Kinds of requests. */
export const KINDS = ['connect', 'announce', 'scrape', 'answer'] as const
export type Kind = (typeof KINDS)[number]
/** Types of listeners, and the kinds that each takes. */
export const KINDS_OF = {
  udp_tracker: ['connect', 'announce', 'scrape'],
  http_tracker: ['announce', 'scrape'],
  websocket_tracker: ['announce', 'scrape', 'answer'],
} as const satisfies Readonly<Record<string, readonly Kind[]>>
export type ListenerType = keyof typeof KINDS_OF

/** The counter of the requests of a kind that were answered with what they asked for. */
export const SERVED = {
  connect: 'connects',
  announce: 'announces',
  scrape: 'scrapes',
  answer: 'answers',
} as const satisfies Readonly<Record<Kind, Counter>>
/** Counters of what got no answer. Over HTTP only the first, and it is answered with an error of the protocol. */
export const DROPPED = [
  'malformed',
  'unanswered',
  'banned',
  'discarded',
  'aborted',
  'strayAnswers',
] as const
/** Counters of the offers that went to no peer, by reason. */
export const OFFERS_DROPPED = [
  'offersWithoutPeer',
  'offersToSlow',
  'offersOverRate',
  'offersOverLink',
] as const
/** Counters of the connections that are closed, by reason. */
export const CLOSED = [
  'closedByClient',
  'closedIdle',
  'closedFaulty',
  'closedSlow',
  'closedStopped',
] as const

/** What was refused: a request of some kind, or something that is none. */
export const REFUSED_KINDS = [...KINDS, 'other'] as const
export type RefusedKind = (typeof REFUSED_KINDS)[number]

/** Index of the requests of a kind that were refused for one reason, for IPv4; that for IPv6 is the next one. */
export const REFUSED_AT = Object.fromEntries(
  REFUSED_KINDS.map((kind, i) => [
    kind,
    indices(REFUSALS, (COUNTERS.length + i * REFUSALS.length) * 2, 2),
  ]),
) as Readonly<Record<RefusedKind, Readonly<Record<Refusal, number>>>>

/**
 * Upper bounds of the buckets of processing times, in nanoseconds: powers of two from 256 ns to 1 s. One more
 * bucket holds what took longer.
 */
export const TIME_BOUNDS: readonly number[] = Array.from({ length: 23 }, (_, i) => 2 ** (i + 8))
const TIME_WORDS = 1 + TIME_BOUNDS.length + 1

/** Index of the nanoseconds of a kind, for both families; its buckets follow. */
const TIME_AT = indices(
  KINDS,
  (COUNTERS.length + REFUSED_KINDS.length * REFUSALS.length) * 2,
  TIME_WORDS,
)
const PER_LISTENER = TIME_AT.connect + KINDS.length * TIME_WORDS

/** Adds the processing time of one request. Not of every one: reading the clock costs more than most counters. */
export const addTime = (row: CounterRow, kind: Kind, nanoseconds: number): void =>
  addTimeAt(row, TIME_AT[kind], nanoseconds)

function addTimeAt(row: CounterRow, at: number, nanoseconds: number): void {
  // Clocks of virtual machines may go backwards.
  const whole = Math.max(1, Math.min(nanoseconds, 0x7fff_ffff))
  const bucket = Math.min(32 - Math.clz32((whole - 1) >> 8), TIME_BOUNDS.length)
  row[at]! += whole
  row[at + 1 + bucket]!++
}

/** Processing times that were measured. */
export type Times = {
  readonly nanoseconds: number
  readonly samples: number
  /** Samples by bucket, see `TIME_BOUNDS`. */
  readonly buckets: readonly number[]
}

/**
 * Counts the connections that a thread had open as closed with it. The thread that takes the row of one that died
 * calls this first, so that the sockets which closed without a word do not count as open for ever.
 */
export function countAllClosed(row: CounterRow): void {
  for (const offset of [0, 1])
    row[AT.closedStopped + offset]! += CLOSED.reduce(
      (open, reason) => open - row[AT[reason] + offset]!,
      row[AT.opened + offset]!,
    )
}

/** The counters of one listener on all threads. */
export class ListenerCounters extends Rows {
  constructor(threads: number, memory?: SharedArrayBuffer) {
    super(threads, PER_LISTENER, memory)
  }

  /** By family of the client. */
  read(counter: Counter): { ipv4: number; ipv6: number } {
    return { ipv4: this.sum(AT[counter]), ipv6: this.sum(AT[counter] + 1) }
  }

  /** Connections that are open. Threads count on while this reads, so it may be wrong by one, but never below zero. */
  get open(): { ipv4: number; ipv6: number } {
    const closed = CLOSED.map((reason) => this.read(reason))
    const { ipv4, ipv6 } = this.read('opened')
    const left = (opened: number, family: 'ipv4' | 'ipv6') =>
      Math.max(
        0,
        closed.reduce((open, one) => open - one[family], opened),
      )
    return { ipv4: left(ipv4, 'ipv4'), ipv6: left(ipv6, 'ipv6') }
  }

  refused(kind: RefusedKind, refusal: Refusal): { ipv4: number; ipv6: number } {
    const at = REFUSED_AT[kind][refusal]
    return { ipv4: this.sum(at), ipv6: this.sum(at + 1) }
  }

  times(kind: Kind): Times {
    const at = TIME_AT[kind]
    return readTimes((index) => this.sum(at + index))
  }
}

/** Times of one thread that no other counts. */
export class Stopwatch {
  readonly #row: CounterRow = new Float64Array(TIME_WORDS)

  add(nanoseconds: number): void {
    addTimeAt(this.#row, 0, nanoseconds)
  }

  read(): Times {
    return readTimes((index) => this.#row[index]!)
  }
}

function readTimes(read: (index: number) => number): Times {
  const buckets = Array.from({ length: TIME_BOUNDS.length + 1 }, (_, i) => read(1 + i))
  const samples = buckets.reduce((sum, count) => sum + count, 0)
  return { nanoseconds: read(0), samples, buckets }
}

/** What one thread says of itself, and what it did to the swarm; peers by side, leechers before seeders. */
export const THREAD_COUNTERS = [
  /** Number of the thread in the system; 0 = not known. */
  'id',
  /** Seconds that the event loop was late at most within the last seconds. */
  'delay',
  /** Seats of WebTorrent peers that the thread and its predecessors gave out. */
  'seats',
  'torrentsAdded',
  'torrentsRemoved',
  'leechersAdded',
  'seedersAdded',
  'leechersRemoved',
  'seedersRemoved',
  'leechersUpdated',
  'seedersUpdated',
  /** Peers that had everything and then had bytes left again. */
  'completionsReverted',
] as const
export type ThreadCounter = (typeof THREAD_COUNTERS)[number]
export const THREAD_AT = indices(THREAD_COUNTERS, 0, 1)

/** One row for each serving thread, and the last for the control thread. */
export class ThreadCounters extends Rows {
  constructor(threads: number, memory?: SharedArrayBuffer) {
    super(threads, THREAD_COUNTERS.length, memory)
  }

  total(counter: ThreadCounter): number {
    return this.sum(THREAD_AT[counter])
  }
}

/** Index of each name: `from`, and `stride` further for each one behind it. */
function indices<Name extends string>(
  names: readonly Name[],
  from: number,
  stride: number,
): Readonly<Record<Name, number>> {
  return Object.fromEntries(names.map((name, i) => [name, from + i * stride])) as Record<
    Name,
    number
  >
}
