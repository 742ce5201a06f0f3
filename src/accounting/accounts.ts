/**
 * What every thread may know of an account, and what the control thread counts of it: one line of 16 words, found by
 * the number of the account. Only the control thread writes. Plain loads of aligned words: a reader never sees half a
 * value, but for an instant it may see a new one beside an old one.
 */
import { reserve } from '../memory/reserve.ts'
import type { AccountSettings } from './batch.ts'

/** Accounts that have a line; those beyond are served without limits. Untouched lines cost nothing. */
const CAPACITY = 2 ** 22

/** Words of a line. */
const LINE = {
  flags: 0,
  /** One more than the account's own limit; 0: it has none of its own. */
  maxDownloads: 1,
  maxPeers: 2,
  upPercent: 3,
  downPercent: 4,
  /** Unix second, unsigned; 0: none. */
  freeUntil: 5,
  leeching: 6,
  seeding: 7,
  /** Sessions that it has begun beyond what time has made up for, and the second up to which that is reckoned. */
  begun: 8,
  begunAt: 9,
  words: 16,
} as const
const FLAG = { known: 1, noDownload: 2 } as const
/** Words of the first line, which belongs to no account. */
const HEADER = {
  capacity: 0,
  /** Limits of accounts that have none of their own; 0: none. */
  maxDownloads: 1,
  maxPeers: 2,
  /** Accounts that may be over a limit of their own. */
  restricted: 3,
} as const

/**
 * Sessions that an account may begin at once, more than any client has torrents; and one more each second. Who has a key
 * can make up peer ids without end, and each would be kept for weeks.
 */
export const MOST_BEGUN = 200_000

const MOST_LIMIT = 2 ** 31 - 2
const MOST_SECOND = 2 ** 32 - 1

/** Limits of accounts that have none of their own; 0: none. */
export type AccountDefaults = { readonly maxDownloads: number; readonly maxPeers: number }

export class Accounts {
  readonly #cells: Int32Array
  readonly #capacity: number

  constructor(memory: SharedArrayBuffer) {
    this.#cells = new Int32Array(memory)
    this.#capacity = this.#cells[HEADER.capacity]!
  }

  /** Lines of accounts 1 to `capacity`. */
  static create(capacity: number = CAPACITY): SharedArrayBuffer {
    const memory = reserve((capacity + 1) * LINE.words * 4)
    new Int32Array(memory)[HEADER.capacity] = capacity
    return memory
  }

  setDefaults({ maxDownloads, maxPeers }: AccountDefaults): void {
    this.#cells[HEADER.maxDownloads] = Math.min(maxDownloads, MOST_LIMIT)
    this.#cells[HEADER.maxPeers] = Math.min(maxPeers, MOST_LIMIT)
  }

  /** false: there is no line for that number. */
  set(id: number, settings: AccountSettings): boolean {
    const at = this.#line(id)
    if (at === 0) return false
    const cells = this.#cells
    const { canDownload, freeUntil } = settings
    const before = this.#isRestricted(at)
    cells[at + LINE.maxDownloads] = ownLimit(settings.maxDownloads)
    cells[at + LINE.maxPeers] = ownLimit(settings.maxPeers)
    cells[at + LINE.upPercent] = settings.upPercent
    cells[at + LINE.downPercent] = settings.downPercent
    cells[at + LINE.freeUntil] = Math.min(freeUntil ?? 0, MOST_SECOND)
    cells[at + LINE.flags] = FLAG.known | (canDownload ? 0 : FLAG.noDownload)
    cells[HEADER.restricted]! += this.#isRestricted(at) - before
    return true
  }

  /** An account that does not exist any more. */
  forget(id: number): void {
    const at = this.#line(id)
    if (at === 0) return
    this.#cells[HEADER.restricted]! -= this.#isRestricted(at)
    this.#cells.fill(0, at, at + LINE.words)
  }

  /** Whether it was set. */
  knows(id: number): boolean {
    return (this.#flags(id) & FLAG.known) !== 0
  }

  /** Whether any account may be over a limit at all. */
  get restricts(): boolean {
    const cells = this.#cells
    return (
      cells[HEADER.restricted] !== 0 ||
      cells[HEADER.maxDownloads] !== 0 ||
      cells[HEADER.maxPeers] !== 0
    )
  }

  canDownload(id: number): boolean {
    return (this.#flags(id) & FLAG.noDownload) === 0
  }

  /** Torrents that it may leech at once; 0: any number. */
  maxDownloads(id: number): number {
    return this.#limit(id, LINE.maxDownloads, HEADER.maxDownloads)
  }

  /** Clients that it may have on one torrent; 0: any number. */
  maxPeers(id: number): number {
    return this.#limit(id, LINE.maxPeers, HEADER.maxPeers)
  }

  /** Whether its torrents and clients have to be counted. */
  isLimited(id: number): boolean {
    return this.maxDownloads(id) > 0 || this.maxPeers(id) > 0
  }

  /** Percentage of its own that is credited. */
  upPercent(id: number): number {
    return this.knows(id) ? this.#cells[this.#line(id) + LINE.upPercent]! : 100
  }
  downPercent(id: number): number {
    return this.knows(id) ? this.#cells[this.#line(id) + LINE.downPercent]! : 100
  }

  /** Unix second until which none of its downloads is credited; 0: they are. */
  freeUntil(id: number): number {
    const at = this.#line(id)
    return at === 0 ? 0 : this.#cells[at + LINE.freeUntil]! >>> 0
  }

  /** Torrents that it leeches now. */
  leeching(id: number): number {
    const at = this.#line(id)
    return at === 0 ? 0 : this.#cells[at + LINE.leeching]!
  }
  seeding(id: number): number {
    const at = this.#line(id)
    return at === 0 ? 0 : this.#cells[at + LINE.seeding]!
  }
  addLeeching(id: number, by: number): void {
    const at = this.#line(id)
    if (at !== 0) this.#cells[at + LINE.leeching]! += by
  }
  addSeeding(id: number, by: number): void {
    const at = this.#line(id)
    if (at !== 0) this.#cells[at + LINE.seeding]! += by
  }

  /** Claims one more session for it at `second`; false: it has begun too many. */
  mayBegin(id: number, second: number): boolean {
    const cells = this.#cells
    const at = this.#line(id)
    if (at === 0) return true
    const gone = Math.max(0, second - (cells[at + LINE.begunAt]! >>> 0))
    const begun = Math.max(0, cells[at + LINE.begun]! - gone)
    if (begun >= MOST_BEGUN) return false
    cells[at + LINE.begun] = begun + 1
    cells[at + LINE.begunAt] = second
    return true
  }

  /** Index of its line; 0: it has none. */
  #line(id: number): number {
    return id >= 1 && id <= this.#capacity ? id * LINE.words : 0
  }

  #flags(id: number): number {
    const at = this.#line(id)
    return at === 0 ? 0 : this.#cells[at + LINE.flags]!
  }

  #limit(id: number, own: number, usual: number): number {
    const at = this.#line(id)
    if (at === 0) return 0
    const limit = this.#cells[at + own]!
    return limit === 0 ? this.#cells[usual]! : limit - 1
  }

  /** 1 or 0. */
  #isRestricted(at: number): number {
    const cells = this.#cells
    const isOver =
      (cells[at + LINE.flags]! & FLAG.noDownload) !== 0 ||
      cells[at + LINE.maxDownloads]! > 1 ||
      cells[at + LINE.maxPeers]! > 1
    return Number(isOver)
  }
}

const ownLimit = (limit: number | null): number =>
  limit === null ? 0 : Math.min(limit, MOST_LIMIT) + 1
