/**
 * The run of a load test, whatever the transport: it sends for a set time, waits for what is still in flight, and
 * ends by its own clock, whatever the tracker does.
 */

import type { Address } from '../client/resolve.ts'
import type { Population } from './population.ts'
import type { Tally } from './tally.ts'

/** How often the generator has a turn even if no answer comes. */
const TICK_MILLISECONDS = 20
/** The same with a rate, so that requests are spread evenly. */
const PACED_TICK_MILLISECONDS = 2
/** After this time without any answer the run ends. */
const SILENCE_MILLISECONDS = 10_000

export type Mix = 'announce' | 'mixed'

/** Weights of the requests of `mixed`; HTTP has no connect. */
export const MIXED = { connect: 50, announce: 50, scrape: 1 } as const

/** What the generators of both transports need to know. */
export interface LoadOptions {
  readonly address: Address
  readonly port: number
  /** Path and query of the announce URL, empty if it has none; may hold an auth key. */
  readonly path: string
  readonly population: Population
  readonly mix: Mix
  /** Peers asked for in each announce. */
  readonly want: number
  readonly seed: number
  /** Sockets or connections. */
  readonly clients: number
}

/** Sends the requests and counts the answers. */
export interface LoadGenerator {
  readonly inFlight: number
  /** Counts requests that waited too long as lost, and sends what may be sent. `now` is that of `performance.now()`. */
  turn(now: number): void
  /** Counts all requests in flight as lost and closes every socket. */
  close(): void
}

export interface LoadRunOptions {
  readonly durationMilliseconds: number
  /** A request without an answer for this long is lost. */
  readonly timeoutMilliseconds: number
  /** Requests per second; undefined: the next one as soon as an answer makes room for it. */
  readonly rate: number | undefined
}

export type Ended = 'duration' | 'interrupted' | 'silence'

export class LoadRun {
  readonly options: LoadRunOptions
  readonly tally: Tally
  readonly pace: Pace
  readonly #began = performance.now()
  readonly #over = Promise.withResolvers<void>()
  #stoppedAt: number | undefined
  #ended: Ended = 'duration'
  #answersInTime = 0
  #replies = 0
  #repliedAt = this.#began

  constructor(options: LoadRunOptions, tally: Tally) {
    this.options = options
    this.tally = tally
    this.pace = new Pace(options.rate, this.#began, this.#began + options.durationMilliseconds)
  }

  /** false: no more requests may be sent. */
  get isSending(): boolean {
    return this.#stoppedAt === undefined
  }

  /** Ends the sending; the run is over as soon as the requests in flight are answered or lost. */
  stop(why: Ended = 'interrupted'): void {
    if (!this.isSending) return
    this.#stoppedAt = performance.now()
    this.#ended = why
    this.#answersInTime = this.tally.answers
  }

  /** Resolves when the run is over and the generator closed. */
  async drive(generator: LoadGenerator): Promise<void> {
    const every = this.options.rate === undefined ? TICK_MILLISECONDS : PACED_TICK_MILLISECONDS
    const timer = setInterval(() => this.#turn(generator), every)
    try {
      this.#turn(generator)
      await this.#over.promise
    } finally {
      clearInterval(timer)
      generator.close()
    }
  }

  #turn(generator: LoadGenerator): void {
    const now = performance.now()
    if (now - this.#began >= this.options.durationMilliseconds) this.stop('duration')
    if (this.#isSilent(now)) this.stop('silence')
    try {
      generator.turn(now)
    } catch (error) {
      this.#over.reject(error)
    }
    // The time limit of requests makes sure that this happens.
    if (!this.isSending && generator.inFlight === 0) this.#over.resolve()
  }

  #isSilent(now: number): boolean {
    const { replies } = this.tally
    if (replies !== this.#replies) this.#repliedAt = now
    this.#replies = replies
    return now - this.#repliedAt > SILENCE_MILLISECONDS + this.options.timeoutMilliseconds
  }

  /** Seconds of sending, so far or in all. */
  get seconds(): number {
    return ((this.#stoppedAt ?? performance.now()) - this.#began) / 1000
  }

  /** Counts only answers that came while requests were sent. */
  get answersPerSecond(): number {
    const answers = this.isSending ? this.tally.answers : this.#answersInTime
    return this.seconds > 0 ? answers / this.seconds : 0
  }

  /** Milliseconds from the last reply to the end of the sending. */
  get silence(): number {
    return Math.max(0, (this.#stoppedAt ?? performance.now()) - this.#repliedAt)
  }

  get ended(): Ended {
    return this.#ended
  }
}

/** What was not sent for longer than this is not made up for: a pause must not lead to a burst. */
const MEMORY_MILLISECONDS = 100

/** Spreads requests evenly over time. */
export class Pace {
  /** undefined: no limit. */
  readonly #perMillisecond: number | undefined
  readonly #most: number
  readonly #end: number
  #budget = 0
  #since: number

  /** `rate`: requests per second, never exceeded between `begin` and `end` (milliseconds); undefined: no limit. */
  constructor(rate: number | undefined, begin: number, end: number) {
    this.#perMillisecond = rate === undefined ? undefined : rate / 1000
    this.#most = Math.max(1, (this.#perMillisecond ?? 0) * MEMORY_MILLISECONDS)
    this.#since = begin
    this.#end = end
  }

  /** Whole requests that may be sent now. What is sent must be reported with `spend`. */
  allowed(now: number): number {
    if (this.#perMillisecond === undefined) return Number.POSITIVE_INFINITY
    const until = Math.min(now, this.#end)
    const earned = (until - this.#since) * this.#perMillisecond
    this.#budget = Math.min(this.#most, this.#budget + earned)
    this.#since = until
    return Math.floor(this.#budget)
  }

  spend(requests: number): void {
    this.#budget -= requests
  }
}
