/**
 * The loop of a load test, whatever the transport: who sends next, how much and of which kind, what is given up as
 * lost, and the end by its own clock, whatever the tracker does.
 */
import type { Address } from '../client/resolve.ts'
import { ACTION } from '../wire/udp.ts'
import { type Population, Random } from './population.ts'
import { Tally } from './tally.ts'

/** How often requests are checked for their time limit, and clients that no answer has woken may send. */
const TICK_MILLISECONDS = 20
/** The same with a rate, so that requests are spread evenly. */
const PACED_TICK_MILLISECONDS = 2
/** Longest wait for datagrams: signals and timers must wait for it, too. */
const POLL_MILLISECONDS = 1
/** However busy the sockets are, the event loop has its turn after this time. */
const SLICE_MILLISECONDS = 5
/** A load that spins has at most one turn in this time, so that it reads several answers with one call. */
const SPIN_MILLISECONDS = 0.1
/** After this time without any answer the run ends. */
const SILENCE_MILLISECONDS = 10_000

export type Mix = 'announce' | 'mixed'
/** Requests of `mixed` for each scrape; HTTP has no connect. */
const MIXED = { connect: 50, announce: 50 } as const

export interface LoadOptions {
  readonly population: Population
  readonly mix: Mix
  readonly seed: number
  readonly durationMilliseconds: number
  /** A request without an answer for this long is lost. */
  readonly timeoutMilliseconds: number
  /** Requests per second; undefined: the next one as soon as an answer makes room for it. */
  readonly rate: number | undefined
  /** Never sleeps, so that no tracker pays for waking it. Takes a whole core. */
  readonly spins?: boolean
}

/** What the clients of both transports need to know. */
export interface WireOptions {
  readonly address: Address
  readonly port: number
  /** Path and query of a peer's announce URL, empty if it has none; may hold an auth key. All have one length. */
  readonly pathOf: (peer: number) => string
  readonly population: Population
  /** Peers asked for in each announce. */
  readonly want: number
  readonly seed: number
  /** Sockets or connections. */
  readonly clients: number
}

/** A socket or a connection. It counts its requests and their answers in the tally of the load. */
export interface Client {
  readonly inFlight: number
  /** How many requests it could send now. */
  room(now: number): number
  /** Sends `count` requests, for which there is room. */
  send(count: number, now: number): void
  /** Counts the requests sent until `latest` as lost. */
  giveUp(latest: number): void
}

/** All clients. Times are those of `performance.now()`. */
export interface Wire {
  /** The load that drives it, set by that. */
  load: Load
  readonly clients: readonly Client[]
  /** Takes what has arrived, or waits for it; false: nothing came. Absent: the event loop brings it. */
  readonly read?: ((waitMilliseconds: number) => boolean) | undefined
  close(): void
}

export type Ended = 'duration' | 'interrupted' | 'silence'

export class Load {
  readonly options: LoadOptions
  readonly tally = new Tally()
  readonly #random: Random
  readonly #began = performance.now()
  readonly #pace: Pace
  #stoppedAt: number | undefined
  #ended: Ended = 'duration'
  #answersInTime = 0
  #replies = 0
  #repliedAt = this.#began
  #checkedAt = this.#began
  #idleMilliseconds = 0
  #turnedAt = this.#began
  #longestPause = 0
  /** Since when requests are in flight and no answer came, and the longest time that this lasted. */
  #silentSince = this.#began
  #longestSilence = 0
  /** The client that sends first. It changes every turn, because a rate may not allow requests for each. */
  #first = 0

  constructor(options: LoadOptions) {
    this.options = options
    this.#random = new Random(options.seed)
    this.#pace = new Pace(options.rate, this.#began, this.#began + options.durationMilliseconds)
  }

  /** Runs the load. Afterwards nothing is in flight. */
  async drive(wire: Wire): Promise<void> {
    wire.load = this
    const { rate, spins } = this.options
    const tick = rate === undefined ? TICK_MILLISECONDS : PACED_TICK_MILLISECONDS
    let came = false
    while (this.isSending || wire.clients.some(({ inFlight }) => inFlight > 0)) {
      const end = performance.now() + SLICE_MILLISECONDS
      do {
        const now = performance.now()
        came = wire.read?.(came || spins ? 0 : POLL_MILLISECONDS) ?? false
        this.#turn(wire.clients, performance.now())
        if (spins) this.#spin(now + SPIN_MILLISECONDS)
      } while (wire.read && (came || spins) && performance.now() < end)
      if (wire.read || spins) await new Promise((resolve) => setImmediate(resolve))
      else await Bun.sleep(tick)
    }
  }

