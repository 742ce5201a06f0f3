/**
 * The torrents of one shard: fixed records found by info hash through a linear hash table. Knows
 * nothing of peers but that a torrent has two families of them. The caller holds the shard's lock.
 */
import { bucketOf, parentOf } from '../memory/hash.ts'
import type { Release } from '../memory/reserve.ts'
import type { Account } from './budget.ts'
import {
  HEADER,
  LIMB,
  MANY,
  MOST,
  NIL,
  TORRENT,
  TORRENT_BATCH,
  TORRENT_BATCH_KIB,
  type TorrentArrays,
  USED,
} from './layout.ts'
import { Ledger } from './ledger.ts'
import { Runs } from './runs.ts'
import { StoredCounts } from './stored.ts'

/** Buckets behind the end that may lie in one page with those given back before. */
const TAIL = 1024

export class Torrents {
  readonly header: Int32Array
  readonly records: Int32Array
  readonly buckets: Int32Array
  readonly ledger: Ledger
  /** Of torrents that are not here. */
  readonly stored: StoredCounts
  readonly #downloadedHigh: Int32Array
  readonly #runs: Runs
  readonly #release: Release

  constructor(arrays: TorrentArrays, account: Account, release: Release) {
    this.header = arrays.header
    this.records = arrays.records
    this.buckets = arrays.buckets
    this.ledger = new Ledger(arrays)
    this.stored = new StoredCounts(arrays)
    this.#downloadedHigh = arrays.downloadedHigh
    this.#release = release
    const { header, records, buckets } = arrays
    const beside = [arrays.ledgerNext, arrays.ledgerPrevious, arrays.owed, arrays.downloadedHigh]
    this.#runs = new Runs({
      header,
      at: HEADER.torrentRuns,
      words: arrays.runs,
      batches: buckets.length / TORRENT_BATCH,
      pay: () => account.pay(TORRENT_BATCH_KIB),
      repay: () => account.repay(TORRENT_BATCH_KIB),
      unused: (from, to) => {
        release(records, from * TORRENT_BATCH * TORRENT.words, to * TORRENT_BATCH * TORRENT.words)
        for (const array of beside) release(array, from * TORRENT_BATCH, to * TORRENT_BATCH)
      },
    })
  }

  /** No torrents, and nothing paid for. */
  reset(): void {
    const { header } = this
    header[HEADER.rescues]! |= 1
    header[HEADER.busy] = NIL
    header[HEADER.torrents] = 0
    header[HEADER.downloads] = 0
    header[HEADER.downloadsHigh] = 0
    header[HEADER.torrentBuckets] = 1
    this.buckets[0] = NIL
    this.ledger.reset()
    this.stored.reset()
    // Nothing may be left to believe: whoever dies between `create` and the first peer is salvaged too. What
    // is zero is not written: it may have no memory.
    const end = header[HEADER.torrentHigh]! * TORRENT.words
    for (let at = 0; at < end; at++) if (this.records[at] !== 0) this.records[at] = 0
    this.#runs.reset()
    header[HEADER.rescues]!++
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
   * What is stored of `torrent`, NIL if it is not here, and not yet part of its count: asked for when it is
   * not known, see `StoredCounts.count`.
   */
  storedCount(torrent: number, words: Int32Array, key: number): number {
    if (torrent !== NIL && !this.ledger.isWanted(torrent)) return 0
    return this.stored.count(words, key)
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

  /** Torrent with the info hash in `words[0…4]`, whose seeded hash is `key`; NIL = unknown. */
  find(words: Int32Array, key: number): number {
    const { records } = this
    let torrent = this.buckets[bucketOf(key, this.header[HEADER.torrentBuckets]!)]!
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

  /** A new torrent whose families are still to be begun; NIL when memory is spent. */
  create(words: Int32Array, key: number): number {
    const torrent = this.#runs.take(0)
    if (torrent === NIL) return NIL
    const at = torrent * TORRENT.words
    const { records, header } = this
    for (let i = 0; i < 5; i++) records[at + i] = words[i]!
    records[at + TORRENT.downloaded] = 0
    records[at + TORRENT.oldest] = MOST
    records[at + TORRENT.key] = key
    records[at + TORRENT.flags] = USED | this.ledger.firstFlags
    const bucket = bucketOf(key, header[HEADER.torrentBuckets]!)
    records[at + TORRENT.next] = this.buckets[bucket]!
    this.buckets[bucket] = torrent
    if (++header[HEADER.torrents]! > header[HEADER.torrentBuckets]!) this.#split()
    if (this.ledger.on) this.#beginCount(torrent, words, key)
    return torrent
  }

  /** With what is stored, where a scrape has asked for it; else the database will be. */
  #beginCount(torrent: number, words: Int32Array, key: number): void {
    const stored = this.stored.withdraw(words, key)
    if (stored === NIL) this.ledger.list(torrent)
    else {
      // First, because a count that is missed is better than one that is added twice.
      this.ledger.unwant(torrent)
      this.addDownloads(torrent, stored)
    }
  }

  /** Removes a torrent that has no peers and that the ledger does not hold. */
  remove(torrent: number): void {
    const { records, header } = this
    const at = torrent * TORRENT.words
    this.ledger.unlist(torrent)
    this.#relink(torrent, records[at + TORRENT.next]!)
    header[HEADER.torrents]!--
    this.#addToSum(-this.downloaded(torrent))
    this.clear(torrent)
  }

  /**
   * A lower record that now stands for `torrent` as well, in every list; NIL = it stands well. The caller
   * sees to the peers and then clears the first.
   */
  lower(torrent: number): number {
    if (!this.#runs.isBeyond(torrent)) return NIL
    const to = this.#runs.takeBetter(torrent, 0)
    if (to === NIL) return NIL
    const { records, header } = this
    const at = torrent * TORRENT.words
    this.ledger.renumber(torrent, to)
    if ((records[at + TORRENT.flags]! & MANY) !== 0)
      this.#downloadedHigh[to] = this.#downloadedHigh[torrent]!
    records.copyWithin(to * TORRENT.words, at, at + TORRENT.words)
    this.#relink(torrent, to)
    header[HEADER.moves] = (header[HEADER.moves]! + 1) & MOST
    return to
  }

  /** The record stands for no torrent. */
  clear(torrent: number): void {
    const at = torrent * TORRENT.words
    this.records.fill(0, at, at + TORRENT.words)
    this.ledger.clear(torrent)
    this.#runs.give(torrent, 0)
  }

  /** Gives back what is free, and shortens the table; `most` steps. Fewer than that = it is done. */
  trim(most: number): number {
    const { header, records, buckets } = this
    const steps = this.#runs.trim(most)
    const wide = header[HEADER.torrentBuckets]!
    const enough = Math.max(1, header[HEADER.torrents]! * 2)
    let count = wide
    for (; count > enough && wide - count < most - steps; count--) {
      const parent = parentOf(count - 1)
      let last = buckets[count - 1]!
      if (last !== NIL) {
        const first = last
        while (records[last * TORRENT.words + TORRENT.next] !== NIL)
          last = records[last * TORRENT.words + TORRENT.next]!
        records[last * TORRENT.words + TORRENT.next] = buckets[parent]!
        buckets[parent] = first
      }
      header[HEADER.torrentBuckets] = count - 1
    }
    if (count < wide) this.#release(buckets, count, wide + TAIL)
    return steps + wide - count
  }

  /** What leads to `torrent` in its chain leads to `next` from now on. */
  #relink(torrent: number, next: number): void {
    const { records } = this
    const key = records[torrent * TORRENT.words + TORRENT.key]!
    const bucket = bucketOf(key, this.header[HEADER.torrentBuckets]!)
    let before = this.buckets[bucket]!
    if (before === torrent) {
      this.buckets[bucket] = next
      return
    }
    while (records[before * TORRENT.words + TORRENT.next] !== torrent)
      before = records[before * TORRENT.words + TORRENT.next]!
    records[before * TORRENT.words + TORRENT.next] = next
  }

  #split(): void {
    const { header, records } = this
    const fresh = header[HEADER.torrentBuckets]!
    if (fresh === this.buckets.length) return
    const parent = parentOf(fresh)
    let torrent = this.buckets[parent]!
    this.buckets[parent] = NIL
    this.buckets[fresh] = NIL
    header[HEADER.torrentBuckets] = fresh + 1
    while (torrent !== NIL) {
      const at = torrent * TORRENT.words
      const following = records[at + TORRENT.next]!
      const bucket = bucketOf(records[at + TORRENT.key]!, fresh + 1)
      records[at + TORRENT.next] = this.buckets[bucket]!
      this.buckets[bucket] = torrent
      torrent = following
    }
  }
}
