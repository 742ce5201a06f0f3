/**
 * Lists torrents for people, ascending by info hash or the largest first. The few of a small swarm are put in order for
 * each page; the millions of a large one by a thread of its own, because sorting them would hold up announces, and
 * their order is kept for some seconds: the pages of one walk and requests at the same time share it.
 */
import { NIL, seenAt } from '../swarm/layout.ts'
import type { Cutoffs } from '../swarm/peers.ts'
import type { Shard } from '../swarm/shard.ts'
import type { Swarm } from '../swarm/swarm.ts'
import { Deadline } from '../time/deadline.ts'
import { patiently, Turns } from '../time/turns.ts'
import {
  hashesFrom,
  type Order,
  orderOf,
  positionBehind,
  recordsIn,
  type Sort,
  WORDS,
} from './order.ts'
import type { OrderTask } from './order-worker.ts'

export type TorrentSummary = {
  /** 40 lower-case hex digits. */
  readonly infoHash: string
  readonly seeders: number
  readonly leechers: number
  /** Times the torrent was completed. */
  readonly downloaded: number
}

/** Records of torrents that are put in order at once: it takes a millisecond or two. */
const MOST_AT_ONCE = 8_192
/** Summaries given at once. */
const BATCH = 2_000
const SORT_MILLISECONDS = 30_000
const KEPT_MILLISECONDS = 5_000

/** Entry of the thread: its file in the source; in the compiled binary its name beside the main entry. */
const WORKER_URL: string = new URL(
  import.meta.url.endsWith('/view/listing.ts') ? './order-worker.ts' : './view/order-worker.ts',
  import.meta.url,
).href

type ListingOptions = {
  /** How long a lock may stay busy until a list is given up; undefined = as time/turns.ts says. */
  readonly longestWaitMilliseconds?: number | undefined
  /** Time for putting a large swarm in order. */
  readonly sortMilliseconds?: number
  /** How long its order is used. */
  readonly keptMilliseconds?: number
  /** Entry of the thread that makes it. */
  readonly url?: string
}

/** Disposing it ends the thread; a list that waits for it rejects. */
export class Listing implements Disposable {
  readonly #swarm: Swarm
  readonly #options: ListingOptions
  /** One for each sort that was asked for lately. */
  readonly #orders = new Map<Sort, Promise<Order>>()
  /** Orders are made one after the other, because each takes the memory of a whole one meanwhile. */
  #making: Promise<unknown> | undefined
  #worker: Worker | undefined
  #isOver = false

  constructor(swarm: Swarm, options: ListingOptions = {}) {
    this.#swarm = swarm
    this.#options = options
  }

  /**
   * `limit` torrents behind the first `offset`. Peers last seen at `cutoffs` or before do not count,
   * except in a swarm of more than 64 until the next sweep: as a scrape counts. Torrents that came or went since
   * all were put in order may be listed or not; none is listed twice, and none that never was there. By a figure only
   * the first 100,000 are listed, and one may be listed twice or not at all if the reader takes longer than an order is
   * kept. Rejects when a shard stays locked, or the order is not made in time.
   */
  async *list(
    cutoffs: Cutoffs,
    offset: number,
    limit: number,
    sortBy: Sort = 'info_hash',
  ): AsyncGenerator<readonly TorrentSummary[], void, void> {
    let last: Int32Array | undefined
    let from = offset
    for (let left = limit; left > 0; ) {
      // Asked for again each time and only copied from, so that a slow reader does not keep an old one.
      const order = await this.#ordered(sortBy)
      if (last !== undefined && sortBy === 'info_hash') from = positionBehind(order, last)
      const hashes = hashesFrom(order, from, Math.min(left, BATCH))
      if (hashes.length === 0) return
      from += hashes.length / WORDS
      last = hashes.slice(-WORDS)
      const known = await this.summaries(cutoffs, hashes)
      left -= known.length
      yield known
    }
  }

