/**
 * Everything that accounting holds in memory: torrents, their records, and sessions with what they owe. One buffer is
 * reserved for all of it. Only the control thread uses it.
 */
import type { Seed } from '../memory/hash.ts'
import { reserve } from '../memory/reserve.ts'
import type { Accounts } from './accounts.ts'
import { type FlagKind, OWED } from './batch.ts'
import { Flags } from './flags.ts'
import { LOOKUP_WORDS, Lookups } from './lookups.ts'
import { Marks } from './marks.ts'
import { MOST_CLIENTS, Records } from './records.ts'
import { type Charge, HashedRows, mix, NONE, type Place, Rows } from './rows.ts'
import { add, type Credit, STAND, type Stand } from './rules.ts'
import { FLAG, Sessions } from './sessions.ts'
import type { Slots } from './slots.ts'
import { Torrents } from './torrents.ts'

export type HoldingsParts = {
  /** Whether accounts are kept, and sessions stored; otherwise figures of torrents alone. */
  readonly hasAccounts: boolean
  readonly accounts: Accounts
  readonly slots: Slots
  readonly seed: Seed
  readonly charge: Charge
  /** Most sessions. */
  readonly capacity: number
}

export class Holdings {
  readonly hasAccounts: boolean
  readonly accounts: Accounts
  readonly slots: Slots
  readonly torrents: Torrents
  readonly records: Records
  readonly sessions: Sessions
  readonly lookups: Lookups
  readonly flags: Flags
  /** Sessions to be written: soon; when there is time, because they owe nothing but time; when their torrents may be. */
  readonly urgent: Marks
  readonly idle: Marks
  readonly waiting: Marks
  /** Bytes up and down that sessions owe; and those that were moved since the start. */
  owedBytes = 0
  uploaded = 0
  downloaded = 0
  /** Accounts that were erased. They are never used again. */
  readonly erased = new Set<number>()
  readonly #dropped = new Float64Array(OWED.words)

  constructor({ hasAccounts, accounts, slots, seed, charge, capacity }: HoldingsParts) {
    this.hasAccounts = hasAccounts
    this.accounts = accounts
    this.slots = slots
    let bytes = 0
    const carve = (size: number): number => {
      bytes += size
      return bytes - size
    }
    const hashed = ({ words }: { words: number }) => carve(HashedRows.bytes(words, capacity))
    const at = {
      torrents: hashed(Torrents),
      records: hashed(Records),
      sessions: hashed(Sessions),
      lookups: carve(Rows.bytes(LOOKUP_WORDS, capacity)),
      marks: [0, 1, 2].map(() => carve(Marks.bytes(capacity))),
      flags: carve(Flags.bytes),
    }
    const memory = reserve(bytes)
    const place = (from: number): Place => ({ memory, from, capacity, charge })
    const [urgent, idle, waiting] = at.marks.map((from) => new Marks(memory, from, capacity))
    this.torrents = new Torrents(place(at.torrents), seed)
    this.records = new Records(place(at.records))
    this.sessions = new Sessions(place(at.sessions), (record) =>
      this.nameOf(this.torrents.hashAt(this.records.torrent(record)), this.records.account(record)),
    )
    this.lookups = new Lookups(place(at.lookups))
    this.urgent = urgent!
    this.idle = idle!
    this.waiting = waiting!
    this.flags = new Flags(memory, at.flags)
  }

  /** Name of a record, for the hash of its sessions. `hash`: of the info hash. */
  nameOf(hash: number, account: number): number {
    return mix(hash, account)
  }

  /**
   * A session of `peer` in the torrent whose info hash is at `words[at…]` and hashes to `hash`; `NONE`: there is no
   * memory for it. It is to be looked up, or its torrent, if that is new.
   */
  begin(account: number, words: Int32Array, at: number, hash: number, peer: number): number {
    const { torrents, records, sessions } = this
    const torrent = torrents.find(words, at, hash) || this.#addTorrent(words, at, hash)
    if (torrent === NONE) return NONE
    let record = records.find(account, torrent, records.hash(account, torrent))
    if (record === NONE) {
      record = records.create(account, torrent)
      if (record !== NONE) torrents.refer(torrent)
    }
    const isFull = this.hasAccounts && record !== NONE && records.sessions(record) >= MOST_CLIENTS
    const session =
      record === NONE || isFull
        ? NONE
        : sessions.create(record, peer, sessions.hash(this.nameOf(hash, account), peer))
    if (session !== NONE) {
      records.addSession(record)
      if (!this.hasAccounts) return session
      if (this.lookups.add(session)) {
        sessions.set(session, FLAG.asked)
        return session
      }
      this.free(session)
    } else if (record !== NONE) this.#tidy(record)
    else this.#tidyTorrent(torrent)
    return NONE
  }