  #turn(clients: readonly Client[], now: number): void {
    const { durationMilliseconds, timeoutMilliseconds } = this.options
    if (now - this.#began >= durationMilliseconds) this.stop('duration')
    this.#listen(clients, now)
    if (now - this.#checkedAt >= TICK_MILLISECONDS) {
      this.#checkedAt = now
      if (now - this.#repliedAt > SILENCE_MILLISECONDS + timeoutMilliseconds) this.stop('silence')
      for (const client of clients) client.giveUp(now - timeoutMilliseconds)
    }
    this.#first = (this.#first + 1) % clients.length
    for (let i = 0; i < clients.length && this.isSending; i++)
      this.offer(clients[(this.#first + i) % clients.length]!, now)
  }

  /** A silence ends with the last look in vain, so that a pause of this process never makes one longer. */
  #listen(clients: readonly Client[], now: number): void {
    const { replies } = this.tally
    const came = replies !== this.#replies
    this.#replies = replies
    if (came) this.#repliedAt = now
    if (!this.isSending) return
    this.#longestPause = Math.max(this.#longestPause, now - this.#turnedAt)
    this.#turnedAt = now
    if (came || clients.every(({ inFlight }) => inFlight === 0)) this.#silentSince = now
    else this.#longestSilence = Math.max(this.#longestSilence, now - this.#silentSince)
  }

  #spin(until: number): void {
    const began = performance.now()
    let now = began
    while (now < until) now = performance.now()
    if (this.isSending) this.#idleMilliseconds += now - began
  }

  /** Lets the client send what it has room for and the rate allows. */
  offer(client: Client, now: number): void {
    if (!this.isSending) return
    const count = Math.min(client.room(now), this.#pace.allowed(now))
    if (count <= 0) return
    this.#pace.spend(count)
    client.send(count, now)
  }

  /** The kind of the next request, as an action of BEP 15. `connects`: the transport has connects. */
  draw(connects: boolean): number {
    if (this.options.mix === 'announce') return ACTION.announce
    const draw = this.#random.word() % (1 + MIXED.announce + (connects ? MIXED.connect : 0))
    if (draw === 0) return ACTION.scrape
    return draw <= MIXED.announce ? ACTION.announce : ACTION.connect
  }

  /** The peer that asks. Scrapes do not change whose turn it is to announce. */
  peerFor(kind: number): number {
    const { population } = this.options
    if (kind === ACTION.announce) return population.nextPeer()
    return this.#random.word() % population.peers
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

  /** The longest time in which requests were in flight and no answer came, as far as this process looked. */
  get longestSilence(): number {
    return this.#longestSilence
  }

  /** The longest time in which this process did not look for answers. */
  get longestPause(): number {
    return this.#longestPause
  }

  get ended(): Ended {
    return this.#ended
  }

  /** Time in which a load that spins had nothing to do. */
  get idleMilliseconds(): number {
    return this.#idleMilliseconds
  }
}

/** What was not sent for longer than this is not made up for: a pause must not lead to a burst. */
const MEMORY_MILLISECONDS = 100

/** Spreads requests evenly over time. */
export class Pace {
  readonly #perMillisecond: number
  readonly #most: number
  readonly #end: number
  #budget = 0
  #since: number

  /** `rate`: requests per second, never exceeded between `begin` and `end` (milliseconds); undefined: no limit. */
  constructor(rate: number | undefined, begin: number, end: number) {
    this.#perMillisecond = (rate ?? Number.POSITIVE_INFINITY) / 1000
    this.#most = Math.max(1, this.#perMillisecond * MEMORY_MILLISECONDS)
    this.#since = begin
    this.#end = end
  }

  /** Whole requests that may be sent now. What is sent must be reported with `spend`. */
  allowed(now: number): number {
    if (this.#most === Number.POSITIVE_INFINITY) return this.#most
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
