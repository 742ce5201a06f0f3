/**
 * Lists torrents for people, ascending by info hash: a page of millions, without sorting them all. Counting
 * finds the stretch of info hashes in which the page begins; only its torrents are copied, under their shard's
 * lock, and sorted. Where many crowd into one stretch, as strangers can make them, the next digits are counted,
 * so that no more than some thousands are ever in hand.
 */
import { EPOCH, LIMB, NIL, seenAt, TORRENT } from '../swarm/layout.ts'
import type { Peers } from '../swarm/peers.ts'
import type { Shard } from '../swarm/shard.ts'
import type { Swarm } from '../swarm/swarm.ts'
import { patiently, Turns } from '../time/turns.ts'
import {
  countByDigit,
  DIGIT_VALUES,
  DIGITS,
  inOrder,
  isWithin,
  movesOf,
  type Stretch,
  salvagesOf,
  torrentsWithin,
} from './order.ts'

export type TorrentSummary = {
  /** 40 lower-case hex digits. */
  readonly infoHash: string
  readonly seeders: number
  readonly leechers: number
  /** Times the torrent was completed. */
  readonly downloaded: number
}

/** Torrents in hand at once, about; and summaries given at once. */
const MOST_IN_HAND = 32_768
const MOST_AT_ONCE = 2_000
/** Torrents and peers looked at while a lock is held: well under a millisecond. */
const UNITS = 250
/** The first times fewer: until the engine has compiled it, the code is many times slower. */
const FIRST_UNITS = 4
/** Before every second. */
const NEVER = -0x8000_0000
/** Words of a row: the info hash, three counts, the LIMBs of the last. */
const ROW = { seeders: 5, leechers: 6, downloaded: 7, downloadedHigh: 8, words: 9 } as const

export class Listing {
  readonly #swarm: Swarm
  /** How long a lock may stay busy until the list is given up; undefined = as time/turns.ts says. */
  readonly #longestWait: number | undefined
  #units = FIRST_UNITS

  /** A list is given up when a lock stays busy for `longestWaitMilliseconds`; undefined = as turns.ts says. */
  constructor(swarm: Swarm, longestWaitMilliseconds?: number) {
    this.#swarm = swarm
    this.#longestWait = longestWaitMilliseconds
  }

