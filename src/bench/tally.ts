/** Counts of a load test, by kind of request. */
import { Histogram } from '../memory/histogram.ts'
import { oneLine } from '../text/printable.ts'

/** Indices are the actions of BEP 15. */
export const KINDS = ['connect', 'announce', 'scrape'] as const

export class KindTally {
  /** Requests given to the kernel. When the run is over, this is the sum of the four below. */
  requests = 0
  answers = 0
  /** Well-formed refusals, or an HTTP status other than 200. */
  errors = 0
  /** Answers that a tracker would not give. */
  malformed = 0
  /** No answer within the time limit, or the connection was closed before it. */
  lost = 0
  /** Latencies of answers, errors and malformed answers. */
  readonly latency = new Histogram()

  add(other: KindTally): void {
    this.requests += other.requests
    this.answers += other.answers
    this.errors += other.errors
    this.malformed += other.malformed
    this.lost += other.lost
    this.latency.add(other.latency)
  }
}

/** Different texts of errors that are kept. */
const MAX_TEXTS = 5

export class Tally {
  /** By index in `KINDS`. */
  readonly kinds: readonly KindTally[] = KINDS.map(() => new KindTally())
  /** Peers in all announce answers. */
  peersTold = 0
  /** What a WebTorrent tracker relayed from peer to peer, and what the load answered to it. */
  offersReceived = 0
  answersSent = 0
  answersReceived = 0
  bytesSent = 0
  bytesReceived = 0
  /** Datagrams and messages that answer no request in flight: late, repeated, or with a wrong transaction id. */
  strays = 0
  /** Datagrams that the kernel did not take. */
  unsent = 0
  /** Errors of sockets, such as a port without a listener, and failed connections. */
  socketErrors = 0
  /** Sockets replaced because they were flooded. */
  floods = 0
  /** Connections opened because the tracker closed the previous one. */
  reconnects = 0
  readonly #texts = new Map<string, number>()
  #otherTexts = 0

  /** Counts requests of a kind, each of so many bytes. Negative: they were counted, but not sent. */
  sent(kind: number, requests: number, bytes: number): void {
    this.kinds[kind]!.requests += requests
    this.bytesSent += requests * bytes
  }

  /** Counts the text of an error, made printable. */
  countText(text: string): void {
    const line = oneLine(text)
    const count = this.#texts.get(line)
    if (count !== undefined || this.#texts.size < MAX_TEXTS) this.#texts.set(line, (count ?? 0) + 1)
    else this.#otherTexts++
  }

  /** The most frequent first. */
  get texts(): readonly { readonly text: string; readonly count: number }[] {
    return Array.from(this.#texts, ([text, count]) => ({ text, count })).sort(
      (one, other) => other.count - one.count,
    )
  }

  /** Errors with other texts than those kept. */
  get otherTexts(): number {
    return this.#otherTexts
  }

  total(): KindTally {
    const total = new KindTally()
    for (const kind of this.kinds) total.add(kind)
    return total
  }

  get answers(): number {
    return this.kinds.reduce((sum, { answers }) => sum + answers, 0)
  }

  /** Answers, errors and malformed ones. */
  get replies(): number {
    return this.kinds.reduce((sum, kind) => sum + kind.answers + kind.errors + kind.malformed, 0)
  }
}
