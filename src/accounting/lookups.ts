/**
 * What is to be looked up in the database, the oldest first: sessions, with what their first announce said; or
 * torrents, where no sessions are stored. However long it takes, each waits once.
 */
import { NONE, type Place, Rows } from './rows.ts'
import type { Report } from './rules.ts'

const ROW = {
  /** Two words each. */
  up: 0,
  down: 1,
  next: 4,
  /** Session or torrent. */
  what: 5,
  second: 6,
  /** Event, and whether it had bytes left. */
  report: 7,
} as const
export const LOOKUP_WORDS = 8
const NUMBERS = LOOKUP_WORDS / 2
const HAD_LEFT = 4

export class Lookups {
  readonly #rows: Rows
  #first = NONE
  #last = NONE

  constructor(place: Place) {
    this.#rows = new Rows(place, LOOKUP_WORDS, ROW.next)
  }

  get size(): number {
    return this.#rows.size
  }
  /** The one that waits longest; `NONE`: none does. */
  get first(): number {
    return this.#first
  }
  next(lookup: number): number {
    return this.#rows.cells[lookup * LOOKUP_WORDS + ROW.next]!
  }
  /** The session or torrent that it is about. */
  subject(lookup: number): number {
    return this.#rows.cells[lookup * LOOKUP_WORDS + ROW.what]!
  }
  second(lookup: number): number {
    return this.#rows.cells[lookup * LOOKUP_WORDS + ROW.second]! >>> 0
  }

  /** false: there is no memory for it. */
  add(subject: number): boolean {
    const row = this.#rows.take()
    if (row === NONE) return false
    const { cells } = this.#rows
    cells[row * LOOKUP_WORDS + ROW.what] = subject
    if (this.#last === NONE) this.#first = row
    else cells[this.#last * LOOKUP_WORDS + ROW.next] = row
    this.#last = row
    return true
  }

  /** Notes in the one that was added last what the first announce said. */
  note({ up, down, left, event, at }: Report): void {
    const { cells, numbers } = this.#rows
    const last = this.#last
    numbers[last * NUMBERS + ROW.up] = up
    numbers[last * NUMBERS + ROW.down] = down
    cells[last * LOOKUP_WORDS + ROW.second] = at
    cells[last * LOOKUP_WORDS + ROW.report] = event | (left > 0 ? HAD_LEFT : 0)
  }

  /** Fills `report` with what is known of the first announce. */
  recall(lookup: number, report: Report): void {
    const { cells, numbers } = this.#rows
    const said = cells[lookup * LOOKUP_WORDS + ROW.report]!
    report.up = numbers[lookup * NUMBERS + ROW.up]!
    report.down = numbers[lookup * NUMBERS + ROW.down]!
    report.at = this.second(lookup)
    report.event = (said & 3) as Report['event']
    report.left = (said & HAD_LEFT) === 0 ? 0 : 1
    report.isLimited = false
  }

  /** Removes the first. */
  shift(): void {
    const first = this.#first
    this.#first = this.next(first)
    if (this.#first === NONE) this.#last = NONE
    this.#rows.giveBack(first)
  }
}
