/**
 * How long a page of the list of torrents takes (`GET /api/v1/torrents`), how long it holds a lock, and how long it
 * keeps the event loop from everything else. No other thread wants the locks here: a hold is what an announce would
 * wait for. The first page waits until all torrents are in order; those that follow share the order.
 */

import { Lock } from '../src/memory/lock.ts'
import { Cutoffs } from '../src/swarm/peers.ts'
import { Listing } from '../src/view/listing.ts'
import { Population } from './prepared-announces.ts'
import type { Line } from './results.ts'
import { Stopwatch, sorted } from './stopwatch.ts'
import { TIMEOUT_SECONDS, TrackerAlone } from './tracker-alone.ts'

const TORRENTS = 1_000_000
const PEERS = 2_000_000
const TIMES = 20

/** Offset and limit. */
export const PAGES = ['0:100', '500000:100', '999900:100', '500000:4000'] as const

/** Child process: one line of the table. */
export async function pages(page: string): Promise<Line> {
  const [offset, limit] = page.split(':').map(Number) as [number, number]
  const bench = new TrackerAlone()
  bench.fill(new Population(PEERS, TORRENTS))
  const holds = watchLocks()
  using listing = new Listing(bench.swarm)
  const list = async (cutoff: number) => {
    const began = performance.now()
    let count = 0
    for await (const some of listing.list(new Cutoffs(cutoff, cutoff), offset, limit))
      count += some.length
    if (count !== limit) throw new Error(`${count} torrents instead of ${limit}`)
    return performance.now() - began
  }
  const loop = new LoopWatch()
  const first = await list(bench.seconds - TIMEOUT_SECONDS)
  const blocked = await loop.longest()
  const ms: number[] = []
  for (let i = 1; i < TIMES; i++) ms.push(await list(bench.seconds - TIMEOUT_SECONDS))
  const blockedLater = await loop.longest()
  loop.stop()
  const { length } = holds
  // Now every peer is looked at, because none may be counted.
  for (let i = 0; i < TIMES; i++) await list(bench.seconds)
  const own = sorted(holds.map((hold) => hold.own))
  return {
    offset: `${offset}`,
    limit,
    'first ms': first,
    'median ms': sorted(ms)[TIMES >> 1]!,
    'longest ms': Math.max(...ms),
    'loop blocked ms': blocked,
    '… later ms': blockedLater,
    'locks/page': length / TIMES,
    'median hold µs': own[own.length >> 1]! * 1000,
    'longest hold ms': own.at(-1)!,
    '… by the clock ms': Math.max(...holds.map(({ wall }) => wall)),
  }
}

/** The longest time between two turns of the event loop since the last question. */
class LoopWatch {
  #last = performance.now()
  #longest = 0
  #isOver = false

  constructor() {
    this.#turn()
  }
  #turn(): void {
    const now = performance.now()
    this.#longest = Math.max(this.#longest, now - this.#last)
    this.#last = now
    if (!this.#isOver) setImmediate(() => this.#turn())
  }
  /** What ran before the question counts as well. */
  async longest(): Promise<number> {
    await new Promise(setImmediate)
    const longest = this.#longest
    this.#longest = 0
    return longest
  }
  stop(): void {
    this.#isOver = true
  }
}

type Hold = ReturnType<Stopwatch['read']>

/** Every hold of a lock from now on. */
function watchLocks(): readonly Hold[] {
  const holds: Hold[] = []
  const { tryAcquire, release } = Lock.prototype
  let watch: Stopwatch | undefined
  Lock.prototype.tryAcquire = function () {
    const acquired = tryAcquire.call(this)
    if (acquired) watch = new Stopwatch()
    return acquired
  }
  Lock.prototype.release = function () {
    release.call(this)
    if (watch) holds.push(watch.read())
    watch = undefined
  }
  return holds
}
