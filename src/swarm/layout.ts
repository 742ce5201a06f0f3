/**
 * How a shard lies in shared memory. Every offset, stride and flag of the swarm is named here and
 * nowhere else; all of it is plain arithmetic. A shard is three buffers of fixed size: torrents, IPv4
 * peers, IPv6 peers. Pages nobody touched cost nothing, so each is reserved large and filled from
 * the front; what is really used is counted against one budget for the whole swarm.
 * Over 300 lines because an offset that is named in two places is wrong in one of them.
 */
import type { Family } from '../bittorrent.ts'
import { SEED_WORDS, type Seed } from '../memory/hash.ts'

/**
 * "No slot", "no run", "end of chain". Words are signed throughout: numbers that fit 31 bits stay
 * integers in the compiled code, unsigned ones with the high bit set would make it compute in floating point.
 */
export const NIL = -1
/** Beyond every position and every second. */
export const MOST = 0x7fff_ffff

/**
 * A count that may outgrow a word has two: 31 bits of it in one, how often it holds this in the other.
 * Exact to 2^53, like every number.
 */
export const LIMB = 2 ** 31

/** Unix seconds less this fit 31 bits until 2088; the shards know no other time. */
export const EPOCH = 1_577_836_800

/** Seconds that a peer may have been seen in the future without a clock having been wrong. */
export const SKEW = 60

/** Peers of a swarm that stand in one unbroken run; a larger swarm is a directory of such chunks. */
export const CHUNK = 64
export const CHUNK_ORDER = 6

/**
 * Words of the header at the front of a shard's torrent buffer. The first 16, a cache line, are what most
 * announces touch; each family has one of its own.
 */
export const HEADER = {
  /** 0 = free, otherwise the holder's thread number, with `CONTENDED` when somebody sleeps on it. */
  lock: 0,
  /** Torrent whose records are being changed; NIL between two changes. See salvage.ts. */
  busy: 1,
  torrents: 3,
  torrentBuckets: 4,
  /** Of the torrents: see RUNS_HEADER. The first is the end of the records in use. */
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
  /** Per family: see FAMILY_HEADER. */
  v4: 16,
  v6: 32,
  /** Grows with every rescue, which gives the torrents other numbers; odd while one is under way. */
  rescues: 48,
  /** Times that the sweep gave a torrent another number. */
  moves: 49,
  /** KiB of the budget that this shard holds; and those among them that nothing is kept in. See budget.ts. */
  paid: 50,
  spare: 51,
  /** Where the ring of questions begins and ends, counted without end; see stored.ts. */
  askedFrom: 52,
  askedTo: 53,
  /** Four words that keep strangers from choosing info hashes or endpoints that share a chain. */
  seed: 124,
  words: 128,
} as const

export const seedIn = (header: Int32Array): Seed =>
  header.slice(HEADER.seed, HEADER.seed + SEED_WORDS)

