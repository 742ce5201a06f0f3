/**
 * The books of accounting: takes what serving threads noted, applies the rules, and says what is to be looked up and
 * written. It knows neither database nor clock. Only the control thread uses it.
 */
import { type AnnounceEvent, EVENT, LIMITED, type Limit, PEER_ID_BYTES } from '../bittorrent.ts'
import type { Seed } from '../memory/hash.ts'
import { Chaskey } from '../memory/mac.ts'
import type { Accounts } from './accounts.ts'
import type { FlagKind, LookupAnswer, LookupQuestion, TorrentSettings } from './batch.ts'
import { Clients, NAMELESS } from './clients.ts'
import { Freezer, type Frozen } from './freezer.ts'
import { Gaps } from './gaps.ts'
import { Holdings } from './holdings.ts'
import { AHEAD, ReadAhead } from './read-ahead.ts'
import { ENTRY, eventIn, isGoneIn, limitIn, type RingReader } from './ring.ts'
import { type Charge, NONE } from './rows.ts'
import { begin, Credit, counter, judge, Report, Session, STAND, Terms, UNKNOWN } from './rules.ts'
import { FLAG } from './sessions.ts'
import type { Slots } from './slots.ts'
import { type BookSettings, fillTerms, fillUnpriced } from './terms.ts'
import { secondOf } from './torrents.ts'

export type BooksParts = {
  readonly settings: BookSettings
  readonly accounts: Accounts
  readonly slots: Slots
  /** Key of the fingerprints of peer ids, 16 bytes. */
  readonly secret: Uint8Array
  readonly seed: Seed
  /** Asks for KiB of the tracker's memory. When it is refused, sessions that are not known are not begun. */
  readonly charge: Charge
  /** Most sessions. */
  readonly capacity?: number
}

export type BookFigures = {
  readonly sessions: number
  /** Sessions that owe the database something, with those that owe nothing but time, and those of the batch that is out. */
  readonly owedRecords: number
  /** Bytes up and down that they owe. */
  readonly owedBytes: number
  /** Second since which the oldest of it may be owed, but for what owes nothing but time; 0: nothing is. */
  readonly oldestOwed: number
  /** Announces by event, and those that a limit kept out. */
  readonly events: Readonly<Record<keyof typeof EVENT, number>>
  readonly limited: Readonly<Record<Limit, number>>
  readonly flags: Readonly<Record<FlagKind, number>>
  /** Bytes that were moved, whatever was credited of them. */
  readonly uploaded: number
  readonly downloaded: number
}

/** Only address space is reserved: what is not used costs nothing. */
const CAPACITY = 2 ** 23
/** Sessions of one step of what looks at all of them: well under a millisecond. */
const SLICE = 250
const HOUR = 3_600
/** Words of two blocks, in which a peer id and its padding stand. */
const BLOCKS = 2
const EVENTS = Object.keys(EVENT) as readonly (keyof typeof EVENT)[]

export class Books {
  readonly #holdings: Holdings
  readonly #clients = new Clients()
  readonly #gaps: Gaps
  readonly #freezer: Freezer
  readonly #chaskey: Chaskey
  readonly #peerId = new Int32Array(BLOCKS * 4)
  readonly #peerBytes = new Uint8Array(this.#peerId.buffer)
  readonly #session = new Session()
  readonly #report = new Report()
  readonly #terms = new Terms()
  readonly #credit = new Credit()
  readonly #events = new Float64Array(EVENTS.length)
  readonly #limited = new Float64Array(LIMITED.length)
  readonly #ahead: ReadAhead
  /** Sessions that ended in the entries that are read ahead, and owe nothing. */
  readonly #over = new Int32Array(AHEAD)
  #overCount = 0
  #settings: BookSettings

  /** Throws RangeError when the system gives no address space. */
  constructor({ settings, secret, capacity = CAPACITY, ...parts }: BooksParts) {
    const hasAccounts = settings.level === 'users'
    this.#holdings = new Holdings({ ...parts, hasAccounts, capacity })
    this.#settings = settings
    this.#ahead = new ReadAhead(this.#holdings)
    this.#gaps = new Gaps(this.#holdings, settings)
    this.#freezer = new Freezer(this.#holdings, this.#clients)
    this.#chaskey = new Chaskey(secret)
    // Padding: a byte of 1 behind the peer id.
    this.#peerBytes[PEER_ID_BYTES] = 1
  }

