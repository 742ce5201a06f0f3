/**
 * The peers of one family in one shard: who is in a swarm, and on which side. Positions
 * 0…leechers−1 of a swarm are leechers and the rest seeders, so that either side can be copied as a
 * run. A slot is only valid until the next insert, update or remove in the same swarm. The
 * caller holds the shard's lock.
 */
import { type Announce, COUNT } from '../bittorrent.ts'
import {
  COUNTED,
  DETAIL,
  endpointHalves,
  FAMILY_HEADER,
  flagsAt,
  HEADER,
  LEECHED,
  MOST,
  NIL,
  type PeerArrays,
  SKEW,
  SWARM,
  seenAt,
  TORRENT,
} from './layout.ts'
import { Storage, type StorageOptions } from './slots.ts'

export class Peers {
  readonly arrays: PeerArrays
  /** Halves of one endpoint. */
  readonly width: 3 | 9
  readonly storage: Storage
  readonly #header: Int32Array
  readonly #records: Int32Array
  readonly #seeders: number
  readonly #leechers: number
  readonly #part: number

  constructor(options: StorageOptions) {
    const totals = options.family === 4 ? HEADER.v4 : HEADER.v6
    this.arrays = options.arrays
    this.width = endpointHalves(options.family)
    this.storage = new Storage(options)
    this.#header = options.header
    this.#records = options.records
    this.#seeders = totals + FAMILY_HEADER.seeders
    this.#leechers = totals + FAMILY_HEADER.leechers
    this.#part = options.family === 4 ? TORRENT.v4 : TORRENT.v6
  }

  reset(): void {
    this.#header[this.#seeders] = 0
    this.#header[this.#leechers] = 0
    this.storage.reset()
  }

  /** Prepares a torrent that was just created. */
  begin(torrent: number): void {
    const at = torrent * TORRENT.words + this.#part
    this.#records[at + SWARM.base] = NIL
    this.#records[at + SWARM.count] = 0
    this.#records[at + SWARM.leechers] = 0
  }

  /** Leechers and seeders of a torrent. */
  count(torrent: number): number {
    return this.#records[torrent * TORRENT.words + this.#part + SWARM.count]!
  }
  leechers(torrent: number): number {
    return this.#records[torrent * TORRENT.words + this.#part + SWARM.leechers]!
  }

  /** Slot of the peer with the endpoint at `halves[0…]`; NIL = none. */
  find(torrent: number, halves: Uint16Array): number {
    const count = this.count(torrent)
    if (count === 0) return NIL
    if (this.storage.isLarge(torrent)) return this.storage.index.find(torrent, halves)
    const { hot, stride } = this.arrays
    const last = this.width - 1
    const base = this.#records[torrent * TORRENT.words + this.#part + SWARM.base]!
    // The port is what differs most: compare it first.
    const port = halves[last]!
    for (let slot = base, at = base * stride; slot < base + count; slot++, at += stride) {
      if (hot[at + last] !== port) continue
      let half = 0
      while (half < last && hot[at + half] === halves[half]) half++
      if (half === last) return slot
    }
    return NIL
  }

  /** Adds the announcing peer, which must not be here yet. Its slot, or NIL when memory is spent. */
  insert(torrent: number, announce: Announce, now: number): number {
    if (!this.storage.room(torrent)) return NIL
    const at = torrent * TORRENT.words + this.#part
    const count = this.#records[at + SWARM.count]!
    const seeder = isSeeder(announce)
    let slot = this.storage.slotAt(torrent, count)
    if (seeder) this.#header[this.#seeders]!++
    else {
      this.#header[this.#leechers]!++
      const leechers = this.#records[at + SWARM.leechers]!
      if (leechers < count) {
        const border = this.storage.slotAt(torrent, leechers)
        this.storage.move(torrent, border, slot)
        slot = border
      }
      this.#records[at + SWARM.leechers] = leechers + 1
    }
    this.#records[at + SWARM.count] = count + 1
    this.#write(slot, announce, now, seeder ? 0 : LEECHED)
    if (this.storage.isLarge(torrent)) this.storage.index.add(slot)
    return slot
  }

