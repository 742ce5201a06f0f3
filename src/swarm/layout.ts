/**
 * How a shard lies in shared memory. Every offset, stride and flag of the swarm is named here and nowhere
 * else; all of it is plain arithmetic. A shard is a few buffers of fixed size: one for torrents, one for the
 * peers of each family. Untouched pages cost nothing, so each buffer is reserved large and filled from the
 * front; what is really used is counted against one budget for the whole swarm.
 */
import { type PeerFamily, SEAT, WEB } from '../bittorrent.ts'
import { SEED_WORDS, type Seed } from '../memory/hash.ts'

/**
 * "No slot", "no run", "end of chain". Words are signed throughout: numbers that fit 31 bits stay
 * integers in the compiled code, unsigned ones with the high bit set would make it compute in floating point.
 */
export const NIL = -1
/** Greater than every position and every second. */
export const MOST = 0x7fff_ffff

/**
 * A count that may outgrow a word has two: its low 31 bits, and how many LIMBs it holds above them. Exact to
 * 2^53, like every number.
 */
export const LIMB = 2 ** 31

/** Shards count seconds from here (2020): they fit 31 bits until 2088. */
export const EPOCH = 1_577_836_800

/** The high bits of an info hash's seeded hash name its shard. */
const SHARD_BITS = 5
export const SHARDS = 1 << SHARD_BITS
export const shardOf = (hash: number): number => hash >>> (32 - SHARD_BITS)

/** A peer seen further in the future than this many seconds was seen by a wrong clock. */
export const SKEW = 60

/** Most peers in one unbroken run; a larger swarm is a directory of such chunks. */
export const CHUNK = 64
export const CHUNK_ORDER = 6

/**
 * A family of peers: what their endpoints look like, and where everything about them stands. All that tells
 * one family from another is in its row.
 */
export type FamilyRow = {
  /** IP version, or another number: 1–255. */
  readonly family: PeerFamily
  /** Halves (two bytes) of an endpoint; at least two. */
  readonly halves: number
  /** First of its words in the header, see `FAMILY_HEADER`. */
  readonly header: number
  /**
   * First of its words in the torrent record, see `PART`. undefined: they stand in an array beside the
   * records, which takes memory only for torrents that have such peers. Families in the record share one
   * time-out, and those beside it another: see `Cutoffs`.
   */
  readonly part: number | undefined
  /** Lowest of its six bits in `TORRENT.flags`: the size of its run (`SIZE_MASK`), then `largeBit`. */
  readonly bits: number
}

/** The families of every swarm. Rows with a `part` come first. */
export const FAMILIES: readonly FamilyRow[] = [
  { family: 4, halves: 3, header: 16, part: 8, bits: 8 },
  { family: 6, halves: 9, header: 32, part: 11, bits: 16 },
]
/** That of WebTorrent peers, for a swarm that has them. */
export const WEB_ROW: FamilyRow = {
  family: WEB,
  halves: SEAT.halves,
  header: 64,
  part: undefined,
  bits: 24,
}

/**
 * Words of the header at the front of a shard's torrent buffer. The first 16, a cache line, are what most
 * announces touch; each family has a line of its own.
 */
export const HEADER = {
  /** 0 = free, otherwise the holder's thread number, with `CONTENDED` when another thread sleeps on it. */
  lock: 0,
  /** Torrent whose records are being changed; NIL between two changes. A salvage gives up its peers. */
  busy: 1,
  torrents: 3,
  torrentBuckets: 4,
  /** Runs of torrent records: see RUNS_HEADER. The first word is the end of the records in use. */
  torrentRuns: 5,
  torrentHigh: 5,
  /** Sum of `TORRENT.downloaded` over the torrents that are here, and its LIMBs. */
  downloads: 8,
  downloadsHigh: 54,
  /** Times a peer completed since the start of the process. */
  completions: 9,
  /** Announces refused, and peers not remembered, because memory is spent. */
  refusals: 10,
  /** Ends of the list of torrents that want the database's attention, and its length; see ledger.ts. */
  ledgerFirst: 11,
  ledgerLast: 12,
  listed: 13,
  /** Sum of what the torrents owe the database. */
  owed: 14,
  /** Grows with every salvage, which renumbers the torrents; odd while one is under way. */
  salvages: 48,
  /** KiB of the budget that this shard holds, and how many of them hold nothing. See budget.ts. */
  paid: 50,
  spare: 51,
  /** Where the ring of questions begins and ends, counted without end; see stored.ts. */
  askedFrom: 52,
  askedTo: 53,
  /** What the shard says it is: see HEAD. */
  head: 112,
  words: 144,
} as const

