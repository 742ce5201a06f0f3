/**
 * Says in the log which calls to the management API were refused or failed, one line each with the request
 * id that the client was told. Strangers can make as many as they like, so only some lines a minute are
 * written and the rest are counted. Never says a path or a query: they may hold keys and tokens.
 */

import type { Log } from '../log.ts'
import type { Clock } from '../time/clock.ts'
import type { Answer } from './answers.ts'

/** Lines that one minute may have, of each level. */
export const LINES_PER_MINUTE = 60
const MINUTE_MILLISECONDS = 60_000

export type FailedCall = {
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

  /** An answer below 400 is none of them. */
  tell({ call, answer, id, milliseconds }: FailedCall): void {
    const { status, body } = answer
    if (status < 400) return
    const level = status >= 500 ? 'error' : 'debug'
    if (!this.#log.prints(level)) return
    const unsaid = this.#minutes[level].next(this.#clock.milliseconds())
    if (unsaid === undefined) return
    this.#log[level]('API', 'response', {
      call,
      latency_ms: Math.round(milliseconds),
      status_code: status,
      request_id: id,
      // A refusal repeats what the client sent, and that may be a key with a slip in it.
      ...(status >= 500 && typeof body === 'string' && { body }),
      ...(unsaid > 0 && { unsaid }),
    })
  }
}

/** The lines of one minute. */
class Minute {
  #began = Number.NEGATIVE_INFINITY
  #lines = 0
  #unsaid = 0

  /** How many lines were left out before the next one; undefined: it is left out, too. */
  next(now: number): number | undefined {
    // A clock that was set back begins a minute as well.
    if (Math.abs(now - this.#began) >= MINUTE_MILLISECONDS) {
      this.#began = now
      this.#lines = 0
    }
    if (this.#lines === LINES_PER_MINUTE) {
      this.#unsaid++
      return undefined
    }
    this.#lines++
    const unsaid = this.#unsaid
    this.#unsaid = 0
    return unsaid
  }
}
