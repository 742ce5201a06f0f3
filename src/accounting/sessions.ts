/** Sessions: one client of an account on one torrent each, with its baselines and what it owes the database. */
import { OWED } from './batch.ts'
import { HashedRows, mix, NONE, type Place } from './rows.ts'
import { add, type Credit, type Session, type Stand } from './rules.ts'

/** Places of a row's numbers (two words each), and of its words. */
const NUMBER = {
  up: 0,
  down: 1,
  left: 2,
  /** The first four of `OWED`. */
  owed: 3,
} as const
const OWED_BYTES = 4
const ROW = {
  record: 14,
  next: 15,
  /** Fingerprint of the peer id, two words: its name in the database. */
  fingerprint: 16,
  /** Seeded hash of the peer id: its name here. */
  peer: 18,
  endpoint: 19,
  seen: 20,
  began: 21,
  seedSeconds: 22,
  leechSeconds: 23,
  flags: 24,
  /** Announces that are owed, and the number of the client's name: 16 bits each. */
  announces: 25,
  words: 26,
} as const
const NUMBERS = ROW.words / 2

/** Flags of a session. The lowest two bits are its stand, the highest sixteen the hour of its falls. */
export const FLAG = {
  hasLeeched: 1 << 2,
  hasCompleted: 1 << 3,
  /** Its completion is owed. */
  owesCompletion: 1 << 4,
  /** It stopped: remembered until that is stored. */
  ended: 1 << 5,
  /** Silent beyond the time-out of peers: remembered until that is stored. */
  silent: 1 << 6,
  /** It has to be looked up. */
  asked: 1 << 7,
  /** It began anew since it was asked, or written last. */
  restarted: 1 << 8,
  /** While it is asked: it stopped before anything else was known of it; it said `completed`. */
  phantom: 1 << 9,
  saidCompleted: 1 << 10,
  /** Once it is not asked any more: it has a row. */
  stored: 1 << 10,
  /** It is in the batch that is out; so is its end. */
  out: 1 << 11,
  leaves: 1 << 12,
  /** It has an entry in `Slots`. */
  slotted: 1 << 13,
} as const
const STAND_BITS = 3
const FALLS_SHIFT = 14
const FALLS_BITS = 3
const HOUR_SHIFT = 16
const RULED =
  STAND_BITS |
  FLAG.hasLeeched |
  FLAG.hasCompleted |
  (FALLS_BITS << FALLS_SHIFT) |
  (-1 << HOUR_SHIFT)
const HALF = 0xffff
const MOST_SECONDS = 2 ** 32 - 1

export class Sessions extends HashedRows {
  static readonly words: number = ROW.words
  readonly #nameOf: (record: number) => number

  /** `nameOf`: a hash of the account and info hash of a record. */
  constructor(place: Place, nameOf: (record: number) => number) {
    super(place, ROW.words, ROW.next)
    this.#nameOf = nameOf
  }

  /** Of what an announce says of itself, so that its session is found before its torrent and record are. */
  hash(name: number, peer: number): number {
    return mix(name, peer)
  }

  find(record: number, peer: number, hash: number): number {
    const { cells } = this
    for (let row = this.first(this.bucket(hash)); row !== NONE; row = this.next(row)) {
      const at = row * ROW.words
      if (cells[at + ROW.peer] === peer && cells[at + ROW.record] === record) return row
    }
    return NONE
  }

  /** The first session of `peer` with that hash: nearly always the one that is looked for, which its record says. */
  guess(peer: number, hash: number): number {
    const { cells } = this
    let row = this.first(this.bucket(hash))
    while (row !== NONE && cells[row * ROW.words + ROW.peer] !== peer) row = this.next(row)
    return row
  }

  create(record: number, peer: number, hash: number): number {
    const row = this.take()
    if (row === NONE) return NONE
    const at = row * ROW.words
    this.cells[at + ROW.record] = record
    this.cells[at + ROW.peer] = peer
    this.link(row, hash)
    return row
  }

  /** A row is longer than two cache lines may hold. */
  override touch(row: number): void {
    super.touch(row)
    this.sink ^= this.cells[row * ROW.words + ROW.words / 2]!
  }

  remove(row: number): void {
    this.unlink(row, this.hashOf(row))
    this.giveBack(row)
  }

  /** `NONE`: the row is not in use. */
  record(row: number): number {
    return this.cells[row * ROW.words + ROW.record]!
  }
  peer(row: number): number {
    return this.cells[row * ROW.words + ROW.peer]!
  }
  seen(row: number): number {
    return this.cells[row * ROW.words + ROW.seen]! >>> 0
  }
  began(row: number): number {
    return this.cells[row * ROW.words + ROW.began]! >>> 0
  }
  beginAt(row: number, second: number): void {
    this.cells[row * ROW.words + ROW.began] = second
  }
  /** Index in `cells` of the two words of its fingerprint. */
  fingerprintAt(row: number): number {
    return row * ROW.words + ROW.fingerprint
  }
  /** Baseline. */
  uploaded(row: number): number {
    return this.numbers[row * NUMBERS + NUMBER.up]!
  }
  left(row: number): number {
    return this.numbers[row * NUMBERS + NUMBER.left]!
  }
  setLeft(row: number, bytes: number): void {
    this.numbers[row * NUMBERS + NUMBER.left] = bytes
  }
  client(row: number): number {
    return this.cells[row * ROW.words + ROW.announces]! >>> 16
  }
  setClient(row: number, client: number): void {
    const at = row * ROW.words + ROW.announces
    this.cells[at] = (this.cells[at]! & HALF) | (client << 16)
  }