/** What a shard says it is, so that a later program can reopen, refuse or convert its memory. See head.ts. */
export const HEAD = {
  magic: 0,
  version: 1,
  /** Number of the shard. */
  shard: 2,
  /** Most torrents; and as many where completions are kept for a database, else 0. */
  torrents: 3,
  ledger: 4,
  /** Four words that keep strangers from choosing info hashes or endpoints that share a chain. */
  seed: 5,
  /** The families of the swarm in the order of their rows, 0 behind the last; and the most peers of each. */
  families: 9,
  slots: 14,
  mostFamilies: 5,
} as const
/** "SWRM" in the byte order of the machine that wrote it. */
export const MAGIC = 0x4d52_5753
/** Grows with every change to what stands where. */
export const VERSION = 2

/** The same in every shard of the swarm. */
export const seedIn = (header: Int32Array): Seed =>
  header.slice(HEADER.head + HEAD.seed, HEADER.head + HEAD.seed + SEED_WORDS)

/** Words of the header that each family has, from `FamilyRow.header` on. */
export const FAMILY_HEADER = {
  seeders: 0,
  leechers: 1,
  /** Peers in the index of large swarms, and its buckets. */
  indexed: 2,
  indexBuckets: 3,
  /** Runs of slots, and of directory units: see RUNS_HEADER. */
  slotRuns: 4,
  slotHigh: 4,
  directoryRuns: 7,
  directoryHigh: 7,
  words: 16,
} as const

/** Words of the header for everything that is handed out in runs; see runs.ts. */
export const RUNS_HEADER = {
  /** Units below this may be in use; a whole number of batches. */
  high: 0,
  /** Units handed out. */
  taken: 1,
  /** A bit for each of the maps that is not empty. */
  maps: 2,
  words: 3,
} as const

/** Units are paid for, and given back, 64 at once. */
export const BATCH = 64
export const BATCH_ORDER = 6
/**
 * Maps of batches: one for each order 0…6, of those that have a free run of just this order; and one of
 * those below the high-water mark that are not paid for.
 */
export const RUN_MAPS = { whole: BATCH_ORDER, unpaid: 7, count: 8 } as const
/** Words for 32 batches: a word of each map, then a bit for each unit that is free. */
export const RUN_GROUP_WORDS = RUN_MAPS.count + BATCH
/** Words before the groups: for each map the words that are not zero, 32 groups to a word. */
export const runTopWords = (batches: number): number => ((batches + 1023) >>> 10) * RUN_MAPS.count

/** A directory unit is two words: two chunk numbers. */
export const DIRECTORY_UNIT = 2

/** One torrent: 16 words, one cache line. All zero = free. */
export const TORRENT = {
  infoHash: 0,
  /** Next torrent of the same bucket. */
  next: 5,
  /** Times it was completed; with `MANY` in the flags there are LIMBs of it in `downloadedHigh`. */
  downloaded: 6,
  flags: 7,
  // Words 8 to 13 are parts of families: see `FamilyRow.part`.
  /** No peer of the families in the record was last seen before this second; MOST = there is none. */
  oldest: 14,
  /** Seeded hash of the info hash, kept so that a bucket can be split without reading the info hash. */
  hash: 15,
  words: 16,
  order: 4,
} as const

/** Words of one family of a torrent. All zero = no peers. */
export const PART = {
  /** First slot of the run, or first directory unit of a large swarm; means nothing without peers. */
  base: 0,
  count: 1,
  /** The first `leechers` positions are leechers, the rest seeders: either can be copied as a run. */
  leechers: 2,
  /** Only beside the records: the `TORRENT.oldest` of this family alone; means nothing without peers. */
  oldest: 3,
  /** In an array beside the records; like `TORRENT.words` 2 to the power of `order`. */
  words: 4,
  order: 2,
} as const

