/** What the sessions of one account and torrent share. */
import { HashedRows, mix, NONE, type Place } from './rows.ts'
import { secondOf } from './torrents.ts'

/** Words of a row. */
const ROW = {
  account: 0,
  torrent: 1,
  next: 2,
  /** Up to this second its time is counted. */
  counted: 3,
  /** Sessions that leech, and those that seed: 16 bits each. */
  active: 4,
  /** Sessions, and the flags below. */
  sessions: 5,
  tokenUntil: 6,
  words: 7,
} as const
/** Sessions of one record where accounts are kept, so that 16 bits count them. */
export const MOST_CLIENTS = 0xffff
const SESSIONS = 0x0fff_ffff
/** Its token is known. */
const SETTLED = 1 << 30
/** It had more than one session. */
const SHARED = 1 << 29

export class Records extends HashedRows {
  static readonly words: number = ROW.words

  constructor(place: Place) {
    super(place, ROW.words, ROW.next)
  }

  hash(account: number, torrent: number): number {
    return mix(account, torrent)
  }

  find(account: number, torrent: number, hash: number): number {
    const { cells } = this
    for (let row = this.first(this.bucket(hash)); row !== NONE; row = this.next(row)) {
      const at = row * ROW.words
      if (cells[at + ROW.torrent] === torrent && cells[at] === account) return row
    }
    return NONE
  }

  create(account: number, torrent: number): number {
    const row = this.take()
    if (row === NONE) return NONE
    const at = row * ROW.words
    this.cells[at + ROW.account] = account
    this.cells[at + ROW.torrent] = torrent
    this.link(row, mix(account, torrent))
    return row
  }

  /** Forgets it; it must have no sessions. */
  remove(row: number): void {
    this.unlink(row, this.hashOf(row))
    this.giveBack(row)
  }

  account(row: number): number {
    return this.cells[row * ROW.words + ROW.account]!
  }
  torrent(row: number): number {
    return this.cells[row * ROW.words + ROW.torrent]!
  }
  sessions(row: number): number {
    return this.cells[row * ROW.words + ROW.sessions]! & SESSIONS
  }
  /** Whether other sessions than the one that it has may have counted time. */
  isShared(row: number): boolean {
    return (this.cells[row * ROW.words + ROW.sessions]! & SHARED) !== 0
  }
  addSession(row: number): void {
    if (this.sessions(row) > 0) this.cells[row * ROW.words + ROW.sessions]! |= SHARED
    this.cells[row * ROW.words + ROW.sessions]!++
  }
  /** The number of sessions that it has then. */
  removeSession(row: number): number {
    this.cells[row * ROW.words + ROW.sessions]!--
    return this.sessions(row)
  }

  counted(row: number): number {
    return this.cells[row * ROW.words + ROW.counted]! >>> 0
  }
  countTo(row: number, second: number): void {
    this.cells[row * ROW.words + ROW.counted] = second
  }

  leeching(row: number): number {
    return this.cells[row * ROW.words + ROW.active]! & 0xffff
  }
  seeding(row: number): number {
    return this.cells[row * ROW.words + ROW.active]! >>> 16
  }
  addLeeching(row: number, by: number): void {
    this.cells[row * ROW.words + ROW.active]! += by
  }
  addSeeding(row: number, by: number): void {
    this.cells[row * ROW.words + ROW.active]! += by << 16
  }

  /** Second until which a token makes its download free; 0: it has none. */
  tokenUntil(row: number): number {
    return this.cells[row * ROW.words + ROW.tokenUntil]! >>> 0
  }
  isSettled(row: number): boolean {
    return (this.cells[row * ROW.words + ROW.sessions]! & SETTLED) !== 0
  }
  settle(row: number, tokenUntil: number): void {
    this.cells[row * ROW.words + ROW.tokenUntil] = secondOf(tokenUntil)
    this.cells[row * ROW.words + ROW.sessions]! |= SETTLED
  }

  protected hashOf(row: number): number {
    const at = row * ROW.words
    return mix(this.cells[at + ROW.account]!, this.cells[at + ROW.torrent]!)
  }
}
