/** What came of the requests of a load test, by kind. Counts only. */

import { Histogram } from '../memory/histogram.ts'
import { oneLine } from '../text/printable.ts'

/** In the order of the actions of BEP 15. */
export const KINDS = ['connect', 'announce', 'scrape'] as const

export class KindTally {
  /** Given to the kernel; each becomes one of the four below. */
  requests = 0
  answers = 0
  /** Well-formed refusals, or an HTTP status other than 200. */
  errors = 0
  /** Answers that are none of a tracker. */
  malformed = 0
  /** No answer within the time limit, or the connection was closed before it. */
  lost = 0
  /** Of everything that was answered in whatever way. */
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
const MOST_TEXTS = 5

export class Tally {
  /** By place in `KINDS`. */
  readonly kinds: readonly KindTally[] = KINDS.map(() => new KindTally())
  /** In all announce answers. */
  peersTold = 0
  bytesSent = 0
  bytesReceived = 0
  /** Datagrams that answer no request in flight: late, repeated, with a wrong transaction id. */
  strays = 0
  /** Datagrams the kernel did not take. */
  unsent = 0
  /** What the kernel said of our sockets, such as that nothing listens there; or failed connections. */
  socketErrors = 0
  /** Sockets replaced because they were flooded. */
  floods = 0
  /** Connections opened because the tracker closed the one before. */
  reconnects = 0
  readonly #texts = new Map<string, number>()
  #otherTexts = 0

  /** Counts the text of an error; what a stranger says is made printable. */
  say(text: string): void {
    const line = oneLine(text)
    const count = this.#texts.get(line)
    if (count !== undefined || this.#texts.size < MOST_TEXTS)
      this.#texts.set(line, (count ?? 0) + 1)
    else this.#otherTexts++
  }

  /** The most frequent first. */
  get texts(): readonly { readonly text: string; readonly count: number }[] {
    return Array.from(this.#texts, ([text, count]) => ({ text, count })).sort(
      (one, other) => other.count - one.count,
    )
  }

  /** Errors whose text came when there were enough different ones. */
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

  /** Answers of any sort. */
  get heard(): number {
    return this.kinds.reduce((sum, kind) => sum + kind.answers + kind.errors + kind.malformed, 0)
  }
}
