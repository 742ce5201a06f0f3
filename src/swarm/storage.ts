/**
 * Where the peers of each torrent stand, for one family of one shard. Up to 64 stand in one run of
 * slots; more stand in chunks of 64 listed in a directory, so that growing never copies more than
 * a chunk. Positions 0…count−1 are always filled; what they mean is for peers.ts to say.
 */
import type { Family } from '../bittorrent.ts'
import {
  CHUNK,
  CHUNK_ORDER,
  chunkKib,
  DETAIL,
  DIRECTORY_BATCH_KIB,
  DIRECTORY_ORDERS,
  DIRECTORY_UNIT,
  FAMILY_HEADER,
  HEADER,
  LARGE,
  NIL,
  ORDER_MASK,
  ORDER_SHIFT,
  type PeerArrays,
  SLOT_ORDERS,
  SWARM,
  TORRENT,
} from './layout.ts'
import { PeerIndex } from './peer-index.ts'
import { Runs } from './runs.ts'

/** A large swarm that fell to this many peers becomes a small one; the gap to 64 damps see-saws. */
const SMALL_AGAIN = CHUNK / 2

export type StorageOptions = {
  readonly family: Family
  readonly header: Int32Array
  readonly records: Int32Array
  readonly arrays: PeerArrays
  /** Asks the budget for that many KiB. */
  readonly charge: (kib: number) => boolean
}

export class Storage {
  readonly index: PeerIndex
  readonly #arrays: PeerArrays
  readonly #records: Int32Array
  readonly #part: number
  readonly #shift: number
  readonly #large: number
  readonly #slots: Runs
  readonly #directories: Runs