  #addTorrent(words: Int32Array, at: number, hash: number): number {
    const { torrents } = this
    const torrent = torrents.create(words, at, hash)
    if (torrent === NONE || this.hasAccounts) return torrent
    torrents.refer(torrent)
    if (this.lookups.add(torrent)) return torrent
    torrents.release(torrent)
    return NONE
  }

  /** Forgets a record without sessions. */
  #tidy(record: number): void {
    if (this.records.sessions(record) > 0) return
    const torrent = this.records.torrent(record)
    this.records.remove(record)
    this.torrents.release(torrent)
  }

  /** Forgets a torrent that was made for a record for which there was no memory. */
  #tidyTorrent(torrent: number): void {
    this.torrents.refer(torrent)
    this.torrents.release(torrent)
  }

  /** Forgets a session with what it owes, and what nothing else refers to. */
  free(session: number): void {
    const record = this.sessions.record(session)
    this.stand(session, STAND.away)
    this.drop(session)
    this.sessions.remove(session)
    if (this.records.removeSession(record) === 0) this.#tidy(record)
  }

  accountOf(session: number): number {
    return this.records.account(this.sessions.record(session))
  }
  torrentOf(session: number): number {
    return this.records.torrent(this.sessions.record(session))
  }

  /** Changes what a session is to the swarm, and what is counted of its account. */
  stand(session: number, to: Stand): void {
    const { records, sessions, accounts } = this
    const from = sessions.stand(session)
    if (from === to) return
    sessions.setStand(session, to)
    if (!this.hasAccounts) return
    const record = sessions.record(session)
    const account = records.account(record)
    if (from === STAND.leecher || to === STAND.leecher) {
      const before = records.leeching(record)
      records.addLeeching(record, to === STAND.leecher ? 1 : -1)
      accounts.addLeeching(account, Number(records.leeching(record) > 0) - Number(before > 0))
    }
    if (from === STAND.seeder || to === STAND.seeder) {
      const before = records.seeding(record)
      records.addSeeding(record, to === STAND.seeder ? 1 : -1)
      accounts.addSeeding(account, Number(records.seeding(record) > 0) - Number(before > 0))
    }
    this.slot(session)
  }

  /** Brings the session's place among the slots of its account up to date. */
  slot(session: number): void {
    const { sessions, slots, torrents } = this
    const stand = sessions.stand(session)
    const account = this.accountOf(session)
    const isCounted = stand !== STAND.away && this.accounts.isLimited(account)
    if (!isCounted && !sessions.has(session, FLAG.slotted)) return
    const at = torrents.infoHashAt(this.torrentOf(session))
    const peer = sessions.peer(session)
    if (isCounted) {
      slots.enter(account, torrents.cells, at, peer, stand === STAND.leecher)
      sessions.set(session, FLAG.slotted)
    } else {
      slots.leave(account, torrents.cells, at, peer)
      sessions.clear(session, FLAG.slotted)
    }
  }

  owe(session: number, credit: Credit): void {
    const { sessions } = this
    const before = sessions.owedBytes(session)
    sessions.owe(session, credit)
    this.owedBytes += sessions.owedBytes(session) - before
    this.uploaded = add(this.uploaded, credit.up)
    this.downloaded = add(this.downloaded, credit.down)
  }

  /** Lets a session owe `most` bytes at most, up or down. */
  forgive(
    session: number,
    place: typeof OWED.uploaded | typeof OWED.downloaded,
    most: number,
  ): void {
    const { sessions } = this
    const bytes = Math.max(0, sessions.owed(session, place) - most)
    sessions.setOwed(session, place, sessions.owed(session, place) - bytes)
    this.owedBytes -= bytes
    if (place === OWED.uploaded) this.uploaded -= bytes
    else this.downloaded -= bytes
  }

  /** A sum beyond `MOST` is not exact. Where nothing is owed, it is 0. */
  correctBytes(): void {
    const { urgent, idle, waiting, lookups } = this
    const count = urgent.count + idle.count + waiting.count + lookups.size
    this.owedBytes = count === 0 ? 0 : Math.max(0, this.owedBytes)
  }

  /** Lets a session owe nothing, and not be written. */
  drop(session: number): void {
    this.unmark(session)
    this.owedBytes -= this.sessions.owedBytes(session)
    this.sessions.pay(session, this.#dropped, 0)
  }

  flag(kind: FlagKind, session: number, second: number, bytes: number, elapsed: number): void {
    const { torrents } = this
    const account = this.accountOf(session)
    const at = torrents.infoHashAt(this.torrentOf(session))
    this.flags.add(kind, account, torrents.cells, at, second, bytes, Math.max(1, elapsed))
  }

  /** The session is to be written. One that is asked is not: its answer says what it owes. */
  mark(session: number, second: number, isUrgent: boolean): void {
    if (this.sessions.has(session, FLAG.asked)) return
    if (isUrgent) this.urgent.add(session, second)
    else this.idle.add(session, second)
  }
  /** Whether it waits because its torrent may have no row. */
  isRefused(session: number): boolean {
    const torrent = this.torrentOf(session)
    const { torrents, waiting } = this
    return waiting.has(session) && torrents.isSettled(torrent) && !torrents.isStored(torrent)
  }
  unmark(session: number): void {
    this.urgent.remove(session)
    this.idle.remove(session)
    this.waiting.remove(session)
  }
}
