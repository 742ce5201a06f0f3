/**
 * Logs the calls to the management API that were refused or failed: one line each, with the request id that
 * the client received. Anyone can make as many as they like, so a minute has a limited number of lines and
 * the rest are counted. Never logs a path or a query: they may contain keys and tokens.
 */
import type { Log } from '../log/log.ts'
import type { Clock } from '../time/clock.ts'
import type { Answer } from './answers.ts'

/** Lines per minute, for each level. */
export const LINES_PER_MINUTE = 60
const MINUTE_MILLISECONDS = 60_000

type FailedCall = {
  /** Method and route: `GET /api/v1/torrent/:info_hash`; without a route the method alone. */
  readonly call: string
  readonly answer: Answer
  readonly id: string
  readonly milliseconds: number
}

export class FailedCalls {
  readonly #log: Log
  readonly #clock: Clock
  readonly #minutes = { error: new Minute(), debug: new Minute() }

  constructor(log: Log, clock: Clock) {
    this.#log = log
    this.#clock = clock
  }

  log({ call, answer, id, milliseconds }: FailedCall): void {
    const { status, body } = answer
    const level = status >= 500 ? 'error' : 'debug'
    if (!this.#log.prints(level)) return
    const suppressed = this.#minutes[level].next(this.#clock.milliseconds())
    if (suppressed === undefined) return
    this.#log[level]('API', 'response', {
      call,
      latency_ms: Math.round(milliseconds),
      status_code: status,
      request_id: id,
      // A refusal repeats what the client sent, and that may be a key with a typing error.
      ...(status >= 500 && typeof body === 'string' && { body }),
      ...(suppressed > 0 && { suppressed }),
    })
  }
}

/** The lines of one minute. */
class Minute {
  #began = Number.NEGATIVE_INFINITY
  #lines = 0
  #suppressed = 0

  /** How many lines were suppressed before this one; undefined: suppress this one, too. */
  next(now: number): number | undefined {
    // A clock that was set back also begins a new minute.
    if (Math.abs(now - this.#began) >= MINUTE_MILLISECONDS) {
      this.#began = now
      this.#lines = 0
    }
    if (this.#lines === LINES_PER_MINUTE) {
      this.#suppressed++
      return undefined
    }
    this.#lines++
    const suppressed = this.#suppressed
    this.#suppressed = 0
    return suppressed
  }
}