  /** Replaces all that is known of the peer at `slot` but its past. Its slot afterwards. */
  update(torrent: number, slot: number, announce: Announce, now: number): number {
    const leechers = this.leechers(torrent)
    const seeder = isSeeder(announce)
    const past = (flagsAt(this.arrays, slot) & (LEECHED | COUNTED)) | (seeder ? 0 : LEECHED)
    if (this.storage.positionOf(torrent, slot) < leechers === seeder) {
      // It changes sides: the peer at the border takes its place, then the border moves past it.
      const border = this.storage.slotAt(torrent, seeder ? leechers - 1 : leechers)
      const large = this.storage.isLarge(torrent)
      if (large) this.storage.index.remove(slot)
      if (border !== slot) this.storage.move(torrent, border, slot)
      const step = seeder ? -1 : 1
      this.#records[torrent * TORRENT.words + this.#part + SWARM.leechers] = leechers + step
      this.#header[this.#leechers]! += step
      this.#header[this.#seeders]! -= step
      this.#write(border, announce, now, past)
      if (large) this.storage.index.add(border)
      return border
    }
    this.#write(slot, announce, now, past)
    return slot
  }

  remove(torrent: number, slot: number): void {
    const at = torrent * TORRENT.words + this.#part
    const last = this.#records[at + SWARM.count]! - 1
    const leechers = this.#records[at + SWARM.leechers]!
    let hole = slot
    const leecher = this.storage.positionOf(torrent, slot) < leechers
    if (this.storage.isLarge(torrent)) this.storage.index.remove(slot)
    if (leecher) {
      const border = this.storage.slotAt(torrent, leechers - 1)
      if (border !== hole) this.storage.move(torrent, border, hole)
      hole = border
      this.#records[at + SWARM.leechers] = leechers - 1
      this.#header[this.#leechers]!--
    } else this.#header[this.#seeders]!--
    const tail = this.storage.slotAt(torrent, last)
    if (tail !== hole) this.storage.move(torrent, tail, hole)
    this.#records[at + SWARM.count] = last
    this.storage.shrink(torrent, last)
  }

  /** Whether this is the first completion of a peer that was seen with bytes left; remembers it. */
  complete(slot: number): boolean {
    const flags = flagsAt(this.arrays, slot)
    if ((flags & (LEECHED | COUNTED)) !== LEECHED) return false
    this.setFlags(slot, flags | COUNTED)
    return true
  }

  /**
   * Forgets peers last seen at `cutoff` or before, among positions `from` to `to`−1, downwards. Those seen
   * well after `now`, by a clock that was ahead, count as seen now. When the oldest of the rest was seen.
   */
  expire(torrent: number, from: number, to: number, cutoff: number, now: number): number {
    let oldest = MOST
    for (let position = to - 1; position >= from; position--) {
      const slot = this.storage.slotAt(torrent, position)
      const seen = seenAt(this.arrays, slot)
      // What moves into the hole stood higher and was looked at already.
      if (seen <= cutoff) {
        this.remove(torrent, slot)
        continue
      }
      if (seen > now + SKEW) {
        this.#setSeen(slot, now)
        if (now < oldest) oldest = now
      } else if (seen < oldest) oldest = seen
    }
    return oldest
  }

  setFlags(slot: number, flags: number): void {
    const { hot, stride } = this.arrays
    hot[(slot + 1) * stride - 1] = flags
  }

  #setSeen(slot: number, seen: number): void {
    const { hot, stride } = this.arrays
    const at = slot * stride + this.width
    hot[at] = seen
    hot[at + 1] = seen >>> 16
  }

  #write(slot: number, announce: Announce, now: number, past: number): void {
    const { hot, stride, details } = this.arrays
    const { words, counts, endpointHalves: halves } = announce
    const { width } = this
    const at = slot * stride
    for (let i = 0; i < width; i++) hot[at + i] = halves[i]!
    this.#setSeen(slot, now)
    hot[at + width + 2] = past | announce.event
    const detail = slot * DETAIL.words
    for (let i = 0; i < DETAIL.idWords; i++) details[detail + i] = words[5 + i]!
    for (let i = 0; i < DETAIL.countWords; i++) details[detail + DETAIL.counts + i] = counts[i]!
  }
}

/** Seeder ⇔ nothing left (decisions.md, Swarm). */
const isSeeder = (announce: Announce): boolean =>
  announce.counts[COUNT.left] === 0 && announce.counts[COUNT.left + 1] === 0
