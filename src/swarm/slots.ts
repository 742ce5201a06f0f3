/**
 * Where the peers of each torrent stand, for one family of one shard. Up to 64 stand in one run of slots;
 * more stand in chunks of 64 listed in a directory, so that growing never copies more than a chunk.
 * Positions 0…count−1 are always filled; what they mean is for peers.ts to say. The caller holds the shard's
 * lock.
 */
import type { Release } from '../memory/reserve.ts'
import type { Account } from './budget.ts'
import {
  BATCH,
  CHUNK,
  CHUNK_ORDER,
  chunkKib,
  DETAIL,
  DIRECTORY_BATCH_KIB,
  DIRECTORY_UNIT,
  directoryBatches,
  FAMILY_HEADER,
  type FamilyRow,
  largeBit,
  NIL,
  PART,
  type PeerArrays,
  partOrder,
  SIZE_MASK,
  TORRENT,
} from './layout.ts'
import { PeerIndex } from './peer-index.ts'
import { Runs } from './runs.ts'

/** A large swarm that fell to this many peers becomes a small one; the gap to 64 damps see-saws. */
const SMALL_AGAIN = CHUNK / 2
/** Order of no run. */
const NONE = -1

export type SlotsOptions = {
  readonly row: FamilyRow
  readonly header: Int32Array
  readonly records: Int32Array
  /** The parts of this family: see TorrentArrays. */
  readonly parts: Int32Array
  readonly arrays: PeerArrays
  readonly account: Account
  readonly release: Release
}

export class Slots {
  readonly index: PeerIndex
  readonly #arrays: PeerArrays
  readonly #records: Int32Array
  readonly #parts: Int32Array
  readonly #partOrder: number
  readonly #bits: number
  readonly #large: number
  readonly #slots: Runs
  readonly #directories: Runs