  /** From the next announce on. The level stays as it was. */
  follow(settings: BookSettings): void {
    this.#settings = this.#gaps.settings = settings
  }

  get figures(): BookFigures {
    const { sessions, lookups, urgent, idle, waiting, hasAccounts, ...rest } = this.#holdings
    const events = this.#events
    const limited = this.#limited
    const asked = hasAccounts && lookups.size > 0 ? lookups.second(lookups.first) : 0
    const owed = [urgent.oldest, waiting.oldest, asked, this.#freezer.since]
    const oldest = owed.filter((second) => second > 0)
    return {
      sessions: sessions.size,
      owedRecords:
        urgent.count +
        idle.count +
        waiting.count +
        this.#freezer.count +
        (hasAccounts ? lookups.size : 0),
      owedBytes: rest.owedBytes + this.#freezer.bytes,
      oldestOwed: oldest.length === 0 ? 0 : Math.min(...oldest),
      events: {
        none: events[EVENT.none]!,
        completed: events[EVENT.completed]!,
        started: events[EVENT.started]!,
        stopped: events[EVENT.stopped]!,
      },
      limited: { slots: limited[0]!, clients: limited[1]!, noDownload: limited[2]! },
      flags: { ...rest.flags.counts },
      uploaded: rest.uploaded,
      downloaded: rest.downloaded,
    }
  }

  /** Applies the entries of a ring that wait, `most` at most. The number of entries. */
  drain(reader: RingReader, most: number): number {
    const count = Math.min(reader.waiting, most)
    for (let from = 0; from < count; from += AHEAD) {
      const some = Math.min(AHEAD, count - from)
      this.#ahead.read(reader, from, some)
      for (let i = 0; i < some; i++) this.#apply(reader.cells, reader.at(from + i), i)
      if (this.#overCount > 0) this.#letGo()
    }
    reader.took(count)
    return count
  }

  /**
   * Sessions and torrents to look up, `MOST_LOOKUPS` at most. The same until `answer` is called; undefined: there are
   * none.
   */
  question(): LookupQuestion | undefined {
    return this.#gaps.question()
  }
  answer(answer: LookupAnswer): void {
    this.#gaps.answer(answer)
  }

  /**
   * Freezes what is owed, `MOST_SESSIONS` at most; `isIdle`: also by sessions that owe nothing but time. `mayCreate` is
   * asked for each torrent without a row. undefined: nothing is owed that may be written now. No batch may be out.
   */
  freeze(now: number, isIdle: boolean, mayCreate: () => boolean): Frozen | undefined {
    return this.#freezer.freeze(now, isIdle, mayCreate, this.#settings.storeClients)
  }
  /** The batch that is out is stored. */
  written(): void {
    this.#freezer.written()
  }

  /**
   * Lets sessions that were silent for the time-out of peers go; they leave memory when that is stored, or when the next
   * call finds that their torrents got no row: strangers make up torrents faster than these may.
   */
  *expire(now: number): Generator<void, void, void> {
    const holdings = this.#holdings
    const { sessions } = holdings
    for (const row of this.#all()) {
      if (row === NONE) yield
      // Ahead: the clock was set back since.
      else if (Math.abs(now - sessions.seen(row)) > this.#settings.peerTimeoutSeconds) {
        if (sessions.has(row, FLAG.ended | FLAG.silent)) {
          if (holdings.isRefused(row)) holdings.free(row)
          continue
        }
        holdings.stand(row, STAND.away)
        sessions.set(row, FLAG.silent)
        if (this.#isDone(row)) holdings.free(row)
        else holdings.mark(row, now, true)
      }
    }
  }

  /**
   * The connection of a client is closed. If it announced over another one since, or if that has no account whose slots it
   * could hold, nothing follows. Else it was there until now, and leaves memory like one that was silent for long: it may
   * come back with the same counters.
   */
  #lose(row: number): void {
    const holdings = this.#holdings
    const { sessions, records, hasAccounts } = holdings
    if (!hasAccounts || row === NONE || sessions.has(row, FLAG.ended | FLAG.silent)) return
    const session = this.#session
    const report = this.#report
    const record = sessions.record(row)
    sessions.load(row, session)
    if (session.endpoint !== report.endpoint) return
    session.counted = records.counted(record)
    report.up = session.up
    report.down = session.down
    report.event = EVENT.stopped
    fillUnpriced(this.#terms, this.#settings)
    judge(session, report, this.#terms, this.#credit)
    records.countTo(record, session.counted)
    holdings.stand(row, session.stand)
    sessions.save(row, session)
    sessions.set(row, FLAG.silent)
    holdings.owe(row, this.#credit)
    holdings.mark(row, report.at, true)
  }

  /** An operator decided something about the torrent whose info hash is in `words` (five). */
  changeTorrent(words: Int32Array, settings: TorrentSettings): void {
    const { torrents } = this.#holdings
    const torrent = torrents.find(words, 0, torrents.hash(words, 0))
    if (torrent === NONE) return
    torrents.settle(torrent, settings)
    torrents.store(torrent)
  }

  /** `until`: second until which the account downloads the torrent freely; 0: not at all; Infinity: for ever. */
  putToken(account: number, words: Int32Array, until: number): void {
    const { torrents, records } = this.#holdings
    const torrent = torrents.find(words, 0, torrents.hash(words, 0))
    if (torrent === NONE) return
    const record = records.find(account, torrent, records.hash(account, torrent))
    if (record !== NONE) records.settle(record, secondOf(until))
  }

  /** An account was erased: its sessions go, and nothing more is counted for it. */
  *forgetAccount(account: number): Generator<void, void, void> {
    const holdings = this.#holdings
    const { sessions, flags, accounts, erased } = holdings
    erased.add(account)
    flags.forget(account)
    for (const row of this.#all()) {
      if (row === NONE) yield
      else if (holdings.accountOf(row) === account) {
        holdings.stand(row, STAND.away)
        // Those that others refer to go when their answer comes, or their batch is stored.
        if (sessions.has(row, FLAG.asked | FLAG.out)) holdings.drop(row)
        else holdings.free(row)
      }
    }
    accounts.forget(account)
  }

  /** The limits of an account changed, or, without one, those of all: its clients take or leave their slots. */
  *recount(account?: number): Generator<void, void, void> {
    const holdings = this.#holdings
    for (const row of this.#all()) {
      if (row === NONE) yield
      else if (account === undefined || holdings.accountOf(row) === account) holdings.slot(row)
    }
  }

  /** All sessions, and `NONE` after some: then others may have their turn. */
  *#all(): Generator<number, void, void> {
    const { sessions } = this.#holdings
    for (let row = 1; row <= sessions.high; row++) {
      if (sessions.record(row) !== NONE) yield row
      if (row % SLICE === 0) yield NONE
    }
  }

  /** Applies the entry at `cells[at…]`, number `i` of those that were read ahead. */
  #apply(cells: Int32Array, at: number, i: number): void {
    const holdings = this.#holdings
    const { sessions, hasAccounts, erased } = holdings
    const what = cells[at + ENTRY.what]!
    const report = this.#report
    report.event = eventIn(what) as AnnounceEvent
    const isGone = isGoneIn(what)
    if (!isGone) this.#events[report.event]!++
    const limit = limitIn(what)
    if (limit !== undefined) this.#limited[LIMITED.indexOf(limit)]!++
    const account = hasAccounts ? cells[at + ENTRY.account]! : 0
    if (hasAccounts && (account === 0 || (erased.size > 0 && erased.has(account)))) return
    this.#read(cells, at, limit !== undefined)
    // Sessions begin and end, but none is forgotten while entries are applied: what was found is still there.
    const row = this.#ahead.found[i]! || this.#find(account, cells, at, i)
    if (isGone) this.#lose(row)
    else if (row === NONE) this.#begin(account, cells, at, i)
    else if (!sessions.has(row, FLAG.ended)) this.#judge(row)
    else if (this.#isNews(row)) this.#beginAgain(row)
  }

  #read(cells: Int32Array, at: number, isLimited: boolean): void {
    const report = this.#report
    const counts = at + ENTRY.counts
    report.up = counter(cells[counts]!, cells[counts + 1]!)
    report.down = counter(cells[counts + 2]!, cells[counts + 3]!)
    report.left = counter(cells[counts + 4]!, cells[counts + 5]!)
    report.endpoint = cells[at + ENTRY.endpoint]! || UNKNOWN + 1
    report.at = cells[at + ENTRY.second]! >>> 0
    report.isLimited = isLimited
    const isLeecher = report.left > 0 && report.event !== EVENT.stopped && !isLimited
    report.leechers = Math.max(0, cells[at + ENTRY.leechers]! - (isLeecher ? 1 : 0))
  }

  /** An entry before it may have made the session. */
  #find(account: number, cells: Int32Array, at: number, i: number): number {
    const { torrents, records, sessions } = this.#holdings
    const torrent = torrents.find(cells, at + ENTRY.infoHash, this.#ahead.hashes[i]!)
    if (torrent === NONE) return NONE
    const record = records.find(account, torrent, records.hash(account, torrent))
    if (record === NONE) return NONE
    const peer = this.#ahead.peers[i]!
    return sessions.find(record, peer, this.#ahead.keys[i]!)
  }

  /** A session that is not known here. One that stops is only looked up: it may be stored. */
  #begin(account: number, cells: Int32Array, at: number, i: number): void {
    const holdings = this.#holdings
    const { sessions, lookups, accounts, hasAccounts } = holdings
    const report = this.#report
    const isOver = report.event === EVENT.stopped
    if (hasAccounts ? !accounts.mayBegin(account, report.at) : isOver) return
    const hash = this.#ahead.hashes[i]!
    const row = holdings.begin(account, cells, at + ENTRY.infoHash, hash, this.#ahead.peers[i]!)
    if (row === NONE) return
    if (hasAccounts) {
      lookups.note(report)
      this.#name(row, cells, at)
    }
    if (isOver) sessions.set(row, FLAG.ended | FLAG.phantom)
    this.#start(row)
  }

  /** Whether an announce of a session that stopped came after its end, and was not only read after it. */
  #isNews(row: number): boolean {
    const { event, at } = this.#report
    if (event === EVENT.stopped) return false
    return event === EVENT.started || at > this.#holdings.sessions.seen(row)
  }

  /** It stopped, and that is not stored yet. */
  #beginAgain(row: number): void {
    const { sessions } = this.#holdings
    sessions.clear(row, FLAG.ended | FLAG.silent | FLAG.leaves | FLAG.phantom)
    if (sessions.has(row, FLAG.asked) || this.#report.event === EVENT.started)
      sessions.set(row, FLAG.restarted)
    this.#start(row)
    if (this.#holdings.hasAccounts) this.#holdings.mark(row, this.#report.at, true)
  }

  #start(row: number): void {
    const holdings = this.#holdings
    const { sessions } = holdings
    const session = this.#session
    const report = this.#report
    begin(session, report)
    holdings.stand(row, session.stand)
    sessions.save(row, session)
    sessions.beginAt(row, report.at)
    this.#credit.isIgnored = false
    this.#noticeAnnounce(row, false)
  }

  #judge(row: number): void {
    const holdings = this.#holdings
    const { sessions, records, torrents, hasAccounts } = holdings
    const session = this.#session
    const report = this.#report
    const terms = this.#terms
    const credit = this.#credit
    const record = sessions.record(row)
    const isAsked = sessions.has(row, FLAG.asked)
    sessions.load(row, session)
    session.counted = hasAccounts ? records.counted(record) : 0
    report.leechedAt = torrents.leechedAt(records.torrent(record))
    const hasGrown = report.up > session.up || report.down > session.down
    if (isAsked || !hasAccounts || !hasGrown) fillUnpriced(terms, this.#settings)
    else fillTerms(terms, this.#settings, holdings, record, report.at)
    const { up, down, stand } = session
    judge(session, report, terms, credit)
    if (hasAccounts) records.countTo(record, session.counted)
    holdings.stand(row, session.stand)
    sessions.save(row, session)
    sessions.clear(row, FLAG.silent | FLAG.leaves)
    if (credit.hasEnded) sessions.set(row, FLAG.ended)
    if (credit.hasCompleted) sessions.set(row, FLAG.owesCompletion)
    if (credit.hasRestarted) sessions.set(row, FLAG.restarted)
    holdings.owe(row, credit)
    if (hasAccounts) this.#flag(row)
    this.#noticeAnnounce(row, stand === STAND.leecher)
    const isMoved = credit.up + credit.down > 0 || credit.hasCompleted || credit.hasEnded
    if (hasAccounts) {
      const isChanged = session.up !== up || session.down !== down || session.stand !== stand
      holdings.mark(row, report.at, isMoved || isChanged)
    } else if (credit.hasEnded && this.#isDone(row)) this.#over[this.#overCount++] = row
    else if (isMoved || credit.seedSeconds + credit.leechSeconds > 0)
      holdings.mark(row, report.at, isMoved)
  }

  /** Whether nothing has to be stored of a session that is over. */
  #isDone(row: number): boolean {
    const { sessions, hasAccounts } = this.#holdings
    return !hasAccounts && !sessions.has(row, FLAG.out) && !sessions.owes(row)
  }

  /** No entry that was read ahead needs them any more. One may have begun again, or be among them twice. */
  #letGo(): void {
    const holdings = this.#holdings
    const { sessions } = holdings
    for (let i = 0; i < this.#overCount; i++) {
      const row = this.#over[i]!
      const isOver = sessions.record(row) !== NONE && sessions.has(row, FLAG.ended)
      if (isOver && this.#isDone(row)) holdings.free(row)
    }
    this.#overCount = 0
  }

  /** What every announce of a session leaves behind, whatever it was credited. */
  #noticeAnnounce(row: number, wasLeecher: boolean): void {
    const { sessions, torrents } = this.#holdings
    const { left, leechers, at, isLimited, event } = this.#report
    sessions.countAnnounce(row)
    if (!this.#credit.isIgnored) sessions.setLeft(row, left)
    if (sessions.has(row, FLAG.asked) && event === EVENT.completed && left === 0)
      sessions.set(row, FLAG.saidCompleted)
    if (leechers > 0 || wasLeecher || (left > 0 && !isLimited))
      torrents.noticeLeecher(this.#holdings.torrentOf(row), at)
  }

  #flag(row: number): void {
    const holdings = this.#holdings
    const credit = this.#credit
    const { at } = this.#report
    const account = holdings.accountOf(row)
    const most = this.#settings.maxBytesPerSecond * HOUR
    const isTooMuch = credit.up > 0 && holdings.flags.inHour(account, at, credit.up) > most
    if (credit.isTooFast || isTooMuch) holdings.flag('speed', row, at, credit.up, credit.elapsed)
    if (credit.hasNoLeechers) holdings.flag('no_leechers', row, at, credit.up, credit.elapsed)
    if (credit.isShared) holdings.flag('shared_id', row, at, credit.fallen, credit.elapsed)
  }

  /** The session's name in the database, and that of its client. */
  #name(row: number, cells: Int32Array, at: number): void {
    const { sessions } = this.#holdings
    const peerId = this.#peerId
    for (let i = 0; i < PEER_ID_BYTES / 4; i++) peerId[i] = cells[at + ENTRY.peerId + i]!
    const to = sessions.fingerprintAt(row)
    sessions.cells[to] = this.#chaskey.tag(peerId, BLOCKS, true)
    sessions.cells[to + 1] = this.#chaskey.second
    const client = this.#settings.storeClients
      ? this.#clients.numberOf(this.#peerBytes, 0)
      : NAMELESS
    sessions.setClient(row, client)
  }
}
