/**
 * Logs the calls to the management API that were refused or failed: one line each, with the request id that
 * the client received. Anyone can make as many as they like, so a minute has a limited number of lines and
 * the rest are counted. Never logs a path or a query: they may contain keys and tokens.
 */
import { LimitedLines } from '../log/limited-lines.ts'
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
  readonly #failed: LimitedLines
  readonly #refused: LimitedLines

  constructor(log: Log, { milliseconds: now }: Clock) {
    const limit = { target: 'API', lines: LINES_PER_MINUTE, milliseconds: MINUTE_MILLISECONDS, now }
    this.#failed = new LimitedLines(log, { level: 'error', ...limit })
    this.#refused = new LimitedLines(log, { level: 'debug', ...limit })
  }

  log({ call, answer, id, milliseconds }: FailedCall): void {
    const { status, body } = answer
    const lines = status >= 500 ? this.#failed : this.#refused
    lines.say('response', () => ({
      call,
      latency_ms: Math.round(milliseconds),
      status_code: status,
      request_id: id,
      // A refusal repeats what the client sent, and that may be a key with a typing error.
      ...(status >= 500 && typeof body === 'string' && { body }),
    }))
  }
}
