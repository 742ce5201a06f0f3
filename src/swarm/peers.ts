/**
 * The peers of one family in one shard: who is in a swarm, and on which side. Positions 0…leechers−1 of a
 * swarm are leechers and the rest seeders, so that either side can be copied as a run. A slot is only valid
 * until the next insert, update or remove in the same swarm. The caller holds the shard's lock.
 */
import { type Announce, COUNT, type PeerFamily } from '../bittorrent.ts'
import { type CounterRow, THREAD_AT } from '../memory/counters.ts'
import {
  COUNTED,
  DETAIL,
  EPOCH,
  FAMILY_HEADER,
  type FamilyRow,
  flagsAt,
  LEECHED,
  MOST,
  NIL,
  oldestIn,
  PART,
  type PeerArrays,
  partOrder,
  SKEW,
  seenAt,
} from './layout.ts'
import { Slots, type SlotsOptions } from './slots.ts'

/** What the swarm reads of an announce, which is an `Announce` or a `SeatAnnounce`. */
export type PeerAnnounce = Pick<
  Announce,
  'words' | 'endpointHalves' | 'counts' | 'event' | 'want'
> & { readonly family: PeerFamily }

/**
 * Unix seconds: a peer last seen at that second or before counts as gone. Peers with addresses have one time-out,
 * those with seats another.
 */
export class Cutoffs {
  addresses: number
  seats: number

  constructor(addresses = 0, seats = 0) {
    this.addresses = addresses
    this.seats = seats
  }

  /** That of the peers of one family, counted from `EPOCH` as in a shard. */
  of({ part }: FamilyRow): number {
    return (part === undefined ? this.seats : this.addresses) - EPOCH
  }
}

export class Peers {
  readonly row: FamilyRow
  readonly arrays: PeerArrays
  /** That of a torrent begins at `partAt`, see PART. */
  readonly parts: Int32Array
  /** Halves of one endpoint. */
  readonly width: number
  /** Whether the parts stand beside the records: then the peers have the time-out of seats. */
  readonly isBeside: boolean
  readonly slots: Slots
  readonly #counts: CounterRow
  readonly #header: Int32Array
  readonly #partOrder: number
  readonly #oldest: number
  readonly #seeders: number
  readonly #leechers: number

  constructor(options: SlotsOptions & { readonly counts: CounterRow }) {
    const { row, arrays, header, parts, counts } = options
    this.#counts = counts
    this.row = row
    this.arrays = arrays
    this.width = row.halves
    this.isBeside = row.part === undefined
    this.slots = new Slots(options)
    this.#header = header
    this.parts = parts
    this.#partOrder = partOrder(row)
    this.#oldest = oldestIn(row)
    this.#seeders = row.header + FAMILY_HEADER.seeders
    this.#leechers = row.header + FAMILY_HEADER.leechers
  }

  reset(): void {
    this.#header[this.#seeders] = 0
    this.#header[this.#leechers] = 0
    this.slots.reset()
  }

  /** Where the part of a torrent begins in `parts`. */
  partAt(torrent: number): number {
    return torrent << this.#partOrder
  }

  /** Peers of a torrent. */
  count(torrent: number): number {
    return this.parts[this.partAt(torrent) + PART.count]!
  }
  leechers(torrent: number): number {
    return this.parts[this.partAt(torrent) + PART.leechers]!
  }
  /** First slot of a small swarm that has peers. */
  base(torrent: number): number {
    return this.parts[this.partAt(torrent) + PART.base]!
  }