/** Words of the header that each family has, from `HEADER.v4` or `HEADER.v6` on. */
export const FAMILY_HEADER = {
  seeders: 0,
  leechers: 1,
  /** Peers in the index of large swarms, and its buckets. */
  indexed: 2,
  indexBuckets: 3,
  /** Of the slots, and of the directory units: see RUNS_HEADER. */
  slotRuns: 4,
  slotHigh: 4,
  directoryRuns: 7,
  directoryHigh: 7,
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

/** One torrent: 16 words, one cache line. */
export const TORRENT = {
  hash: 0,
  /** Next torrent of the same bucket. */
  next: 5,
  /** Times it was completed; `MANY` says that there are LIMBs beside it, in `downloadedHigh`. */
  downloaded: 6,
  flags: 7,
  /** Per family: see SWARM. */
  v4: 8,
  v6: 11,
  /** No peer here was last seen before this second; MOST = there is none. */
  oldest: 14,
  /** Seeded hash of the info hash, kept so that a bucket can be split without reading the hash. */
  key: 15,
  words: 16,
} as const

/** Words of one family of a torrent, from `TORRENT.v4` or `TORRENT.v6` on. */
export const SWARM = {
  /** First slot of the run, or first directory unit of a large swarm; NIL = no peers. */
  base: 0,
  count: 1,
  /** The first `leechers` positions are leechers, the rest seeders: either can be copied as a run. */
  leechers: 2,
} as const

/**
 * Bits of `TORRENT.flags`: in use; stands in the ledger's list; its stored count has not arrived; its count
 * is more than a word holds; then order (5 bits) and size of each family's run.
 */
export const USED = 1
export const LISTED = 2
export const WANTED = 4
export const MANY = 8
export const ORDER_SHIFT = { 4: 8, 6: 16 } as const
export const ORDER_MASK = 31
export const LARGE = { 4: 1 << 13, 6: 1 << 21 } as const

/** Bits of a peer's flags; below them the last event (0–3). */
export const EVENT_MASK = 3
/** Was seen with bytes left: only such a peer can complete. */
export const LEECHED = 4
/** Its completion was counted already. */
export const COUNTED = 8

/** What an announce only writes and the API reads: the peer id, then its three 64-bit counters. */
export const DETAIL = { id: 0, idWords: 5, counts: 5, countWords: 6, words: 11 } as const

/** Halves (two bytes) of an endpoint. */
export const endpointHalves = (family: Family): 3 | 9 => (family === 4 ? 3 : 9)

/**
 * Halves of what an announce reads of each peer, side by side in one cache line: the endpoint in
 * compact form, the second it was last seen (low half first), its flags.
 */
export const hotHalves = (family: Family): number => endpointHalves(family) + 3

/** Bytes a slot costs in all arrays together, but for the shares that only large swarms need. */
export const slotBytes = (family: Family): number => hotHalves(family) * 2 + DETAIL.words * 4 + 4

/** KiB charged to the budget for 64 more torrents (records, buckets, ledger) or 64 more slots. */
export const TORRENT_BATCH = BATCH
export const TORRENT_BATCH_KIB = 5
export const chunkKib = (family: Family): number => (family === 4 ? 4 : 5)
/** KiB charged for 64 more directory units. */
export const DIRECTORY_BATCH_KIB = 1

/** A stored count of a torrent that is not here: its info hash, its state, the count and its LIMBs. */
export const STORED = { hash: 0, state: 5, count: 6, countHigh: 7, words: 8 } as const
/** Stored counts that a shard remembers, and questions that may wait; powers of two. */
export const STORED_COUNTS = 2048
export const QUESTIONS = 64

/** How many records each array of a shard can hold; the same on every thread. */
export type Capacity = {
  readonly torrents: number
  /** As many when completions are kept in a database, else none. */
  readonly ledger: number
  readonly slots4: number
  readonly slots6: number
}

/** The buffers of one shard. */
export type ShardMemory = {
  readonly torrents: SharedArrayBuffer
  readonly peers4: SharedArrayBuffer
  readonly peers6: SharedArrayBuffer
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

/** Words for runs in `batches` batches, see runs.ts. */
const carveRuns = (carver: Carver, batches: number): Int32Array =>
  carver.words(runTopWords(batches) + Math.ceil(batches / 32) * RUN_GROUP_WORDS)

export type TorrentArrays = {
  readonly header: Int32Array
  readonly records: Int32Array
  readonly buckets: Int32Array
  readonly runs: Int32Array
  /** By torrent: its neighbours in the ledger's list, and completions the database was not told of. */
  readonly ledgerNext: Int32Array
  readonly ledgerPrevious: Int32Array
  readonly owed: Int32Array
  /** By torrent: LIMBs of its count. Only those of torrents with `MANY` mean anything. */
  readonly downloadedHigh: Int32Array
  /** `STORED.words` a count; and numbers of those that are asked for. */
  readonly stored: Int32Array
  readonly questions: Int32Array
}

export const carveTorrents = (
  carver: Carver,
  { torrents, ledger }: Pick<Capacity, 'torrents' | 'ledger'>,
): TorrentArrays => ({
  header: carver.words(HEADER.words),
  records: carver.words(torrents * TORRENT.words),
  buckets: carver.words(torrents),
  runs: carveRuns(carver, torrents / BATCH),
  ledgerNext: carver.words(ledger),
  ledgerPrevious: carver.words(ledger),
  owed: carver.words(ledger),
  downloadedHigh: carver.words(ledger),
  stored: carver.words(ledger > 0 ? STORED_COUNTS * STORED.words : 0),
  questions: carver.words(ledger > 0 ? QUESTIONS : 0),
})

/** One family of a shard, structure of arrays: index = slot, unless it says otherwise. */
export type PeerArrays = {
  /** `stride` halves a slot, see `hotHalves`. */
  readonly hot: Uint16Array
  readonly stride: number
  /** `DETAIL.words` a slot. */
  readonly details: Int32Array
  /** Next slot of the same index bucket (large swarms only). */
  readonly next: Int32Array
  readonly buckets: Int32Array
  /** By chunk of a large swarm: its torrent, and its place in that torrent's directory. */
  readonly chunkTorrent: Int32Array
  readonly chunkOrdinal: Int32Array
  /** Chunk numbers of large swarms in order of position, two a unit. */
  readonly directory: Int32Array
  readonly slotRuns: Int32Array
  readonly directoryRuns: Int32Array
}

/** Second (since `EPOCH`) of the last announce of the peer at `slot`. */
export const seenAt = ({ hot, stride }: PeerArrays, slot: number): number => {
  const at = (slot + 1) * stride
  return hot[at - 3]! | (hot[at - 2]! << 16)
}
export const flagsAt = ({ hot, stride }: PeerArrays, slot: number): number =>
  hot[(slot + 1) * stride - 1]!

export const carvePeers = (carver: Carver, family: Family, slots: number): PeerArrays => ({
  hot: carver.halves(slots * hotHalves(family)),
  stride: hotHalves(family),
  details: carver.words(slots * DETAIL.words),
  next: carver.words(slots),
  buckets: carver.words(slots),
  chunkTorrent: carver.words(slots / CHUNK),
  chunkOrdinal: carver.words(slots / CHUNK),
  // Twice what full chunks need, because a directory's run doubles.
  directory: carver.words(directoryBatches(slots) * BATCH * DIRECTORY_UNIT),
  slotRuns: carveRuns(carver, slots / CHUNK),
  directoryRuns: carveRuns(carver, directoryBatches(slots)),
})

export const directoryBatches = (slots: number): number =>
  Math.ceil(((slots / CHUNK) * 2) / BATCH) + 1