  constructor({ family, header, records, arrays, charge }: StorageOptions) {
    const totals = family === 4 ? HEADER.v4 : HEADER.v6
    this.index = new PeerIndex(header, family, arrays)
    this.#arrays = arrays
    this.#records = records
    this.#part = family === 4 ? TORRENT.v4 : TORRENT.v6
    this.#shift = ORDER_SHIFT[family]
    this.#large = LARGE[family]
    this.#slots = new Runs({
      header,
      high: totals + FAMILY_HEADER.slotHigh,
      heads: totals + FAMILY_HEADER.slotFree,
      orders: SLOT_ORDERS,
      links: arrays.details,
      stride: DETAIL.words,
      marks: arrays.hot,
      markStride: arrays.stride,
      capacity: arrays.next.length,
      charge: (batches) => charge(batches * chunkKib(family)),
    })
    this.#directories = new Runs({
      header,
      high: totals + FAMILY_HEADER.directoryHigh,
      heads: totals + FAMILY_HEADER.directoryFree,
      orders: DIRECTORY_ORDERS,
      links: arrays.directory,
      stride: DIRECTORY_UNIT,
      marks: arrays.directoryMarks,
      markStride: 1,
      capacity: arrays.directoryMarks.length,
      charge: (batches) => charge(batches * DIRECTORY_BATCH_KIB),
    })
  }

  /** Nothing is stored; what was handed out before stays paid for. */
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
    const base = this.#records[torrent * TORRENT.words + this.#part + SWARM.base]!
    if (!this.isLarge(torrent)) return base + position
    const chunk = this.#arrays.directory[base * DIRECTORY_UNIT + (position >>> CHUNK_ORDER)]!
    return chunk * CHUNK + (position & (CHUNK - 1))
  }

  positionOf(torrent: number, slot: number): number {
    if (this.isLarge(torrent))
      return this.#arrays.chunkOrdinal[slot >>> CHUNK_ORDER]! * CHUNK + (slot & (CHUNK - 1))
    return slot - this.#records[torrent * TORRENT.words + this.#part + SWARM.base]!
  }

  /** The peer at `from` now lives at `to`, whose own content is gone. */
  move(torrent: number, from: number, to: number): void {
    const large = this.isLarge(torrent)
    if (large) this.index.remove(from)
    this.#copy(from, to)
    if (large) this.index.add(to)
  }

  /** Makes sure that position `count` has a slot. Changes nothing when it answers false. */
  room(torrent: number): boolean {
    const at = torrent * TORRENT.words + this.#part
    const base = this.#records[at + SWARM.base]!
    const count = this.#records[at + SWARM.count]!
    if (this.isLarge(torrent)) return (count & (CHUNK - 1)) !== 0 || this.#addChunk(torrent, count)
    const order = base === NIL ? -1 : this.#order(torrent)
    if (order >= 0 && count < 1 << order) return true
    if (order === CHUNK_ORDER) return this.#toLarge(torrent, base) && this.#addChunk(torrent, count)
    const grown = this.#slots.take(order + 1)
    if (grown === NIL) return false
    if (order >= 0) {
      for (let i = 0; i < count; i++) this.#copy(base + i, grown + i)
      this.#slots.give(base, order)
    }
    this.#records[at + SWARM.base] = grown
    this.#setOrder(torrent, order + 1, false)
    return true
  }

  /** Gives memory back after the swarm fell to `count` peers. */
  shrink(torrent: number, count: number): void {
    const at = torrent * TORRENT.words + this.#part
    const base = this.#records[at + SWARM.base]!
    const order = this.#order(torrent)
    if (this.isLarge(torrent)) {
      if (count === SMALL_AGAIN) this.#toSmall(torrent, base, order)
      else if ((count & (CHUNK - 1)) === 0) {
        const last = this.#arrays.directory[base * DIRECTORY_UNIT + (count >>> CHUNK_ORDER)]!
        this.#slots.give(last * CHUNK, CHUNK_ORDER)
      }
    } else if (count === 0) {
      this.#records[at + SWARM.base] = NIL
      this.#slots.give(base, order)
    } else if (count * 4 <= 1 << order) {
      // The peers stay where they are; the second half of the run becomes free.
      this.#setOrder(torrent, order - 1, false)
      this.#slots.give(base + (1 << (order - 1)), order - 1)
    }
  }

  #order(torrent: number): number {
    return (this.#records[torrent * TORRENT.words + TORRENT.flags]! >>> this.#shift) & ORDER_MASK
  }
  #setOrder(torrent: number, order: number, large: boolean): void {
    const at = torrent * TORRENT.words + TORRENT.flags
    const rest = this.#records[at]! & ~((ORDER_MASK << this.#shift) | this.#large)
    this.#records[at] = rest | (order << this.#shift) | (large ? this.#large : 0)
  }

  /** A full run of 64 becomes the first chunk of a large swarm. */
  #toLarge(torrent: number, first: number): boolean {
    const directory = this.#directories.take(0)
    if (directory === NIL) return false
    this.#enlist(torrent, directory, 0, first >>> CHUNK_ORDER)
    this.#records[torrent * TORRENT.words + this.#part + SWARM.base] = directory
    this.#setOrder(torrent, 0, true)
    for (let i = 0; i < CHUNK; i++) this.index.add(first + i)
    return true
  }

  #toSmall(torrent: number, directory: number, order: number): void {
    const first = this.#arrays.directory[directory * DIRECTORY_UNIT]! * CHUNK
    for (let i = 0; i < SMALL_AGAIN; i++) this.index.remove(first + i)
    this.#directories.give(directory, order)
    this.#records[torrent * TORRENT.words + this.#part + SWARM.base] = first
    this.#setOrder(torrent, CHUNK_ORDER, false)
  }

  #addChunk(torrent: number, count: number): boolean {
    const at = torrent * TORRENT.words + this.#part
    const order = this.#order(torrent)
    const chunks = count >>> CHUNK_ORDER
    const chunk = this.#slots.take(CHUNK_ORDER)
    if (chunk === NIL) return false
    let base = this.#records[at + SWARM.base]!
    if (chunks === DIRECTORY_UNIT << order) {
      const grown = this.#directories.take(order + 1)
      if (grown === NIL) {
        this.#slots.give(chunk, CHUNK_ORDER)
        return false
      }
      const from = base * DIRECTORY_UNIT
      this.#arrays.directory.copyWithin(grown * DIRECTORY_UNIT, from, from + chunks)
      this.#directories.give(base, order)
      this.#records[at + SWARM.base] = grown
      this.#setOrder(torrent, order + 1, true)
      base = grown
    }
    this.#enlist(torrent, base, chunks, chunk >>> CHUNK_ORDER)
    return true
  }

  #enlist(torrent: number, directory: number, ordinal: number, chunk: number): void {
    this.#arrays.directory[directory * DIRECTORY_UNIT + ordinal] = chunk
    this.#arrays.chunkTorrent[chunk] = torrent
    this.#arrays.chunkOrdinal[chunk] = ordinal
  }

  #copy(from: number, to: number): void {
    const { hot, stride, details } = this.#arrays
    for (let i = 0; i < stride; i++) hot[to * stride + i] = hot[from * stride + i]!
    for (let i = 0; i < DETAIL.words; i++)
      details[to * DETAIL.words + i] = details[from * DETAIL.words + i]!
  }
}
