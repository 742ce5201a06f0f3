/**
 * What the torrents of one shard want of the database: those that were just created want the count
 * that is stored of them, those that were completed owe it their completions. They stand in one list,
 * oldest first, and wait there for as long as it takes, merged per torrent: a database that is away makes
 * nothing grow and loses nothing. Costs nothing, and touches no memory, where none is kept. The caller
 * holds the shard's lock.
 */
import { HEADER, LISTED, MOST, NIL, TORRENT, type TorrentArrays, WANTED } from './layout.ts'

export class Ledger {
  /** Whether completions are for a database at all. */
  readonly on: boolean
  /** Bits of `TORRENT.flags` that a torrent begins with, so that it never is without them. */
  readonly firstFlags: number
  readonly #header: Int32Array
  readonly #records: Int32Array
  readonly #next: Int32Array
  readonly #previous: Int32Array
  readonly #owed: Int32Array

  constructor(arrays: TorrentArrays) {
    this.#header = arrays.header
    this.#records = arrays.records
    this.#next = arrays.ledgerNext
    this.#previous = arrays.ledgerPrevious
    this.#owed = arrays.owed
    this.on = arrays.owed.length > 0
    this.firstFlags = this.on ? WANTED : 0
  }

  /** Nobody wants or owes anything. The caller forgets the torrents, whose flags say otherwise. */
  reset(): void {
    const header = this.#header
    header[HEADER.ledgerFirst] = NIL
    header[HEADER.ledgerLast] = NIL
    header[HEADER.listed] = 0
    header[HEADER.owed] = 0
    this.#owed.fill(0, 0, header[HEADER.torrentHigh]!)
  }

  /** The torrent whose turn it is; NIL = there is none. */
  first(): number {
    return this.#header[HEADER.ledgerFirst]!
  }

  owed(torrent: number): number {
    return this.on ? this.#owed[torrent]! : 0
  }
  isWanted(torrent: number): boolean {
    return (this.#records[torrent * TORRENT.words + TORRENT.flags]! & WANTED) !== 0
  }

  /**
   * Whether the torrent may not be forgotten: it owes something, or it did and the count stored before
   * that is on its way. One that only waits for a count has nothing to lose.
   */
  holds(torrent: number): boolean {
    if (!this.on) return false
    const at = torrent * TORRENT.words
    return (
      this.#owed[torrent]! > 0 ||
      (this.isWanted(torrent) && this.#records[at + TORRENT.downloaded]! > 0)
    )
  }

  /** Counts completions that the database has to be told of. */
  owe(torrent: number, completions = 1): void {
    if (!this.on) return
    const header = this.#header
    // In front of the torrents that strangers may make up: those can wait, this can be lost.
    if (this.#owed[torrent] === 0) this.unlist(torrent)
    // Words are signed: rather stand still than turn negative.
    const more = Math.min(completions, MOST - header[HEADER.owed]!)
    this.#owed[torrent]! += more
    header[HEADER.owed]! += more
    this.#listAs('first', torrent)
  }

  /** For a torrent that a rescue made anew: what it owed and wanted before, believed as far as possible. */
  restore(torrent: number, owed: number, isWanted: boolean): void {
    if (!this.on) return
    if (owed > 0) this.owe(torrent, owed)
    if (isWanted) return
    this.unwant(torrent)
    if (owed <= 0) this.unlist(torrent)
  }

  /** The database will be told. Whoever fails on the way leaves the torrent owing what it did. */
  settle(torrent: number): void {
    this.unlist(torrent)
    this.#header[HEADER.owed]! -= this.#owed[torrent]!
    this.#owed[torrent] = 0
  }

  /** Its stored count is there. */
  unwant(torrent: number): void {
    this.#records[torrent * TORRENT.words + TORRENT.flags]! &= ~WANTED
  }

  list(torrent: number): void {
    this.#listAs('last', torrent)
  }

  /**
   * Record `to` will be a copy of that of `torrent`: its place in the list and its debt. Both owe it until the
   * first is cleared, so that it is never lost.
   */
  renumber(torrent: number, to: number): void {
    if (!this.on) return
    this.#owed[to] = this.#owed[torrent]!
    if ((this.#records[torrent * TORRENT.words + TORRENT.flags]! & LISTED) !== 0) {
      const header = this.#header
      const next = this.#next[torrent]!
      const previous = this.#previous[torrent]!
      this.#next[to] = next
      this.#previous[to] = previous
      if (previous === NIL) header[HEADER.ledgerFirst] = to
      else this.#next[previous] = to
      if (next === NIL) header[HEADER.ledgerLast] = to
      else this.#previous[next] = to
    }
  }

  /** The record stands for no torrent. */
  clear(torrent: number): void {
    if (this.on) this.#owed[torrent] = 0
  }

  #listAs(place: 'first' | 'last', torrent: number): void {
    const flags = torrent * TORRENT.words + TORRENT.flags
    if ((this.#records[flags]! & LISTED) !== 0) return
    const header = this.#header
    const next = place === 'first' ? header[HEADER.ledgerFirst]! : NIL
    const previous = place === 'first' ? NIL : header[HEADER.ledgerLast]!
    this.#next[torrent] = next
    this.#previous[torrent] = previous
    if (previous === NIL) header[HEADER.ledgerFirst] = torrent
    else this.#next[previous] = torrent
    if (next === NIL) header[HEADER.ledgerLast] = torrent
    else this.#previous[next] = torrent
    header[HEADER.listed]!++
    this.#records[flags]! |= LISTED
  }

  unlist(torrent: number): void {
    const flags = torrent * TORRENT.words + TORRENT.flags
    if ((this.#records[flags]! & LISTED) === 0) return
    const header = this.#header
    const next = this.#next[torrent]!
    const previous = this.#previous[torrent]!
    if (previous === NIL) header[HEADER.ledgerFirst] = next
    else this.#next[previous] = next
    if (next === NIL) header[HEADER.ledgerLast] = previous
    else this.#previous[next] = previous
    header[HEADER.listed]!--
    this.#records[flags]! &= ~LISTED
  }
}
