/**
 * How many torrents get their first row in the database: strangers make up info hashes without end and
 * complete each, so only so many a second do. Completions of those beyond are dropped, counted, and
 * said in the log once when it begins and once when it is over.
 */
import type { Log } from '../log.ts'

/**
 * What was not used is saved for so long: a tracker that is new to its torrents, or was away from its
 * database, has many first completions at once.
 */
export const BURST_SECONDS = 1_000
/** Without a drop for so long, it is over. */
const QUIET_MILLISECONDS = 60_000

const TARGET = 'DATABASE'

export type NewRowsOptions = {
  /** 0 = no limit. */
  readonly perSecond: number
  readonly log: Log
  /** Of any origin, never going back. */
  readonly milliseconds?: () => number
}

export class NewRows {
  readonly #perSecond: number
  readonly #log: Log
  readonly #milliseconds: () => number
  /** Rows that may be written now, and when that was so. */
  #room: number
  #since: number
  /** Completions dropped before this episode; undefined = nothing is dropped. */
  #episode: { readonly before: number; last: number } | undefined
  /** Completions dropped since the start. */
  dropped = 0

  constructor({ perSecond, log, milliseconds = () => performance.now() }: NewRowsOptions) {
    this.#perSecond = perSecond
    this.#log = log
    this.#milliseconds = milliseconds
    this.#room = perSecond * BURST_SECONDS
    this.#since = milliseconds()
  }

  get isLimited(): boolean {
    return this.#perSecond > 0
  }

  /** Takes the row of one more torrent. false = its `completions` are dropped. */
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
    this.#drop(completions, now)
    return false
  }

  #drop(completions: number, now: number): void {
    if (this.#episode === undefined) {
      this.#episode = { before: this.dropped, last: now }
      this.#log.warn(
        TARGET,
        `more than ${this.#perSecond} torrents a second were completed for the first time: those beyond ` +
          'are not stored until it is fewer again (abuse.max_new_rows_per_second)',
      )
    }
    this.#episode.last = now
    this.dropped += completions
  }

  /** Says that it is over, if it is, or when the tracker stops. Ask now and then. */
  look(isStopping = false): void {
    if (this.#episode === undefined) return
    if (!isStopping && this.#milliseconds() - this.#episode.last < QUIET_MILLISECONDS) return
    const dropped = this.dropped - this.#episode.before
    this.#episode = undefined
    this.#log.warn(TARGET, `${dropped} completed download(s) of new torrents were not stored`)
  }
}