  has(row: number, flags: number): boolean {
    return (this.cells[row * ROW.words + ROW.flags]! & flags) !== 0
  }
  set(row: number, flags: number): void {
    this.cells[row * ROW.words + ROW.flags]! |= flags
  }
  clear(row: number, flags: number): void {
    this.cells[row * ROW.words + ROW.flags]! &= ~flags
  }
  stand(row: number): Stand {
    return (this.cells[row * ROW.words + ROW.flags]! & STAND_BITS) as Stand
  }
  setStand(row: number, stand: Stand): void {
    const at = row * ROW.words + ROW.flags
    this.cells[at] = (this.cells[at]! & ~STAND_BITS) | stand
  }

  /** Fills `session`, but for the time of its record. */
  load(row: number, session: Session): void {
    const { cells } = this
    const at = row * ROW.words
    const flags = cells[at + ROW.flags]!
    session.up = this.numbers[row * NUMBERS + NUMBER.up]!
    session.down = this.numbers[row * NUMBERS + NUMBER.down]!
    session.endpoint = cells[at + ROW.endpoint]!
    session.seen = cells[at + ROW.seen]! >>> 0
    session.stand = (flags & STAND_BITS) as Stand
    session.hasLeeched = (flags & FLAG.hasLeeched) !== 0
    session.hasCompleted = (flags & FLAG.hasCompleted) !== 0
    session.falls = (flags >>> FALLS_SHIFT) & FALLS_BITS
    session.fallHour = flags >>> HOUR_SHIFT
  }

  save(row: number, session: Session): void {
    const { cells } = this
    const at = row * ROW.words
    this.numbers[row * NUMBERS + NUMBER.up] = session.up
    this.numbers[row * NUMBERS + NUMBER.down] = session.down
    cells[at + ROW.endpoint] = session.endpoint
    cells[at + ROW.seen] = session.seen
    cells[at + ROW.flags] =
      (cells[at + ROW.flags]! & ~RULED) |
      session.stand |
      (session.hasLeeched ? FLAG.hasLeeched : 0) |
      (session.hasCompleted ? FLAG.hasCompleted : 0) |
      (session.falls << FALLS_SHIFT) |
      (session.fallHour << HOUR_SHIFT)
  }

  /** Bytes that it owes, by the first four places of `OWED`. */
  owed(row: number, place: number): number {
    return this.numbers[row * NUMBERS + NUMBER.owed + place]!
  }
  setOwed(row: number, place: number, bytes: number): void {
    this.numbers[row * NUMBERS + NUMBER.owed + place] = bytes
  }
  /** Bytes up and down. */
  owedBytes(row: number): number {
    return this.owed(row, OWED.uploaded) + this.owed(row, OWED.downloaded)
  }
  owes(row: number): boolean {
    const at = row * ROW.words
    const seconds = this.cells[at + ROW.seedSeconds]! | this.cells[at + ROW.leechSeconds]!
    return seconds !== 0 || this.has(row, FLAG.owesCompletion) || this.owedBytes(row) > 0
  }

  /** Adds what an announce was credited. */
  owe(row: number, credit: Credit): void {
    const { numbers, cells } = this
    const owed = row * NUMBERS + NUMBER.owed
    const at = row * ROW.words
    if (credit.up > 0) {
      numbers[owed] = add(numbers[owed]!, credit.up)
      numbers[owed + 2] = add(numbers[owed + 2]!, credit.creditedUp)
    }
    if (credit.down > 0) {
      numbers[owed + 1] = add(numbers[owed + 1]!, credit.down)
      numbers[owed + 3] = add(numbers[owed + 3]!, credit.creditedDown)
    }
    if (credit.seedSeconds > 0) addSeconds(cells, at + ROW.seedSeconds, credit.seedSeconds)
    if (credit.leechSeconds > 0) addSeconds(cells, at + ROW.leechSeconds, credit.leechSeconds)
  }

  /** One announce more is owed; beyond 16 bits they are not counted. */
  countAnnounce(row: number): void {
    const at = row * ROW.words + ROW.announces
    if ((this.cells[at]! & HALF) < HALF) this.cells[at]!++
  }

  /** Moves what it owes to `owed[to…]`, by the places of `OWED`. */
  pay(row: number, owed: Float64Array, to: number): void {
    const { numbers, cells } = this
    const from = row * NUMBERS + NUMBER.owed
    const at = row * ROW.words
    for (let i = 0; i < OWED_BYTES; i++) owed[to + i] = numbers[from + i]!
    owed[to + OWED.seedSeconds] = cells[at + ROW.seedSeconds]! >>> 0
    owed[to + OWED.leechSeconds] = cells[at + ROW.leechSeconds]! >>> 0
    owed[to + OWED.announces] = cells[at + ROW.announces]! & HALF
    numbers.fill(0, from, from + OWED_BYTES)
    cells[at + ROW.seedSeconds] = cells[at + ROW.leechSeconds] = 0
    cells[at + ROW.announces]! &= ~HALF
    this.clear(row, FLAG.owesCompletion)
  }

  protected hashOf(row: number): number {
    return mix(this.#nameOf(this.record(row)), this.peer(row))
  }
}

function addSeconds(cells: Int32Array, at: number, seconds: number): void {
  cells[at] = Math.min((cells[at]! >>> 0) + seconds, MOST_SECONDS)
}