  /**
   * `limit` torrents behind the first `offset`. Peers last seen at second `cutoff` or before do not count,
   * except in a swarm of more than 64 until the next sweep: as a scrape counts. Torrents that come or go
   * meanwhile may be listed or not; none is listed twice, and none that never was there. Rejects when a shard
   * stays locked.
   */
  async *list(
    cutoff: number,
    offset: number,
    limit: number,
  ): AsyncGenerator<readonly TorrentSummary[], void, void> {
    const turns = new Turns()
    let skip = offset
    for (let left = limit, after: readonly number[] | undefined = []; left > 0 && after; ) {
      const part = await this.#stretch(after, skip, left, turns)
      if (part === undefined) return
      const rows = new Rows(await this.#collect(part.stretch, cutoff - EPOCH, turns))
      const taken = Math.min(rows.count, part.skip + left)
      for (let from = part.skip; from < taken; from += MOST_AT_ONCE) {
        if (turns.isOver) await turns.next()
        yield rows.summaries(from, Math.min(from + MOST_AT_ONCE, taken))
      }
      left -= Math.max(0, taken - part.skip)
      skip = Math.max(0, part.skip - rows.count)
      after = part.isLast ? undefined : [...part.stretch.prefix, part.stretch.high]
    }
  }

  /** Summaries of those that are known, in the order asked, repetitions repeated. */
  async summaries(cutoff: number, hashes: readonly Int32Array[]): Promise<TorrentSummary[]> {
    const turns = new Turns()
    const found = new Int32Array(hashes.length * ROW.words)
    let count = 0
    for (const words of hashes) {
      const hash = this.#swarm.hash(words)
      const shard = this.#swarm.shardOf(hash)
      await this.#hold(shard, () => {
        const torrent = shard.torrents.find(words, hash)
        if (torrent !== NIL) copy(shard, torrent, cutoff - EPOCH, found, count++)
      })
      if (turns.isOver) await turns.next()
    }
    return summaries(found, Array(count).keys())
  }

  /**
   * The stretch behind `after` that begins at or before torrent number `skip` and holds `want` more, or as many
   * as may be in hand; and how many of them are still to be skipped. undefined = there are no more than `skip`.
   */
  async #stretch(
    after: readonly number[],
    skip: number,
    want: number,
    turns: Turns,
  ): Promise<{ stretch: Stretch; skip: number; isLast: boolean } | undefined> {
    const prefix: number[] = []
    for (;;) {
      const counts = await this.#undisturbed(this.#swarm.shards, salvagesOf, () =>
        countByDigit(this.#swarm, prefix, after, turns),
      )
      const first = prefix.length === 0 ? (after[0] ?? 0) : 0
      const skipsNone = skip === 0
      let low = first
      while (low < DIGIT_VALUES && counts[low]! <= skip) skip -= counts[low++]!
      if (low === DIGIT_VALUES) {
        if (prefix.length === 0 && skipsNone)
          return { stretch: { prefix, low: first, high: low - 1, after }, skip, isLast: true }
        if (prefix.length === 0) return undefined
        // Some that begin like this are gone meanwhile: go on behind them.
        after = [...prefix]
        prefix.length = 0
        continue
      }
      if (counts[low]! > MOST_IN_HAND && prefix.length < DIGITS - 1) {
        prefix.push(low)
        continue
      }
      let high = low
      let held = counts[low]!
      const enough = Math.min(MOST_IN_HAND, skip + want)
      while (high < DIGIT_VALUES - 1 && held < enough && held + counts[high + 1]! <= MOST_IN_HAND)
        held += counts[++high]!
      const isLast = prefix.length === 0 && high === DIGIT_VALUES - 1
      // A sweep may have moved some past the count, unseen. They may be left out only where some are skipped.
      if (skipsNone) low = first
      return { stretch: { prefix, low, high, after }, skip, isLast }
    }
  }

  /** Rows of the torrents of a stretch, in no order. */
  async #collect(stretch: Stretch, cutoff: number, turns: Turns): Promise<Int32Array[]> {
    const parts: Int32Array[] = []
    for (const shard of this.#swarm.shards)
      parts.push(
        await this.#undisturbed([shard], movesOf, () =>
          this.#collectFrom(shard, stretch, cutoff, turns),
        ),
      )
    return parts
  }

  /** Runs `work`, which takes less than a millisecond, with the lock of `shard`. */
  #hold(shard: Shard, work: () => void): Promise<true> {
    const attempt = () =>
      shard.tryRead(0, () => {
        work()
        return true as const
      })
    return patiently(attempt, this.#longestWait)
  }

  /** What `look` sees of the shards when `changes` says the same of each of them before and after. */
  async #undisturbed<T>(
    shards: readonly Shard[],
    changes: (shard: Shard) => number | undefined,
    look: () => Promise<T>,
  ): Promise<T> {
    for (;;) {
      const before: number[] = []
      for (const shard of shards)
        before.push(await patiently(() => changes(shard), this.#longestWait))
      const seen = await look()
      if (shards.every((shard, i) => changes(shard) === before[i])) return seen
    }
  }

  async #collectFrom(
    shard: Shard,
    stretch: Stretch,
    cutoff: number,
    turns: Turns,
  ): Promise<Int32Array> {
    const { records } = shard.torrents
    const found = await torrentsWithin(shard, stretch, turns)
    const rows = new Int32Array(found.length * ROW.words)
    let count = 0
    for (let next = 0; next < found.length; ) {
      const slice = () => {
        for (let units = this.#units; units > 0 && next < found.length; next++) {
          const torrent = found[next]!
          units--
          if (!shard.torrents.isUsed(torrent)) continue
          if (!isWithin(records, torrent * TORRENT.words, stretch)) continue
          units -= copy(shard, torrent, cutoff, rows, count++)
        }
      }
      await this.#hold(shard, slice)
      if (this.#units < UNITS) this.#units++
      if (turns.isOver) await turns.next()
    }
    return rows.subarray(0, count * ROW.words)
  }
}

/** Rows of several shards in the order of their info hashes, none twice. */
class Rows {
  readonly #rows: Int32Array
  readonly #order: Uint32Array

  constructor(parts: readonly Int32Array[]) {
    this.#rows = new Int32Array(parts.reduce((sum, part) => sum + part.length, 0))
    let end = 0
    for (const part of parts) {
      this.#rows.set(part, end)
      end += part.length
    }
    this.#order = inOrder(this.#rows, ROW.words)
  }
  get count(): number {
    return this.#order.length
  }
  summaries(from: number, to: number): TorrentSummary[] {
    return summaries(this.#rows, this.#order.subarray(from, to))
  }
}

function summaries(rows: Int32Array, order: Iterable<number>): TorrentSummary[] {
  const bytes = Buffer.from(rows.buffer, rows.byteOffset, rows.byteLength)
  return Array.from(order, (row) => {
    const at = row * ROW.words
    return {
      infoHash: bytes.toString('hex', at * 4, at * 4 + 20),
      seeders: rows[at + ROW.seeders]!,
      leechers: rows[at + ROW.leechers]!,
      downloaded: rows[at + ROW.downloaded]! + rows[at + ROW.downloadedHigh]! * LIMB,
    }
  })
}

/** Writes row number `row`; the caller holds the shard's lock. Peers looked at. */
function copy(
  shard: Shard,
  torrent: number,
  cutoff: number,
  rows: Int32Array,
  row: number,
): number {
  const { records } = shard.torrents
  const at = torrent * TORRENT.words
  const to = row * ROW.words
  for (let i = 0; i < 5; i++) rows[to + i] = records[at + i]!
  rows[to + ROW.seeders] = 0
  rows[to + ROW.leechers] = 0
  const downloaded = shard.torrents.downloaded(torrent)
  rows[to + ROW.downloaded] = downloaded % LIMB
  rows[to + ROW.downloadedHigh] = Math.floor(downloaded / LIMB)
  // Mostly not even the oldest peer is gone, and none has to be looked at.
  const since = records[at + TORRENT.oldest]! > cutoff ? NEVER : cutoff
  let looked = 0
  for (const peers of shard.families) looked += countPeers(peers, torrent, since, rows, to)
  return looked
}

/** Adds the peers of one family to the row at `to`. Peers looked at. */
function countPeers(
  peers: Peers,
  torrent: number,
  cutoff: number,
  rows: Int32Array,
  to: number,
): number {
  const count = peers.count(torrent)
  const leechers = peers.leechers(torrent)
  if (cutoff === NEVER || peers.slots.isLarge(torrent)) {
    rows[to + ROW.seeders]! += count - leechers
    rows[to + ROW.leechers]! += leechers
    return 0
  }
  for (let position = 0; position < count; position++)
    if (seenAt(peers.arrays, peers.slots.slotAt(torrent, position)) > cutoff)
      rows[to + (position < leechers ? ROW.leechers : ROW.seeders)]!++
  return count
}
