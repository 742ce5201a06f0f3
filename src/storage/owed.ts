/**
 * The control thread's side of the ledgers and of the stored counts in the swarm: takes out what is owed to
 * the database and what is to be looked up there, and puts in the answers. Holds one lock at a time, for some
 * hundreds of torrents at most, and never waits for it: its holder may be dead, and the control thread is the one
 * to notice.
 */
import { HEADER, NIL, TORRENT } from '../swarm/layout.ts'
import type { Shard } from '../swarm/shard.ts'
import type { Swarm } from '../swarm/swarm.ts'
import type { Torrents } from '../swarm/torrents.ts'
import { patiently, Turns } from '../time/turns.ts'

/** Info hashes side by side, as words and as the bytes that a database takes. */
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
  /** The hashes at `places`, in their order, in memory of their own. */
  pick(places: Iterable<number>): Uint8Array {
    const picked = Array.from(places, (place) => this.bytes.subarray(place * 20, place * 20 + 20))
    const packed = new Uint8Array(picked.length * 20)
    for (const [i, hash] of picked.entries()) packed.set(hash, i * 20)
    return packed
  }
}

/** Torrents that were taken out of the ledgers. The memory is used again and again. */
export class OwedTorrents extends Hashes {
  /** Completions that the database does not have. */
  readonly owed: Float64Array
  /** 1 = its stored count is wanted: the torrent waits for it, although it left the ledger. */
  readonly wanted: Uint8Array

  constructor(most: number) {
    super(most)
    this.owed = new Float64Array(most)
    this.wanted = new Uint8Array(most)
  }
}

/** Whether the ledger of `shard` holds anything. Read without its lock. */
export const hasOwed = (shard: Shard): boolean =>
  shard.torrents.ledger.on && shard.torrents.header[HEADER.listed]! > 0

/** Takes the `most` torrents that waited longest, while there is room in `into`. false = the lock is busy. */
export function takeOwed(shard: Shard, into: OwedTorrents, most: number): boolean {
  return locked(shard, () => {
    const { ledger, records } = shard.torrents
    const end = Math.min(into.most, into.count + most)
    for (let torrent = ledger.first(); torrent !== NIL && into.count < end; ) {
      const { count } = into
      const at = torrent * TORRENT.words
      for (let i = 0; i < 5; i++) into.words[count * 5 + i] = records[at + i]!
      into.wanted[count] = ledger.isWanted(torrent) ? 1 : 0
      into.owed[count] = ledger.owed(torrent)
      ledger.settle(torrent)
      into.count++
      torrent = ledger.first()
    }
  })
}

/**
 * Adds the stored count of the torrent `words[at…]` to the count that clients see, unless the torrent is gone
 * or had it already. false = the lock is busy.
 */
export function addStored(swarm: Swarm, words: Int32Array, at: number, stored: number): boolean {
  const { infoHash, hash, shard } = placeOf(swarm, words, at)
  const { torrents } = shard
  return locked(shard, () => {
    const torrent = torrents.find(infoHash, hash)
    if (torrent !== NIL) give(torrents, torrent, stored)
  })
}

/** Takes the info hashes that scrapes want looked up, at most `most`. false = as above. */
export function takeLookups(shard: Shard, into: Hashes, most: number): boolean {
  const { header, stored } = shard.torrents
  if (header[HEADER.askedFrom] === header[HEADER.askedTo]) return true
  return locked(shard, () => {
    const end = Math.min(into.most, into.count + most)
    while (into.count < end && stored.take(into.words, into.count * 5)) into.count++
  })
}

/**
 * Answers a lookup: for the next scrape, or to the torrent if it came in the meantime and has no count. Never
 * while a batch is in hand that changes the answer. false = as above.
 */
export function answerLookup(swarm: Swarm, words: Int32Array, at: number, count: number): boolean {
  const { infoHash, hash, shard } = placeOf(swarm, words, at)
  const { torrents } = shard
  return locked(shard, () => {
    const torrent = torrents.find(infoHash, hash)
    if (torrent === NIL) return torrents.stored.file(infoHash, hash, countOf(count))
    torrents.stored.withdraw(infoHash, hash)
    give(torrents, torrent, count)
  })
}

/**
 * Calls `change` for 0 to `count` − 1 with turns of the event loop between them. While it returns false, a lock
 * is busy: it is called again a little later, for as long as it takes. Ends early once `isOver`.
 */
export async function applyEach(
  count: number,
  change: (i: number) => boolean,
  isOver: () => boolean,
): Promise<void> {
  const turns = new Turns()
  for (let i = 0; i < count && !isOver(); i++) {
    if (!change(i))
      await patiently(() => isOver() || change(i) || undefined, Number.POSITIVE_INFINITY)
    if (turns.isOver) await turns.next()
  }
}

/** Adds a stored count to the count that clients see, unless the torrent had it already. */
function give(torrents: Torrents, torrent: number, stored: number): void {
  if (!torrents.ledger.isWanted(torrent)) return
  // First, because a missing count is better than one that is added twice.
  torrents.ledger.unwant(torrent)
  torrents.addDownloads(torrent, countOf(stored))
}

/** Where the torrent `words[at…]` is, if it exists. */
function placeOf(swarm: Swarm, words: Int32Array, at: number) {
  const infoHash = words.subarray(at, at + 5)
  const hash = swarm.hash(infoHash)
  return { infoHash, hash, shard: swarm.shardOf(hash) }
}

/** The answer of a database, as far as the swarm can count. */
const countOf = (stored: number): number =>
  stored > 0 ? Math.min(stored, Number.MAX_SAFE_INTEGER) : 0

const locked = (shard: Shard, change: () => void): boolean =>
  shard.tryHold(() => {
    change()
    return true
  }) ?? false
