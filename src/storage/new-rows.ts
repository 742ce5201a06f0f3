/**
 * Limits how many torrents a second get their first row in the database, because strangers can make up
 * info hashes without end and complete each. Completions beyond the limit are dropped and counted, and the log
 * is told once when that begins and once when it is over.
 */
import type { Log } from '../log/log.ts'

/**
 * Unused rows are saved for so long: a tracker that is new to its torrents, or whose database was away, has many
 * first completions at once.
 */
export const BURST_SECONDS = 1_000
/** It is over after so long without a drop. */
const QUIET_MILLISECONDS = 60_000

/** What the log is told: when it begins, with `{limit}`, and when it is over, with `{count}` if that is of interest. */
export type NewRowsLines = {
  readonly target: string
  readonly begins: string
  readonly over: string
}
const COMPLETED: NewRowsLines = {
  target: 'DATABASE',
  begins:
    'more than {limit} torrents a second were completed for the first time: those beyond ' +
    'are not stored until it is fewer again (abuse.max_new_rows_per_second)',
  over: '{count} completed download(s) of new torrents were not stored',
}

type NewRowsOptions = {
  /** 0 = no limit. */
  readonly perSecond: number
  readonly log: Log
  /** A clock with any origin that never goes back. */
  readonly milliseconds?: () => number
  readonly lines?: NewRowsLines
}

export class NewRows {
  #perSecond: number
  readonly #log: Log
  readonly #milliseconds: () => number
  readonly #lines: NewRowsLines
  /** Rows that may be written, as of `#since`. */
  #room: number
  #since: number
  /** Completions that were dropped, and when the last was; undefined = nothing is dropped. */
  #episode: { dropped: number; last: number } | undefined

  constructor({
    perSecond,
    log,
    milliseconds = () => performance.now(),
    lines = COMPLETED,
  }: NewRowsOptions) {
    this.#perSecond = perSecond
    this.#log = log
    this.#milliseconds = milliseconds
    this.#lines = lines
    this.#room = perSecond * BURST_SECONDS
    this.#since = milliseconds()
  }

  get isLimited(): boolean {
    return this.#perSecond > 0
  }

  /** From now on; 0 = no limit. A tracker that is given another limit may begin with a burst. */
  limit(perSecond: number): void {
    if (perSecond === this.#perSecond) return
    this.#perSecond = perSecond
    this.#room = perSecond * BURST_SECONDS
  }

  /** Claims the row of one more torrent. false = its `completions` are dropped. */
  take(completions: number): boolean {
    if (!this.isLimited) return true
    const now = this.#milliseconds()
    const more = ((now - this.#since) / 1000) * this.#perSecond
    this.#room = Math.min(this.#room + more, this.#perSecond * BURST_SECONDS)
    this.#since = now
    if (this.#room >= 1) {
      this.#room--
      return true
    }
    if (this.#episode === undefined) {
      this.#episode = { dropped: 0, last: now }
      this.#log.warn(this.#lines.target, this.#lines.begins, { limit: this.#perSecond })
    }
    this.#episode.dropped += completions
    this.#episode.last = now
    return false
  }

  /** Tells the log if it is over, or if the tracker stops. Call it from time to time. */
  report(isStopping = false): void {
    if (this.#episode === undefined) return
    if (!isStopping && this.#milliseconds() - this.#episode.last < QUIET_MILLISECONDS) return
    const { dropped } = this.#episode
    this.#episode = undefined
    const { target, over } = this.#lines
    this.#log.warn(target, over, over.includes('{count}') ? { count: dropped } : {})
  }
}
