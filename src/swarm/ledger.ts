/**
 * What the torrents of one shard want of the database: a torrent that was just created wants its stored count,
 * one that was completed owes its completions. They stand in one list, oldest first, merged per torrent, for
 * as long as it takes: while the database is away nothing grows and nothing is lost. Without a database it
 * costs nothing and touches no memory. The caller holds the shard's lock.
 */
import { HEADER, LISTED, MOST, NIL, TORRENT, type TorrentArrays, WANTED } from './layout.ts'

export class Ledger {
  /** Whether completions are kept in a database. */
  readonly on: boolean
  /** Bits of `TORRENT.flags` that a torrent is created with, so that it is never without them. */
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

  /** An empty list. The caller clears the torrents, whose words say otherwise. */
  reset(): void {
    const header = this.#header
    header[HEADER.ledgerFirst] = NIL
    header[HEADER.ledgerLast] = NIL
    header[HEADER.listed] = 0
    header[HEADER.owed] = 0
  }

  /** The torrent that is next; NIL = the list is empty. */
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
   * Whether the torrent must stay: it owes completions, or it did and the count stored before them has not
   * arrived. A torrent that only waits for its count has nothing to lose.
   */
  holds(torrent: number): boolean {
    if (!this.on) return false
    const at = torrent * TORRENT.words
    return (
      this.#owed[torrent]! > 0 ||
      (this.isWanted(torrent) && this.#records[at + TORRENT.downloaded]! > 0)
    )
  }

  /** Counts completions that the database does not have yet. */
  owe(torrent: number, completions = 1): void {
    if (!this.on) return
    const header = this.#header
    // Ahead of torrents that strangers can make up: those can wait, completions can be lost.
    if (this.#owed[torrent] === 0) this.unlist(torrent)
    // Words are signed: stop counting rather than turn negative.
    const more = Math.min(completions, MOST - header[HEADER.owed]!)
    this.#owed[torrent]! += more
    header[HEADER.owed]! += more
    this.#listAs('first', torrent)
  }

  /** Gives a torrent that was created anew what it owed and wanted before. */
  restore(torrent: number, owed: number, isWanted: boolean): void {
    if (!this.on) return
    if (owed > 0) this.owe(torrent, owed)
    if (isWanted) return
    this.unwant(torrent)
    if (owed <= 0) this.unlist(torrent)
  }

  /** The database will be told. If this fails half-way, the torrent still owes what it did. */
  settle(torrent: number): void {
    this.unlist(torrent)
    this.#header[HEADER.owed]! -= this.#owed[torrent]!
    this.#owed[torrent] = 0
  }

  /** Its stored count has arrived. */
  unwant(torrent: number): void {
    this.#records[torrent * TORRENT.words + TORRENT.flags]! &= ~WANTED
  }

  list(torrent: number): void {
    this.#listAs('last', torrent)
  }

  /** Record `to` takes the place in the list that its words, a copy of those of `torrent`, say it has. */
  renumber(torrent: number, to: number): void {
    if ((this.#records[torrent * TORRENT.words + TORRENT.flags]! & LISTED) === 0) return
    const header = this.#header
    const next = this.#next[to]!
    const previous = this.#previous[to]!
    if (previous === NIL) header[HEADER.ledgerFirst] = to
    else this.#next[previous] = to
    if (next === NIL) header[HEADER.ledgerLast] = to
    else this.#previous[next] = to
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