  /** The `oldest` that covers the peers of a torrent that has some: in the record, or beside it. */
  oldest(torrent: number): number {
    return this.parts[this.partAt(torrent) + this.#oldest]!
  }
  setOldest(torrent: number, second: number): void {
    this.parts[this.partAt(torrent) + this.#oldest] = second
  }
  /** A peer of the torrent was last seen at `second`; MOST changes nothing. */
  lowerOldest(torrent: number, second: number): void {
    const at = this.partAt(torrent) + this.#oldest
    if (second < this.parts[at]!) this.parts[at] = second
  }

  /** Slot of the peer with the endpoint at `halves[0…]`, `hint` if that is right; NIL = none. */
  find(torrent: number, halves: Uint16Array, hint: number = NIL): number {
    const count = this.count(torrent)
    if (count === 0) return NIL
    if (hint !== NIL && this.#isAt(torrent, hint, halves)) return hint
    if (this.slots.isLarge(torrent)) return this.slots.index.find(torrent, halves)
    const { hot, stride } = this.arrays
    const last = this.width - 1
    const base = this.base(torrent)
    // The last half, a port, is what differs most: compare it first.
    const port = halves[last]!
    for (let slot = base, at = base * stride; slot < base + count; slot++, at += stride) {
      if (hot[at + last] !== port) continue
      let half = 0
      while (half < last && hot[at + half] === halves[half]) half++
      if (half === last) return slot
    }
    return NIL
  }

  /** Whether `slot`, any number, is that of the peer with this endpoint in a torrent that has peers. */
  #isAt(torrent: number, slot: number, halves: Uint16Array): boolean {
    const position = this.slots.positionOf(torrent, slot)
    if (!(position >= 0 && position < this.count(torrent))) return false
    // A chunk that is another torrent's by now may still say where it stood in this one.
    if (this.slots.slotAt(torrent, position) !== slot) return false
    const { hot, stride } = this.arrays
    const { width } = this
    let half = 0
    while (half < width && hot[slot * stride + half] === halves[half]) half++
    return half === width
  }

  /**
   * Adds the announcing peer, which must not be here yet; the caller lowers the `oldest`. Its slot, or NIL when memory
   * is spent.
   */
  insert(torrent: number, announce: PeerAnnounce, now: number): number {
    if (!this.slots.room(torrent)) return NIL
    const at = this.partAt(torrent)
    const count = this.parts[at + PART.count]!
    // What stands there may be left from peers that are gone.
    if (count === 0 && this.isBeside) this.setOldest(torrent, MOST)
    const seeder = isSeeder(announce)
    let slot = this.slots.slotAt(torrent, count)
    if (seeder) this.#header[this.#seeders]!++
    else {
      this.#header[this.#leechers]!++
      const leechers = this.parts[at + PART.leechers]!
      if (leechers < count) {
        const border = this.slots.slotAt(torrent, leechers)
        this.slots.move(torrent, border, slot)
        slot = border
      }
      this.parts[at + PART.leechers] = leechers + 1
    }
    this.parts[at + PART.count] = count + 1
    this.#write(slot, announce, now, seeder ? 0 : LEECHED)
    if (this.slots.isLarge(torrent)) this.slots.index.add(slot)
    return slot
  }

  /** Replaces everything about the peer at `slot` except its past. Its slot afterwards. */
  update(torrent: number, slot: number, announce: PeerAnnounce, now: number): number {
    const leechers = this.leechers(torrent)
    const seeder = isSeeder(announce)
    this.#counts[THREAD_AT.leechersUpdated + Number(seeder)]!++
    const past = (flagsAt(this.arrays, slot) & (LEECHED | COUNTED)) | (seeder ? 0 : LEECHED)
    if (this.slots.positionOf(torrent, slot) < leechers === seeder) {
      // It changes sides: it changes places with the peer at the border, and the border moves past it.
      const border = this.slots.slotAt(torrent, seeder ? leechers - 1 : leechers)
      const large = this.slots.isLarge(torrent)
      if (large) this.slots.index.remove(slot)
      if (border !== slot) this.slots.move(torrent, border, slot)
      const step = seeder ? -1 : 1
      if (!seeder) this.#counts[THREAD_AT.completionsReverted]!++
      this.parts[this.partAt(torrent) + PART.leechers] = leechers + step
      this.#header[this.#leechers]! += step
      this.#header[this.#seeders]! -= step
      this.#write(border, announce, now, past)
      if (large) this.slots.index.add(border)
      return border
    }
    this.#refresh(slot, announce, now, past)
    return slot
  }

  remove(torrent: number, slot: number): void {
    const at = this.partAt(torrent)
    const last = this.parts[at + PART.count]! - 1
    const leechers = this.parts[at + PART.leechers]!
    let hole = slot
    const leecher = this.slots.positionOf(torrent, slot) < leechers
    if (this.slots.isLarge(torrent)) this.slots.index.remove(slot)
    if (leecher) {
      const border = this.slots.slotAt(torrent, leechers - 1)
      if (border !== hole) this.slots.move(torrent, border, hole)
      hole = border
      this.parts[at + PART.leechers] = leechers - 1
      this.#header[this.#leechers]!--
    } else this.#header[this.#seeders]!--
    this.#counts[THREAD_AT.leechersRemoved + Number(!leecher)]!++
    const tail = this.slots.slotAt(torrent, last)
    if (tail !== hole) this.slots.move(torrent, tail, hole)
    this.parts[at + PART.count] = last
    this.slots.shrink(torrent, last)
  }

  /** Whether this is the first completion of a peer that was once seen with bytes left; remembers it. */
  complete(slot: number): boolean {
    const flags = flagsAt(this.arrays, slot)
    if ((flags & (LEECHED | COUNTED)) !== LEECHED) return false
    this.setFlags(slot, flags | COUNTED)
    return true
  }

  /**
   * Forgets the expired peers of a small swarm; a large one waits for the sweep. Seconds as in `expire`; `oldest` covers
   * the peers before, and the result those that are left.
   */
  expireSmall(torrent: number, oldest: number, cutoff: number, now: number): number {
    return this.slots.isLarge(torrent)
      ? Math.min(oldest, now)
      : this.expire(torrent, 0, this.count(torrent), cutoff, now)
  }

  /**
   * Removes the peers last seen at `cutoff` or before among positions `from` to `to`−1, downwards. Peers seen
   * well after `now`, by a clock that was ahead, count as seen now. Returns the second at which the oldest of
   * the rest was seen; MOST = none is left.
   */
  expire(torrent: number, from: number, to: number, cutoff: number, now: number): number {
    let oldest = MOST
    for (let position = to - 1; position >= from; position--) {
      const slot = this.slots.slotAt(torrent, position)
      const seen = seenAt(this.arrays, slot)
      // The peer that moves into the hole stood higher: it was looked at already.
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

  #write(slot: number, announce: PeerAnnounce, now: number, past: number): void {
    const { hot, stride } = this.arrays
    const { endpointHalves: halves } = announce
    const { width } = this
    const at = slot * stride
    for (let i = 0; i < width; i++) hot[at + i] = halves[i]!
    this.#refresh(slot, announce, now, past)
  }

  /** Writes everything but the endpoint. */
  #refresh(slot: number, announce: PeerAnnounce, now: number, past: number): void {
    const { hot, stride, details } = this.arrays
    const { words, counts } = announce
    this.#setSeen(slot, now)
    hot[(slot + 1) * stride - 1] = past | announce.event
    // Written out, because the compiler does not unroll loops: these are 2 % of an announce.
    const id = slot * DETAIL.words
    details[id] = words[5]!
    details[id + 1] = words[6]!
    details[id + 2] = words[7]!
    details[id + 3] = words[8]!
    details[id + 4] = words[9]!
    const count = id + DETAIL.counts
    details[count] = counts[0]!
    details[count + 1] = counts[1]!
    details[count + 2] = counts[2]!
    details[count + 3] = counts[3]!
    details[count + 4] = counts[4]!
    details[count + 5] = counts[5]!
  }
}

/** A seeder has nothing left (docs/behaviours.md S3). */
export const isSeeder = ({ counts }: PeerAnnounce): boolean =>
  counts[COUNT.left] === 0 && counts[COUNT.left + 1] === 0
