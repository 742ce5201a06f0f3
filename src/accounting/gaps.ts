/**
 * Sessions that are new in memory may be stored. Each is looked up once, and goes on by the rules meanwhile; what the
 * answer adds is the gap between what is stored and its first announce.
 */
import { INFO_HASH_BYTES } from '../bittorrent.ts'
import {
  FOUND_SESSION,
  FOUND_TORRENT,
  type LookupAnswer,
  type LookupQuestion,
  MOST_LOOKUPS,
  OWED,
} from './batch.ts'
import type { Holdings } from './holdings.ts'
import { Credit, judge, Report, Session, STAND, share, Terms, UNKNOWN } from './rules.ts'
import { FLAG } from './sessions.ts'
import { type BookSettings, fillTerms, fillUnpriced } from './terms.ts'

export class Gaps {
  settings: BookSettings
  readonly #holdings: Holdings
  readonly #stored = new Session()
  readonly #session = new Session()
  readonly #first = new Report()
  readonly #terms = new Terms()
  readonly #credit = new Credit()
  #question: LookupQuestion | undefined
  /** Torrents of the question, and how many look-ups it has. */
  #torrents: number[] = []
  #asked = 0

  constructor(holdings: Holdings, settings: BookSettings) {
    this.#holdings = holdings
    this.settings = settings
    // Leechers before a start of the tracker are not known.
    this.#first.leechers = 1
  }

  question(): LookupQuestion | undefined {
    const { lookups, sessions, records, torrents, hasAccounts } = this.#holdings
    if (this.#question !== undefined || lookups.size === 0) return this.#question
    const count = Math.min(lookups.size, MOST_LOOKUPS)
    const places = new Map<number, number>()
    const account = new Float64Array(hasAccounts ? count : 0)
    const torrent = new Int32Array(account.length)
    const peer = new Int32Array(account.length * 2)
    for (let i = 0, lookup = lookups.first; i < count; i++, lookup = lookups.next(lookup)) {
      const subject = lookups.subject(lookup)
      const one = hasAccounts ? records.torrent(sessions.record(subject)) : subject
      const place = places.get(one) ?? places.size
      places.set(one, place)
      if (!hasAccounts) continue
      const at = sessions.fingerprintAt(subject)
      account[i] = records.account(sessions.record(subject))
      torrent[i] = place
      peer[i * 2] = sessions.cells[at]!
      peer[i * 2 + 1] = sessions.cells[at + 1]!
    }
    this.#torrents = [...places.keys()]
    this.#asked = count
    const hashes = new Uint8Array(this.#torrents.length * INFO_HASH_BYTES)
    this.#torrents.forEach((one, i) => {
      torrents.copyInfoHash(one, hashes, i)
    })
    this.#question = { hashes, account, torrent, peer }
    return this.#question
  }

  answer(answer: LookupAnswer): void {
    if (this.#question === undefined) return
    const { lookups, torrents, hasAccounts } = this.#holdings
    this.#torrents.forEach((torrent, i) => {
      this.#settle(torrent, answer.torrents, i * FOUND_TORRENT.words)
    })
    for (let i = 0; i < this.#asked; i++) {
      const lookup = lookups.first
      const subject = lookups.subject(lookup)
      lookups.recall(lookup, this.#first)
      lookups.shift()
      if (hasAccounts) this.#close(subject, answer.sessions, i * FOUND_SESSION.words)
      else torrents.release(subject)
    }
    this.#question = undefined
  }

