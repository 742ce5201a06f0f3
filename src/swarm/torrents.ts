/**
 * The torrents of one shard: fixed records found by info hash through a linear hash table. Knows
 * nothing of peers but that a torrent has two families of them. The caller holds the shard's lock.
 */
import { bucketOf, parentOf } from '../hash.ts'
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
import { StoredCounts } from './stored.ts'

export class Torrents {
  readonly header: Int32Array
  readonly records: Int32Array
  readonly buckets: Int32Array
  readonly ledger: Ledger
  /** Of torrents that are not here. */
  readonly stored: StoredCounts
  readonly #downloadedHigh: Int32Array
  readonly #charge: (kib: number) => boolean

  constructor(arrays: TorrentArrays, charge: (kib: number) => boolean) {
    this.header = arrays.header
    this.records = arrays.records
    this.buckets = arrays.buckets
    this.ledger = new Ledger(arrays)
    this.stored = new StoredCounts(arrays)
    this.#downloadedHigh = arrays.downloadedHigh
    this.#charge = charge
  }

  /** No torrents; what was handed out before stays paid for. */
  reset(): void {
    const { header } = this
    header[HEADER.rescues]! |= 1
    header[HEADER.busy] = NIL
    header[HEADER.torrents] = 0
    header[HEADER.downloads] = 0
    header[HEADER.downloadsHigh] = 0
    header[HEADER.torrentBuckets] = 1
    header[HEADER.torrentFree] = NIL
    this.buckets[0] = NIL
    this.ledger.reset()
    this.stored.reset()
    for (let torrent = header[HEADER.torrentHigh]! - 1; torrent >= 0; torrent--) this.#free(torrent)
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
    const torrent = this.#take()
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
    const bucket = bucketOf(records[at + TORRENT.key]!, header[HEADER.torrentBuckets]!)
    let before = this.buckets[bucket]!
    if (before === torrent) this.buckets[bucket] = records[at + TORRENT.next]!
    else {
      while (records[before * TORRENT.words + TORRENT.next] !== torrent)
        before = records[before * TORRENT.words + TORRENT.next]!
      records[before * TORRENT.words + TORRENT.next] = records[at + TORRENT.next]!
    }
    header[HEADER.torrents]!--
    this.#addToSum(-this.downloaded(torrent))
    this.#free(torrent)
  }

  #free(torrent: number): void {
    const at = torrent * TORRENT.words
    // Nothing may be left to believe: whoever dies between `create` and the first peer is salvaged too.
    this.records.fill(0, at, at + TORRENT.words)
    this.records[at + TORRENT.next] = this.header[HEADER.torrentFree]!
    this.header[HEADER.torrentFree] = torrent
  }

  #take(): number {
    const { header, records } = this
    const free = header[HEADER.torrentFree]!
    if (free !== NIL) {
      header[HEADER.torrentFree] = records[free * TORRENT.words + TORRENT.next]!
      return free
    }
    const high = header[HEADER.torrentHigh]!
    if (high === this.buckets.length) return NIL
    if (high % TORRENT_BATCH === 0 && !this.#charge(TORRENT_BATCH_KIB)) return NIL
    header[HEADER.torrentHigh] = high + 1
    return high
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
