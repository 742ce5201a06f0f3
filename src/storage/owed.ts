/**
 * The control thread's side of the ledgers and of the stored counts: takes out what the database is to be
 * asked and told, and puts in what it answered. Holds one lock at a time, for some hundreds of
 * torrents at most, and never waits for one longer than it is told to: its holder may be dead, and
 * who has to notice that is the control thread.
 */
import { HEADER, NIL, TORRENT } from '../swarm/layout.ts'
import { salvage } from '../swarm/salvage.ts'
import type { Shard } from '../swarm/shard.ts'
import type { Swarm } from '../swarm/swarm.ts'
import type { Torrents } from '../swarm/torrents.ts'

/** Info hashes side by side, as a database is given them, and as words. */
export class Hashes {
  readonly words: Int32Array
  readonly bytes: Uint8Array
  count = 0

  constructor(most: number) {
    this.words = new Int32Array(most * 5)
    this.bytes = new Uint8Array(this.words.buffer)
  }
  get most(): number {
    return this.words.length / 5
  }
  /** Those at `places`, in their order, in memory of their own. */
  pick(places: Iterable<number>): Uint8Array {
    const picked = Array.from(places, (place) => this.bytes.subarray(place * 20, place * 20 + 20))
    const packed = new Uint8Array(picked.length * 20)
    for (const [i, hash] of picked.entries()) packed.set(hash, i * 20)
    return packed
  }
}

/** Torrents that were taken out of the ledgers. One is filled again and again. */
export class Dues extends Hashes {
  /** Completions to tell the database of. */
  readonly owed: Float64Array
  /** 1 = its stored count is wanted; the torrent waits for it, though no longer in the ledger. */
  readonly wanted: Uint8Array

  constructor(most: number) {
    super(most)
    this.owed = new Float64Array(most)
    this.wanted = new Uint8Array(most)
  }
}

/** Whether the ledger of `shard` holds anything. Read without its lock. */
export const hasDues = (shard: Shard): boolean =>
  shard.torrents.ledger.on && shard.torrents.header[HEADER.listed]! > 0

/**
 * Takes the `most` torrents that waited for longest, while there is room in `dues`. false = the lock was
 * not to be had for `patience` milliseconds.
 */
export function takeDues(shard: Shard, dues: Dues, most: number, patience: number): boolean {
  return locked(shard, patience, () => {
    const { ledger, records } = shard.torrents
    const end = Math.min(dues.most, dues.count + most)
    for (let torrent = ledger.first(); torrent !== NIL && dues.count < end; ) {
      const { count } = dues
      const at = torrent * TORRENT.words
      for (let i = 0; i < 5; i++) dues.words[count * 5 + i] = records[at + i]!
      dues.wanted[count] = ledger.isWanted(torrent) ? 1 : 0
      dues.owed[count] = ledger.owed(torrent)
      ledger.settle(torrent)
      dues.count++
      torrent = ledger.first()
    }
  })
}

/**
 * Adds the stored count of the torrent `words[at…]` to what it is shown with, unless the torrent is gone
 * or had it already. false = the lock was not to be had for `patience` milliseconds.
 */
export function addStored(
  swarm: Swarm,
  words: Int32Array,
  at: number,
  stored: number,
  patience: number,
): boolean {
  const { hash, key, shard } = placeOf(swarm, words, at)
  const { torrents } = shard
  return locked(shard, patience, () => {
    const torrent = torrents.find(hash, key)
    if (torrent !== NIL) give(torrents, torrent, stored)
  })
}

/** Takes questions of scrapes, `most` at most. false = as above. */
export function takeQuestions(
  shard: Shard,
  hashes: Hashes,
  most: number,
  patience: number,
): boolean {
  const { header, stored } = shard.torrents
  if (header[HEADER.askedFrom] === header[HEADER.askedTo]) return true
  return locked(shard, patience, () => {
    const end = Math.min(hashes.most, hashes.count + most)
    while (hashes.count < end && stored.take(hashes.words, hashes.count * 5)) hashes.count++
  })
}

/**
 * Answers a question of scrapes: for the next one that asks, or to the torrent if it came meanwhile and
 * has no count. Never while a batch is in hand that changes the answer. false = as above.
 */
export function fileStored(
  swarm: Swarm,
  words: Int32Array,
  at: number,
  count: number,
  patience: number,
): boolean {
  const { hash, key, shard } = placeOf(swarm, words, at)
  const { torrents } = shard
  return locked(shard, patience, () => {
    const torrent = torrents.find(hash, key)
    if (torrent === NIL) return torrents.stored.file(hash, key, countOf(count))
    torrents.stored.withdraw(hash, key)
    give(torrents, torrent, count)
  })
}

/** Adds a stored count to what a torrent is shown with, unless it had it already. */
function give(torrents: Torrents, torrent: number, stored: number): void {
  if (!torrents.ledger.isWanted(torrent)) return
  // First, because a count that is missed is better than one that is added twice.
  torrents.ledger.unwant(torrent)
  torrents.addDownloads(torrent, countOf(stored))
}

/** Where the torrent `words[at…]` stands, if it does. */
function placeOf(swarm: Swarm, words: Int32Array, at: number) {
  const hash = words.subarray(at, at + 5)
  const key = swarm.key(hash)
  return { hash, key, shard: swarm.shardOf(key) }
}

/** What a database says, as far as it can be counted. */
const countOf = (stored: number): number =>
  stored > 0 ? Math.min(stored, Number.MAX_SAFE_INTEGER) : 0

function locked(shard: Shard, patience: number, change: () => void): boolean {
  if (!shard.lock.tryAcquire(patience)) return false
  try {
    change()
    return true
  } catch (error) {
    salvage(shard)
    throw error
  } finally {
    shard.lock.release()
  }
}
