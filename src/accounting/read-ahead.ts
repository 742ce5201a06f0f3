/**
 * Reads ahead for the entries of a ring: with many sessions an announce spends most of its time waiting for memory, and
 * the waits of many overlap. What was found on the way is kept for those who apply the entries.
 */
import type { Holdings } from './holdings.ts'
import { ENTRY, type RingReader } from './ring.ts'

/** Entries that are read ahead together. */
export const AHEAD = 64

export class ReadAhead {
  readonly #holdings: Holdings
  /** By entry: hash of the info hash, peer word, and the session; `NONE` = it was not there. */
  readonly hashes = new Int32Array(AHEAD)
  readonly peers = new Int32Array(AHEAD)
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
    const { torrents, records, sessions, slots, accounts, hasAccounts } = this.#holdings
    const { cells } = reader
    const { hashes, peers, found } = this
    const rows = this.#rows
    let sink = 0
    for (let i = 0; i < count; i++) {
      const at = reader.at(from + i)
      hashes[i] = torrents.hash(cells, at + ENTRY.infoHash)
      peers[i] = slots.peerWord(cells, at + ENTRY.peerId)
      rows[i] = torrents.bucket(hashes[i]!)
    }
    for (let i = 0; i < count; i++) rows[i] = torrents.first(rows[i]!)
    for (let i = 0; i < count; i++) torrents.touch(rows[i]!)
    for (let i = 0; i < count; i++)
      if (
        torrents.cells[torrents.infoHashAt(rows[i]!)] !==
        cells[reader.at(from + i) + ENTRY.infoHash]
      )
        torrents.touch(torrents.next(rows[i]!))
    for (let i = 0; i < count; i++) {
      const at = reader.at(from + i)
      found[i] = torrents.find(cells, at + ENTRY.infoHash, hashes[i]!)
      const account = hasAccounts ? cells[at + ENTRY.account]! : 0
      rows[i] = records.bucket(records.hash(account, found[i]!))
    }
    for (let i = 0; i < count; i++) {
      sink ^= accounts.freeUntil(cells[reader.at(from + i) + ENTRY.account]!)
      rows[i] = records.first(rows[i]!)
    }
    for (let i = 0; i < count; i++) records.touch(rows[i]!)
    for (let i = 0; i < count; i++)
      if (records.torrent(rows[i]!) !== found[i]) records.touch(records.next(rows[i]!))
    for (let i = 0; i < count; i++) {
      const account = hasAccounts ? cells[reader.at(from + i) + ENTRY.account]! : 0
      const hash = records.hash(account, found[i]!)
      found[i] = records.find(account, found[i]!, hash)
      rows[i] = sessions.bucket(sessions.hash(found[i]!, peers[i]!))
    }
    for (let i = 0; i < count; i++) rows[i] = sessions.first(rows[i]!)
    for (let i = 0; i < count; i++) sessions.touch(rows[i]!)
    for (let i = 0; i < count; i++)
      if (sessions.peer(rows[i]!) !== peers[i]) sessions.touch(sessions.next(rows[i]!))
    for (let i = 0; i < count; i++)
      found[i] = sessions.find(found[i]!, peers[i]!, sessions.hash(found[i]!, peers[i]!))
    this.sink ^= sink
  }
}