/** Bits of `TORRENT.flags`; above them the six bits of each family. */
export const USED = 1
/** Stands in the ledger's list. */
export const LISTED = 2
/** Its stored count has not arrived. */
export const WANTED = 4
/** Its count is more than a word holds. */
export const MANY = 8
/** Six bits of each family: 0 = no peers, else 1 + the order of its run (of slots; large: of directory units). */
export const SIZE_MASK = 31
export const largeBit = ({ bits }: FamilyRow): number => 1 << (bits + 5)

/** Bits of a peer's flags; below them the last event (0–3). */
export const EVENT_MASK = 3
/** Has been seen with bytes left: only such a peer can complete. */
export const LEECHED = 4
/** Its completion was counted already. */
export const COUNTED = 8

/** What an announce only writes and the API only reads: the peer id, then its three 64-bit counters. */
export const DETAIL = { id: 0, idWords: 5, counts: 5, countWords: 6, words: 11 } as const

/**
 * Halves of what an announce reads of each peer, side by side in one cache line: the endpoint in
 * compact form, the second it was last seen (low half first), its flags.
 */
const hotHalves = ({ halves }: FamilyRow): number => halves + 3

/** Bytes a slot costs in all arrays together, except for those that only large swarms need. */
export const slotBytes = (row: FamilyRow): number => hotHalves(row) * 2 + DETAIL.words * 4 + 4

/** KiB charged to the budget for 64 more torrents (records, buckets, ledger, parts beside) or 64 more slots. */
export const TORRENT_BATCH = BATCH
export const torrentBatchKib = (families: readonly FamilyRow[]): number =>
  5 + families.filter(({ part }) => part === undefined).length
export const chunkKib = (row: FamilyRow): number => Math.ceil((slotBytes(row) * CHUNK) / 1024)
/** KiB charged for 64 more directory units. */
export const DIRECTORY_BATCH_KIB = 1

/** A stored count of a torrent that is not here: its info hash, its state, the count and its LIMBs. */
export const STORED = { infoHash: 0, state: 5, count: 6, countHigh: 7, words: 8 } as const
/** Stored counts that a shard remembers, and questions that may wait; powers of two. */
export const STORED_COUNTS = 2048
export const QUESTIONS = 64

/** How many records each array of a shard can hold. */
export type Capacity = {
  readonly torrents: number
  /** As many when completions are kept in a database, else none. */
  readonly ledger: number
  /** By family, in the order of the rows. */
  readonly slots: readonly number[]
}

/** The buffers of one shard; those of peers in the order of the rows. */
export type ShardMemory = {
  readonly torrents: SharedArrayBuffer
  readonly peers: readonly SharedArrayBuffer[]
}

/** Hands out consecutive typed arrays of one buffer, or only adds up their bytes. */
export class Carver {
  #at = 0
  readonly #memory: SharedArrayBuffer | undefined

