/**
 * The torrents of one shard: fixed records found by info hash through a linear hash table. Knows nothing of
 * peers except that a free torrent has none. The caller holds the shard's lock.
 */
import { bucketOf } from '../memory/hash.ts'
import type { Release } from '../memory/reserve.ts'
import type { Account } from './budget.ts'
import { Chains } from './chains.ts'
import {
  type Beside,
  type FamilyRow,
  HEADER,
  LIMB,
  MANY,
  MOST,
  NIL,
  TORRENT,
  TORRENT_BATCH,
  type TorrentArrays,
  torrentBatchKib,
  USED,
} from './layout.ts'
import { Ledger } from './ledger.ts'
import { Runs } from './runs.ts'
import { StoredCounts } from './stored.ts'

export class Torrents {
  readonly header: Int32Array
  readonly records: Int32Array
  readonly buckets: Int32Array
  readonly ledger: Ledger
  /** Counts of torrents that are not in memory. */
  readonly stored: StoredCounts
  readonly #downloadedHigh: Int32Array
  readonly #beside: readonly Beside[]
  readonly #chains: Chains
  readonly #runs: Runs

  constructor(
    arrays: TorrentArrays,
    families: readonly FamilyRow[],
    account: Account,
    release: Release,
  ) {
    const { header, records, buckets, beside } = arrays
    this.header = header
    this.records = records
    this.buckets = buckets
    this.ledger = new Ledger(arrays)
    this.stored = new StoredCounts(arrays)
    this.#downloadedHigh = arrays.downloadedHigh
    this.#beside = beside
    this.#chains = new Chains({
      header,
      entries: HEADER.torrents,
      width: HEADER.torrentBuckets,
      buckets,
      links: records,
      stride: TORRENT.words,
      link: TORRENT.next,
      hashOf: (torrent) => this.#hashOf(torrent),
      release,
    })
    const kib = torrentBatchKib(families)
    this.#runs = new Runs({
      header,
      at: HEADER.torrentRuns,
      words: arrays.runs,
      batches: buckets.length / TORRENT_BATCH,
      pay: () => account.pay(kib),
      repay: () => account.repay(kib),
      unused: (from, to) => {
        for (const { words, stride } of [{ words: records, stride: TORRENT.words }, ...beside])
          release(words, from * TORRENT_BATCH * stride, to * TORRENT_BATCH * stride)
      },
    })
  }

  /** No torrents, and nothing paid for. */
  reset(): void {
    const { header } = this
    header[HEADER.salvages]! |= 1
    header[HEADER.busy] = NIL
    header[HEADER.downloads] = 0
    header[HEADER.downloadsHigh] = 0
    this.#chains.reset()
    this.#chains.begin()
    this.ledger.reset()
    this.stored.reset()
    // Free records must be zero: a thread may die between `create` and the first peer, and the next salvage
    // believes what it finds.
    const high = header[HEADER.torrentHigh]!
    zero(this.records, 0, high * TORRENT.words)
    for (const { words, stride } of this.#beside) zero(words, 0, high * stride)
    this.#runs.reset()
    header[HEADER.salvages]!++
  }

  isUsed(torrent: number): boolean {
    return (this.records[torrent * TORRENT.words + TORRENT.flags]! & USED) !== 0
  }

  /** Times the torrent was completed. */
  downloaded(torrent: number): number {
    const at = torrent * TORRENT.words
    const low = this.records[at + TORRENT.downloaded]!
    if ((this.records[at + TORRENT.flags]! & MANY) === 0) return low
    return low + this.#downloadedHigh[torrent]! * LIMB
  }

  /**
   * Stored completions that are not yet part of the count of `torrent` (NIL = it is not here); asked for when
   * they are not known, see `StoredCounts.count`.
   */
  storedCount(torrent: number, words: Int32Array, hash: number): number {
    if (torrent !== NIL && !this.ledger.isWanted(torrent)) return 0
    return this.stored.count(words, hash)
  }

  /** Counts `more` completions (whole, not negative), as far as they can be counted. */
  addDownloads(torrent: number, more: number): void {
    const at = torrent * TORRENT.words
    const before = this.downloaded(torrent)
    const most = this.#downloadedHigh.length > 0 ? Number.MAX_SAFE_INTEGER : MOST
    const after = Math.min(before + more, most)
    this.records[at + TORRENT.downloaded] = after % LIMB
    if (after >= LIMB) {
      this.#downloadedHigh[torrent] = Math.floor(after / LIMB)
      this.records[at + TORRENT.flags]! |= MANY
    }
    this.#addToSum(after - before)
  }

  /** Word by word, so that it stays exact however large the sum is. */
  #addToSum(more: number): void {
    const { header } = this
    const low = header[HEADER.downloads]! + (more % LIMB)
    const carry = Math.floor(low / LIMB)
    header[HEADER.downloads] = low - carry * LIMB
    header[HEADER.downloadsHigh]! += Math.trunc(more / LIMB) + carry
  }

  /** Torrent with the info hash in `words[0…4]`, whose seeded hash is `hash`; NIL = unknown. */
  find(words: Int32Array, hash: number): number {
    const { records } = this
    let torrent = this.buckets[bucketOf(hash, this.header[HEADER.torrentBuckets]!)]!
    for (; torrent !== NIL; torrent = records[torrent * TORRENT.words + TORRENT.next]!) {
      const at = torrent * TORRENT.words
      if (
        records[at] === words[0] &&
        records[at + 1] === words[1] &&
        records[at + 2] === words[2] &&
        records[at + 3] === words[3] &&
        records[at + 4] === words[4]
      )
        return torrent
    }
    return NIL
  }

  /** Whether `torrent` is, in this moment, the one with the info hash in `words[0…4]`. NIL: false. */
  isAt(torrent: number, words: Int32Array): boolean {
    const { records } = this
    const at = torrent * TORRENT.words
    return (
      torrent !== NIL &&
      records[at] === words[0] &&
      records[at + 1] === words[1] &&
      records[at + 2] === words[2] &&
      records[at + 3] === words[3] &&
      records[at + 4] === words[4] &&
      (records[at + TORRENT.flags]! & USED) !== 0
    )
  }

  /** A new torrent without peers; NIL when memory is spent. */
  create(words: Int32Array, hash: number): number {
    const torrent = this.#runs.take(0)
    if (torrent === NIL) return NIL
    const at = torrent * TORRENT.words
    const { records } = this
    for (let i = 0; i < 5; i++) records[at + i] = words[i]!
    records[at + TORRENT.oldest] = MOST
    records[at + TORRENT.hash] = hash
    records[at + TORRENT.flags] = USED | this.ledger.firstFlags
    this.#chains.add(torrent, hash)
    if (this.ledger.on) this.#beginCount(torrent, words, hash)
    return torrent
  }

  /** With what is stored, where a scrape has asked for it; otherwise the database will be asked. */
  #beginCount(torrent: number, words: Int32Array, hash: number): void {
    const stored = this.stored.withdraw(words, hash)
    if (stored === NIL) this.ledger.list(torrent)
    else {
      // First, because a count that is missed is better than one that is added twice.
      this.ledger.unwant(torrent)
      this.addDownloads(torrent, stored)
    }
  }

  /** Removes a torrent that has no peers and that the ledger does not hold. */
  remove(torrent: number): void {
    this.ledger.unlist(torrent)
    this.#chains.remove(torrent, this.#hashOf(torrent))
    this.#addToSum(-this.downloaded(torrent))
    this.clear(torrent)
  }

  /**
   * A lower record that now stands for `torrent` as well, in every list; NIL = it stands well. The caller
   * moves the peers and then clears the first. Until then both are in use, so that no debt is ever lost.
   */
  lower(torrent: number): number {
    if (!this.#runs.isBeyond(torrent)) return NIL
    const to = this.#runs.takeBetter(torrent, 0)
    if (to === NIL) return NIL
    const { records } = this
    for (const { words, stride } of this.#beside) copy(words, torrent, to, stride)
    this.ledger.renumber(torrent, to)
    const at = torrent * TORRENT.words
    records.copyWithin(to * TORRENT.words, at, at + TORRENT.words)
    this.#chains.replace(torrent, this.#hashOf(torrent), to)
    return to
  }

  /** The record stands for no torrent from now on. */
  clear(torrent: number): void {
    zero(this.records, torrent * TORRENT.words, (torrent + 1) * TORRENT.words)
    for (const { words, stride } of this.#beside)
      zero(words, torrent * stride, (torrent + 1) * stride)
    this.#runs.give(torrent, 0)
  }

  /** Gives back what is free, and shortens the table; `most` steps. Fewer than that = it is done. */
  trim(most: number): number {
    const steps = this.#runs.trim(most)
    return steps + this.#chains.trim(most - steps)
  }

  #hashOf(torrent: number): number {
    return this.records[torrent * TORRENT.words + TORRENT.hash]!
  }
}

/**
 * Downwards, so that a record is free before its info hash is gone. Leaves alone what is zero already: it may
 * have no memory yet.
 */
function zero(words: Int32Array, from: number, to: number): void {
  for (let at = to - 1; at >= from; at--) if (words[at] !== 0) words[at] = 0
}

/** Likewise leaves alone what is equal. */
function copy(words: Int32Array, from: number, to: number, stride: number): void {
  for (let i = 0; i < stride; i++) {
    const word = words[from * stride + i]!
    if (words[to * stride + i] !== word) words[to * stride + i] = word
  }
}
