/**
 * Reads ahead for the entries of a ring: with many sessions an announce spends most of its time waiting for memory, and
 * the waits of many overlap. What was found on the way is kept for those who apply the entries.
 */
import type { Holdings } from './holdings.ts'
import { ENTRY, type RingReader } from './ring.ts'
import { NONE } from './rows.ts'
import { counter } from './rules.ts'

/** Entries that are read ahead together. */
export const AHEAD = 64

export class ReadAhead {
  readonly #holdings: Holdings
  /** By entry: hash of the info hash, peer word, hash of the session, and the session; `NONE` = it was not there. */
  readonly hashes = new Int32Array(AHEAD)
  readonly peers = new Int32Array(AHEAD)
  readonly keys = new Int32Array(AHEAD)
  readonly found = new Int32Array(AHEAD)
  readonly #rows = new Int32Array(AHEAD)
  /** Keeps the loads from being dropped as useless. */
  sink = 0

  constructor(holdings: Holdings) {
    this.#holdings = holdings
  }

  /**
   * Brings the rows that `count` entries need into the cache, where the waits for them overlap: a loop for each load, with
   * as little as possible between two. In most buckets the row is the first or the second.
   */
  read(reader: RingReader, from: number, count: number): void {
    const holdings = this.#holdings
    const { torrents, records, sessions, slots, accounts, hasAccounts } = holdings
    const { cells } = reader
    const { hashes, peers, keys, found } = this
    const rows = this.#rows
    let sink = 0
    for (let i = 0; i < count; i++) {
      const at = reader.at(from + i)
      const account = hasAccounts ? cells[at + ENTRY.account]! : 0
      hashes[i] = torrents.hash(cells, at + ENTRY.infoHash)
      peers[i] = slots.peerWord(cells, at + ENTRY.peerId)
      keys[i] = sessions.hash(holdings.nameOf(hashes[i]!, account), peers[i]!)
      rows[i] = sessions.bucket(keys[i]!)
    }
    for (let i = 0; i < count; i++) rows[i] = sessions.first(rows[i]!)
    for (let i = 0; i < count; i++) sessions.touch(rows[i]!)
    for (let i = 0; i < count; i++)
      if (sessions.peer(rows[i]!) !== peers[i]) sessions.touch(sessions.next(rows[i]!))
    for (let i = 0; i < count; i++) {
      found[i] = sessions.guess(peers[i]!, keys[i]!)
      rows[i] = sessions.record(found[i]!)
    }
    for (let i = 0; i < count; i++) records.touch(rows[i]!)
    for (let i = 0; i < count; i++) torrents.touch(records.torrent(rows[i]!))
    // What is decided about an account matters where something is credited.
    for (let i = 0; i < count; i++) {
      const at = reader.at(from + i)
      const up = counter(cells[at + ENTRY.counts]!, cells[at + ENTRY.counts + 1]!)
      if (up !== sessions.uploaded(found[i]!))
        sink ^= accounts.freeUntil(cells[at + ENTRY.account]!)
    }
    for (let i = 0; i < count; i++) {
      const at = reader.at(from + i)
      const account = hasAccounts ? cells[at + ENTRY.account]! : 0
      const record = rows[i]!
      const isIt =
        records.account(record) === account &&
        torrents.isOf(records.torrent(record), cells, at + ENTRY.infoHash)
      if (!isIt) found[i] = NONE
    }
    this.sink ^= sink
  }
}