  constructor(memory?: SharedArrayBuffer) {
    this.#memory = memory
  }
  get bytes(): number {
    return this.#at
  }
  #take(bytes: number): number {
    const at = this.#at
    this.#at = Math.ceil((at + bytes) / 64) * 64
    return at
  }
  words(length: number): Int32Array {
    const at = this.#take(length * 4)
    return new Int32Array(this.#memory ?? EMPTY, this.#memory ? at : 0, this.#memory ? length : 0)
  }
  halves(length: number): Uint16Array {
    const at = this.#take(length * 2)
    return new Uint16Array(this.#memory ?? EMPTY, this.#memory ? at : 0, this.#memory ? length : 0)
  }
}
const EMPTY = new SharedArrayBuffer(0)

/** Bytes of what `carve` takes. */
export function sizeOf(carve: (carver: Carver) => void): number {
  const carver = new Carver()
  carve(carver)
  return carver.bytes
}

/** Words for runs in `batches` batches, see runs.ts. */
const carveRuns = (carver: Carver, batches: number): Int32Array =>
  carver.words(runTopWords(batches) + Math.ceil(batches / 32) * RUN_GROUP_WORDS)

/** An array that has `stride` words for each torrent, beside its record. */
export type Beside = { readonly words: Int32Array; readonly stride: number }

/** The arrays of a shard's torrents. */
export function carveTorrents(
  carver: Carver,
  { torrents, ledger }: Pick<Capacity, 'torrents' | 'ledger'>,
  families: readonly FamilyRow[],
) {
  /** Every array by torrent but the records: moved, cleared and released with them. All zero = free. */
  const beside: Beside[] = []
  // Every array by torrent is carved here, so that `beside` cannot miss one.
  const byTorrent = (count: number, stride: number): Int32Array => {
    const words = carver.words(count * stride)
    if (words.length > 0) beside.push({ words, stride })
    return words
  }
  const arrays = {
    header: carver.words(HEADER.words),
    // Here, because the first is always in use: one page then holds it and the header.
    buckets: carver.words(torrents),
    records: carver.words(torrents * TORRENT.words),
    runs: carveRuns(carver, torrents / BATCH),
    /** By torrent: its neighbours in the ledger's list, and completions that are owed to the database. */
    ledgerNext: byTorrent(ledger, 1),
    ledgerPrevious: byTorrent(ledger, 1),
    owed: byTorrent(ledger, 1),
    /** By torrent: LIMBs of its count. Only those of torrents with `MANY` mean anything. */
    downloadedHigh: byTorrent(ledger, 1),
    /** `STORED.words` a count; and numbers of those that are asked for. */
    stored: carver.words(ledger > 0 ? STORED_COUNTS * STORED.words : 0),
    questions: carver.words(ledger > 0 ? QUESTIONS : 0),
  }
  /** By family: its parts, in the records or beside them. That of a torrent begins at `torrent << partOrder`. */
  const parts: readonly Int32Array[] = families.map(({ part }) =>
    part === undefined ? byTorrent(torrents, PART.words) : arrays.records.subarray(part),
  )
  return { ...arrays, parts, beside: beside as readonly Beside[] }
}
export type TorrentArrays = Readonly<ReturnType<typeof carveTorrents>>

export const partOrder = ({ part }: FamilyRow): number =>
  part === undefined ? PART.order : TORRENT.order
/** How far behind the beginning of a family's part the `oldest` stands that covers it. */
export const oldestIn = ({ part }: FamilyRow): number =>
  part === undefined ? PART.oldest : TORRENT.oldest - part

type HotArray = Pick<PeerArrays, 'hot' | 'stride'>

/** Second (since `EPOCH`) of the last announce of the peer at `slot`. */
export const seenAt = ({ hot, stride }: HotArray, slot: number): number => {
  const at = (slot + 1) * stride
  return hot[at - 3]! | (hot[at - 2]! << 16)
}
export const flagsAt = ({ hot, stride }: HotArray, slot: number): number =>
  hot[(slot + 1) * stride - 1]!

/** One family of a shard, structure of arrays: index = slot, unless it says otherwise. */
export const carvePeers = (carver: Carver, row: FamilyRow, slots: number) => ({
  /** Buckets of the index of large swarms. */
  buckets: carver.words(slots),
  /** `stride` halves a slot, see `hotHalves`. */
  hot: carver.halves(slots * hotHalves(row)),
  stride: hotHalves(row),
  /** `DETAIL.words` a slot. */
  details: carver.words(slots * DETAIL.words),
  /** Next slot of the same bucket. */
  next: carver.words(slots),
  /** By chunk of a large swarm: its torrent, and its place in that torrent's directory. */
  chunkTorrent: carver.words(slots / CHUNK),
  chunkOrdinal: carver.words(slots / CHUNK),
  /**
   * Chunk numbers of large swarms in order of position, two a unit. Twice what full chunks need, because a
   * directory's run doubles.
   */
  directory: carver.words(directoryBatches(slots) * BATCH * DIRECTORY_UNIT),
  slotRuns: carveRuns(carver, slots / CHUNK),
  directoryRuns: carveRuns(carver, directoryBatches(slots)),
})
export type PeerArrays = Readonly<ReturnType<typeof carvePeers>>

export const directoryBatches = (slots: number): number =>
  Math.ceil(((slots / CHUNK) * 2) / BATCH) + 1
