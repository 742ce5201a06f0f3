/**
 * The course of a load test: sends for so long, then waits for what is still in flight, then is over. Knows
 * no transport. Ends by its own clock, whatever the tracker does.
 */

import type { Address } from '../client/resolve.ts'
import type { Population } from './population.ts'
import type { Tally } from './tally.ts'

/** How often a generator gets its turn besides when answers come. */
const TICK_MILLISECONDS = 20
/** With a rate the requests are to be spread. */
const PACED_TICK_MILLISECONDS = 2
/** After so long without any answer there is nothing left to measure. */
const SILENCE_MILLISECONDS = 10_000

export interface Generator {
  readonly inFlight: number
  /** Counts what waited too long as lost, and sends what may be sent. */
  turn(now: number): void
  /** Counts all that is in flight as lost and closes every socket. */
  close(): void
}

export interface CourseOptions {
  readonly durationMilliseconds: number
  /** A request without an answer for so long is lost. */
  readonly timeoutMilliseconds: number
  /** Requests a second; undefined: as many as answers make room for. */
  readonly rate: number | undefined
}

export type Ended = 'duration' | 'interrupted' | 'silence'

export class Course {
  readonly options: CourseOptions
  readonly tally: Tally
  readonly pace: Pace
  readonly #began = performance.now()
  readonly #over = Promise.withResolvers<void>()
  #stoppedAt: number | undefined
  #ended: Ended = 'duration'
  #answersInTime = 0
  #heard = 0
  #heardAt = this.#began

  constructor(options: CourseOptions, tally: Tally) {
    this.options = options
    this.tally = tally
    this.pace = new Pace(options.rate, this.#began, this.#began + options.durationMilliseconds)
  }

  /** Whether requests may be sent at all. */
  get isSending(): boolean {
    return this.#stoppedAt === undefined
  }

  /** No more requests; ends as soon as those in flight are answered or lost. */
  stop(why: Ended = 'interrupted'): void {
    if (!this.isSending) return
    this.#stoppedAt = performance.now()
    this.#ended = why
    this.#answersInTime = this.tally.answers
  }

  /** Resolves when it is over and the generator closed. */
  async run(generator: Generator): Promise<void> {
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

  #turn(generator: Generator): void {
    const now = performance.now()
    if (now - this.#began >= this.options.durationMilliseconds) this.stop('duration')
    if (this.#isSilent(now)) this.stop('silence')
    try {
      generator.turn(now)
    } catch (error) {
      this.#over.reject(error)
    }
    // What is in flight is lost after the time limit at the latest.
    if (!this.isSending && generator.inFlight === 0) this.#over.resolve()
  }

  #isSilent(now: number): boolean {
    const { heard } = this.tally
    if (heard !== this.#heard) this.#heardAt = now
    this.#heard = heard
    return now - this.#heardAt > SILENCE_MILLISECONDS + this.options.timeoutMilliseconds
  }

  /** Seconds in which requests were sent, so far or in all. */
  get seconds(): number {
    return ((this.#stoppedAt ?? performance.now()) - this.#began) / 1000
  }

  /** Of those seconds. */
  get answersPerSecond(): number {
    const answers = this.isSending ? this.tally.answers : this.#answersInTime
    return this.seconds > 0 ? answers / this.seconds : 0
  }

  /** Milliseconds from the last answer to the end of the sending. */
  get silence(): number {
    return Math.max(0, (this.#stoppedAt ?? performance.now()) - this.#heardAt)
  }

  get ended(): Ended {
    return this.#ended
  }
}

/** What was not sent for longer than this is not made up for: nobody wants a burst after a pause. */
const MEMORY_MILLISECONDS = 100

export class Pace {
  /** Requests a millisecond; undefined: as many as answers make room for. */
  readonly #perMillisecond: number | undefined
  readonly #most: number
  readonly #end: number
  #budget = 0
  #since: number

  /**
   * `rate` is requests a second. From `begin` to `end` (milliseconds) there will never be more of them than
   * it allows.
   */
  constructor(rate: number | undefined, begin: number, end: number) {
    this.#perMillisecond = rate === undefined ? undefined : rate / 1000
    this.#most = Math.max(1, (this.#perMillisecond ?? 0) * MEMORY_MILLISECONDS)
    this.#since = begin
    this.#end = end
  }

  /** Whole requests; whoever sends some says so with `spend`. */
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

export type Mix = 'announce' | 'mixed'

/** Weights of `mixed`; HTTP knows no connect. */
export const MIXED = { connect: 50, announce: 50, scrape: 1 } as const

export interface LoadOptions {
  readonly address: Address
  readonly port: number
  /** Path and query of the announce URL, empty if there is none; a key may stand in it. */
  readonly path: string
  readonly population: Population
  readonly mix: Mix
  /** Peers wanted of each announce. */
  readonly want: number
  readonly seed: number
  /** Sockets or connections. */
  readonly clients: number
}