  #settle(torrent: number, found: Float64Array, at: number): void {
    const { torrents } = this.#holdings
    const isKnown = found[at + FOUND_TORRENT.known] !== 0
    if (isKnown) torrents.store(torrent)
    // What an operator decided meanwhile is newer.
    if (torrents.isSettled(torrent)) return
    torrents.settle(torrent, {
      upPercent: isKnown ? found[at + FOUND_TORRENT.upPercent]! : 100,
      downPercent: isKnown ? found[at + FOUND_TORRENT.downPercent]! : 100,
      freeUntil: isKnown ? found[at + FOUND_TORRENT.freeUntil]! : 0,
    })
  }

  #close(session: number, found: Float64Array, at: number): void {
    const holdings = this.#holdings
    const { sessions, records, erased } = holdings
    const record = sessions.record(session)
    sessions.clear(session, FLAG.asked)
    if (!records.isSettled(record)) records.settle(record, found[at + FOUND_SESSION.tokenUntil]!)
    const isKnown = found[at + FOUND_SESSION.known] !== 0
    const isNothing = !isKnown && sessions.has(session, FLAG.phantom)
    if (isNothing || erased.has(records.account(record))) {
      holdings.free(session)
      return
    }
    if (isKnown) this.#fill(session, found, at)
    this.#price(session)
    sessions.clear(session, FLAG.phantom | FLAG.saidCompleted)
    if (isKnown) sessions.set(session, FLAG.stored)
    holdings.mark(session, this.#first.at, true)
  }

  /** Credits what lies between the stored session and its first announce here. */
  #fill(row: number, found: Float64Array, at: number): void {
    const holdings = this.#holdings
    const { sessions, records } = holdings
    const [stored, session, credit, terms] = [
      this.#stored,
      this.#session,
      this.#credit,
      this.#terms,
    ]
    const first = this.#first
    const record = sessions.record(row)
    const isSeeder = found[at + FOUND_SESSION.seeder] !== 0
    stored.up = found[at + FOUND_SESSION.uploaded]!
    stored.down = found[at + FOUND_SESSION.downloaded]!
    stored.endpoint = UNKNOWN
    stored.seen = found[at + FOUND_SESSION.seen]!
    stored.stand = isSeeder ? STAND.seeder : STAND.leecher
    stored.hasLeeched = !isSeeder
    stored.hasCompleted = false
    stored.falls = 0
    stored.counted = found[at + FOUND_SESSION.counted]!
    // Others of the record may have counted any of the time until now.
    if (records.isShared(record)) stored.counted = Math.max(stored.counted, records.counted(record))
    fillUnpriced(terms, this.settings)
    terms.longestGap += this.settings.idleSeconds
    judge(stored, first, terms, credit)
    if (credit.seedSeconds + credit.leechSeconds > 0)
      records.countTo(record, Math.max(first.at, records.counted(record)))
    sessions.load(row, session)
    if (!isSeeder) session.hasLeeched = true
    if (!isSeeder && sessions.has(row, FLAG.saidCompleted) && !session.hasCompleted) {
      session.hasCompleted = true
      sessions.set(row, FLAG.owesCompletion)
    }
    this.#correct(row, credit.isIgnored)
    if (credit.hasRestarted) sessions.set(row, FLAG.restarted)
    sessions.save(row, session)
    holdings.owe(row, credit)
    if (credit.isTooFast) holdings.flag('speed', row, first.at, credit.up, credit.elapsed)
  }

  /**
   * The rules may have left a baseline above the first announce, and ignored that: then what was credited since, measured
   * from the first announce, is too much.
   */
  #correct(row: number, isIgnored: boolean): void {
    const { sessions } = this.#holdings
    const stored = this.#stored
    const session = this.#session
    const first = this.#first
    // It began anew since: nothing but what it owes can be wrong.
    const hasRestarted = sessions.has(row, FLAG.restarted)
    if (isIgnored && !hasRestarted) session.endpoint = UNKNOWN
    if (isIgnored && !hasRestarted && session.up < stored.up) {
      // All announces since would have been ignored, too.
      this.#limit(row, OWED.uploaded, 0)
      this.#limit(row, OWED.downloaded, 0)
      session.up = stored.up
      session.down = stored.down
      return
    }
    if (stored.up > first.up) {
      this.#limit(row, OWED.uploaded, hasRestarted ? 0 : session.up - stored.up)
      if (!hasRestarted) session.up = Math.max(session.up, stored.up)
    }
    if (stored.down > first.down) {
      this.#limit(row, OWED.downloaded, hasRestarted ? 0 : session.down - stored.down)
      if (!hasRestarted) session.down = Math.max(session.down, stored.down)
    }
  }

  /** Lets a session owe no more than `most` bytes, up or down. */
  #limit(row: number, place: typeof OWED.uploaded | typeof OWED.downloaded, most: number): void {
    const { sessions } = this.#holdings
    const credited = place + OWED.creditedUploaded
    const bytes = Math.max(0, most)
    this.#holdings.forgive(row, place, bytes)
    sessions.setOwed(row, credited, Math.min(sessions.owed(row, credited), bytes))
  }

  /** What it owes was counted before its percentages were known. */
  #price(row: number): void {
    const { sessions } = this.#holdings
    const terms = this.#terms
    fillTerms(terms, this.settings, this.#holdings, sessions.record(row), sessions.seen(row))
    for (const [place, percent] of [
      [OWED.creditedUploaded, terms.upPercent],
      [OWED.creditedDownloaded, terms.downPercent],
    ] as const)
      sessions.setOwed(row, place, share(sessions.owed(row, place), percent))
  }
}