  /**
   * Summaries of those that are known, in the order asked, repetitions repeated. `hashes`: info hashes of five words
   * in memory order, one behind the other.
   */
  async summaries(cutoffs: Cutoffs, hashes: Int32Array): Promise<TorrentSummary[]> {
    const turns = new Turns()
    const names = Buffer.from(hashes.buffer, hashes.byteOffset, hashes.byteLength).toString('hex')
    const words = new Int32Array(WORDS)
    const known: TorrentSummary[] = []
    for (let at = 0; at < hashes.length; at += WORDS) {
      for (let i = 0; i < WORDS; i++) words[i] = hashes[at + i]!
      const hash = this.#swarm.hash(words)
      const shard = this.#swarm.shardOf(hash)
      const infoHash = names.slice(at * 8, (at + WORDS) * 8)
      const look = () => shard.tryRead(() => summaryOf(shard, words, hash, infoHash, cutoffs))
      const summary = look() ?? (await patiently(look, this.#options.longestWaitMilliseconds))
      if (summary !== 'unknown') known.push(summary)
      if (turns.isOver) await turns.next()
    }
    return known
  }

  [Symbol.dispose](): void {
    this.#isOver = true
    this.#worker?.terminate()
  }

  #ordered(sortBy: Sort): Promise<Order> {
    if (recordsIn(this.#swarm) <= MOST_AT_ONCE)
      return patiently(() => orderOf(this.#swarm, sortBy), this.#options.longestWaitMilliseconds)
    const kept = this.#orders.get(sortBy)
    if (kept !== undefined) return kept
    const order = this.#sort(sortBy)
    this.#orders.set(sortBy, order)
    return order
  }

  async #sort(sortBy: Sort): Promise<Order> {
    const before = this.#making
    const { promise: made, resolve } = Promise.withResolvers<void>()
    this.#making = made
    let order: Order | undefined
    try {
      if (before !== undefined) await before
      order = await this.#sortElsewhere(sortBy)
      return order
    } finally {
      resolve()
      if (this.#making === made) this.#making = undefined
      const kept = order === undefined ? 0 : (this.#options.keptMilliseconds ?? KEPT_MILLISECONDS)
      const forget = () => {
        this.#orders.delete(sortBy)
        // At once, because the engine may not look for garbage before minutes have passed.
        order?.hashes.buffer.transfer(0)
        order?.places.buffer.transfer(0)
      }
      setTimeout(forget, kept).unref()
    }
  }

  async #sortElsewhere(sortBy: Sort): Promise<Order> {
    if (this.#isOver) throw new Error('the torrents were not put in order: the tracker stops')
    const { url = WORKER_URL, sortMilliseconds = SORT_MILLISECONDS } = this.#options
    const { promise, resolve, reject } = Promise.withResolvers<Order>()
    const worker = new Worker(url)
    this.#worker = worker
    worker.addEventListener('message', ({ data }: MessageEvent<Order>) => resolve(data))
    worker.addEventListener('error', (event) => {
      event.preventDefault()
      reject(new Error(`the torrents were not put in order: ${event.message}`))
    })
    worker.addEventListener('close', () =>
      reject(new Error('the torrents were not put in order: the thread ended')),
    )
    try {
      const task: OrderTask = { memory: this.#swarm.shared, sortBy }
      worker.postMessage(task)
      return await Deadline.in(sortMilliseconds).run(
        () => promise,
        () => new Error(`the torrents were not put in order within ${sortMilliseconds} ms`),
      )
    } finally {
      worker.terminate()
    }
  }
}

/** The caller holds the shard's lock. */
function summaryOf(
  { torrents, families }: Shard,
  words: Int32Array,
  hash: number,
  infoHash: string,
  cutoffs: Cutoffs,
): TorrentSummary | 'unknown' {
  const torrent = torrents.find(words, hash)
  if (torrent === NIL) return 'unknown'
  let seeders = 0
  let leechers = 0
  for (const peers of families) {
    const count = peers.count(torrent)
    const border = peers.leechers(torrent)
    const cutoff = cutoffs.of(peers.row)
    if (peers.slots.isLarge(torrent)) {
      leechers += border
      seeders += count - border
      continue
    }
    for (let position = 0; position < count; position++) {
      if (seenAt(peers.arrays, peers.slots.slotAt(torrent, position)) <= cutoff) continue
      if (position < border) leechers++
      else seeders++
    }
  }
  return { infoHash, seeders, leechers, downloaded: torrents.downloaded(torrent) }
}