  constructor({ row, header, records, parts, arrays, account, release }: SlotsOptions) {
    this.index = new PeerIndex(header, row, arrays, release)
    this.#arrays = arrays
    this.#records = records
    this.#parts = parts
    this.#partOrder = partOrder(row)
    this.#bits = row.bits
    this.#large = largeBit(row)
    const slots = arrays.next.length
    const kib = chunkKib(row)
    this.#slots = new Runs({
      header,
      at: row.header + FAMILY_HEADER.slotRuns,
      words: arrays.slotRuns,
      batches: slots / BATCH,
      pay: () => account.pay(kib),
      repay: () => account.repay(kib),
      unused: (from, to) => {
        const { hot, stride, details, next } = arrays
        release(hot, from * BATCH * stride, to * BATCH * stride)
        release(details, from * BATCH * DETAIL.words, to * BATCH * DETAIL.words)
        release(next, from * BATCH, to * BATCH)
      },
    })
    this.#directories = new Runs({
      header,
      at: row.header + FAMILY_HEADER.directoryRuns,
      words: arrays.directoryRuns,
      batches: directoryBatches(slots),
      pay: () => account.pay(DIRECTORY_BATCH_KIB),
      repay: () => account.repay(DIRECTORY_BATCH_KIB),
      unused: (from, to) =>
        release(arrays.directory, from * BATCH * DIRECTORY_UNIT, to * BATCH * DIRECTORY_UNIT),
    })
  }

  /** All slots are free. The caller takes back what was paid for them. */
  reset(): void {
    this.#slots.reset()
    this.#directories.reset()
    this.index.reset()
  }

  isLarge(torrent: number): boolean {
    return (this.#records[torrent * TORRENT.words + TORRENT.flags]! & this.#large) !== 0
  }

  /** Slot of the peer at `position` (0…count−1). */
  slotAt(torrent: number, position: number): number {
    const base = this.#parts[this.#partAt(torrent) + PART.base]!
    if (!this.isLarge(torrent)) return base + position
    const chunk = this.#arrays.directory[base * DIRECTORY_UNIT + (position >>> CHUNK_ORDER)]!
    return chunk * CHUNK + (position & (CHUNK - 1))
  }

  positionOf(torrent: number, slot: number): number {
    if (this.isLarge(torrent))
      return this.#arrays.chunkOrdinal[slot >>> CHUNK_ORDER]! * CHUNK + (slot & (CHUNK - 1))
    return slot - this.#parts[this.#partAt(torrent) + PART.base]!
  }

  /** The peer at `from` now stands at `to`, and what stood there is gone. */
  move(torrent: number, from: number, to: number): void {
    const large = this.isLarge(torrent)
    if (large) this.index.remove(from)
    this.#copy(from, to)
    if (large) this.index.add(to)
  }

  /** Makes sure that position `count` has a slot. false = memory is spent, and nothing was changed. */
  room(torrent: number): boolean {
    const at = this.#partAt(torrent)
    const base = this.#parts[at + PART.base]!
    const count = this.#parts[at + PART.count]!
    if (this.isLarge(torrent)) return (count & (CHUNK - 1)) !== 0 || this.#addChunk(torrent, count)
    const order = this.#order(torrent)
    if (order >= 0 && count < 1 << order) return true
    if (order === CHUNK_ORDER) return this.#toLarge(torrent, base) && this.#addChunk(torrent, count)
    const grown = this.#slots.take(order + 1)
    if (grown === NIL) return false
    if (order >= 0) {
      for (let i = 0; i < count; i++) this.#copy(base + i, grown + i)
      this.#slots.give(base, order)
    }
    this.#parts[at + PART.base] = grown
    this.#setOrder(torrent, order + 1, false)
    return true
  }

  /** Gives memory back after the swarm fell to `count` peers. */
  shrink(torrent: number, count: number): void {
    const at = this.#partAt(torrent)
    const base = this.#parts[at + PART.base]!
    const order = this.#order(torrent)
    if (this.isLarge(torrent)) {
      if (count === SMALL_AGAIN) this.#toSmall(torrent, base, order)
      else if ((count & (CHUNK - 1)) === 0) {
        const last = this.#arrays.directory[base * DIRECTORY_UNIT + (count >>> CHUNK_ORDER)]!
        this.#slots.give(last * CHUNK, CHUNK_ORDER)
      }
    } else if (count === 0) {
      this.#setOrder(torrent, NONE, false)
      this.#slots.give(base, order)
    } else if (count * 4 <= 1 << order) {
      // The peers stay where they are; the second half of the run becomes free.
      this.#setOrder(torrent, order - 1, false)
      this.#slots.give(base + (1 << (order - 1)), order - 1)
    }
  }

  /**
   * Lets the peers at positions `from` to `to`−1 take no more room than they need and stand as low as
   * possible, so that free slots make whole batches.
   */
  compact(torrent: number, from: number, to: number): void {
    if (this.#order(torrent) === NONE) return
    const base = this.#parts[this.#partAt(torrent) + PART.base]!
    if (this.isLarge(torrent)) {
      for (let ordinal = from >>> CHUNK_ORDER; ordinal * CHUNK < to; ordinal++)
        this.#lowerChunk(torrent, base * DIRECTORY_UNIT, ordinal)
      if (from === 0) this.#compactDirectory(torrent, base)
    } else if (from === 0) this.#compactRun(torrent, base)
  }

  /** The torrent has another number from now on. */
  renumber(torrent: number, to: number): void {
    if (!this.isLarge(torrent)) return
    const { directory, chunkTorrent } = this.#arrays
    const at = this.#partAt(torrent)
    const base = this.#parts[at + PART.base]! * DIRECTORY_UNIT
    const count = this.#parts[at + PART.count]!
    for (let position = 0; position < count; position += CHUNK) {
      const chunk = directory[base + (position >>> CHUNK_ORDER)]!
      const first = chunk * CHUNK
      const end = first + Math.min(CHUNK, count - position)
      for (let slot = first; slot < end; slot++) this.index.remove(slot)
      chunkTorrent[chunk] = to
      for (let slot = first; slot < end; slot++) this.index.add(slot)
    }
  }

  /** Gives back what is free, and shortens the index; `most` steps. Fewer than that = it is done. */
  trim(most: number): number {
    let steps = this.#slots.trim(most)
    steps += this.#directories.trim(most - steps)
    return steps + this.index.trim(most - steps)
  }

  #compactRun(torrent: number, base: number): void {
    const at = this.#partAt(torrent)
    const count = this.#parts[at + PART.count]!
    let order = this.#order(torrent)
    while (count * 2 <= 1 << order) {
      this.#setOrder(torrent, --order, false)
      this.#slots.give(base + (1 << order), order)
    }
    const better = this.#slots.takeBetter(base, order)
    if (better === NIL) return
    for (let i = 0; i < count; i++) this.#copy(base + i, better + i)
    this.#parts[at + PART.base] = better
    this.#slots.give(base, order)
  }

  #lowerChunk(torrent: number, directory: number, ordinal: number): void {
    const from = this.#arrays.directory[directory + ordinal]! * CHUNK
    const to = this.#slots.takeBetter(from, CHUNK_ORDER)
    if (to === NIL) return
    const count = this.#parts[this.#partAt(torrent) + PART.count]!
    const filled = Math.min(CHUNK, count - ordinal * CHUNK)
    for (let i = 0; i < filled; i++) this.index.remove(from + i)
    for (let i = 0; i < filled; i++) this.#copy(from + i, to + i)
    this.#enlist(torrent, directory, ordinal, to >>> CHUNK_ORDER)
    for (let i = 0; i < filled; i++) this.index.add(to + i)
    this.#slots.give(from, CHUNK_ORDER)
  }

  #compactDirectory(torrent: number, base: number): void {
    const at = this.#partAt(torrent)
    const chunks = (this.#parts[at + PART.count]! + CHUNK - 1) >>> CHUNK_ORDER
    let order = this.#order(torrent)
    while (order > 0 && chunks * 2 <= DIRECTORY_UNIT << order) {
      this.#setOrder(torrent, --order, true)
      this.#directories.give(base + (1 << order), order)
    }
    const better = this.#directories.takeBetter(base, order)
    if (better === NIL) return
    this.#copyDirectory(base, better, chunks)
    this.#parts[at + PART.base] = better
    this.#directories.give(base, order)
  }

  /** First word of this family's part of the torrent. */
  #partAt(torrent: number): number {
    return torrent << this.#partOrder
  }

  /** Order of the torrent's run, of slots or of directory units; `NONE` = it has no peers. */
  #order(torrent: number): number {
    const flags = this.#records[torrent * TORRENT.words + TORRENT.flags]!
    return ((flags >>> this.#bits) & SIZE_MASK) - 1
  }
  #setOrder(torrent: number, order: number, large: boolean): void {
    const at = torrent * TORRENT.words + TORRENT.flags
    const rest = this.#records[at]! & ~((SIZE_MASK << this.#bits) | this.#large)
    this.#records[at] = rest | ((order + 1) << this.#bits) | (large ? this.#large : 0)
  }

  /** A full run of 64 becomes the first chunk of a large swarm. */
  #toLarge(torrent: number, first: number): boolean {
    const directory = this.#directories.take(0)
    if (directory === NIL) return false
    this.#enlist(torrent, directory * DIRECTORY_UNIT, 0, first >>> CHUNK_ORDER)
    this.#parts[this.#partAt(torrent) + PART.base] = directory
    this.#setOrder(torrent, 0, true)
    for (let i = 0; i < CHUNK; i++) this.index.add(first + i)
    return true
  }

  #toSmall(torrent: number, directory: number, order: number): void {
    const first = this.#arrays.directory[directory * DIRECTORY_UNIT]! * CHUNK
    for (let i = 0; i < SMALL_AGAIN; i++) this.index.remove(first + i)
    this.#directories.give(directory, order)
    this.#parts[this.#partAt(torrent) + PART.base] = first
    this.#setOrder(torrent, CHUNK_ORDER, false)
  }

  #addChunk(torrent: number, count: number): boolean {
    const at = this.#partAt(torrent)
    const order = this.#order(torrent)
    const chunks = count >>> CHUNK_ORDER
    const chunk = this.#slots.take(CHUNK_ORDER)
    if (chunk === NIL) return false
    let base = this.#parts[at + PART.base]!
    if (chunks === DIRECTORY_UNIT << order) {
      const grown = this.#directories.take(order + 1)
      if (grown === NIL) {
        this.#slots.give(chunk, CHUNK_ORDER)
        return false
      }
      this.#copyDirectory(base, grown, chunks)
      this.#directories.give(base, order)
      this.#parts[at + PART.base] = grown
      this.#setOrder(torrent, order + 1, true)
      base = grown
    }
    this.#enlist(torrent, base * DIRECTORY_UNIT, chunks, chunk >>> CHUNK_ORDER)
    return true
  }

  /** `directory`: its first word. */
  #enlist(torrent: number, directory: number, ordinal: number, chunk: number): void {
    this.#arrays.directory[directory + ordinal] = chunk
    this.#arrays.chunkTorrent[chunk] = torrent
    this.#arrays.chunkOrdinal[chunk] = ordinal
  }

  #copyDirectory(base: number, to: number, chunks: number): void {
    const from = base * DIRECTORY_UNIT
    this.#arrays.directory.copyWithin(to * DIRECTORY_UNIT, from, from + chunks)
  }

  #copy(from: number, to: number): void {
    const { hot, stride, details } = this.#arrays
    for (let i = 0; i < stride; i++) hot[to * stride + i] = hot[from * stride + i]!
    for (let i = 0; i < DETAIL.words; i++)
      details[to * DETAIL.words + i] = details[from * DETAIL.words + i]!
  }
}
